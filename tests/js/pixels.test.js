// Slices: fetched once, kept, guessed ahead; what is asked for goes before guesses.
import assert from "node:assert/strict";
import { test } from "node:test";

import { Pixels } from "../../static/js/canvas/pixels.js";

/** A server that answers when it is told to, and says what it was asked. */
function server() {
  const asked = [];
  globalThis.fetch = (address, { signal } = {}) => new Promise((resolve, reject) => {
    const entry = {
      address,
      answer: () => resolve({ ok: true, arrayBuffer: async () => new ArrayBuffer(8), headers: new Map([["X-Dtype", "int16"], ["X-Width", "2"], ["X-Height", "2"]]) }),
      isAborted: false,
    };
    signal?.addEventListener("abort", () => {
      entry.isAborted = true;
      reject(Object.assign(new Error("aborted"), { name: "AbortError" }));
    });
    asked.push(entry);
  });
  return asked;
}

const pixels = () => new Pixels("/slice/", { size: [20, 2, 2] });

test("a slice is asked for once, also while it is on its way, and kept", async () => {
  const asked = server();
  const made = pixels();
  const both = [made.load("axial", 3), made.load("axial", 3)];
  assert.equal(asked.length, 1);
  asked[0].answer();
  const [first, second] = await Promise.all(both);
  assert.equal(first, second);
  assert.equal(made.peek("axial", 3), first);
  assert.equal(made.peek("coronal", 0), null);
  await made.load("axial", 3);
  assert.equal(asked.length, 1);
});

test("guesses run ahead in the direction of scrolling and stop at the ends", () => {
  const asked = server();
  pixels().prefetch("axial", 17, 1);
  assert.deepEqual(asked.map(({ address }) => address), ["/slice/axial/18/", "/slice/axial/19/", "/slice/axial/16/"]);
});

test("what a person asks for ends the guesses, unless it is one of them", async () => {
  const asked = server();
  const made = pixels();
  made.prefetch("axial", 5, 1);
  made.load("axial", 6);
  assert.equal(asked.some(({ isAborted }) => isAborted), false);
  const wanted = made.load("axial", 12);
  assert.equal(asked.filter(({ isAborted }) => isAborted).length, 5);
  asked.at(-1).answer();
  assert.ok(await wanted);
});

test("a slice that was a guess and was given up is asked for again", async () => {
  const asked = server();
  const made = pixels();
  made.prefetch("axial", 5, 1);
  const wanted = made.load("axial", 6);
  made.load("coronal", 1);
  await new Promise((resolve) => setTimeout(resolve));
  const again = asked.filter(({ address }) => address === "/slice/axial/6/");
  assert.equal(again.length, 2);
  again[1].answer();
  assert.ok(await wanted);
});
