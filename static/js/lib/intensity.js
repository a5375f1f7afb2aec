// Intensities of a slice as tools need them: one number a pixel, how unlike a seed, a range around a place, Otsu's threshold. Pure.

/** @typedef {{values: ArrayLike<number>, channels: number, width: number, height: number}} Slice */

/** One number a pixel: the value itself, or of red, green and blue the luma of ITU-R BT.601. @param {Slice} slice */
export function greyOf({ values, channels, width, height }) {
  const grey = new Float32Array(width * height);
  for (let i = 0, from = 0; i < grey.length; i += 1, from += channels) {
    grey[i] = channels < 3 ? values[from] : 0.299 * values[from] + 0.587 * values[from + 1] + 0.114 * values[from + 2];
  }
  return grey;
}

/**
 * How far every pixel is from the mean around a seed: the largest difference of any channel. What is no number is infinitely far.
 * @param {Slice} slice @param {number[]} seedColour one mean a channel
 */
export function farFrom({ values, channels, width, height }, seedColour) {
  const far = new Float32Array(width * height);
  const used = Math.min(channels, seedColour.length);
  for (let i = 0, from = 0; i < far.length; i += 1, from += channels) {
    let most = 0;
    for (let c = 0; c < used; c += 1) {
      const by = Math.abs(values[from + c] - seedColour[c]);
      most = by <= most ? most : by;
    }
    far[i] = Number.isNaN(most) ? Infinity : most;
  }
  return far;
}

/** The mean of each channel (at most three) in the 3 × 3 pixels around a place. @param {Slice} slice */
export function colourAt({ values, channels, width, height }, x, y) {
  const used = Math.min(channels, 3);
  const sums = new Array(used).fill(0);
  let n = 0;
  for (let v = Math.max(0, y - 1); v <= Math.min(height - 1, y + 1); v += 1) {
    for (let u = Math.max(0, x - 1); u <= Math.min(width - 1, x + 1); u += 1) {
      const from = (v * width + u) * channels;
      if (!Number.isFinite(Number(values[from]))) continue;
      n += 1;
      for (let c = 0; c < used; c += 1) sums[c] += values[from + c];
    }
  }
  return sums.map((sum) => sum / n);
}

/** Mean and two standard deviations to either side in the disc around a place. @param {Slice} slice @returns {[number, number]} */
export function rangeAround(slice, x, y, reach = 4) {
  const grey = greyOf(slice);
  const found = [];
  for (let v = Math.max(0, y - reach); v <= Math.min(slice.height - 1, y + reach); v += 1) {
    for (let u = Math.max(0, x - reach); u <= Math.min(slice.width - 1, x + reach); u += 1) {
      const value = grey[v * slice.width + u];
      if ((u - x) ** 2 + (v - y) ** 2 <= reach * reach && Number.isFinite(value)) found.push(value);
    }
  }
  if (!found.length) return [0, 0];
  const mean = found.reduce((sum, value) => sum + value, 0) / found.length;
  const spread = Math.sqrt(found.reduce((sum, value) => sum + (value - mean) ** 2, 0) / found.length);
  return [mean - 2 * spread, mean + 2 * spread];
}

/**
 * The threshold between two kinds of values that differ most: Otsu, "A threshold selection method from gray-level histograms",
 * IEEE Trans. Systems, Man, and Cybernetics 9 (1979). NaN where all values are alike or none is a number.
 */
export function otsu(values, bins = 256) {
  let [low, high, n] = [Infinity, -Infinity, 0];
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
    n += 1;
  }
  if (!(high > low)) return NaN;
  const counts = new Float64Array(bins);
  const width = (high - low) / bins;
  for (const value of values) if (Number.isFinite(value)) counts[Math.min(bins - 1, Math.floor((value - low) / width))] += 1;
  const total = counts.reduce((sum, count, i) => sum + count * i, 0);
  let [best, at, below, sumBelow] = [-1, 0, 0, 0];
  for (let i = 0; i < bins - 1; i += 1) {
    below += counts[i];
    sumBelow += counts[i] * i;
    if (!below || below === n) continue;
    const between = below * (n - below) * (sumBelow / below - (total - sumBelow) / (n - below)) ** 2;
    if (between > best) [best, at] = [between, i];
  }
  return low + (at + 1) * width;
}
