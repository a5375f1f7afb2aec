// Masks of layers on one plane: whole where they are small; of a large one a coarse copy, and finely what of it is seen.
//
// A part is so many pixels of the mask's own box, of which the server sends one for each block of `by`. Not here: drawing.
import { maskPicture } from "../pages/slices.js";
import { keep, keepAlone, kept } from "./kept.js";

/** Pixels up to which a mask comes whole and at once. */
export const MOST_PIXELS = 4_194_304;
const COARSE_PIXELS = 1_048_576;
/** Parts begin at multiples of this, so that moving a little asks for nothing. */
const ALIGNED = 512;

/** @typedef {{by: number, left: number, top: number, width: number, height: number}} Part */

/** All of a mask in few pixels; null where it comes as it is. @param {{width: number, height: number}} mask @returns {Part | null} */
export function coarseOf({ width, height }) {
  if (width * height <= MOST_PIXELS) return null;
  return { by: 2 ** Math.ceil(Math.log2(Math.sqrt((width * height) / COARSE_PIXELS))), left: 0, top: 0, width, height };
}

/**
 * What of a large mask is seen, as finely as the screen shows it; null where the coarse copy is fine enough or nothing is seen.
 * @param {{x: number, y: number, width: number, height: number}} mask
 * @param {number[]} seen left, top, right, bottom on the picture @param {number} scale screen pixels a pixel of the picture
 * @returns {Part | null}
 */
export function partOf(mask, [x0, y0, x1, y1], scale) {
  const by = 2 ** Math.max(0, Math.floor(Math.log2(1 / scale) + 0.001));
  const coarse = coarseOf(mask);
  if (!coarse || by >= coarse.by) return null;
  const side = ALIGNED * by;
  const along = (from, to, start, length) => {
    const low = Math.floor(Math.max(from - start, 0) / side) * side;
    return [low, Math.min(Math.ceil((to - start) / side) * side, length) - low];
  };
  const [left, width] = along(x0, x1, mask.x, mask.width);
  const [top, height] = along(y0, y1, mask.y, mask.height);
  return width > 0 && height > 0 ? { by, left, top, width, height } : null;
}

const wordsOf = ({ by, left, top, width, height }) => [by, left, top, width, height].join(",");
const keyOf = (layer, shape, z) => `mask ${layer.key} ${shape.number} ${z}`;

/** Load a shape's mask on a plane; of a large one its coarse copy. */
export function bringMask(layer, shape, z, address, colour) {
  const coarse = coarseOf(shape.mask);
  const place = `${address}${shape.number}/${z}/${coarse ? `?part=${wordsOf(coarse)}` : ""}`;
  return keep(keyOf(layer, shape, z), () => maskPicture(place, colour));
}

/**
 * What of a shape's mask is here: its picture, where that begins in the mask, and how many of the mask's pixels one of it is.
 * Finer parts of a large mask are asked for, and drawn by `redraw` when they come. Null before anything is here.
 */
export function maskHere(layer, shape, z, address, colour, { seen, scale, redraw }) {
  const whole = kept(keyOf(layer, shape, z));
  const part = partOf(shape.mask, seen, scale);
  if (part) {
    const place = `part of ${keyOf(layer, shape, z)}`;
    const fine = keepAlone(place, wordsOf(part), () => maskPicture(`${address}${shape.number}/${z}/?part=${wordsOf(part)}`, colour), redraw);
    // What is empty there is shown as such.
    if (fine !== undefined) return fine && { ...part, picture: fine };
  }
  return whole ? { ...(coarseOf(shape.mask) ?? { by: 1, left: 0, top: 0 }), picture: whole } : null;
}
