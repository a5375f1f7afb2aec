// Acts on the painted class in hand: slices between, smooth, largest part, small parts, copy. Each is previewed (proposals.js).
import { interpolated } from "../lib/distance.js";
import { pieceOnPlane, sectionOf, union } from "../lib/piece.js";
import { axesOf, sidesOf, spacingIn } from "../lib/planes.js";
import { allButLargest, smallParts } from "../lib/regions.js";
import { smoothed } from "../lib/smooth.js";
import { adding, inside, padded, paintedAnywhere, paintedHere, replacing, said } from "./masks.js";

const ROOM = 3;

export class MaskActs {
  constructor(desk) {
    this.desk = desk;
    /** @type {"slice"|"volume"} whether one slice or all of them is changed */
    this.scope = "slice";
    this.sigma = 1;
    this.least = 20;
  }

  /** The class in hand on what the acts work on. */
  own() {
    return this.scope === "volume" && this.desk.isVolume ? paintedAnywhere(this.desk) : paintedHere(this.desk);
  }

  /** Spacing in the unit of the finest axis, so that one step is one pixel there. */
  spacing() {
    const spacing = this.desk.medium.spacing_mm ?? [1, 1, 1];
    const finest = Math.min(...spacing);
    return spacing.map((side) => side / finest);
  }

  /** The slices between painted ones: the gap around this slice, or where this one is painted all gaps. */
  interpolate() {
    const { desk } = this;
    if (!desk.isVolume) return desk.say("There are slices between only in a volume.");
    const own = desk.painted() && paintedAnywhere(desk);
    if (!said(desk, own)) return undefined;
    const { label, medium, active: { plane, index } } = desk;
    return desk.proposals.compute("Filling the slices between…", async (run) => {
      const gaps = gapsOf(own, plane, index);
      if (!gaps.length) return `“${label.name}” needs two painted ${plane} slices with empty ones between them.`;
      const room = padded(own, ROOM, [0, 1, 2].map((axis) => axis !== axesOf(plane).along));
      const [across, down] = spacingIn(plane, medium.spacing_mm) ?? [1, 1];
      const found = [];
      for (const [low, high] of gaps) {
        const [a, b] = [low, high].map((at) => sectionOf(room, plane, at));
        const slices = await run(interpolated(a, b, high - low - 1, [down, across]));
        if (!slices) return null;
        slices.forEach((data, k) => found.push(inside(pieceOnPlane(plane, low + 1 + k, { ...a, data }, [a.x, a.y]), medium.size)));
      }
      const n = gaps.reduce((sum, [low, high]) => sum + high - low - 1, 0);
      return { changes: adding(label.key, union(found), own), words: `${n} ${n === 1 ? "slice" : "slices"} between` };
    });
  }

  smooth() {
    const { desk } = this;
    const own = desk.painted() && this.own();
    if (!said(desk, own)) return undefined;
    const { label, medium } = desk;
    const flat = own.size.map((side) => side > 1 || this.scope === "volume");
    return desk.proposals.compute("Smoothing…", async (run) => {
      const room = padded(own, Math.ceil(3 * this.sigma), flat);
      const data = await run(smoothed(room, this.sigma, this.spacing()));
      if (!data) return null;
      const changes = replacing(label.key, inside({ ...room, data }, medium.size), own);
      if (!changes.length) return "This is as smooth as it gets at this strength.";
      return { changes, words: `Smooth by ${this.sigma.toFixed(2)} px`, again: (step) => this.again("sigma", Math.min(8, Math.max(0.25, this.sigma + 0.25 * step)), () => this.smooth()) };
    });
  }

  keepLargest() {
    return this.removeParts((own) => allButLargest(own), "Parts beside the largest", () => "There is one part only.");
  }

  removeSmall() {
    const { least } = this;
    const again = (step) => this.again("least", Math.max(2, Math.round(least * 1.5 ** step)), () => this.removeSmall());
    const unit = this.desk.isVolume && this.scope === "volume" ? "voxels" : "pixels";
    const none = () => {
      this.least = 2 * least;
      return `No part has fewer than ${least} ${unit}. Press Shift+J again to look below ${this.least}.`;
    };
    return this.removeParts((own) => smallParts(own, least), `Parts below ${least} ${unit}`, none, again);
  }

  removeParts(work, words, none, again = undefined) {
    const { desk } = this;
    const own = desk.painted() && this.own();
    if (!said(desk, own)) return undefined;
    return desk.proposals.compute("Looking for parts…", async (run) => {
      const data = await run(work(own));
      if (!data) return null;
      if (!data.includes(1)) return none();
      return { changes: [{ label: desk.label.key, mode: "erase", piece: { ...own, data } }], words, again };
    });
  }

  /** What is painted here on the neighbouring slice as well; goes there. */
  copy(step) {
    const { desk } = this;
    if (!desk.isVolume) return desk.say("A photograph has no other slice.");
    const own = desk.painted() && paintedHere(desk);
    if (!said(desk, own)) return undefined;
    const { plane, index, count } = desk.active;
    const next = index + step;
    if (next < 0 || next >= count) return desk.say("This is the last slice.");
    const { along } = axesOf(plane);
    const piece = { ...own, origin: own.origin.map((at, axis) => (axis === along ? next : at)) };
    desk.step(desk.active, step);
    const changes = adding(desk.label.key, piece, paintedHere(desk, desk.label.key, next));
    if (!changes.length) return desk.say("All of it is painted here already.");
    return desk.proposals.show({ changes, words: `Copy of ${plane} slice ${index + 1}` });
  }

  again(name, value, act) {
    this[name] = value;
    act();
  }
}

/** Pairs of painted slices with empty ones between them: the one around `index`, else all. @returns {[number, number][]} */
function gapsOf(piece, plane, index) {
  const { along } = axesOf(plane);
  const first = piece.origin[along];
  const filled = Array.from({ length: sidesOf(plane, piece.size).count }, (_, k) => k + first)
    .filter((at) => sectionOf(piece, plane, at).data.includes(1));
  /** @type {[number, number][]} */
  const gaps = [];
  filled.forEach((at, i) => i && at - filled[i - 1] > 1 && gaps.push([filled[i - 1], at]));
  const here = gaps.filter(([low, high]) => low < index && index < high);
  return here.length ? here : gaps;
}
