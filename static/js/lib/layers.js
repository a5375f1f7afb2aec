// The painted layers of a document, slice by slice: strokes, patches and the masks it began with, in order.
//
// A slice is painted when it is asked for and kept; a further stroke at the end is added to what is kept, anything else
// (an undo in the middle) paints the slice anew. Not here: colours (canvas/paint.js), which strokes count (fold.js).
import { paintStroke, strokeBounds } from "./strokes.js";

/** Painted strokes of other planes that are kept: 256 of 384 x 160 pixels are 16 MB. */
const MOST_ACROSS = 256;
/** Counted for all layers together: what is drawn from them is kept by these numbers. */
let versions = 0;

/**
 * A mask as it comes from the server: one bit a voxel, rows first.
 * @typedef {{size: number[], bits: Uint8Array, filled?: boolean[]}} Mask `filled` is found out when it is asked for
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
    /** @type {Map<string, {ids: string[], plane: Plane, version: number, isFilled?: boolean, amount?: number}>} */
    this.kept = new Map();
    /** What a state holds, by layer, as long as nothing is added to it. */
    this.listed = { state: null, head: -1, byLayer: new Map() };
    /** Strokes on coronal and sagittal slices, painted once: each gives a row or column to many axial slices. */
    this.across = new Map();
  }

  /** A mask that came later than the patch that names it: what was painted without it is painted anew. */
  arrived(name, mask) {
    this.masks.set(name, mask);
    this.kept.clear();
  }

  /** The classes that have a stroke, patch or mask on a medium. @param {State} state @returns {string[]} */
  labels(state, medium) {
    return [...this.list(state).values()].filter((entry) => entry.medium === medium).map((entry) => entry.label);
  }

  /**
   * The slice of a class, or null where nothing ever touched it. `id` changes when the content does.
   * @param {State} state
   * @returns {(Plane & {id: string}) | null}
   */
  slice(state, medium, label, z) {
    const place = `${medium}:${z}:${label}`;
    const parts = this.partsOf(state, medium, label).filter(({ part }) => this.touches(part, z));
    if (!parts.length) {
      this.kept.delete(place);
      return null;
    }
    const kept = this.current(place, parts.map(({ id }) => id));
    if (kept.todo < parts.length) for (const { id, part } of parts.slice(kept.todo)) this.paint(kept.entry.plane, part, z, id);
    return { ...kept.entry.plane, id: `${place}:${kept.entry.version}` };
  }

  /** What is kept of a place for these ids in this order, and from which of them on it is still to be painted. */
  current(place, ids) {
    const [medium] = place.split(":").map(Number);
    const [, height, width] = this.sizes.get(medium);
    const kept = this.kept.get(place);
    const isLonger = kept && kept.ids.length <= ids.length && kept.ids.every((id, i) => id === ids[i]);
    const todo = isLonger ? kept.ids.length : 0;
    if (isLonger && todo === ids.length) return { entry: kept, todo };
    versions += 1;
    const plane = isLonger ? kept.plane : { data: new Uint8Array(width * height), width, height };
    const entry = { ids, plane, version: versions };
    this.kept.set(place, entry);
    return { entry, todo };
  }

  /**
   * A slice of any plane, in the axes of `lib/planes.js`, cut through the axial ones; null where nothing touched the class.
   * @param {State} state @param {import("./planes.js").PlaneName} plane
   * @returns {(Plane & {id: string}) | null}
   */
  section(state, medium, label, plane, index) {
    if (plane === "axial") return this.slice(state, medium, label, index);
    const [depth, rows, columns] = this.sizes.get(medium);
    const width = plane === "coronal" ? columns : rows;
    const section = { data: new Uint8Array(width * depth), width, height: depth };
    const versions = [];
    for (const z of this.touched(state, medium, label)) {
      const slice = this.slice(state, medium, label, z);
      if (!slice) continue;
      versions.push(slice.id);
      if (plane === "coronal") section.data.set(slice.data.subarray(index * columns, (index + 1) * columns), z * width);
      else for (let y = 0; y < rows; y += 1) section.data[z * width + y] = slice.data[y * columns + index];
    }
    return versions.length ? { ...section, id: `${plane}:${index}:${label}:${versions.length}:${hashOf(versions)}` } : null;
  }

  /** The slices that hold anything of a class, ascending. @param {State} state @returns {number[]} */
  occupied(state, medium, label) {
    return this.touched(state, medium, label).filter((z) => this.isFilled(state, medium, label, z));
  }

  /** Whether a slice holds anything of a class; painted only where that cannot be told from the parts themselves. */
  isFilled(state, medium, label, z) {
    const parts = this.partsOf(state, medium, label).filter(({ part }) => this.touches(part, z));
    const isPlain = parts.every(({ part }) => part.mode !== "erase" && ("mask" in part || (part.plane ?? "axial") === "axial"));
    // The smallest tip reaches the centre of the pixel that it is in: a stroke on this slice is never empty.
    if (isPlain) return parts.some(({ part }) => !("mask" in part) || this.maskFills(part, z));
    const slice = this.slice(state, medium, label, z);
    const kept = this.kept.get(`${medium}:${z}:${label}`);
    if (slice && kept.isFilled === undefined) kept.isFilled = slice.data.includes(1);
    return kept?.isFilled ?? false;
  }

  /** Whether a mask has a bit on a slice; looked up once a mask. */
  maskFills(part, z) {
    const mask = this.masks.get(part.mask);
    if (!mask) return false;
    const [depth, rows, columns] = mask.size;
    mask.filled ??= Array.from({ length: depth }, (_, k) => {
      const [first, end] = [k * rows * columns, (k + 1) * rows * columns];
      for (let i = first; i < end; i += 1) if (mask.bits[i >> 3] & (0x80 >> (i & 7))) return true;
      return false;
    });
    return mask.filled[z - part.origin[0]] ?? false;
  }

  /** How many pixels of a slice a class holds. @param {State} state */
  amount(state, medium, label, z) {
    const slice = this.slice(state, medium, label, z);
    const kept = this.kept.get(`${medium}:${z}:${label}`);
    if (!slice) return 0;
    kept.amount ??= slice.data.reduce((sum, value) => sum + value, 0);
    return kept.amount;
  }

  /** The slices that a stroke, patch or mask of a class reaches, ascending. @returns {number[]} */
  touched(state, medium, label) {
    const [depth] = this.sizes.get(medium);
    const entry = this.list(state).get(`${medium}:${label}`);
    if (!entry) return [];
    if (!entry.touched) {
      const touched = new Set();
      for (const { part } of entry.parts) {
        const [low, high] = this.span(part);
        for (let z = Math.max(0, low); z < Math.min(depth, high); z += 1) touched.add(z);
      }
      entry.touched = [...touched].sort((a, b) => a - b);
    }
    return entry.touched;
  }

  /** What stands of each class of each medium, in order. A state says by its number that something was added to it. */
  list(state) {
    if (this.listed.state === state && this.listed.head === state.head_seq) return this.listed.byLayer;
    const byLayer = new Map();
    const take = (id, part) => {
      const key = `${part.medium}:${part.label}`;
      const entry = byLayer.get(key) ?? { medium: part.medium, label: part.label, parts: [], touched: null };
      entry.parts.push({ id, part });
      byLayer.set(key, entry);
    };
    for (const part of state.layers) take(part.mask, part);
    for (const mark of state.marks.values()) if (!mark.is_undone) take(mark.mark_id, mark.payload);
    this.listed = { state, head: state.head_seq, byLayer };
    return byLayer;
  }

  partsOf(state, medium, label) {
    return this.list(state).get(`${medium}:${label}`)?.parts ?? [];
  }

  /** Who made a layer; the twin of `layer_source` on the server. @param {State} state */
  sourceOf(state, medium, label) {
    const sources = new Set(this.partsOf(state, medium, label).map(({ part }) => part.source ?? "drawn"));
    if (sources.has("model") || sources.has("model-edited")) return sources.size === 1 && sources.has("model") ? "model" : "model-edited";
    return sources.size === 1 ? [...sources][0] : "drawn";
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
  paint(plane, part, z, id = "") {
    const value = (part.mode ?? "add") === "add" ? 1 : 0;
    if ("mask" in part) paintMask(plane, this.masks.get(part.mask), part.origin, z, value);
    else if ((part.plane ?? "axial") === "axial") paintStroke(plane, part.points, part.radius, part.tip, value);
    else this.paintAcross(plane, part, z, value, id);
  }

  /** A stroke on a coronal or sagittal slice is one row or column of an axial one. */
  paintAcross(plane, part, z, value, id) {
    const isCoronal = part.plane === "coronal";
    const section = this.strokeAcross(part, isCoronal ? plane.width : plane.height, id);
    for (let i = 0; i < section.width; i += 1) {
      if (section.data[z * section.width + i]) {
        plane.data[isCoronal ? part.index * plane.width + i : i * plane.width + part.index] = value;
      }
    }
  }

  strokeAcross(part, width, id) {
    const kept = id && this.across.get(id);
    if (kept) return kept;
    const [depth] = this.sizes.get(part.medium);
    const section = { data: new Uint8Array(width * depth), width, height: depth };
    paintStroke(section, part.points, part.radius, part.tip, 1);
    if (id) this.across.set(id, section);
    if (this.across.size > MOST_ACROSS) this.across.delete(this.across.keys().next().value);
    return section;
  }
}

/** A short number for a list of texts. @param {string[]} texts */
function hashOf(texts) {
  let hash = 7;
  for (const text of texts) for (let i = 0; i < text.length; i += 1) hash = (Math.imul(hash, 31) + text.charCodeAt(i)) >>> 0;
  return hash;
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
