// Measures in millimetres, the sculptor and simpler outlines, and several acts as one step of undo.
import assert from "node:assert/strict";
import { test } from "node:test";

import { Draft } from "../../static/js/label/draft.js";
import { area, crossesItself } from "../../static/js/lib/geometry.js";
import { axes, figure, lengthOf, measured } from "../../static/js/lib/measure.js";
import { fewerCorners, pushed } from "../../static/js/lib/sculpt.js";

const RECTANGLE = [[0, 0], [40, 0], [40, 30], [0, 30]];

test("lengths and areas are in millimetres where the spacing is known, each axis by its own", () => {
  assert.equal(lengthOf([[0, 0], [3, 0], [3, 4]]), 7);
  assert.equal(lengthOf([[0, 0], [3, 0], [3, 4]], [2, 0.5]), 8);
  assert.equal(measured({ kind: "polyline", points: [[0, 0], [3, 4]] }, [1, 1]), "5 mm");
  assert.equal(measured({ kind: "box", points: [[0, 0], [40, 30]] }), "1,200 px² · 50 × 37.5 px");
  assert.equal(measured({ kind: "box", points: [[0, 0], [40, 30]] }, [0.5, 0.5]), "300 mm² · 25 × 18.8 mm");
  assert.equal(measured({ kind: "polygon", points: [[0, 0], [1, 1]] }), "");
  assert.equal(measured({ kind: "points", points: [[1, 1]] }), "");
});

test("long and short axis of an ellipse are its diameters, of a rectangle its diagonal and the chord across it", () => {
  const ellipse = Array.from({ length: 200 }, (_, i) => [10 * Math.cos((i * Math.PI) / 100), 4 * Math.sin((i * Math.PI) / 100)]);
  const { long, short } = axes(ellipse);
  assert.ok(Math.abs(long - 20) < 0.01 && Math.abs(short - 8) < 0.05, `${long} ${short}`);
  const found = axes(RECTANGLE);
  assert.equal(found.long, 50);
  // Right-angled triangles 40 : 30 : 50: across the diagonal the longest chord is 30 · 50 / 40.
  assert.ok(Math.abs(found.short - 37.5) < 0.001, String(found.short));
  assert.deepEqual([axes([[1, 1]]).long, axes([[1, 1]]).short], [0, 0]);
  assert.equal(figure(0.123456), "0.123");
  assert.equal(figure(12345.6), "12,346");
});

test("a tip pushes a boundary out from inside and in from outside, and leaves the rest", () => {
  const out = pushed(RECTANGLE, true, [38, 15], 8);
  assert.ok(area(out) > area(RECTANGLE));
  assert.ok(out.every(([x, y]) => Math.hypot(x - 38, y - 15) >= 8 - 1e-9));
  const dented = pushed(RECTANGLE, true, [43, 15], 8);
  assert.ok(area(dented) < area(RECTANGLE));
  assert.equal(crossesItself(out) || crossesItself(dented), false);
  assert.equal(pushed(RECTANGLE, true, [200, 200], 8), RECTANGLE, "what is not touched is the same");
  const line = pushed([[0, 0], [40, 0]], false, [20, 1], 5);
  assert.deepEqual([line[0], line.at(-1)], [[0, 0], [40, 0]]);
  assert.ok(line.some(([, y]) => y < -3));
  assert.ok(pushed([[5, 5], [9, 5], [7, 9]], true, [5, 5], 2).every(([x, y]) => Number.isFinite(x) && Number.isFinite(y)));
});

test("fewer corners keep the shape within the tolerance", () => {
  const circle = Array.from({ length: 300 }, (_, i) => [50 + 20 * Math.cos((i * Math.PI) / 150), 50 + 20 * Math.sin((i * Math.PI) / 150)]);
  const fewer = fewerCorners(circle, true, 0.5);
  assert.ok(fewer.length < 40 && fewer.length > 6, String(fewer.length));
  assert.ok(Math.abs(area(fewer) / area(circle) - 1) < 0.05);
  assert.equal(fewerCorners([[0, 0], [1, 0], [0, 1]], true, 50).length, 3);
  assert.deepEqual(fewerCorners([[0, 0], [1, 0.01], [2, 0]], false, 0.1), [[0, 0], [2, 0]]);
});

test("acts that belong together are undone and done again as one", () => {
  const made = new Draft({ author: "a", state: { head_seq: 0, shapes: [], marks: [], layers: [] }, media: [{ ordinal: 0, size: [1, 4, 4] }] }, new Map());
  const stroke = (id, mode) => ["stroke.add", { stroke_id: id, medium: 0, label: "x", mode, tip: "round", radius: 4, points: [8, 8], index: 0 }];
  made.act(...stroke("first", "add"));
  made.actTogether([stroke("more", "add"), stroke("less", "erase")]);
  const undone = () => [...made.state.marks.values()].map((mark) => mark.is_undone);
  assert.equal(made.undo(), true);
  assert.deepEqual(undone(), [false, true, true]);
  assert.equal(made.redo(), true);
  assert.deepEqual(undone(), [false, false, false]);
  assert.deepEqual([made.undo(), made.undo(), made.undo()], [true, true, false]);
  assert.deepEqual(undone(), [true, true, true]);
  made.actTogether([]);
  assert.equal(made.undo(), false);
});
