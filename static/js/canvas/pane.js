// One plane of a medium on one canvas: which slice, where it is on the screen, and the drawing of a frame. Decides nothing.
//
// Everything on a frame belongs to the slice whose picture is shown: while the next one is on its way, the labels wait with it.
import { axesOf, sidesOf, spacingIn, uprightOf } from "../lib/planes.js";
import { Bitmaps } from "./bitmaps.js";
import { drawCrossings, drawDirections, drawLinkedCross, drawWords } from "./marks.js";
import { drawCrosshair, drawGrid, drawHandles, drawPicture, drawScale, drawShape, drawShapes } from "./scene.js";
import { Sheet } from "./sheet.js";
import { View } from "./view.js";

/** @typedef {import("../lib/planes.js").PlaneName} PlaneName */

const LENS_RADIUS = 110;

export class Pane {
  /** @param {any} editor @param {HTMLCanvasElement} canvas @param {PlaneName} plane */
  constructor(editor, canvas, plane) {
    this.editor = editor;
    this.canvas = canvas;
    this.plane = plane;
    /** @type {any} */
    this.medium = null;
    /** @type {any} null where only the grid is known */
    this.pixels = null;
    this.bitmaps = new Bitmaps();
    this.sheet = new Sheet();
    this.slice = null;
    this.shown = -1;
    this.trouble = "";
    this.loading = 0;
    this.direction = 1;
    this.sections = { state: null, head: -1, index: -1, byLabel: new Map() };
    new ResizeObserver(() => this.resize()).observe(canvas.parentElement);
  }

  get isShown() {
    return this.canvas.parentElement.clientWidth > 0 && !this.canvas.parentElement.hidden;
  }

  get isAxial() {
    return this.plane === "axial";
  }

  /** The shared place in this medium's voxels [z, y, x]; not rounded. @returns {number[]} */
  get place() {
    return this.editor.placeIn(this.medium);
  }

  /** @returns {number[]} */
  get position() {
    return this.place.map(Math.round);
  }

  /** Which of the medium's slices is wanted here. */
  get index() {
    return Math.round(this.place[axesOf(this.plane).along]);
  }

  get count() {
    return sidesOf(this.plane, this.medium.size).count;
  }

  /** Whether the shared place lies before the first or behind the last slice of this series. */
  get isOutside() {
    return this.index < 0 || this.index >= this.count;
  }

  /** How its values become grey; one for all panes of a medium. */
  get window() {
    return this.editor.windows.get(this.medium?.ordinal) ?? null;
  }

  /** Whether what is seen is what would be painted on. */
  get isCurrent() {
    return !this.isOutside && (!this.pixels || this.shown === this.index);
  }

  /** Show a plane of a medium from its first view on. @param {PlaneName} plane */
  open(plane = this.plane, medium = this.medium) {
    this.plane = plane;
    this.medium = medium;
    this.pixels = this.editor.pixelsFor(medium);
    const { columns, rows } = sidesOf(plane, medium.size);
    const spacing = spacingIn(plane, medium.spacing_mm);
    this.view = new View(columns, rows, spacing ? [1, spacing[1] / spacing[0]] : [1, 1]);
    if (medium.size[0] > 1) Object.assign(this.view, uprightOf(plane, medium.affine));
    this.slice = null;
    this.shown = -1;
    this.resize();
    this.view.fit();
  }

  /** Bring the slice that is wanted; one that is here comes at once, of those on the way only the latest wish counts. */
  async bring() {
    const { pixels } = this;
    if (this.isOutside) {
      this.shown = -1;
      this.slice = null;
      this.editor.emit("picture");
      return this.redraw();
    }
    if (!pixels) {
      this.shown = this.index;
      return this.redraw();
    }
    const [wanted, plane] = [this.index, this.plane];
    const here = pixels.peek(plane, wanted);
    if (here) return this.take(here, wanted);
    if (this.loading >= 2) return undefined;
    this.loading += 1;
    let slice = null;
    try {
      slice = await pixels.load(plane, wanted);
    } catch (error) {
      if (wanted === this.index) this.trouble = error.message;
    } finally {
      this.loading -= 1;
    }
    if (pixels !== this.pixels || plane !== this.plane || this.isOutside) return undefined;
    if (slice && (wanted === this.index || this.shown < 0)) this.take(slice, wanted);
    else if (!slice) this.editor.emit("picture");
    return this.shown === this.index || this.trouble ? undefined : this.bring();
  }

  take(slice, index) {
    if (this.shown >= 0 && index !== this.shown) this.direction = Math.sign(index - this.shown);
    // The overview of a picture in tiles is not its slice.
    this.slice = this.pixels.isTiled ? this.pixels.whole : slice;
    this.shown = index;
    this.trouble = "";
    this.editor.arrived(this);
    this.pixels.prefetch(this.plane, index, this.direction);
    this.redraw();
  }

  resize() {
    const { clientWidth, clientHeight } = this.canvas.parentElement;
    if (!clientWidth || !clientHeight) return;
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(clientWidth * ratio);
    this.canvas.height = Math.round(clientHeight * ratio);
    this.canvas.style.width = `${clientWidth}px`;
    this.canvas.style.height = `${clientHeight}px`;
    this.view?.resize(clientWidth, clientHeight);
    if (this.view?.isFitted) this.editor.follow(this);
    this.draw();
  }

