// Following a colleague ends when one scrolls by keys, as when one drags or turns the wheel.
import assert from "node:assert/strict";
import { test } from "node:test";

import { listenToKeys } from "../../static/js/label/keys.js";
import { Colleagues } from "../../static/js/live/colleagues.js";

test("each key that scrolls ends following, and going with the other does not", async (context) => {
  context.mock.timers.enable({ apis: ["setInterval", "setTimeout"] });
  const editor = /** @type {any} */ (Object.assign(new EventTarget(), {
    panes: [], overlays: [], active: { index: 4, plane: "axial" }, medium: { ordinal: 0 }, tool: {}, proposals: {}, redraw() {}, stepped: [],
    view: { aspect: [1, 1], place() {}, toImage: () => [0, 0] },
    emit: (name) => editor.dispatchEvent(new Event(name)),
    step: (_, by) => editor.stepped.push(by),
  }));
  const colleagues = new Colleagues(/** @type {any} */ (Object.assign(new EventTarget(), { tell() {} })), editor, /** @type {any} */ ({ bar: { replaceChildren() {} }, say() {} }));
  colleagues.avatar = () => null;
  let press = null;
  Object.assign(globalThis, { addEventListener: (_, listener) => (press = listener), document: { querySelector: () => null, hidden: false } });
  listenToKeys(editor, {}, [], { acts: {} });
  for (const key of [",", ".", "PageUp", "PageDown"]) {
    colleagues.windows.set("w", { who: { id: "ben", name: "Ben", window: "w" }, state: { view: { medium: 0, plane: "axial", index: 7, x0: 0, x1: 9, y0: 0, y1: 9 } }, at: 0 });
    colleagues.follow("ben");
    assert.equal(colleagues.following, "ben");
    await colleagues.goWith({ view: { medium: 0, plane: "axial", index: 7, x0: 0, x1: 9, y0: 0, y1: 9 } });
    assert.equal(colleagues.following, "ben");
    press({ key, target: { tagName: "CANVAS", closest: () => null }, preventDefault() {} });
    assert.equal(colleagues.following, "", key);
    assert.equal(Math.abs(editor.stepped.at(-1)), 1);
  }
});
