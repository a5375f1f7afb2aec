// Readers side by side over one picture: slices, layers that toggle and flip, and where they differ. Draws, decides nothing.
import { isTyping } from "./frame.js";
import { COLOURS, DASHES, outline } from "./outlines.js";
import { inItsPane, panesOf } from "./panes.js";
import { maskPicture, Slices } from "./slices.js";

const root = document.querySelector("[data-viewer]");
const given = JSON.parse(document.getElementById("viewer-data").textContent);
const canvas = root.querySelector("canvas");
const context = canvas.getContext("2d");
const part = (name) => root.querySelector(`[data-${name}]`);
const state = { medium: 0, facts: null, slices: null, layers: [], visible: new Set(), flip: [], z: 0, heat: true, beside: false, view: null, drag: null };
const pictures = new Map();

function say(text) {
  part("message").textContent = text;
}

async function json(address) {
  const response = await fetch(address, { headers: { Accept: "application/json" } });
  if (!response.ok) throw new Error("The picture's facts could not be loaded. Reload the page to try again.");
  return response.json();
}

async function start() {
  if (!given.media.length) return say("This item has no picture.");
  const { layers } = await json(given.layers);
  state.layers = layers;
  const readers = layers.filter((layer) => layer.kind === "reader");
  const asked = layers.filter((layer) => given.asked.includes(layer.key));
  state.visible = new Set((asked.length ? asked : readers).map((layer) => layer.key));
  state.flip = (asked.length > 1 ? asked : layers).slice(0, 2).map((layer) => layer.key);
  // Who asked for certain layers wants to see those, not where everybody differs.
  state.heat = !asked.length;
  const choice = part("medium");
  choice.hidden = given.media.length < 2;
  choice.append(...given.media.map((_, index) => new Option(`picture ${index + 1} of ${given.media.length}`, index)));
  listLayers();
  return show(0);
}

async function show(medium) {
  const facts = await json(given.media[medium]);
  pictures.clear();
  Object.assign(state, { medium, facts, slices: new Slices(given.media[medium], facts) });
  state.z = firstMarkedSlice() ?? Math.floor(facts.size[0] / 2);
  const slider = part("slice");
  slider.max = String(facts.size[0] - 1);
  slider.hidden = facts.size[0] < 2;
  resize();
  say(facts.has_pixels ? "" : "Only the size of this picture is known; readers are shown without it.");
  return turn(state.z);
}

/** The slice that most of the shown layers marked, so that the page opens where there is something to see. */
function firstMarkedSlice() {
  const counts = new Map();
  const count = (z) => counts.set(z, (counts.get(z) ?? 0) + 1);
  const shown = state.layers.filter((layer) => state.visible.has(layer.key));
  for (const shape of (shown.length ? shown : state.layers).flatMap((layer) => layer.shapes)) {
    if (shape.medium !== state.medium) continue;
    new Set(shape.regions.map((region) => region.z)).forEach(count);
    if (shape.mask) for (let z = shape.mask.z[0]; z < shape.mask.z[1]; z += 1) count(z);
  }
  const best = Math.max(...counts.values());
  const marked = [...counts].filter(([, n]) => n === best).map(([z]) => z).sort((a, b) => a - b);
  return marked[Math.floor(marked.length / 2)];
}

function listLayers() {
  part("layers").replaceChildren(...state.layers.map((layer, index) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button";
    button.dataset.layer = layer.key;
    button.append(strokeOf(index), layer.name);
    if (layer.kind !== "reader") button.append(Object.assign(document.createElement("span"), { className: "muted", textContent: layer.kind }));
    if (index < 9) button.append(Object.assign(document.createElement("kbd"), { textContent: `⇧${index + 1}` }));
    button.addEventListener("click", () => toggle(layer.key));
    const line = document.createElement("li");
    line.append(button);
    return line;
  }));
  if (!state.layers.length) part("layers").textContent = "Nobody has marked anything yet.";
}

function strokeOf(index) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("class", "stroke");
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(space, "line");
  const attributes = { x1: 0, y1: 5, x2: 24, y2: 5, stroke: colourOf(index), "stroke-width": 3, "stroke-dasharray": DASHES[index % 8].join(" ") };
  for (const [name, value] of Object.entries(attributes)) line.setAttribute(name, value);
  svg.append(line);
  return svg;
}

const colourOf = (index) => COLOURS[index % COLOURS.length];

function toggle(key) {
  if (!state.visible.delete(key)) state.visible.add(key);
  if (state.visible.has(key)) state.flip = [key, ...state.flip.filter((other) => other !== key)].slice(0, 2);
  arrange();
}

