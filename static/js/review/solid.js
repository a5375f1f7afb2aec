// The volume in 3-D beside its slices with one label on it: as decided so far, or a reader's. Loaded, with its library, when it is opened.
//
// The slices lead: where they are is shown here a moment after they were turned, and the label a moment after an answer changed it,
// because a frame costs much without a graphics card. A press on a slice of this panel takes the slices there. Not here: WebGL
// (canvas/solid.js), putting a label into numbers (labelhub/web/solid_label.py).
import { fetchOverview, hasWebGL2, SolidView } from "../canvas/solid.js";
import { placeOf, voxelOf } from "../lib/planes.js";
import { addressOf, aspect, canvas, given, panes, part, resize, state, turn } from "./viewer.js";

const AFTER_MS = 250;

export class SolidPanel {
  constructor() {
    this.element = part("solid");
    this.choice = part("solid-layer");
    /** What is shown: facts of the volume, and the layer that is painted on it. */
    this.facts = null;
    this.layer = null;
    this.window = null;
    this.timer = 0;
    /** Where a press on this panel led the slices. */
    this.led = "";
    this.names = "";
    this.choice.addEventListener("change", () => this.show());
    const slices = part("solid-slices");
    slices.addEventListener("click", () => {
      const isOn = slices.getAttribute("aria-pressed") !== "true";
      slices.setAttribute("aria-pressed", String(isOn));
      this.view?.setView(isOn ? "slices" : "solid");
    });
    part("solid-close").addEventListener("click", () => this.toggle());
    part("solid-retry").addEventListener("click", () => this.show());
    document.addEventListener("viewer:changed", () => {
      clearTimeout(this.timer);
      if (this.isOpen) this.timer = window.setTimeout(() => this.show(), AFTER_MS);
    });
  }

  get isOpen() {
    return !this.element.hidden;
  }

  async toggle() {
    this.element.hidden = this.isOpen;
    part("stage").toggleAttribute("data-solid-open", this.isOpen);
    part("solid-button").setAttribute("aria-pressed", String(this.isOpen));
    resize();
    if (this.isOpen) await this.show();
    else canvas.focus({ preventScroll: true });
  }

  /** Bring what is not here yet, and show place, window and label as they are now; what went wrong is said in the panel. */
  async show() {
    const { facts } = state;
    if (facts.size[0] < 2) return this.toggle();
    if (!hasWebGL2()) return this.say("This browser or its graphics driver offers no WebGL2, which the 3-D view needs. Everything else works without it.");
    if (!facts.has_pixels) return this.say("The picture of this volume was never brought in, so there is nothing to show in 3-D.");
    this.offer();
    try {
      if (this.facts !== facts && !(await this.bring(facts))) return undefined;
      const middle = middleOf();
      // A press here led the slices: the cross-hair is where it was pressed.
      if (this.led !== `${middle}`) this.view.setPlace(placeOf(facts, middle));
      this.led = "";
      this.follow();
      await this.paint(facts);
    } catch (error) {
      console.warn(error);
      this.say(`The 3-D view could not be shown: ${error.message} Your answers are safe.`, true);
    }
    return undefined;
  }

  /** The layers to choose from, the label as it comes out first. */
  offer() {
    const order = [...state.layers].sort((one, other) => Number(other.kind === "result") - Number(one.kind === "result"));
    const words = (layer) => (layer.kind === "result" ? "Label as decided" : layer.name);
    const names = order.map((layer) => `${layer.key} ${words(layer)}`).join("\n");
    if (this.names === names) return;
    this.names = names;
    const before = this.choice.value;
    this.choice.replaceChildren(...order.map((layer) => new Option(words(layer), layer.key)));
    if (order.some((layer) => layer.key === before)) this.choice.value = before;
  }

  /** Bring a volume and the library; whether it is still wanted when it is here. */
  async bring(facts) {
    this.facts = null;
    this.say("Bringing the volume …");
    const [copy, library] = await Promise.all([fetchOverview(`${given.media[state.medium]}overview/`), import("../../vendor/niivue/niivue.js")]);
    if (facts !== state.facts) return false;
    if (!this.view) {
      this.view = new SolidView(library, part("solid-canvas"), (place) => this.pressed(place));
      await this.view.attach();
    }
    this.window = windowNow();
    await this.view.show(facts, copy, this.window);
    this.say("");
    part("solid-note").textContent = copy.steps.some((step) => step > 1) ? `Every ${copy.steps.join(" × ")} voxels` : "";
    this.layer = null;
    this.facts = facts;
    return true;
  }

  follow() {
    const now = windowNow();
    if (!now || (this.window && now.centre === this.window.centre && now.width === this.window.width)) return;
    this.window = now;
    this.view.setWindow(now);
  }

  /** Paint the chosen layer where it is not the one that is painted. */
  async paint(facts) {
    const layer = state.layers.find((one) => one.key === this.choice.value);
    if (!layer || layer === this.layer) return;
    this.layer = layer;
    try {
      const response = await fetch(`${addressOf(layer)}solid/${facts.ordinal}/`);
      if (!response.ok) throw new Error(`The label could not be read (${response.status}).`);
      const labels = new Uint8Array(await response.arrayBuffer());
      if (this.layer !== layer || this.facts !== facts) return;
      const colours = (response.headers.get("X-Colours") ?? "").split(",").filter(Boolean);
      this.view.setPainted(labels, colours.map((colour) => ({ name: "", colour })));
      this.element.dataset.voxels = String(labels.reduce((n, value) => n + (value ? 1 : 0), 0));
      this.element.dataset.shows = layer.key;
      this.say("");
    } catch (error) {
      if (this.layer === layer) this.layer = null;
      throw error;
    }
  }

  /** Somebody pressed on a slice here: the slices beside it go there. */
  pressed(place) {
    if (!this.facts || this.facts !== state.facts) return;
    this.element.dataset.pressed = place.join(",");
    const [z, y, x] = voxelOf(this.facts, place).map((at, axis) => Math.min(this.facts.size[axis] - 1, Math.max(0, Math.round(at))));
    const [, , across, down] = panes()[0];
    const { scale } = state.view;
    state.view = { scale, x: across / 2 - (x + 0.5) * scale, y: down / 2 - (y + 0.5) * scale * aspect() };
    this.led = `${[z, y, x]}`;
    turn(z);
  }

  /** A sentence instead of the view; "" shows the view. */
  say(text, canRetry = false) {
    part("solid-state").hidden = !text;
    part("solid-text").textContent = text;
    part("solid-retry").hidden = !canRetry;
  }
}

/** The voxel [z, y, x] in the middle of what is seen. */
function middleOf() {
  const [, , across, down] = panes()[0];
  const { scale, x, y } = state.view;
  const inside = (at, length) => Math.min(Math.max(Math.floor(at), 0), length - 1);
  return [state.z, inside((down / 2 - y) / (scale * aspect()), state.facts.size[1]), inside((across / 2 - x) / scale, state.facts.size[2])];
}

function windowNow() {
  const { window: shown } = state.slices;
  return shown ? { centre: shown.center, width: shown.width } : null;
}
