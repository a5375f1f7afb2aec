// Plane geometry that drawing needs: areas, hits, handles, and whether an outline crosses itself. Points are [x, y].

/** @typedef {[number, number]} Point */

/** Twice rounded coordinates would drift: hundredths of a pixel are enough and stay what they are. */
export function rounded(value) {
  return Math.round(value * 100) / 100;
}

/** @param {Point[]} points */
export function area(points) {
  let sum = 0;
  points.forEach(([x, y], i) => {
    const [nx, ny] = points[(i + 1) % points.length];
    sum += x * ny - nx * y;
  });
  return Math.abs(sum) / 2;
}

/** Even-odd. @param {Point[]} points */
export function contains(points, x, y) {
  let inside = false;
  for (let i = 0, j = points.length - 1; i < points.length; j = i, i += 1) {
    const [[xi, yi], [xj, yj]] = [points[i], points[j]];
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) inside = !inside;
  }
  return inside;
}

export function distanceToSegment(x, y, [ax, ay], [bx, by]) {
  const [dx, dy] = [bx - ax, by - ay];
  const length2 = dx * dx + dy * dy;
  const t = length2 ? Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / length2)) : 0;
  return Math.hypot(x - ax - t * dx, y - ay - t * dy);
}

/** The corners of a region as an outline; an ellipse as 64 corners. @returns {Point[]} */
export function outline(region) {
  const points = region.points;
  if (region.kind === "box") {
    const [[x0, y0], [x1, y1]] = points;
    return turned([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], [(x0 + x1) / 2, (y0 + y1) / 2], region.rotation_deg);
  }
  if (region.kind === "ellipse") {
    const [[cx, cy], [rx, ry]] = points;
    const corners = Array.from({ length: 64 }, (_, i) => {
      const angle = (i * Math.PI) / 32;
      return /** @type {Point} */ ([cx + rx * Math.cos(angle), cy + ry * Math.sin(angle)]);
    });
    return turned(corners, [cx, cy], region.rotation_deg);
  }
  return points;
}

function turned(points, [cx, cy], degrees) {
  if (!degrees) return points;
  const [sin, cos] = [Math.sin((degrees * Math.PI) / 180), Math.cos((degrees * Math.PI) / 180)];
  return points.map(([x, y]) => [cx + (x - cx) * cos - (y - cy) * sin, cy + (x - cx) * sin + (y - cy) * cos]);
}

/** How far a position is from a region: 0 inside an area, else the distance to its line or nearest point. */
export function distanceTo(region, x, y) {
  const points = outline(region);
  if (region.kind === "points") return Math.min(...points.map(([px, py]) => Math.hypot(px - x, py - y)));
  const isClosed = region.kind !== "polyline";
  if (isClosed && contains(points, x, y)) return 0;
  let nearest = Infinity;
  for (let i = 0; i + (isClosed ? 0 : 1) < points.length; i += 1) {
    nearest = Math.min(nearest, distanceToSegment(x, y, points[i], points[(i + 1) % points.length]));
  }
  return nearest;
}

/** The box [x0, y0, x1, y1] around regions. */
export function boundsOf(regions) {
  const all = regions.flatMap(outline);
  const [xs, ys] = [all.map(([x]) => x), all.map(([, y]) => y)];
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}

/** @type {WeakMap<any, number[]>} */
const boxes = new WeakMap();

/** The box around one region; kept, since a region is replaced and never changed. */
export function boxOf(region) {
  const kept = boxes.get(region);
  if (kept) return kept;
  const box = boundsOf([region]);
  boxes.set(region, box);
  return box;
}

/** Whether two edges of a closed outline cross or touch, other than neighbours at their corner. @param {Point[]} points */
export function crossesItself(points) {
  const n = points.length;
  for (let i = 0; i < n; i += 1) {
    for (let j = i + 1; j < n; j += 1) {
      if (j === i + 1 || (i === 0 && j === n - 1)) continue;
      if (segmentsMeet(points[i], points[(i + 1) % n], points[j], points[(j + 1) % n])) return true;
    }
  }
  return false;
}