function flip() {
  const [first, second] = state.flip;
  if (!second) return;
  state.visible = new Set([state.visible.has(first) && !state.visible.has(second) ? second : first]);
  arrange();
}

async function turn(z) {
  state.z = Math.min(Math.max(z, 0), state.facts.size[0] - 1);
  part("slice").value = String(state.z);
  part("place").textContent = state.facts.size[0] > 1 ? `slice ${state.z + 1} of ${state.facts.size[0]}` : "";
  await Promise.all([loadSlice(state.z), loadHeat(state.z), ...loadMasks(state.z)]);
  draw();
}

/** Keep what `make` gives under `key`; a failure is said once and shown as nothing. */
function keep(key, make) {
  if (!pictures.has(key)) {
    pictures.set(key, { picture: null, ready: make().then((picture) => { pictures.get(key).picture = picture; }).catch((error) => say(error.message)) });
  }
  return pictures.get(key).ready;
}

const loadSlice = (z) => (state.facts.has_pixels ? keep(`slice ${z}`, () => state.slices.picture(z)) : null);

const loadHeat = (z) => keep(`heat ${z}`, async () => {
  const response = await fetch(`${given.layers}dispute/${state.medium}/${z}/`);
  return response.status === 200 ? createImageBitmap(await response.blob()) : null;
});

function loadMasks(z) {
  return state.layers.flatMap((layer, index) => layer.shapes
    .filter((shape) => shape.medium === state.medium && shape.mask && shape.mask.z[0] <= z && z < shape.mask.z[1])
    .map((shape) => keep(`mask ${layer.key} ${shape.number} ${z}`, () => maskPicture(`${given.layers}${layer.key}/${shape.number}/${z}/`, colourOf(index)))));
}

function resize() {
  const box = canvas.getBoundingClientRect();
  canvas.width = Math.round(box.width * devicePixelRatio);
  canvas.height = Math.round(box.height * devicePixelRatio);
  fit();
}

/** Millimetre-true: a voxel is as high as it is, relative to its width. */
const aspect = () => (state.facts.spacing_mm ? state.facts.spacing_mm[1] / state.facts.spacing_mm[2] : 1);

const shownLayers = () => state.layers.filter((layer) => state.visible.has(layer.key));

/** One pane, or side by side one for each shown layer; all under the same view, so that they move together. */
function panes() {
  const [, height, width] = state.facts.size;
  return panesOf(state.beside ? shownLayers().length : 1, canvas.width, canvas.height, width / (height * aspect()));
}

/** Draw after other layers are shown; side by side their number changes the room for each. */
const arrange = () => (state.beside ? fit() : draw());

function fit() {
  if (!state.facts) return;
  const [, height, width] = state.facts.size;
  const [, , across, down] = panes()[0];
  const scale = 0.96 * Math.min(across / width, down / (height * aspect()));
  state.view = { scale, x: (across - width * scale) / 2, y: (down - height * aspect() * scale) / 2 };
  draw();
}

function zoom(factor, x, y) {
  const { view } = state;
  const bounded = Math.min(Math.max(view.scale * factor, 0.05), 80) / view.scale;
  state.view = { scale: view.scale * bounded, x: x - (x - view.x) * bounded, y: y - (y - view.y) * bounded };
  draw();
}

function draw() {
  for (const button of part("layers").querySelectorAll("button")) button.setAttribute("aria-pressed", String(state.visible.has(button.dataset.layer)));
  part("heat").setAttribute("aria-pressed", String(state.heat));
  part("beside").setAttribute("aria-pressed", String(state.beside));
  if (!state.view) return;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, canvas.width, canvas.height);
  const alone = state.beside ? shownLayers() : [];
  panes().forEach((pane, index) => drawPane(pane, alone[index] ? [alone[index]] : shownLayers(), Boolean(alone[index])));
}

function drawPane([left, top, across, down], layers, isNamed) {
  const { scale, x, y } = state.view;
  context.save();
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.beginPath();
  context.rect(left, top, across, down);
  context.clip();
  context.setTransform(scale, 0, 0, scale * aspect(), left + x, top + y);
  context.imageSmoothingEnabled = scale < 2;
  const slice = pictures.get(`slice ${state.z}`)?.picture;
  if (slice) context.drawImage(slice, 0, 0);
  const heat = pictures.get(`heat ${state.z}`)?.picture;
  if (heat && state.heat) context.drawImage(heat, 0, 0);
  for (const layer of layers) drawLayer(layer, state.layers.indexOf(layer));
  if (isNamed) nameOf(layers[0], left, top);
  context.restore();
}

