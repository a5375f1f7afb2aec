// The plane editor: one to three planes of one medium, or of several series in the space of one patient, with the tools that act
// on them. Its content is the document's state.
//
// All panes share one place: a voxel of one medium, which leads to the others through millimetres. Tools act on the active pane
// and its medium: the one that the pointer or the focus is in. It never
// changes the document itself: it asks `document.act(kind, payload)`. Not here: pointer and wheel (input.js), a frame (pane.js),
// previews of computed masks (proposals.js), panels and keys (label/), the network (label/sync.js).
import { boundsOf } from "../lib/geometry.js";
import { areLinked, axesOf, carried, PLANES, sidesOf } from "../lib/planes.js";
import { BrushTool } from "./brush.js";
import { DRAWING } from "./desk.js";
import { MaskActs } from "./mask_acts.js";
import { Pane } from "./pane.js";
import { firstWindow, presetsOf } from "./pixels.js";
import { Proposals } from "./proposals.js";
import { RulerTool, SculptTool } from "./sculpt.js";
import { SelectTool } from "./select.js";
import { ShapeActs } from "./shape_acts.js";
import { Space } from "./space.js";
import { FillTool, GrowTool, PartsTool } from "./smart.js";
import { SuperpixelTool, ThresholdTool } from "./threshold.js";
import { BoxTool, PathTool, PointTool } from "./tools.js";

/** Which tool draws a class; a brush class is also erased. */
export const TOOL_OF_CLASS = {
  polygon: "polygon", box: "box", point: "point", polyline: "polyline", ellipse: "ellipse", brush: "brush",
};
/** How many panes each layout shows; two stand side by side or one above the other. */
export const LAYOUTS = { one: 1, two: 2, stacked: 2, four: 3 };

export class PlaneEditor extends Space {
  /**
   * @param {HTMLCanvasElement[]} canvases one a pane
   * @param {{state: any, layers: any, act: (kind: string, payload: any) => void}} document
   * @param {any[]} classes of the ontology
   * @param {(piece: any) => Promise<string>} store keeps a mask and gives its name
   */
  constructor(canvases, document, classes, store) {
    super();
    this.document = document;
    this.classes = new Map(classes.map((entry) => [entry.key, entry]));
    this.label = classes[0] ?? null;
    this.selectedId = null;
    this.isHidden = false;
    this.isReadOnly = false;
    /** What is said to who wants to change something where nothing can be. */
    this.closedWords = "This image is closed. Nothing can be changed here.";
    /** Where the keyboard's pointer is; null while the mouse is used. */
    this.crosshair = null;
    /** Whether the planes' cross-hair is shown and follows presses. */
    this.isLinked = false;
    /** What a page lays over the labels of a pane. @type {((context: CanvasRenderingContext2D, view: any, pane: Pane) => void)[]} */
    this.overlays = [];
    this.proposals = new Proposals(this, store);
    const brush = new BrushTool(this);
    /** @type {Object<string, any>} */
    this.tools = {
      select: new SelectTool(this), polygon: new PathTool(this, "polygon"), polyline: new PathTool(this, "polyline"),
      box: new BoxTool(this, "box"), ellipse: new BoxTool(this, "ellipse"), point: new PointTool(this), brush, eraser: brush,
      sculpt: new SculptTool(this), ruler: new RulerTool(this), fill: new FillTool(this), grow: new GrowTool(this),
      parts: new PartsTool(this), threshold: new ThresholdTool(this), superpixel: new SuperpixelTool(this),
    };
    /** Tools that are brought when they are first taken. @type {Object<string, () => Promise<any>>} */
    this.lateTools = {};
    this.maskActs = new MaskActs(this);
    this.shapeActs = new ShapeActs(this);
    this.isMagnified = false;
    /** Where the pointer is on the active slice, in image pixels. @type {[number, number] | null} */
    this.pointer = null;
    this.toolName = "select";
    this.panes = canvases.map((canvas, i) => new Pane(this, canvas, PLANES[i]));
    this.active = this.panes[0];
  }

