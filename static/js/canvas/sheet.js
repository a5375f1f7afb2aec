// Very many shapes on a sheet of their own: while the view moves the sheet moves with it, and is drawn anew once the view rests.
import { boxOf } from "../lib/geometry.js";
import { drawShapes } from "./scene.js";
import { View } from "./view.js";

/** Shapes from which on a sheet is worth its memory. */
const MANY = 150;
/** How much of the view's size lies around it on the sheet. */
const MARGIN = 0.25;
const REST_MS = 90;
const AGAIN_AFTER_MS = 150;
const MOST_MENDED = 20;
/** Screen pixels around a shape that its line, or the mark of a point, may cover. */
const EDGE = 12;

export class Sheet {
  constructor() {
    this.canvas = null;
    this.content = null;
    this.entries = [];
    /** The view that the sheet was drawn for. @type {View | null} */
    this.view = null;
    /** The same with its margins. @type {View | null} */
    this.wide = null;
    this.drawnAt = 0;
    this.timer = 0;
  }

  /**
   * @param {CanvasRenderingContext2D} context @param {View} view
   * @param {Object<string, any>} content what the shapes depend on besides the view
   * @param {() => any[]} list the shapes, asked for when the content is another
   * @param {(label: string) => string} colourOf @param {() => void} redraw once the view rests
   */
  draw(context, view, content, list, colourOf, redraw) {
    const isSame = this.content !== null && Object.keys(content).every((key) => content[key] === this.content[key]);
    const before = this.entries;
    if (!isSame) {
      this.entries = list();
      this.content = content;
    }
    if (this.entries.length < MANY) {
      this.view = null;
      drawShapes(context, view, this.entries, colourOf);
      return;
    }
    if (!isSame && this.view) this.mend(before, colourOf);
    const isAt = this.view !== null && `${this.view.matrix}` === `${view.matrix}` && this.view.width === view.width && this.view.height === view.height;
    if (!this.view || (!isAt && !this.covers(view) && performance.now() - this.drawnAt > AGAIN_AFTER_MS)) this.render(view, colourOf);
    else if (!isAt) this.renderWhenResting(view, colourOf, redraw);
    this.blit(context, view);
  }

  /** Whether all of the image that is seen is on the sheet. */
  covers(view) {
    const [x0, y0, x1, y1] = view.seen();
    return [[x0, y0], [x1, y1]].every(([x, y]) => {
      const [sx, sy] = this.view.toScreen(x, y);
      const [mx, my] = [MARGIN * this.view.width + 1, MARGIN * this.view.height + 1];
      return sx >= -mx && sy >= -my && sx <= this.view.width + mx && sy <= this.view.height + my;
    });
  }

  render(view, colourOf) {
    clearTimeout(this.timer);
    const ratio = window.devicePixelRatio || 1;
    const [mx, my] = [Math.round(MARGIN * view.width), Math.round(MARGIN * view.height)];
    this.canvas ??= document.createElement("canvas");
    const [width, height] = [Math.round((view.width + 2 * mx) * ratio), Math.round((view.height + 2 * my) * ratio)];
    if (this.canvas.width !== width || this.canvas.height !== height) [this.canvas.width, this.canvas.height] = [width, height];
    const context = this.canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.view = Object.assign(new View(view.columns, view.rows, view.aspect), view);
    this.wide = Object.assign(new View(view.columns, view.rows, view.aspect), view, {
      width: view.width + 2 * mx, height: view.height + 2 * my, left: view.left + mx, top: view.top + my,
    });
    drawShapes(context, this.wide, this.entries, colourOf, true);
    this.drawnAt = performance.now();
  }

  /** Draw anew only where shapes came, went or changed; very many of them: all. */
  mend(before, colourOf) {
    const [old, now] = [new Set(before.map(({ shape }) => shape)), new Set(this.entries.map(({ shape }) => shape))];
    const changed = [...before.filter(({ shape }) => !now.has(shape)), ...this.entries.filter(({ shape }) => !old.has(shape))];
    if (changed.length > MOST_MENDED) {
      this.view = null;
      return;
    }
    const room = EDGE / this.wide.scale;
    for (const { here } of changed) {
      for (const region of here) {
        const box = boxOf(region);
        this.mendBox([box[0] - room, box[1] - room, box[2] + room, box[3] + room], colourOf);
      }
    }
  }

  /** @param {number[]} box of the image */
  mendBox([x0, y0, x1, y1], colourOf) {
    const context = this.canvas.getContext("2d");
    const corners = [this.wide.toScreen(x0, y0), this.wide.toScreen(x1, y1)];
    const [left, top] = [0, 1].map((axis) => Math.floor(Math.min(corners[0][axis], corners[1][axis])));
    const [right, bottom] = [0, 1].map((axis) => Math.ceil(Math.max(corners[0][axis], corners[1][axis])));
    context.save();
    context.beginPath();
    context.rect(left, top, right - left, bottom - top);
    context.clip();
    context.clearRect(left, top, right - left, bottom - top);
    const meets = (region) => {
      const box = boxOf(region);
      return box[0] <= x1 && box[2] >= x0 && box[1] <= y1 && box[3] >= y0;
    };
    drawShapes(context, this.wide, this.entries.filter(({ here }) => here.some(meets)), colourOf, true);
    context.restore();
  }

  renderWhenResting(view, colourOf, redraw) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.render(view, colourOf);
      redraw();
    }, REST_MS);
  }

  /** The sheet as it lies under another view: moved, scaled, mirrored, turned. */
  blit(context, view) {
    const [a, b, c, d, left, top] = this.view.matrix;
    const det = a * d - b * c;
    const [ua, ub, uc, ud, uleft, utop] = view.matrix;
    // view · sheet⁻¹
    const [ia, ib, ic, id] = [d / det, -b / det, -c / det, a / det];
    const [ma, mb, mc, md] = [ua * ia + uc * ib, ub * ia + ud * ib, ua * ic + uc * id, ub * ic + ud * id];
    const [mx, my] = [Math.round(MARGIN * this.view.width), Math.round(MARGIN * this.view.height)];
    context.save();
    context.imageSmoothingQuality = "low";
    context.transform(ma, mb, mc, md, uleft - ma * left - mc * top, utop - mb * left - md * top);
    context.drawImage(this.canvas, -mx, -my, this.view.width + 2 * mx, this.view.height + 2 * my);
    context.restore();
  }
}
