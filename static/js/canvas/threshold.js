// Threshold in a box, and superpixels: both paint by the values of the slice that is seen, and both are previewed.
import { greyOf, otsu } from "../lib/intensity.js";
import { both, pieceOnPlane, union } from "../lib/piece.js";
import { sidesOf } from "../lib/planes.js";
import { superpixels } from "../lib/superpixels.js";
import { inTurns } from "../lib/turns.js";
import { adding, paintedAnywhere, paintedHere } from "./masks.js";
import { windowed } from "./pixels.js";
import { drawPicture, drawShape } from "./scene.js";

const MOST_PIXELS = 2_000_000;

/** Drag a box: within it, what is brighter or darker than a level. The first level is Otsu's. */
export class ThresholdTool {
  isDrag = true;
  side = "brighter";
  spread = "slice";
  level = 0;
  upper = 0;

  constructor(desk) {
    this.desk = desk;
    this.start = null;
    this.end = null;
    /** The last box, with the slice that it was drawn on: the planes may go elsewhere while the level is set. @type {any} */
    this.box = null;
  }

  get options() {
    return [
      ...(this.desk.isVolume ? [{ id: "spread", kind: "choice", label: "On", values: [["slice", "this slice"], ["volume", "all slices"]] }] : []),
      { id: "side", kind: "choice", label: "Take", values: [["brighter", "brighter than"], ["darker", "darker than"], ["between", "between"]] },
      { id: "level", kind: "number", label: "level", hint: "The level; a new box sets it by Otsu's method" },
      ...(this.side === "between" ? [{ id: "upper", kind: "number", label: "and" }] : []),
    ];
  }

  get isBusy() {
    return this.start !== null;
  }

  changed() {
    if (this.box?.medium === this.desk.medium) this.apply();
  }

  down(x, y) {
    if (!this.desk.painted()) return undefined;
    if (!this.desk.hasValues()) return undefined;
    [this.start, this.end] = [[x, y], [x, y]];
    return undefined;
  }

  move(x, y) {
    if (this.start) this.end = [x, y];
  }

  up(x, y) {
    if (!this.start) return;
    const [x0, x1] = [this.start[0], x].sort((a, b) => a - b);
    const [y0, y1] = [this.start[1], y].sort((a, b) => a - b);
    this.start = null;
    const box = [Math.floor(x0), Math.floor(y0), Math.ceil(x1), Math.ceil(y1)];
    if (box[2] - box[0] < 2 || box[3] - box[1] < 2) return this.desk.say("Drag a box around what is to be painted.");
    const { medium, slice, active: { plane, index } } = this.desk;
    this.box = { box, plane, index, slice, medium };
    const values = cut(greyOf(slice), slice.width, box);
    const level = otsu(values);
    if (Number.isNaN(level)) return this.desk.say("All values in this box are alike.");
    this.spreadOfValues = Math.max(...values.filter(Number.isFinite)) - Math.min(...values.filter(Number.isFinite));
    if (this.side !== "between" || !this.upper) this.level = Number(level.toPrecision(4));
    this.desk.emit("options");
    return this.apply();
  }

  apply() {
    const { desk } = this;
    const { box, plane, index, slice: own, medium } = this.box;
    const label = desk.label.key;
    return desk.proposals.compute("Applying the threshold…", async (run) => {
      const all = this.spread === "volume" && desk.isVolume;
      const indices = all ? Array.from({ length: sidesOf(plane, medium.size).count }, (_, i) => i) : [index];
      const found = [];
      for (const at of indices) {
        const slice = all ? await desk.pixels.load(plane, at) : own;
        found.push(this.within(slice, box, plane, at));
        if (!(await run(nothing()))) return null;
      }
      const changes = adding(label, union(found), all ? paintedAnywhere(desk) : paintedHere(desk, label, index, plane));
      if (!changes.length) return "Nothing in this box is on that side of the level.";
      return { changes, words: `${this.side} ${this.level}`, again: (step) => this.again(step) };
    });
  }

