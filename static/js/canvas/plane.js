// The plane editor: one slice of one medium on a canvas, with the tools that act on it. Its content is the document's state.
//
// It never changes the document itself: it asks `document.act(kind, payload)`. Not here: pointer and wheel (input.js),
// panels and keys (label/), the network (label/sync.js).
import { boundsOf } from "../lib/geometry.js";
import { Bitmaps } from "./bitmaps.js";
import { BrushTool } from "./brush.js";
import { firstWindow, presetsOf } from "./pixels.js";
import { drawCrosshair, drawGrid, drawHandles, drawLayer, drawPicture, drawScale, drawShape } from "./scene.js";
import { SelectTool } from "./select.js";
import { BoxTool, PathTool, PointTool } from "./tools.js";
import { View } from "./view.js";

/** Which tool draws a class; a brush class is also erased. */
export const TOOL_OF_CLASS = {
  polygon: "polygon", box: "box", point: "point", polyline: "polyline", ellipse: "ellipse", brush: "brush",
};

export class PlaneEditor extends EventTarget {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {{state: any, layers: any, act: (kind: string, payload: any) => void}} document
   * @param {any[]} classes of the ontology
   */
  constructor(canvas, document, classes) {
    super();
    this.canvas = canvas;
    this.document = document;
    this.classes = new Map(classes.map((entry) => [entry.key, entry]));
    this.label = classes[0] ?? null;
    this.bitmaps = new Bitmaps();
    this.selectedId = null;
    this.isHidden = false;
    this.isReadOnly = false;
    /** Where the keyboard's pointer is; null while the mouse is used. */
    this.crosshair = null;
    this.slice = null;
    this.trouble = "";
    this.z = 0;
    this.window = null;
    const brush = new BrushTool(this);
    this.tools = {
      select: new SelectTool(this), polygon: new PathTool(this, "polygon"), polyline: new PathTool(this, "polyline"),
      box: new BoxTool(this, "box"), ellipse: new BoxTool(this, "ellipse"), point: new PointTool(this), brush, eraser: brush,
    };
    this.toolName = "select";
    new ResizeObserver(() => this.resize()).observe(canvas.parentElement);
  }

  get tool() {
    return this.tools[this.toolName];
  }

  get brush() {
    return this.tools.brush;
  }

  get depth() {
    return this.medium.size[0];
  }

  /** Show a medium. @param {any} medium @param {import("./pixels.js").Pixels | null} pixels null where only the grid is known */
  open(medium, pixels) {
    const [depth, rows, columns] = medium.size;
    const spacing = medium.spacing_mm;
    this.medium = medium;
    this.pixels = pixels;
    this.view = new View(columns, rows, spacing ? [1, spacing[1] / spacing[2]] : [1, 1]);
    this.window = null;
    this.slice = null;
    this.z = Math.floor((depth - 1) / 2);
    this.select(null);
    this.resize();
    this.view.fit();
    return this.goTo(this.z);
  }

  async goTo(z) {
    this.tool.cancel?.();
    this.z = Math.min(this.depth - 1, Math.max(0, z));
    this.emit("slice");
    if (!this.pixels) return this.redraw();
    const wanted = this.z;
    this.slice = this.pixels.peek(wanted) ?? this.slice;
    try {
      const slice = await this.pixels.load(wanted);
      if (wanted !== this.z) return undefined;
      this.trouble = "";
      this.slice = slice;
      this.window ??= { ...firstWindow(this.medium, slice) };
      this.shownZ = wanted;
      this.pixels.prefetch(wanted);
    } catch (error) {
      this.trouble = error.message;
    }
    this.emit("picture");
    return this.redraw();
  }

  presets() {
    return this.slice ? presetsOf(this.medium, firstWindow(this.medium, this.slice)) : [];
  }

  setWindow(centre, width) {
    this.window = { centre, width: Math.max(width, 1e-6) };
    this.emit("window");
    this.redraw();
  }

  setTool(name) {
    this.tool.cancel?.();
    this.toolName = name;
    this.brush.isErasing = name === "eraser";
    this.showCursor();
    if (name !== "select") this.select(null);
    this.emit("tool");
    this.redraw();
  }

  /** Make a class the current one, with the tool that draws it. */
  setLabel(key) {
    const label = this.classes.get(key);
    if (!label) return;
    this.label = label;
    const keepsErasing = this.toolName === "eraser" && label.tool === "brush";
    this.setTool(keepsErasing ? "eraser" : TOOL_OF_CLASS[label.tool]);
    this.emit("label");
  }

