// Brush and eraser: a stroke is painted on the screen by the very algorithm that will paint it for good.
//
// A plain stroke is stored as its path. A ball (through neighbouring slices) and a stroke that is held to a range of intensities,
// to another class or to free pixels are stored as the mask that they painted.
import { axesOf } from "../lib/planes.js";
import { pieceOnPlane, union } from "../lib/piece.js";
import { greyOf, rangeAround } from "../lib/intensity.js";
import { MAX_RADIUS, MIN_RADIUS, paintStretched, paintStroke, strokeBounds } from "../lib/strokes.js";
import { colourPiece, LARGE, LAYER_ALPHA } from "./bitmaps.js";
import { drawPicture, drawTip } from "./scene.js";

export class BrushTool {
  isDrag = true;

  constructor(desk) {
    this.desk = desk;
    this.radius = 32;
    /** @type {"round"|"square"|"ball"} */
    this.tip = "round";
    /** What may be painted on: anything, a range of intensities, pixels of no other class, or those of one class. */
    this.limit = "any";
    this.low = 0;
    this.high = 0;
    this.isErasing = false;
    this.points = [];
    this.hover = null;
    this.plane = null;
    this.canvas = document.createElement("canvas");
  }

  get options() {
    const others = [...this.desk.classes.values()].filter((entry) => entry.tool === "brush" && entry !== this.desk.label);
    return [
      { id: "size", kind: "size", label: "Size", text: `${(2 * this.size).toFixed(this.size < 8 ? 1 : 0)} px` },
      { id: "tip", kind: "choice", label: "Tip", values: [["round", "Round"], ["square", "Square"], ...(this.desk.isVolume ? [["ball", "Ball"]] : [])] },
      { id: "limit", kind: "choice", label: "Only on", values: [["any", "anything"], ["range", "intensities"], ["free", "free pixels"], ...others.map((entry) => [`on:${entry.key}`, entry.name])] },
      ...(this.limit === "range" ? [
        { id: "low", kind: "number", label: "from" }, { id: "high", kind: "number", label: "to", hint: "Alt+click takes them from a place" },
      ] : []),
    ];
  }

  get isBusy() {
    return this.points.length > 0;
  }

  /** Whether what is painted must be kept as a mask. */
  get isMask() {
    return this.tip === "ball" || this.limit !== "any";
  }

  /** How tall a row is to the tip, in columns: a ball is round in millimetres, a flat tip in pixels. */
  get tall() {
    return this.tip === "ball" ? this.desk.view.aspect[1] : 1;
  }

  /** The radius in image pixels. */
  get size() {
    return this.radius / 4;
  }

  resize(factor) {
    const next = Math.round(this.radius * factor);
    this.radius = Math.min(MAX_RADIUS, Math.max(MIN_RADIUS, next === this.radius ? next + Math.sign(factor - 1) : next));
  }

  down(x, y, event) {
    if (!this.desk.painted()) return undefined;
    const { columns, rows } = this.desk.view;
    if (event?.altKey) {
      if (!this.desk.hasValues()) return undefined;
      [this.low, this.high] = rangeAround(this.desk.slice, Math.floor(x), Math.floor(y)).map((value) => Number(value.toPrecision(4)));
      this.limit = "range";
      this.desk.emit("options");
      return undefined;
    }
    this.isLarge = columns * rows > LARGE;
    if (this.isLarge && this.isMask) return this.desk.say("On a picture of this size only a plain stroke can be painted.");
    if (this.limit === "range" && !this.desk.hasValues()) return undefined;
    this.points = this.quarters(x, y);
    if (this.isLarge) return undefined;
    const slice = this.desk.layerSlice();
    this.plane = { data: slice ? slice.data.slice() : new Uint8Array(columns * rows), width: columns, height: rows };
    this.touched = this.isMask ? { ...this.plane, data: new Uint8Array(columns * rows) } : null;
    this.allows = this.allowed(this.desk.active.index, this.desk.slice);
    [this.canvas.width, this.canvas.height] = [columns, rows];
    colourPiece(this.canvas, this.plane, this.desk.colour, [0, 0, columns, rows]);
    return this.paint(this.points);
  }

  move(x, y) {
    this.hover = [x, y];
    if (!this.isBusy) return;
    const next = this.quarters(x, y);
    const last = this.points.slice(-2);
    if (next[0] === last[0] && next[1] === last[1]) return;
    this.points.push(...next);
    if (!this.isLarge) this.paint([...last, ...next]);
    if (this.points.length >= 30_000) this.up();
  }

  up() {
    if (!this.isBusy) return;
    const { points, isMask } = this;
    this.cancel();
    const mode = this.isErasing ? "erase" : "add";
    if (!isMask) this.desk.stroke({ mode, tip: this.tip, radius: this.radius, points });
    else this.keepMask(points, mode);
  }

