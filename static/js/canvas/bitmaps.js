// Pictures that are drawn many times and change seldom: the windowed slice, and one coloured picture a painted layer.
import { windowed } from "./pixels.js";

/** @typedef {import("../lib/strokes.js").Plane} Plane */

export class Bitmaps {
  constructor() {
    this.image = { key: null, canvas: null };
    /** @type {Map<string, {id: string, canvas: HTMLCanvasElement}>} */
    this.layers = new Map();
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

  /** A painted layer in its colour. @param {Plane & {id: string}} plane */
  layer(name, plane, colour) {
    const kept = this.layers.get(name);
    if (kept?.id === plane.id) return kept.canvas;
    const canvas = kept?.canvas ?? document.createElement("canvas");
    if (canvas.width !== plane.width || canvas.height !== plane.height) {
      [canvas.width, canvas.height] = [plane.width, plane.height];
    }
    colourPiece(canvas, plane, colour, [0, 0, plane.width, plane.height]);
    this.layers.set(name, { id: plane.id, canvas });
    return canvas;
  }
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
