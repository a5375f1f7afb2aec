// Algorithms on masks and values: pieces, growing, holes, parts, distances, slices between, smoothing, superpixels, thresholds.
import assert from "node:assert/strict";
import { test } from "node:test";

import { distances, interpolated, signedDistances } from "../../static/js/lib/distance.js";
import { colourAt, farFrom, greyOf, otsu, rangeAround } from "../../static/js/lib/intensity.js";
import { both, countOf, cropped, has, packed, pieceOnPlane, sectionOf, union, without } from "../../static/js/lib/piece.js";
import { allButLargest, grown, holesOf, partAt, partsOf, smallParts } from "../../static/js/lib/regions.js";
import { gaussian, smoothed } from "../../static/js/lib/smooth.js";
import { superpixels } from "../../static/js/lib/superpixels.js";
import { paintStretched, paintStroke } from "../../static/js/lib/strokes.js";
import { atOnce, inTurns } from "../../static/js/lib/turns.js";

/** A plane from rows of text: # is set. */
function drawn(...rows) {
  const data = Uint8Array.from(rows.join(""), (sign) => (sign === "#" ? 1 : 0));
  return { data, width: rows[0].length, height: rows.length };
}

function shown({ data, width, height }) {
  return Array.from({ length: height }, (_, y) => [...data.subarray(y * width, (y + 1) * width)].map((value) => (value ? "#" : ".")).join(""));
}

const boxOf = (plane) => ({ size: [1, plane.height, plane.width], data: plane.data });
const noise = (seed) => () => {
  seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
  return (seed >>> 8) / 2 ** 24;
};

test("a piece is cut to what is set, at its place, on every plane", () => {
  const plane = drawn("....", ".##.", "....");
  assert.deepEqual(pieceOnPlane("axial", 7, plane), { origin: [7, 1, 1], size: [1, 1, 2], data: Uint8Array.of(1, 1) });
  assert.deepEqual(pieceOnPlane("coronal", 7, plane, [10, 20]).origin, [21, 7, 11]);
  assert.deepEqual(pieceOnPlane("sagittal", 7, plane).size, [1, 2, 1]);
  assert.equal(pieceOnPlane("axial", 0, drawn("...")), null);
  for (const name of ["axial", "coronal", "sagittal"]) {
    const section = sectionOf(pieceOnPlane(name, 7, plane), name, 7);
    assert.deepEqual([section.x, section.y, section.width, section.height, ...section.data], [1, 1, 2, 1, 1, 1]);
    assert.equal(sectionOf(pieceOnPlane(name, 7, plane), name, 6), null);
  }
});

test("pieces are joined, taken from each other and intersected where they lie", () => {
  const a = pieceOnPlane("axial", 0, drawn("##..", "##.."));
  const b = pieceOnPlane("axial", 0, drawn(".##.", "...."));
  assert.deepEqual(shown({ ...union([a, null, b]), width: 3, height: 2 }), ["###", "##."]);
  assert.equal(countOf(without(a, b)), 3);
  assert.deepEqual(both(a, b), { origin: [0, 0, 1], size: [1, 1, 1], data: Uint8Array.of(1) });
  const ring = pieceOnPlane("axial", 0, drawn("#.#", "#.#"));
  assert.deepEqual(shown({ ...without(pieceOnPlane("axial", 0, drawn("###", "###")), ring), width: 1, height: 2 }), ["#", "#"]);
  assert.equal(without(a, a), null);
  assert.equal(both(a, null), null);
  assert.equal(union([null]), null);
  assert.equal(has(a, [0, 1, 1]), true);
  assert.equal(has(a, [1, 1, 1]), false);
  const cube = { origin: [3, 4, 5], size: [2, 2, 2], data: Uint8Array.of(0, 0, 0, 1, 0, 0, 0, 0) };
  assert.deepEqual(cropped(cube), { origin: [3, 5, 6], size: [1, 1, 1], data: Uint8Array.of(1) });
});

test("bits are packed as the server unpacks them, also where they do not fill a byte", () => {
  assert.deepEqual([...packed({ origin: [0, 0, 0], size: [1, 2, 5], data: Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 1, 0, 1) })], [0b10000001, 0b01000000]);
});

