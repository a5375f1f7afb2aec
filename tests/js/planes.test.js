// Planes of a volume: places there and back, sides of the patient, where outlines cross; the view's mirror and turns.
import assert from "node:assert/strict";
import { test } from "node:test";

import { View } from "../../static/js/canvas/view.js";
import { Layers } from "../../static/js/lib/layers.js";
import { createState } from "../../static/js/lib/fold.js";
import { crossings, lettersOf, patientPlace, placeIn, PLANES, sidesOf, spacingIn, uprightOf, voxelAt } from "../../static/js/lib/planes.js";

const SIZE = [4, 5, 6];
// Canonical arrays run to the left, to the back and to the head (LPS), said in RAS+.
const LPS = [[-0.5, 0, 0, 10], [0, -0.5, 0, 20], [0, 0, 2, 30], [0, 0, 0, 1]];

test("a place on a slice is one voxel, and that voxel lies at this place", () => {
  for (const plane of PLANES) {
    const { columns, rows, count } = sidesOf(plane, SIZE);
    assert.equal(columns * rows * count, 120);
    for (const [x, y, index] of [[0, 0, 0], [columns - 1, rows - 1, count - 1], [1, 2, 3]]) {
      const voxel = voxelAt(plane, x, y, index);
      assert.deepEqual(placeIn(plane, voxel), [x, y]);
    }
  }
  assert.deepEqual(voxelAt("coronal", 1, 2, 3), [2, 3, 1]);
  assert.deepEqual(voxelAt("sagittal", 1, 2, 3), [2, 1, 3]);
});

test("spacing follows the plane and is not made up where it is unknown", () => {
  assert.deepEqual(spacingIn("axial", [2, 0.5, 0.4]), [0.4, 0.5]);
  assert.deepEqual(spacingIn("coronal", [2, 0.5, 0.4]), [0.4, 2]);
  assert.deepEqual(spacingIn("sagittal", [2, 0.5, 0.4]), [0.5, 2]);
  assert.equal(spacingIn("axial", null), null);
});

test("the letters of an axis follow the affine, with a second one where it is oblique", () => {
  assert.deepEqual([2, 1, 0].map((axis) => lettersOf(LPS, axis)), ["L", "P", "S"]);
  assert.equal(lettersOf(LPS, 2, -1), "R");
  assert.equal(lettersOf(null, 0), "");
  const oblique = [[0, 0, 0, 0], [0, 0.8, 0, 0], [0, 0.6, 1, 0], [0, 0, 0, 1]];
  assert.equal(lettersOf(oblique, 1), "AS");
  assert.equal(lettersOf(oblique, 2), "", "an axis of no length points nowhere");
});

test("coronal and sagittal slices are shown with the head up, axial ones as they lie", () => {
  assert.deepEqual(uprightOf("axial", LPS), { flipX: false, flipY: false });
  assert.deepEqual(uprightOf("coronal", LPS), { flipX: false, flipY: true });
  assert.deepEqual(uprightOf("sagittal", LPS), { flipX: false, flipY: true });
  assert.deepEqual(uprightOf("coronal", null), { flipX: false, flipY: false });
});

test("the place in the patient is that of the voxel's centre", () => {
  assert.deepEqual(patientPlace(LPS, [3, 2, 1]), [9.5, 19, 36]);
});

test("an outline crosses a coronal and a sagittal slice where it lies, a hole stays a hole", () => {
  const square = { kind: "polygon", points: [[1, 1], [4, 1], [4, 3], [1, 3]] };
  assert.deepEqual(crossings(square, "coronal", 1), [[1, 4]]);
  assert.deepEqual(crossings(square, "sagittal", 2), [[1, 3]]);
  assert.deepEqual(crossings(square, "coronal", 3), []);
  const horseshoe = { kind: "polygon", points: [[0, 0], [6, 0], [6, 4], [4, 4], [4, 1], [2, 1], [2, 4], [0, 4]] };
  assert.deepEqual(crossings(horseshoe, "coronal", 2), [[0, 2], [4, 6]]);
  assert.deepEqual(crossings({ kind: "points", points: [[2.5, 1.2]] }, "coronal", 1), [[2.5, 2.5]]);
  assert.deepEqual(crossings({ kind: "polyline", points: [[0, 0], [4, 4]] }, "coronal", 1), [[1.5, 1.5]]);
  assert.deepEqual(crossings({ kind: "box", points: [[1, 1], [4, 3]] }, "sagittal", 1), [[1, 3]]);
});

