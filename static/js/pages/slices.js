// Raw slices from the server as pictures: typed arrays by their stated type, windowed to 8 bits, a few kept. No drawing.
import { ringsOf } from "../lib/rings.js";

const ARRAYS = {
  bool: Uint8Array, uint8: Uint8Array, int8: Int8Array, uint16: Uint16Array, int16: Int16Array,
  uint32: Uint32Array, int32: Int32Array, float32: Float32Array, float64: Float64Array,
};
const KEPT = 48;

/** A medium's slices, by index: fetched once, kept for a while, turned into canvases with the current window. */
export class Slices {
  constructor(address, facts) {
    this.address = address;
    this.facts = facts;
    this.window = facts.window ? { center: facts.window[0], width: facts.window[1] } : null;
    this.raw = new Map();
  }

  /** Return the slice as {values, width, height, channels}. Rejects with a sentence for people. */
  async fetch(index) {
    if (!this.raw.has(index)) {
      if (this.raw.size >= KEPT) this.raw.delete(this.raw.keys().next().value);
      this.raw.set(index, this.#load(index).catch((error) => {
        this.raw.delete(index);
        throw error;
      }));
    }
    return this.raw.get(index);
  }

  /** Return a canvas of the slice under the current window. */
  async picture(index) {
    const slice = await this.fetch(index);
    const canvas = new OffscreenCanvas(slice.width, slice.height);
    const image = new ImageData(slice.width, slice.height);
    const isPlain = slice.values instanceof Uint8Array && (!this.window || slice.channels > 1);
    if (!this.window && !isPlain) this.window = windowOf(slice.values);
    const low = isPlain ? 0 : this.window.center - this.window.width / 2;
    const gain = isPlain ? 1 : 255 / Math.max(this.window.width, 1e-6);
    paint(image.data, slice, low, gain);
    canvas.getContext("2d").putImageData(image, 0, 0);
    return canvas;
  }

  async #load(index) {
    const response = await fetch(`${this.address}slice/axial/${index}/`);
    if (!response.ok) throw new Error(response.status === 404 ? "Only the size of this picture is known; it was never brought in." : "The picture could not be loaded. Reload the page to try again.");
    const header = (name) => response.headers.get(name);
    const values = new ARRAYS[header("X-Dtype")](await response.arrayBuffer());
    return { values, width: Number(header("X-Width")), height: Number(header("X-Height")), channels: Number(header("X-Channels")) };
  }
}

function paint(pixels, { values, channels }, low, gain) {
  const isColour = channels >= 3;
  for (let source = 0, target = 0; target < pixels.length; source += channels, target += 4) {
    const grey = (values[source] - low) * gain;
    pixels[target] = grey;
    pixels[target + 1] = isColour ? (values[source + 1] - low) * gain : grey;
    pixels[target + 2] = isColour ? (values[source + 2] - low) * gain : grey;
    pixels[target + 3] = 255;
  }
}

/** The 1st to 99th percentile, from a sample: what a picture without a stated window is shown with. */
function windowOf(values) {
  const step = Math.max(1, Math.floor(values.length / 20000));
  const sample = [];
  for (let index = 0; index < values.length; index += step) if (Number.isFinite(values[index])) sample.push(values[index]);
  sample.sort((a, b) => a - b);
  const at = (share) => sample[Math.min(sample.length - 1, Math.floor(share * sample.length))] ?? 0;
  return { center: (at(0.01) + at(0.99)) / 2, width: Math.max(at(0.99) - at(0.01), 1e-6) };
}

/** Load a mask's PNG and return its fill and its one-pixel edge, both as canvases in `colour`; null where it is empty. */
export async function maskPicture(address, colour) {
  const response = await fetch(address);
  if (response.status !== 200) return null;
  const bitmap = await createImageBitmap(await response.blob());
  const { width, height } = bitmap;
  const fill = new OffscreenCanvas(width, height);
  const context = fill.getContext("2d");
  context.drawImage(bitmap, 0, 0);
  const alpha = context.getImageData(0, 0, width, height).data;
  const edges = new Path2D();
  for (const ring of ringsOf(width, height, (x, y) => alpha[4 * (y * width + x) + 3] > 0)) {
    ring.forEach(([x, y], index) => (index ? edges.lineTo(x, y) : edges.moveTo(x, y)));
    edges.closePath();
  }
  context.globalCompositeOperation = "source-in";
  context.fillStyle = colour;
  context.fillRect(0, 0, width, height);
  return { fill, edges };
}
