// A large photograph under the readers: the tiles that are seen, as in the editor. Brought where an item has such a picture.
import { firstWindow } from "../canvas/pixels.js";
import { TiledPixels } from "../canvas/tiles.js";

const PLAIN = { centre: 127.5, width: 255 };

export class LargePicture {
  /** @param {string} address of the medium, ending in a slash @param {any} facts of it, with `tiles` */
  constructor(address, facts) {
    this.facts = facts;
    this.pixels = new TiledPixels(address, facts);
    /** As `Slices` has it: null where values are shown as they are. @type {{center: number, width: number} | null} */
    this.window = null;
  }

  /** Bring the coarsest level: with it the picture can be shown. Rejects with a sentence for people. */
  async load() {
    const overview = await this.pixels.load();
    const isPlain = this.facts.dtype === "uint8" && (!this.facts.window || this.facts.channels > 1);
    const { centre, width } = firstWindow(this.facts, overview);
    if (!isPlain && !this.window) this.window = { center: centre, width };
    return this;
  }

  /**
   * @param {CanvasRenderingContext2D} context in screen pixels
   * @param {{scale: number, step: number[], matrix: number[], seen: () => number[]}} view @param {() => void} redraw when more is here
   */
  draw(context, view, redraw) {
    const shown = this.window ? { centre: this.window.center, width: this.window.width } : PLAIN;
    this.pixels.draw(context, /** @type {any} */ (view), shown, redraw);
  }
}
