// A slice cut into patches of like pixels: simple linear iterative clustering. Pure.
//
// After Achanta et al., "SLIC superpixels compared to state-of-the-art superpixel methods", IEEE TPAMI 34 (2012), eq. 3, on the
// grey or red, green and blue as they are shown (0 to 255); stray parts then join the largest neighbour, as in its section 3.

const ROUNDS = 5;

/**
 * @param {{values: ArrayLike<number>, channels: number, width: number, height: number}} picture shown values, 0 to 255
 * @param {number} side wanted side of a patch in pixels @param {number} [compactness] 1 follows the picture, 40 the grid
 * @returns {Generator<void, {labels: Int32Array, count: number}>} a patch number from 0 for each pixel
 */
export function* superpixels(picture, side, compactness = 20) {
  const { width, height } = picture;
  const centres = seeds(picture, Math.max(2, side));
  const labels = new Int32Array(width * height).fill(-1);
  const room = new Float32Array(width * height);
  for (let round = 0; round < ROUNDS; round += 1) {
    yield* assign(picture, centres, labels, room, Math.max(2, side), compactness);
    yield* recentre(picture, centres, labels);
  }
  return yield* connected(labels, width, height, (side * side) / 4);
}

function seeds({ values, channels, width, height }, side) {
  const [across, down] = [Math.max(1, Math.round(width / side)), Math.max(1, Math.round(height / side))];
  const centres = [];
  for (let j = 0; j < down; j += 1) {
    for (let i = 0; i < across; i += 1) {
      const [x, y] = [((i + 0.5) * width) / across, ((j + 0.5) * height) / down];
      const from = (Math.floor(y) * width + Math.floor(x)) * channels;
      centres.push({ x, y, colour: Array.from({ length: channels }, (_, c) => values[from + c]) });
    }
  }
  return centres;
}

function* assign({ values, channels, width, height }, centres, labels, room, side, compactness) {
  room.fill(Infinity);
  const nearness = (compactness / side) ** 2;
  let pixels = 0;
  for (const [n, { x, y, colour }] of centres.entries()) {
    const [x0, x1] = [Math.max(0, Math.floor(x - side)), Math.min(width, Math.ceil(x + side))];
    const [y0, y1] = [Math.max(0, Math.floor(y - side)), Math.min(height, Math.ceil(y + side))];
    for (let v = y0; v < y1; v += 1) {
      for (let u = x0; u < x1; u += 1) {
        const i = v * width + u;
        let distance = nearness * ((u - x) ** 2 + (v - y) ** 2);
        for (let c = 0; c < channels; c += 1) distance += (values[i * channels + c] - colour[c]) ** 2;
        if (distance < room[i]) {
          room[i] = distance;
          labels[i] = n;
        }
      }
    }
    pixels += (x1 - x0) * (y1 - y0);
    if (pixels > 150_000) {
      pixels = 0;
      yield;
    }
  }
}

function* recentre({ values, channels, width }, centres, labels) {
  const sums = centres.map(() => new Float64Array(channels + 3));
  for (let i = 0; i < labels.length; i += 1) {
    const sum = sums[labels[i]];
    if (!sum) continue;
    sum[0] += 1;
    sum[1] += i % width;
    sum[2] += Math.floor(i / width);
    for (let c = 0; c < channels; c += 1) sum[3 + c] += values[i * channels + c];
    if (i % 200_000 === 199_999) yield;
  }
  for (const [n, sum] of sums.entries()) {
    if (!sum[0]) continue;
    centres[n] = { x: sum[1] / sum[0], y: sum[2] / sum[0], colour: Array.from(sum.subarray(3), (total) => total / sum[0]) };
  }
}

/** Each patch in one part: parts smaller than `least` join the patch found before them. */
function* connected(labels, width, height, least) {
  const out = new Int32Array(labels.length).fill(-1);
  let count = 0;
  const stack = [];
  for (let start = 0; start < labels.length; start += 1) {
    if (out[start] >= 0) continue;
    const beside = start % width ? out[start - 1] : start >= width ? out[start - width] : -1;
    const part = [start];
    out[start] = count;
    stack.push(start);
    while (stack.length) {
      const i = stack.pop();
      const x = i % width;
      for (const j of [x ? i - 1 : -1, x + 1 < width ? i + 1 : -1, i - width, i + width < width * height ? i + width : -1]) {
        if (j < 0 || out[j] >= 0 || labels[j] !== labels[start]) continue;
        out[j] = count;
        part.push(j);
        stack.push(j);
      }
    }
    if (part.length < least && beside >= 0) for (const i of part) out[i] = beside;
    else count += 1;
    if (start % 100_000 === 99_999) yield;
  }
  return { labels: out, count };
}
