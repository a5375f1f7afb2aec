// A volume and its painted classes as the 3-D view takes them: NIfTI in memory, one number a class. Pure; no page, no library.
//
// A large volume comes reduced (catalog/overviews.py): voxel i of an axis of the copy is the volume's voxel
// floor((step - 1) / 2) + i * step. A class holds a voxel of the copy where it holds any voxel of the block that it stands
// for, so that what is thin does not vanish.

import { plainAffine } from "./planes.js";

const HEADER = 352;
/** NIfTI's number of a type and its bits. */
const CODES = { uint8: [2, 8], int16: [4, 16], uint16: [512, 16], float32: [16, 32] };
export const ARRAYS = { uint8: Uint8Array, int16: Int16Array, uint16: Uint16Array, float32: Float32Array };
/** More classes than a byte counts are not told apart. */
export const MOST_CLASSES = 255;

/** @typedef {{size: number[], steps: number[], affine: number[][]}} Reduced `size` [z, y, x] of the copy, `affine` of its (x, y, z) */

/**
 * Where the voxels of a reduced copy lie.
 * @param {{size: number[], affine: number[][] | null, spacing_mm: number[] | null}} medium of the volume itself
 * @param {number[]} steps [z, y, x]
 */
export function reducedAffine(medium, steps) {
  const affine = medium.affine ?? plainAffine(medium.spacing_mm ?? [1, 1, 1]);
  const by = [steps[2], steps[1], steps[0]];
  const first = by.map((step) => Math.floor((step - 1) / 2));
  return affine.slice(0, 3).map((row) => [
    row[0] * by[0], row[1] * by[1], row[2] * by[2], row[3] + row[0] * first[0] + row[1] * first[1] + row[2] * first[2],
  ]);
}

/**
 * A NIfTI-1 file in memory: x runs fastest, as in our rows.
 * @param {Reduced} reduced @param {string} dtype @param {ArrayLike<number> & {byteLength: number}} values
 * @returns {ArrayBuffer}
 */
export function asNifti({ size, affine }, dtype, values) {
  const buffer = new ArrayBuffer(HEADER + values.byteLength);
  const view = new DataView(buffer);
  const [code, bits] = CODES[dtype];
  view.setInt32(0, 348, true);
  [3, size[2], size[1], size[0], 1, 1, 1, 1].forEach((n, i) => view.setInt16(40 + 2 * i, n, true));
  view.setInt16(70, code, true);
  view.setInt16(72, bits, true);
  const sides = [0, 1, 2].map((axis) => Math.hypot(...affine.slice(0, 3).map((row) => row[axis])));
  [1, ...sides].forEach((side, i) => view.setFloat32(76 + 4 * i, side, true));
  view.setFloat32(108, HEADER, true);
  view.setFloat32(112, 1, true);
  // Millimetres.
  view.setUint8(123, 2);
  // The place of a voxel is said by the affine alone.
  view.setInt16(254, 1, true);
  affine.slice(0, 3).forEach((row, i) => row.forEach((value, j) => view.setFloat32(280 + 16 * i + 4 * j, value, true)));
  [0x6e, 0x2b, 0x31, 0].forEach((letter, i) => view.setUint8(344 + i, letter));
  new ARRAYS[dtype](buffer, HEADER).set(finite(values));
  return buffer;
}

/** What is no number would darken the whole picture. */
function finite(values) {
  if (!(values instanceof Float32Array) || values.every(Number.isFinite)) return values;
  let low = Infinity;
  for (const value of values) if (Number.isFinite(value) && value < low) low = value;
  return values.map((value) => (Number.isFinite(value) ? value : low === Infinity ? 0 : low));
}

/**
 * What is painted on a medium as one number a voxel: 0 is nothing, 1 the first of `labels`; a later class lies over an earlier.
 * @param {any} layers @param {any} state @param {number} medium @param {string[]} labels @param {Reduced} reduced
 * @returns {Uint8Array}
 */
export function labelMap(layers, state, medium, labels, { size, steps }) {
  const out = new Uint8Array(size[0] * size[1] * size[2]);
  labels.slice(0, MOST_CLASSES).forEach((label, place) => {
    for (const z of layers.touched(state, medium, label)) {
      const slice = layers.slice(state, medium, label, z);
      if (slice) mark(out, slice, Math.min(size[0] - 1, Math.floor(z / steps[0])), place + 1, size, steps);
    }
  });
  return out;
}

/** @param {Uint8Array} out @param {any} slice @param {number[]} size @param {number[]} steps */
function mark(out, { data, width, height }, z, value, size, steps) {
  const [[, rows, columns], [, stepY, stepX]] = [size, steps];
  for (let y = 0; y < height; y += 1) {
    const from = y * width;
    const to = (z * rows + Math.min(rows - 1, Math.floor(y / stepY))) * columns;
    for (let x = 0; x < width; x += 1) if (data[from + x]) out[to + Math.min(columns - 1, Math.floor(x / stepX))] = value;
  }
}

/** A text that changes when what is painted on a medium does. */
export function contentOf(layers, state, medium, labels) {
  return labels.map((label) => `${label}=${layers.touched(state, medium, label).map((z) => layers.slice(state, medium, label, z)?.id).join()}`).join(";");
}
