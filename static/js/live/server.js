// Requests to this server: JSON in and out, the token for writing, and refusals as errors with a code and a sentence.

export const UNREACHED = "The server cannot be reached. Your work is kept here and sent when it answers.";
const LONGEST_MS = 60_000;
const LONGEST_MASK_MS = 300_000;

export class Refusal extends Error {
  constructor(status, code, detail) {
    super(detail);
    this.status = status;
    this.code = code;
  }
}

/** The server was not reached at all. */
export class Unreachable extends Error {}

/** @param {string} address @param {{body?: any, raw?: BodyInit, isLast?: boolean}} [options] `isLast`: sent also while the page closes */
export async function ask(address, { body, raw, isLast } = {}) {
  const isWrite = body !== undefined || raw !== undefined;
  const headers = { Accept: "application/json" };
  if (isWrite) {
    Object.assign(headers, headersOfWrites());
    headers["Content-Type"] = raw ? "application/octet-stream" : "application/json";
  }
  let response;
  try {
    response = await fetch(address, {
      method: isWrite ? "POST" : "GET", headers, body: raw ?? (isWrite ? JSON.stringify(body) : undefined), redirect: isWrite ? "manual" : "follow", keepalive: isLast,
      // A connection that went without a word would be waited for without an end.
      signal: AbortSignal.timeout(raw ? LONGEST_MASK_MS : LONGEST_MS),
    });
  } catch {
    throw new Unreachable(UNREACHED);
  }
  if (response.type === "opaqueredirect" || response.redirected || response.status === 401) throw signedOut();
  const answer = await response.json().catch(() => (response.ok && response.status !== 204 ? null : {}));
  // Half an answer: whether it was done is not known, and asking again is safe.
  if (!answer) throw new Unreachable(UNREACHED);
  if (response.ok) return answer;
  // Django's own refusals (a missing session or token) carry no code.
  if (response.status === 403 && !answer.code) throw signedOut();
  if (response.status >= 500) throw new Unreachable("The server has a problem. Your work is kept here and sent when it answers.");
  throw new Refusal(response.status, answer.code ?? "refused", answer.detail ?? "The server refused this. Nothing was changed.");
}

/**
 * Bring the masks that parts of a drawing name and that are not here yet.
 * @param {Map<string, any>} masks @param {string} address of the document @param {Iterable<{mask?: string, size?: number[]}>} parts
 */
export async function bringMasks(masks, address, parts) {
  const wanted = new Map([...parts].filter((part) => part.mask && !masks.has(part.mask)).map((part) => [part.mask, part.size]));
  await Promise.all([...wanted].map(async ([name, size]) => masks.set(name, { size, bits: await fetchBits(`${address}masks/${name}/`) })));
  return masks;
}

async function fetchBits(address) {
  let bits;
  try {
    // What the log says next waits for it: silence must end here too.
    const response = await fetch(address, { signal: AbortSignal.timeout(LONGEST_MASK_MS) });
    bits = response.ok ? new Uint8Array(await response.arrayBuffer()) : response.status;
  } catch {
    throw new Unreachable(UNREACHED);
  }
  if (typeof bits === "number") throw new Refusal(bits, "mask-unreadable", "A part of the earlier drawing could not be read. Reload the page.");
  return bits;
}

/** Keep a mask that a following patch names. @param {import("../lib/piece.js").Piece} piece @returns {Promise<string>} its name */
export async function storeMask(address, piece, bits) {
  const answer = await ask(`${address}masks/?size=${piece.size.join(",")}`, { raw: bits });
  return answer.mask;
}

export function signedOut() {
  return new Refusal(401, "signed-out", "You are signed out. Your work is kept here. Sign in again in the window that opens, then come back.");
}

/** Who asks, and that this page does. */
export function headersOfWrites() {
  // Read anew each time: signing in again in another window changes it.
  const token = cookie("labelhub_csrf");
  // Whom this page was made for: whoever signed in since is not who did this.
  const { person } = document.body?.dataset ?? {};
  return person ? { "X-CSRFToken": token, "X-LabelHub-Person": person } : { "X-CSRFToken": token };
}

function cookie(name) {
  const entry = document.cookie.split("; ").find((part) => part.startsWith(`${name}=`));
  return entry ? decodeURIComponent(entry.slice(name.length + 1)) : "";
}