  get depth() {
    return this.medium.size[0];
  }

  /** Show a medium on all panes, at the place where they are where it has that. @param {any} medium */
  open(medium) {
    this.leave(medium);
    if (medium.size[0] === 1) this.setLayout("one");
    if (medium.size[0] > 1) this.panes.forEach((pane) => pane.open(pane.plane, medium));
    else this.panes.forEach((pane) => pane.open("axial", medium));
    this.emit("medium");
    return this.moved();
  }

  /** Show a series in one pane; the others stay where it lies in their space. @param {Pane} pane @param {any} medium */
  setMedium(pane, medium) {
    if (pane.medium === medium) return undefined;
    const others = this.panes.slice(0, LAYOUTS[this.layout]).filter((entry) => entry !== pane);
    if (!others.every((entry) => areLinked(entry.medium, medium))) return this.open(medium);
    this.leave(medium, !others.length);
    const twin = others.find((entry) => entry.plane === pane.plane && entry.medium === medium);
    if (twin) twin.open(twin.plane, pane.medium);
    pane.open(pane.plane, medium);
    this.panes.slice(LAYOUTS[this.layout]).forEach((entry) => entry.open(entry.plane, medium));
    this.follow(others[0] ?? pane);
    this.emit("medium");
    return this.moved();
  }

  /** Show the axial slice z. */
  goTo(z) {
    return this.goAlong(0, z);
  }

  /** Move along an axis of [z, y, x] to a slice of a pane's medium; what is across it stays as it is. */
  goAlong(axis, index, pane = this.active) {
    const at = [...pane.place];
    at[axis] = Math.min(pane.medium.size[axis] - 1, Math.max(0, Math.floor(index)));
    return this.go({ medium: pane.medium, at });
  }

  /** Move a pane's slice by steps. @param {Pane} pane */
  step(pane, by) {
    const last = pane.count - 1;
    // Outside of a series the next slice is its first or last one.
    const from = pane.isOutside ? Math.min(last, Math.max(0, pane.index)) - by : pane.index;
    return this.goAlong(axesOf(pane.plane).along, from + by, pane);
  }

  /** All panes show this voxel of the active pane's medium. @param {number[]} voxel [z, y, x] */
  goPlace(voxel) {
    const { medium } = this;
    return this.go({ medium, at: voxel.map((at, axis) => Math.min(medium.size[axis] - 1, Math.max(0, Math.floor(at)))) });
  }

  /** @param {{medium: any, at: number[]}} place */
  go(place) {
    const before = this.placeIn(place.medium);
    if (place.at.every((at, axis) => at === before[axis])) return undefined;
    const { active } = this;
    const next = carried(place.medium, active.medium, place.at)[axesOf(active.plane).along];
    if (Math.round(next) !== active.index) this.tool.cancel?.();
    this.place = place;
    return this.moved();
  }

  async moved() {
    this.emit("slice");
    const shown = this.panes.filter((pane) => pane.isShown || pane === this.active);
    await Promise.all(shown.map((pane) => (pane.isCurrent && pane.shown >= 0 ? pane.redraw() : pane.bring())));
  }

  /** A pane's slice is here. */
  arrived(pane) {
    const { medium, pixels } = pane;
    if (!this.firstWindows.has(medium.ordinal)) this.firstWindows.set(medium.ordinal, firstWindow(medium, pane.slice ?? pixels.overview));
    if (!this.windows.has(medium.ordinal)) this.windows.set(medium.ordinal, { ...this.firstWindows.get(medium.ordinal) });
    this.emit("picture");
  }

  /** @param {Pane} pane */
  activate(pane) {
    if (this.active === pane) return;
    const isOther = pane.medium !== this.medium;
    // A preview belongs to the series that it was made on.
    if (isOther && (this.proposals.current || this.proposals.isWorking)) return;
    this.tool.cancel?.();
    this.active = pane;
    this.showCursor();
    this.emit("active");
    if (isOther) this.emit("series");
    this.redraw();
  }

