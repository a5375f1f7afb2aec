// What a model drew on this image, beside what the person drew: asked for, looked at, taken whole or shape by shape.
//
// Nothing of it counts before it is taken; what is taken becomes the person's own acts, marked as a model's, in one step of undo.
// A shape that was taken and undone can be taken again. Loaded when it is first asked for. Not here: whether there is a draft.
import { colourPiece } from "../canvas/bitmaps.js";
import { hatched } from "../canvas/proposals.js";
import { drawPicture, strokeTwice } from "../canvas/scene.js";
import { outline } from "../lib/geometry.js";
import { countOf, sectionOf, unpacked } from "../lib/piece.js";
import { ask, bringMasks } from "../live/server.js";
import { byId, h, icon } from "./dom.js";

/** @typedef {{id: string, label: string, medium: number, confidence?: number, mask?: string, origin?: number[], size?: number[], regions?: any[]}} Entry */

export class ModelDraft {
  /** @param {any} editor @param {import("./draft.js").Draft} document @param {any} addresses @param {(text: string) => void} say */
  constructor(editor, document, addresses, say) {
    this.editor = editor;
    this.document = document;
    this.addresses = addresses;
    this.say = say;
    /** What the server answered; null before it was asked, or where there is none. @type {Entry[] | null} */
    this.entries = null;
    this.isAsked = false;
    this.isShown = false;
    /** Under which id an entry was taken. @type {Map<string, string>} */
    this.taken = new Map();
    /** @type {WeakMap<any, Map<string, any>>} */
    this.pictures = new WeakMap();
    /** @type {Map<string, any>} */
    this.pieces = new Map();
    editor.overlays.push((context, view, pane) => this.draw(context, view, pane));
    byId("draft-take").addEventListener("click", () => this.take(this.left()));
    document.addEventListener("change", () => this.isShown && this.show());
  }

  async toggle() {
    if (this.isShown) return this.set(false);
    if (this.editor.isReadOnly) return this.say(this.editor.closedWords);
    if (!this.isAsked && !(await this.bring())) return undefined;
    return this.set(true);
  }

  /** Ask for the draft; false where the server could not be reached, so that it can be asked again. */
  async bring() {
    if (this.isComing) return false;
    this.isComing = true;
    const waits = setTimeout(() => this.tell("Asking for the draft …"), 300);
    try {
      const { shapes } = await ask(this.addresses.draft, { body: {} });
      if (shapes) await bringMasks(this.document.layers.masks, this.addresses.document, shapes);
      this.entries = shapes;
      this.isAsked = true;
      return true;
    } catch (error) {
      this.tell(error.message);
      return false;
    } finally {
      clearTimeout(waits);
      this.isComing = false;
    }
  }

  set(isShown) {
    this.isShown = isShown;
    this.show();
  }

  tell(text) {
    byId("draft-text").textContent = text;
  }

  left() {
    return (this.entries ?? []).filter((entry) => !this.isTaken(entry));
  }

  isTaken(entry) {
    const id = this.taken.get(entry.id);
    if (!id) return false;
    const { shapes, marks } = this.document.state;
    const shape = shapes.get(id);
    const mark = marks.get(id);
    return shape ? !shape.is_deleted : Boolean(mark && !mark.is_undone);
  }

  show() {
    const { entries, isShown } = this;
    const left = this.left();
    byId("draft-show").setAttribute("aria-pressed", String(isShown));
    byId("draft-show").firstChild.textContent = isShown ? "Hide " : "Show ";
    byId("draft-take").hidden = !isShown || !left.length;
    byId("draft-count").textContent = entries?.length ? String(entries.length) : "";
    if (!entries) this.tell("There is no draft for this image. Draw it by hand.");
    else if (!entries.length) this.tell("The model found nothing here. Look for yourself.");
    else if (!left.length) this.tell("All of it was taken. Mend it with the tools; undo takes it back.");
    else this.tell("Look at all of it before you take it: it can be wrong.");
    byId("draft-shapes").replaceChildren(...(isShown ? (entries ?? []).map((entry) => this.row(entry)) : []));
    this.editor.redraw();
  }

