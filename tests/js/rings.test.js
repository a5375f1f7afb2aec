// Borders of masks as rings: every side of a pixel once, on the right hand, and corners only where a border turns.
import assert from "node:assert/strict";
import { test } from "node:test";

import { ringsOf } from "../../static/js/lib/rings.js";

const of = (rows) => ringsOf(rows[0].length, rows.length, (x, y) => rows[y][x] === "#");

/** Every unit side of the rings as "x,y>x,y". */
function sidesOf(rings) {
  const sides = [];
  for (const ring of rings) {
    ring.forEach(([x, y], index) => {
      const [endX, endY] = ring[(index + 1) % ring.length];
      const [stepX, stepY] = [Math.sign(endX - x), Math.sign(endY - y)];
      assert.equal(Math.abs(stepX) + Math.abs(stepY), 1, "a side runs along one axis");
      for (let [a, b] = [x, y]; a !== endX || b !== endY; a += stepX, b += stepY) sides.push(`${a},${b}>${a + stepX},${b + stepY}`);
    });
  }
  return sides.sort();
}

/** The sides of all pixels that lie at the border, pixel by pixel. */
function expected(rows) {
  const inside = (x, y) => rows[y]?.[x] === "#";
  const sides = [];
  rows.forEach((row, y) => [...row].forEach((_, x) => {
    if (!inside(x, y)) return;
    if (!inside(x, y - 1)) sides.push(`${x},${y}>${x + 1},${y}`);
    if (!inside(x + 1, y)) sides.push(`${x + 1},${y}>${x + 1},${y + 1}`);
    if (!inside(x, y + 1)) sides.push(`${x + 1},${y + 1}>${x},${y + 1}`);
    if (!inside(x - 1, y)) sides.push(`${x},${y + 1}>${x},${y}`);
  }));
  return sides.sort();
}

test("a square is one ring of four corners, and a hole is a ring of its own", () => {
  assert.deepEqual(of(["....", ".##.", ".##.", "...."]), [[[1, 1], [3, 1], [3, 3], [1, 3]]]);
  const ring = of(["###", "#.#", "###"]);
  assert.deepEqual(ring.map((corners) => corners.length), [4, 4]);
  assert.deepEqual(of(["...", "..."]), []);
});

test("pixels that touch at a corner are two rings", () => {
  assert.deepEqual(of(["#.", ".#"]).map((ring) => ring.length), [4, 4]);
});

test("rings of any mask run along each side of its border once", () => {
  let seed = 7;
  const random = () => { seed = (seed * 1103515245 + 12345) % 2147483648; return seed / 2147483648; };
  for (let round = 0; round < 200; round += 1) {
    const [width, height, share] = [1 + Math.floor(random() * 9), 1 + Math.floor(random() * 9), random()];
    const rows = Array.from({ length: height }, () => Array.from({ length: width }, () => (random() < share ? "#" : ".")).join(""));
    assert.deepEqual(sidesOf(of(rows)), expected(rows), rows.join("\n"));
  }
});
