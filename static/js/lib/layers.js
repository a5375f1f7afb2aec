// The painted layers of a document, slice by slice: strokes, patches and the masks it began with, in order.
//
// A slice is painted when it is asked for and kept; a further stroke at the end is added to what is kept, anything else
// (an undo in the middle) paints the slice anew. Not here: colours (canvas/paint.js), which strokes count (fold.js).
import { paintStroke, strokeBounds } from "./strokes.js";

/**
 * A mask as it comes from the server: one bit a voxel, rows first.
 * @typedef {{size: number[], bits: Uint8Array}} Mask
 * @typedef {import("./strokes.js").Plane} Plane
 * @typedef {import("./fold.js").State} State
 */

export class Layers {
  /**
   * @param {Map<number, number[]>} sizes the grid [z, y, x] of each medium
   * @param {Map<string, Mask>} masks what base layers and patches name
   */
  constructor(sizes, masks) {
    this.sizes = sizes;
    this.masks = masks;
    /** @type {Map<string, {ids: string[], plane: Plane}>} */
    this.kept = new Map();
  }

  /** The classes that have a stroke, patch or mask on a medium. @param {State} state @returns {string[]} */
  labels(state, medium) {
    const parts = [...state.layers, ...[...state.marks.values()].filter((mark) => !mark.is_undone).map((m) => m.payload)];
    return [...new Set(parts.filter((part) => part.medium === medium).map((part) => part.label))];
  }

  /**
   * The slice of a class, or null where nothing ever touched it. `id` changes when the content does.
   * @param {State} state
   * @returns {(Plane & {id: string}) | null}
   */
  slice(state, medium, label, z) {
    const parts = partsOf(state, medium, label).filter(({ part }) => this.touches(part, z));
    const place = `${medium}:${z}:${label}`;
    if (!parts.length) {
      this.kept.delete(place);
      return null;
    }
    const ids = parts.map(({ id }) => id);
    const kept = this.kept.get(place);
    const isLonger = kept && kept.ids.length <= ids.length && kept.ids.every((id, i) => id === ids[i]);
    const [, height, width] = this.sizes.get(medium);
    const plane = isLonger ? kept.plane : { data: new Uint8Array(width * height), width, height };
    for (const { part } of parts.slice(isLonger ? kept.ids.length : 0)) this.paint(plane, part, z);
    this.kept.set(place, { ids, plane });
    return { ...plane, id: `${place}:${ids.length}:${ids.at(-1)}:${isLonger ? kept.ids[0] : ids[0]}` };
  }

  /** The slices that hold anything of a class, ascending. @param {State} state @returns {number[]} */
  occupied(state, medium, label) {
    const [depth] = this.sizes.get(medium);
    const touched = new Set();
    for (const { part } of partsOf(state, medium, label)) {
      const [low, high] = this.span(part);
      for (let z = Math.max(0, low); z < Math.min(depth, high); z += 1) touched.add(z);
    }
    return [...touched].sort((a, b) => a - b).filter((z) => this.slice(state, medium, label, z)?.data.includes(1));
  }

  /** The slices [first, last) that a stroke or mask can touch. */
  span(part) {
    if ("mask" in part) return [part.origin[0], part.origin[0] + part.size[0]];
    if ((part.plane ?? "axial") === "axial") return [part.index, part.index + 1];
    const [depth, rows, columns] = this.sizes.get(part.medium);
    const bounds = strokeBounds(part.points, part.radius, part.plane === "coronal" ? columns : rows, depth);
    return bounds ? [bounds[1], bounds[3]] : [0, 0];
  }

  touches(part, z) {
    const [low, high] = this.span(part);
    return low <= z && z < high;
  }

  /** @param {Plane} plane */
  paint(plane, part, z) {
    const value = (part.mode ?? "add") === "add" ? 1 : 0;
    if ("mask" in part) paintMask(plane, this.masks.get(part.mask), part.origin, z, value);
    else if ((part.plane ?? "axial") === "axial") paintStroke(plane, part.points, part.radius, part.tip, value);
    else this.paintAcross(plane, part, z, value);
  }

  /** A stroke on a coronal or sagittal slice is one row or column of an axial one. */
  paintAcross(plane, part, z, value) {
    const isCoronal = part.plane === "coronal";
    const width = isCoronal ? plane.width : plane.height;
    const [depth] = this.sizes.get(part.medium);
    const section = { data: new Uint8Array(width * depth), width, height: depth };
    paintStroke(section, part.points, part.radius, part.tip, 1);
    for (let i = 0; i < width; i += 1) {
      if (section.data[z * width + i]) {
        plane.data[isCoronal ? part.index * plane.width + i : i * plane.width + part.index] = value;
      }
    }
  }
}

/**
 * The bytes that a layer's digest is made of: place, size and one byte a pixel of each slice that holds anything.
 * @param {Layers} layers
 * @param {State} state
 */
export function digestBytes(layers, state, medium, label) {
  const encoder = new TextEncoder();
  const pieces = [];
  for (const z of layers.occupied(state, medium, label)) {
    const plane = layers.slice(state, medium, label, z);
    const [x0, y0, x1, y1] = extent(plane);
    pieces.push(encoder.encode(`${z}:${y0}:${x0}:${y1 - y0}:${x1 - x0}:`));
    for (let y = y0; y < y1; y += 1) pieces.push(plane.data.subarray(y * plane.width + x0, y * plane.width + x1));
  }
  return pieces;
}

/** The tight box [x0, y0, x1, y1] (ends excluded) of a plane that holds something. @param {Plane} plane */
export function extent(plane) {
  let [x0, y0, x1, y1] = [plane.width, plane.height, 0, 0];
  for (let y = 0, i = 0; y < plane.height; y += 1) {
    for (let x = 0; x < plane.width; x += 1, i += 1) {
      if (!plane.data[i]) continue;
      x0 = Math.min(x0, x);
      x1 = Math.max(x1, x + 1);
      y0 = Math.min(y0, y);
      y1 = y + 1;
    }
  }
  return [x0, y0, x1, y1];
}

function partsOf(state, medium, label) {
  const parts = state.layers.map((part) => ({ id: part.mask, part }));
  for (const mark of state.marks.values()) if (!mark.is_undone) parts.push({ id: mark.mark_id, part: mark.payload });
  return parts.filter(({ part }) => part.medium === medium && part.label === label);
}

/** @param {Plane} plane @param {Mask | undefined} mask */
function paintMask(plane, mask, origin, z, value) {
  if (!mask) return;
  const [, rows, columns] = mask.size;
  const first = (z - origin[0]) * rows * columns;
  for (let y = 0; y < rows; y += 1) {
    for (let x = 0; x < columns; x += 1) {
      const bit = first + y * columns + x;
      if (mask.bits[bit >> 3] & (0x80 >> (bit & 7))) plane.data[(y + origin[1]) * plane.width + x + origin[2]] = value;
    }
  }
}