  again(step) {
    // Stronger takes more.
    const by = (step * this.spreadOfValues) / 60;
    this.level = Number((this.level + (this.side === "darker" ? by : -by)).toPrecision(5));
    this.desk.emit("options");
    this.apply();
  }

  /** @param {number[]} box */
  within(slice, box, plane, index) {
    const [x0, y0, x1, y1] = box;
    const values = cut(greyOf(slice), slice.width, [x0, y0, x1, y1]);
    const takes = { brighter: (v) => v >= this.level, darker: (v) => v <= this.level, between: (v) => v >= this.level && v <= this.upper }[this.side];
    const data = Uint8Array.from(values, (value) => (takes(value) ? 1 : 0));
    return pieceOnPlane(plane, index, { data, width: x1 - x0, height: y1 - y0 }, [x0, y0]);
  }

  cancel() {
    this.start = null;
  }

  draw(context, view) {
    if (this.start) drawShape(context, view, [this.region()], "#ffffff", {});
  }

  region() {
    const [xs, ys] = [0, 1].map((axis) => [this.start[axis], this.end[axis]].sort((a, b) => a - b));
    return { kind: "box", points: [[xs[0], ys[0]], [xs[1], ys[1]]] };
  }
}

function* nothing() {
  return true;
}

/** @param {number[]} box */
function cut(values, width, box) {
  const [x0, y0, x1, y1] = box;
  const out = new Float32Array((x1 - x0) * (y1 - y0));
  for (let y = y0; y < y1; y += 1) out.set(values.subarray(y * width + x0, y * width + x1), (y - y0) * (x1 - x0));
  return out;
}

/** Patches of like pixels: press or sweep to take them, with Alt to take them away. */
export class SuperpixelTool {
  // From the keyboard one patch at a time: the next Enter keeps it.
  isDrag = false;
  side = 16;

  constructor(desk) {
    this.desk = desk;
    this.hover = null;
    this.isPressed = false;
    this.isErasing = false;
    /** @type {any} */ this.made = null;
    this.preparing = "";
    this.warned = "";
    this.chosen = new Set();
    /** The preview that was made last, with its slice. @type {any} */
    this.waiting = null;
  }

  get options() {
    return [{ id: "side", kind: "range", label: "Patch", min: 5, max: 60, step: 1, text: `${this.side} px` }];
  }

  get isBusy() {
    return this.isPressed;
  }

  changed() {
    this.made = null;
    this.chosen.clear();
    this.desk.proposals.refuse();
    this.prepare();
  }

  /** Cut the slice that is seen, once; a large picture only where it is seen. */
  async prepare() {
    const { desk } = this;
    const { slice, window, active } = desk;
    if (!slice || !active.isCurrent) return;
    const key = `${desk.medium.ordinal}:${active.plane}:${active.index}:${this.side}`;
    const [sx0, sy0, sx1, sy1] = desk.view.seen();
    if (this.made?.key === key && (this.made.isWhole || holds(this.made.box, [sx0, sy0, sx1, sy1]))) return;
    if (this.preparing === key) return;
    const isWhole = slice.width * slice.height <= MOST_PIXELS;
    const box = isWhole ? [0, 0, slice.width, slice.height] : [Math.floor(sx0), Math.floor(sy0), Math.ceil(sx1), Math.ceil(sy1)];
    if ((box[2] - box[0]) * (box[3] - box[1]) > MOST_PIXELS) {
      if (this.warned !== key) desk.say("Zoom in for superpixels: they are cut from what is seen.");
      this.warned = key;
      return;
    }
    this.preparing = key;
    const picture = shownValues(slice, window, box);
    const cutUp = await inTurns(superpixels(picture, this.side), () => this.preparing === key);
    this.preparing = "";
    if (!cutUp) return;
    this.made = { key, isWhole, box, plane: active.plane, index: active.index, labels: cutUp.labels, width: picture.width, height: picture.height, edges: edgesOf(cutUp.labels, picture) };
    this.chosen.clear();
    desk.redraw();
  }

