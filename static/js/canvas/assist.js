// Point at something and a proposal follows: presses inside and outside, strokes, a box, extreme points; previewed, mended by more.
//
// A press with Alt or Shift is outside. What was kept last goes on with a press outside of it that lies on it. Loaded when the tool
// is first taken. Not here: what hints mean (the server), the lists of them (lib/hints.js), the preview (proposals.js).
import { bodyOf, boxBetween, isEnough, regionOf, withHint } from "../lib/hints.js";
import { both, has, without } from "../lib/piece.js";
import { placeIn, voxelAt } from "../lib/planes.js";
import { adding, paintedAnywhere, paintedHere } from "./masks.js";
import { write } from "./marks.js";
import { drawShape, strokeTwice } from "./scene.js";

/** @typedef {import("../lib/hints.js").Hint} Hint */

const WAIT_MS = 300;
const MOST_LEVEL = 20;
const HOW = {
  press: "With Alt: what is not part of it. Backspace takes the last one back.",
  stroke: "With Alt: over what is not part of it. Backspace takes the last one back.",
  box: "Drag a box around it, then press what is not part of it with Alt.",
  extreme: "Press its outermost points: left, right, top, bottom.",
};

export class AssistTool {
  /** @type {"press"|"stroke"|"box"|"extreme"} */ mode = "press";
  side = "inside";
  spread = "slice";
  /** Who answers: the picture's own ways, or a model where one is offered for the class. */
  by = "picture";
  /** @type {Hint[]} */ hints = [];
  level = 0;
  /** Where the hints were given. @type {{medium: any, label: string, plane: any, index: number, isErasing: boolean} | null} */ place = null;
  /** What was kept last, to go on with. @type {{hints: Hint[], place: any, piece: any, level: number} | null} */ last = null;
  trouble = "";
  /** @type {[number, number][]} */ path = [];

  /** @param {any} desk @param {(body: any, signal: AbortSignal) => Promise<any>} ask @param {string[]} [models] classes that have one */
  constructor(desk, ask, models = []) {
    this.desk = desk;
    this.ask = ask;
    this.models = models;
    this.controller = new AbortController();
    desk.addEventListener("proposal", () => this.heard());
    desk.addEventListener("tool", () => desk.tool !== this && this.hints.length && this.drop());
    for (const name of ["label", "medium"]) desk.addEventListener(name, () => (this.last = null));
  }

  get options() {
    const isDeep = this.desk.isVolume;
    return [
      { id: "mode", kind: "choice", label: "Point by", values: [["press", "presses"], ["stroke", "strokes"], ["box", "a box"], ["extreme", "its edges"]] },
      { id: "side", kind: "choice", label: "at its", values: [["inside", "inside"], ["outside", "outside"]] },
      ...(isDeep ? [{ id: "spread", kind: "choice", label: "On", values: [["slice", "this slice"], ["volume", "3-D"]] }] : []),
      ...(this.models.includes(this.desk.label?.key) ? [{ id: "by", kind: "choice", label: "From", values: [["picture", "the picture"], ["model", "a model"]] }] : []),
      { id: "note", kind: "note", label: this.trouble || HOW[this.mode] },
    ];
  }

  get isByModel() {
    return this.by === "model" && this.models.includes(this.desk.label?.key);
  }

  get isDrag() {
    return this.mode === "stroke" || this.mode === "box";
  }

  /** A drag is under way; hints that wait for more do not hold anything up. */
  get isBusy() {
    return this.path.length > 0;
  }

  get isDeep() {
    return this.spread === "volume" && this.desk.isVolume;
  }

  changed(id) {
    // Hints of one slice mean nothing in a volume of many, and a smaller answer is not what was kept.
    if (id === "spread" || id === "by") {
      if (id === "spread") this.last = null;
      if (this.hints.length && isEnough(this.hints)) this.propose();
    }
  }

