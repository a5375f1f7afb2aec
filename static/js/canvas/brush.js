// Brush and eraser: a stroke is painted on the screen by the very algorithm that will paint it for good.
import { MAX_RADIUS, MIN_RADIUS, paintStroke, strokeBounds } from "../lib/strokes.js";
import { colourPiece } from "./bitmaps.js";
import { drawTip } from "./scene.js";

export class BrushTool {
  constructor(desk) {
    this.desk = desk;
    this.radius = 32;
    /** @type {"round"|"square"} */
    this.tip = "round";
    this.isErasing = false;
    this.points = [];
    this.hover = null;
    this.plane = null;
    this.canvas = document.createElement("canvas");
  }

  get isBusy() {
    return this.points.length > 0;
  }

  /** The radius in image pixels. */
  get size() {
    return this.radius / 4;
  }

  resize(factor) {
    const next = Math.round(this.radius * factor);
    this.radius = Math.min(MAX_RADIUS, Math.max(MIN_RADIUS, next === this.radius ? next + Math.sign(factor - 1) : next));
  }

  down(x, y) {
    if (!this.desk.painted()) return;
    const { columns, rows } = this.desk.view;
    const slice = this.desk.layerSlice();
    this.plane = { data: slice ? slice.data.slice() : new Uint8Array(columns * rows), width: columns, height: rows };
    [this.canvas.width, this.canvas.height] = [columns, rows];
    colourPiece(this.canvas, this.plane, this.desk.colour, [0, 0, columns, rows]);
    this.points = this.quarters(x, y);
    this.paint(this.points);
  }

  move(x, y) {
    this.hover = [x, y];
    if (!this.isBusy) return;
    const next = this.quarters(x, y);
    const last = this.points.slice(-2);
    if (next[0] === last[0] && next[1] === last[1]) return;
    this.points.push(...next);
    this.paint([...last, ...next]);
    if (this.points.length >= 30_000) this.up();
  }

  up() {
    if (!this.isBusy) return;
    const points = this.points;
    this.cancel();
    this.desk.stroke({ mode: this.isErasing ? "erase" : "add", tip: this.tip, radius: this.radius, points });
  }

  cancel() {
    this.points = [];
    this.plane = null;
  }

  quarters(x, y) {
    const [cx, cy] = this.desk.view.clamp(x, y);
    return [Math.round(4 * cx), Math.round(4 * cy)];
  }

  paint(points) {
    const { plane } = this;
    paintStroke(plane, points, this.radius, this.tip, this.isErasing ? 0 : 1);
    const box = strokeBounds(points, this.radius, plane.width, plane.height);
    if (box) colourPiece(this.canvas, plane, this.desk.colour, box);
  }

  draw(context, view, colour) {
    if (this.hover) drawTip(context, view, this.hover, this.size, this.tip, this.isErasing ? "#ffffff" : colour);
  }
}
