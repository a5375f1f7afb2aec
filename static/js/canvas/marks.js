// What is written and drawn around an image on each plane: directions, the linked cross-hair, where outlines of other slices cross.
import { axesOf, crossings, lettersOf, placeIn } from "../lib/planes.js";

/** @typedef {import("./view.js").View} View */
/** @typedef {import("../lib/planes.js").PlaneName} PlaneName */

/** The letters of the patient's sides at the edges, as they lie after mirroring and turning. @param {CanvasRenderingContext2D} context */
export function drawDirections(context, view, plane, affine) {
  if (!affine) return;
  const [a, b, c, d] = view.matrix;
  const { across, down } = axesOf(plane);
  context.save();
  context.font = "600 13px system-ui, sans-serif";
  context.textAlign = "center";
  context.textBaseline = "middle";
  const places = [[1, 0, view.width - 14, view.height / 2], [-1, 0, 14, view.height / 2], [0, 1, view.width / 2, view.height - 14], [0, -1, view.width / 2, 14]];
  for (const [right, below, x, y] of places) {
    // How far a step to this side of the screen goes along each of the image's axes.
    const alongX = right * a + below * b;
    const alongY = right * c + below * d;
    const isX = Math.abs(alongX) > Math.abs(alongY);
    write(context, lettersOf(affine, isX ? across : down, (isX ? alongX : alongY) > 0 ? 1 : -1), x, y);
  }
  context.restore();
}

/** A thin line for each of the other two planes, open around the place itself. @param {number[]} voxel [z, y, x] */
export function drawLinkedCross(context, view, plane, voxel) {
  const [px, py] = placeIn(plane, voxel);
  const [x, y] = view.toScreen(px + 0.5, py + 0.5);
  context.save();
  for (const [style, width] of /** @type {[string, number][]} */ ([["rgb(0 0 0 / 55%)", 3], ["#8fd0ff", 1]])) {
    context.strokeStyle = style;
    context.lineWidth = width;
    context.beginPath();
    for (const [fromX, fromY, toX, toY] of [[0, y, x - 10, y], [x + 10, y, view.width, y], [x, 0, x, y - 10], [x, y + 10, x, view.height]]) {
      context.moveTo(fromX, fromY);
      context.lineTo(toX, toY);
    }
    context.stroke();
  }
  context.restore();
}

/** Outlines belong to axial slices: on another plane each is a short bar (or a dot) in the row of its slice. */
export function drawCrossings(context, view, plane, index, shapes, colourOf) {
  context.save();
  for (const shape of shapes) {
    for (const region of shape.regions) {
      for (const [from, to] of crossings(region, plane, index)) drawBar(context, view, from, to, (region.z ?? 0) + 0.5, colourOf(shape.label));
    }
  }
  context.restore();
}

function drawBar(context, view, from, to, row, colour) {
  const [[ax, ay], [bx, by]] = [view.toScreen(from, row), view.toScreen(to, row)];
  const isDot = Math.hypot(bx - ax, by - ay) < 2;
  for (const [style, width] of /** @type {[string, number][]} */ ([["rgb(0 0 0 / 60%)", 4.5], [colour, 2.5]])) {
    context.beginPath();
    if (isDot) context.arc(ax, ay, width, 0, 2 * Math.PI);
    else {
      context.moveTo(ax, ay);
      context.lineTo(bx, by);
    }
    context.lineWidth = width;
    context[isDot ? "fillStyle" : "strokeStyle"] = style;
    if (isDot) context.fill();
    else context.stroke();
  }
}

/** Light text with a dark edge, seen on any image. */
export function write(context, text, x, y) {
  context.lineWidth = 3;
  context.lineJoin = "round";
  context.strokeStyle = "rgb(0 0 0 / 80%)";
  context.fillStyle = "#f2f2f2";
  context.strokeText(text, x, y);
  context.fillText(text, x, y);
}

/** A sentence in place of a picture, above the middle. */
export function drawWords(context, view, text) {
  context.save();
  context.font = "14px system-ui, sans-serif";
  context.textAlign = "center";
  write(context, text, view.width / 2, view.height * 0.36);
  context.restore();
}

/** A note beside a place: dark ground, so that it can be read over labels. */
export function drawNote(context, view, text, at) {
  if (!text) return;
  const [x, y] = view.toScreen(at[0], at[1]);
  context.save();
  context.font = "12px system-ui, sans-serif";
  const width = context.measureText(text).width + 12;
  const left = Math.min(Math.max(4, x + 14), view.width - width - 4);
  const top = Math.min(Math.max(4, y + 14), view.height - 26);
  context.fillStyle = "rgb(0 0 0 / 78%)";
  context.beginPath();
  context.roundRect(left, top, width, 22, 5);
  context.fill();
  context.fillStyle = "#f2f2f2";
  context.textBaseline = "middle";
  context.fillText(text, left + 6, top + 11);
  context.restore();
}
