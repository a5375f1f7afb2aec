// Pictures that are here or on their way, by name: each is asked for once. What could not be brought is said once and shown as nothing.

/** @type {Map<string, {picture: any, ready: Promise<void>}>} */
const pictures = new Map();
/** The newest of several pictures for one place, and the one that is on its way there. @type {Map<string, {name: string, picture: any, asked: string}>} */
const newest = new Map();
let sayWhy = (text) => console.warn(text);

/** How a failure is said. @param {(text: string) => void} say */
export function tellFailures(say) {
  sayWhy = say;
}

/** Keep what `make` gives under `key`. @param {string} key @param {() => Promise<any>} make @returns {Promise<void>} */
export function keep(key, make) {
  if (!pictures.has(key)) {
    const entry = { picture: null, ready: null };
    pictures.set(key, entry);
    entry.ready = make().then((picture) => { entry.picture = picture; }).catch((error) => sayWhy(error.message));
  }
  return pictures.get(key).ready;
}

/** What is kept under a name; null while it is on its way. */
export const kept = (key) => pictures.get(key)?.picture;

/**
 * Keep one picture a place: the newest takes the place of those before when it is here.
 * @param {string} place @param {string} name which picture is wanted there @param {() => Promise<any>} make @param {() => void} redraw
 * @returns what was wanted, null where it is empty; undefined while it is on its way
 */
export function keepAlone(place, name, make, redraw) {
  const entry = newest.get(place) ?? { name: "", picture: undefined, asked: "" };
  newest.set(place, entry);
  if (entry.name === name) return entry.picture;
  if (entry.asked !== name) {
    entry.asked = name;
    make().then((picture) => {
      // Something else may be wanted by now, or nothing of this picture any more.
      if (entry.asked !== name || newest.get(place) !== entry) return;
      Object.assign(entry, { name, picture });
      redraw();
    }).catch((error) => sayWhy(error.message));
  }
  return undefined;
}

/** Put a picture in the place of the one before. */
export function replace(key, picture) {
  pictures.set(key, { picture, ready: Promise.resolve() });
}

/** Forget what is kept under names that begin so; all by default. */
export function forget(begins = "") {
  for (const key of [...pictures.keys()]) if (key.startsWith(begins)) pictures.delete(key);
  for (const place of [...newest.keys()]) if (place.startsWith(begins) || place.startsWith(`part of ${begins}`)) newest.delete(place);
}
