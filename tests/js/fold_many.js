// Reads logs, one JSON object a line, and folds and paints each: says how many differ from what stands beside them.
//
// Called by tests/annotations/test_fold_twins.py with the file's path; ends with 1 where anything differs.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { isDeepStrictEqual } from "node:util";

import { fold, stateToDocument } from "../../static/js/lib/fold.js";
import { Layers, digestBytes } from "../../static/js/lib/layers.js";

function digestsOf(vector, state) {
  const sizes = new Map(Object.entries(vector.sizes).map(([medium, size]) => [Number(medium), size]));
  const masks = new Map(Object.entries(vector.masks).map(([name, mask]) => [name, { size: mask.size, bits: Uint8Array.from(mask.bits) }]));
  const layers = new Layers(sizes, masks);
  const found = [];
  for (const medium of sizes.keys()) {
    for (const label of layers.labels(state, medium)) {
      const pieces = digestBytes(layers, state, medium, label);
      if (!pieces.length) continue;
      const hash = createHash("sha256");
      for (const piece of pieces) hash.update(piece);
      found.push(`${medium} ${label} ${hash.digest("hex")}`);
    }
  }
  return found.sort();
}

let [n, different] = [0, 0];
for await (const line of createInterface({ input: createReadStream(process.argv[2]) })) {
  const vector = JSON.parse(line);
  const state = fold(vector.base, vector.acts);
  const wanted = vector.layers.map((layer) => `${layer.medium} ${layer.label} ${layer.sha256}`).sort();
  const isSame = isDeepStrictEqual(stateToDocument(state), vector.state) && isDeepStrictEqual(digestsOf(vector, state), wanted);
  if (!isSame && different === 0) console.error(`log ${n} differs`);
  different += isSame ? 0 : 1;
  n += 1;
}
console.log(`${n} logs, ${different} different`);
process.exit(different ? 1 : 0);
