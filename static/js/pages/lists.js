// Lists for the keyboard: J and K move, Enter opens, other keys press the button of the current row that names them.
import { isTyping } from "./frame.js";

const list = document.querySelector("[data-list]");
const rows = () => [...list.querySelectorAll("[data-list-row]")];
const current = () => list.querySelector("[data-list-row][aria-current=true]");

function choose(row) {
  current()?.removeAttribute("aria-current");
  if (!row) return;
  row.setAttribute("aria-current", "true");
  row.scrollIntoView({ block: "nearest" });
  row.querySelector("[data-list-open]")?.focus({ preventScroll: true });
}

function move(step) {
  const all = rows();
  const place = all.indexOf(current());
  choose(all[Math.min(Math.max(place + step, 0), all.length - 1)]);
}

document.addEventListener("keydown", (event) => {
  if (isTyping(event) || document.querySelector("dialog[open]")) return;
  const key = event.key.toLowerCase();
  if (key === "j") move(1);
  else if (key === "k") move(-1);
  else if (current()) current().querySelector(`[data-list-key="${CSS.escape(key)}"]`)?.click();
});

// A row that is decided leaves; the next one takes its place under the keys.
let next = null;
list.addEventListener("htmx:beforeRequest", (event) => {
  const row = event.target.closest("[data-list-row]");
  next = row?.nextElementSibling ?? row?.previousElementSibling;
});
document.body.addEventListener("htmx:afterSwap", () => {
  if (next?.isConnected && !current()) choose(next);
});

for (const image of list.querySelectorAll("img[data-fallback]")) {
  const fail = () => image.replaceWith(image.dataset.fallback);
  if (image.complete && !image.naturalWidth) fail();
  else image.addEventListener("error", fail);
}
