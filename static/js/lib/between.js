// An outline between two others of one kind: both are walked at the same share of their length, and each corner of either is kept.
//
// Rings are first turned the same way round and begun where they lie best on each other. Not here: masks (distance.js).
import { area, crossesItself, rounded, withoutRepeats } from "./geometry.js";
import { fewerCorners } from "./sculpt.js";

/** @typedef {[number, number]} Point */

/** How many places of a ring are compared, and at most how many beginnings are tried. */
const SAMPLES = 64;
const MOST_STARTS = 256;
/** In pixels; what two long outlines give together is thinned by so little. */
const THIN = 0.05;

/**
 * The regions between two, evenly from one to the other; null where one would not be an outline.
 * @param {any} low @param {any} high of the same kind: polygon, polyline, box or ellipse
 * @param {number} between how many @returns {any[] | null}
 */
export function regionsBetween(low, high, between) {
  const pair = pairOf(low, high);
  const found = [];
  for (let k = 1; k <= between; k += 1) {
    const share = k / (between + 1);
    const region = { kind: low.kind, points: pair.map(([a, b]) => mixed(a, b, share)), ...rotationOf(low, high, share) };
    if (low.kind === "polygon" || low.kind === "polyline") region.points = withoutRepeats(fewerCorners(region.points, low.kind === "polygon", THIN).map(([x, y]) => [rounded(x), rounded(y)]));
    if (!stands(region)) return null;
    found.push(region);
  }
  return found;
}

/** The corners of both that belong together. @returns {[Point, Point][]} */
function pairOf(low, high) {
  if (low.kind === "polygon") return together(ringFrom(low.points, 0), aligned(low.points, high.points));
  if (low.kind === "polyline") {
    const [first, last] = [low.points[0], low.points.at(-1)];
    const gap = (points) => apart(first, points[0]) + apart(last, points.at(-1));
    const turned = [...high.points].reverse();
    return together(low.points, gap(turned) < gap(high.points) ? turned : high.points);
  }
  return low.points.map((point, i) => [point, high.points[i]]);
}

/** A box or an ellipse that is turned by half a circle is itself: the shorter way round. */
function rotationOf(low, high, share) {
  const [from, to] = [low.rotation_deg ?? 0, high.rotation_deg ?? 0];
  if (!from && !to) return {};
  const by = ((((to - from + 90) % 180) + 180) % 180) - 90;
  return { rotation_deg: rounded(from + share * by) };
}

function stands({ kind, points }) {
  if (kind === "polygon") return points.length >= 3 && area(points) >= 0.5 && !crossesItself(points);
  return kind !== "polyline" || points.length >= 2;
}

/** The ring `points` walked in the direction of `like`, begun where it lies best on it; closed. @param {Point[]} like @param {Point[]} points */
function aligned(like, points) {
  const way = isClockwise(points) === isClockwise(like) ? points : [...points].reverse();
  const shares = Array.from({ length: SAMPLES }, (_, i) => i / SAMPLES);
  const target = centred(walkedAt(ringFrom(like, 0), shares));
  const places = sharesOf(ringFrom(way, 0)).slice(0, -1);
  const step = Math.ceil(places.length / MOST_STARTS);
  const starts = [...places.filter((_, i) => i % step === 0), ...shares];
  let [best, least] = [0, Infinity];
  for (const start of starts) {
    const placed = centred(walkedAt(ringFrom(way, 0), shares.map((share) => (share + start) % 1)));
    const sum = placed.reduce((total, point, i) => total + apart(point, target[i]), 0);
    // Of two that are as good the first: a ring on itself begins at its own corner.
    if (sum < least - 1e-9) [best, least] = [start, sum];
  }
  return ringFrom(way, best);
}

/** A ring as a closed line that begins at a share of its length. @param {Point[]} points @returns {Point[]} */
function ringFrom(points, start) {
  const closed = [...points, points[0]];
  if (!start) return closed;
  const shares = sharesOf(closed);
  const [from] = walkedAt(closed, [start]);
  const after = points.filter((_, i) => shares[i] > start + 1e-9);
  const before = points.filter((_, i) => shares[i] < start - 1e-9);
  return [from, ...after, ...before, from];
}

/** Two lines walked at once: at each corner of either the places on both. @param {Point[]} a @param {Point[]} b @returns {[Point, Point][]} */
function together(a, b) {
  const all = [...sharesOf(a), ...sharesOf(b)].sort((one, other) => one - other);
  const shares = all.filter((share, i) => i === 0 || share - all[i - 1] > 1e-9);
  const [ones, others] = [walkedAt(a, shares), walkedAt(b, shares)];
  return shares.map((_, i) => [ones[i], others[i]]);
}

/** The share of a line's length at each of its corners. @param {Point[]} line */
function sharesOf(line) {
  let length = 0;
  const lengths = line.map(([x, y], i) => (length += i ? Math.hypot(x - line[i - 1][0], y - line[i - 1][1]) : 0));
  return lengths.map((at) => (length ? at / length : 0));
}

/** @param {Point[]} line @param {number[]} shares @returns {Point[]} */
function walkedAt(line, shares) {
  const own = sharesOf(line);
  return shares.map((share) => {
    let [low, high] = [0, own.length - 1];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (own[middle] <= share) low = middle;
      else high = middle;
    }
    const stretch = own[high] - own[low];
    return mixed(line[low], line[high], stretch ? Math.min(1, (share - own[low]) / stretch) : 0);
  });
}

/** @param {Point[]} points @returns {Point[]} */
function centred(points) {
  const [cx, cy] = [0, 1].map((axis) => points.reduce((sum, point) => sum + point[axis], 0) / points.length);
  return points.map(([x, y]) => [x - cx, y - cy]);
}

function isClockwise(points) {
  return points.reduce((sum, [x, y], i) => {
    const [nx, ny] = points[(i + 1) % points.length];
    return sum + x * ny - nx * y;
  }, 0) > 0;
}

function apart([ax, ay], [bx, by]) {
  return (ax - bx) ** 2 + (ay - by) ** 2;
}

/** @returns {Point} */
function mixed([ax, ay], [bx, by], share) {
  return [ax + share * (bx - ax), ay + share * (by - ay)];
}
