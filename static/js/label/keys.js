// Every key of the workspace, in one table. The sheet behind "?" lists the same keys.
import { byId, takesText } from "./dom.js";
import { keyOfClass } from "./panels.js";

export const TOOL_KEYS = { s: "select", p: "polygon", r: "box", e: "ellipse", k: "point", l: "polyline", b: "brush", x: "eraser" };

/** @param {import("../canvas/plane.js").PlaneEditor} editor @param {import("./draft.js").Draft} draft */
export function listenToKeys(editor, draft, finish, classes, { useTool, nextPreset, nextRemark, aside }) {
  const undo = () => editor.isReadOnly || draft.undo() || editor.say("There is nothing to undo.");
  const redo = () => editor.isReadOnly || draft.redo() || editor.say("There is nothing to redo.");
  const plain = {
    z: undo, "Z": redo, h: () => toggleHidden(editor), f: () => { editor.view.fit(); editor.redraw(); },
    "P": () => aside.park(), q: () => aside.open("ask"), u: () => aside.open("unreadable"),
    w: nextPreset, n: nextRemark, i: () => byId("instructions-dialog").showModal(), 0: () => finish.toggleNoFinding(),
    "[": () => resizeBrush(editor, 1 / 1.2), "]": () => resizeBrush(editor, 1.2),
    "+": () => zoom(editor, 1.25), "=": () => zoom(editor, 1.25), "-": () => zoom(editor, 0.8),
    PageDown: () => editor.goTo(editor.z + 1), PageUp: () => editor.goTo(editor.z - 1),
    ".": () => editor.goTo(editor.z + 1), ",": () => editor.goTo(editor.z - 1),
    Delete: () => editor.remove(editor.selectedId), Backspace: () => (editor.tool.isBusy ? editor.tool.back?.() : editor.remove(editor.selectedId)),
    Enter: () => editor.tool.isBusy && editor.tool.finish?.(), Escape: () => escape(editor),
  };

  addEventListener("keydown", (event) => {
    if (document.querySelector("dialog[open]")) return;
    const isCommand = event.ctrlKey || event.metaKey;
    if (isCommand && event.key === "Enter") return done(event, () => finish.submit());
    if (event.altKey || takesText(event.target)) return undefined;
    if (isCommand) {
      const key = event.key.toLowerCase();
      if (key === "z") return done(event, event.shiftKey ? redo : undo);
      if (key === "y") return done(event, redo);
      return undefined;
    }
    // Enter and Space press the button that has the focus.
    if (event.key === "Enter" && /** @type {Element} */ (event.target).closest("button, a, summary")) return undefined;
    const label = classes.find((entry) => keyOfClass(classes, entry) === event.key.toLowerCase());
    if (label && !event.shiftKey) return done(event, () => editor.setLabel(label.key));
    const tool = TOOL_KEYS[event.key.toLowerCase()];
    if (tool && !event.shiftKey) return done(event, () => useTool(tool));
    const act = plain[event.key] ?? plain[event.key.toLowerCase()];
    return act ? done(event, act) : undefined;
  });

  function done(event, act) {
    event.preventDefault();
    act();
    editor.redraw();
  }
}

function toggleHidden(editor) {
  editor.isHidden = !editor.isHidden;
  editor.tool.cancel?.();
  editor.emit("hidden");
}

function resizeBrush(editor, factor) {
  editor.brush.resize(factor);
  editor.emit("brush");
}

function zoom(editor, factor) {
  editor.view.zoom(factor);
}

function escape(editor) {
  if (editor.tool.isBusy) editor.tool.cancel();
  else editor.select(null);
}
