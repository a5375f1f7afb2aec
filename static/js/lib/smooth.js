// A mask with a calmer edge: a Gaussian mean of the mask, cut at one half. Straight edges stay where they are. Pure.

/**
 * @param {{size: number[], data: Uint8Array}} box [z, y, x] @param {number} sigma in the unit of `spacing`
 * @param {number[]} [spacing] of [z, y, x]
 * @returns {Generator<void, Uint8Array>} the smoothed mask; outside the box counts as what lies at its edge
 */
export function* smoothed({ size, data }, sigma, spacing = [1, 1, 1]) {
  let values = Float32Array.from(data);
  const strides = [size[1] * size[2], size[2], 1];
  for (const axis of [0, 1, 2]) {
    const weights = gaussian(sigma / spacing[axis]);
    if (size[axis] > 1 && weights.length > 1) values = yield* meanAlong(values, size[axis], strides[axis], weights);
  }
  return Uint8Array.from(values, (value) => (value > 0.5 ? 1 : 0));
}

/** Weights of a Gaussian out to three sigma; they sum to 1. */
export function gaussian(sigma) {
  const reach = Math.ceil(3 * sigma);
  if (!(sigma > 0.2)) return [1];
  const weights = Array.from({ length: 2 * reach + 1 }, (_, i) => Math.exp(-((i - reach) ** 2) / (2 * sigma * sigma)));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}

function* meanAlong(values, n, stride, weights) {
  const out = new Float32Array(values.length);
  const reach = (weights.length - 1) / 2;
  for (let i = 0; i < values.length; i += 1) {
    const at = Math.floor(i / stride) % n;
    let sum = 0;
    for (let k = -reach; k <= reach; k += 1) {
      const other = Math.min(n - 1, Math.max(0, at + k));
      sum += weights[k + reach] * values[i + (other - at) * stride];
    }
    out[i] = sum;
    if (i % 200_000 === 199_999) yield;
  }
  return out;
}