  select(id) {
    if (this.selectedId === id) return;
    this.selectedId = id;
    this.emit("selection");
    this.redraw();
  }

  /** Choose a shape and go where it is. */
  async reveal(id) {
    const shape = this.document.state.shapes.get(id);
    if (!shape) return;
    if (this.toolName !== "select") this.setTool("select");
    this.select(id);
    if (!shape.regions.length) return;
    if (!this.onSlice(shape.regions).length) await this.goTo(shape.regions[0].z ?? 0);
    this.view.show(boundsOf(this.onSlice(shape.regions)));
    this.redraw();
  }

  remove(id) {
    if (this.isReadOnly || !this.document.state.shapes.get(id)) return;
    if (this.selectedId === id) this.select(null);
    this.document.act("shape.delete", { shape_id: id });
  }

  // What tools ask for.

  selected() {
    const shape = this.document.state.shapes.get(this.selectedId);
    return shape && !shape.is_deleted ? shape : null;
  }

  shapesHere() {
    if (this.isHidden) return [];
    return [...this.document.state.shapes.values()]
      .filter((shape) => !shape.is_deleted && shape.medium === this.medium.ordinal)
      .map((shape) => ({ shape, here: this.onSlice(shape.regions) }))
      .filter(({ here }) => here.length);
  }

  onSlice(regions) {
    return regions.filter((region) => (region.z ?? 0) === this.z);
  }

  isNear([ax, ay], [bx, by], within) {
    const [sx, sy] = this.view.step;
    return Math.hypot((ax - bx) * sx, (ay - by) * sy) <= within;
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

  layerSlice() {
    return this.document.layers.slice(this.document.state, this.medium.ordinal, this.label.key, this.z);
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
    this.document.act("stroke.add", {
      stroke_id: crypto.randomUUID(), medium: this.medium.ordinal, plane: "axial", index: this.z, label: this.label.key, ...parts,
    });
  }

  showCursor() {
    const own = { select: "default", brush: "none", eraser: "none" };
    this.setCursor(own[this.toolName] ?? "crosshair");
  }

  setCursor(cursor) {
    this.canvas.style.cursor = cursor;
  }

  say(text) {
    this.dispatchEvent(new CustomEvent("say", { detail: text }));
  }

  emit(name) {
    this.dispatchEvent(new Event(name));
  }

  // Drawing.

  resize() {
    const { clientWidth, clientHeight } = this.canvas.parentElement;
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(clientWidth * ratio);
    this.canvas.height = Math.round(clientHeight * ratio);
    this.canvas.style.width = `${clientWidth}px`;
    this.canvas.style.height = `${clientHeight}px`;
    this.view?.resize(clientWidth, clientHeight);
    this.draw();
  }

  redraw() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.draw();
    });
  }

  draw() {
    if (!this.view) return;
    const context = this.canvas.getContext("2d");
    const ratio = window.devicePixelRatio || 1;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, this.view.width, this.view.height);
    if (!this.pixels) drawGrid(context, this.view);
    else if (this.slice && this.window) {
      const place = `${this.medium.ordinal}:${this.shownZ}`;
      drawPicture(context, this.view, this.bitmaps.slice(this.slice, this.window, place), { isSmooth: true });
    }
    if (!this.isHidden) this.drawLabels(context);
    this.tool.draw(context, this.view, this.colour);
    if (this.crosshair) drawCrosshair(context, this.view, this.crosshair);
    drawScale(context, this.view, this.medium.spacing_mm?.[2]);
  }

  drawLabels(context) {
    const { state, layers } = this.document;
    const painting = this.brush.isBusy ? this.label.key : null;
    for (const label of layers.labels(state, this.medium.ordinal)) {
      const plane = label === painting ? null : layers.slice(state, this.medium.ordinal, label, this.z);
      if (plane) drawLayer(context, this.view, this.bitmaps.layer(label, plane, this.colourOf(label)));
    }
    if (painting) drawLayer(context, this.view, this.brush.canvas);
    const dragged = this.tools.select.drag?.hasMoved ? this.selectedId : null;
    for (const { shape, here } of this.shapesHere()) {
      if (shape.shape_id === dragged) continue;
      const isSelected = shape.shape_id === this.selectedId;
      const isHovered = this.toolName === "select" && this.tools.select.hovered === shape.shape_id;
      drawShape(context, this.view, here, this.colourOf(shape.label), { isSelected, isHovered });
      if (isSelected && this.toolName === "select") {
        drawHandles(context, this.view, here.filter((region) => !region.rotation_deg), this.colourOf(shape.label));
      }
    }
  }
}
