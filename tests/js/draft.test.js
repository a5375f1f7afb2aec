// The draft: acknowledged and pending together, undo by inverse acts, and nothing counted twice. Geometry beside it.
import assert from "node:assert/strict";
import { test } from "node:test";

import { Draft } from "../../static/js/label/draft.js";
import { ranges } from "../../static/js/label/slices.js";
import { firstOf } from "../../static/js/label/sync.js";
import { area, crossesItself, handles, simplified, withoutRepeats } from "../../static/js/lib/geometry.js";

const BOX = [{ kind: "box", points: [[1, 1], [5, 5]] }];
const MOVED = [{ kind: "box", points: [[2, 2], [6, 6]] }];

function draft(state = { head_seq: 0, shapes: [], marks: [], layers: [] }) {
  return new Draft({ author: "a", state, media: [{ ordinal: 0, size: [1, 10, 10] }] }, new Map());
}

function acknowledgeAll(made, from = made.acknowledged.head_seq) {
  made.acknowledge(made.pending.map(({ op_id }, i) => ({ op_id, seq: from + 1 + i })));
}

test("what is pending is seen at once and is not acknowledged", () => {
  const made = draft();
  made.act("shape.add", { shape_id: "s", medium: 0, label: "x", regions: BOX });
  assert.equal(made.state.shapes.size, 1);
  assert.equal(made.acknowledged.shapes.size, 0);
  acknowledgeAll(made);
  assert.equal(made.pending.length, 0);
  assert.equal(made.acknowledged.shapes.size, 1);
});

test("undo and redo walk through every kind of act and end where they began", () => {
  const made = draft();
  made.act("shape.add", { shape_id: "s", medium: 0, label: "x", regions: BOX });
  made.act("shape.geometry", { shape_id: "s", base_version: 1, regions: MOVED });
  made.act("shape.label", { shape_id: "s", label: "y" });
  made.act("shape.attribute", { shape_id: "s", attribute: "q", value: "sharp" });
  made.act("answer.set", { question: "g", value: 3 });
  made.act("stroke.add", { stroke_id: "k", medium: 0, label: "x", mode: "add", tip: "round", radius: 4, points: [8, 8], index: 0 });
  made.act("shape.delete", { shape_id: "s" });
  const end = () => {
    const shape = made.state.shapes.get("s");
    return [shape.is_deleted, shape.regions, shape.label, shape.attributes, made.state.answers, made.state.marks.get("k").is_undone];
  };
  const before = structuredClone(end());
  while (made.undo());
  assert.deepEqual(end(), [true, BOX, "x", {}, {}, true]);
  while (made.redo());
  assert.deepEqual(end(), before);
  acknowledgeAll(made);
  assert.deepEqual(made.acknowledged, made.state);
  assert.equal(made.state.shapes.get("s").conflicts.length, 0, "one person's undo is no conflict");
});

test("an act after an undo ends the redo", () => {
  const made = draft();
  made.act("answer.set", { question: "g", value: 1 });
  made.undo();
  made.act("answer.set", { question: "g", value: 2 });
  assert.equal(made.redo(), false);
});

test("what one did to a colleague's shape is taken back, unless the colleague went on with it", () => {
  const made = draft({ head_seq: 1, shapes: [{ shape_id: "s", medium: 0, label: "x", regions: BOX, author: "b" }], marks: [], layers: [] });
  const said = [];
  made.addEventListener("say", (event) => said.push(event.detail));
  const isDeleted = () => made.state.shapes.get("s").is_deleted;
  made.act("shape.delete", { shape_id: "s" });
  made.undo();
  assert.deepEqual([isDeleted(), said], [false, []]);
  made.redo();
  assert.equal(isDeleted(), true);
  acknowledgeAll(made);
  made.receive([{ seq: 5, op_id: "o", author: "b", kind: "shape.geometry", payload: { shape_id: "s", base_version: 1, regions: MOVED } }]);
  made.undo();
  assert.deepEqual([isDeleted(), said.length], [true, 1]);
});

test("an operation stored before a reload does not count twice", () => {
  const shape = { shape_id: "s", medium: 0, label: "x", regions: MOVED, version: 2 };
  const made = draft({ head_seq: 2, shapes: [shape], marks: [], layers: [] });
  made.resume({ op_id: "o", kind: "shape.geometry", payload: { shape_id: "s", base_version: 1, regions: MOVED } });
  assert.equal(made.state.shapes.get("s").version, 3);
  made.acknowledge([{ op_id: "o", seq: 2 }]);
  assert.equal(made.state.shapes.get("s").version, 2);
});

