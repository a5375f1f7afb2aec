// The Data page: files dropped or chosen are sent in pieces; a piece that was lost is sent again from where the server stands.
import { csrfToken, notify } from "./frame.js";

const form = document.getElementById("upload");
const zone = form.querySelector("[data-drop]");
const status = form.querySelector("[data-upload-status]");
const text = status.querySelector("[data-upload-text]");
const rate = status.querySelector("[data-upload-rate]");
const wrong = status.querySelector("[data-upload-wrong]");
const bar = status.querySelector("progress");
const pieceBytes = Number(form.dataset.pieceBytes);

const TRIES = 6;
const CLUTTER = new Set([".DS_Store", "Thumbs.db", "desktop.ini"]);

let sending = null;

/** A refusal by the server, in its own words. */
class Refused extends Error {}

/** Files of a drop with their paths, folders included: `[{ file, path }]`. */
export async function filesOfDrop(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  const found = [];
  for (const entry of entries) await walk(entry, "", found);
  return found;
}

async function walk(entry, folder, found) {
  const path = folder + entry.name;
  if (entry.isFile) {
    if (!CLUTTER.has(entry.name)) found.push({ file: await new Promise((resolve, reject) => entry.file(resolve, reject)), path });
    return;
  }
  const reader = entry.createReader();
  // A reader gives its entries in parts; an empty part is the end.
  for (;;) {
    const part = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!part.length) return;
    for (const child of part) await walk(child, `${path}/`, found);
  }
}

/** Files of an input with their paths. */
export function filesOfInput(input) {
  return [...input.files]
    .filter((file) => !CLUTTER.has(file.name))
    .map((file) => ({ file, path: file.webkitRelativePath || file.name }));
}

/** Bytes in the unit a person would use. */
export function size(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let step = 0;
  for (; bytes >= 1000 && step < units.length - 1; step += 1) bytes /= 1000;
  return `${bytes.toFixed(step ? 1 : 0)} ${units[step]}`;
}

