// Draws what is seen: the image, painted layers, shapes with their handles, and the scale bar. Reads only.
import { handles, outline } from "../lib/geometry.js";

const LAYER_ALPHA = 0.45;
const FILL_ALPHA = 0.14;

/** @typedef {import("./view.js").View} View */

/** Draw a picture of the image's size where the image is. @param {CanvasRenderingContext2D} context @param {View} view */
export function drawPicture(context, view, picture, { alpha = 1, isSmooth = false } = {}) {
  const [sx, sy] = view.step;
  context.save();
  context.globalAlpha = alpha;
  context.imageSmoothingEnabled = isSmooth && Math.max(sx, sy) < 3;
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, view.left, view.top, picture.width * sx, picture.height * sy);
  context.restore();
}

export function drawLayer(context, view, picture) {
  drawPicture(context, view, picture, { alpha: LAYER_ALPHA });
}

/** The frame of an image whose pixels are not here: only its grid is known. */
export function drawGrid(context, view) {
  const [x, y] = [view.left, view.top];
  const [w, h] = [view.columns * view.step[0], view.rows * view.step[1]];
  context.save();
  context.fillStyle = "#161616";
  context.fillRect(x, y, w, h);
  context.strokeStyle = "#3a3a3a";
  context.strokeRect(x + 0.5, y + 0.5, w, h);
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

/** The tip of the brush where the pointer is. @param {number[]} at */
export function drawTip(context, view, at, radius, tip, colour) {
  const [cx, cy] = view.toScreen(at[0], at[1]);
  const [rx, ry] = [radius * view.step[0], radius * view.step[1]];
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