  down(x, y, event) {
    if (!this.desk.painted() || !this.desk.hasValues()) return undefined;
    const { active, proposals: { current } } = this.desk;
    // Told by the preview: this slice may be cut already, by a pointer that only passed over it.
    const isOwn = current === this.waiting?.current;
    if (current && !isOwn) return this.desk.say("A preview waits: Enter keeps it, Escape drops it.");
    if (current && (this.waiting.plane !== active.plane || this.waiting.index !== active.index)) {
      return this.desk.say("A preview of another slice waits: Enter keeps it, Escape drops it.");
    }
    this.prepare();
    const isErasing = event?.altKey ?? false;
    this.isPressed = true;
    if (isErasing !== this.isErasing || !current) this.chosen.clear();
    this.isErasing = isErasing;
    return this.take(x, y);
  }

  move(x, y) {
    this.hover = [x, y];
    this.prepare();
    if (this.isPressed) this.take(x, y);
  }

  up() {
    this.isPressed = false;
  }

  take(x, y) {
    const { made } = this;
    const patch = this.patchAt(x, y);
    if (patch < 0 || this.chosen.has(patch)) return;
    this.chosen.add(patch);
    const { desk } = this;
    const label = desk.label.key;
    const data = Uint8Array.from(made.labels, (number) => (this.chosen.has(number) ? 1 : 0));
    const piece = pieceOnPlane(made.plane, made.index, { ...made, data }, [made.box[0], made.box[1]]);
    const own = paintedHere(desk);
    const taken = this.isErasing && both(piece, own);
    const changes = this.isErasing ? (taken ? [{ label, mode: "erase", piece: taken }] : []) : adding(label, piece, own);
    const current = changes.length ? { changes } : null;
    this.waiting = { current, plane: made.plane, index: made.index };
    desk.proposals.show(current);
  }

  patchAt(x, y) {
    const { made, desk } = this;
    if (!made || made.plane !== desk.active.plane || made.index !== desk.active.index) return -1;
    const [px, py] = [Math.floor(x) - made.box[0], Math.floor(y) - made.box[1]];
    if (px < 0 || py < 0 || px >= made.width || py >= made.height) return -1;
    return made.labels[py * made.width + px];
  }

  cancel() {
    this.isPressed = false;
  }

  draw(context, view) {
    const { made, desk } = this;
    if (!made || made.plane !== desk.active.plane || made.index !== desk.active.index) return;
    drawPicture(context, view, made.edges, { alpha: 0.35, x: made.box[0], y: made.box[1] });
  }
}

function holds([x0, y0, x1, y1], [a, b, c, d]) {
  return x0 <= a && y0 <= b && x1 >= c && y1 >= d;
}

/** What the eye sees of a part of a slice: grey or colour through the window, 0 to 255. @param {number[]} box */
function shownValues(slice, window, box) {
  const [x0, y0, x1, y1] = box;
  const whole = windowed(slice, window).data;
  const channels = slice.channels >= 3 ? 3 : 1;
  const [width, height] = [x1 - x0, y1 - y0];
  const values = new Float32Array(width * height * channels);
  for (let y = 0, to = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const from = ((y + y0) * slice.width + x + x0) * 4;
      for (let c = 0; c < channels; c += 1, to += 1) values[to] = whole[from + c];
    }
  }
  return { values, channels, width, height };
}

/** The borders of patches as a picture. */
function edgesOf(labels, { width, height }) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  const image = new ImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  for (let i = 0; i < labels.length; i += 1) {
    if ((i % width && labels[i - 1] !== labels[i]) || (i >= width && labels[i - width] !== labels[i])) pixels[i] = 0xffffe68f;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}
