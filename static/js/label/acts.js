// What the keys and buttons of the workspace do, by name: undo, view, planes, and the acts on a painted class.
import { simplifySelected } from "../canvas/sculpt.js";
import { nextLayout, nextPlane, toggleCross } from "./layouts.js";

/** @param {import("../canvas/plane.js").PlaneEditor} editor @param {import("./draft.js").Draft} draft */
export function actsOf(editor, draft) {
  const mask = editor.maskActs;
  /** @param {() => any} act */
  const writing = (act) => () => (editor.isReadOnly ? editor.say(editor.closedWords) : act());
  return {
    undo: writing(() => draft.undo() || editor.say("There is nothing to undo.")),
    redo: writing(() => draft.redo() || editor.say("There is nothing to redo.")),
    hide: () => {
      editor.isHidden = !editor.isHidden;
      editor.tool.cancel?.();
      editor.proposals.refuse();
      editor.emit("hidden");
    },
    fit: () => editor.view.fit(),
    zoomIn: () => editor.view.zoom(1.25),
    zoomOut: () => editor.view.zoom(0.8),
    mirror: () => editor.view.orient("x"),
    turn: () => editor.view.orient("turn"),
    magnify: () => {
      editor.isMagnified = !editor.isMagnified;
      editor.emit("magnified");
    },
    cross: () => toggleCross(editor),
    layout: () => nextLayout(editor),
    plane: () => nextPlane(editor),
    interpolate: writing(() => mask.interpolate()),
    smooth: writing(() => mask.smooth()),
    largest: writing(() => mask.keepLargest()),
    small: writing(() => mask.removeSmall()),
    copyNext: writing(() => mask.copy(1)),
    copyBefore: writing(() => mask.copy(-1)),
    simplify: writing(() => simplifySelected(editor)),
  };
}
