// What the keys and buttons of the workspace do, by name: undo, view, planes, and the acts on a painted class or the chosen outline.
import { simplifySelected } from "../canvas/sculpt.js";
import { nextLayout, nextPlane, toggleCross } from "./layouts.js";
import { whenAsked } from "./parts.js";

/** @param {import("../canvas/plane.js").PlaneEditor} editor @param {import("./draft.js").Draft} draft @param {string} address of the media @param {any} hanging */
export function actsOf(editor, draft, address, hanging) {
  const mask = editor.maskActs;
  /** What goes over slices: the chosen outline, else the painted class in hand. */
  const ofSlices = () => (editor.selectedId || editor.label?.tool !== "brush" ? editor.shapeActs : mask);
  /** @param {() => any} act */
  const writing = (act) => () => (editor.isReadOnly ? editor.say(editor.closedWords) : act());
  const viewed = (act) => {
    act(editor.view);
    editor.follow(editor.active);
  };
  return {
    undo: writing(() => draft.undo() || editor.say("There is nothing to undo.")),
    redo: writing(() => draft.redo() || editor.say("There is nothing to redo.")),
    hide: () => {
      editor.isHidden = !editor.isHidden;
      editor.tool.cancel?.();
      editor.proposals.refuse();
      editor.emit("hidden");
    },
    fit: () => viewed((view) => view.fit()),
    zoomIn: () => viewed((view) => view.zoom(1.25)),
    zoomOut: () => viewed((view) => view.zoom(0.8)),
    mirror: () => editor.view.orient("x"),
    turn: () => editor.view.orient("turn"),
    magnify: () => {
      editor.isMagnified = !editor.isMagnified;
      editor.emit("magnified");
    },
    cross: () => toggleCross(editor),
    layout: () => nextLayout(editor, hanging),
    solid: opening(editor, draft, address),
    plane: () => nextPlane(editor),
    interpolate: writing(() => ofSlices().interpolate()),
    smooth: writing(() => mask.smooth()),
    largest: writing(() => mask.keepLargest()),
    small: writing(() => mask.removeSmall()),
    copyNext: writing(() => ofSlices().copy(1)),
    copyBefore: writing(() => ofSlices().copy(-1)),
    simplify: writing(() => simplifySelected(editor)),
  };
}

/** The 3-D panel's code and its library are brought when it is opened first. */
function opening(editor, draft, address) {
  const panel = whenAsked(async () => new (await import("./solid.js")).SolidPanel(editor, draft, address));
  return async () => {
    if (!editor.isVolume) return editor.say("A photograph has no third dimension.");
    try {
      return (await panel()).toggle();
    } catch {
      return editor.say("The 3-D view could not be loaded. Your work is safe. Try it again.");
    }
  };
}
