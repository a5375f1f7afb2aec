// The fold and the painted layers must say what labelhub/annotations/fold.py says: same state, same SHA-256 of masks.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import { copyState, createState, apply, fold, stateToDocument } from "../../static/js/lib/fold.js";
import { Layers, digestBytes } from "../../static/js/lib/layers.js";

const FOLDER = new URL("../../fixtures/fold/", import.meta.url);

function layersOf(vector) {
  const sizes = new Map(Object.entries(vector.sizes).map(([medium, size]) => [Number(medium), size]));
  const masks = new Map(
    Object.entries(vector.masks).map(([name, mask]) => [name, { size: mask.size, bits: Uint8Array.from(mask.bits) }]),
  );
  return new Layers(sizes, masks);
}

function digests(layers, state) {
  const found = [];
  for (const medium of layers.sizes.keys()) {
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

for (const name of readdirSync(FOLDER).filter((entry) => entry.endsWith(".json"))) {
  const vector = JSON.parse(readFileSync(new URL(name, FOLDER), "utf8"));
  const expected = vector.layers.map((layer) => `${layer.medium} ${layer.label} ${layer.sha256}`).sort();

  test(`${name}: the state is the server's`, () => {
    assert.deepEqual(stateToDocument(fold(vector.base, vector.acts)), vector.state);
  });

  test(`${name}: the masks are the server's, bit for bit`, () => {
    assert.deepEqual(digests(layersOf(vector), fold(vector.base, vector.acts)), expected);
  });

  test(`${name}: who made a layer is what the server says`, () => {
    const layers = layersOf(vector);
    const state = fold(vector.base, vector.acts);
    for (const { medium, label, source } of vector.layers) assert.equal(layers.sourceOf(state, medium, label), source);
  });

  test(`${name}: painting after each operation ends where painting once ends`, () => {
    const layers = layersOf(vector);
    const state = createState(vector.base);
    for (const act of vector.acts) {
      apply(state, act);
      if (vector.acts.length <= 40) digests(layers, state);
    }
    assert.deepEqual(digests(layers, state), expected);
  });

  test(`${name}: a fold goes on from a written state as if it had not stopped`, () => {
    const half = Math.floor(vector.acts.length / 2);
    const written = JSON.parse(JSON.stringify(stateToDocument(fold(vector.base, vector.acts.slice(0, half)))));
    assert.deepEqual(stateToDocument(fold(written, vector.acts.slice(half))), vector.state);
  });
}

test("a copy goes its own way", () => {
  const state = createState({ answers: { q: 1 } });
  const copy = copyState(state);
  apply(copy, { seq: 1, op_id: "o", author: "a", kind: "answer.set", payload: { question: "q", value: null } });
  assert.deepEqual(state.answers, { q: 1 });
  assert.deepEqual(copy.answers, {});
});
