// Exact distances to a mask's edge, and what they are good for: slices between two painted ones. Pure.
//
// The squared distance transform is the lower envelope of parabolas, one pass an axis, after Felzenszwalb and Huttenlocher,
// "Distance transforms of sampled functions", Theory of Computing 8 (2012), with the spacing of each axis.

const FAR = 1e20;

/**
 * The distance of every pixel's centre to the nearest set one; `Infinity` where none is set.
 * @param {{data: Uint8Array, width: number, height: number}} plane @param {number[]} [spacing] of [y, x]
 */
export function distances({ data, width, height }, [sy, sx] = [1, 1]) {
  const out = new Float64Array(data.length);
  for (let i = 0; i < data.length; i += 1) out[i] = data[i] ? 0 : FAR;
  const length = Math.max(width, height);
  const room = { values: new Float64Array(length), at: new Int32Array(length), from: new Float64Array(length + 1) };
  for (let x = 0; x < width; x += 1) along(out, x, width, height, sy, room);
  for (let y = 0; y < height; y += 1) along(out, y * width, 1, width, sx, room);
  return out.map((value) => (value >= FAR ? Infinity : Math.sqrt(value)));
}

/** Below 0 inside, above 0 outside, half way between the centres at the edge. */
export function signedDistances(plane, spacing = [1, 1]) {
  const outside = distances(plane, spacing);
  const inside = distances({ ...plane, data: plane.data.map((value) => 1 - value) }, spacing);
  return outside.map((value, i) => (plane.data[i] ? -inside[i] : value));
}

/** One line of the transform, in place. */
function along(out, first, stride, n, spacing, { values, at, from }) {
  for (let i = 0; i < n; i += 1) values[i] = out[first + i * stride];
  const square = spacing * spacing;
  let last = 0;
  at[0] = 0;
  from[0] = -Infinity;
  from[1] = Infinity;
  for (let q = 1; q < n; q += 1) {
    const meet = (v) => (values[q] + square * q * q - (values[v] + square * v * v)) / (2 * square * (q - v));
    let place = meet(at[last]);
    while (place <= from[last]) {
      last -= 1;
      place = meet(at[last]);
    }
    last += 1;
    at[last] = q;
    from[last] = place;
    from[last + 1] = Infinity;
  }
  for (let q = 0, k = 0; q < n; q += 1) {
    while (from[k + 1] < q) k += 1;
    out[first + q * stride] = Math.min(FAR, square * (q - at[k]) ** 2 + values[at[k]]);
  }
}

/**
 * The slices between two painted ones. Each is where the signed distances of both, weighted by nearness, are below 0; where the
 * two do not overlap they are first brought to the place between their centres, else nothing would be left half way.
 * @param {{data: Uint8Array, width: number, height: number}} low @param {{data: Uint8Array, width: number, height: number}} high
 * @param {number} between how many slices lie between @param {number[]} [spacing] of [y, x]
 * @returns {Generator<void, Uint8Array[]>}
 */
export function* interpolated(low, high, between, spacing = [1, 1]) {
  const overlaps = low.data.some((value, i) => value && high.data[i]);
  const [from, to] = [centreOf(low), centreOf(high)];
  const move = overlaps ? [0, 0] : [to[0] - from[0], to[1] - from[1]];
  const [fields, found] = [[signedDistances(low, spacing), signedDistances(high, spacing)], []];
  const { width, height } = low;
  for (let k = 1; k <= between; k += 1) {
    const share = k / (between + 1);
    const shifts = [move.map((by) => Math.round(by * share)), move.map((by) => Math.round(-by * (1 - share)))];
    const slice = new Uint8Array(width * height);
    for (let y = 0, i = 0; y < height; y += 1) {
      for (let x = 0; x < width; x += 1, i += 1) {
        const [a, b] = fields.map((field, n) => valueAt(field, width, height, x - shifts[n][0], y - shifts[n][1]));
        if ((1 - share) * a + share * b < 0) slice[i] = 1;
      }
    }
    found.push(slice);
    yield;
  }
  return found;
}

function valueAt(field, width, height, x, y) {
  return field[Math.min(Math.max(y, 0), height - 1) * width + Math.min(Math.max(x, 0), width - 1)];
}

function centreOf({ data, width }) {
  let [n, sx, sy] = [0, 0, 0];
  for (let i = 0; i < data.length; i += 1) {
    if (!data[i]) continue;
    n += 1;
    sx += i % width;
    sy += Math.floor(i / width);
  }
  return [sx / n, sy / n];
}
