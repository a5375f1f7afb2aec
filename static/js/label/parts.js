// Parts of the page that are brought when they are first asked for, so that a page which never asks does not carry them.

/**
 * Return a function that gives the part: made once, and tried again where it could not be brought.
 * @template T
 * @param {() => Promise<T>} make
 * @returns {() => Promise<T>}
 */
export function whenAsked(make) {
  /** @type {Promise<T> | null} */
  let coming = null;
  return () => {
    coming ??= make().catch((error) => {
      coming = null;
      throw error;
    });
    return coming;
  };
}