/** Seconds as a person would say them. */
export function left(seconds) {
  if (!Number.isFinite(seconds)) return "";
  if (seconds < 90) return `${Math.ceil(seconds)} s left`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min left` : `${(seconds / 3600).toFixed(1)} h left`;
}

async function ask(address, body, signal, headers = {}) {
  for (let attempt = 1; ; attempt += 1) {
    let answer;
    try {
      answer = await fetch(address, {
        method: "POST", body, signal, headers: { "X-CSRFToken": csrfToken(), Accept: "application/json", ...headers },
      });
    } catch (error) {
      if (signal.aborted || attempt >= TRIES) throw error;
    }
    if (answer && (answer.ok || (answer.status < 500 && answer.status !== 429))) return answer;
    if (answer && attempt >= TRIES) throw new Refused("The server could not take the files. What arrived is kept; try again later.");
    rate.textContent = "The server does not answer; trying again";
    await new Promise((resolve) => setTimeout(resolve, Math.min(1000 * 2 ** attempt, 30_000)));
  }
}

async function said(answer) {
  const type = answer.headers.get("Content-Type") ?? "";
  const reply = type.startsWith("application/json") ? await answer.json() : null;
  if (answer.ok && reply) return reply;
  if (reply?.code === "upload-out-of-step") return reply;
  if (answer.redirected || answer.status === 401 || answer.status === 403) {
    throw new Refused("You are signed out, or no longer an admin here. What arrived is kept: sign in and choose the same files again.");
  }
  throw new Refused(reply?.detail ?? "The server could not take the files. What arrived is kept.");
}

async function place(signal) {
  const { run, piece, start, page } = form.dataset;
  if (run) return { piece, start, page };
  return said(await ask(form.action, new FormData(form), signal));
}

async function sendFile({ file, path }, address, progress, signal) {
  let offset = 0;
  do {
    const query = new URLSearchParams({ name: path, offset: String(offset), total: String(file.size) });
    const piece = file.slice(offset, offset + pieceBytes);
    const reply = await said(await ask(`${address}?${query}`, piece, signal, { "Content-Type": "application/octet-stream" }));
    progress.skipped += reply.code ? Math.max(reply.held - offset, 0) : 0;
    progress.sent += reply.held - offset;
    offset = reply.held;
    show(progress);
  } while (offset < file.size);
}

function show(progress) {
  const seconds = (performance.now() - progress.since) / 1000;
  const perSecond = (progress.sent - progress.skipped) / seconds;
  bar.value = progress.total ? progress.sent / progress.total : 1;
  text.textContent = `${progress.file} of ${progress.files} files · ${size(progress.sent)} of ${size(progress.total)}`;
  rate.textContent = seconds > 1 && perSecond > 0 ? `${size(perSecond)}/s · ${left((progress.total - progress.sent) / perSecond)}` : "";
}

async function send(files) {
  if (sending || !files.length) return;
  sending = new AbortController();
  const { signal } = sending;
  const total = files.reduce((sum, { file }) => sum + file.size, 0);
  const progress = { file: 0, files: files.length, sent: 0, skipped: 0, total, since: performance.now() };
  const refused = [];
  wrong.hidden = true;
  status.hidden = false;
  setBusy(true);
  try {
    const addresses = await place(signal);
    Object.assign(form.dataset, { run: "open", piece: addresses.piece, start: addresses.start, page: addresses.page });
    for (const one of files) {
      progress.file += 1;
      try {
        await sendFile(one, addresses.piece, progress, signal);
      } catch (error) {
        // One file whose name or content cannot be taken does not stop the others; a lost server does.
        if (!(error instanceof Refused) || files.length === 1) throw error;
        refused.push(`${one.path}: ${error.message}`);
        if (refused.length > 20) throw error;
      }
    }
    if (refused.length) notify(`Not taken: ${refused.join(" · ")}`, "warning");
    await said(await ask(addresses.start, null, signal));
    sending = null;
    location.assign(addresses.page);
  } catch (error) {
    fail(error, signal.aborted);
  } finally {
    sending = null;
    setBusy(false);
  }
}

function setBusy(isBusy) {
  zone.setAttribute("aria-busy", String(isBusy));
  for (const input of form.querySelectorAll("input[data-files]")) {
    input.disabled = isBusy;
    input.closest("label").setAttribute("aria-disabled", String(isBusy));
  }
}

function fail(error, isStopped) {
  rate.textContent = "";
  wrong.hidden = false;
  if (isStopped) wrong.textContent = "Stopped. What arrived is kept: choose the same files again to go on.";
  else if (error instanceof Refused) wrong.textContent = error.message;
  else wrong.textContent = "The connection or a file was lost. What arrived is kept: choose the same files again to go on.";
}

function showOptions(details) {
  const chosen = new Set([...details.querySelectorAll("select")].map((select) => select.value));
  for (const part of details.querySelectorAll("[data-for]")) part.hidden = !chosen.has(part.dataset.for);
}

for (const details of document.querySelectorAll("[data-options]")) {
  details.addEventListener("change", () => showOptions(details));
  showOptions(details);
}
for (const input of form.querySelectorAll("input[data-files]")) {
  input.addEventListener("change", () => {
    const files = filesOfInput(input);
    input.value = "";
    send(files);
  });
}
form.addEventListener("submit", (event) => event.preventDefault());
status.querySelector("[data-upload-stop]").addEventListener("click", () => sending?.abort());

for (const name of ["dragenter", "dragover"]) {
  zone.addEventListener(name, (event) => {
    event.preventDefault();
    zone.classList.add("is-over");
  });
}
zone.addEventListener("dragleave", (event) => {
  if (!zone.contains(event.relatedTarget)) zone.classList.remove("is-over");
});
zone.addEventListener("drop", async (event) => {
  event.preventDefault();
  zone.classList.remove("is-over");
  try {
    send(await filesOfDrop(event.dataTransfer));
  } catch {
    notify("A dropped file could not be read. Nothing was sent.", "error");
  }
});
// A file dropped beside the zone must not make the browser leave the page.
for (const name of ["dragover", "drop"]) document.addEventListener(name, (event) => event.preventDefault());
addEventListener("beforeunload", (event) => {
  if (sending) event.preventDefault();
});
