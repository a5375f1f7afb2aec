// The three planes of a volume: how a place on a slice and a voxel [z, y, x] lead to each other, and which side is which.
//
// Axial slices are [y, x], coronal [z, x], sagittal [z, y], as the server sends them. The affine takes (x, y, z) to RAS+
// millimetres. Not here: drawing.
import { outline } from "./geometry.js";

/** @typedef {"axial"|"coronal"|"sagittal"} PlaneName */

/** @type {PlaneName[]} */
export const PLANES = ["axial", "coronal", "sagittal"];

/** Places in [z, y, x] of a slice's columns, its rows and its number. @type {Record<PlaneName, [number, number, number]>} */
const AXES = { axial: [2, 1, 0], coronal: [2, 0, 1], sagittal: [1, 0, 2] };

/** @param {PlaneName} plane */
export function axesOf(plane) {
  const [across, down, along] = AXES[plane];
  return { across, down, along };
}

/** The grid of one slice and how many there are. @param {PlaneName} plane @param {number[]} size [z, y, x] */
export function sidesOf(plane, size) {
  const { across, down, along } = axesOf(plane);
  return { columns: size[across], rows: size[down], count: size[along] };
}

/** @param {PlaneName} plane @returns {[number, number, number]} [z, y, x] */
export function voxelAt(plane, x, y, index) {
  const { across, down, along } = axesOf(plane);
  /** @type {[number, number, number]} */
  const voxel = [0, 0, 0];
  voxel[across] = x;
  voxel[down] = y;
  voxel[along] = index;
  return voxel;
}

/** The column and row of a voxel on its slice. @param {PlaneName} plane @param {number[]} voxel [z, y, x] @returns {[number, number]} */
export function placeIn(plane, voxel) {
  const { across, down } = axesOf(plane);
  return [voxel[across], voxel[down]];
}

/** Millimetres a column and a row, or null where the spacing is not known. @returns {[number, number] | null} */
export function spacingIn(plane, spacing_mm) {
  const { across, down } = axesOf(plane);
  return spacing_mm ? [spacing_mm[across], spacing_mm[down]] : null;
}

/** The place in the patient (right, anterior, superior) of the centre of a voxel [z, y, x], in mm. */
export function patientPlace(affine, [z, y, x]) {
  return affine.slice(0, 3).map((row) => row[0] * x + row[1] * y + row[2] * z + row[3]);
}

/**
 * The letters of the direction in which a voxel axis runs: the chief one, a second where the axis is oblique.
 * @param {number[][] | null} affine @param {number} axis place in [z, y, x] @param {1|-1} sign
 */
export function lettersOf(affine, axis, sign = 1) {
  if (!affine) return "";
  const direction = affine.slice(0, 3).map((row) => sign * row[2 - axis]);
  const length = Math.hypot(...direction);
  if (!length) return "";
  const names = [["R", "L"], ["A", "P"], ["S", "I"]];
  return direction
    .map((value, i) => ({ share: Math.abs(value) / length, letter: names[i][value < 0 ? 1 : 0] }))
    .filter(({ share }) => share > 0.35)
    .sort((a, b) => b.share - a.share)
    .slice(0, 2)
    .map(({ letter }) => letter)
    .join("");
}

/** Whether a slice is shown mirrored so that the patient's right or front is at the left and head or front is up. */
export function uprightOf(plane, affine) {
  const { across, down } = axesOf(plane);
  return {
    flipX: ["R", "A"].includes(lettersOf(affine, across)[0]),
    flipY: ["S", "A"].includes(lettersOf(affine, down)[0]),
  };
}

/**
 * Where an outline of an axial slice crosses a coronal or sagittal one: stretches [from, to] along the slice's columns, in
 * its row z. A line or a point gives stretches of no length.
 * @param {any} region @param {PlaneName} plane @param {number} index @returns {[number, number][]}
 */
export function crossings(region, plane, index) {
  const level = index + 0.5;
  const turned = outline(region).map(([x, y]) => (plane === "coronal" ? [x, y] : [y, x]));
  if (region.kind === "points") return turned.filter(([, v]) => Math.floor(v) === index).map(([u]) => [u, u]);
  const isClosed = region.kind !== "polyline";
  const places = [];
  for (let i = 0; i + (isClosed ? 0 : 1) < turned.length; i += 1) {
    const [[au, av], [bu, bv]] = [turned[i], turned[(i + 1) % turned.length]];
    if (av > level !== bv > level) places.push(au + ((level - av) * (bu - au)) / (bv - av));
  }
  places.sort((a, b) => a - b);
  if (!isClosed) return places.map((u) => [u, u]);
  /** @type {[number, number][]} */
  const stretches = [];
  for (let i = 0; i + 1 < places.length; i += 2) stretches.push([places[i], places[i + 1]]);
  return stretches;
}

/** A grid whose place in the patient is not known, as it is seen on our planes: the first row at the top. */
export function plainAffine(/** @type {number[]} */ [z, y, x]) {
  return [[-x, 0, 0, 0], [0, -y, 0, 0], [0, 0, z, 0], [0, 0, 0, 1]];
}

/** The voxel [z, y, x] of a place in the patient, in the medium's own grid; not rounded. @param {any} medium @param {number[]} place mm */
export function voxelOf(medium, place) {
  const affine = medium.affine ?? plainAffine(medium.spacing_mm ?? [1, 1, 1]);
  const [a, b, c] = affine.map((row) => row.slice(0, 3));
  const [u, v, w] = [0, 1, 2].map((i) => place[i] - affine[i][3]);
  const det = a[0] * (b[1] * c[2] - b[2] * c[1]) - a[1] * (b[0] * c[2] - b[2] * c[0]) + a[2] * (b[0] * c[1] - b[1] * c[0]);
  const x = (u * (b[1] * c[2] - b[2] * c[1]) - a[1] * (v * c[2] - b[2] * w) + a[2] * (v * c[1] - b[1] * w)) / det;
  const y = (a[0] * (v * c[2] - b[2] * w) - u * (b[0] * c[2] - b[2] * c[0]) + a[2] * (b[0] * w - v * c[0])) / det;
  const z = (a[0] * (b[1] * w - v * c[1]) - a[1] * (b[0] * w - v * c[0]) + u * (b[0] * c[1] - b[1] * c[0])) / det;
  return [z, y, x];
}

/** The place in mm of a voxel [z, y, x], also where the medium's own place is not known. @param {any} medium @param {number[]} voxel */
export function placeOf(medium, voxel) {
  const [z, y, x] = voxel;
  const affine = medium.affine ?? plainAffine(medium.spacing_mm ?? [1, 1, 1]);
  return affine.slice(0, 3).map((row) => row[0] * x + row[1] * y + row[2] * z + row[3]);
}

/** Whether two media lie in one space of the patient, so that a place in one is a place in the other. `space`: which, as the server says. */
export function areLinked(one, other) {
  return one === other || Boolean(one.affine && other.affine && one.size[0] > 1 && other.size[0] > 1 && one.space === other.space);
}

/** The voxel of one medium at the place of another's; not rounded, and it may lie outside. @returns {number[]} [z, y, x] */
export function carried(from, to, voxel) {
  return from === to ? voxel : voxelOf(to, placeOf(from, voxel));
}
