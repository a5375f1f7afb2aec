// The 3-D view's volume in memory: NIfTI that another reader understands, places in mm of a reduced copy, classes as numbers.
//
// Planted and seen to fail: a reduced copy whose origin stays; rows and slices of the steps exchanged; a thin class that vanishes.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as nifti from "nifti-reader-js";
import { createState } from "../../static/js/lib/fold.js";
import { Layers } from "../../static/js/lib/layers.js";
import { placeOf, voxelOf } from "../../static/js/lib/planes.js";
import { asNifti, contentOf, labelMap, reducedAffine } from "../../static/js/lib/solid.js";

// Oblique, with unlike sides and a mirrored axis.
const AFFINE = [[-0.5, 0.1, 0.2, 40], [0.05, -0.7, 0.3, 12], [0.02, 0.04, 3, -90], [0, 0, 0, 1]];
const MEDIUM = { size: [6, 8, 10], spacing_mm: [3, 0.7, 0.5], affine: AFFINE };

test("another reader finds size, type, values and place in the file", () => {
  const values = Int16Array.from({ length: 24 }, (_, i) => 100 * i - 1000);
  const affine = reducedAffine(MEDIUM, [1, 1, 1]);
  const header = nifti.readHeader(asNifti({ size: [2, 3, 4], steps: [1, 1, 1], affine }, "int16", values));
  assert.deepEqual(header.dims.slice(0, 4), [3, 4, 3, 2]);
  assert.equal(header.datatypeCode, nifti.NIFTI1.TYPE_INT16);
  affine.forEach((row, i) => row.forEach((value, j) => assert.ok(Math.abs(header.affine[i][j] - value) < 1e-4)));
  const image = nifti.readImage(header, asNifti({ size: [2, 3, 4], steps: [1, 1, 1], affine }, "int16", values));
  assert.deepEqual([...new Int16Array(image)], [...values]);
});

test("a voxel of the reduced copy lies where its voxel of the volume lies", () => {
  const steps = [2, 3, 4];
  const affine = reducedAffine(MEDIUM, steps);
  for (const [k, j, i] of [[0, 0, 0], [2, 1, 1]]) {
    const there = affine.map((row) => row[0] * i + row[1] * j + row[2] * k + row[3]);
    const here = placeOf(MEDIUM, [0 + 2 * k, 1 + 3 * j, 1 + 4 * i]);
    there.forEach((value, axis) => assert.ok(Math.abs(value - here[axis]) < 1e-9));
  }
});

test("a place leads back to its voxel, with an affine and without", () => {
  for (const medium of [MEDIUM, { ...MEDIUM, affine: null }, { ...MEDIUM, affine: null, spacing_mm: null }]) {
    voxelOf(medium, placeOf(medium, [4, 2.5, 7])).forEach((value, axis) => assert.ok(Math.abs(value - [4, 2.5, 7][axis]) < 1e-9));
  }
});

test("what is no number becomes the lowest value", () => {
  const values = Float32Array.from([NaN, 3, -2, Infinity]);
  const buffer = asNifti({ size: [1, 2, 2], steps: [1, 1, 1], affine: reducedAffine(MEDIUM, [1, 1, 1]) }, "float32", values);
  assert.deepEqual([...new Float32Array(buffer, 352)], [-2, 3, -2, -2]);
});

test("a class is a number, a later one lies over an earlier, and nothing thin vanishes", () => {
  const state = createState({});
  const layers = new Layers(new Map([[0, MEDIUM.size]]), new Map());
  const stroke = (id, label, points, radius, mode = "add") => state.marks.set(id, {
    mark_id: id, is_undone: false, payload: { stroke_id: id, medium: 0, plane: "axial", index: 3, label, mode, tip: "round", points, radius },
  });
  stroke("a", "bone", [14, 14], 3);
  state.head_seq = 1;
  const before = contentOf(layers, state, 0, ["bone", "lesion"]);
  const whole = labelMap(layers, state, 0, ["bone", "lesion"], { size: [6, 8, 10], steps: [1, 1, 1], affine: [] });
  assert.deepEqual([...whole].flatMap((value, i) => (value ? [[i, value]] : [])), [[3 * 80 + 3 * 10 + 3, 1]]);
  const thin = labelMap(layers, state, 0, ["bone"], { size: [3, 3, 3], steps: [2, 3, 4], affine: [] });
  assert.deepEqual([...thin].flatMap((value, i) => (value ? [i] : [])), [1 * 9 + 1 * 3 + 0]);
  stroke("b", "lesion", [14, 14], 3);
  state.head_seq = 2;
  assert.notEqual(contentOf(layers, state, 0, ["bone", "lesion"]), before);
  assert.equal(labelMap(layers, state, 0, ["bone", "lesion"], { size: [6, 8, 10], steps: [1, 1, 1], affine: [] })[273], 2);
});
