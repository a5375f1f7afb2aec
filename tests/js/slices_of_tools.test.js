// Tools that read values keep to the slice that they were used on, wherever the planes went since.
import assert from "node:assert/strict";
import { test } from "node:test";

import { GrowTool } from "../../static/js/canvas/smart.js";
import { SuperpixelTool, ThresholdTool } from "../../static/js/canvas/threshold.js";
import { createState } from "../../static/js/lib/fold.js";
import { Layers } from "../../static/js/lib/layers.js";
import { countOf } from "../../static/js/lib/piece.js";
import { sidesOf } from "../../static/js/lib/planes.js";
import { atOnce } from "../../static/js/lib/turns.js";

const SIZE = [6, 8, 10];

/** Values of a slice: bright where the function says so. */
function slice(plane, isBright) {
  const { columns: width, rows: height } = sidesOf(plane, SIZE);
  return { width, height, channels: 1, values: Uint8Array.from({ length: width * height }, (_, i) => (isBright(i % width, Math.floor(i / width)) ? 200 : 10)) };
}

function editor() {
  const medium = { ordinal: 0, size: SIZE, spacing_mm: [1, 1, 1] };
  const shown = [];
  const desk = {
    medium, isVolume: true, window: { centre: 100, width: 200 }, label: { key: "x", tool: "brush" }, shown, said: [],
    document: { state: createState({}), layers: new Layers(new Map([[0, SIZE]]), new Map()) },
    painted: () => true, hasValues: () => true, emit: () => undefined, say: (text) => desk.said.push(text),
    proposals: {
      current: null,
      last: Promise.resolve(),
      compute(_, make) {
        this.last = make(async (work) => atOnce(work)).then((made) => shown.push(this.current = typeof made === "string" ? null : made));
        return this.last;
      },
    },
    look(plane, index, isBright) {
      const { columns, rows, count } = sidesOf(plane, SIZE);
      desk.active = { plane, index, count, view: { columns, rows } };
      desk.view = desk.active.view;
      desk.slice = slice(plane, isBright);
    },
  };
  return /** @type {any} */ (desk);
}

const pieces = (desk) => desk.shown.map((made) => [made.changes[0].piece.origin, countOf(made.changes[0].piece)]);

test("a threshold that is changed after scrolling still goes by the slice of its box", async () => {
  const desk = editor();
  const tool = new ThresholdTool(desk);
  desk.look("axial", 2, (x, y) => x < 4 && y < 4);
  tool.down(0, 0);
  await tool.up(10, 8);
  desk.look("coronal", 5, () => true);
  tool.again(-1);
  await desk.proposals.last;
  assert.deepEqual(pieces(desk), [[[2, 0, 0], 16], [[2, 0, 0], 16]]);
});

test("a box of another series is left alone when a level is set", async () => {
  const desk = editor();
  const tool = new ThresholdTool(desk);
  desk.look("axial", 2, (x, y) => x < 4 && y < 4);
  tool.down(0, 0);
  await tool.up(10, 8);
  desk.medium = { ...desk.medium, ordinal: 1 };
  tool.changed();
  await desk.proposals.last;
  assert.equal(desk.shown.length, 1);
});

test("a region that is grown further after scrolling still lies on the slice of its seed", async () => {
  const desk = editor();
  const tool = new GrowTool(desk);
  desk.look("axial", 2, (x, y) => x < 4 && y < 4);
  tool.down(1, 1);
  await desk.proposals.last;
  desk.look("sagittal", 7, () => true);
  tool.radius = 5;
  tool.changed();
  await desk.proposals.last;
  const [first, second] = pieces(desk);
  assert.deepEqual([first[0], second], [[2, 0, 0], [[2, 0, 0], 16]]);
});

test("patches of another slice do not replace a preview that waits, though they are cut already", () => {
  const desk = editor();
  desk.proposals.show = (made) => (desk.proposals.current = made);
  const tool = new SuperpixelTool(desk);
  tool.prepare = async () => undefined;
  const cut = (index) => {
    desk.look("axial", index, () => true);
    tool.made = { plane: "axial", index, box: [0, 0, 10, 8], width: 10, height: 8, labels: new Int32Array(80).map((_, i) => (i % 10 < 5 ? 0 : 1)) };
  };
  cut(2);
  tool.down(1, 1);
  tool.up();
  const waiting = desk.proposals.current;
  cut(3);
  tool.down(1, 1);
  assert.equal(desk.proposals.current, waiting);
  assert.match(desk.said.at(-1), /preview of another slice waits/);
  cut(2);
  tool.down(8, 1);
  assert.equal(countOf(desk.proposals.current.changes[0].piece), 80, "on its own slice it grows");
  desk.proposals.current = null;
  cut(3);
  tool.down(1, 1);
  assert.deepEqual(desk.proposals.current.changes[0].piece.origin[0], 3, "and elsewhere once it is gone");
});
