// Every key of the workspace, in one table. The sheet behind "?" lists the same keys.
import { byId, takesText } from "./dom.js";
import { keyOfClass } from "./panels.js";

export const TOOL_KEYS = {
  s: "select", a: "sculpt", p: "polygon", r: "box", e: "ellipse", k: "point", l: "polyline", b: "brush", x: "eraser",
  o: "fill", m: "grow", j: "threshold", y: "superpixel",
};
export const SHIFTED_TOOL_KEYS = { O: "parts", R: "ruler", M: "assist" };

/** @param {import("../canvas/plane.js").PlaneEditor} editor @param {any} page `acts`: what can be done, by name */
export function listenToKeys(editor, finish, classes, page) {
  const { useTool, nextPreset, nextRemark, aside, ticket, acts } = page;
  const plain = {
    z: acts.undo, "Z": acts.redo, h: acts.hide, f: acts.fit, "F": acts.mirror, "T": acts.turn, g: acts.cross, "G": acts.magnify, v: acts.layout, "V": acts.plane, "D": acts.solid,
    "P": () => aside.park(), q: () => aside.open("ask"), u: () => aside.open("unreadable"), d: () => (ticket ? ticket.open() : acts.draft()), t: acts.replay, c: () => acts.pin(),
    w: nextPreset, n: nextRemark, i: () => byId("instructions-dialog").showModal(), 0: () => finish.toggleNoFinding(),
    "I": acts.interpolate, "S": acts.smooth, "K": acts.largest, "J": acts.small, ">": acts.copyNext, "<": acts.copyBefore, "A": acts.simplify,
    "[": () => weaker(editor, -1), "]": () => weaker(editor, 1),
    "+": acts.zoomIn, "=": acts.zoomIn, "-": acts.zoomOut,
    PageDown: () => scroll(editor, 1), PageUp: () => scroll(editor, -1), ".": () => scroll(editor, 1), ",": () => scroll(editor, -1),
    Delete: () => editor.remove(editor.selectedId), Backspace: () => (editor.tool.isBusy || editor.tool.hints?.length ? editor.tool.back?.() : editor.remove(editor.selectedId)),
    Enter: () => editor.tool.isBusy && editor.tool.finish?.(), Escape: () => acts.leavePin() || escape(editor),
  };

  addEventListener("keydown", (event) => {
    if (document.querySelector("dialog[open]")) return;
    const isCommand = event.ctrlKey || event.metaKey;
    if (isCommand && event.key === "Enter") return done(event, () => finish.submit());
    if (event.altKey || takesText(event.target)) return undefined;
    if (isCommand) {
      const key = event.key.toLowerCase();
      if (key === "z") return done(event, event.shiftKey ? acts.redo : acts.undo);
      if (key === "y") return done(event, acts.redo);
      return undefined;
    }
    const target = /** @type {Element} */ (event.target);
    if (event.key === "Enter" && (editor.proposals.current || editor.proposals.isWorking) && !target.closest("#proposal, .menu-body")) return done(event, () => editor.proposals.accept());
    // Enter and Space press the button that has the focus.
    if (event.key === "Enter" && target.closest("button, a, summary")) return undefined;
    const label = classes.find((entry) => keyOfClass(classes, entry) === event.key.toLowerCase());
    if (label && !event.shiftKey) return done(event, () => editor.setLabel(label.key));
    const tool = event.shiftKey ? SHIFTED_TOOL_KEYS[event.key.toUpperCase()] : TOOL_KEYS[event.key.toLowerCase()];
    if (tool) return done(event, () => useTool(tool));
    // Shift alone tells the two apart: a locked shift key means no other act.
    const key = event.key.length > 1 ? event.key : event.shiftKey ? event.key.toUpperCase() : event.key.toLowerCase();
    const act = plain[key];
    return act ? done(event, act) : undefined;
  });

  function done(event, act) {
    event.preventDefault();
    act();
    editor.redraw();
  }
}

/** Whoever scrolls goes their own way, as with the wheel. */
function scroll(editor, by) {
  editor.emit("scrolled");
  return editor.step(editor.active, by);
}

/** A preview gets weaker or stronger; else the brush smaller or larger. */
function weaker(editor, sign) {
  const { current } = editor.proposals;
  if (current?.again) return current.again(sign);
  if (editor.tool.resize) editor.tool.resize(1.2 ** sign);
  else editor.brush.resize(1.2 ** sign);
  return editor.emit("brush");
}

function escape(editor) {
  if (editor.proposals.refuse() || editor.tool.drop?.()) return;
  if (editor.tool.isBusy) editor.tool.cancel();
  else editor.select(null);
}
