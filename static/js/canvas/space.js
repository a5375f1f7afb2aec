// Where the panes are: one place of the patient that leads into each series through millimetres, and how they are kept together.
//
// The affine of each medium says where its voxels lie, in a space that the server numbers: one a frame of reference, or one for all
// where the project says so. A medium without an affine is alone. Not here: tools (desk.js), layouts (plane.js), the drawing of a pane (pane.js).
import { areLinked, carried, placeIn, spacingIn, voxelAt } from "../lib/planes.js";
import { Desk } from "./desk.js";

export class Space extends Desk {
  /** Where all panes are: a voxel [z, y, x] of a medium, not always whole. @type {{medium: any, at: number[]}} */
  place = { medium: null, at: [0, 0, 0] };
  /** By ordinal. @type {Map<number, {centre: number, width: number}>} */
  windows = new Map();
  /** The window that each medium began with, by ordinal: of the first slice that came, whichever is seen later. @type {Map<number, {centre: number, width: number}>} */
  firstWindows = new Map();
  /** How the pixels of a medium are brought, null where only the grid is known. @type {(medium: any) => any} */
  pixelsOf = () => null;
  /** @type {Map<any, any>} */
  broughtPixels = new Map();
  /** @type {any} */ proposals = null;
  layout = "one";

  /** How the values of the active pane's medium become grey. */
  get window() {
    return this.active.window;
  }

  get isVolume() {
    return this.medium.size[0] > 1;
  }

  pixelsFor(medium) {
    if (!this.broughtPixels.has(medium)) this.broughtPixels.set(medium, this.pixelsOf(medium));
    return this.broughtPixels.get(medium);
  }

  /** Whatever is in hand belongs to the medium before. Alone on the panes, a medium is shown where it is: at its middle at least. */
  leave(medium, isAlone = true) {
    this.tool.cancel?.();
    this.proposals.refuse();
    this.select(null);
    if (!isAlone) return;
    const known = this.place.medium;
    const isInside = known && areLinked(known, medium)
      && carried(known, medium, this.place.at).every((at, axis) => Math.round(at) >= 0 && Math.round(at) < medium.size[axis]);
    if (!isInside) this.place = { medium, at: medium.size.map((side) => Math.floor((side - 1) / 2)) };
  }

  /** The shared place in a medium's voxels; of a medium in another space its middle. @returns {number[]} [z, y, x] */
  placeIn(medium) {
    const { place } = this;
    if (medium === place.medium) return place.at;
    if (!areLinked(place.medium, medium)) return medium.size.map((side) => Math.floor((side - 1) / 2));
    return carried(place.medium, medium, place.at);
  }

  /** Panes that show the same plane of other series look at the same place, as large in millimetres. @param {import("./pane.js").Pane} pane */
  follow(pane) {
    this.emit("view");
    if (!this.isVolume || !pane.isShown || !pane.view) return;
    const { view, plane, medium } = pane;
    const [x, y] = view.toImage(view.width / 2, view.height / 2);
    const centre = voxelAt(plane, x - 0.5, y - 0.5, pane.index);
    for (const other of this.panes) {
      if (other.medium === medium || other.plane !== plane || !other.isShown || !other.view || !areLinked(medium, other.medium)) continue;
      const [there, back] = placeIn(plane, carried(medium, other.medium, centre));
      const [own, its] = [medium, other.medium].map(({ spacing_mm }) => spacingIn(plane, spacing_mm)?.[0] ?? 1);
      other.view.scale = (view.scale / own) * its;
      other.view.place([there + 0.5, back + 0.5], other.view.width / 2, other.view.height / 2);
      other.view.isFitted = false;
      other.redraw();
    }
  }
}
