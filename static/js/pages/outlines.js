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

/** A short line in a layer's colour and dashes, for its button; thick and plain in the `colours` of classes, where given. */
export function strokeOf(index, colours) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("class", "stroke");
  svg.setAttribute("aria-hidden", "true");
  const parts = colours?.length ? colours : [COLOURS[index % COLOURS.length]];
  const [width, dashes] = colours ? [5, ""] : [3, DASHES[index % 8].join(" ")];
  parts.forEach((stroke, place) => {
    const line = document.createElementNS(space, "line");
    const attributes = { x1: (24 * place) / parts.length, y1: 5, x2: (24 * (place + 1)) / parts.length, y2: 5, stroke, "stroke-width": width, "stroke-dasharray": dashes };
    for (const [name, value] of Object.entries(attributes)) line.setAttribute(name, String(value));
    svg.append(line);
  });
  return svg;
}

/** The place that a comment is pinned to: a ring that is seen on any picture. */
export function pinOf(context, pin, scale) {
  for (const [colour, width] of /** @type {[string, number][]} */ ([["#000c", 5], ["#ffd34d", 2.5]])) {
    context.beginPath();
    context.arc(pin.x + 0.5, pin.y + 0.5, 10 / scale, 0, 2 * Math.PI);
    context.strokeStyle = colour;
    context.lineWidth = width / scale;
    context.setLineDash([]);
    context.stroke();
  }
}

/** Whose pane this is, in its corner. */
export function nameOf(context, name, colour, left, top) {
  context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, left, top);
  context.font = "600 13px system-ui, sans-serif";
  context.fillStyle = "#000c";
  context.fillRect(6, 6, context.measureText(name).width + 12, 22);
  context.fillStyle = colour;
  context.fillText(name, 12, 21);
}