  down(x, y, event) {
    const { desk } = this;
    if (!desk.painted()) return undefined;
    if (!desk.medium.has_pixels) return desk.say("The picture of this image was never brought in. Draw by hand.");
    if (desk.proposals.current && !this.hints.length) return desk.say("A preview waits: Enter keeps it, Escape drops it.");
    if (this.hints.length && !this.isHere()) return desk.say("What you pointed at lies on another slice: Enter keeps its preview, Escape drops it.");
    const voxel = this.voxel(x, y);
    const isFlipped = event?.altKey || (event?.shiftKey && event.type !== "keydown");
    const isInside = (this.side === "inside") !== Boolean(isFlipped);
    if (this.isDrag) {
      this.isInside = isInside;
      this.path = [[x, y]];
      return undefined;
    }
    if (this.mode === "extreme") return this.add({ kind: "extreme", voxel });
    return this.add({ kind: "press", isInside, voxel });
  }

  move(x, y) {
    if (!this.isBusy) return;
    const [px, py] = this.path[this.path.length - 1];
    if (this.mode === "box") this.path[1] = [x, y];
    else if (Math.hypot(x - px, y - py) >= 1) this.path.push([x, y]);
  }

  up(x, y) {
    if (!this.isBusy) return undefined;
    const { path, desk } = this;
    this.path = [];
    if (this.mode === "box") {
      const box = boxBetween(desk.active.plane, desk.active.index, path[0], [x, y], desk.medium, this.isDeep);
      return box ? this.add(box) : desk.say("Drag a box around what you mean.");
    }
    return this.add({ kind: "stroke", isInside: this.isInside, voxels: path.map((at) => this.voxel(...at)) });
  }

  cancel() {
    this.path = [];
  }

  /** Take the last hint back. */
  back() {
    if (this.isBusy) return this.cancel();
    this.hints = this.hints.slice(0, -1);
    if (isEnough(this.hints)) return this.propose();
    if (!this.desk.proposals.refuse()) this.drop();
    return undefined;
  }

  /** Forget what was pointed at; whether there was anything. */
  drop() {
    const had = this.hints.length > 0;
    this.controller.abort();
    Object.assign(this, { hints: [], place: null, level: 0 });
    this.tell("");
    this.desk.redraw();
    return had;
  }

  /** @param {Hint} hint */
  add(hint) {
    if (!this.hints.length && !this.begin(hint)) return undefined;
    this.hints = withHint(this.hints, hint);
    if (isEnough(this.hints)) return this.propose();
    if (hint.kind === "extreme") this.desk.say("Go on: three outermost points at least.");
    else this.desk.say("Now point at its inside.");
    return this.desk.redraw();
  }

  /** The first hint says what is meant: something new, what was kept last, or what is painted and shall go. */
  begin(hint) {
    const { desk } = this;
    const { plane, index } = desk.active;
    this.place = { medium: desk.medium, label: desk.label.key, plane, index, isErasing: false };
    this.level = 0;
    const isOutside = hint.kind === "press" && !hint.isInside;
    if (!isOutside) return true;
    if (this.last && this.goesOn(hint.voxel)) {
      Object.assign(this, { hints: this.last.hints, place: this.last.place, level: this.last.level });
      return true;
    }
    const own = this.isDeep ? paintedAnywhere(desk) : paintedHere(desk);
    if (!own || !has(own, hint.voxel)) {
      this.place = null;
      desk.say("Point at the inside of what you mean first.");
      return false;
    }
    // A press on what is painted, and nothing said before: this part is to be taken away.
    this.place.isErasing = true;
    hint.isInside = true;
    return true;
  }

  goesOn(voxel) {
    const { place, piece } = /** @type {any} */ (this.last);
    return place.medium === this.desk.medium && place.label === this.desk.label.key && this.isHere(place) && has(piece, voxel);
  }

  isHere(place = this.place) {
    const { plane, index } = this.desk.active;
    return this.isDeep || !this.desk.isVolume || (place.plane === plane && place.index === index);
  }

