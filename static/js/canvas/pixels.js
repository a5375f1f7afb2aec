// Slices of one medium: fetched as raw values, kept while memory lasts, windowed into pictures. No drawing on screen.

import { sidesOf } from "../lib/planes.js";

const KEEP_BYTES = 256 * 1024 * 1024;
const TYPES = {
  bool: Uint8Array, uint8: Uint8Array, int8: Int8Array, uint16: Uint16Array, int16: Int16Array,
  uint32: Uint32Array, int32: Int32Array, float32: Float32Array, float64: Float64Array,
};

/** @typedef {{values: any, width: number, height: number, channels: number}} Slice */
/** @typedef {import("../lib/planes.js").PlaneName} PlaneName */

export class Pixels {
  /** @param {string} address ending in a slash, to which plane and index are added @param {any} medium facts of it */
  constructor(address, medium) {
    this.address = address;
    this.medium = medium;
    /** @type {Map<string, Slice>} */
    this.kept = new Map();
    /** @type {Map<string, Promise<Slice>>} */
    this.asked = new Map();
    this.bytes = 0;
    /** What was asked for without being wanted yet. */
    this.guesses = new AbortController();
  }

  /** A slice that is here already. @param {PlaneName} plane */
  peek(plane, index) {
    return this.kept.get(`${plane}/${index}`) ?? null;
  }

  /** @param {PlaneName} plane @returns {Promise<Slice>} */
  load(plane, index) {
    const place = `${plane}/${index}`;
    const kept = this.kept.get(place);
    if (kept) return Promise.resolve(kept);
    // What a person asks for must not wait behind guesses.
    if (!this.asked.has(place)) this.guesses.abort();
    // It may have been such a guess itself, given up for another plane's slice.
    return this.ask(place).catch((error) => {
      if (error.name === "AbortError") return this.ask(place);
      throw error;
    });
  }

  /** @param {RequestInit} [how] @returns {Promise<Slice>} */
  ask(place, how) {
    if (!this.asked.has(place)) {
      const asked = this.fetch(place, how).finally(() => this.asked.delete(place));
      this.asked.set(place, asked);
    }
    return this.asked.get(place);
  }

  /** Ask quietly for what comes next in the direction of scrolling, and for the one behind. @param {PlaneName} plane */
  prefetch(plane, index, direction = 1, reach = 4) {
    const { count } = sidesOf(plane, this.medium.size);
    const ahead = Array.from({ length: reach }, (_, i) => index + direction * (i + 1));
    if (this.guesses.signal.aborted) this.guesses = new AbortController();
    for (const next of [...ahead, index - direction]) {
      if (this.asked.size > reach || this.kept.has(`${plane}/${next}`)) continue;
      if (next >= 0 && next < count) this.ask(`${plane}/${next}`, { signal: this.guesses.signal, priority: "low" }).catch(() => {});
    }
  }

  async fetch(place, how) {
    const slice = await fetchRows(`${this.address}${place}/`, how);
    this.keep(place, slice);
    return slice;
  }

  keep(place, slice) {
    this.kept.set(place, slice);
    this.bytes += slice.values.byteLength;
    for (const [oldest, old] of this.kept) {
      if (this.bytes <= KEEP_BYTES || oldest === place) break;
      this.kept.delete(oldest);
      this.bytes -= old.values.byteLength;
    }
  }
}

/** Raw rows from the server. @param {string} address @param {RequestInit} [how] @returns {Promise<Slice>} */
export async function fetchRows(address, how = {}) {
  const response = await fetch(address, how);
  if (!response.ok) throw new Error(await sentence(response));
  const buffer = await response.arrayBuffer();
  const type = TYPES[response.headers.get("X-Dtype") ?? "uint8"];
  return {
    values: new type(buffer),
    width: Number(response.headers.get("X-Width")),
    height: Number(response.headers.get("X-Height")),
    channels: Number(response.headers.get("X-Channels") ?? 1),
  };
}

/** The window to begin with: the medium's own, all of it for photographs, else most of what the slice holds. */
export function firstWindow(medium, slice) {
  if (medium.window) return { centre: medium.window[0], width: medium.window[1] };
  if (medium.dtype === "uint8") return { centre: 127.5, width: 255 };
  const sample = [];
  const stride = Math.max(1, Math.floor(slice.values.length / 20_000));
  for (let i = 0; i < slice.values.length; i += stride) if (Number.isFinite(slice.values[i])) sample.push(slice.values[i]);
  sample.sort((a, b) => a - b);
  const [low, high] = [sample[Math.floor(sample.length * 0.01)] ?? 0, sample[Math.floor(sample.length * 0.99)] ?? 1];
  return { centre: (low + high) / 2, width: Math.max(1e-6, high - low) };
}

/** Windows that readers know by name. */
export function presetsOf(medium, first) {
  const own = { name: "As stored", ...first };
  if (medium.value_meaning !== "HU" && medium.value_meaning !== "hounsfield") return [own];
  return [
    own,
    { name: "Soft tissue", centre: 40, width: 400 },
    { name: "Lung", centre: -600, width: 1500 },
    { name: "Bone", centre: 400, width: 1800 },
    { name: "Marrow", centre: 50, width: 500 },
    { name: "Brain", centre: 40, width: 80 },
    { name: "Subdural", centre: 75, width: 215 },
    { name: "Liver", centre: 60, width: 160 },
  ];
}

/** A slice as a picture through a window. @param {Slice} slice @returns {ImageData} */
export function windowed(slice, { centre, width }) {
  const { values, channels } = slice;
  const image = new ImageData(slice.width, slice.height);
  const low = centre - width / 2;
  const gain = 255 / Math.max(width, 1e-6);
  const n = slice.width * slice.height;
  if (channels < 3) {
    const out = new Uint32Array(image.data.buffer);
    for (let i = 0, from = 0; i < n; i += 1, from += channels) {
      const value = (values[from] - low) * gain + 0.5;
      // What is no number becomes black.
      const grey = value >= 255 ? 255 : value > 0 ? value | 0 : 0;
      out[i] = 0xff000000 | (grey * 0x010101);
    }
    return image;
  }
  const out = image.data;
  for (let i = 0, from = 0, to = 0; i < n; i += 1, from += channels, to += 4) {
    // Uint8ClampedArray rounds and clamps.
    out[to] = (values[from] - low) * gain;
    out[to + 1] = (values[from + 1] - low) * gain;
    out[to + 2] = (values[from + 2] - low) * gain;
    out[to + 3] = 255;
  }
  return image;
}

async function sentence(response) {
  try {
    return (await response.json()).detail;
  } catch {
    return `The picture could not be read (${response.status}). Your work is safe. Reload the page.`;
  }
}