test("growing follows like values, stops at the radius in millimetres and never leaves the box", () => {
  const far = Float32Array.from([0, 1, 9, 0, 1, 1, 9, 0, 1, 1, 1, 1]);
  const found = atOnce(grown({ size: [1, 3, 4], far }, [0, 0, 0], 1));
  assert.deepEqual([...found], [1, 1, 0, 1, 1, 1, 0, 1, 1, 1, 1, 1]);
  const flat = new Float32Array(5 * 5 * 5);
  const ball = atOnce(grown({ size: [5, 5, 5], far: flat }, [2, 2, 2], 0, 2, [2, 1, 1]));
  // Slices are 2 mm apart: one voxel up, two voxels across.
  const at = (z, y, x) => ball[(z * 5 + y) * 5 + x];
  assert.deepEqual([at(1, 2, 2), at(0, 2, 2), at(2, 2, 4), at(2, 1, 3), at(1, 2, 3)], [1, 0, 1, 1, 0]);
  assert.equal(atOnce(grown({ size: [1, 1, 1], far: Float32Array.of(99) }, [0, 0, 0], 0))[0], 1, "the seed is in");
  const walled = atOnce(grown({ size: [1, 1, 3], far: Float32Array.of(0, Infinity, 0) }, [0, 0, 0], 1e9));
  assert.deepEqual([...walled], [1, 0, 0]);
});

test("holes are what cannot reach the border; a notch and a diagonal gap are told apart", () => {
  assert.deepEqual(shown({ ...drawn("....."), data: holesOf(drawn("#####", "#.#.#", "#####")), height: 3 }), [".....", ".#.#.", "....."]);
  for (const notch of [["###", "#..", "###"], ["###", "..#", "###"], ["#.#", "#.#", "###"], ["###", "#.#", "#.#"]]) {
    assert.equal(holesOf(drawn(...notch)).includes(1), false, notch.join("/"));
  }
  assert.equal(holesOf(drawn(".##", "#.#", "###")).includes(1), true, "corners that touch close a hole: neighbours share a face");
  assert.equal(holesOf(drawn("...")).includes(1), false);
  assert.equal(holesOf(drawn("###", "###")).includes(1), false);
});

test("parts are told apart by faces, the largest stays, small ones go", () => {
  const plane = drawn("##..#", "##...", "....#", "...#.");
  assert.deepEqual(atOnce(partsOf(boxOf(plane))).sizes, [4, 1, 1, 1]);
  assert.deepEqual(shown({ ...plane, data: atOnce(allButLargest(boxOf(plane))) }), ["....#", ".....", "....#", "...#."]);
  assert.deepEqual([...atOnce(allButLargest(boxOf(drawn("#.##.#"))))], [1, 0, 0, 0, 0, 1]);
  assert.equal(atOnce(smallParts(boxOf(plane), 2)).reduce((sum, value) => sum + value, 0), 3);
  assert.equal(atOnce(smallParts(boxOf(plane), 1)).includes(1), false);
  assert.deepEqual(shown({ ...plane, data: atOnce(partAt(boxOf(plane), [0, 0, 4])) })[0], "....#");
  assert.equal(atOnce(partAt(boxOf(plane), [0, 3, 0])).includes(1), false);
  assert.equal(atOnce(allButLargest(boxOf(drawn("..")))).includes(1), false);
  const stacked = { size: [3, 1, 1], data: Uint8Array.of(1, 0, 1) };
  assert.deepEqual(atOnce(partsOf(stacked)).sizes, [1, 1]);
  const equal = atOnce(allButLargest(boxOf(drawn("#.#"))));
  assert.deepEqual([...equal], [0, 0, 1]);
});

