// The tools that draw a new shape. Each gets positions in image pixels and says what to add; none knows the network.
//
// A tool has down, move, up, finish, back, cancel and draw, all optional but draw. `desk` is the plane editor: desk.add(region)
// adds a shape of the current class on the current slice, desk.say(text) tells the person something.
import { area, crossesItself, rounded, simplified, withoutRepeats } from "../lib/geometry.js";
import { measured } from "../lib/measure.js";
import { drawNote } from "./marks.js";
import { drawShape, strokeTwice } from "./scene.js";

const FREEHAND_STEP = 5;
const CLOSE_WITHIN = 11;

/** Polygon and polyline: a click is a corner, a drag draws freely, Enter or a click on the first corner ends it. */
export class PathTool {
  isDrag = false;

  constructor(desk, kind) {
    this.desk = desk;
    this.kind = kind;
    this.points = [];
    this.hover = null;
    this.isDragging = false;
    this.hint = kind === "polygon" ? "Click corners or draw freely; Enter or the first corner closes. Backspace takes one back." : "Click along the line; Enter ends it. Backspace takes one back.";
  }

  get isBusy() {
    return this.points.length > 0;
  }

  down(x, y) {
    const isClosing = this.kind === "polygon" && this.points.length >= 3 && this.desk.isNear(this.points[0], [x, y], CLOSE_WITHIN);
    if (isClosing) return this.finish();
    this.points.push([x, y]);
    this.strokeFrom = this.points.length - 1;
    this.isDragging = true;
    return undefined;
  }

  move(x, y) {
    this.hover = [x, y];
    if (this.isDragging && !this.desk.isNear(this.points.at(-1), [x, y], FREEHAND_STEP)) this.points.push([x, y]);
  }

  up(x, y) {
    if (!this.isDragging) return;
    this.isDragging = false;
    const drawn = this.points.slice(this.strokeFrom);
    if (drawn.length < 3) return;
    this.points = [...this.points.slice(0, this.strokeFrom), ...simplified(drawn, 0.75 / this.desk.view.scale)];
    const isRound = this.kind === "polygon" && this.points.length >= 4 && this.desk.isNear(this.points[0], [x, y], 2 * CLOSE_WITHIN);
    if (!isRound) return;
    // A hand that comes round overshoots: what lies at the beginning again belongs to the first corner.
    while (this.points.length > 3 && this.desk.isNear(this.points[0], this.points.at(-1), CLOSE_WITHIN)) this.points.pop();
    this.finish();
  }

  double() {
    this.points.pop();
    this.finish();
  }

  finish() {
    const points = withoutRepeats(this.points.map(([x, y]) => [rounded(x), rounded(y)]));
    const least = this.kind === "polygon" ? 3 : 2;
    if (points.length < least) return this.desk.say(`A ${this.kind} needs at least ${least} corners.`);
    if (this.kind === "polygon" && crossesItself(points)) {
      return this.desk.say("The outline crosses itself. Take back corners with Backspace, or start again with Escape.");
    }
    if (this.kind === "polygon" && area(points) < 0.5) return this.desk.say("This outline has no area. Draw it larger, or press Escape.");
    this.cancel();
    return this.desk.add({ kind: this.kind, points });
  }

  back() {
    this.points.pop();
  }

  cancel() {
    this.points = [];
    this.isDragging = false;
  }

  draw(context, view, colour) {
    if (!this.points.length) return;
    const line = this.hover && !this.isDragging ? [...this.points, this.hover] : this.points;
    context.save();
    strokeTwice(context, view, line, false, colour, 2);
    if (this.hover) drawNote(context, view, measured({ kind: this.kind, points: line }, this.desk.spacingHere()), this.hover);
    this.points.forEach((point, i) => {
      const [x, y] = view.toScreen(point[0], point[1]);
      const isEnd = i === 0 && this.kind === "polygon" && this.points.length >= 3;
      context.beginPath();
      context.arc(x, y, isEnd ? 6 : 3, 0, 2 * Math.PI);
      context.fillStyle = isEnd ? "#ffffff" : colour;
      context.fill();
      context.strokeStyle = isEnd ? colour : "#000000";
      context.lineWidth = isEnd ? 2.5 : 1;
      context.stroke();
    });
    context.restore();
  }
}

/** Box and ellipse: drag from corner to corner. */
export class BoxTool {
  isDrag = true;

  constructor(desk, kind) {
    this.desk = desk;
    this.kind = kind;
    this.hint = "Drag from corner to corner.";
    this.start = null;
    this.end = null;
  }

  get isBusy() {
    return this.start !== null;
  }

  down(x, y) {
    this.start = [x, y];
    this.end = [x, y];
  }

  move(x, y) {
    if (this.start) this.end = [x, y];
  }

  up(x, y) {
    if (!this.start) return;
    this.end = [x, y];
    const region = this.region();
    this.cancel();
    const [a, b] = region.points;
    const [width, height] = this.kind === "box" ? [b[0] - a[0], b[1] - a[1]] : [2 * b[0], 2 * b[1]];
    if (width < 1 || height < 1) this.desk.say(`Drag from corner to corner to draw ${this.kind === "box" ? "a box" : "an ellipse"}.`);
    else this.desk.add(region);
  }

  region() {
    const [x0, x1] = [this.start[0], this.end[0]].sort((a, b) => a - b).map(rounded);
    const [y0, y1] = [this.start[1], this.end[1]].sort((a, b) => a - b).map(rounded);
    if (this.kind === "box") return { kind: "box", points: [[x0, y0], [x1, y1]] };
    // Rounded down, so that the ellipse never leaves the image that its box is in.
    const half = (low, high) => Math.floor(((high - low) / 2) * 100) / 100;
    return { kind: "ellipse", points: [[(x0 + x1) / 2, (y0 + y1) / 2], [half(x0, x1), half(y0, y1)]] };
  }

  cancel() {
    this.start = null;
    this.end = null;
  }

  draw(context, view, colour) {
    if (!this.start) return;
    const region = this.region();
    drawShape(context, view, [region], colour, { isSelected: true });
    drawNote(context, view, measured(region, this.desk.spacingHere()), this.end);
  }
}

/** Point: a click is a shape. */
export class PointTool {
  isDrag = false;

  constructor(desk) {
    this.desk = desk;
    this.isBusy = false;
    this.hint = "Click a place.";
  }

  down(x, y) {
    this.desk.add({ kind: "points", points: [[rounded(x), rounded(y)]] });
  }

  draw() {}
}
