// The window that a medium begins with stays its preset, whichever slice is seen.
import assert from "node:assert/strict";
import { test } from "node:test";

import { PlaneEditor } from "../../static/js/canvas/plane.js";

test("“As stored” of a medium without a stored window is the same on every slice", () => {
  const medium = { ordinal: 0, dtype: "float32", size: [2, 10, 10] };
  const slice = (scale) => ({ values: Float32Array.from({ length: 100 }, (_, i) => i * scale) });
  const pane = { medium, slice: slice(1), pixels: {} };
  const editor = Object.assign(Object.create(PlaneEditor.prototype), { windows: new Map(), firstWindows: new Map(), active: pane, emit() {} });
  assert.deepEqual(editor.presets(), [], "before anything is here");
  editor.arrived(pane);
  const [before] = editor.presets();
  assert.deepEqual({ name: "As stored", ...editor.windows.get(0) }, before);
  pane.slice = slice(50);
  editor.arrived(pane);
  assert.deepEqual(editor.presets()[0], before);
  editor.windows.set(0, { centre: 1, width: 2 });
  editor.arrived(pane);
  assert.deepEqual([editor.presets()[0], editor.windows.get(0)], [before, { centre: 1, width: 2 }]);
});
