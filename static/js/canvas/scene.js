// Draws what is seen: the image, painted layers, shapes with their handles, and the scale bar. Reads only.
import { boxOf, handles, outline } from "../lib/geometry.js";

const FILL_ALPHA = 0.14;
const CROWD = 150;

/** @typedef {import("./view.js").View} View */

/** Draw a picture in image pixels, from a place of the image on. @param {CanvasRenderingContext2D} context @param {View} view */
export function drawPicture(context, view, picture, { alpha = 1, isSmooth = false, x = 0, y = 0, by = 1 } = {}) {
  context.save();
  context.globalAlpha = alpha;
  context.imageSmoothingEnabled = isSmooth && Math.max(...view.step) < 3;
  context.imageSmoothingQuality = "high";
  context.transform(.../** @type {[number, number, number, number, number, number]} */ (view.matrix));
  context.drawImage(picture, x, y, picture.width * by, picture.height * by);
  context.restore();
}

/** The frame of an image whose pixels are not here: only its grid is known. */
export function drawGrid(context, view) {
  context.save();
  context.beginPath();
  trace(context, view, [[0, 0], [view.columns, 0], [view.columns, view.rows], [0, view.rows]], true);
  context.fillStyle = "#161616";
  context.fill();
  context.strokeStyle = "#3a3a3a";
  context.stroke();
  context.restore();
}

/** A shape's regions on this slice. */
export function drawShape(context, view, regions, colour, { isSelected = false, isHovered = false } = {}) {
  context.save();
  const areas = regions.filter((region) => ["polygon", "box", "ellipse"].includes(region.kind));
  if (areas.length) {
    context.beginPath();
    for (const region of areas) trace(context, view, outline(region), true);
    context.fillStyle = colour;
    context.globalAlpha = isSelected || isHovered ? FILL_ALPHA * 1.8 : FILL_ALPHA;
    context.fill("evenodd");
    context.globalAlpha = 1;
  }
  context.lineJoin = "round";
  for (const region of regions) {
    if (region.kind === "points") drawPoints(context, view, region.points, colour, isSelected);
    else strokeTwice(context, view, outline(region), region.kind !== "polyline", colour, isSelected ? 2.5 : 1.75);
  }
  context.restore();
}

/**
 * Many shapes at once, each by itself: one path of all of them costs the rasteriser far more. Where there are very many, lines are
 * a pixel wide, which it draws at a fifth of the time.
 * @param {{shape: any, here: any[]}[]} entries
 */
export function drawShapes(context, view, entries, colourOf, isCrowd = entries.length > CROWD) {
  const seen = view.seen();
  context.save();
  context.lineJoin = "round";
  for (const { shape, here } of entries) {
    const colour = colourOf(shape.label);
    const regions = here.filter((region) => region.kind !== "points" && meets(region, seen));
    if (regions.length) drawRegions(context, view, regions, colour, isCrowd);
    for (const region of here) if (region.kind === "points") drawPoints(context, view, region.points, colour, false);
  }
  context.restore();
}

function drawRegions(context, view, regions, colour, isCrowd) {
  const paths = regions.map((region) => pathOf(view, outline(region), region.kind !== "polyline"));
  const areas = paths.filter((_, i) => regions[i].kind !== "polyline");
  const whole = areas.length > 1 ? areas.reduce((all, path) => all.addPath(path) ?? all, new Path2D()) : areas[0];
  if (whole) {
    context.globalAlpha = isCrowd ? 1.6 * FILL_ALPHA : FILL_ALPHA;
    context.fillStyle = colour;
    context.fill(whole, "evenodd");
    context.globalAlpha = 1;
  }
  for (const path of paths) {
    if (!isCrowd) {
      context.strokeStyle = "rgb(0 0 0 / 60%)";
      context.lineWidth = 3.75;
      context.stroke(path);
    }
    context.strokeStyle = colour;
    context.lineWidth = isCrowd ? 1 : 1.75;
    context.stroke(path);
  }
}

/** Whether a region can be on the screen. */
function meets(region, [x0, y0, x1, y1]) {
  const [left, top, right, bottom] = boxOf(region);
  return left <= x1 && right >= x0 && top <= y1 && bottom >= y0;
}

/** A line on the screen without corners that lie within half a pixel of the one before. */
function pathOf(view, points, isClosed) {
  const path = new Path2D();
  const [a, b, c, d, left, top] = view.matrix;
  let [lastX, lastY] = [Infinity, Infinity];
  for (let i = 0; i < points.length; i += 1) {
    const x = a * points[i][0] + c * points[i][1] + left;
    const y = b * points[i][0] + d * points[i][1] + top;
    if (i === 0) path.moveTo(x, y);
    else if (Math.abs(x - lastX) + Math.abs(y - lastY) > 0.5 || i === points.length - 1) path.lineTo(x, y);
    else continue;
    [lastX, lastY] = [x, y];
  }
  if (isClosed) path.closePath();
  return path;
}