function nameOf(layer, left, top) {
  context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, left, top);
  context.font = "600 13px system-ui, sans-serif";
  context.fillStyle = "#000c";
  context.fillRect(6, 6, context.measureText(layer.name).width + 12, 22);
  context.fillStyle = colourOf(state.layers.indexOf(layer));
  context.fillText(layer.name, 12, 21);
}

function drawLayer(layer, index) {
  const scale = state.view.scale / devicePixelRatio;
  context.lineWidth = 2 / scale;
  context.setLineDash(DASHES[index % 8].map((length) => length / scale));
  context.strokeStyle = colourOf(index);
  for (const shape of layer.shapes.filter((one) => one.medium === state.medium)) {
    for (const region of shape.regions.filter((one) => one.z === state.z)) context.stroke(outline(region, scale));
    const mask = pictures.get(`mask ${layer.key} ${shape.number} ${state.z}`)?.picture;
    if (!mask) continue;
    context.save();
    context.translate(shape.mask.x, shape.mask.y);
    context.globalAlpha = state.heat ? 0.08 : 0.22;
    context.drawImage(mask.fill, 0, 0);
    context.globalAlpha = 1;
    context.stroke(mask.edges);
    context.restore();
  }
}

/** Right-drag: sideways the window's width, up and down its centre, in steps that suit the width. */
async function changeWindow(across, down, at) {
  const shown = state.slices.window;
  state.drag = at;
  if (!shown) return;
  const step = shown.width / 300;
  state.slices.window = { width: Math.max(shown.width + across * step, 1e-6), center: shown.center + down * step };
  const picture = await state.slices.picture(state.z);
  for (const key of [...pictures.keys()]) if (key.startsWith("slice ")) pictures.delete(key);
  pictures.set(`slice ${state.z}`, { picture, ready: Promise.resolve() });
  draw();
}

const place = (event) => [event.offsetX * devicePixelRatio, event.offsetY * devicePixelRatio];

canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  if (!state.view) return;
  const isVolume = state.facts.size[0] > 1;
  if (isVolume && !event.ctrlKey) turn(state.z + Math.sign(event.deltaY));
  else zoom(Math.exp(-event.deltaY / 400), ...inItsPane(panes(), place(event)));
}, { passive: false });
canvas.addEventListener("pointerdown", (event) => {
  canvas.setPointerCapture(event.pointerId);
  state.drag = place(event);
});
canvas.addEventListener("contextmenu", (event) => event.preventDefault());
canvas.addEventListener("pointermove", (event) => {
  if (!state.drag || !state.view) return;
  const [x, y] = place(event);
  if (event.buttons === 2) return changeWindow(x - state.drag[0], y - state.drag[1], [x, y]);
  state.view = { ...state.view, x: state.view.x + x - state.drag[0], y: state.view.y + y - state.drag[1] };
  state.drag = [x, y];
  draw();
});
canvas.addEventListener("pointerup", () => { state.drag = null; });
part("medium").addEventListener("change", (event) => show(Number(event.target.value)).catch((error) => say(error.message)));
part("slice").addEventListener("input", (event) => turn(Number(event.target.value)));
part("heat").addEventListener("click", () => { state.heat = !state.heat; draw(); });
part("beside").addEventListener("click", () => { state.beside = !state.beside; fit(); });
part("fit").addEventListener("click", fit);
part("all").addEventListener("click", () => { state.visible = new Set(state.layers.map((layer) => layer.key)); arrange(); });

document.addEventListener("keydown", (event) => {
  if (isTyping(event) || !state.view || document.querySelector("dialog[open]")) return;
  const digit = event.shiftKey && /^Digit([1-9])$/.exec(event.code);
  const onCanvas = document.activeElement === canvas;
  if (digit && state.layers[digit[1] - 1]) toggle(state.layers[digit[1] - 1].key);
  else if (event.code === "Backquote") flip();
  else if (event.key === "," || (onCanvas && ["ArrowLeft", "ArrowUp"].includes(event.key))) turn(state.z - 1);
  else if (event.key === "." || (onCanvas && ["ArrowRight", "ArrowDown"].includes(event.key))) turn(state.z + 1);
  else if (onCanvas && "+-".includes(event.key)) zoom(event.key === "+" ? 1.25 : 0.8, panes()[0][2] / 2, panes()[0][3] / 2);
  else return;
  event.preventDefault();
});
addEventListener("resize", resize);
for (const choice of document.querySelectorAll("[data-chooses]")) {
  choice.addEventListener("change", () => {
    state.visible = new Set([choice.dataset.chooses]);
    arrange();
  });
}
start().catch((error) => say(error.message));
