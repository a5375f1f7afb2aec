// A correction drawn within the region in question: outlines that add to a class or erase, kept until they are stored.
import { state, tool, draw, say } from "./viewer.js";

const LEAST_STEP = 0.5;

export class Lasso {
  constructor(_, changed) {
    this.changed = changed;
    this.strokes = [];
    this.base = null;
    this.line = null;
    this.isTaken = false;
    this.isDown = false;
    this.bar = document.querySelector("[data-lasso]");
    this.bar?.querySelector("[data-lasso-base]").addEventListener("change", (event) => { this.base = event.target.value || null; });
  }

  /** Take the tool in hand for a matter; the classes to draw are offered in the bar. */
  take(matter, classes) {
    if (!matter || matter.kind !== "area") return;
    this.isTaken = true;
    this.base = null;
    this.strokes = [];
    tool.inHand = this;
    this.bar.hidden = false;
    const choice = this.bar.querySelector("[data-lasso-class]");
    choice.replaceChildren(...classes.map((entry) => new Option(entry.name, entry.key)), new Option("erase", ""));
    const base = this.bar.querySelector("[data-lasso-base]");
    base.replaceChildren(new Option("the readers together", ""), ...matter.says.filter((says) => !says.is_silent)
      .map((says) => new Option(state.layers.find((layer) => layer.key === says.reader)?.name ?? says.reader, says.reader)));
    say("Draw outlines around what belongs to the chosen class; only what lies in the region counts.");
    choice.focus();
    this.changed();
  }

  put() {
    if (!this.isTaken) return;
    this.isTaken = this.isDown = false;
    this.line = null;
    tool.inHand = null;
    this.bar.hidden = true;
    say("");
    draw();
  }

  forget() {
    this.strokes = [];
    this.put();
  }

  undo() {
    this.strokes.pop();
    this.changed();
  }

  words() {
    return this.strokes.length ? `${this.strokes.length} outline${this.strokes.length > 1 ? "s" : ""}` : "nothing drawn yet";
  }

  down(place) {
    this.isDown = true;
    this.line = [place];
  }

  move(place) {
    const [x, y] = this.line.at(-1);
    if (Math.hypot(place[0] - x, place[1] - y) < LEAST_STEP) return;
    this.line.push(place);
    draw();
  }

  up() {
    this.isDown = false;
    const label = this.bar.querySelector("[data-lasso-class]").value;
    if (this.line.length >= 3) {
      const points = this.line.map(([x, y]) => [Math.round(x * 4) / 4, Math.round(y * 4) / 4]);
      this.strokes.push({ mode: label ? "add" : "erase", label, z: state.z, points });
    }
    this.line = null;
    this.changed();
  }

  paint(context, scale) {
    if (!this.isTaken) return;
    context.save();
    context.setLineDash([]);
    context.lineWidth = 2 / scale;
    for (const stroke of this.strokes.filter((one) => one.z === state.z)) this.#trace(context, stroke.points, stroke.mode === "add" ? "#7CFC9A" : "#ff6b6b", true);
    if (this.line) this.#trace(context, this.line, "#ffffff", false);
    context.restore();
  }

  #trace(context, points, colour, isClosed) {
    context.beginPath();
    points.forEach(([x, y], index) => (index ? context.lineTo(x, y) : context.moveTo(x, y)));
    if (isClosed) context.closePath();
    context.strokeStyle = colour;
    context.stroke();
  }
}
