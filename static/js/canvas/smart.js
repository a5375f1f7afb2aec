// Tools that paint by what the picture or the mask says: fill what is enclosed, grow by intensity, separate parts. All are previewed.
import { colourAt, farFrom } from "../lib/intensity.js";
import { both, has, pieceOnPlane } from "../lib/piece.js";
import { spacingIn, voxelAt } from "../lib/planes.js";
import { grown, holesOf, partAt } from "../lib/regions.js";
import { adding, paintedAnywhere, paintedHere } from "./masks.js";
import { write } from "./marks.js";

const SPREAD = [["slice", "this slice"], ["volume", "3-D"]];

/** Fill what is enclosed: the hole that is pressed, or all holes of a mask that is pressed. */
export class FillTool {
  isDrag = false;
  isBusy = false;
  bounds = "own";

  constructor(desk) {
    this.desk = desk;
  }

  get options() {
    return [{ id: "bounds", kind: "choice", label: "Enclosed by", values: [["own", "this class"], ["any", "any class"]] }];
  }

  down(x, y) {
    const { desk } = this;
    if (!desk.painted()) return;
    const { columns: width, rows: height } = desk.view;
    const { plane, index } = desk.active;
    const [px, py] = [Math.min(width - 1, Math.floor(x)), Math.min(height - 1, Math.floor(y))];
    const own = desk.layerSlice()?.data ?? new Uint8Array(width * height);
    const wall = this.bounds === "own" ? own : anyPainted(desk, width * height);
    desk.proposals.compute("Filling…", async (run) => {
      const filled = own[py * width + px]
        ? holesOf({ data: wall, width, height })
        : await run(grown({ size: [1, height, width], far: Float32Array.from(wall) }, [0, py, px], 0));
      if (!filled) return null;
      if (wall[py * width + px] && !own[py * width + px]) return "This place belongs to another class. Press beside it, or inside what encloses it.";
      if (touchesBorder(filled, width, height)) return "This is not enclosed: it reaches the border of the image. Close the line first.";
      const changes = adding(desk.label.key, pieceOnPlane(plane, index, { data: filled, width, height }), paintedHere(desk));
      return changes.length ? { changes, words: "Fill" } : "There is no hole to fill here.";
    });
  }

  draw() {}
}

function anyPainted(desk, length) {
  const { document: { state, layers }, medium } = desk;
  const wall = new Uint8Array(length);
  for (const label of layers.labels(state, medium.ordinal)) desk.layerSlice(label)?.data.forEach((value, i) => value && (wall[i] = 1));
  return wall;
}

function touchesBorder(data, width, height) {
  for (let x = 0; x < width; x += 1) if (data[x] || data[(height - 1) * width + x]) return true;
  for (let y = 0; y < height; y += 1) if (data[y * width] || data[y * width + width - 1]) return true;
  return false;
}

/** Grow from a seed through like intensities, within a radius, on this slice or through the volume. */
export class GrowTool {
  isDrag = false;
  isBusy = false;
  spread = "slice";
  /** @type {number | null} */ tolerance = null;
  /** @type {number | null} */ radius = null;
  seed = null;

  constructor(desk) {
    this.desk = desk;
  }

  get options() {
    const { desk } = this;
    const most = Math.max(1e-6, (desk.window?.width ?? 255) / 2);
    const unit = desk.medium?.spacing_mm ? "mm" : "px";
    const reach = this.largest();
    this.tolerance ??= most / 6;
    this.radius ??= Number((reach / 4).toPrecision(2));
    return [
      ...(desk.isVolume ? [{ id: "spread", kind: "choice", label: "On", values: SPREAD }] : []),
      { id: "tolerance", kind: "range", label: "Tolerance", min: 0, max: most, step: most / 200, text: `± ${Number(this.tolerance.toPrecision(3))}` },
      { id: "radius", kind: "range", label: "Within", min: reach / 200, max: reach, step: reach / 200, text: `${Number(this.radius.toPrecision(3))} ${unit}` },
    ];
  }

  /** Half of the longest side. */
  largest() {
    const { size, spacing_mm: spacing } = this.desk.medium;
    return Math.max(...size.map((side, axis) => side * (spacing?.[axis] ?? 1))) / 2;
  }

  changed() {
    if (this.seed && this.desk.proposals.current) this.grow();
  }

  down(x, y, event) {
    const { desk } = this;
    if (!desk.painted()) return undefined;
    if (!desk.hasValues()) return undefined;
    const { columns, rows } = desk.view;
    const [px, py] = [Math.min(columns - 1, Math.floor(x)), Math.min(rows - 1, Math.floor(y))];
    this.options;
    this.seed = { px, py, plane: desk.active.plane, index: desk.active.index, slice: desk.slice, colour: colourAt(desk.slice, px, py), isErasing: event?.altKey ?? false, field: null };
    return this.grow();
  }