  /** @param {"one"|"two"|"stacked"|"four"} layout */
  setLayout(layout) {
    if (layout === this.layout) return;
    this.layout = layout;
    if (!this.panes.slice(0, LAYOUTS[layout]).includes(this.active)) this.activate(this.panes[0]);
    this.emit("layout");
    if (layout === "one" || !this.medium) return;
    // No plane twice; four is all of them in their order.
    const planes = layout === "four" ? [...PLANES] : [this.panes[0].plane, ...PLANES.filter((name) => name !== this.panes[0].plane)];
    this.panes.forEach((pane, i) => pane.plane === planes[i] && pane.view ? pane.resize() : pane.open(planes[i]));
    this.moved();
  }

  /** Hang series and planes on the panes as somebody arranged them. @param {"one"|"two"|"stacked"|"four"} layout @param {{medium: any, plane: any}[]} hung */
  hang(layout, hung) {
    this.leave(hung[0].medium);
    this.layout = layout;
    if (!this.panes.slice(0, LAYOUTS[layout]).includes(this.active)) this.active = this.panes[0];
    this.panes.forEach((pane, i) => pane.open((hung[i] ?? hung[0]).plane, (hung[i] ?? hung[0]).medium));
    this.emit("layout");
    this.panes.forEach((pane) => pane.resize());
    this.follow(this.panes[0]);
    this.emit("medium");
    return this.moved();
  }

  /** Show another plane in a pane. @param {Pane} pane */
  setPlane(pane, plane) {
    this.tool.cancel?.();
    const other = this.panes.slice(0, LAYOUTS[this.layout]).find((entry) => entry !== pane && entry.plane === plane && entry.medium === pane.medium);
    if (other) other.open(pane.plane);
    pane.open(plane);
    this.emit("layout");
    return this.moved();
  }

  /** Make an axial pane the active one. */
  async showAxial() {
    const axial = this.panes.find((pane) => pane.isAxial && pane.isShown) ?? this.panes[0];
    if (!axial.isAxial) await this.setPlane(axial, "axial");
    this.activate(axial);
  }

  presets() {
    const first = this.firstWindows.get(this.medium?.ordinal);
    return first ? presetsOf(this.medium, first) : [];
  }

  setWindow(centre, width) {
    this.windows.set(this.medium.ordinal, { centre, width: Math.max(width, 1e-6) });
    this.emit("window");
    this.redraw();
  }

  setTool(name) {
    this.tool.cancel?.();
    this.proposals.refuse();
    this.toolName = name;
    this.brush.isErasing = name === "eraser";
    this.showCursor();
    if (!["select", "sculpt"].includes(name)) this.select(null);
    this.emit("tool");
    this.redraw();
  }

  /** Make a class the current one, with the tool that draws it; whatever paints stays in hand for another painted class. */
  setLabel(key) {
    const label = this.classes.get(key);
    if (!label) return;
    this.label = label;
    // A brush held to this class would change nothing.
    if (this.brush.limit === `on:${key}`) this.brush.limit = "any";
    const paints = !["select", "ruler", ...DRAWING].includes(this.toolName);
    this.setTool(paints && label.tool === "brush" ? this.toolName : TOOL_OF_CLASS[label.tool]);
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
    await this.showAxial();
    if (!this.onSlice(shape.regions).length) await this.goTo(shape.regions[0].z ?? 0);
    this.view.show(boundsOf(this.onSlice(shape.regions)));
    this.redraw();
  }

  remove(id) {
    if (this.isReadOnly || !this.document.state.shapes.get(id)) return undefined;
    const holder = this.heldBy(id);
    if (holder) return this.say(`${holder} is changing this shape now.`);
    if (this.selectedId === id) this.select(null);
    return this.document.act("shape.delete", { shape_id: id });
  }

  redraw() {
    for (const pane of this.panes) if (pane.isShown) pane.redraw();
  }
}