  /** @param {Entry} entry */
  row(entry) {
    const label = this.editor.classes.get(entry.label);
    const sure = entry.confidence === undefined ? "" : entry.confidence.toFixed(2);
    const isTaken = this.isTaken(entry);
    return h("li", { class: "shape-row", style: { "--colour": label?.colour ?? "#bbbbbb" } },
      h("div", { class: "shape-head draft-row" },
        h("button", { type: "button", class: "shape-name", on: { click: () => this.goTo(entry) } },
          h("span", { class: "dot" }), h("span", { class: "name" }, `${label?.name ?? entry.label}, ${this.describe(entry)}`), h("span", { class: "hint", "data-tip": "How sure the model is, from 0 to 1; no probability" }, sure)),
        isTaken ? h("span", { class: "hint" }, icon("check"), "taken")
          : h("button", { type: "button", class: "button", on: { click: () => this.take([entry]) } }, "Take")));
  }

  describe(entry) {
    if (entry.regions) return entry.regions[0].kind === "points" ? "point" : entry.regions[0].kind;
    const n = countOf(this.piece(entry));
    return `${n.toLocaleString("en")} ${this.editor.isVolume ? "voxels" : "pixels"}`;
  }

  /** Bring the first slice that it lies on into view. */
  goTo(entry) {
    const { active, medium } = this.editor;
    if (entry.medium !== medium.ordinal || !active.isAxial) return;
    const z = entry.regions ? entry.regions[0].z ?? 0 : entry.origin[0] + Math.floor(entry.size[0] / 2);
    this.editor.step(active, z - active.wanted);
  }

  /** @param {Entry[]} entries */
  take(entries) {
    if (this.editor.isReadOnly) return this.say(this.editor.closedWords);
    if (!entries.length) return undefined;
    const acts = /** @type {[string, any][]} */ (entries.map((entry) => {
      const id = crypto.randomUUID();
      this.taken.set(entry.id, id);
      const { medium, label } = entry;
      if (entry.regions) return ["shape.add", { shape_id: id, medium, label, regions: entry.regions, attributes: {}, source: "model" }];
      return ["patch.add", { stroke_id: id, medium, label, mode: "add", mask: entry.mask, origin: entry.origin, size: entry.size, source: "model" }];
    }));
    this.document.actTogether(acts);
    return this.show();
  }

  piece(entry) {
    if (!this.pieces.has(entry.id)) this.pieces.set(entry.id, unpacked(this.document.layers.masks.get(entry.mask), entry.origin));
    return this.pieces.get(entry.id);
  }

  /** What is not taken yet; the surer the model, the stronger it stands out. */
  draw(context, view, pane) {
    if (!this.isShown || this.editor.isHidden) return;
    for (const entry of this.left()) {
      if (entry.medium !== pane.medium.ordinal) continue;
      const colour = this.editor.colourOf(entry.label);
      const alpha = 0.4 + 0.5 * (entry.confidence ?? 1);
      if (entry.mask) this.drawMask(context, view, pane, entry, colour, alpha);
      else if (pane.isAxial) this.drawRegions(context, view, pane, entry, colour, alpha);
    }
  }

  drawRegions(context, view, pane, entry, colour, alpha) {
    context.save();
    context.globalAlpha = alpha;
    context.setLineDash([6, 4]);
    for (const region of entry.regions) {
      if ((region.z ?? 0) !== pane.shown) continue;
      if (region.kind !== "points") strokeTwice(context, view, outline(region), region.kind !== "polyline", colour, 2.25);
      else for (const [x, y] of region.points) ring(context, view.toScreen(x, y), colour);
    }
    context.restore();
  }

  drawMask(context, view, pane, entry, colour, alpha) {
    const piece = this.piece(entry);
    const kept = this.pictures.get(piece) ?? new Map();
    this.pictures.set(piece, kept);
    const key = `${pane.plane}:${pane.shown}`;
    if (!kept.has(key)) {
      if (kept.size > 8) kept.clear();
      const section = sectionOf(piece, pane.plane, pane.shown);
      const canvas = section && document.createElement("canvas");
      if (canvas) {
        [canvas.width, canvas.height] = [section.width, section.height];
        colourPiece(canvas, hatched(section), colour, [0, 0, section.width, section.height]);
      }
      kept.set(key, canvas ? { section, canvas } : null);
    }
    const picture = kept.get(key);
    if (picture) drawPicture(context, view, picture.canvas, { alpha, x: picture.section.x, y: picture.section.y });
  }
}

function ring(context, [x, y], colour) {
  context.beginPath();
  context.arc(x, y, 6, 0, 2 * Math.PI);
  context.strokeStyle = colour;
  context.lineWidth = 2;
  context.stroke();
}
