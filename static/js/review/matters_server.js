// Requests of the matters: JSON in and out; a refusal is an error with the server's sentence.
import { csrfToken } from "../pages/frame.js";

/** @param {string} address @param {object} [body] what to send; without it the address is read */
export async function ask(address, body) {
  let response;
  try {
    response = await fetch(address, {
      method: body ? "POST" : "GET",
      headers: { Accept: "application/json", ...(body ? { "Content-Type": "application/json", "X-CSRFToken": csrfToken() } : {}) },
      body: body ? JSON.stringify(body) : undefined,
    });
  } catch {
    throw new Error("The server did not answer. Nothing was stored; what you see is still there. Try again.");
  }
  const answer = await response.json().catch(() => null);
  if (response.ok && answer) return answer;
  if (response.redirected || response.status === 401) throw new Error("You are signed out. Sign in in another tab, then try again: your answers so far are kept.");
  throw new Error(answer?.detail ?? "The server refused this. Nothing was stored. Load the page again.");
}
