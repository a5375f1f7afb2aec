// Which series hangs in which pane: by a protocol's rules, and by themselves.
//
// Planted and seen to fail: a series of another space hung beside the first; a rule that takes a series that hangs already.
import assert from "node:assert/strict";
import { test } from "node:test";
import { hungAlone, hungBy, nameOfSeries } from "../../static/js/lib/hanging.js";
import { areLinked, carried } from "../../static/js/lib/planes.js";

const affine = (side, z) => [[-side, 0, 0, 10], [0, -side, 0, 20], [0, 0, z, -30], [0, 0, 0, 1]];
const volume = (ordinal, description, more = {}) => ({
  ordinal, size: [10, 20, 30], affine: affine(1, 4), metadata: description ? { series_description: description, modality: "MR" } : { modality: "MR" }, ...more,
});
const FLAIR = volume(0, "AX FLAIR");
const T1 = volume(1, "T1 MPRAGE", { affine: affine(0.5, 1) });
const LATE = volume(2, "AX T1 POST");
const LOOSE = volume(3, "", { affine: null });
const PHOTO = { ordinal: 4, size: [1, 5, 5], affine: null, metadata: {} };
const short = (found) => found && [found.layout, ...found.hung.map(({ medium, plane }) => `${medium.ordinal}:${plane}`)];

test("a rule finds a series by a part of its name, its kind or its number, each once a plane", () => {
  const media = [FLAIR, T1, LATE, LOOSE, PHOTO];
  assert.deepEqual(short(hungBy({ layout: "two", panes: [{ series: "flair", plane: "axial" }, { series: "t1", plane: "axial" }] }, media)), ["two", "0:axial", "1:axial"]);
  assert.deepEqual(short(hungBy({ layout: "four", panes: [{ series: "#3", plane: "axial" }, { series: "mr 4", plane: "axial" }, { series: "t1", plane: "axial" }] }, media)), ["two", "2:axial", "1:axial"]);
  assert.deepEqual(short(hungBy({ layout: "two", panes: [{ series: "t1", plane: "axial" }, { series: "t1", plane: "axial" }] }, media)), ["two", "1:axial", "2:axial"]);
});

test("two series stand side by side or one above the other", () => {
  const panes = [{ series: "flair", plane: "axial" }, { series: "t1", plane: "axial" }];
  assert.deepEqual(short(hungBy({ layout: "stacked", panes }, [FLAIR, T1])), ["stacked", "0:axial", "1:axial"]);
  assert.deepEqual(hungAlone("stacked", FLAIR, "coronal", [FLAIR, T1]).map(({ medium, plane }) => `${medium.ordinal}:${plane}`), ["0:coronal", "1:coronal"]);
});

test("what fits nothing is left out, and nothing that fits leaves it to the editor", () => {
  assert.deepEqual(short(hungBy({ layout: "two", panes: [{ series: "dwi", plane: "axial" }, { series: "t1", plane: "coronal" }] }, [FLAIR, T1])), ["one", "1:coronal"]);
  assert.equal(hungBy({ layout: "two", panes: [{ series: "dwi", plane: "axial" }] }, [FLAIR, T1]), null);
  assert.equal(hungBy({ layout: "one", panes: [{ series: "#5", plane: "axial" }] }, [FLAIR, PHOTO]), null, "a photograph hangs in no pane");
  assert.equal(hungBy(null, [FLAIR]), null);
});

test("series of two spaces hang beside each other in no place", () => {
  const [here, there] = [volume(0, "AX FLAIR", { space: 0 }), volume(1, "AX T1", { space: 1 })];
  assert.deepEqual(short(hungBy({ layout: "two", panes: [{ series: "flair", plane: "axial" }, { series: "t1", plane: "axial" }] }, [here, there])), ["one", "0:axial"]);
  assert.equal(areLinked(here, { ...there, space: 0 }), true);
  assert.equal(areLinked(here, there), false);
});

test("by themselves two series stand in one plane, and one series on its planes", () => {
  const places = (...how) => hungAlone(...how).map(({ medium, plane }) => `${medium.ordinal}:${plane}`);
  assert.deepEqual(places("two", FLAIR, "coronal", [FLAIR, T1]), ["0:coronal", "1:coronal"]);
  assert.deepEqual(places("two", LOOSE, "axial", [FLAIR, LOOSE]).slice(0, 2), ["3:axial", "3:coronal"]);
  assert.deepEqual(places("four", T1, "sagittal", [FLAIR, T1]), ["1:axial", "1:coronal", "1:sagittal"]);
});

test("a place is carried from one grid to another by millimetres", () => {
  assert.deepEqual(carried(FLAIR, T1, [2, 3, 4]), [8, 6, 8]);
  assert.deepEqual(carried(T1, FLAIR, carried(FLAIR, T1, [2, 3, 4])), [2, 3, 4]);
});

test("a series is called by its description, else by its kind and number", () => {
  assert.deepEqual([FLAIR, LOOSE, PHOTO].map(nameOfSeries), ["AX FLAIR", "MR 4", "Picture 5"]);
});