  grow() {
    const { desk, seed } = this;
    const label = desk.label.key;
    return desk.proposals.compute("Growing…", async (run) => {
      const key = `${this.spread}:${this.radius}`;
      if (seed.field?.key !== key) seed.field = { key, ...(this.spread === "volume" && desk.isVolume ? await this.boxField(seed) : this.sliceField(seed)) };
      const { size, far, at, origin, spacing } = seed.field;
      const data = await run(grown({ size, far }, at, this.tolerance, this.radius, spacing));
      if (!data) return null;
      const piece = { origin, size, data };
      const own = this.spread === "volume" ? paintedAnywhere(desk) : paintedHere(desk, label, seed.index, seed.plane);
      const taken = seed.isErasing && both(piece, own);
      const changes = seed.isErasing ? (taken ? [{ label, mode: "erase", piece: taken }] : []) : adding(label, piece, own);
      if (!changes.length) return seed.isErasing ? "Nothing of this class lies there." : "All of it is painted already. Raise the tolerance with ].";
      return { changes, words: `± ${Number(this.tolerance.toPrecision(3))}`, again: (step) => this.again(step) };
    });
  }

  again(step) {
    const most = Math.max(1e-6, (this.desk.window?.width ?? 255) / 2);
    this.tolerance = Math.min(most, Math.max(0, this.tolerance + (step * most) / 50));
    this.desk.emit("options");
    this.grow();
  }

  /** How unlike the seed every pixel of its slice is. */
  sliceField({ px, py, plane, index, slice, colour }) {
    const { width, height } = slice;
    const [across, down] = spacingIn(plane, this.desk.medium.spacing_mm) ?? [1, 1];
    const far = farFrom(slice, colour);
    return {
      size: voxelAt(plane, width, height, 1), far, at: voxelAt(plane, px, py, 0), origin: voxelAt(plane, 0, 0, index), spacing: voxelAt(plane, across, down, 1),
    };
  }

  /** The same in the box around the radius; its slices are brought first. */
  async boxField({ px, py, plane, index, colour }) {
    const { medium, pixels } = this.desk;
    const seed = voxelAt(plane, px, py, index);
    const spacing = medium.spacing_mm ?? [1, 1, 1];
    const reach = spacing.map((side) => Math.ceil(this.radius / side));
    const origin = seed.map((at, axis) => Math.max(0, at - reach[axis]));
    const size = seed.map((at, axis) => Math.min(medium.size[axis], at + reach[axis] + 1) - origin[axis]);
    const far = new Float32Array(size[0] * size[1] * size[2]);
    const slices = await Promise.all(Array.from({ length: size[0] }, (_, k) => pixels.load("axial", origin[0] + k)));
    slices.forEach((slice, k) => {
      const whole = farFrom(slice, colour);
      for (let y = 0; y < size[1]; y += 1) {
        const from = (origin[1] + y) * slice.width + origin[2];
        far.set(whole.subarray(from, from + size[2]), (k * size[1] + y) * size[2]);
      }
    });
    return { size, far, at: seed.map((at, axis) => at - origin[axis]), origin, spacing };
  }

  draw(context, view) {
    const { seed, desk } = this;
    if (!seed || !desk.proposals.current || seed.plane !== desk.active.plane || seed.index !== desk.active.index) return;
    const [x, y] = view.toScreen(seed.px + 0.5, seed.py + 0.5);
    context.save();
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.font = "600 16px system-ui, sans-serif";
    write(context, "+", x, y);
    context.restore();
  }
}

/** Press a part of the class in hand to take it away; a part of another class to give it to the class in hand. */
export class PartsTool {
  isDrag = false;
  isBusy = false;
  spread = "slice";
  hint = "Press a part of this class to take it away; a part of another class becomes this one.";

  constructor(desk) {
    this.desk = desk;
  }

  get options() {
    return this.desk.isVolume ? [{ id: "spread", kind: "choice", label: "Parts on", values: SPREAD }] : [];
  }

  down(x, y) {
    const { desk } = this;
    if (!desk.painted()) return undefined;
    const { plane, index, view } = desk.active;
    const voxel = voxelAt(plane, Math.min(view.columns - 1, Math.floor(x)), Math.min(view.rows - 1, Math.floor(y)), index);
    const { document: { state, layers }, medium, label } = desk;
    const pieceOf = (key) => (this.spread === "volume" && desk.isVolume ? paintedAnywhere(desk, key) : paintedHere(desk, key));
    const keys = [label.key, ...layers.labels(state, medium.ordinal).filter((key) => key !== label.key)];
    const found = keys.map((key) => ({ key, piece: pieceOf(key) })).find(({ piece }) => piece && has(piece, voxel));
    if (!found) return desk.say("Nothing is painted here.");
    const { key, piece } = found;
    return desk.proposals.compute("Looking for the part…", async (run) => {
      const data = await run(partAt(piece, voxel.map((at, axis) => at - piece.origin[axis])));
      if (!data) return null;
      const part = { ...piece, data };
      const gone = { label: key, mode: "erase", piece: part };
      if (key === label.key) return { changes: [gone], words: "This part" };
      return { changes: [...adding(label.key, part, pieceOf(label.key)), gone], words: "This part" };
    });
  }

  draw() {}
}
