// Computed masks before they count: shown in every plane, kept with Enter, dropped with Escape. Each becomes one step of undo.
//
// A mask is stored first and then named by `patch.add`; where it cannot be stored the preview stays and can be tried again.
import { countOf, sectionOf } from "../lib/piece.js";
import { inTurns } from "../lib/turns.js";
import { colourPiece } from "./bitmaps.js";
import { drawPicture } from "./scene.js";

/**
 * @typedef {import("../lib/piece.js").Piece} Piece
 * @typedef {{label: string, mode: "add"|"erase", piece: Piece, source?: string}} Change
 * @typedef {{changes: Change[], words?: string, again?: (step: number) => void, kept?: () => void}} Proposal `again` makes it
 *   stronger or weaker, `kept` is told that it was accepted
 */

export class Proposals {
  /** @param {any} editor @param {(piece: Piece) => Promise<string>} store */
  constructor(editor, store) {
    this.editor = editor;
    this.store = store;
    /** @type {Proposal | null} */
    this.current = null;
    /** What is being stored: no preview any more, not in the document yet. @type {Change[][]} */
    this.leaving = [];
    /** Of what is leaving: the medium that it was made on. @type {WeakMap<any, number>} */
    this.mediumOf = new WeakMap();
    this.last = Promise.resolve();
    this.work = 0;
    this.isWorking = false;
    this.pictures = new WeakMap();
  }

  /** Show a change; null: there is nothing to show. @param {Proposal | null} proposal */
  show(proposal) {
    this.current = proposal;
    this.changed();
  }

  /**
   * Compute a change in slices and show it; what was being computed before is given up.
   * @param {string} words while it is at work
   * @param {(run: <T>(work: Generator<void, T>) => Promise<T | null>) => Promise<Proposal | string | null>} make text: why there is none
   * @param {number} [after] ms before the words are shown, for work that is seldom long
   */
  async compute(words, make, after = 0) {
    this.work += 1;
    const mine = this.work;
    const isWanted = () => this.work === mine;
    this.isEager = false;
    const before = after ? this.describe() : words;
    if (after) setTimeout(() => isWanted() && this.isWorking && this.tell(words), after);
    this.isWorking = true;
    this.tell(before);
    let made = null;
    try {
      made = await make((work) => inTurns(work, isWanted));
    } catch (error) {
      made = error.message;
    }
    if (!isWanted()) return;
    this.isWorking = false;
    if (typeof made === "string") this.editor.say(made);
    this.show(made && typeof made !== "string" && made.changes.length ? made : null);
    if (this.isEager) await this.accept();
  }

  /** Take the preview into the document. */
  async accept() {
    // Whoever presses Enter while the next one is on its way means that one.
    this.isEager = this.isWorking;
    const { current } = this;
    if (!current || this.isWorking) return;
    this.current = null;
    current.kept?.();
    this.changed();
    await this.keep(current.changes, current);
  }

  /**
   * Store changes and name them in the document, in the order in which they were asked for.
   * @param {Change[]} changes @param {Proposal} [proposal] what is shown again where that fails
   */
  keep(changes, proposal = { changes }) {
    const { ordinal } = this.editor.medium;
    this.leaving.push(changes);
    this.mediumOf.set(changes, ordinal);
    this.changed();
    this.last = this.last.then(() => this.send(changes, ordinal, proposal));
    return this.last;
  }

  async send(changes, ordinal, proposal) {
    const { editor } = this;
    try {
      const acts = [];
      for (const { label, mode, piece, source } of changes) {
        const mask = await this.store(piece);
        const payload = { stroke_id: crypto.randomUUID(), medium: ordinal, label, mode, mask, origin: piece.origin, size: piece.size, ...(source && { source }) };
        acts.push(["patch.add", payload]);
      }
      editor.document.actTogether(acts);
    } catch (error) {
      // What was refused says why; else the server was not reached, and what it keeps does not hold for masks.
      editor.say(`This was not stored. ${error.code ? error.message : "The server did not answer."} The preview stays: press Enter to try again.`);
      if (!this.current && editor.medium.ordinal === ordinal) this.current = proposal;
    } finally {
      this.leaving = this.leaving.filter((entry) => entry !== changes);
      this.changed();
    }
  }

