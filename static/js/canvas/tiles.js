// Large pictures, of which only what is seen is loaded: tiles of the level that the screen can show, over the coarsest level.
//
// Tiles come as raw values like slices. What is seen is put together at the level's own size and drawn once, so that no seam shows.
// Not here: how tiles are made (labelhub/catalog/tiles.py). Tools that need all values at once bring the whole picture, up to a size.
import { fetchRows, Pixels, windowed } from "./pixels.js";
import { drawPicture } from "./scene.js";

const MOST_AT_ONCE = 6;
const KEEP_TILES = 160;
/** Pixels up to which all values may be held at once. */
const MOST_WHOLE = 16_777_216;

export class TiledPixels {
  isTiled = true;

  /** @param {string} address of the medium, ending in a slash @param {any} medium facts with `tiles` */
  constructor(address, medium) {
    this.address = address;
    this.medium = medium;
    this.size = medium.tiles.size;
    this.top = medium.tiles.levels - 1;
    /** @type {Map<string, {slice: any, canvas: HTMLCanvasElement | null, key: string}>} */
    this.tiles = new Map();
    this.asked = new Set();
    /** @type {string[]} */
    this.wanted = [];
    this.arrivals = 0;
    this.scene = { key: "", canvas: document.createElement("canvas"), x: 0, y: 0, by: 1 };
    /** The coarsest level; what windows are guessed from. */
    this.overview = null;
    /** All values, once a tool asked for them. */
    this.whole = null;
  }

  peek() {
    return null;
  }

  prefetch() {}

  /** The coarsest level is one tile: with it the picture can be shown. */
  async load() {
    this.overview ??= await this.fetch(`${this.top}/0/0`);
    return this.overview;
  }

  /** Bring all values. Throws where the picture is too large for that. */
  async bringWhole() {
    const [, rows, columns] = this.medium.size;
    if (rows * columns > MOST_WHOLE) {
      throw new Error("This picture is too large for tools that read its values. Brush, outlines and sculptor work on it.");
    }
    this.whole ??= await new Pixels(`${this.address}slice/`, this.medium).load("axial", 0);
    return this.whole;
  }

  /** The value of a pixel, where its finest tile is here. */
  valueAt(x, y) {
    const tile = this.tiles.get(`0/${Math.floor(x / this.size)}/${Math.floor(y / this.size)}`);
    if (!tile) return null;
    const { values, width, channels } = tile.slice;
    const from = ((y % this.size) * width + (x % this.size)) * channels;
    return Array.from(values.subarray(from, from + channels));
  }

  /** The level whose pixels are just fine enough for the screen. */
  levelFor(view) {
    const dense = window.devicePixelRatio || 1;
    return Math.max(0, Math.min(this.top, Math.floor(Math.log2(1 / (view.scale * dense)) + 0.001)));
  }

  /**
   * @param {CanvasRenderingContext2D} context @param {import("./view.js").View} view
   * @param {(() => void) | null} redraw when more is here; null draws what there is once more, under another view
   */
  draw(context, view, shown, redraw) {
    if (!redraw) {
      const { canvas, x, y, by } = this.scene;
      drawPicture(context, view, canvas, { isSmooth: true, x, y, by });
      return;
    }
    this.redraw = redraw;
    const level = this.levelFor(view);
    const side = this.size * 2 ** level;
    const [x0, y0, x1, y1] = view.seen();
    const [c0, c1] = [Math.floor(x0 / side), Math.floor(Math.max(x0, x1 - 1e-6) / side)];
    const [r0, r1] = [Math.floor(y0 / side), Math.floor(Math.max(y0, y1 - 1e-6) / side)];
    const names = [];
    for (let row = r0; row <= r1; row += 1) for (let column = c0; column <= c1; column += 1) names.push(`${level}/${column}/${row}`);
    this.want(names, (c0 + c1) / 2, (r0 + r1) / 2);
    const key = `${level}:${c0}:${c1}:${r0}:${r1}:${this.arrivals}:${shown.centre}:${shown.width}`;
    if (this.scene.key !== key) this.compose(key, level, [c0, r0, c1, r1], names, shown);
    Object.assign(this.scene, { x: c0 * side, y: r0 * side, by: 2 ** level });
    drawPicture(context, view, this.scene.canvas, { isSmooth: true, x: c0 * side, y: r0 * side, by: 2 ** level });
  }

  compose(key, level, [c0, r0, c1, r1], names, shown) {
    const { canvas } = this.scene;
    const [, rows, columns] = this.medium.size;
    const [levelWidth, levelHeight] = [Math.ceil(columns / 2 ** level), Math.ceil(rows / 2 ** level)];
    const width = Math.min((c1 + 1) * this.size, levelWidth) - c0 * this.size;
    const height = Math.min((r1 + 1) * this.size, levelHeight) - r0 * this.size;
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
    const context = canvas.getContext("2d");
    const coarse = this.picture(`${this.top}/0/0`, shown);
    if (coarse) {
      const by = 2 ** (this.top - level);
      context.drawImage(coarse, -c0 * this.size, -r0 * this.size, coarse.width * by, coarse.height * by);
    }
    for (const name of names) {
      const picture = this.picture(name, shown);
      const [, column, row] = name.split("/").map(Number);
      if (picture) context.drawImage(picture, (column - c0) * this.size, (row - r0) * this.size);
    }
    this.scene.key = key;
  }

  /** A tile through the window, kept until the window changes. */
  picture(name, shown) {
    const tile = this.tiles.get(name);
    if (!tile) return null;
    const key = `${shown.centre}:${shown.width}`;
    if (tile.key === key) return tile.canvas;
    tile.canvas ??= document.createElement("canvas");
    [tile.canvas.width, tile.canvas.height] = [tile.slice.width, tile.slice.height];
    tile.canvas.getContext("2d").putImageData(windowed(tile.slice, shown), 0, 0);
    tile.key = key;
    return tile.canvas;
  }

  /** Ask for what is missing, from the middle out; what is out of sight by now is not asked for any more. */
  want(names, column, row) {
    const far = (name) => {
      const [, c, r] = name.split("/").map(Number);
      return Math.hypot(c - column, r - row);
    };
    for (const name of names) this.touch(name);
    this.wanted = names.filter((name) => !this.tiles.has(name) && !this.asked.has(name)).sort((a, b) => far(a) - far(b));
    this.pump();
  }

  pump() {
    while (this.asked.size < MOST_AT_ONCE && this.wanted.length) {
      const name = this.wanted.shift();
      this.asked.add(name);
      this.fetch(name).catch(() => {}).finally(() => {
        this.asked.delete(name);
        this.arrivals += 1;
        this.redraw?.();
        this.pump();
      });
    }
  }

  /** What was seen last leaves last. */
  touch(name) {
    const tile = this.tiles.get(name);
    if (!tile) return;
    this.tiles.delete(name);
    this.tiles.set(name, tile);
  }

  async fetch(name) {
    const slice = await fetchRows(`${this.address}tile/${name}/`);
    this.tiles.set(name, { slice, canvas: null, key: "" });
    const isCoarse = (other) => other.startsWith(`${this.top}/`);
    for (const other of this.tiles.keys()) {
      if (this.tiles.size <= KEEP_TILES) break;
      if (!isCoarse(other)) this.tiles.delete(other);
    }
    return slice;
  }
}
