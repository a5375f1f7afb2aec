// What tools ask of the editor, always about the active pane. Not here: opening media, positions and layouts (plane.js).

import { spacingIn } from "../lib/planes.js";

/** The tools that draw outlines, on axial slices alone. */
export const DRAWING = ["polygon", "polyline", "box", "ellipse", "point", "sculpt"];

export class Desk extends EventTarget {
  /** @type {any} */ document;
  /** @type {any} */ label = null;
  /** @type {any} */ active = null;
  /** @type {any[]} */ panes = [];
  /** @type {Object<string, any>} */ tools = {};
  /** @type {Map<string, any>} */ classes = new Map();
  /** @type {string | null} */ selectedId = null;
  /** Who holds a shape at this moment; "" where nobody does. @type {(shapeId: string) => string} */
  heldBy = () => "";
  toolName = "select";
  isHidden = false;

  /** Tools act on the medium of the active pane. @returns {any} */
  get medium() {
    return this.active?.medium ?? null;
  }

  /** @returns {any} */
  get pixels() {
    return this.active?.pixels ?? null;
  }

  /** The voxel [z, y, x] of the active pane's medium at the place that all panes share. @returns {number[]} */
  get position() {
    return this.active.position;
  }

  get tool() {
    return this.tools[this.toolName];
  }

  get brush() {
    return this.tools.brush;
  }

  get view() {
    return this.active.view;
  }

  get canvas() {
    return this.active.canvas;
  }

  get slice() {
    return this.active.slice;
  }

  get trouble() {
    return this.active.trouble;
  }

  /** The axial slice. */
  get z() {
    return this.position[0];
  }

  selected() {
    const shape = this.document.state.shapes.get(this.selectedId);
    return shape && !shape.is_deleted && shape.medium === this.medium.ordinal && this.active.isAxial ? shape : null;
  }

  /** A medium's shapes that are not deleted. */
  standing({ ordinal } = this.medium) {
    return [...this.document.state.shapes.values()].filter((shape) => !shape.is_deleted && shape.medium === ordinal);
  }

  /** What a tool on the active pane can take hold of. */
  shapesHere() {
    return this.isHidden || !this.active.isAxial ? [] : this.shapesOn(this.z);
  }

  shapesOn(z, medium = this.medium) {
    return this.standing(medium).map((shape) => ({ shape, here: this.onSlice(shape.regions, z) })).filter(({ here }) => here.length);
  }

  onSlice(regions, z = this.z) {
    return regions.filter((region) => (region.z ?? 0) === z);
  }

  isNear([ax, ay], [bx, by], within) {
    const [sx, sy] = this.view.step;
    return Math.hypot((ax - bx) * sx, (ay - by) * sy) <= within;
  }

  /** Whether the tool in hand can act where the pointer is; says why not. */
  canDraw() {
    if (this.active.isOutside) this.say("This place lies outside this series. Scroll here to come back into it.");
    else if (!this.active.isCurrent) this.say("This slice is still on its way. Wait until it stands.");
    else if (DRAWING.includes(this.toolName) && !this.active.isAxial) this.say("Outlines belong to axial slices. Change the plane with Shift+V, or paint: masks are shown on all planes.");
    else return true;
    return false;
  }

  colourOf(label) {
    return this.classes.get(label)?.colour ?? "#bbbbbb";
  }

  get colour() {
    return this.label?.colour ?? "#bbbbbb";
  }

  painted() {
    if (this.label?.tool === "brush") return true;
    this.say("No class of this project is painted with the brush.");
    return false;
  }

  /** What is painted of a class on the active pane's slice. */
  layerSlice(label = this.label.key) {
    return this.document.layers.section(this.document.state, this.medium.ordinal, label, this.active.plane, this.active.index);
  }

  /** Whether the values of the slice are here; of a picture in tiles they are brought, and the person presses again. */
  hasValues() {
    if (this.slice) return true;
    if (this.pixels?.isTiled) this.bringValues();
    else this.say("The values of this picture are not known.");
    return false;
  }

  async bringValues() {
    this.say("Bringing the values of this picture. Press again in a moment.");
    try {
      this.active.slice = await this.pixels.bringWhole();
      this.emit("options");
    } catch (error) {
      this.say(error.message);
    }
  }

  /** Millimetres a column and a row of the active slice, or null. */
  spacingHere() {
    return spacingIn(this.active.plane, this.medium.spacing_mm);
  }

  add(region) {
    const placed = this.z ? { ...region, z: this.z } : region;
    const id = crypto.randomUUID();
    this.document.act("shape.add", { shape_id: id, medium: this.medium.ordinal, label: this.label.key, regions: [placed] });
    // The new shape's own questions are wanted now; the tool stays in hand for the next one.
    this.select(id);
  }

  change(shape, regions) {
    this.document.act("shape.geometry", { shape_id: shape.shape_id, base_version: shape.version, regions });
  }

  stroke(parts) {
    const { plane, index } = this.active;
    this.document.act("stroke.add", {
      stroke_id: crypto.randomUUID(), medium: this.medium.ordinal, plane, index, label: this.label.key, ...parts,
    });
  }

  showCursor() {
    const own = { select: "default", brush: "none", eraser: "none" };
    for (const pane of this.panes) pane.canvas.style.cursor = own[this.toolName] ?? "crosshair";
  }

  setCursor(cursor) {
    this.canvas.style.cursor = cursor;
  }

  say(text) {
    this.dispatchEvent(new CustomEvent("say", { detail: text }));
  }

  /** @param {string | null} _id */
  select(_id) {}

  emit(name) {
    this.dispatchEvent(new Event(name));
  }
}
