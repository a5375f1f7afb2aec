// Asking the server what hints mean. Loaded with the tool that asks.
import { unpacked } from "../lib/piece.js";
import { headersOfWrites, Refusal, signedOut, Unreachable } from "./server.js";

/**
 * @param {string} address @param {any} body @param {AbortSignal} signal
 * @returns {Promise<{piece: import("../lib/piece.js").Piece | null, source: string} | null>} null where it was given up
 */
export async function askProposal(address, body, signal) {
  let response;
  try {
    response = await fetch(address, {
      method: "POST", body: JSON.stringify(body), redirect: "manual", signal,
      headers: { Accept: "application/json", "Content-Type": "application/json", ...headersOfWrites() },
    });
    if (response.ok) return read(response, new Uint8Array(await response.arrayBuffer()));
  } catch (error) {
    if (signal.aborted) return null;
    throw new Unreachable("The server cannot be reached. Nothing was proposed. Try again, or draw by hand.");
  }
  if (response.type === "opaqueredirect" || response.status === 401) throw signedOut();
  const answer = await response.json().catch(() => ({}));
  if (response.status === 403 && !answer.code) throw signedOut();
  throw new Refusal(response.status, answer.code ?? "refused", answer.detail ?? "The server refused this. Nothing was proposed.");
}

function read(response, bits) {
  const [origin, size] = ["X-Origin", "X-Size"].map((name) => response.headers.get(name).split(",").map(Number));
  return { piece: size[0] ? unpacked({ bits, size }, origin) : null, source: response.headers.get("X-Source") };
}
