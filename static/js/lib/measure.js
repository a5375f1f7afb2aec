// How long and how large a shape is: in millimetres where the spacing is known, else in pixels. Pure.
//
// Long axis: the greatest distance between two corners. Short axis: the longest chord at a right angle to it, as RECIST measures
// nodes (Eisenhauer et al., Eur J Cancer 45, 2009).
import { area, outline } from "./geometry.js";

/** @typedef {import("./geometry.js").Point} Point */

const MOST_CORNERS = 400;

/** Points in millimetres. @param {Point[]} points @param {number[] | null} spacing of [x, y] @returns {Point[]} */
function inMillimetres(points, spacing) {
  const [sx, sy] = spacing ?? [1, 1];
  return points.map(([x, y]) => [x * sx, y * sy]);
}

/** @param {Point[]} points @param {number[] | null} [spacing] of [x, y] */
export function lengthOf(points, spacing = null) {
  const line = inMillimetres(points, spacing);
  return line.slice(1).reduce((sum, [x, y], i) => sum + Math.hypot(x - line[i][0], y - line[i][1]), 0);
}

/**
 * @param {Point[]} points a closed outline @param {number[] | null} [spacing] of [x, y]
 * @returns {{long: number, short: number, from: Point, to: Point}} ends in the points' own coordinates
 */
export function axes(points, spacing = null) {
  const stride = Math.ceil(points.length / MOST_CORNERS);
  const kept = points.filter((_, i) => i % stride === 0);
  const corners = inMillimetres(kept, spacing);
  let [long, a, b] = [0, 0, 0];
  for (let i = 0; i < corners.length; i += 1) {
    for (let j = i + 1; j < corners.length; j += 1) {
      const distance = Math.hypot(corners[i][0] - corners[j][0], corners[i][1] - corners[j][1]);
      if (distance > long) [long, a, b] = [distance, i, j];
    }
  }
  return { long, short: long ? widestAcross(corners, corners[a], corners[b], long) : 0, from: kept[a], to: kept[b] };
}

/** The longest chord at a right angle to a line: it is reached at the height of a corner. */
function widestAcross(corners, [ax, ay], [bx, by], long) {
  const [ux, uy] = [(bx - ax) / long, (by - ay) / long];
  const turned = corners.map(([x, y]) => [(x - ax) * ux + (y - ay) * uy, (y - ay) * ux - (x - ax) * uy]);
  let widest = 0;
  for (const [height] of turned) {
    // A hair to either side, so that a line through a corner crosses an even number of edges.
    for (const level of [height - long * 1e-7, height + long * 1e-7]) {
      const places = [];
      for (let i = 0; i < turned.length; i += 1) {
        const [[au, av], [bu, bv]] = [turned[i], turned[(i + 1) % turned.length]];
        if (au > level !== bu > level) places.push(av + ((level - au) * (bv - av)) / (bu - au));
      }
      places.sort((p, q) => p - q);
      for (let i = 0; i + 1 < places.length; i += 2) widest = Math.max(widest, places[i + 1] - places[i]);
    }
  }
  return widest;
}

/** A shape's size in words; "" for a single point. @param {any} region @param {number[] | null} [spacing] of [x, y] */
export function measured(region, spacing = null) {
  const unit = spacing ? "mm" : "px";
  if (region.kind === "points") return region.points.length === 1 ? "" : `${region.points.length} points`;
  const points = outline(region);
  if (region.kind === "polyline") return `${figure(lengthOf(points, spacing))} ${unit}`;
  if (points.length < 3) return "";
  const [sx, sy] = spacing ?? [1, 1];
  const size = `${figure(area(points) * sx * sy)} ${unit}²`;
  const { long, short } = axes(points, spacing);
  return `${size} · ${figure(long)} × ${figure(short)} ${unit}`;
}

/** Three figures, never more than the pixels give; thousands apart. */
export function figure(value) {
  if (value >= 1000) return Math.round(value).toLocaleString("en");
  return String(Number(value.toPrecision(3)));
}
