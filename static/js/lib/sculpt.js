// Pushing an outline with a round tip, and outlines with fewer corners. Pure.
import { distanceToSegment, simplified } from "./geometry.js";

/** @typedef {import("./geometry.js").Point} Point */

/**
 * The outline after a round tip stands at a place: whatever lay within the tip lies on its rim. Edges near the tip get corners
 * first, so that a coarse outline bends as well. Pushes outwards from inside and inwards from outside alike.
 * @param {Point[]} points @param {boolean} isClosed @param {Point} centre @param {number} radius
 * @returns {Point[]} the same array where the tip touches nothing
 */
export function pushed(points, isClosed, centre, radius) {
  const dense = withCornersNear(points, isClosed, centre, radius);
  let isTouched = false;
  const moved = dense.map((point) => {
    const [dx, dy] = [point[0] - centre[0], point[1] - centre[1]];
    const distance = Math.hypot(dx, dy);
    if (distance >= radius) return point;
    isTouched = true;
    // A corner right under the middle has no side to go to: any will do.
    const [ux, uy] = distance > 1e-9 ? [dx / distance, dy / distance] : [1, 0];
    return /** @type {Point} */ ([centre[0] + ux * radius, centre[1] + uy * radius]);
  });
  return isTouched ? withoutCrowd(moved, radius / 8) : points;
}

function withCornersNear(points, isClosed, centre, radius) {
  const step = radius / 3;
  const dense = [];
  points.forEach((point, i) => {
    dense.push(point);
    if (i + 1 === points.length && !isClosed) return;
    const next = points[(i + 1) % points.length];
    if (distanceToSegment(centre[0], centre[1], point, next) > 1.5 * radius) return;
    const pieces = Math.min(200, Math.ceil(Math.hypot(next[0] - point[0], next[1] - point[1]) / step));
    for (let k = 1; k < pieces; k += 1) {
      dense.push([point[0] + ((next[0] - point[0]) * k) / pieces, point[1] + ((next[1] - point[1]) * k) / pieces]);
    }
  });
  return dense;
}

/** Without corners that stand closer than `least` to the one kept before; the first and last stay. */
function withoutCrowd(points, least) {
  const kept = points.filter((point, i) => i === 0 || i === points.length - 1 || Math.hypot(point[0] - points[i - 1][0], point[1] - points[i - 1][1]) >= least);
  return kept.length >= 3 ? kept : points;
}

/** Fewer corners; a closed outline is cut at its two most distant corners, which stay. @param {Point[]} points */
export function fewerCorners(points, isClosed, tolerance) {
  if (!isClosed) return simplified(points, tolerance);
  if (points.length < 4) return points;
  const [x, y] = points[0];
  const distances = points.map(([px, py]) => Math.hypot(px - x, py - y));
  const far = distances.indexOf(Math.max(...distances));
  const there = simplified(points.slice(0, far + 1), tolerance);
  const back = simplified([...points.slice(far), points[0]], tolerance);
  const fewer = [...there.slice(0, -1), ...back.slice(0, -1)];
  return fewer.length >= 3 ? fewer : points;
}