function segmentsMeet(a, b, c, d) {
  const side = ([px, py], [qx, qy], [rx, ry]) => Math.sign((qx - px) * (ry - py) - (qy - py) * (rx - px));
  const [s1, s2, s3, s4] = [side(a, b, c), side(a, b, d), side(c, d, a), side(c, d, b)];
  if (s1 !== s2 && s3 !== s4) return true;
  const on = ([px, py], [qx, qy], [rx, ry]) =>
    Math.min(px, qx) <= rx && rx <= Math.max(px, qx) && Math.min(py, qy) <= ry && ry <= Math.max(py, qy);
  return (s1 === 0 && on(a, b, c)) || (s2 === 0 && on(a, b, d)) || (s3 === 0 && on(c, d, a)) || (s4 === 0 && on(c, d, b));
}

/** Points without those that repeat the one before them, or the first at the end. @param {Point[]} points */
export function withoutRepeats(points) {
  const isSame = (a, b) => a[0] === b[0] && a[1] === b[1];
  const kept = points.filter((point, i) => i === 0 || !isSame(point, points[i - 1]));
  while (kept.length > 1 && isSame(kept[0], kept.at(-1))) kept.pop();
  return kept;
}

/** Fewer points along the same line: Douglas and Peucker, with the largest distance that may be lost. */
export function simplified(points, tolerance) {
  if (points.length < 3) return points;
  let [far, at] = [0, 0];
  for (let i = 1; i < points.length - 1; i += 1) {
    const distance = distanceToSegment(...points[i], points[0], points.at(-1));
    if (distance > far) [far, at] = [distance, i];
  }
  if (far <= tolerance) return [points[0], points.at(-1)];
  return [...simplified(points.slice(0, at + 1), tolerance).slice(0, -1), ...simplified(points.slice(at), tolerance)];
}

/**
 * The points that can be taken hold of, each with what moving it to (x, y) makes of the region.
 * @returns {{x: number, y: number, isMiddle?: boolean, vertex?: number, moved: (x: number, y: number) => Point[]}[]}
 */
export function handles(region) {
  const points = region.points;
  if (region.kind === "box") return boxHandles(points);
  if (region.kind === "ellipse") {
    const [[cx, cy], [rx, ry]] = points;
    const side = (x, y) => /** @type {Point[]} */ ([[cx, cy], [x, y]]);
    return [
      { x: cx + rx, y: cy, moved: (x) => side(Math.max(0.5, x - cx), ry) },
      { x: cx - rx, y: cy, moved: (x) => side(Math.max(0.5, cx - x), ry) },
      { x: cx, y: cy + ry, moved: (_, y) => side(rx, Math.max(0.5, y - cy)) },
      { x: cx, y: cy - ry, moved: (_, y) => side(rx, Math.max(0.5, cy - y)) },
    ];
  }
  const vertices = points.map(([x, y], i) => ({
    x, y, vertex: i, moved: (nx, ny) => points.map((point, j) => (i === j ? [nx, ny] : point)),
  }));
  if (region.kind === "points") return vertices;
  const last = region.kind === "polygon" ? points.length : points.length - 1;
  const middles = points.slice(0, last).map(([x, y], i) => {
    const [nx, ny] = points[(i + 1) % points.length];
    return {
      x: (x + nx) / 2, y: (y + ny) / 2, isMiddle: true,
      moved: (mx, my) => [...points.slice(0, i + 1), [mx, my], ...points.slice(i + 1)],
    };
  });
  return [...vertices, ...middles];
}

function boxHandles([[x0, y0], [x1, y1]]) {
  const sorted = (ax, ay, bx, by) => /** @type {Point[]} */ ([
    [Math.min(ax, bx), Math.min(ay, by)], [Math.max(ax, bx), Math.max(ay, by)],
  ]);
  const [mx, my] = [(x0 + x1) / 2, (y0 + y1) / 2];
  return [
    { x: x0, y: y0, moved: (x, y) => sorted(x, y, x1, y1) },
    { x: x1, y: y0, moved: (x, y) => sorted(x0, y, x, y1) },
    { x: x1, y: y1, moved: (x, y) => sorted(x0, y0, x, y) },
    { x: x0, y: y1, moved: (x, y) => sorted(x, y0, x1, y) },
    { x: mx, y: y0, moved: (_, y) => sorted(x0, y, x1, y1) },
    { x: mx, y: y1, moved: (_, y) => sorted(x0, y0, x1, y) },
    { x: x0, y: my, moved: (x) => sorted(x, y0, x1, y1) },
    { x: x1, y: my, moved: (x) => sorted(x0, y0, x, y1) },
  ];
}
