// The painted class in hand as pieces that algorithms can work on, and the answers of algorithms as changes. Reads only.
import { cropped, pieceOnPlane, without } from "../lib/piece.js";
import { extent } from "../lib/layers.js";

/** @typedef {import("../lib/piece.js").Piece} Piece */

/** What is painted of a class on a slice; the active pane's where none is named. @returns {Piece | null} */
export function paintedHere(desk, label = desk.label.key, index = desk.active.index, plane = desk.active.plane) {
  const { document: { state, layers }, medium } = desk;
  const section = layers.section(state, medium.ordinal, label, plane, index);
  return section && pieceOnPlane(plane, index, section);
}

/** What is painted of a class on all of the medium, in the smallest box around it. @returns {Piece | null} */
export function paintedAnywhere(desk, label = desk.label.key) {
  const { document: { state, layers }, medium } = desk;
  const slices = layers.occupied(state, medium.ordinal, label).map((z) => ({ z, plane: layers.slice(state, medium.ordinal, label, z) }));
  if (!slices.length) return null;
  const boxes = slices.map(({ plane }) => extent(plane));
  const [x0, y0] = [0, 1].map((side) => Math.min(...boxes.map((box) => box[side])));
  const [x1, y1] = [2, 3].map((side) => Math.max(...boxes.map((box) => box[side])));
  const origin = [slices[0].z, y0, x0];
  const size = [slices.at(-1).z + 1 - slices[0].z, y1 - y0, x1 - x0];
  const data = new Uint8Array(size[0] * size[1] * size[2]);
  for (const { z, plane } of slices) {
    for (let y = y0; y < y1; y += 1) {
      data.set(plane.data.subarray(y * plane.width + x0, y * plane.width + x1), ((z - origin[0]) * size[1] + y - y0) * size[2]);
    }
  }
  return { origin, size, data };
}

/** The same piece with empty voxels all around it, where `axes` says so; what works on edges needs room. @param {Piece} piece */
export function padded(piece, room, axes = [true, true, true]) {
  const pad = axes.map((isPadded) => (isPadded ? room : 0));
  const size = piece.size.map((side, axis) => side + 2 * pad[axis]);
  const data = new Uint8Array(size[0] * size[1] * size[2]);
  const [depth, rows, columns] = piece.size;
  for (let z = 0; z < depth; z += 1) {
    for (let y = 0; y < rows; y += 1) {
      const from = (z * rows + y) * columns;
      data.set(piece.data.subarray(from, from + columns), ((z + pad[0]) * size[1] + y + pad[1]) * size[2] + pad[2]);
    }
  }
  return { origin: piece.origin.map((at, axis) => at - pad[axis]), size, data };
}

/** A piece without what lies outside the medium. @param {Piece | null} piece @param {number[]} size of the medium */
export function inside(piece, size) {
  if (!piece) return null;
  const isIn = piece.origin.every((at, axis) => at >= 0 && at + piece.size[axis] <= size[axis]);
  if (isIn) return piece;
  const data = piece.data.slice();
  const [depth, rows, columns] = piece.size;
  for (let z = 0, i = 0; z < depth; z += 1) {
    for (let y = 0; y < rows; y += 1) {
      for (let x = 0; x < columns; x += 1, i += 1) {
        const at = [z + piece.origin[0], y + piece.origin[1], x + piece.origin[2]];
        if (at.some((place, axis) => place < 0 || place >= size[axis])) data[i] = 0;
      }
    }
  }
  return cropped({ ...piece, data });
}

/** Adding a piece to a class, as far as it is not there already. @returns {any[]} */
export function adding(label, piece, own) {
  const fresh = without(piece, own);
  return fresh ? [{ label, mode: "add", piece: fresh }] : [];
}

/** Making a class what a piece says. @param {Piece | null} wanted @param {Piece | null} own @returns {any[]} */
export function replacing(label, wanted, own) {
  const gone = without(own, wanted);
  return [...adding(label, wanted, own), ...(gone ? [{ label, mode: "erase", piece: gone }] : [])];
}

/** Whether a class can be painted and something is there to work on. */
export function said(desk, piece) {
  if (!desk.painted()) return false;
  if (piece) return true;
  desk.say(`Nothing of “${desk.label.name}” is painted here.`);
  return false;
}