  /** Done once everything that was accepted is in the document. */
  get settled() {
    return this.last;
  }

  refuse() {
    this.work += 1;
    const had = this.current !== null || this.isWorking;
    this.isWorking = false;
    this.current = null;
    if (had) this.changed();
    return had;
  }

  tell(words) {
    this.words = words;
    this.changed();
  }

  changed() {
    this.editor.emit("proposal");
    this.editor.redraw();
  }

  /** What a person reads of the preview. */
  describe() {
    if (this.isWorking) return this.words;
    if (!this.current) return "";
    const { isVolume, medium, classes } = this.editor;
    const parts = this.current.changes.map(({ label, mode, piece }) => {
      const n = countOf(piece);
      const voxel_mm3 = medium.spacing_mm?.reduce((product, side) => product * side, 1);
      const size = isVolume && voxel_mm3 ? ` (${Number(((n * voxel_mm3) / 1000).toPrecision(3))} mL)` : "";
      return `${mode === "add" ? "Adds" : "Takes"} ${n.toLocaleString("en")} ${isVolume ? "voxels" : "pixels"}${size} ${mode === "add" ? "to" : "from"} ${classes.get(label)?.name ?? label}`;
    });
    return [this.current.words, parts.join("; ")].filter(Boolean).join(": ");
  }

  /** @param {CanvasRenderingContext2D} context @param {any} pane */
  draw(context, pane) {
    const { ordinal } = pane.medium;
    for (const changes of this.leaving) if (this.mediumOf.get(changes) === ordinal) for (const change of changes) this.drawChange(context, pane, change, false);
    if (this.editor.medium.ordinal === ordinal) for (const change of this.current?.changes ?? []) this.drawChange(context, pane, change, true);
  }

  drawChange(context, pane, change, isPreview) {
    const picture = this.picture(pane, change, isPreview);
    if (!picture) return;
    const { section, canvas } = picture;
    const alpha = isPreview ? 0.8 : change.mode === "add" ? 0.45 : 0;
    drawPicture(context, pane.view, canvas, { alpha, x: section.x, y: section.y });
  }

  picture(pane, change, isPreview) {
    const kept = this.pictures.get(change.piece) ?? new Map();
    this.pictures.set(change.piece, kept);
    const key = `${pane.plane}:${pane.shown}:${isPreview}:${change.mode}`;
    if (!kept.has(key)) {
      if (kept.size > 8) kept.clear();
      const section = sectionOf(change.piece, pane.plane, pane.shown);
      const canvas = section && document.createElement("canvas");
      if (canvas) {
        [canvas.width, canvas.height] = [section.width, section.height];
        const plane = isPreview ? hatched(section) : section;
        colourPiece(canvas, plane, change.mode === "add" ? this.editor.colourOf(change.label) : "#ffffff", [0, 0, section.width, section.height]);
      }
      kept.set(key, canvas ? { section, canvas } : null);
    }
    return kept.get(key);
  }
}

/** The edge of a section and stripes inside: a preview looks unlike what is painted, also without colour. */
export function hatched({ data, width, height, x, y }) {
  const out = new Uint8Array(data.length);
  for (let v = 0, i = 0; v < height; v += 1) {
    for (let u = 0; u < width; u += 1, i += 1) {
      if (!data[i]) continue;
      const isEdge = !u || !v || u + 1 === width || v + 1 === height || !(data[i - 1] && data[i + 1] && data[i - width] && data[i + width]);
      if (isEdge || (u + x + v + y) % 4 < 2) out[i] = 1;
    }
  }
  return { data: out, width, height };
}