  redraw() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.draw();
    });
  }

  draw() {
    const { editor, view } = this;
    if (!view || !this.isShown) return;
    const context = this.canvas.getContext("2d");
    const ratio = window.devicePixelRatio || 1;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, view.width, view.height);
    if (this.isOutside) {
      drawWords(context, view, "The place lies outside this series");
      if (editor.isLinked) drawLinkedCross(context, view, this.plane, this.place);
      return;
    }
    this.drawImage(context, view);
    if (!editor.isHidden) this.drawLabels(context, view);
    for (const overlay of editor.overlays) overlay(context, view, this);
    editor.proposals.draw(context, this);
    if (editor.isLinked && this.medium.size[0] > 1) drawLinkedCross(context, view, this.plane, this.place);
    const isActive = this === editor.active;
    if (isActive) editor.tool.draw(context, view, editor.colour);
    if (isActive && editor.crosshair) drawCrosshair(context, view, editor.crosshair);
    if (isActive && editor.isMagnified) this.drawLens(context);
    const { affine, spacing_mm: spacing, size } = this.medium;
    drawScale(context, view, spacingIn(this.plane, spacing)?.[0]);
    if (size[0] > 1) drawDirections(context, view, this.plane, affine);
  }

  /** @param {View} view @param {boolean} [isAgain] what is drawn a second time asks for nothing */
  drawImage(context, view, isAgain = false) {
    const { medium, window, pixels } = this;
    if (!pixels) drawGrid(context, view);
    else if (this.shown < 0 || !window) return;
    else if (pixels.isTiled) pixels.draw(context, view, window, isAgain ? null : () => this.redraw());
    else {
      const place = `${medium.ordinal}:${this.plane}:${this.shown}`;
      drawPicture(context, view, this.bitmaps.slice(this.slice, window, place), { isSmooth: true });
    }
  }

  /** Around the pointer, three times as large. */
  drawLens(context) {
    const { editor, view } = this;
    if (!editor.pointer) return;
    const [x, y] = view.toScreen(editor.pointer[0], editor.pointer[1]);
    const lens = Object.assign(new View(view.columns, view.rows, view.aspect), view, { scale: view.scale * 3 });
    lens.place(editor.pointer, x, y);
    context.save();
    context.beginPath();
    context.arc(x, y, LENS_RADIUS, 0, 2 * Math.PI);
    context.save();
    context.clip();
    context.fillStyle = "#050505";
    context.fill();
    this.drawImage(context, lens, true);
    if (!editor.isHidden) this.drawLabels(context, lens, true);
    editor.tool.draw(context, lens, editor.colour);
    context.restore();
    context.beginPath();
    context.arc(x, y, LENS_RADIUS, 0, 2 * Math.PI);
    for (const [style, width] of /** @type {[string, number][]} */ ([["rgb(0 0 0 / 80%)", 5], ["#e8e8e8", 2]])) {
      context.strokeStyle = style;
      context.lineWidth = width;
      context.stroke();
    }
    context.restore();
  }

  /** What is painted of a class on the slice that is shown, cut anew only when something was added. */
  section(label) {
    const { medium } = this;
    const { state, layers } = this.editor.document;
    const kept = this.sections;
    if (kept.state !== state || kept.head !== state.head_seq || kept.index !== this.shown || kept.plane !== this.plane || kept.medium !== medium) {
      this.sections = { state, head: state.head_seq, index: this.shown, plane: this.plane, medium, byLabel: new Map() };
    }
    const { byLabel } = this.sections;
    if (!byLabel.has(label)) byLabel.set(label, layers.section(state, medium.ordinal, label, this.plane, this.shown));
    return byLabel.get(label);
  }

  /** @param {View} view @param {boolean} [isAgain] a second time, under another view */
  drawLabels(context, view, isAgain = false) {
    const { editor } = this;
    const { state, layers } = editor.document;
    const isPainting = this === editor.active && editor.brush.isBusy;
    const painted = layers.labels(state, this.medium.ordinal)
      .filter((label) => !(isPainting && label === editor.label.key))
      .map((label) => ({ plane: this.section(label), colour: editor.colourOf(label) }))
      .filter(({ plane }) => plane);
    const picture = this.bitmaps.merged(painted, view);
    if (picture) drawPicture(context, view, ...picture);
    if (isPainting) editor.brush.drawLayer(context, view);
    const colourOf = (label) => editor.colourOf(label);
    if (this.isAxial) this.drawShapes(context, view, colourOf, isAgain);
    else drawCrossings(context, view, this.plane, this.shown, editor.standing(this.medium), colourOf);
  }

  drawShapes(context, view, colourOf, isAgain) {
    const { editor } = this;
    const dragged = editor.tool.drag?.hasMoved ? editor.selectedId : null;
    const { state } = editor.document;
    const { medium } = this;
    const list = () => editor.shapesOn(this.shown, medium).filter(({ shape }) => shape.shape_id !== dragged);
    if (isAgain) drawShapes(context, view, list(), colourOf);
    else this.sheet.draw(context, view, { state, head: state.head_seq, medium, index: this.shown, dragged }, list, colourOf, () => this.redraw());
    const ids = [editor.selectedId, editor.toolName === "select" ? editor.tool.hovered : null].filter((id) => id && id !== dragged);
    for (const shape of [...new Set(ids)].map((id) => state.shapes.get(id))) {
      const here = shape && !shape.is_deleted && shape.medium === medium.ordinal ? editor.onSlice(shape.regions, this.shown) : [];
      if (!here.length) continue;
      const isSelected = shape.shape_id === editor.selectedId;
      drawShape(context, view, here, colourOf(shape.label), { isSelected, isHovered: !isSelected });
      if (isSelected && editor.toolName === "select") {
        drawHandles(context, view, here.filter((region) => !region.rotation_deg), colourOf(shape.label));
      }
    }
  }
}