test("distances are those of a slow search, with uneven spacing", () => {
  const random = noise(5);
  for (const spacing of [[1, 1], [2.5, 0.4]]) {
    const plane = { data: Uint8Array.from({ length: 9 * 13 }, () => (random() < 0.06 ? 1 : 0)), width: 13, height: 9 };
    const found = distances(plane, spacing);
    for (let i = 0; i < plane.data.length; i += 1) {
      let nearest = Infinity;
      for (let j = 0; j < plane.data.length; j += 1) {
        if (!plane.data[j]) continue;
        const [dy, dx] = [Math.floor(i / 13) - Math.floor(j / 13), (i % 13) - (j % 13)];
        nearest = Math.min(nearest, Math.hypot(dy * spacing[0], dx * spacing[1]));
      }
      assert.ok(Math.abs(found[i] - nearest) < 1e-6, `${i}: ${found[i]} ${nearest}`);
    }
  }
  assert.equal(distances(drawn("...")).every((value) => value === Infinity), true);
  assert.ok(signedDistances(drawn(".#."))[1] < 0);
});

test("between two discs lies a disc of the size between; equal slices give equal ones", () => {
  const disc = (radius, cx = 20) => {
    const data = Uint8Array.from({ length: 40 * 40 }, (_, i) => (Math.hypot((i % 40) - cx, Math.floor(i / 40) - 20) <= radius ? 1 : 0));
    return { data, width: 40, height: 40 };
  };
  const [middle] = atOnce(interpolated(disc(4), disc(10), 1));
  const area = middle.reduce((sum, value) => sum + value, 0);
  assert.ok(Math.abs(area - Math.PI * 49) < 20, String(area));
  assert.deepEqual(atOnce(interpolated(disc(6), disc(6), 2))[1], disc(6).data);
  assert.deepEqual(atOnce(interpolated(disc(6), disc(6), 0)), []);
  const apart = atOnce(interpolated(disc(4, 8), disc(4, 32), 1))[0];
  const xs = [...apart.keys()].filter((i) => apart[i]).map((i) => i % 40);
  assert.ok(Math.abs(xs.reduce((sum, x) => sum + x, 0) / xs.length - 20) < 0.6, "what does not overlap wanders");
  const one = drawn(".....", "..#..", ".....");
  assert.equal(atOnce(interpolated(one, one, 1))[0].reduce((sum, value) => sum + value, 0), 1, "a single voxel survives");
});

test("smoothing leaves a straight edge, fills a notch, drops a speck, and knows uneven spacing", () => {
  const half = { size: [1, 12, 12], data: Uint8Array.from({ length: 144 }, (_, i) => (i % 12 < 6 ? 1 : 0)) };
  assert.deepEqual(atOnce(smoothed(half, 1.5)), half.data);
  const notched = { ...half, data: half.data.slice() };
  notched.data[6 * 12 + 3] = 0;
  notched.data[6 * 12 + 9] = 1;
  assert.deepEqual(atOnce(smoothed(notched, 1)), half.data);
  assert.equal(atOnce(smoothed({ size: [1, 3, 3], data: new Uint8Array(9) }, 1)).includes(1), false);
  const pillar = { size: [5, 1, 1], data: Uint8Array.of(0, 0, 1, 0, 0) };
  assert.equal(atOnce(smoothed(pillar, 1.5, [5, 1, 1]))[2], 1, "a slice of 5 mm is not blurred away by 1.5 mm");
  assert.equal(atOnce(smoothed(pillar, 1.5, [1, 1, 1])).includes(1), false);
  assert.ok(Math.abs(gaussian(1.3).reduce((sum, weight) => sum + weight, 0) - 1) < 1e-12);
});

