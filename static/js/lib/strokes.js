// Which pixels a brush stroke covers: the twin of labelhub/numerics/strokes.py, bit for bit.
//
// Whole quarter pixels: the centre of pixel (i, j) is (4i + 2, 4j + 2). Segments are split at rounded points so that no
// product exceeds 2^53. Canvas anti-aliasing is never used for masks: it differs between machines.

export const MIN_RADIUS = 3;
export const MAX_RADIUS = 2048;
const LONGEST_SEGMENT = 1024;

/**
 * A plane of bytes, 0 or 1, rows first.
 * @typedef {{data: Uint8Array, width: number, height: number}} Plane
 */

/** The pixels whose centres lie in [low, high] quarter pixels, clipped to size. */
function pixelRange(low, high, size) {
  const first = Math.ceil((low - 2) / 4);
  const last = Math.floor((high - 2) / 4);
  return [Math.max(0, first), Math.min(size, last + 1)];
}

/** The pixels [x0, y0, x1, y1] (ends excluded) outside which the stroke covers nothing; null where it misses the plane. */
export function strokeBounds(points, radius, width, height) {
  let [lowX, lowY, highX, highY] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let i = 0; i < points.length; i += 2) {
    lowX = Math.min(lowX, points[i]);
    highX = Math.max(highX, points[i]);
    lowY = Math.min(lowY, points[i + 1]);
    highY = Math.max(highY, points[i + 1]);
  }
  const [x0, x1] = pixelRange(lowX - radius, highX + radius, width);
  const [y0, y1] = pixelRange(lowY - radius, highY + radius, height);
  return x0 < x1 && y0 < y1 ? [x0, y0, x1, y1] : null;
}

/**
 * Set every pixel that the stroke covers to value, in place.
 * @param {Plane} plane
 * @param {number[]} points x0, y0, x1, y1, … in quarter pixels; one point is a dab
 * @param {number} radius quarter pixels
 * @param {"round"|"square"} tip
 * @param {0|1} value
 */
export function paintStroke(plane, points, radius, tip, value) {
  if (points.length === 2) {
    paintSegment(plane, points[0], points[1], points[0], points[1], radius, tip, value);
  }
  for (let i = 0; i + 3 < points.length; i += 2) {
    const [ax, ay] = [points[i], points[i + 1]];
    const [dx, dy] = [points[i + 2] - ax, points[i + 3] - ay];
    const pieces = Math.max(1, Math.ceil(Math.max(Math.abs(dx), Math.abs(dy)) / LONGEST_SEGMENT));
    for (let k = 0; k < pieces; k += 1) {
      paintSegment(
        plane,
        ax + Math.floor((dx * k) / pieces), ay + Math.floor((dy * k) / pieces),
        ax + Math.floor((dx * (k + 1)) / pieces), ay + Math.floor((dy * (k + 1)) / pieces),
        radius, tip, value,
      );
    }
  }
}

/**
 * The same with a round tip that is round where rows are `tall` times as high as columns: each row is painted at its height in a
 * grid of square pixels. For masks alone; a stroke of the log is painted by `paintStroke`.
 * @param {Plane} plane @param {number[]} points @param {number} radius quarter columns @param {number} tall @param {0|1} value
 */
export function paintStretched({ data, width, height }, points, radius, tall, value) {
  const box = strokeBounds(points, Math.ceil(radius / Math.min(1, tall)), width, height);
  for (let y = box?.[1] ?? 0; y < (box?.[3] ?? 0); y += 1) {
    const path = points.map((at, i) => (i % 2 ? Math.round((at - 4 * y - 2) * tall) + 2 : at));
    paintStroke({ data: data.subarray(y * width, (y + 1) * width), width, height: 1 }, path, radius, "round", value);
  }
}

function paintSegment(plane, ax, ay, bx, by, radius, tip, value) {
  const [x0, x1] = pixelRange(Math.min(ax, bx) - radius, Math.max(ax, bx) + radius, plane.width);
  const [y0, y1] = pixelRange(Math.min(ay, by) - radius, Math.max(ay, by) + radius, plane.height);
  const covers = tip === "square" ? coversSquare : coversRound;
  const [dx, dy] = [bx - ax, by - ay];
  for (let y = y0; y < y1; y += 1) {
    const row = y * plane.width;
    const py = 4 * y + 2 - ay;
    for (let x = x0; x < x1; x += 1) {
      if (covers(4 * x + 2 - ax, py, dx, dy, radius)) plane.data[row + x] = value;
    }
  }
}

/** Whether the centre p, relative to the segment's start, is within radius of the segment along d. */
function coversRound(px, py, dx, dy, radius) {
  const radius2 = radius * radius;
  if (px * px + py * py <= radius2) return true;
  const [qx, qy] = [px - dx, py - dy];
  if (qx * qx + qy * qy <= radius2) return true;
  const along = px * dx + py * dy;
  const length2 = dx * dx + dy * dy;
  if (along <= 0 || along >= length2) return false;
  const cross = px * dy - py * dx;
  return cross * cross <= radius2 * length2;
}

/** Whether a square of half side radius that moves along d sweeps the centre p. */
function coversSquare(px, py, dx, dy, radius) {
  return px >= Math.min(0, dx) - radius && px <= Math.max(0, dx) + radius
    && py >= Math.min(0, dy) - radius && py <= Math.max(0, dy) + radius
    && Math.abs(px * dy - py * dx) <= radius * (Math.abs(dx) + Math.abs(dy));
}
