// Which part of a large mask is asked for under a view: aligned, inside the mask, as fine as the screen, and all of what is seen.
import assert from "node:assert/strict";
import { test } from "node:test";
import { coarseOf, MOST_PIXELS, partOf } from "../../static/js/review/masks.js";

const LARGE = { x: 1000, y: 2000, width: 6000, height: 5000 };

test("a small mask comes whole, a large one in few pixels", () => {
  assert.equal(coarseOf({ width: 2048, height: 2048 }), null);
  const coarse = coarseOf(LARGE);
  assert.ok((LARGE.width * LARGE.height) / coarse.by ** 2 <= MOST_PIXELS / 2);
  assert.deepEqual([coarse.left, coarse.top, coarse.width, coarse.height], [0, 0, 6000, 5000]);
});

test("a part holds all of the mask that is seen and begins at multiples, whatever the view", () => {
  for (const scale of [0.12, 0.3, 0.5, 1, 3]) {
    for (const [left, top] of [[0, 0], [1500, 2500], [5123, 4777], [6900, 6900]]) {
      const seen = [left, top, Math.min(left + 1200 / scale, 9000), Math.min(top + 700 / scale, 9000)];
      const part = partOf(LARGE, seen, scale);
      const isSeen = seen[2] > LARGE.x && seen[3] > LARGE.y && left < LARGE.x + LARGE.width && top < LARGE.y + LARGE.height;
      const isFine = 2 * scale > 1 / coarseOf(LARGE).by;
      assert.equal(part !== null, isSeen && isFine && 1 / scale < coarseOf(LARGE).by);
      if (!part) continue;
      assert.ok(part.by <= Math.max(1, 1 / scale) + 1e-9, "as fine as the screen");
      assert.equal(part.left % (512 * part.by), 0);
      assert.equal(part.top % (512 * part.by), 0);
      assert.ok(part.left <= Math.max(seen[0] - LARGE.x, 0));
      assert.ok(part.top <= Math.max(seen[1] - LARGE.y, 0));
      assert.ok(part.left + part.width >= Math.min(seen[2] - LARGE.x, LARGE.width));
      assert.ok(part.top + part.height >= Math.min(seen[3] - LARGE.y, LARGE.height));
      assert.ok(part.left + part.width <= LARGE.width && part.top + part.height <= LARGE.height);
    }
  }
});

test("moving a little asks for nothing new; nothing is asked for what is not seen or small", () => {
  const at = (x) => partOf(LARGE, [x, 3000, x + 1200, 3700], 1);
  assert.deepEqual(at(2100), at(2110));
  assert.equal(partOf(LARGE, [0, 0, 900, 900], 1), null, "the mask lies beyond");
  assert.equal(partOf({ x: 0, y: 0, width: 300, height: 300 }, [0, 0, 300, 300], 1), null);
  assert.equal(partOf(LARGE, [0, 0, 9000, 9000], 0.1), null, "the coarse copy is as fine");
});
