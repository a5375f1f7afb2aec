// How layers are told apart, and the outline of a region as a path in pixels of the picture. Knows no view but a scale.

// Told apart with any colour vision and on near-black; each layer also has a dash of its own.
export const COLOURS = ["#56b4e9", "#e69f00", "#2fc29a", "#f0e442", "#e8743b", "#d98ac0", "#a5b8ff", "#ffffff"];
export const DASHES = [[], [8, 4], [3, 3], [10, 3, 2, 3], [2, 4], [14, 5], [5, 5, 1, 5], [2, 6]];

export function outline(region, scale) {
  const path = new Path2D();
  const [first, second] = region.points;
  if (region.kind === "ellipse") path.ellipse(...first, ...second, (region.rotation * Math.PI) / 180, 0, 2 * Math.PI);
  else if (region.kind === "box") boxCorners(first, second, region.rotation).forEach(([x, y], index) => (index ? path.lineTo(x, y) : path.moveTo(x, y)));
  else if (region.kind === "points") {
    for (const [x, y] of region.points) {
      path.moveTo(x + 5 / scale, y);
      path.ellipse(x, y, 5 / scale, 5 / scale, 0, 0, 2 * Math.PI);
    }
  } else region.points.forEach(([x, y], index) => (index ? path.lineTo(x, y) : path.moveTo(x, y)));
  if (region.kind === "box" || region.kind === "polygon") path.closePath();
  return path;
}

function boxCorners([x0, y0], [x1, y1], degrees) {
  const [cx, cy, angle] = [(x0 + x1) / 2, (y0 + y1) / 2, (degrees * Math.PI) / 180];
  return [[x0, y0], [x1, y0], [x1, y1], [x0, y1]].map(([x, y]) => [
    cx + (x - cx) * Math.cos(angle) - (y - cy) * Math.sin(angle),
    cy + (x - cx) * Math.sin(angle) + (y - cy) * Math.cos(angle),
  ]);
}
