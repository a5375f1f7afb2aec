// What colleagues see of an act before it is done.
import assert from "node:assert/strict";
import { test } from "node:test";

import { PathTool } from "../../static/js/canvas/tools.js";
import { SculptTool } from "../../static/js/canvas/sculpt.js";
import { SelectTool } from "../../static/js/canvas/select.js";
import { ghostOf } from "../../static/js/live/colleagues.js";

const SQUARE = { kind: "polygon", points: [[10, 10], [30, 10], [30, 30], [10, 30]], z: 4 };

function editorWith(Tool, region, ...rest) {
  const shape = { shape_id: "s", regions: [{ ...region, z: 2 }, region], label: "x" };
  const desk = {
    z: 4, selectedId: "s", view: { scale: 1, step: [1, 1], aspect: [1, 1], columns: 50, rows: 50, clamp: (x, y) => [x, y] },
    heldBy: () => "", select: () => undefined, setCursor: () => undefined, selected: () => shape, onSlice: (regions) => regions.filter(({ z }) => z === 4),
    shapesHere: () => [{ shape, here: [region] }], isNear: ([ax, ay], [bx, by], within) => Math.hypot(ax - bx, ay - by) <= within,
  };
  return Object.assign(desk, { tool: new Tool(/** @type {any} */ (desk), ...rest) });
}

function drag({ tool }, from, to) {
  tool.down(...from);
  tool.move(...to);
}

test("an outline that is sculpted is seen as it is pushed, on its slice", () => {
  const editor = editorWith(SculptTool, SQUARE);
  drag(editor, [20, 4], [20, 9]);
  const ghost = ghostOf(editor);
  assert.equal(ghost.kind, "polygon");
  assert.notDeepEqual(ghost.points, SQUARE.points);
});

test("a shape that is moved is seen closed, a point as a point, a turned box as it lies", () => {
  const kinds = [SQUARE, { kind: "points", points: [[20, 20]], z: 4 }, { kind: "box", points: [[10, 10], [30, 30]], rotation_deg: 45, z: 4 }].map((region) => {
    const editor = editorWith(SelectTool, region);
    drag(editor, [20, 20], [25, 25]);
    return ghostOf(editor);
  });
  assert.deepEqual(kinds.map(({ kind, points }) => [kind, points.length]), [["polygon", 4], ["points", 1], ["polygon", 4]]);
  assert.ok(Math.abs(kinds[2].points[0][0] - 25) < 1e-9, "the corner of a square that stands on it lies above its middle");
});

test("a polygon that is not closed yet is seen as a line", () => {
  const editor = editorWith(PathTool, SQUARE, "polygon");
  for (const [x, y] of [[1, 1], [9, 1], [9, 9]]) {
    editor.tool.down(x, y);
    editor.tool.up(x, y);
  }
  assert.deepEqual(ghostOf(editor), { kind: "polyline", points: [[1, 1], [9, 1], [9, 9]] });
});
