// What a person points at for a proposal: presses inside and outside, strokes, a box, extreme points; and which region is looked at.
//
// Pure; lists are never changed in place. Voxels are [z, y, x] of the medium, whole. Not here: asking (live/propose.js), drawing
// (canvas/assist.js), what it means (the server).
import { axesOf, voxelAt } from "./planes.js";

/**
 * @typedef {import("./planes.js").PlaneName} PlaneName
 * @typedef {{kind: "press", isInside: boolean, voxel: number[]}} Press
 * @typedef {{kind: "stroke", isInside: boolean, voxels: number[][]}} Stroke
 * @typedef {{kind: "box", origin: number[], size: number[]}} Box
 * @typedef {{kind: "extreme", voxel: number[]}} Extreme
 * @typedef {Press | Stroke | Box | Extreme} Hint
 */

/** What the server looks at at most along one side: of a slice, and of a volume. */
export const MOST_ON_SLICE = 1024;
export const MOST_IN_VOLUME = 128;
/** What the server takes at most, whatever its sides. */
export const MOST_VOXELS = 1 << 22;
/** Room around what was pointed at, so that its surroundings are seen. */
const ROOM = 16;

/** The hints with one more: on one voxel the later press counts, and there is one box. @param {Hint[]} hints @param {Hint} hint */
export function withHint(hints, hint) {
  const kept = hints.filter((one) => {
    if (hint.kind === "box") return one.kind !== "box";
    return !(hint.kind === "press" && one.kind === "press" && isSame(one.voxel, hint.voxel));
  });
  return [...kept, hint];
}

/** Whether the hints say what is inside; the server needs that. @param {Hint[]} hints */
export function isEnough(hints) {
  const extremes = hints.filter((hint) => hint.kind === "extreme");
  return extremes.length > 2 || hints.some((hint) => hint.kind === "box" || (hint.kind !== "extreme" && hint.isInside));
}

/** The hints as the server takes them. @param {Hint[]} hints */
export function bodyOf(hints) {
  const presses = /** @type {Press[]} */ (hints.filter((hint) => hint.kind === "press"));
  const box = /** @type {Box | undefined} */ (hints.find((hint) => hint.kind === "box"));
  return {
    positive: presses.filter((hint) => hint.isInside).map((hint) => hint.voxel),
    negative: presses.filter((hint) => !hint.isInside).map((hint) => hint.voxel),
    strokes: hints.flatMap((hint) => (hint.kind === "stroke" ? [{ is_inside: hint.isInside, points: hint.voxels }] : [])),
    box: box ? { origin: box.origin, size: box.size } : null,
    // One or two say nothing yet.
    extreme: ((found) => (found.length > 2 ? found : []))(hints.flatMap((hint) => (hint.kind === "extreme" ? [hint.voxel] : []))),
  };
}

/**
 * The box of two corners on a slice; in a volume as deep as it is wide and high on the mean, in millimetres.
 * @param {PlaneName} plane @param {number} index
 * @param {[number, number]} from @param {[number, number]} to in pixels of the slice
 * @param {{size: number[], spacing_mm: number[] | null}} medium @param {boolean} isDeep @returns {Box | null}
 */
export function boxBetween(plane, index, from, to, medium, isDeep) {
  const [x0, x1] = [from[0], to[0]].sort((a, b) => a - b);
  const [y0, y1] = [from[1], to[1]].sort((a, b) => a - b);
  const low = voxelAt(plane, Math.floor(x0), Math.floor(y0), index);
  const high = voxelAt(plane, Math.ceil(x1), Math.ceil(y1), index + 1);
  const { across, down, along } = axesOf(plane);
  if (high[across] - low[across] < 2 || high[down] - low[down] < 2) return null;
  if (isDeep) {
    const spacing = medium.spacing_mm ?? [1, 1, 1];
    const reach_mm = ((high[across] - low[across]) * spacing[across] + (high[down] - low[down]) * spacing[down]) / 4;
    const reach = Math.max(1, Math.round(reach_mm / spacing[along]));
    low[along] = index - reach;
    high[along] = index + reach + 1;
  }
  const origin = low.map((at) => Math.max(0, at));
  return { kind: "box", origin, size: high.map((at, axis) => Math.min(at, medium.size[axis]) - origin[axis]) };
}

/**
 * The region that is looked at: on a slice what is seen of it, in a volume a cube; always with all hints and room around them.
 * Null where they lie too far apart.
 * @param {Hint[]} hints @param {number[]} size of the medium
 * @param {{plane: PlaneName, index: number, seen: number[]} | null} slice `seen` is [x0, y0, x1, y1] on it; null for a volume
 * @returns {{origin: number[], size: number[]} | null}
 */
export function regionOf(hints, size, slice) {
  const [low, high] = extentOf(hints);
  const most = slice ? MOST_ON_SLICE : MOST_IN_VOLUME;
  const along = slice ? axesOf(slice.plane).along : -1;
  const wanted = slice ? seenBox(slice, size) : [0, 1, 2].map((axis) => around((low[axis] + high[axis]) / 2, most, size[axis]));
  const spans = [0, 1, 2].map((axis) => {
    if (axis === along) return [/** @type {any} */ (slice).index, /** @type {any} */ (slice).index + 1];
    const needed = [Math.max(0, low[axis] - ROOM), Math.min(size[axis], high[axis] + ROOM)];
    const [from, to] = [Math.min(needed[0], wanted[axis][0]), Math.max(needed[1], wanted[axis][1])];
    if (to - from <= most) return [from, to];
    // More is seen than is looked at: the middle of what was pointed at, and all of it.
    const [a, b] = around((low[axis] + high[axis]) / 2, most, size[axis]);
    return [Math.min(a, needed[0]), Math.max(b, needed[1])];
  });
  const region = { origin: spans.map(([from]) => from), size: spans.map(([from, to]) => to - from) };
  return region.size.reduce((product, side) => product * side, 1) <= MOST_VOXELS ? region : null;
}

/** The first voxel and the end of what the hints touch. @param {Hint[]} hints */
function extentOf(hints) {
  const voxels = hints.flatMap((hint) => {
    if (hint.kind === "stroke") return hint.voxels;
    if (hint.kind === "box") return [hint.origin, hint.origin.map((at, axis) => at + hint.size[axis] - 1)];
    return [hint.voxel];
  });
  const ends = [0, 1, 2].map((axis) => voxels.map((voxel) => voxel[axis]));
  return [ends.map((line) => Math.min(...line)), ends.map((line) => Math.max(...line) + 1)];
}

/** @param {{plane: PlaneName, index: number, seen: number[]}} slice @param {number[]} size */
function seenBox({ plane, index, seen }, size) {
  const [x0, y0, x1, y1] = seen;
  const low = voxelAt(plane, Math.floor(x0), Math.floor(y0), index);
  const high = voxelAt(plane, Math.ceil(x1), Math.ceil(y1), index + 1);
  return [0, 1, 2].map((axis) => [Math.max(0, Math.min(low[axis], size[axis] - 1)), Math.max(1, Math.min(high[axis], size[axis]))]);
}

/** A stretch of at most `most` voxels around a place, inside of `side`. */
function around(middle, most, side) {
  const from = Math.max(0, Math.min(Math.floor(middle - most / 2), side - most));
  return [from, Math.min(side, from + most)];
}

function isSame(a, b) {
  return a.every((at, axis) => at === b[axis]);
}