/** What can be taken hold of. */
export function drawHandles(context, view, regions, colour) {
  context.save();
  for (const region of regions) {
    for (const handle of handles(region)) {
      const [x, y] = view.toScreen(handle.x, handle.y);
      const radius = handle.isMiddle ? 2.5 : 4.5;
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
      context.fillStyle = handle.isMiddle ? colour : "#ffffff";
      context.fill();
      context.lineWidth = 1.5;
      context.strokeStyle = handle.isMiddle ? "#000000" : colour;
      context.stroke();
    }
  }
  context.restore();
}

/** A line through points on the screen; dark beneath, so that it is seen on any image. */
export function strokeTwice(context, view, points, isClosed, colour, width = 1.75) {
  context.beginPath();
  trace(context, view, points, isClosed);
  context.strokeStyle = "rgb(0 0 0 / 60%)";
  context.lineWidth = width + 2;
  context.stroke();
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.stroke();
}

/** The tip of the brush where the pointer is: round in pixels, a ball in millimetres. @param {number[]} at */
export function drawTip(context, view, at, radius, tip, colour) {
  const [cx, cy] = view.toScreen(at[0], at[1]);
  const sides = [radius * view.step[0], radius * view.step[tip === "ball" ? 0 : 1]];
  const [rx, ry] = view.isSideways ? sides.reverse() : sides;
  context.save();
  for (const [style, width] of /** @type {[string, number][]} */ ([["rgb(0 0 0 / 70%)", 3], [colour, 1.25]])) {
    context.strokeStyle = style;
    context.lineWidth = width;
    context.beginPath();
    if (tip === "square") context.rect(cx - rx, cy - ry, 2 * rx, 2 * ry);
    else context.ellipse(cx, cy, rx, ry, 0, 0, 2 * Math.PI);
    context.stroke();
  }
  context.restore();
}

/** The keyboard's pointer. */
export function drawCrosshair(context, view, point) {
  const [x, y] = view.toScreen(point[0], point[1]);
  context.save();
  for (const [style, width] of /** @type {[string, number][]} */ ([["rgb(0 0 0 / 80%)", 4], ["#ffffff", 1.5]])) {
    context.strokeStyle = style;
    context.lineWidth = width;
    context.beginPath();
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      context.moveTo(x + 4 * dx, y + 4 * dy);
      context.lineTo(x + 16 * dx, y + 16 * dy);
    }
    context.stroke();
  }
  context.restore();
}

/** A bar of a round length, in millimetres where the spacing is known. */
export function drawScale(context, view, spacingX) {
  const unit = spacingX ?? 1;
  const wanted = (110 / view.step[0]) * unit;
  const power = 10 ** Math.floor(Math.log10(wanted));
  const length = [5, 2, 1].map((n) => n * power).find((n) => n <= wanted) ?? power;
  const width = (length / unit) * view.step[0];
  const [x, y] = [16, view.height - 16];
  context.save();
  context.font = "12px system-ui, sans-serif";
  context.lineWidth = 4;
  context.strokeStyle = "rgb(0 0 0 / 75%)";
  context.fillStyle = "#f2f2f2";
  context.strokeRect(x, y - 1, width, 2);
  context.fillRect(x, y - 1, width, 2);
  const text = `${Number(length.toPrecision(3))} ${spacingX ? "mm" : "px"}`;
  context.strokeText(text, x, y - 7);
  context.fillText(text, x, y - 7);
  context.restore();
}

function drawPoints(context, view, points, colour, isSelected) {
  points.forEach(([px, py], i) => {
    const [x, y] = view.toScreen(px, py);
    context.beginPath();
    context.arc(x, y, isSelected ? 6.5 : 5, 0, 2 * Math.PI);
    context.fillStyle = colour;
    context.strokeStyle = "#000000";
    context.lineWidth = 3;
    context.stroke();
    context.fill();
    context.strokeStyle = "#ffffff";
    context.lineWidth = 1.25;
    context.stroke();
    if (points.length > 1) context.fillText(String(i + 1), x + 8, y - 6);
  });
}

function trace(context, view, points, isClosed) {
  points.forEach(([px, py], i) => {
    const [x, y] = view.toScreen(px, py);
    if (i) context.lineTo(x, y);
    else context.moveTo(x, y);
  });
  if (isClosed) context.closePath();
}
