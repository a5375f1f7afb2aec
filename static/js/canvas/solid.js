// The volume in 3-D and its painted classes, by NiiVue. It shows; nothing can be drawn here. The library is loaded by who opens it.
//
// Places are millimetres of the patient. Without a graphics card a new texture takes about half a second and a frame up to a
// third: who calls decides how often (label/solid.js). Not here: the panel, when to refresh, what is painted.
import { ARRAYS, asNifti, reducedAffine } from "../lib/solid.js";

/** Slices and 3-D, or 3-D alone, in NiiVue's numbers. */
const VIEWS = { solid: 4, slices: 3 };
const TURN_DEG = 10;
/** How strongly a class covers what lies behind it. */
const CLASS_ALPHA = 200;

/** Whether this browser can show it at all. */
export function hasWebGL2() {
  return Boolean(document.createElement("canvas").getContext("webgl2"));
}

export class SolidView {
  /** @param {any} library the module of NiiVue @param {HTMLCanvasElement} canvas @param {(place: number[]) => void} onPlace pressed at, in mm */
  constructor(library, canvas, onPlace) {
    this.library = library;
    this.canvas = canvas;
    /** @type {import("../lib/solid.js").Reduced | null} */
    this.reduced = null;
    this.viewer = new library.Niivue({
      backColor: [0.02, 0.02, 0.02, 1], crosshairColor: [0.56, 0.82, 1, 1], show3Dcrosshair: true, dragAndDropEnabled: false,
      multiplanarShowRender: 1, multiplanarLayout: 2, sliceType: VIEWS.solid, logLevel: "silent", loadingText: "", isNearestInterpolation: true,
      dragMode: 3, isRadiologicalConvention: true, clipPlaneHotKey: "", cycleClipPlaneHotKey: "", viewModeHotKey: "", sagittalNoseLeft: true,
      isAntiAlias: false, fontColor: [0.9, 0.9, 0.9, 1],
    });
    this.viewer.onLocationChange = ({ mm }) => onPlace(Array.from(mm).slice(0, 3));
    // Its own keys would act beside the editor's.
    this.viewer.keyDownListener = (event) => this.turnByKey(event);
    this.viewer.keyUpListener = () => undefined;
    this.viewer.resetBriCon = () => undefined;
  }

  attach() {
    return this.viewer.attachToCanvas(this.canvas);
  }

  /** Show a volume. @param {any} medium @param {{size: number[], steps: number[], dtype: string, values: any}} copy */
  async show(medium, copy, window) {
    const affine = reducedAffine(medium, copy.steps);
    this.reduced = { size: copy.size, steps: copy.steps, affine };
    const { NVImage } = this.library;
    const [low, high] = rangeOf(window, copy);
    const base = await NVImage.new(asNifti(this.reduced, copy.dtype, copy.values), "volume.nii", "gray", 1, null, low, high);
    const empty = new Uint8Array(copy.size[0] * copy.size[1] * copy.size[2]);
    this.painted = await NVImage.new(asNifti(this.reduced, "uint8", empty), "painted.nii", "gray", 1, null, 0, 255);
    this.painted.setColormapLabel(colours([]));
    this.viewer.opts.isOrientationTextVisible = Boolean(medium.affine);
    this.viewer.volumes = [];
    this.viewer.addVolume(base);
    this.viewer.addVolume(this.painted);
  }

  /** @param {{centre: number, width: number}} window */
  setWindow(window) {
    const [base] = this.viewer.volumes;
    [base.cal_min, base.cal_max] = rangeOf(window);
    this.viewer.refreshLayers(base, 0);
    this.viewer.drawScene();
  }

  /** @param {Uint8Array} labels one number a voxel of the copy @param {{name: string, colour: string}[]} classes of 1, 2, … */
  setPainted(labels, classes) {
    this.painted.img = labels;
    this.painted.setColormapLabel(colours(classes));
    this.viewer.refreshLayers(this.painted, 1);
    this.viewer.drawScene();
  }

  /** @param {number[]} place in mm */
  setPlace(place) {
    this.viewer.scene.crosshairPos = this.viewer.mm2frac(place, 0, true);
    this.viewer.drawScene();
  }

  setView(name) {
    this.viewer.setSliceType(VIEWS[name]);
  }

  turnByKey(event) {
    const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (!by || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    const { renderAzimuth, renderElevation } = this.viewer.scene;
    this.viewer.setRenderAzimuthElevation(renderAzimuth + TURN_DEG * by[0], renderElevation + TURN_DEG * by[1]);
  }
}

/** A reduced copy of a volume from the server. @param {string} address */
export async function fetchOverview(address) {
  const response = await fetch(address);
  if (!response.ok) throw new Error(await response.json().then(({ detail }) => detail, () => `The volume could not be read (${response.status}).`));
  const buffer = await response.arrayBuffer();
  const numbers = (name) => response.headers.get(name).split(",").map(Number);
  const dtype = response.headers.get("X-Dtype");
  return { size: numbers("X-Size"), steps: numbers("X-Steps"), dtype, values: new ARRAYS[dtype](buffer) };
}

/** From black to white; without a window most of what the copy holds. */
function rangeOf(window, copy = null) {
  if (window) return [window.centre - window.width / 2, window.centre + window.width / 2];
  const stride = Math.max(1, Math.floor(copy.values.length / 20_000));
  const sample = copy.values.filter((value, i) => i % stride === 0 && Number.isFinite(value)).sort();
  return [sample[Math.floor(sample.length * 0.01)] ?? 0, sample[Math.floor(sample.length * 0.99)] ?? 1];
}

function colours(classes) {
  const parts = classes.map(({ colour }) => Number.parseInt(colour.slice(1), 16));
  return {
    R: [0, ...parts.map((value) => value >> 16)], G: [0, ...parts.map((value) => (value >> 8) & 0xff)], B: [0, ...parts.map((value) => value & 0xff)],
    A: [0, ...parts.map(() => CLASS_ALPHA)], I: [0, ...parts.map((_, i) => i + 1)], labels: ["", ...classes.map(({ name }) => name)],
  };
}
