// Looking back: days in the times, half a minute at most, and the picture on which something happened.
import assert from "node:assert/strict";
import { test } from "node:test";

import { Replay } from "../../static/js/label/replay.js";

const texts = new Map();
const element = (id) => ({ setAttribute() {}, set textContent(words) { texts.set(id, words); } });
Object.assign(globalThis, { document: { getElementById: element } });

/** A log that is looked back on, as the server gives it. */
async function replayOf(operations) {
  const medium = { ordinal: 0 };
  const editor = { isVolume: true, medium, went: [], goTo: (z) => editor.went.push([editor.medium.ordinal, z]), emit() {}, redraw() {}, document: null };
  const showMedium = async (ordinal) => (editor.medium = { ordinal });
  const draft = { author: "me", layers: { masks: new Map(), sizes: new Map() } };
  const replay = Object.assign(Object.create(Replay.prototype), { editor, showMedium, draft, address: "/d/", isOpen: true, slider: element("slider") });
  Object.assign(globalThis, { fetch: async () => new Response(JSON.stringify({ base: {}, people: {}, operations, head_seq: operations.length })) });
  await replay.load();
  return replay;
}

const act = (i, at, payload = {}) => ({
  seq: i + 1, author: "me", kind: "shape.add", at,
  payload: { shape_id: `s${i}`, medium: 0, label: "x", regions: [{ kind: "points", points: [[1, 1]], z: i }], ...payload },
});

test("times have their day only where the log spans days", async () => {
  const shown = async (...times) => {
    const replay = await replayOf(times.map((at, i) => act(i, at)));
    replay.show(1);
    return texts.get("replay-text");
  };
  assert.doesNotMatch(await shown("2026-03-05T12:00:00Z", "2026-03-05T12:30:00Z"), /2026/);
  assert.match(await shown("2026-03-05T12:00:00Z", "2026-03-09T12:00:00Z"), /2026/);
});

test("a long log is played in half a minute, a short one step by step", async (context) => {
  context.mock.timers.enable({ apis: ["setInterval"] });
  for (const [n, least_ms, most_ms] of [[1001, 20_000, 31_000], [10, 1000, 1400]]) {
    const replay = await replayOf(Array.from({ length: n }, (_, i) => act(i, "2026-03-05T12:00:00Z")));
    let ms = 0;
    replay.show(n);
    replay.play();
    for (; replay.timer; ms += 120) context.mock.timers.tick(120);
    assert.equal(replay.step, n);
    assert.ok(ms >= least_ms && ms <= most_ms, `${n} steps in ${ms} ms`);
  }
});

test("a step on another picture goes there, also where only the shape says which", async () => {
  const at = "2026-03-05T12:00:00Z";
  const moved = { seq: 2, author: "me", kind: "shape.geometry", at, payload: { shape_id: "s0", base_version: 1, regions: [{ kind: "points", points: [[2, 2]], z: 7 }] } };
  const replay = await replayOf([act(0, at, { medium: 1 }), moved]);
  replay.show(2);
  await new Promise((done) => setImmediate(done));
  assert.deepEqual(replay.editor.went, [[1, 7]]);
});
