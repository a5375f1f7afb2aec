// Slices of one medium: fetched as raw values, kept while memory lasts, windowed into pictures. No drawing on screen.

const KEEP_BYTES = 256 * 1024 * 1024;
const TYPES = {
  bool: Uint8Array, uint8: Uint8Array, int8: Int8Array, uint16: Uint16Array, int16: Int16Array,
  uint32: Uint32Array, int32: Int32Array, float32: Float32Array, float64: Float64Array,
};

/** @typedef {{values: any, width: number, height: number, channels: number}} Slice */

export class Pixels {
  /** @param {string} address ending in a slash, to which plane and index are added @param {any} medium facts of it */
  constructor(address, medium) {
    this.address = address;
    this.medium = medium;
    /** @type {Map<number, Slice>} */
    this.kept = new Map();
    /** @type {Map<number, Promise<Slice>>} */
    this.asked = new Map();
    this.bytes = 0;
  }

  /** A slice that is here already. */
  peek(index) {
    return this.kept.get(index) ?? null;
  }

  /** @returns {Promise<Slice>} */
  load(index) {
    const kept = this.kept.get(index);
    if (kept) return Promise.resolve(kept);
    if (!this.asked.has(index)) {
      const asked = this.fetch(index).finally(() => this.asked.delete(index));
      this.asked.set(index, asked);
    }
    return this.asked.get(index);
  }

  /** Ask for the neighbours of a slice, quietly. */
  prefetch(index, reach = 2) {
    const depth = this.medium.size[0];
    for (let step = 1; step <= reach; step += 1) {
      for (const next of [index + step, index - step]) {
        if (next >= 0 && next < depth && !this.kept.has(next)) this.load(next).catch(() => {});
      }
    }
  }

  async fetch(index) {
    const response = await fetch(`${this.address}axial/${index}/`);
    if (!response.ok) throw new Error(await sentence(response));
    const buffer = await response.arrayBuffer();
    const type = TYPES[response.headers.get("X-Dtype") ?? "uint8"];
    const slice = {
      values: new type(buffer),
      width: Number(response.headers.get("X-Width")),
      height: Number(response.headers.get("X-Height")),
      channels: Number(response.headers.get("X-Channels") ?? 1),
    };
    this.keep(index, slice);
    return slice;
  }

  keep(index, slice) {
    this.kept.set(index, slice);
    this.bytes += slice.values.byteLength;
    for (const [oldest, old] of this.kept) {
      if (this.bytes <= KEEP_BYTES || oldest === index) break;
      this.kept.delete(oldest);
      this.bytes -= old.values.byteLength;
    }
  }
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
    { name: "Brain", centre: 40, width: 80 },
  ];
}

/** A slice as a picture through a window. @param {Slice} slice @returns {ImageData} */
export function windowed(slice, { centre, width }) {
  const { values, channels } = slice;
  const image = new ImageData(slice.width, slice.height);
  const out = image.data;
  const low = centre - width / 2;
  const gain = 255 / Math.max(width, 1e-6);
  const isColour = channels >= 3;
  for (let i = 0, from = 0, to = 0; i < slice.width * slice.height; i += 1, from += channels, to += 4) {
    // Uint8ClampedArray rounds and clamps; what is no number becomes black.
    out[to] = (values[from] - low) * gain;
    out[to + 1] = isColour ? (values[from + 1] - low) * gain : out[to];
    out[to + 2] = isColour ? (values[from + 2] - low) * gain : out[to];
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
