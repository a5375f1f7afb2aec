// The 3-D panel beside the planes: the volume and what is painted on it, as context. Loaded, with its library, when it is opened.
//
// The planes lead: their cross-hair is shown here a moment after it moved, what is painted a moment after it changed, because a
// frame costs much without a graphics card. A press on a slice of this panel takes the planes there. Not here: WebGL
// (canvas/solid.js), drawing (nothing can be drawn here).
import { fetchOverview, hasWebGL2, SolidView } from "../canvas/solid.js";
import { placeOf, voxelOf } from "../lib/planes.js";
import { contentOf, labelMap } from "../lib/solid.js";
import { byId } from "./dom.js";

const PLACE_AFTER_MS = 120;
const PAINT_AFTER_MS = 600;
const WINDOW_AFTER_MS = 300;

export class SolidPanel {
  /** @param {import("../canvas/plane.js").PlaneEditor} editor @param {any} draft @param {string} address of the media */
  constructor(editor, draft, address) {
    this.editor = editor;
    this.address = address;
    this.element = byId("solid");
    this.button = byId("solid-button");
    /** What is shown: the medium, and which content of it. */
    this.medium = null;
    /** @type {string | null} */
    this.content = null;
    this.timers = {};
    this.slices = byId("solid-slices");
    this.slices.addEventListener("click", () => this.setSlices(this.slices.getAttribute("aria-pressed") !== "true"));
    byId("solid-close").addEventListener("click", () => this.toggle());
    byId("solid-retry").addEventListener("click", () => this.show());
    editor.addEventListener("medium", () => this.isOpen && this.show());
    editor.addEventListener("slice", () => this.soon("place", PLACE_AFTER_MS));
    editor.addEventListener("window", () => this.soon("window", WINDOW_AFTER_MS));
    for (const name of ["hidden", "document"]) editor.addEventListener(name, () => this.soon("paint", PAINT_AFTER_MS));
    draft.addEventListener("change", () => this.soon("paint", PAINT_AFTER_MS));
  }

  get isOpen() {
    return !this.element.hidden;
  }

  async toggle() {
    this.element.hidden = this.isOpen;
    byId("panes").toggleAttribute("data-solid", this.isOpen);
    this.button.setAttribute("aria-pressed", String(this.isOpen));
    this.editor.emit("layout");
    if (this.isOpen) await this.show();
    else this.editor.canvas.focus({ preventScroll: true });
  }

  /** The panel stays with the first pane's series: the pointer goes between panes all the time. */
  get wanted() {
    return this.editor.panes[0].medium;
  }

  /** Bring the library once and the editor's medium where it is not here yet; what went wrong is said in the panel. */
  async show() {
    const medium = this.wanted;
    if (!this.editor.isVolume) return this.toggle();
    if (!hasWebGL2()) return this.say("This browser or its graphics driver offers no WebGL2, which the 3-D view needs. Everything else works without it.");
    if (!medium.has_pixels) return this.say("The picture of this volume was never brought in, so there is nothing to show in 3-D.");
    try {
      if (this.medium !== medium) await this.bring(medium);
    } catch (error) {
      console.warn(error);
      if (medium === this.wanted) this.say(`The 3-D view could not be opened: ${error.message} Your work is safe.`, true);
      return undefined;
    }
    this.place();
    return this.paint();
  }

  async bring(medium) {
    this.medium = null;
    this.say("Bringing the volume …");
    const [copy, library] = await Promise.all([fetchOverview(`${this.address}${medium.ordinal}/overview/`), import("../../vendor/niivue/niivue.js")]);
    if (medium !== this.wanted) return;
    if (!this.view) {
      this.view = new SolidView(library, byId("solid-canvas"), (place) => this.pressed(place));
      await this.view.attach();
    }
    await this.view.show(medium, copy, this.editor.windows.get(medium.ordinal));
    // Another one may have been asked for meanwhile.
    if (medium !== this.wanted) return;
    this.medium = medium;
    this.content = null;
    this.say("");
    byId("solid-note").textContent = copy.steps.some((step) => step > 1) ? `Every ${ordinalOf(copy.steps)} voxel` : "";
  }

  /** Do something a moment after the last wish for it. @param {"place"|"paint"|"window"} name */
  soon(name, after) {
    clearTimeout(this.timers[name]);
    this.timers[name] = setTimeout(() => this[name](), after);
  }

  get isShowing() {
    return this.isOpen && this.medium !== null && this.medium === this.wanted;
  }

  place() {
    if (this.isShowing) this.view.setPlace(placeOf(this.medium, this.editor.placeIn(this.medium)));
  }

  window() {
    const window = this.isShowing && this.editor.windows.get(this.medium.ordinal);
    if (window) this.view.setWindow(window);
  }

  paint() {
    if (!this.isShowing) return;
    const { editor, medium } = this;
    const { state, layers } = editor.document;
    const labels = editor.isHidden ? [] : layers.labels(state, medium.ordinal);
    const content = contentOf(layers, state, medium.ordinal, labels);
    if (content === this.content) return;
    const classes = labels.map((label) => ({ name: editor.classes.get(label)?.name ?? label, colour: editor.colourOf(label) }));
    const map = labelMap(layers, state, medium.ordinal, labels, this.view.reduced);
    this.view.setPainted(map, classes);
    this.content = content;
    this.element.dataset.voxels = String(map.reduce((n, value) => n + (value ? 1 : 0), 0));
  }

  /** Somebody pressed on a slice here: the planes go there. */
  pressed(place) {
    if (!this.isShowing) return;
    this.element.dataset.place = place.join(",");
    const at = voxelOf(this.medium, place).map((side, axis) => Math.min(this.medium.size[axis] - 1, Math.max(0, Math.round(side))));
    this.editor.go({ medium: this.medium, at });
    // The cross-hair here is where it was pressed: it need not be drawn again.
    clearTimeout(this.timers.place);
  }

  setSlices(isOn) {
    this.slices.setAttribute("aria-pressed", String(isOn));
    this.view?.setView(isOn ? "slices" : "solid");
  }

  /** A sentence instead of the view; "" shows the view. */
  say(text, canRetry = false) {
    byId("solid-state").hidden = !text;
    byId("solid-text").textContent = text;
    byId("solid-retry").hidden = !canRetry;
    byId("solid-slices").disabled = Boolean(text);
  }
}

function ordinalOf(steps) {
  const [z, y, x] = steps;
  return x === y && y === z ? { 2: "2nd", 3: "3rd" }[x] ?? `${x}th` : `${x} × ${y} × ${z}th`;
}
