// The sculptor pushes the chosen outline with a round tip; the ruler measures and stores nothing.
import { area, crossesItself, distanceTo, rounded, withoutRepeats } from "../lib/geometry.js";
import { figure, lengthOf, measured } from "../lib/measure.js";
import { fewerCorners, pushed } from "../lib/sculpt.js";
import { drawNote } from "./marks.js";
import { drawShape, drawTip, strokeTwice } from "./scene.js";

const BENDABLE = ["polygon", "polyline"];

export class SculptTool {
  isDrag = true;
  /** Of the tip, on the screen. */
  radius_px = 28;

  constructor(desk) {
    this.desk = desk;
    this.hover = null;
    this.drag = null;
  }

  get options() {
    return [{ id: "radius_px", kind: "range", label: "Tip", min: 6, max: 160, step: 1, text: `${Math.round(2 * this.radius_px)} px on the screen` }];
  }

  get isBusy() {
    return this.drag !== null;
  }

  /** In image pixels. */
  get radius() {
    return this.radius_px / this.desk.view.step[0];
  }

  resize(factor) {
    this.radius_px = Math.min(160, Math.max(6, this.radius_px * factor));
    this.desk.emit("options");
  }

  down(x, y) {
    const { desk } = this;
    const held = this.nearest(x, y);
    if (!held) return desk.say("Take the tip to an outline of this slice, inside or outside of it, then push.");
    const holder = desk.heldBy(held.shape.shape_id);
    if (holder) return desk.say(`${holder} holds this shape. Wait until it is let go.`);
    desk.select(held.shape.shape_id);
    this.drag = { ...held, regions: held.shape.regions, hasMoved: false, at: [x, y] };
    return this.push(x, y);
  }

  move(x, y) {
    this.hover = [x, y];
    if (!this.drag) return;
    // A quick hand makes large steps: the tip must not jump over the line.
    const [fromX, fromY] = this.drag.at;
    const steps = Math.max(1, Math.ceil(Math.hypot(x - fromX, y - fromY) / (this.radius / 3)));
    for (let k = 1; k <= steps; k += 1) this.push(fromX + ((x - fromX) * k) / steps, fromY + ((y - fromY) * k) / steps);
    this.drag.at = [x, y];
  }

  up() {
    const { drag, desk } = this;
    this.drag = null;
    if (!drag?.hasMoved) return undefined;
    const region = drag.regions[drag.index];
    const isClosed = region.kind === "polygon";
    const points = withoutRepeats(fewerCorners(region.points, isClosed, 0.4 / desk.view.scale).map(([x, y]) => [rounded(x), rounded(y)]));
    if (isClosed && (points.length < 3 || crossesItself(points) || area(points) < 0.5)) {
      return desk.say("The outline would cross itself. It is as it was before; push in smaller steps.");
    }
    return desk.change(drag.shape, drag.shape.regions.map((entry, i) => (i === drag.index ? { ...entry, points } : entry)));
  }

  cancel() {
    this.drag = null;
  }

  /** The outline on this slice whose line is nearest; the chosen one before others. */
  nearest(x, y) {
    const { desk } = this;
    const found = [];
    for (const { shape } of desk.shapesHere()) {
      shape.regions.forEach((region, index) => {
        if (!BENDABLE.includes(region.kind) || (region.z ?? 0) !== desk.z) return;
        const line = { kind: "polyline", points: region.kind === "polygon" ? [...region.points, region.points[0]] : region.points };
        const bonus = shape.shape_id === desk.selectedId ? this.radius : 0;
        const distance = distanceTo(line, x, y) - bonus;
        if (distance <= 2 * this.radius || shape.shape_id === desk.selectedId) found.push({ shape, index, distance });
      });
    }
    return found.sort((a, b) => a.distance - b.distance)[0] ?? null;
  }

  push(x, y) {
    const { drag, desk } = this;
    const region = drag.regions[drag.index];
    // The tip is round on the screen: rows are stretched to the size of columns and back.
    const tall = desk.view.aspect[1] / desk.view.aspect[0];
    const points = region.points.map(([px, py]) => [px, py * tall]);
    const moved = pushed(points, region.kind === "polygon", [x, y * tall], this.radius);
    if (moved === points) return;
    drag.hasMoved = true;
    const placed = moved.map(([px, py]) => desk.view.clamp(px, py / tall));
    drag.regions = drag.regions.map((entry, i) => (i === drag.index ? { ...entry, points: placed } : entry));
  }

  draw(context, view, colour) {
    const { drag, desk } = this;
    if (drag) {
      const here = desk.onSlice(drag.regions);
      drawShape(context, view, here, desk.colourOf(drag.shape.label), { isSelected: true });
      if (this.hover) drawNote(context, view, measured(drag.regions[drag.index], desk.spacingHere()), this.hover);
    }
    if (this.hover) drawTip(context, view, this.hover, this.radius, "round", colour);
  }
}

/** The chosen shape's outlines with no more corners than the screen can show. */
export function simplifySelected(desk) {
  const shape = desk.selected();
  if (!shape) return desk.say("Choose an outline first (S), then take corners from it.");
  const holder = desk.heldBy(shape.shape_id);
  if (holder) return desk.say(`${holder} is changing this shape now.`);
  const regions = shape.regions.map((region) =>
    (BENDABLE.includes(region.kind) ? { ...region, points: fewerCorners(region.points, region.kind === "polygon", 1 / desk.view.scale) } : region));
  const [before, after] = [shape.regions, regions].map((all) => all.reduce((sum, region) => sum + region.points.length, 0));
  if (after === before || regions.some((region) => region.kind === "polygon" && crossesItself(region.points))) {
    return desk.say("At this zoom no corner can be spared. Zoom out to be coarser.");
  }
  desk.change(shape, regions);
  return desk.say(`${before} corners became ${after}. Undo with Z.`);
}

/** Press, drag, release: a length. */
export class RulerTool {
  isDrag = true;
  hint = "Drag to measure. Nothing is stored.";

  constructor(desk) {
    this.desk = desk;
    this.points = [];
    this.isBusy = false;
  }

  down(x, y) {
    this.points = [[x, y], [x, y]];
    this.isBusy = true;
  }

  move(x, y) {
    if (this.isBusy) this.points = [this.points[0], [x, y]];
  }

  up(x, y) {
    this.move(x, y);
    this.isBusy = false;
  }

  cancel() {
    this.points = [];
    this.isBusy = false;
  }

  draw(context, view) {
    if (!this.points.length) return;
    const spacing = this.desk.spacingHere();
    strokeTwice(context, view, this.points, false, "#8fd0ff", 2);
    drawNote(context, view, `${figure(lengthOf(this.points, spacing))} ${spacing ? "mm" : "px"}`, this.points[1]);
  }
}
