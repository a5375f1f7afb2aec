// What is pointed at, as lists, as the server takes it, and the region that is looked at.
//
// Planted and seen to fail: a second box beside the first; a later press on the same voxel that did not count; a region that left out
// a hint; one beyond the image.
import assert from "node:assert/strict";
import { test } from "node:test";

import { bodyOf, boxBetween, isEnough, MOST_IN_VOLUME, MOST_ON_SLICE, MOST_VOXELS, regionOf, withHint } from "../../static/js/lib/hints.js";

const press = (isInside, ...voxel) => ({ kind: "press", isInside, voxel });
const medium = { size: [40, 300, 200], spacing_mm: [3, 1, 1] };

test("hints are gathered, and the server gets them by kind", () => {
  let hints = [];
  for (const hint of [press(true, 1, 2, 3), press(false, 1, 9, 9), { kind: "stroke", isInside: true, voxels: [[1, 4, 4], [1, 5, 6]] }]) hints = withHint(hints, hint);
  assert.deepEqual(bodyOf(hints), { positive: [[1, 2, 3]], negative: [[1, 9, 9]], strokes: [{ is_inside: true, points: [[1, 4, 4], [1, 5, 6]] }], box: null, extreme: [] });
});

test("on one voxel the later press counts, and a new box takes the place of the old one", () => {
  const turned = withHint(withHint([], press(true, 1, 2, 3)), press(false, 1, 2, 3));
  assert.deepEqual(bodyOf(turned).negative, [[1, 2, 3]]);
  assert.deepEqual(bodyOf(turned).positive, []);
  const box = (at) => ({ kind: "box", origin: [0, at, at], size: [1, 5, 5] });
  assert.equal(withHint(withHint([], box(1)), box(2)).length, 1);
});

test("it is enough once something is inside", () => {
  assert.equal(isEnough([]), false);
  assert.equal(isEnough([press(false, 0, 1, 1)]), false);
  assert.equal(isEnough([press(false, 0, 1, 1), press(true, 0, 1, 2)]), true);
  assert.equal(isEnough([{ kind: "box", origin: [0, 0, 0], size: [1, 2, 2] }]), true);
  const extremes = [1, 2, 3].map((at) => ({ kind: "extreme", voxel: [0, at, at] }));
  assert.equal(isEnough(extremes.slice(0, 2)), false);
  assert.equal(isEnough(extremes), true);
  assert.deepEqual(bodyOf(extremes.slice(0, 2)).extreme, []);
});

test("a box on each plane has its corners there, and in a volume its depth in millimetres", () => {
  assert.deepEqual(boxBetween("axial", 20, [50, 80], [30, 60], medium, false), { kind: "box", origin: [20, 60, 30], size: [1, 20, 20] });
  // 20 mm on the mean: 10 mm to either side are three slices of 3 mm.
  assert.deepEqual(boxBetween("axial", 20, [30, 60], [50, 80], medium, true), { kind: "box", origin: [17, 60, 30], size: [7, 20, 20] });
  assert.deepEqual(boxBetween("coronal", 60, [30, 10], [50, 20], medium, false), { kind: "box", origin: [10, 60, 30], size: [10, 1, 20] });
  assert.deepEqual(boxBetween("axial", 0, [30, 60], [50, 80], medium, true)?.origin, [0, 60, 30]);
  assert.equal(boxBetween("axial", 20, [30, 60], [31, 80], medium, false), null);
});

test("on a slice what is seen is looked at, with all that was pointed at", () => {
  const slice = { plane: "axial", index: 5, seen: [10.5, 20.2, 90, 120] };
  assert.deepEqual(regionOf([press(true, 5, 60, 50)], medium.size, slice), { origin: [5, 20, 10], size: [1, 100, 80] });
  const beside = regionOf([press(true, 5, 60, 50), press(false, 5, 250, 150)], medium.size, slice);
  assert.deepEqual(beside, { origin: [5, 20, 10], size: [1, 247, 157] });
  const coronal = regionOf([press(true, 5, 60, 50)], medium.size, { plane: "coronal", index: 60, seen: [-40, -3, 400, 90] });
  assert.deepEqual(coronal, { origin: [0, 60, 0], size: [40, 1, 200] });
});

test("of a large picture a part is looked at, around what was pointed at", () => {
  const region = regionOf([press(true, 0, 4000, 100)], [1, 9000, 8000], { plane: "axial", index: 0, seen: [0, 0, 8000, 9000] });
  assert.deepEqual(region, { origin: [0, 3488, 0], size: [1, MOST_ON_SLICE, MOST_ON_SLICE] });
});

test("in a volume a cube is looked at, inside of it and around all that was pointed at", () => {
  const region = regionOf([press(true, 39, 10, 150)], medium.size, null);
  assert.deepEqual(region.size, [40, MOST_IN_VOLUME, MOST_IN_VOLUME]);
  assert.deepEqual(region.origin, [0, 0, 72]);
  const far = regionOf([press(true, 20, 20, 20), press(false, 20, 280, 180)], medium.size, null);
  assert.deepEqual(far, { origin: [0, 4, 4], size: [40, 293, 193] });
  assert.equal(regionOf([press(true, 0, 0, 0), press(true, 199, 899, 899)], [200, 900, 900], null), null);
});

test("whatever is pointed at, the region holds it and lies in the image", () => {
  let seed = 7;
  const random = (below) => (seed = (seed * 48271) % 2147483647) % below;
  for (let i = 0; i < 300; i += 1) {
    const size = [1 + random(60), 1 + random(400), 1 + random(400)];
    const hints = Array.from({ length: 1 + random(4) }, () => press(true, ...size.map((side) => random(side))));
    const plane = ["axial", "coronal", "sagittal"][random(3)];
    const axis = { axial: 0, coronal: 1, sagittal: 2 }[plane];
    const isDeep = random(2) === 1;
    if (!isDeep) for (const hint of hints) hint.voxel[axis] = hints[0].voxel[axis];
    const seen = [random(500) - 50, random(500) - 50, random(500), random(500)];
    const region = regionOf(hints, size, isDeep ? null : { plane, index: hints[0].voxel[axis], seen });
    if (!region) continue;
    for (const [at, side] of region.size.entries()) {
      assert.ok(side >= 1 && region.origin[at] >= 0 && region.origin[at] + side <= size[at]);
      for (const { voxel } of hints) assert.ok(voxel[at] >= region.origin[at] && voxel[at] < region.origin[at] + side);
    }
    assert.ok(region.size.reduce((product, side) => product * side, 1) <= MOST_VOXELS);
  }
});
