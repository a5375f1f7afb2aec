// Regions of voxels that hang together: growing from a seed, holes, and the separate parts of a mask. Pure.
//
// Everything works on a box [z, y, x], a slice is a box of depth 1, and neighbours share a face. The long ones are generators:
// each `yield` is a place to let the page breathe, the value that they return is the result (see turns.js).

/** @typedef {{size: number[], data: Uint8Array}} Box */

const STEPS_A_TURN = 60_000;

/**
 * The voxels that are reached from a seed through voxels whose `far` is at most `tolerance`, within a radius around the seed.
 * The seed itself is always in. @param {{size: number[], far: Float32Array}} field `far[i]` says how unlike the seed a voxel is
 * @param {number[]} seed [z, y, x] of the box @param {number} tolerance @param {number} [radius] in the unit of `spacing`
 * @param {number[]} [spacing] of [z, y, x]
 * @returns {Generator<void, Uint8Array>}
 */
export function* grown({ size, far }, seed, tolerance, radius = Infinity, spacing = [1, 1, 1]) {
  const [depth, rows, columns] = size;
  const found = new Uint8Array(depth * rows * columns);
  const first = (seed[0] * rows + seed[1]) * columns + seed[2];
  const radius2 = radius * radius;
  const [dz2, dy2, dx2] = spacing.map((side) => side * side);
  const isIn = (i, z, y, x) => !found[i] && far[i] <= tolerance
    && dz2 * (z - seed[0]) ** 2 + dy2 * (y - seed[1]) ** 2 + dx2 * (x - seed[2]) ** 2 <= radius2;
  const stack = [first];
  found[first] = 1;
  let steps = 0;
  const visit = (i, z, y, x) => {
    if (!isIn(i, z, y, x)) return;
    found[i] = 1;
    stack.push(i);
  };
  while (stack.length) {
    const i = stack.pop();
    const x = i % columns;
    const y = ((i - x) / columns) % rows;
    const z = Math.floor(i / (rows * columns));
    if (x > 0) visit(i - 1, z, y, x - 1);
    if (x + 1 < columns) visit(i + 1, z, y, x + 1);
    if (y > 0) visit(i - columns, z, y - 1, x);
    if (y + 1 < rows) visit(i + columns, z, y + 1, x);
    if (z > 0) visit(i - rows * columns, z - 1, y, x);
    if (z + 1 < depth) visit(i + rows * columns, z + 1, y, x);
    steps += 1;
    if (steps % STEPS_A_TURN === 0) yield;
  }
  return found;
}

/**
 * The separate parts of a mask: a number from 1 for each voxel that is set, and how many voxels each part has.
 * @param {Box} box @returns {Generator<void, {labels: Int32Array, sizes: number[]}>} `sizes[n - 1]` belongs to number n
 */
export function* partsOf({ size, data }) {
  const [depth, rows, columns] = size;
  const plane = rows * columns;
  const labels = new Int32Array(data.length);
  const sizes = [];
  const stack = [];
  let steps = 0;
  for (let start = 0; start < data.length; start += 1) {
    if (!data[start] || labels[start]) continue;
    const number = sizes.push(0);
    labels[start] = number;
    stack.push(start);
    while (stack.length) {
      const i = stack.pop();
      sizes[number - 1] += 1;
      const x = i % columns;
      const y = ((i - x) / columns) % rows;
      const z = (i - x - y * columns) / plane;
      const beside = [x > 0 ? i - 1 : -1, x + 1 < columns ? i + 1 : -1, y > 0 ? i - columns : -1,
        y + 1 < rows ? i + columns : -1, z > 0 ? i - plane : -1, z + 1 < depth ? i + plane : -1];
      for (const j of beside) {
        if (j < 0 || !data[j] || labels[j]) continue;
        labels[j] = number;
        stack.push(j);
      }
      steps += 1;
      if (steps % STEPS_A_TURN === 0) yield;
    }
  }
  return { labels, sizes };
}

/** What is not the largest part of a mask; the first of equals counts as the largest. @param {Box} box @returns {Generator<void, Uint8Array>} */
export function* allButLargest(box) {
  const { labels, sizes } = yield* partsOf(box);
  const largest = sizes.indexOf(Math.max(...sizes, 0)) + 1;
  return Uint8Array.from(labels, (number) => (number && number !== largest ? 1 : 0));
}

/** The parts of a mask with fewer voxels than `least`. @param {Box} box @returns {Generator<void, Uint8Array>} */
export function* smallParts(box, least) {
  const { labels, sizes } = yield* partsOf(box);
  return Uint8Array.from(labels, (number) => (number && sizes[number - 1] < least ? 1 : 0));
}

/** The part of a mask that holds a voxel of the box; nothing where it is not set. @param {Box} box @param {number[]} voxel */
export function* partAt(box, [z, y, x]) {
  const { labels } = yield* partsOf(box);
  const number = labels[(z * box.size[1] + y) * box.size[2] + x];
  return Uint8Array.from(labels, (other) => (number && other === number ? 1 : 0));
}

/**
 * The holes of a slice: what is not set and cannot be left to the border without crossing what is set.
 * @param {{data: Uint8Array, width: number, height: number}} plane
 */
export function holesOf({ data, width, height }) {
  const outside = new Uint8Array(data.length);
  const stack = [];
  const visit = (i) => {
    if (data[i] || outside[i]) return;
    outside[i] = 1;
    stack.push(i);
  };
  for (let x = 0; x < width; x += 1) {
    visit(x);
    visit((height - 1) * width + x);
  }
  for (let y = 0; y < height; y += 1) {
    visit(y * width);
    visit(y * width + width - 1);
  }
  while (stack.length) {
    const i = stack.pop();
    const x = i % width;
    if (x > 0) visit(i - 1);
    if (x + 1 < width) visit(i + 1);
    if (i >= width) visit(i - width);
    if (i + width < data.length) visit(i + width);
  }
  return Uint8Array.from(data, (value, i) => (value || outside[i] ? 0 : 1));
}
