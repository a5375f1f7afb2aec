// A piece of a mask: a box of voxels somewhere in a medium, one byte (0 or 1) a voxel, rows first. Pure; nothing is changed in place.
import { axesOf, sidesOf, voxelAt } from "./planes.js";

/**
 * @typedef {{origin: number[], size: number[], data: Uint8Array}} Piece origin and size are [z, y, x]
 * @typedef {import("./planes.js").PlaneName} PlaneName
 */

/** How many voxels are set. @param {Piece} piece */
export function countOf(piece) {
  let n = 0;
  for (let i = 0; i < piece.data.length; i += 1) n += piece.data[i];
  return n;
}

/** The piece cut to what is set; null where nothing is. @param {Piece} piece @returns {Piece | null} */
export function cropped(piece) {
  const [depth, rows, columns] = piece.size;
  let [z0, y0, x0, z1, y1, x1] = [depth, rows, columns, 0, 0, 0];
  for (let z = 0, i = 0; z < depth; z += 1) {
    for (let y = 0; y < rows; y += 1) {
      for (let x = 0; x < columns; x += 1, i += 1) {
        if (!piece.data[i]) continue;
        if (z < z0) z0 = z;
        if (y < y0) y0 = y;
        if (x < x0) x0 = x;
        if (z >= z1) z1 = z + 1;
        if (y >= y1) y1 = y + 1;
        if (x >= x1) x1 = x + 1;
      }
    }
  }
  return z1 ? boxOf(piece, [z0, y0, x0], [z1, y1, x1]) : null;
}

/** The voxels of a piece between two corners (ends excluded) of its own grid. @param {Piece} piece @returns {Piece} */
function boxOf(piece, [z0, y0, x0], [z1, y1, x1]) {
  const size = [z1 - z0, y1 - y0, x1 - x0];
  const data = new Uint8Array(size[0] * size[1] * size[2]);
  for (let z = 0; z < size[0]; z += 1) {
    for (let y = 0; y < size[1]; y += 1) {
      const from = ((z + z0) * piece.size[1] + y + y0) * piece.size[2] + x0;
      data.set(piece.data.subarray(from, from + size[2]), (z * size[1] + y) * size[2]);
    }
  }
  return { origin: [piece.origin[0] + z0, piece.origin[1] + y0, piece.origin[2] + x0], size, data };
}

/**
 * A plane of bytes as a piece, cut to what is set; null where nothing is. Rows of every plane come in the order of the voxels.
 * @param {PlaneName} plane @param {number} index
 * @param {{data: Uint8Array, width: number, height: number}} bytes
 * @param {[number, number]} [corner] the column and row of the slice where the bytes begin
 */
export function pieceOnPlane(plane, index, { data, width, height }, [x, y] = [0, 0]) {
  return cropped({ origin: voxelAt(plane, x, y, index), size: voxelAt(plane, width, height, 1), data });
}

/**
 * What a piece shows on a slice: bytes with the column and row where they begin; null where it does not reach the slice.
 * @param {Piece} piece @param {PlaneName} plane @param {number} index
 */
export function sectionOf(piece, plane, index) {
  const { columns: width, rows: height, count } = sidesOf(plane, piece.size);
  const { columns: x, rows: y, count: first } = sidesOf(plane, piece.origin);
  const at = index - first;
  if (at < 0 || at >= count) return null;
  const strides = [piece.size[1] * piece.size[2], piece.size[2], 1];
  const { across, down, along } = axesOf(plane);
  const data = new Uint8Array(width * height);
  for (let v = 0, i = 0; v < height; v += 1) {
    let from = at * strides[along] + v * strides[down];
    for (let u = 0; u < width; u += 1, i += 1, from += strides[across]) data[i] = piece.data[from];
  }
  return { data, width, height, x, y };
}

/** All that is set in any of the pieces, as one; null for nothing. @param {(Piece | null)[]} pieces @returns {Piece | null} */
export function union(pieces) {
  const given = /** @type {Piece[]} */ (pieces.filter(Boolean));
  if (given.length < 2) return given[0] ?? null;
  const origin = [0, 1, 2].map((axis) => Math.min(...given.map((piece) => piece.origin[axis])));
  const end = [0, 1, 2].map((axis) => Math.max(...given.map((piece) => piece.origin[axis] + piece.size[axis])));
  const size = end.map((at, axis) => at - origin[axis]);
  const whole = { origin, size, data: new Uint8Array(size[0] * size[1] * size[2]) };
  for (const piece of given) {
    each(piece, whole, (i, j) => {
      if (piece.data[i]) whole.data[j] = 1;
    });
  }
  return whole;
}

/** What is set in a and not in b, cut; null where nothing is left. @param {Piece | null} a @param {Piece | null} b */
export function without(a, b) {
  if (!a || !b) return a;
  const left = { ...a, data: a.data.slice() };
  each(b, left, (i, j) => {
    if (b.data[i]) left.data[j] = 0;
  });
  return cropped(left);
}

/** What is set in both. @param {Piece | null} a @param {Piece | null} b */
export function both(a, b) {
  if (!a || !b) return null;
  const common = { ...a, data: new Uint8Array(a.data.length) };
  each(b, common, (i, j) => {
    common.data[j] = a.data[j] & b.data[i];
  });
  return cropped(common);
}

/** Whether a voxel [z, y, x] of the medium is set. @param {Piece} piece */
export function has(piece, voxel) {
  const [z, y, x] = voxel.map((at, axis) => at - piece.origin[axis]);
  if ([z, y, x].some((at, axis) => at < 0 || at >= piece.size[axis])) return false;
  return piece.data[(z * piece.size[1] + y) * piece.size[2] + x] === 1;
}

/** The piece that a mask of the server is, placed at its origin. @param {{bits: Uint8Array, size: number[]}} mask @returns {Piece} */
export function unpacked({ bits, size }, origin) {
  const data = new Uint8Array(size[0] * size[1] * size[2]);
  for (let i = 0; i < data.length; i += 1) if (bits[i >> 3] & (0x80 >> (i & 7))) data[i] = 1;
  return { origin, size, data };
}

/** The bits as the server takes them: one a voxel, rows first, the first in the highest bit. @param {Piece} piece */
export function packed(piece) {
  const bits = new Uint8Array(Math.ceil(piece.data.length / 8));
  for (let i = 0; i < piece.data.length; i += 1) if (piece.data[i]) bits[i >> 3] |= 0x80 >> (i & 7);
  return bits;
}

/** Visit the voxels of `from` that lie in `to`, with their places in both. */
function each(from, to, visit) {
  const low = from.origin.map((at, axis) => Math.max(at, to.origin[axis]));
  const high = from.origin.map((at, axis) => Math.min(at + from.size[axis], to.origin[axis] + to.size[axis]));
  for (let z = low[0]; z < high[0]; z += 1) {
    for (let y = low[1]; y < high[1]; y += 1) {
      let i = ((z - from.origin[0]) * from.size[1] + y - from.origin[1]) * from.size[2] + low[2] - from.origin[2];
      let j = ((z - to.origin[0]) * to.size[1] + y - to.origin[1]) * to.size[2] + low[2] - to.origin[2];
      for (let x = low[2]; x < high[2]; x += 1, i += 1, j += 1) visit(i, j);
    }
  }
}
