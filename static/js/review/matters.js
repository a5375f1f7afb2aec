// The matters of an item, one by one: what each reader says, what was decided, and the label as it comes out of that.
import { isTyping, notify } from "../pages/frame.js";
import { Lasso } from "./lasso.js";
import { ask } from "./matters_server.js";
import { keep, kept } from "./kept.js";
import { goTo, painters, setResult, showOnly, state, draw } from "./viewer.js";
import { listOf, panelOf } from "./matters_view.js";

const root = document.querySelector("[data-matters]");
const page = { document: null, current: 0, lasso: null, isBusy: false };
// Asked for at once: the server looks for matters while picture and layers are on their way.
const firstAnswer = root ? ask(root.dataset.matters) : null;
firstAnswer?.catch(() => null);

export async function startMatters() {
  if (!root) return;
  page.lasso = new Lasso(root.dataset, () => drawChoices());
  painters.push(paintRegion, (context, scale) => page.lasso.paint(context, scale));
  root.addEventListener("click", onClick);
  document.addEventListener("keydown", onKey);
  try {
    take(await firstAnswer);
  } catch (error) {
    root.querySelector("[data-matter-list]").textContent = error.message;
    return;
  }
  const firstOpen = page.document.matters.findIndex((matter) => !matter.answer);
  await select(Math.max(firstOpen, 0));
}

function take(found) {
  page.document = found;
  // In the order of the layers, which in a blind review is this reviewer's own.
  const place = (says) => state.layers.findIndex((layer) => layer.key === says.reader);
  for (const matter of found.matters) matter.says.sort((one, other) => place(one) - place(other));
  listOf(root, found, page.current, select);
  if (found.result) setResult(found.result, root.dataset.result);
  show();
}

const current = () => page.document?.matters[page.current];

async function select(index) {
  if (!page.document?.matters.length) return;
  page.lasso.put();
  page.current = Math.min(Math.max(index, 0), page.document.matters.length - 1);
  const matter = current();
  listOf(root, page.document, page.current, select);
  show();
  if (matter.medium === null) return;
  if (matter.kind === "area") keepRegion(matter);
  await goTo(matter.medium, matter.place, matter.box);
}

function show() {
  panelOf(root, page.document, current(), state.layers);
  draw();
}

const keyOfRegion = (matter, z) => `region ${matter.key} ${z}`;

function keepRegion(matter) {
  const z = state.z;
  if (z < matter.box[0][0] || z >= matter.box[1][0] || kept(keyOfRegion(matter, z)) !== undefined) return;
  keep(keyOfRegion(matter, z), async () => {
    const response = await fetch(`${root.dataset.matters}${matter.key}/${z}/`);
    return response.status === 200 ? createImageBitmap(await response.blob()) : null;
  }).then(draw);
}

/** The region in question: its voxels dotted in white, and a frame around it, so that it is found at any zoom. */
function paintRegion(context, scale) {
  const matter = current();
  if (!matter?.box || matter.medium !== state.medium) return;
  const [low, high] = matter.box;
  if (state.z < low[0] || state.z >= high[0]) return;
  if (matter.kind === "area") keepRegion(matter);
  const picture = kept(keyOfRegion(matter, state.z));
  if (picture) {
    context.save();
    context.globalAlpha = 0.2;
    context.imageSmoothingEnabled = false;
    context.drawImage(picture, low[2], low[1], high[2] - low[2], high[1] - low[1]);
    context.restore();
  }
  const room = 6 / scale;
  context.save();
  context.lineWidth = 1.5 / scale;
  context.strokeStyle = "#ffffff";
  context.setLineDash([6 / scale, 4 / scale]);
  context.strokeRect(low[2] - room, low[1] - room, high[2] - low[2] + 2 * room, high[1] - low[1] + 2 * room);
  context.restore();
}

/** Send an answer; what the server then says is what the page shows. */
async function answer(choice, reader, strokes) {
  const matter = current();
  if (!matter || page.isBusy) return;
  page.isBusy = true;
  root.setAttribute("aria-busy", "true");
  try {
    const body = { key: matter.key, choice, reader, strokes, comment: root.querySelector("[data-matter-comment]")?.value ?? "", request_id: crypto.randomUUID() };
    take(await ask(root.dataset.answer, body));
    page.lasso.forget();
    document.dispatchEvent(new CustomEvent("matters:answered"));
  } catch (error) {
    return notify(error.message, "error");
  } finally {
    // The next matter's picture may still be on its way: who is quicker is heard.
    page.isBusy = false;
    root.removeAttribute("aria-busy");
  }
  return choice === "open" ? undefined : next(matter);
}

/** Go to the next matter that is open; stay where nothing is. */
async function next(matter) {
  const { matters } = page.document;
  const from = matters.findIndex((one) => one.key === matter.key);
  const order = matters.map((_, index) => (from + 1 + index) % matters.length);
  const open = order.find((index) => !matters[index].answer);
  if (open === undefined) {
    root.querySelector("[data-settle]")?.focus();
    return show();
  }
  return select(open);
}

function drawChoices() {
  root.querySelector("[data-drawn-count]").textContent = page.lasso.words();
  draw();
}

async function sendDrawing() {
  if (!page.lasso.strokes.length) return notify("Draw an outline in the region first, then store it.", "warning");
  return answer("drawn", page.lasso.base, page.lasso.strokes);
}

const acts = {
  reader: (target) => answer("reader", target.dataset.reader),
  consensus: () => answer("consensus"),
  ambiguous: () => answer("ambiguous"),
  open: () => answer("open"),
  draw: () => page.lasso.take(current(), page.document.classes),
  stop: () => page.lasso.put(),
  undo: () => page.lasso.undo(),
  keep: () => sendDrawing(),
  look: (target) => showOnly([target.dataset.reader]),
};

function onClick(event) {
  const target = event.target.closest("[data-act]");
  if (target) acts[target.dataset.act](target);
}

function onKey(event) {
  if (isTyping(event) || !page.document || document.querySelector("dialog[open]") || event.shiftKey) return;
  const digit = /^[1-9]$/.test(event.key) && current()?.says[Number(event.key) - 1];
  const press = (act) => root.querySelector(`[data-act="${act}"]:not([disabled])`)?.click();
  if (event.key === "n" || event.key === "j") select(page.current + 1);
  else if (event.key === "p" || event.key === "k") select(page.current - 1);
  else if (digit) answer("reader", digit.reader);
  else if (event.key === "0") press("consensus");
  else if (event.key === "m") press("ambiguous");
  else if (event.key === "w") page.lasso.isTaken ? press("stop") : press("draw");
  else if (event.key === "Enter" && page.lasso.isTaken) press("keep");
  else if (event.key === "Backspace") page.lasso.isTaken ? press("undo") : press("open");
  else if (event.key === "Escape" && page.lasso.isTaken) press("stop");
  else return;
  event.preventDefault();
}
