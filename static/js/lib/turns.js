// Long work in slices, so that the page stays alive: a generator is run for a few milliseconds, then the browser has its turn.

const SLICE_MS = 10;

/**
 * @template T
 * @param {Generator<void, T>} work
 * @param {() => boolean} [isWanted] asked between slices; the work ends with null once it is not wanted any more
 * @returns {Promise<T | null>}
 */
export async function inTurns(work, isWanted = () => true) {
  for (;;) {
    const until = performance.now() + SLICE_MS;
    do {
      const { done, value } = work.next();
      if (done) return isWanted() ? /** @type {T} */ (value) : null;
    } while (performance.now() < until);
    await breathe();
    if (!isWanted()) return null;
  }
}

/** Let whatever waits come first: a message comes sooner than a timer, which browsers hold back. */
function breathe() {
  return new Promise((resolve) => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => {
      channel.port1.close();
      resolve(undefined);
    };
    channel.port2.postMessage(null);
  });
}

/** The result at once, for short work. @template T @param {Generator<void, T>} work @returns {T} */
export function atOnce(work) {
  for (;;) {
    const { done, value } = work.next();
    if (done) return /** @type {T} */ (value);
  }
}
