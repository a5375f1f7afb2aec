// The chosen outline over slices: copies of it, and the slices between two.
import assert from "node:assert/strict";
import { test } from "node:test";

import { Desk } from "../../static/js/canvas/desk.js";
import { ShapeActs } from "../../static/js/canvas/shape_acts.js";
import { actsOf } from "../../static/js/label/acts.js";
import { regionsBetween } from "../../static/js/lib/between.js";
import { area, contains } from "../../static/js/lib/geometry.js";

const square = (x, y, side) => [[x, y], [x + side, y], [x + side, y + side], [x, y + side]];

/** A desk whose chosen shape has these regions, on slice z of ten. */
function desk(regions, z, depth = 10) {
  const shape = { shape_id: "a", medium: 0, version: 3, label: "x", regions };
  const acted = [];
  const made = /** @type {any} */ (new Desk());
  const medium = { ordinal: 0, size: [depth, 100, 100] };
  Object.assign(made, {
    selectedId: "a", acted, said: [], isVolume: depth > 1, label: { key: "x", tool: "polygon" },
    active: { medium, isAxial: true, position: [z, 0, 0], count: depth },
    document: { state: { shapes: new Map([["a", shape]]) }, act: (kind, payload) => acted.push([kind, payload]) },
    step: (_, by) => (made.active.position = [z + by, 0, 0]),
  });
  made.addEventListener("say", (event) => made.said.push(event.detail));
  return made;
}

const where = (regions) => regions.map((region) => region.z ?? 0);

test("the chosen shape is copied to the next slice in one act, and the first slice is not named", () => {
  const here = [{ kind: "points", points: [[3, 4]], z: 1 }, { kind: "points", points: [[5, 6]], z: 1 }];
  const before = desk(here, 1);
  new ShapeActs(before).copy(-1);
  assert.deepEqual(before.acted, [["shape.geometry", {
    shape_id: "a", base_version: 3, regions: [{ kind: "points", points: [[3, 4]] }, { kind: "points", points: [[5, 6]] }, ...here],
  }]]);
  assert.equal(before.z, 0, "and one goes there");
});

test("nothing is copied over an outline, past the last slice, or in a photograph", () => {
  const box = (z) => ({ kind: "box", points: [[1, 1], [5, 5]], z });
  for (const [held, step, words] of [[desk([box(2), box(3)], 2), 1, /already/], [desk([box(9)], 9), 1, /last slice/], [desk([box(4)], 2), 1, /no outline on this slice/], [desk([box(0)], 0, 1), 1, /photograph/]]) {
    new ShapeActs(held).copy(step);
    assert.deepEqual(held.acted, []);
    assert.match(held.said.at(-1), words);
  }
});

test("a shape that a colleague holds is left alone", () => {
  const held = desk([{ kind: "box", points: [[1, 1], [5, 5]] }], 0);
  held.heldBy = () => "Ben";
  new ShapeActs(held).copy(1);
  assert.deepEqual([held.acted, held.said], [[], ["Ben is changing this shape now."]]);
});

test("the slices between two outlines are filled in one act", () => {
  const held = desk([{ kind: "box", points: [[0, 0], [10, 10]], z: 2 }, { kind: "box", points: [[40, 0], [50, 30]], z: 6 }], 4);
  new ShapeActs(held).interpolate();
  const [[kind, { regions }]] = held.acted;
  assert.equal(kind, "shape.geometry");
  assert.deepEqual(where(regions), [2, 3, 4, 5, 6]);
  assert.deepEqual(regions[2].points, [[20, 0], [30, 20]]);
});

test("only the gap around this slice is filled, and all of them from an outlined one", () => {
  const box = (z) => ({ kind: "box", points: [[0, 0], [10, 10]], z });
  const filled = (z) => {
    const held = desk([box(1), box(4), box(6)], z);
    new ShapeActs(held).interpolate();
    return where(held.acted[0][1].regions);
  };
  assert.deepEqual(filled(5), [1, 4, 5, 6]);
  assert.deepEqual(filled(4), [1, 2, 3, 4, 5, 6]);
});

test("slices with several outlines, with different kinds or with points are not filled between", () => {
  const box = (z) => ({ kind: "box", points: [[0, 0], [10, 10]], z });
  const point = (z) => ({ kind: "points", points: [[0, 0]], z });
  for (const [regions, words] of [[[box(1), box(1), box(4)], /Slice 2 has several/], [[box(1), { kind: "ellipse", points: [[5, 5], [2, 2]], z: 4 }], /different kinds/], [[point(1), point(4)], /Points are copied/], [[box(1), box(2)], /two slices with empty/]]) {
    const held = desk(regions, 2);
    new ShapeActs(held).interpolate();
    assert.deepEqual(held.acted, []);
    assert.match(held.said[0], words);
  }
});

test("a ring that is begun elsewhere and drawn the other way round is still the same ring", () => {
  const points = [[0, 0], [20, 0], [30, 15], [20, 30], [0, 30]];
  const other = [...points.slice(2), ...points.slice(0, 2)].reverse().map(([x, y]) => [x + 8, y + 4]);
  const [middle] = regionsBetween({ kind: "polygon", points }, { kind: "polygon", points: other }, 1);
  const sorted = (corners) => corners.map(String).sort();
  assert.deepEqual(sorted(middle.points), sorted(points.map(([x, y]) => [x + 4, y + 2])));
});

test("between a small ring and a large one of other corners lie rings of sizes between", () => {
  const low = { kind: "polygon", points: square(40, 40, 20) };
  const high = { kind: "polygon", points: Array.from({ length: 40 }, (_, i) => [50 + 40 * Math.cos(i * Math.PI / 20), 50 + 40 * Math.sin(i * Math.PI / 20)]) };
  const areas = [low, ...regionsBetween(low, high, 4), high].map(({ points }) => area(points));
  areas.forEach((size, i) => i && assert.ok(size > areas[i - 1], `${areas}`));
  for (const { points } of regionsBetween(low, high, 4)) assert.ok(contains(points, 50, 50));
});

test("lines and turned boxes go the shorter way", () => {
  const line = [[0, 0], [10, 0]];
  const [between] = regionsBetween({ kind: "polyline", points: line }, { kind: "polyline", points: [[10, 4], [0, 4]] }, 1);
  assert.deepEqual(between.points, [[0, 2], [10, 2]]);
  const box = (rotation_deg) => ({ kind: "box", points: [[0, 0], [10, 4]], rotation_deg });
  assert.equal(regionsBetween(box(80), box(-80), 1)[0].rotation_deg, 90);
});

test("the same keys act on the chosen outline and else on the painted class in hand", () => {
  const called = [];
  const act = (name) => ({ interpolate: () => called.push(name), copy: () => called.push(name) });
  const editor = { isReadOnly: false, maskActs: act("mask"), shapeActs: act("shape"), selectedId: "a", label: { tool: "brush" } };
  const acts = actsOf(/** @type {any} */ (editor), /** @type {any} */ ({}), "", {});
  acts.interpolate();
  editor.selectedId = null;
  acts.copyNext();
  editor.label.tool = "box";
  acts.copyBefore();
  assert.deepEqual(called, ["shape", "mask", "shape"]);
});
