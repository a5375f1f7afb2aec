// Choosing and changing shapes: click to choose, drag a corner, a middle (a new corner) or the whole; Alt+click drops a corner.
import { area, boundsOf, boxOf, crossesItself, distanceTo, handles, outline, rounded } from "../lib/geometry.js";
import { measured } from "../lib/measure.js";
import { drawNote } from "./marks.js";
import { drawHandles, drawShape } from "./scene.js";

const REACH = 8;

export class SelectTool {
  isDrag = true;
  hint = "Press a shape to choose it, drag it or its corners. Alt+click drops a corner.";

  constructor(desk) {
    this.desk = desk;
    this.hovered = null;
    this.drag = null;
  }

  get isBusy() {
    return this.drag !== null;
  }

  down(x, y, event) {
    const held = this.handleAt(x, y);
    if (held && event?.altKey && held.handle.vertex !== undefined) return this.dropCorner(held);
    const shape = held ? held.shape : this.shapeAt(x, y);
    const holder = shape ? this.desk.heldBy(shape.shape_id) : "";
    if (holder) return this.desk.say(`${holder} is changing this shape now.`);
    this.desk.select(shape?.shape_id ?? null);
    if (shape) this.drag = { shape, held, from: [x, y], regions: shape.regions, hasMoved: false };
    return undefined;
  }

  move(x, y) {
    if (!this.drag) {
      const held = this.handleAt(x, y);
      this.hovered = held ? held.shape.shape_id : (this.shapeAt(x, y)?.shape_id ?? null);
      this.desk.setCursor(held ? "grab" : this.hovered ? "pointer" : "default");
      return;
    }
    const { shape, held, from } = this.drag;
    if (!this.drag.hasMoved && this.desk.isNear(from, [x, y], 3)) return;
    this.drag.hasMoved = true;
    this.drag.at = [x, y];
    this.drag.regions = held ? this.withHandle(shape, held, x, y) : this.shifted(shape, x - from[0], y - from[1]);
  }

  up() {
    const { drag } = this;
    this.drag = null;
    if (!drag?.hasMoved) return;
    const broken = drag.regions.find((region) => region.kind === "polygon" && (crossesItself(region.points) || area(region.points) < 0.5));
    if (broken) this.desk.say("The outline would cross itself. It is as it was before.");
    else this.desk.change(drag.shape, drag.regions.map(tidy));
  }

  cancel() {
    this.drag = null;
  }

  draw(context, view) {
    if (this.drag?.hasMoved) {
      const here = this.desk.onSlice(this.drag.regions);
      drawShape(context, view, here, this.desk.colourOf(this.drag.shape.label), { isSelected: true });
      drawHandles(context, view, here, this.desk.colourOf(this.drag.shape.label));
      if (here.length === 1) drawNote(context, view, measured(here[0], this.desk.spacingHere()), this.drag.at);
    }
  }

  /** The topmost shape at a place; a small one before a large one around it. */
  shapeAt(x, y) {
    const reach = REACH / this.desk.view.scale;
    /** @param {number[]} box */
    const isNear = (box) => x >= box[0] - reach && x <= box[2] + reach && y >= box[1] - reach && y <= box[3] + reach;
    const hits = this.desk.shapesHere().filter(({ here }) => here.some((region) => isNear(boxOf(region)) && distanceTo(region, x, y) <= reach));
    const size = ({ here }) => here.reduce((sum, region) => sum + (region.kind === "polyline" || region.kind === "points" ? 0 : area(outline(region))), 0);
    return hits.sort((a, b) => size(a) - size(b))[0]?.shape ?? null;
  }

  handleAt(x, y) {
    const shape = this.desk.selected();
    if (!shape) return null;
    for (const [index, region] of shape.regions.entries()) {
      if ((region.z ?? 0) !== this.desk.z || region.rotation_deg) continue;
      // Corners before middles: on a short edge both are in reach.
      const near = handles(region).find((handle) => this.desk.isNear([handle.x, handle.y], [x, y], REACH));
      if (near) return { shape, index, handle: near };
    }
    return null;
  }

  withHandle(shape, { index, handle }, x, y) {
    const points = handle.moved(...this.desk.view.clamp(x, y));
    return shape.regions.map((region, i) => (i === index ? { ...region, points } : region));
  }

  /** The regions on this slice moved together, and never out of the image. */
  shifted(shape, dx, dy) {
    const [x0, y0, x1, y1] = boundsOf(this.desk.onSlice(shape.regions));
    const { columns, rows } = this.desk.view;
    const mx = Math.min(Math.max(dx, -x0), columns - x1);
    const my = Math.min(Math.max(dy, -y0), rows - y1);
    return shape.regions.map((region) => {
      if ((region.z ?? 0) !== this.desk.z) return region;
      const [first, ...rest] = region.points;
      // An ellipse is its centre and its radii: only the centre moves.
      const moved = [first[0] + mx, first[1] + my];
      const others = region.kind === "ellipse" ? rest : rest.map(([px, py]) => [px + mx, py + my]);
      return { ...region, points: [moved, ...others] };
    });
  }

  dropCorner({ shape, index, handle }) {
    const region = shape.regions[index];
    const points = region.points.filter((_, i) => i !== handle.vertex);
    const least = { polygon: 3, polyline: 2, points: 1 }[region.kind];
    if (points.length < least) this.desk.say("This corner is needed. Press Delete to remove the whole shape.");
    else this.desk.change(shape, shape.regions.map((entry, i) => (i === index ? { ...entry, points } : entry)));
  }
}

function tidy(region) {
  return { ...region, points: region.points.map(([x, y]) => [rounded(x), rounded(y)]) };
}