test("superpixels cover the picture, hang together, and do not cross a strong edge", () => {
  const [width, height] = [64, 48];
  const random = noise(9);
  const values = Float32Array.from({ length: width * height }, (_, i) => (i % width < 31 ? 40 : 200) + 6 * random());
  const { labels, count } = atOnce(superpixels({ values, channels: 1, width, height }, 8));
  assert.ok(count > 20 && count < 90, String(count));
  const sides = new Map();
  labels.forEach((label, i) => {
    assert.ok(label >= 0 && label < count);
    const side = sides.get(label) ?? [0, 0];
    side[i % width < 31 ? 0 : 1] += 1;
    sides.set(label, side);
  });
  const mixed = [...sides.values()].reduce((sum, [left, right]) => sum + Math.min(left, right), 0);
  assert.ok(mixed < 0.01 * width * height, `${mixed} pixels on the wrong side`);
  for (const label of sides.keys()) {
    const data = Uint8Array.from(labels, (other) => (other === label ? 1 : 0));
    assert.equal(atOnce(partsOf({ size: [1, height, width], data })).sizes.length, 1, `patch ${label} is in pieces`);
  }
  const noisy = { values: Float32Array.from({ length: width * height }, () => 255 * random()), channels: 1, width, height };
  const amounts = new Map();
  for (const label of atOnce(superpixels(noisy, 8)).labels) amounts.set(label, (amounts.get(label) ?? 0) + 1);
  assert.ok(Math.min(...amounts.values()) >= 16, "a stray part joins the patch beside it");
  assert.equal(atOnce(superpixels({ values: Float32Array.of(3), channels: 1, width: 1, height: 1 }, 16)).count, 1);
  assert.equal(atOnce(superpixels({ values: new Float32Array(3 * 5), channels: 3, width: 5, height: 1 }, 30)).labels.every((label) => label === 0), true);
});

test("values around a place: means at the border, ranges, no numbers", () => {
  const slice = { values: Float32Array.of(1, 2, 3, NaN), channels: 1, width: 2, height: 2 };
  assert.deepEqual(colourAt(slice, 0, 0), [2]);
  assert.deepEqual([...farFrom(slice, [2])], [1, 0, 1, Infinity]);
  const [low, high] = rangeAround({ values: Float32Array.of(4, 4, 4, 4), channels: 1, width: 2, height: 2 }, 0, 0);
  assert.deepEqual([low, high], [4, 4]);
  const red = { values: Uint8Array.of(255, 0, 0, 0, 255, 0), channels: 3, width: 2, height: 1 };
  assert.deepEqual([...greyOf(red)].map(Math.round), [76, 150]);
  assert.deepEqual([...farFrom(red, [255, 0, 0])], [0, 255]);
});

test("Otsu's level parts two kinds, and there is none where all is alike", () => {
  const random = noise(3);
  const values = Float32Array.from({ length: 4000 }, (_, i) => (i % 4 ? 20 : 120) + 20 * random());
  const level = otsu(values);
  assert.ok(level > 40 && level < 120, String(level));
  assert.equal(Number.isNaN(otsu([5, 5, 5])), true);
  assert.equal(Number.isNaN(otsu([])), true);
  assert.equal(Number.isNaN(otsu([NaN, 3])), true);
  assert.ok(otsu([-1000, -1000, 60]) <= 60 && otsu([-1000, -1000, 60]) > -1000);
});

test("long work gives the page its turn, and ends when it is not wanted any more", async () => {
  function* long() {
    for (let i = 0; i < 50; i += 1) {
      const until = performance.now() + 2;
      while (performance.now() < until);
      yield;
    }
    return "done";
  }
  let turns = 0;
  const timer = setInterval(() => (turns += 1), 1);
  assert.equal(await inTurns(long()), "done");
  clearInterval(timer);
  assert.ok(turns >= 3, `the page had ${turns} turns`);
  let asked = 0;
  assert.equal(await inTurns(long(), () => (asked += 1) < 2), null);
});

test("a round tip is round in millimetres where rows are taller or lower than columns, and the same where they are alike", () => {
  const across = (tall) => {
    const plane = { data: new Uint8Array(40 * 160), width: 40, height: 160 };
    paintStretched(plane, [80, 320], 48, tall, 1);
    const rows = Array.from({ length: 160 }, (_, y) => plane.data.subarray(40 * y, 40 * y + 40).reduce((sum, value) => sum + value, 0));
    return [Math.max(...rows), rows.filter(Boolean).length];
  };
  assert.deepEqual([across(4), across(2), across(1), across(0.25)], [[24, 6], [24, 12], [24, 24], [24, 95]]);
  const [stretched, plain] = [paintStretched, (plane, points, radius, _, value) => paintStroke(plane, points, radius, "round", value)].map((paint) => {
    const plane = { data: new Uint8Array(1600), width: 40, height: 40 };
    paint(plane, [30, 41, 77, 96, 140, 20], 19, 1, 1);
    return plane.data;
  });
  assert.deepEqual(stretched, plain);
});
