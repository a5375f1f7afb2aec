// Pictures that are drawn many times and change seldom: the windowed slice, and all painted layers in their colours.
import { windowed } from "./pixels.js";

/** @typedef {import("../lib/strokes.js").Plane} Plane */

/** How much of the picture a painted class hides. */
export const LAYER_ALPHA = 0.45;
/** Pixels above which a plane has no picture of its own. */
export const LARGE = 16_000_000;

export class Bitmaps {
  constructor() {
    this.image = { key: null, canvas: null };
    /** @type {{key: string, canvas: HTMLCanvasElement | null, place: {x: number, y: number, by: number}}} */
    this.layers = { key: "", canvas: null, place: { x: 0, y: 0, by: 1 } };
  }

  /** The slice through the window. */
  slice(slice, window, place) {
    const key = `${place}:${window.centre}:${window.width}`;
    if (this.image.key !== key) {
      const canvas = this.image.canvas ?? document.createElement("canvas");
      if (canvas.width !== slice.width || canvas.height !== slice.height) {
        [canvas.width, canvas.height] = [slice.width, slice.height];
      }
      canvas.getContext("2d").putImageData(windowed(slice, window), 0, 0);
      this.image = { key, canvas };
    }
    return this.image.canvas;
  }

  /**
   * All painted layers as one picture, each in its colour over those before it, and where and how large it is drawn. Of a large
   * picture only what is seen, as fine as the screen: a mask of 100 million pixels has no picture of its own.
   * @param {{plane: Plane & {id: string}, colour: string}[]} layers @param {import("./view.js").View} view
   * @returns {[HTMLCanvasElement, {x: number, y: number, by: number}] | null}
   */
  merged(layers, view) {
    if (!layers.length) return null;
    const [{ plane: { width, height } }] = layers;
    const isLarge = width * height > LARGE;
    const seen = isLarge ? `${view.matrix}:${view.width}:${view.height}` : "";
    const key = `${seen}|${layers.map(({ plane, colour }) => plane.id + colour).join("|")}`;
    if (this.layers.key === key) return [this.layers.canvas, this.layers.place];
    const pieces = layers.map(({ plane, colour }) => ({ colour, ...(isLarge ? sampled(plane, view) : { piece: plane, place: { x: 0, y: 0, by: 1 } }) }));
    const canvas = this.layers.canvas ?? document.createElement("canvas");
    const [{ piece, place }] = pieces;
    if (canvas.width !== piece.width || canvas.height !== piece.height) [canvas.width, canvas.height] = [piece.width, piece.height];
    const image = new ImageData(piece.width, piece.height);
    for (const layer of pieces) blend(image.data, layer.piece.data, layer.colour);
    canvas.getContext("2d").putImageData(image, 0, 0);
    this.layers = { key, canvas, place };
    return [canvas, place];
  }
}

/** Lay a colour at LAYER_ALPHA over the pixels that are set. @param {Uint8ClampedArray} out not premultiplied */
function blend(out, data, colour) {
  const value = Number.parseInt(colour.slice(1), 16);
  const [red, green, blue] = [value >> 16, (value >> 8) & 0xff, value & 0xff];
  for (let i = 0; i < data.length; i += 1) {
    if (!data[i]) continue;
    const at = 4 * i;
    const below = (out[at + 3] / 255) * (1 - LAYER_ALPHA);
    const alpha = LAYER_ALPHA + below;
    const [over, under] = [LAYER_ALPHA / alpha, below / alpha];
    out[at] = red * over + out[at] * under;
    out[at + 1] = green * over + out[at + 1] * under;
    out[at + 2] = blue * over + out[at + 2] * under;
    out[at + 3] = 255 * alpha;
  }
}

/** What the screen shows of a plane, one value a screen pixel at most. */
function sampled(plane, view) {
  const [x0, y0, x1, y1] = view.seen().map(Math.floor);
  const by = Math.max(1, Math.floor(1 / view.scale));
  const [width, height] = [Math.max(1, Math.ceil((x1 + 1 - x0) / by)), Math.max(1, Math.ceil((y1 + 1 - y0) / by))];
  const data = new Uint8Array(width * height);
  for (let y = 0; y < height; y += 1) {
    const row = Math.min(plane.height - 1, y0 + y * by) * plane.width;
    for (let x = 0; x < width; x += 1) data[y * width + x] = plane.data[row + Math.min(plane.width - 1, x0 + x * by)];
  }
  return { piece: { data, width, height }, place: { x: x0, y: y0, by } };
}

/** Paint a piece [x0, y0, x1, y1] of a plane into a picture, set pixels in the colour and the rest clear. @param {number[]} box */
export function colourPiece(canvas, plane, colour, box) {
  const [x0, y0, x1, y1] = box;
  if (x0 >= x1 || y0 >= y1) return;
  const value = Number.parseInt(colour.slice(1), 16);
  const image = new ImageData(x1 - x0, y1 - y0);
  const pixels = new Uint32Array(image.data.buffer);
  // Little endian: alpha is the highest byte.
  const set = (0xff000000 | ((value & 0xff) << 16) | (value & 0xff00) | (value >> 16)) >>> 0;
  for (let y = y0, i = 0; y < y1; y += 1) {
    for (let x = x0; x < x1; x += 1, i += 1) if (plane.data[y * plane.width + x]) pixels[i] = set;
  }
  canvas.getContext("2d").putImageData(image, x0, y0);
}