test("a section through painted axial slices holds what they hold, and strokes of other planes arrive in axial ones", () => {
  const layers = new Layers(new Map([[0, SIZE]]), new Map());
  const stroke = (id, plane, index, points) => ({
    mark_id: id, author: "a", is_undone: false, payload: { medium: 0, label: "x", plane, index, mode: "add", tip: "square", radius: 3, points },
  });
  const state = createState({ marks: [stroke("a", "axial", 2, [10, 14]), stroke("c", "coronal", 1, [18, 6]), stroke("s", "sagittal", 5, [2, 2])] });
  const voxels = [[2, 3, 2], [1, 1, 4], [0, 0, 5]];
  for (const plane of PLANES) {
    for (const voxel of voxels) {
      const { along } = { axial: { along: 0 }, coronal: { along: 1 }, sagittal: { along: 2 } }[plane];
      const section = layers.section(state, 0, "x", plane, voxel[along]);
      const [x, y] = placeIn(plane, voxel);
      assert.equal(section.data[y * section.width + x], 1, `${plane} ${voxel}`);
    }
  }
  assert.equal(layers.section(state, 0, "x", "coronal", 4).data.includes(1), false);
  assert.equal(layers.section(state, 0, "never", "coronal", 1), null);
  const before = layers.section(state, 0, "x", "coronal", 3).id;
  state.marks.set("d", stroke("d", "axial", 2, [2, 14]));
  state.head_seq += 1;
  assert.notEqual(layers.section(state, 0, "x", "coronal", 3).id, before);
});

test("a mask that comes later than its patch is painted then", () => {
  const layers = new Layers(new Map([[0, [1, 2, 8]]]), new Map());
  const patch = { medium: 0, label: "x", mode: "add", mask: "m", origin: [0, 1, 0], size: [1, 1, 8] };
  const state = createState({ marks: [{ mark_id: "p", author: "b", is_undone: false, payload: patch }] });
  assert.equal(layers.slice(state, 0, "x", 0).data.includes(1), false);
  layers.arrived("m", { size: [1, 1, 8], bits: Uint8Array.of(0b10000001) });
  assert.deepEqual([...layers.slice(state, 0, "x", 0).data], [0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1]);
});

test("a view goes to the screen and back, mirrored and turned, with uneven pixels", () => {
  const view = new View(60, 40, [1, 2.5]);
  view.resize(500, 400);
  for (const how of ["turn", "x", "turn", "y", "turn", "x", "turn"]) {
    view.orient(how);
    for (const [x, y] of [[0, 0], [60, 40], [13, 7]]) {
      const [bx, by] = view.toImage(...view.toScreen(x, y));
      assert.ok(Math.hypot(bx - x, by - y) < 1e-9);
    }
    const corners = [view.toScreen(0, 0), view.toScreen(60, 40)];
    assert.ok(corners.flat().every((at) => at >= 0 && at <= 500), "fitted views stay fitted");
    view.zoom(2, 100, 100);
    view.fit();
  }
});

test("mirroring is meant as it is seen, also after a quarter turn", () => {
  const view = new View(10, 10);
  view.resize(200, 200);
  view.orient("turn");
  const before = view.toScreen(2, 3);
  view.orient("x");
  const after = view.toScreen(2, 3);
  assert.ok(Math.abs(before[0] + after[0] - 200) < 1e-9);
  assert.ok(Math.abs(before[1] - after[1]) < 1e-9);
});

test("which slices hold something is known without painting, and is right where something was erased", () => {
  const layers = new Layers(new Map([[0, SIZE]]), new Map([["m", { size: [2, 1, 8], bits: Uint8Array.of(0b00010000, 0) }]]));
  const mark = (id, payload) => ({ mark_id: id, author: "a", is_undone: false, payload: { medium: 0, label: "x", ...payload } });
  const stroke = { plane: "axial", tip: "round", radius: 3, points: [10, 10] };
  const marks = [mark("p", { mode: "add", mask: "m", origin: [0, 0, 0], size: [2, 1, 8] }), mark("a", { ...stroke, mode: "add", index: 3 })];
  assert.deepEqual(layers.occupied(createState({ marks }), 0, "x"), [0, 3]);
  assert.equal(layers.kept.size, 0, "nothing was painted for that");
  const erased = [...marks, mark("e", { ...stroke, mode: "erase", index: 3 }), mark("c", { ...stroke, mode: "add", plane: "coronal", index: 4 })];
  assert.deepEqual(layers.occupied(createState({ marks: erased }), 0, "x"), [0, 2]);
});

test("slices of two sets of layers are never taken for each other", () => {
  const mark = (points) => ({ mark_id: "m", author: "a", is_undone: false, payload: { medium: 0, label: "x", mode: "add", index: 0, tip: "round", radius: 3, points } });
  const ids = [[2, 2], [10, 10]].map((points) => new Layers(new Map([[0, SIZE]]), new Map()).slice(createState({ marks: [mark(points)] }), 0, "x", 0).id);
  assert.notEqual(ids[0], ids[1]);
});
