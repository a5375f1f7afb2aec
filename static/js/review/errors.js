// Errors of single objects: what is proposed for each reading, and a reviewer's word on it. What the server says is shown.
import { notify } from "../pages/frame.js";
import { errorsOf, say } from "./errors_view.js";
import { ask } from "./matters_server.js";
import { goTo, ready } from "./viewer.js";

const root = document.querySelector("[data-errors]");
const kinds = [...root.querySelectorAll("[data-kind]")];
const page = { found: null, current: null, isBusy: false };

root.addEventListener("click", onClick);
root.addEventListener("keydown", onKey);
// An answer to a matter changes the label: what is proposed against it is looked for anew.
document.addEventListener("matters:answered", () => page.found && look(false));

async function look(takesFocus = true) {
  say(root, "Comparing each object with the label…");
  try {
    take(await ask(root.dataset.errors));
  } catch (error) {
    return say(root, error.message);
  }
  if (!page.current) page.current = firstOpen();
  show(takesFocus);
}

function take(found) {
  page.found = found;
  if (page.current && !rowAt(page.current)) page.current = null;
}

/** All rows in the order of the page. */
const rows = () => page.found.readings.flatMap((reading) => [...reading.errors, ...reading.kept, ...reading.right].map((error) => ({ reading, error })));
const idOf = ({ reading, error }) => `${reading.reader} ${error.key}`;
const rowAt = (id) => rows().find((row) => idOf(row) === id);
const isOpen = ({ error }) => error.proposed && !error.said;
const firstOpen = () => { const row = rows().find(isOpen) ?? rows()[0]; return row ? idOf(row) : null; };

function show(takesFocus) {
  errorsOf(root, page.found, page.current, kinds);
  const button = root.querySelector("[data-error][aria-current]");
  if (!takesFocus || !button) return;
  const folded = button.closest("details");
  if (folded) folded.open = true;
  button.focus({ preventScroll: true });
  button.closest("li").scrollIntoView({ block: "nearest" });
}

async function select(id) {
  const row = id && rowAt(id);
  if (!row) return;
  page.current = id;
  show(true);
  await ready;
  await goTo(row.error.medium, row.error.place, row.error.box ?? around(row.error.place));
}

const around = ([z, y, x]) => [[Math.round(z), y - 16, x - 16], [Math.round(z) + 1, y + 16, x + 16]];

function move(step) {
  const list = rows();
  const at = list.findIndex((row) => idOf(row) === page.current);
  const next = list[Math.min(Math.max(at + step, 0), list.length - 1)];
  if (next) select(idOf(next));
}

/** Say of objects of one reading what is wrong with them; then go to the next one that nothing was said of. */
async function judge(reading, objects) {
  if (page.isBusy || !objects.length) return;
  page.isBusy = true;
  root.setAttribute("aria-busy", "true");
  try {
    take(await ask(`${root.dataset.errors}judge/`, { reader: reading.reader, objects, request_id: crypto.randomUUID() }));
  } catch (error) {
    return notify(error.message, "error");
  } finally {
    page.isBusy = false;
    root.removeAttribute("aria-busy");
  }
  const list = rows();
  const at = list.findIndex((row) => idOf(row) === page.current);
  const next = [...list.slice(at + 1), ...list.slice(0, at + 1)].find(isOpen);
  return next ? select(idOf(next)) : show(true);
}

const nameIt = (kind) => {
  const row = rowAt(page.current);
  return row && judge(row.reading, [{ key: row.error.key, kind }]);
};
const confirm = () => {
  const row = rowAt(page.current);
  return row?.error.proposed ? nameIt(row.error.proposed) : notify("Nothing is proposed here. Press 1 to 7 to name an error.", "warning");
};
const confirmAll = (reader) => {
  const reading = page.found.readings.find((one) => one.reader === reader);
  const open = reading.errors.filter((error) => !error.said);
  return open.length ? judge(reading, open.map((error) => ({ key: error.key, kind: error.proposed }))) : notify("Nothing is left to confirm in this reading.", "warning");
};

function onClick(event) {
  const target = event.target.closest("button");
  if (!target) return;
  if ("errorsLook" in target.dataset) look();
  else if (target.dataset.error) select(target.dataset.error);
  else if (target.dataset.kind) nameIt(target.dataset.kind);
  else if (target.dataset.act === "confirm") confirm();
  else if (target.dataset.act === "none") nameIt("none");
  else if (target.dataset.act === "all") confirmAll(target.dataset.reader);
}

function onKey(event) {
  if (!page.found || event.ctrlKey || event.metaKey || event.altKey) return;
  const onRow = event.target.closest("[data-error], .error-acts");
  if (!onRow) return;
  const digit = /^[1-7]$/.test(event.key) && kinds[Number(event.key) - 1];
  if (event.key === "j" || event.key === "ArrowDown") move(1);
  else if (event.key === "k" || event.key === "ArrowUp") move(-1);
  else if (digit) nameIt(digit.dataset.kind);
  else if (event.key === "Enter" && event.shiftKey) confirmAll(rowAt(page.current).reading.reader);
  else if (event.key === "Enter" && event.target.dataset.error) confirm();
  else if (event.key === "Backspace") nameIt("none");
  else if (event.key === "Escape") document.querySelector("[data-matter-list] [aria-current], .viewer canvas")?.focus();
  else return;
  event.preventDefault();
  // The same keys mean something else to the matters.
  event.stopPropagation();
}
