// Sending and keeping, without a page: what ends stays ended, what cannot be had is not asked for in a rush, order outlives clocks.
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { Draft } from "../../static/js/label/draft.js";
import { Outbox } from "../../static/js/label/outbox.js";
import { Sync } from "../../static/js/label/sync.js";
import { Refusal } from "../../static/js/live/server.js";

const { fetch, setInterval } = globalThis;

beforeEach(() => {
  Object.assign(globalThis, { addEventListener: () => undefined, document: new EventTarget(), setInterval: () => 0 });
});
afterEach(() => Object.assign(globalThis, { fetch, setInterval }));

/** A window whose socket answers as `ask` does; what is told over it is written down. */
function windowWith(ask) {
  const draft = new Draft({ author: "a", state: {}, media: [{ ordinal: 0, size: [1, 10, 10] }] }, new Map());
  const socket = Object.assign(new EventTarget(), { isOpen: true, told: [], start: () => undefined, ask });
  socket.tell = (message) => socket.told.push(message);
  const hear = (type, detail) => socket.dispatchEvent(new CustomEvent(type, { detail }));
  const sync = new Sync(draft, new Outbox(null, "w", "a"), "/document/", { epoch: 1, fence: 1, is_shared: true }, /** @type {any} */ (socket));
  return { draft, socket, sync, hear };
}

const answered = (question, value) => ({ op_id: `${question}${value}`, kind: "answer.set", author: "b", payload: { question, value } });
const soon = (ms = 0) => new Promise((resolve) => setTimeout(resolve, ms));

test("an image that is closed while the last act is being stored does not call itself saved and open again", async () => {
  const { draft, sync, hear } = windowWith(async ({ operations: [own] }) => ({ acknowledged: [{ op_id: own.op_id, seq: 2 }], head_seq: 2, next_client_seq: 2, refused: null }));
  globalThis.fetch = async () => {
    hear("refused", new Refusal(409, "assignment-closed", "This image was submitted."));
    return Response.json({ head_seq: 2, operations: [{ seq: 1, ...answered("p", 1) }, { ...draft.pending[0], seq: 2, author: "a" }] });
  };
  draft.act("answer.set", { question: "q", value: 1 });
  await sync.flushed();
  assert.deepEqual([sync.status, draft.acknowledged.answers], ["closed", { p: 1, q: 1 }]);
});

test("a mask that cannot be read is asked for now and then, not as fast as the server answers", async () => {
  const { socket, hear } = windowWith(async () => null);
  const frame = { head_seq: 1, operations: [{ seq: 1, op_id: "m", kind: "patch.add", author: "b", payload: { stroke_id: "k", mask: "f".repeat(64), size: [1, 1, 1] } }] };
  socket.tell = (message) => socket.told.push(message) && setTimeout(() => hear("operations", frame), 1);
  globalThis.fetch = async () => new Response("", { status: 404 });
  hear("operations", frame);
  await soon(300);
  assert.ok(socket.told.length <= 1, `asked ${socket.told.length} times`);
  // It would go on for ever.
  socket.tell = () => undefined;
});

test("what a pull finds stored is not kept any longer", async () => {
  const { draft, sync, hear } = windowWith(() => new Promise(() => undefined));
  const forgotten = [];
  sync.outbox.forget = async (ids) => void forgotten.push(...ids);
  draft.act("answer.set", { question: "q", value: 1 });
  const [own] = draft.pending;
  globalThis.fetch = async () => Response.json({ head_seq: 2, operations: [{ ...own, seq: 1, author: "a" }, { seq: 2, ...answered("p", 1) }] });
  hear("operations", { head_seq: 2, operations: [{ seq: 2, ...answered("p", 1) }] });
  await soon(50);
  assert.equal(draft.pending.length, 0);
  assert.deepEqual(forgotten, [own.op_id]);
});

for (const [status, code, detail, told] of [[403, undefined, "Sign in.", "signed-out"], [409, "lease-ended", "Your time ended.", "lease-ended"], [502, undefined, "", "saved"]]) {
  test(`a window without a socket that sends nothing learns of ${status} ${code ?? "without a code"} by looking: ${told}`, async () => {
    const { socket, sync } = windowWith(() => new Promise(() => undefined));
    socket.isOpen = false;
    globalThis.fetch = async () => Response.json({ code, detail }, { status: Number(status) });
    sync.look();
    await soon(20);
    assert.equal(sync.status, told);
  });
}

