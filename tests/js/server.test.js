// Requests: who asks is said with what is written, silence ends, and half an answer is no answer.
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { ask, bringMasks, Refusal, Unreachable } from "../../static/js/live/server.js";

const { fetch } = globalThis;
const { timeout } = AbortSignal;

beforeEach(() => Object.assign(globalThis, { document: { cookie: "other=1; labelhub_csrf=t%3D", body: { dataset: { person: "p-1" } } } }));
afterEach(() => {
  globalThis.fetch = fetch;
  AbortSignal.timeout = timeout;
});

test("what is written says whom the page was made for and carries the token as it is now; what is read needs neither", async () => {
  const sent = [];
  globalThis.fetch = async (_, { headers }) => sent.push(headers) && Response.json({});
  await ask("/a/", { body: {} });
  document.cookie = "labelhub_csrf=new";
  await ask("/a/", { raw: "x" });
  await ask("/a/");
  assert.deepEqual(sent.map((headers) => [headers["X-CSRFToken"], headers["X-LabelHub-Person"]]), [["t=", "p-1"], ["new", "p-1"], [undefined, undefined]]);
});

test("a page that nobody signed in opened says no person", async () => {
  delete document.body.dataset.person;
  globalThis.fetch = async (_, { headers }) => Response.json({ isSaid: "X-LabelHub-Person" in headers });
  assert.deepEqual(await ask("/a/", { body: {} }), { isSaid: false });
});

test("a server that keeps silent is given up and told as not reached; a mask has longer", async () => {
  const waits = [];
  AbortSignal.timeout = (ms) => {
    waits.push(ms);
    return timeout.call(AbortSignal, 10);
  };
  globalThis.fetch = (_, { signal }) => new Promise((_resolve, reject) => {
    // Keeps Node awake, as a connection would.
    const awake = setTimeout(() => undefined, 5000);
    signal.addEventListener("abort", () => reject(signal.reason) ?? clearTimeout(awake));
  });
  await assert.rejects(ask("/a/", { body: {} }), Unreachable);
  await assert.rejects(ask("/a/", { raw: "x" }), Unreachable);
  await assert.rejects(bringMasks(new Map(), "/a/", [{ mask: "m", size: [1, 1, 1] }]), Unreachable);
  assert.ok(waits[0] <= 60_000 && waits[1] > waits[0] && waits[2] === waits[1], String(waits));
});

test("an answer that breaks off is no answer; one without content is", async () => {
  globalThis.fetch = async () => new Response('{"acknowledged": [', { status: 200 });
  await assert.rejects(ask("/a/", { body: {} }), Unreachable);
  globalThis.fetch = async () => new Response(null, { status: 204 });
  assert.deepEqual(await ask("/a/", { body: {} }), {});
});

test("refusals keep their code and sentence, one without a code is a missing session, and a fault of the server is waited out", async () => {
  const answers = [[409, { code: "stale", detail: "Somebody was faster." }], [403, {}], [403, { code: "signed-out", detail: "Somebody else." }], [500, {}]];
  const told = [];
  for (const [status, body] of answers) {
    globalThis.fetch = async () => Response.json(body, { status: Number(status) });
    await ask("/a/", { body: {} }).catch((error) => told.push(error instanceof Refusal ? `${error.status} ${error.code}` : error.constructor.name));
  }
  assert.deepEqual(told, ["409 stale", "401 signed-out", "403 signed-out", "Unreachable"]);
});
