// The borders of a mask as closed rings along the sides of its pixels, each drawn in one stroke: dashes run on around corners.

// Steps of a border that has its pixel on the right hand as seen on the screen: right, down, left, up.
const STEPS = [[1, 0], [0, 1], [-1, 0], [0, -1]];

/**
 * The corners of every ring of `isInside(x, y)` on a grid of `width` × `height`. Pixels that touch at a corner only are apart.
 * @param {number} width
 * @param {number} height
 * @param {(x: number, y: number) => boolean} isInside
 * @returns {[number, number][][]}
 */
export function ringsOf(width, height, isInside) {
  const across = width + 1;
  // At every corner of the grid, one bit a direction in which a border leaves it.
  const leaves = new Uint8Array(across * (height + 1));
  const inside = (x, y) => x >= 0 && y >= 0 && x < width && y < height && isInside(x, y);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      if (!isInside(x, y)) continue;
      const at = y * across + x;
      if (!inside(x, y - 1)) leaves[at] |= 1;
      if (!inside(x + 1, y)) leaves[at + 1] |= 2;
      if (!inside(x, y + 1)) leaves[at + across + 1] |= 4;
      if (!inside(x - 1, y)) leaves[at + across] |= 8;
    }
  }
  const rings = [];
  for (let start = 0; start < leaves.length; start += 1) {
    while (leaves[start]) rings.push(walk(leaves, start, across));
  }
  return rings;
}

/** @returns {[number, number][]} */
function walk(leaves, start, across) {
  /** @type {[number, number][]} */
  const corners = [];
  let at = start;
  let direction = -1;
  do {
    // On along its own pixel first: right, straight on, left.
    const order = direction < 0 ? [0, 1, 2, 3] : [(direction + 1) % 4, direction, (direction + 3) % 4];
    const next = order.find((one) => leaves[at] & (1 << one));
    if (next !== direction) corners.push([at % across, Math.floor(at / across)]);
    leaves[at] &= ~(1 << next);
    direction = next;
    at += STEPS[next][0] + STEPS[next][1] * across;
  } while (at !== start);
  return corners;
}
