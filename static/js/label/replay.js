// How the drawing came to be: the log from its first operation on, one step at a time, with who drew it and when.
//
// While the past is shown nothing can be drawn; what stood then can be drawn once more as a copy. Not here: what an operation
// does (lib/fold.js).
import { LARGE } from "../canvas/bitmaps.js";
import { adding, paintedAnywhere } from "../canvas/masks.js";
import { apply, copyState, createState } from "../lib/fold.js";
import { Layers } from "../lib/layers.js";
import { ask, bringMasks } from "../live/server.js";
import { byId } from "./dom.js";
import { doneInWords } from "./words.js";

const STEP_MS = 120;
// However long the log is, it is played in about half a minute.
const MOST_TICKS = 250;
// A state is kept now and then, so that a step back folds little.
const KEEP_EVERY = 100;

export class Replay {
  /**
   * @param {import("../canvas/plane.js").PlaneEditor} editor
   * @param {import("./draft.js").Draft} draft
   * @param {string} address of the document
   * @param {(text: string) => void} say
   * @param {() => void} open lets the editor draw where the image is still open
   * @param {(ordinal: number) => any} showMedium
   */
  constructor(editor, draft, address, say, open, showMedium) {
    this.editor = editor;
    this.draft = draft;
    this.address = address;
    this.say = say;
    this.open = open;
    this.showMedium = showMedium;
    this.isOpen = false;
    this.bar = byId("replay");
    this.slider = byId("replay-slider");
    this.slider.addEventListener("input", () => this.show(Number(this.slider.value)));
    byId("replay-play").addEventListener("click", () => this.play());
    byId("replay-copy").addEventListener("click", () => this.copy());
    byId("replay-close").addEventListener("click", () => this.close());
    this.bar.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.close();
      else if (event.key === " " && event.target === this.slider) {
        event.preventDefault();
        this.play();
      }
    });
  }

  async toggle() {
    if (this.isOpen) return this.close();
    if (this.draft.pending.length) return this.say("Your last changes are on their way. Look back in a moment.");
    try {
      await this.load();
    } catch (error) {
      return this.say(error.message);
    }
    if (!this.acts.length) return this.say("Nothing was drawn here yet.");
    this.isOpen = true;
    this.editor.setTool("select");
    this.editor.isReadOnly = true;
    byId("questions").inert = true;
    this.bar.hidden = false;
    this.slider.max = String(this.acts.length);
    this.show(this.acts.length);
    return this.slider.focus();
  }

  close() {
    if (!this.isOpen) return;
    this.stop();
    this.isOpen = false;
    this.bar.hidden = true;
    this.open();
    this.editor.document = this.draft;
    this.draft.emit("change");
    byId("canvas").focus();
  }

  async load() {
    const address = `${this.address}history/`;
    let answer = await ask(address);
    const { base, people } = answer;
    this.people = people;
    this.acts = answer.operations;
    while (answer.operations.length && this.acts.length < answer.head_seq) {
      answer = await ask(`${address}?after=${this.acts.at(-1).seq}`);
      this.acts.push(...answer.operations);
    }
    this.hasDays = new Set(this.acts.map(({ at }) => new Date(at).toDateString())).size > 1;
    const parts = [...(base.layers ?? []), ...this.acts.map((act) => act.payload)];
    const masks = await bringMasks(new Map(this.draft.layers.masks), this.address, parts);
    this.layers = new Layers(this.draft.layers.sizes, masks);
    this.kept = new Map([[0, createState(base)]]);
  }

  /** What was said after so many operations. */
  stateAt(step) {
    const from = Math.max(...[...this.kept.keys()].filter((key) => key <= step));
    const state = copyState(this.kept.get(from));
    for (let i = from; i < step; i += 1) {
      apply(state, this.acts[i]);
      if ((i + 1) % KEEP_EVERY === 0 && !this.kept.has(i + 1)) this.kept.set(i + 1, copyState(state));
    }
    return state;
  }

  show(step) {
    this.step = step;
    this.slider.value = String(step);
    const state = this.stateAt(step);
    this.editor.document = /** @type {any} */ ({ state, layers: this.layers, act: () => undefined, emit: () => this.editor.redraw() });
    const act = this.acts[step - 1];
    const words = act ? `${step} of ${this.acts.length} · ${this.nameOf(act.author)} ${doneInWords(act.kind)} · ${timeOf(act.at, this.hasDays)}` : `0 of ${this.acts.length} · as it began`;
    byId("replay-text").textContent = words;
    this.slider.setAttribute("aria-valuetext", words);
    this.goTo(act);
    this.editor.emit("document");
    this.editor.redraw();
  }

  nameOf(id) {
    if (id === this.draft.author) return "You";
    return this.people[id] ?? "Somebody before you";
  }

  /** Go to the picture and the slice on which something happened. */
  async goTo(act) {
    if (!act) return;
    const { payload } = act;
    const { step } = this;
    const medium = payload.medium ?? payload.layer?.medium ?? this.editor.document.state.shapes.get(payload.shape_id)?.medium;
    if (medium !== undefined && medium !== this.editor.medium.ordinal) await this.showMedium(medium);
    // Somebody who moves the slider on is elsewhere by now.
    if (step !== this.step || !this.isOpen || !this.editor.isVolume) return;
    if (act.kind === "stroke.add") this.editor.goAlong({ axial: 0, coronal: 1, sagittal: 2 }[payload.plane ?? "axial"], payload.index);
    else if (payload.origin) this.editor.goTo(payload.origin[0] + Math.floor(payload.size[0] / 2));
    else if (payload.regions?.length) this.editor.goTo(payload.regions[0].z ?? 0);
  }

  play() {
    if (this.timer) return this.stop();
    if (this.step >= this.acts.length) this.show(0);
    byId("replay-play").setAttribute("aria-label", "Pause");
    const by = Math.ceil(this.acts.length / MOST_TICKS);
    this.timer = setInterval(() => {
      this.show(Math.min(this.acts.length, this.step + by));
      if (this.step >= this.acts.length) this.stop();
    }, STEP_MS);
    return undefined;
  }

  stop() {
    clearInterval(this.timer);
    this.timer = null;
    byId("replay-play").setAttribute("aria-label", "Play");
  }

  /** Draw once more what stood then: the chosen shape, or all shapes that do not stand so now and what is not painted now. */
  copy() {
    const then = this.editor.document.state;
    const now = this.draft.state;
    const standing = [...then.shapes.values()].filter((shape) => !shape.is_deleted);
    const chosen = standing.filter((shape) => shape.shape_id === this.editor.selectedId);
    const wanted = chosen.length ? chosen : standing.filter((shape) => {
      const current = now.shapes.get(shape.shape_id);
      return !current || current.is_deleted || current.version !== shape.version;
    });
    const painted = chosen.length ? [] : this.painted();
    this.close();
    if (this.editor.isReadOnly) return this.say("This image is closed. Nothing can be changed here.");
    const changes = painted.flatMap(([label, piece]) => adding(label, piece, paintedAnywhere(this.editor, label)));
    if (!wanted.length && !changes.length) return this.say("All that stood there stands now as well.");
    for (const shape of wanted) {
      this.draft.act("shape.add", { shape_id: crypto.randomUUID(), medium: shape.medium, label: shape.label, regions: shape.regions, attributes: shape.attributes });
    }
    if (changes.length) this.editor.proposals.keep(changes);
    const shapes = wanted.length ? [`${wanted.length} shape${wanted.length === 1 ? "" : "s"}`] : [];
    const parts = changes.map(({ label }) => `what was painted of ${this.editor.classes.get(label).name}`);
    return this.say(`Drawn once more as a copy: ${[...shapes, ...parts].join(", ")}.`);
  }

  /** What was painted then on the picture that is seen, by class. @returns {[string, any][]} */
  painted() {
    const { editor, layers } = this;
    const [, rows, columns] = editor.medium.size;
    if (rows * columns > LARGE) return [];
    const labels = layers.labels(editor.document.state, editor.medium.ordinal).filter((label) => editor.classes.has(label));
    return labels.map((label) => [label, paintedAnywhere(editor, label)]);
  }
}

/** With the day where the log spans several. */
function timeOf(text, hasDays) {
  const day = hasDays ? /** @type {any} */ ({ year: "numeric", month: "short", day: "numeric" }) : {};
  return new Date(text).toLocaleString([], { ...day, hour: "2-digit", minute: "2-digit", second: "2-digit" });
}