test("a mask that did not come when the page opened is brought and shown with the next that is sent, which waits for none", async () => {
  const { draft, sync } = windowWith(async ({ operations: [own] }) => ({ acknowledged: [{ op_id: own.op_id, seq: 1 }], head_seq: 1, next_client_seq: 2, refused: null }));
  const mask = "f".repeat(64);
  draft.resume({ op_id: "m", kind: "patch.add", payload: { stroke_id: "k", medium: 0, label: "x", mode: "add", origin: [0, 2, 2], size: [1, 1, 1], mask, index: 0 } });
  assert.equal(draft.layers.occupied(draft.state, 0, "x").length, 0);
  const asked = [];
  let give;
  globalThis.fetch = (address) => asked.push(address) && new Promise((resolve) => (give = resolve));
  await sync.push();
  await sync.push();
  assert.deepEqual([draft.pending, sync.status, asked], [[], "saved", [`/document/masks/${mask}/`]]);
  give(new Response(new Uint8Array([128])));
  await soon(20);
  assert.deepEqual(draft.layers.occupied(draft.state, 0, "x"), [0]);
});

test("a mask that still cannot be had holds up nothing: what is sent tells why", async () => {
  const { draft, sync } = windowWith(async ({ operations: [own] }) => ({ acknowledged: [], head_seq: 0, next_client_seq: 1, refused: { op_id: own.op_id, code: "mask-unknown", detail: "Its mask is gone." } }));
  draft.resume({ op_id: "m", kind: "patch.add", payload: { stroke_id: "k", medium: 0, label: "x", mode: "add", origin: [0, 2, 2], size: [1, 1, 1], mask: "f".repeat(64), index: 0 } });
  globalThis.fetch = async () => new Response("", { status: 404 });
  await sync.push();
  assert.deepEqual([draft.pending, draft.refused.map(({ detail }) => detail)], [[], ["Its mask is gone."]]);
});

/** As much of a browser's database as the outbox uses. */
function database(rows = new Map()) {
  const store = {
    put: (entry) => ({ result: rows.set(entry.op_id, entry) }),
    getAll: () => ({ result: [...rows.values()] }),
    delete: (id) => rows.delete(id),
  };
  const transaction = () => {
    const made = { objectStore: () => store, commit: () => queueMicrotask(() => made.oncomplete()) };
    return made;
  };
  return /** @type {any} */ (Object.assign(new EventTarget(), { transaction }));
}

test("what is drawn after a crash stands behind what was kept before, though the clock went back", async () => {
  const rows = new Map();
  const { now } = Date;
  await new Outbox(database(rows), "w", "a").keep({ op_id: "first", kind: "shape.add", payload: {} });
  Date.now = () => now() - 3_600_000;
  const again = new Outbox(database(rows), "w", "a");
  Date.now = now;
  assert.deepEqual((await again.kept()).map((entry) => entry.op_id), ["first"]);
  await again.keep({ op_id: "second", kind: "shape.delete", payload: {} });
  assert.deepEqual((await again.kept()).map((entry) => entry.op_id), ["first", "second"]);
});

test("what another person's window keeps for the same image, after theirs was erased, is not taken up", async () => {
  const rows = new Map();
  await new Outbox(database(rows), "w", "b").keep({ op_id: "theirs", kind: "shape.add", payload: {} });
  assert.deepEqual(await new Outbox(database(rows), "w", "a").kept(), []);
});

test("a browser that keeps nothing more holds up nothing, and the page knows", async () => {
  const broken = database();
  const outbox = new Outbox(broken, "w", "a");
  broken.transaction = () => {
    throw new Error("The database connection is closing.");
  };
  await outbox.forget(["a"]);
  await outbox.keep({ op_id: "b", kind: "shape.add", payload: {} });
  assert.equal(outbox.database, null);
});

test("what is drawn while a new connection to the browser's store is made is kept over a crash, and what was stored meanwhile is not", async () => {
  const rows = new Map();
  const opened = {};
  Object.assign(globalThis, { indexedDB: { open: () => opened } });
  const first = database(rows);
  const outbox = new Outbox(first, "w", "a");
  first.dispatchEvent(new Event("close"));
  const drawn = ["one", "two", "three"].map((id) => ({ op_id: id, kind: "shape.add", payload: {} }));
  for (const operation of drawn.slice(0, 2)) await outbox.keep(operation);
  await outbox.forget(["one"]);
  assert.equal(rows.size, 0);
  await soon(1100);
  Object.assign(opened, { result: database(rows) });
  opened.onsuccess();
  await soon(20);
  await outbox.keep(drawn[2]);
  assert.deepEqual((await outbox.kept()).map((entry) => entry.op_id), ["two", "three"]);
});
