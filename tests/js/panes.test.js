// Where the panes of readers side by side lie.
import assert from "node:assert/strict";
import { test } from "node:test";

import { inItsPane, panesOf } from "../../static/js/pages/panes.js";

test("one picture has the whole canvas, and none has it too", () => {
  assert.deepEqual(panesOf(1, 800, 400, 1), [[0, 0, 800, 400]]);
  assert.deepEqual(panesOf(0, 800, 400, 1), [[0, 0, 800, 400]]);
});

test("three square pictures stand in a row in a wide canvas and in a column in a tall one", () => {
  assert.deepEqual(panesOf(3, 900, 300, 1).map(([x, y]) => [x, y]), [[0, 0], [300, 0], [600, 0]]);
  assert.deepEqual(panesOf(3, 300, 900, 1).map(([x, y]) => [x, y]), [[0, 0], [0, 300], [0, 600]]);
});

test("panes cover the canvas without overlap, however many there are", () => {
  for (let count = 1; count <= 9; count += 1) {
    const panes = panesOf(count, 1000, 700, 1.4);
    assert.equal(panes.length, count);
    for (const [x, y, width, height] of panes) {
      assert.ok(x + width <= 1000.001 && y + height <= 700.001);
    }
    assert.equal(new Set(panes.map(([x, y]) => `${x},${y}`)).size, count);
  }
});

test("a place is told in the pane that it lies in", () => {
  const panes = panesOf(2, 800, 400, 1);
  assert.deepEqual(inItsPane(panes, [500, 100]), [100, 100]);
  assert.deepEqual(inItsPane(panes, [-5, 100]), [-5, 100]);
});