  /** Ask, and show what comes; whatever was asked before is given up. */
  propose() {
    const { desk, hints, place } = this;
    const slice = this.isDeep ? null : { plane: place.plane, index: place.index, seen: desk.view.seen() };
    const region = regionOf(hints, desk.medium.size, slice);
    if (!region) return desk.say("These places lie too far apart to be looked at together. Take one back with Backspace.");
    this.controller.abort();
    const controller = new AbortController();
    this.controller = controller;
    const body = { medium: desk.medium.ordinal, label: place.label, level: this.level, by_model: this.isByModel, ...region, ...bodyOf(hints) };
    return desk.proposals.compute("Looking at what you pointed at…", async () => {
      try {
        const answer = await this.ask(body, controller.signal);
        if (!answer || controller.signal.aborted) return null;
        this.tell("");
        return this.proposal(answer);
      } catch (error) {
        if (!controller.signal.aborted) this.tell(error.message);
        return error.message;
      }
    }, WAIT_MS);
  }

  proposal({ piece, source }) {
    const { desk, place, hints, level } = this;
    const own = this.isDeep ? paintedAnywhere(desk, place.label) : paintedHere(desk, place.label, place.index);
    const before = this.last?.place === place ? this.last.piece : null;
    const gone = both(place.isErasing ? piece : before && without(before, piece), own);
    const changes = [...(place.isErasing ? [] : adding(place.label, piece, own)), ...(gone ? [{ label: place.label, mode: "erase", piece: gone }] : [])];
    if (!changes.length) {
      this.tell(place.isErasing ? "Nothing of this class lies there." : "All of it is painted already. Point at more, or take more in with ].");
      return this.trouble;
    }
    return {
      changes: changes.map((change) => ({ ...change, source })),
      again: (step) => this.again(step),
      kept: () => (this.last = place.isErasing ? null : { hints, place, piece, level }),
    };
  }

  again(step) {
    this.level = Math.min(MOST_LEVEL, Math.max(-MOST_LEVEL, this.level + step));
    this.propose();
  }

  /** A preview that is gone was kept or dropped: what was pointed at is done with. One that could not be made may be tried again. */
  heard() {
    const { proposals } = this.desk;
    if (this.hints.length && !proposals.current && !proposals.isWorking && !this.trouble) this.drop();
  }

  tell(text) {
    if (this.trouble === text) return;
    this.trouble = text;
    this.desk.emit("options");
  }

  voxel(x, y) {
    const { plane, index, view } = this.desk.active;
    return voxelAt(plane, Math.max(0, Math.min(view.columns - 1, Math.floor(x))), Math.max(0, Math.min(view.rows - 1, Math.floor(y))), index);
  }

  draw(context, view) {
    if (this.path.length > 1 && this.mode === "box") drawShape(context, view, [{ kind: "box", points: corners(this.path[0], this.path[1]) }], "#ffffff", {});
    else if (this.path.length > 1) strokeTwice(context, view, this.path, false, "#ffffff", 2);
    if (!this.hints.length || this.place?.medium !== this.desk.medium) return;
    context.save();
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.font = "600 18px system-ui, sans-serif";
    for (const hint of this.hints) this.drawHint(context, view, hint);
    context.restore();
  }

  drawHint(context, view, hint) {
    const { plane, index } = this.desk.active;
    const along = (voxel) => voxel[{ axial: 0, coronal: 1, sagittal: 2 }[plane]];
    const place = (voxel) => /** @type {[number, number]} */ (placeIn(plane, voxel).map((at) => at + 0.5));
    if (hint.kind === "box") {
      const end = hint.origin.map((at, axis) => at + hint.size[axis]);
      if (along(hint.origin) <= index && index < along(end)) drawShape(context, view, [{ kind: "box", points: [placeIn(plane, hint.origin), placeIn(plane, end)] }], "#ffffff", {});
      return;
    }
    const voxels = hint.kind === "stroke" ? hint.voxels : [hint.voxel];
    if (along(voxels[0]) !== index) return;
    if (voxels.length > 1) strokeTwice(context, view, voxels.map(place), false, "#ffffff", 2);
    const sign = hint.kind === "extreme" ? "×" : hint.isInside && !this.place?.isErasing ? "+" : "−";
    const [x, y] = view.toScreen(...place(voxels[0]));
    write(context, sign, x, y);
  }
}

function corners([ax, ay], [bx, by]) {
  return [[Math.min(ax, bx), Math.min(ay, by)], [Math.max(ax, bx), Math.max(ay, by)]];
}
