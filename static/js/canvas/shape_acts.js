// Acts on the chosen outline over slices: a copy on the next one, and the slices between. Each is one step of undo.
import { regionsBetween } from "../lib/between.js";

export class ShapeActs {
  constructor(desk) {
    this.desk = desk;
  }

  /** What is drawn of the chosen shape on this slice, on the neighbouring one as well; goes there. */
  copy(step) {
    const { desk } = this;
    const shape = this.chosen("A photograph has no other slice.");
    if (!shape) return undefined;
    const here = desk.onSlice(shape.regions);
    if (!here.length) return desk.say("This shape has no outline on this slice. Go to one where it has.");
    const next = desk.z + step;
    if (next < 0 || next >= desk.medium.size[0]) return desk.say("This is the last slice.");
    if (desk.onSlice(shape.regions, next).length) return desk.say(`This shape has an outline on slice ${next + 1} already.`);
    desk.change(shape, inOrder([...shape.regions, ...here.map((region) => placed(region, next))]));
    desk.step(desk.active, step);
    return desk.say(`Copy of slice ${next - step + 1}. Undo with Z.`);
  }

  /** The slices between outlines: the gap around this slice, or where this one has an outline all gaps. */
  interpolate() {
    const { desk } = this;
    const shape = this.chosen("There are slices between only in a volume.");
    if (!shape) return undefined;
    const gaps = gapsOf(shape, desk.z);
    if (!gaps.length) return desk.say("This shape needs outlines on two slices with empty ones between them.");
    const added = [];
    for (const [low, high] of gaps) {
      const ends = [low, high].map((z) => desk.onSlice(shape.regions, z));
      const said = refusal(ends, [low, high]);
      if (said) return desk.say(said);
      const [[a], [b]] = ends;
      const found = regionsBetween(a, b, high - low - 1);
      if (!found) return desk.say(`Slices ${low + 1} and ${high + 1} differ too much: an outline between would cross itself. Draw one between them first.`);
      found.forEach((region, k) => added.push(placed(region, low + 1 + k)));
    }
    desk.change(shape, inOrder([...shape.regions, ...added]));
    return desk.say(`${added.length} ${added.length === 1 ? "slice" : "slices"} between filled. Undo with Z.`);
  }

  /** The chosen shape where it can be changed over slices; says why not. @param {string} alone what is said of a photograph */
  chosen(alone) {
    const { desk } = this;
    const shape = desk.selected();
    const holder = shape ? desk.heldBy(shape.shape_id) : "";
    if (!desk.isVolume) desk.say(alone);
    else if (!desk.active.isAxial) desk.say("Outlines belong to axial slices. Change the plane with Shift+V.");
    else if (!shape) desk.say("Choose an outline first (S), or a painted class.");
    else if (holder) desk.say(`${holder} is changing this shape now.`);
    else return shape;
    return null;
  }
}

/** Pairs of slices with outlines and empty ones between them: the one around `z`, else all. @returns {[number, number][]} */
function gapsOf(shape, z) {
  const filled = [...new Set(shape.regions.map((region) => region.z ?? 0))].sort((a, b) => a - b);
  /** @type {[number, number][]} */
  const gaps = [];
  filled.forEach((at, i) => i && at - filled[i - 1] > 1 && gaps.push([filled[i - 1], at]));
  const here = gaps.filter(([low, high]) => low < z && z < high);
  return here.length ? here : gaps;
}

/** Why there is nothing between what is on two slices; "" where there is. */
function refusal(ends, slices) {
  const many = ends.findIndex((regions) => regions.length > 1);
  if (many >= 0) return `Slice ${slices[many] + 1} has several outlines of this shape: which belong together is not known. Draw the slices between by hand.`;
  const [[a], [b]] = ends;
  if (a.kind === "points") return "Points are copied from slice to slice, not filled between them.";
  return a.kind === b.kind ? "" : `Slices ${slices[0] + 1} and ${slices[1] + 1} have outlines of different kinds. Draw the slices between by hand.`;
}

/** A region on another slice; of the first the slice is not named. */
function placed(region, z) {
  const { z: _, ...rest } = region;
  return z ? { ...rest, z } : rest;
}

function inOrder(regions) {
  return regions.sort((a, b) => (a.z ?? 0) - (b.z ?? 0));
}