test("a refused operation leaves the drawing, stays in the tray, and those after it stay", () => {
  const made = draft();
  made.act("shape.add", { shape_id: "bad", medium: 0, label: "x", regions: BOX });
  made.act("shape.add", { shape_id: "good", medium: 0, label: "x", regions: BOX });
  made.refuse(made.pending[0].op_id, "The outline crosses itself.");
  assert.deepEqual([...made.state.shapes.keys()], ["good"]);
  assert.equal(made.refused[0].operation.payload.shape_id, "bad");
});

test("undo passes over what was refused", () => {
  const made = draft();
  made.act("answer.set", { question: "g", value: 1 });
  made.act("shape.add", { shape_id: "bad", medium: 0, label: "x", regions: BOX });
  made.act("shape.geometry", { shape_id: "bad", base_version: 1, regions: MOVED });
  made.act("stroke.add", { stroke_id: "k", medium: 0, label: "x", mode: "add", tip: "round", radius: 4, points: [8, 8], index: 0 });
  for (const { op_id } of made.pending.slice(1)) made.refuse(op_id, "It leaves the image.");
  assert.equal(made.undo(), true);
  assert.deepEqual(made.pending.map(({ kind, payload }) => [kind, payload.value]), [["answer.set", 1], ["answer.set", null]]);
  assert.equal(made.undo(), false);
});

test("slices seen become ranges", () => {
  assert.deepEqual(ranges([]), []);
  assert.deepEqual(ranges([0, 1, 2, 5, 7, 8]), [[0, 2], [5, 5], [7, 8]]);
});

test("outlines that cross or touch themselves are found", () => {
  assert.equal(crossesItself([[0, 0], [4, 0], [4, 4], [0, 4]]), false);
  assert.equal(crossesItself([[0, 0], [4, 4], [4, 0], [0, 4]]), true);
  assert.equal(crossesItself([[0, 0], [4, 0], [2, 0], [2, 4]]), true, "an edge back along another");
  assert.equal(area([[0, 0], [4, 0], [4, 4], [0, 4]]), 16);
});

test("a drawn line keeps its ends and loses points on the way", () => {
  assert.deepEqual(simplified([[0, 0], [1, 0.01], [2, 0], [3, 3]], 0.5), [[0, 0], [2, 0], [3, 3]]);
  assert.deepEqual(withoutRepeats([[0, 0], [0, 0], [1, 1], [0, 0]]), [[0, 0], [1, 1]]);
});

test("a handle that is dragged over its opposite still gives a box with ordered corners", () => {
  const [upperLeft] = handles({ kind: "box", points: [[1, 1], [5, 5]] });
  assert.deepEqual(upperLeft.moved(9, 8), [[5, 5], [9, 8]]);
});

test("a request holds at most a hundred operations, and of large ones as many as a message may hold, at least one", () => {
  const operations = (count, letters) => Array.from({ length: count }, () => ({ payload: "x".repeat(letters) }));
  assert.equal(firstOf([]).length, 0);
  assert.equal(firstOf(operations(7, 10)).length, 7);
  assert.equal(firstOf(operations(250, 10)).length, 100);
  assert.equal(firstOf(operations(50, 90_000)).length, 4);
  assert.equal(firstOf(operations(3, 900_000)).length, 1);
});

test("what was drawn over an outline that is refused is drawn over the one that stands, and so it is after a reload", () => {
  const made = draft();
  made.act("shape.add", { shape_id: "s", medium: 0, label: "x", regions: BOX });
  acknowledgeAll(made);
  made.act("shape.geometry", { shape_id: "s", base_version: 1, regions: BOX });
  made.act("shape.geometry", { shape_id: "s", base_version: 2, regions: MOVED });
  const kept = structuredClone(made.pending[1]);
  made.refuse(made.pending[0].op_id, "It crosses itself.");
  assert.deepEqual([made.pending[0].payload.base_version, made.state.shapes.get("s").regions], [1, MOVED]);
  const reloaded = draft({ head_seq: 1, shapes: [made.acknowledged.shapes.get("s")], marks: [], layers: [] });
  reloaded.resume(kept);
  assert.equal(reloaded.pending[0].payload.base_version, 1);
});

test("an outline that a colleague changed meanwhile is still told as changed twice", () => {
  const made = draft();
  made.act("shape.add", { shape_id: "s", medium: 0, label: "x", regions: BOX });
  acknowledgeAll(made);
  made.act("shape.geometry", { shape_id: "s", base_version: 1, regions: BOX });
  made.receive([{ seq: 2, op_id: "theirs", kind: "shape.geometry", author: "b", payload: { shape_id: "s", base_version: 1, regions: MOVED } }]);
  assert.equal(made.pending[0].payload.base_version, 1);
  assert.equal(made.state.shapes.get("s").conflicts.length, 1);
});