  /** The painted voxels of this slice, and for a ball of those around it. */
  async keepMask(points, mode) {
    const { active, label, proposals } = this.desk;
    const { tip, radius, tall } = this;
    const slices = tip === "ball" ? this.ballSlices(radius) : [{ index: active.index, radius }];
    const { columns: width, rows: height } = active.view;
    const painted = await Promise.all(slices.map(async ({ index, radius: r }) => {
      const slice = this.limit !== "range" ? null : index === active.index ? this.desk.slice : await this.desk.pixels.load(active.plane, index);
      const allows = this.allowed(index, slice);
      const plane = { data: new Uint8Array(width * height), width, height };
      this.paintPath(plane, points, { tip, radius: r, tall }, 1);
      if (allows) plane.data.forEach((value, i) => value && !allows(i) && (plane.data[i] = 0));
      return pieceOnPlane(active.plane, index, plane);
    }));
    const piece = union(painted);
    if (piece) await proposals.keep([{ label: label.key, mode, piece }]);
    else this.desk.say("Nothing here is in the range that may be painted on.");
  }

  /** The slices that a ball reaches, with its radius on each: round in millimetres where the spacing is known. */
  ballSlices(radius) {
    const { active, medium } = this.desk;
    const { across, along } = axesOf(active.plane);
    const step = medium.spacing_mm ? (4 * medium.spacing_mm[along]) / medium.spacing_mm[across] : 4;
    const reach = Math.floor(radius / step);
    return Array.from({ length: 2 * reach + 1 }, (_, i) => i - reach)
      .map((k) => ({ index: active.index + k, radius: Math.round(Math.sqrt(radius * radius - (k * step) ** 2)) }))
      .filter((entry) => entry.index >= 0 && entry.index < active.count && entry.radius >= MIN_RADIUS);
  }

  /** Whether a pixel of a slice may be painted on; null for all. @returns {((i: number) => boolean) | null} */
  allowed(index, slice) {
    if (this.limit === "range" && slice) {
      const [grey, low, high] = [greyOf(slice), this.low, this.high];
      return (i) => grey[i] >= low && grey[i] <= high;
    }
    const { document: { state, layers }, medium, active, label } = this.desk;
    const section = (key) => layers.section(state, medium.ordinal, key, active.plane, index)?.data;
    if (this.limit.startsWith("on:")) {
      const there = section(this.limit.slice(3));
      return (i) => there?.[i] === 1;
    }
    if (this.limit !== "free") return null;
    const others = layers.labels(state, medium.ordinal).filter((key) => key !== label.key).map(section).filter(Boolean);
    return (i) => others.every((data) => !data[i]);
  }

  cancel() {
    this.points = [];
    this.plane = null;
    this.touched = null;
  }

  quarters(x, y) {
    const [cx, cy] = this.desk.view.clamp(x, y);
    return [Math.round(4 * cx), Math.round(4 * cy)];
  }

  paint(points) {
    const { plane, touched, allows } = this;
    const value = this.isErasing ? 0 : 1;
    const box = strokeBounds(points, Math.ceil(this.radius / Math.min(1, this.tall)), plane.width, plane.height);
    if (!box) return;
    if (!allows) this.paintPath(plane, points, this, value);
    else {
      this.paintPath(touched, points, this, 1);
      const [x0, y0, x1, y1] = box;
      for (let y = y0; y < y1; y += 1) {
        for (let i = y * plane.width + x0; i < y * plane.width + x1; i += 1) if (touched.data[i] && allows(i)) plane.data[i] = value;
      }
    }
    colourPiece(this.canvas, plane, this.desk.colour, box);
  }

  /** @param {any} plane @param {number[]} points @param {{tip: string, radius: number, tall: number}} how @param {0|1} value */
  paintPath(plane, points, how, value) {
    const { tip, radius, tall } = how;
    if (tall === 1) paintStroke(plane, points, radius, tip === "square" ? "square" : "round", value);
    else paintStretched(plane, points, radius, tall, value);
  }

  /** The class as it will be after this stroke. */
  drawLayer(context, view) {
    if (!this.isLarge) drawPicture(context, view, this.canvas, { alpha: LAYER_ALPHA });
    else this.drawPath(context, view);
  }

  /** On a picture too large to be held a second time the stroke is shown as a thick line until it is stored. */
  drawPath(context, view) {
    context.save();
    context.globalAlpha = 0.45;
    context.lineCap = this.tip === "square" ? "square" : "round";
    context.lineJoin = "round";
    context.lineWidth = 2 * this.size * view.step[0];
    context.strokeStyle = this.isErasing ? "#ffffff" : this.desk.colour;
    context.beginPath();
    for (let i = 0; i < this.points.length; i += 2) {
      const [x, y] = view.toScreen(this.points[i] / 4, this.points[i + 1] / 4);
      if (i) context.lineTo(x, y);
      else context.moveTo(x, y);
    }
    context.stroke();
    context.restore();
  }

  draw(context, view, colour) {
    if (this.hover) drawTip(context, view, this.hover, this.size, this.tip, this.isErasing ? "#ffffff" : colour);
  }
}
