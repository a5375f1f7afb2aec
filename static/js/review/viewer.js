// Readers over one picture: slices, layers that toggle and flip, where they differ, and the label as it comes out. Decides nothing.
import { DASHES, nameOf, outline, pinOf } from "../pages/outlines.js";
import { inItsPane, panesOf } from "../pages/panes.js";
import { Slices } from "../pages/slices.js";
import { forget, keep, kept, replace, tellFailures } from "./kept.js";
import { colourOf, listLayers, mostMarkedSlice } from "./layer_list.js";
import { bringMask, maskHere } from "./masks.js";

const root = document.querySelector("[data-viewer]");
export const given = JSON.parse(document.getElementById("viewer-data").textContent);
export const canvas = root.querySelector("canvas");
const context = canvas.getContext("2d");
export const part = (name) => root.querySelector(`[data-${name}]`);
export const state = { medium: 0, facts: null, slices: null, large: null, layers: [], visible: new Set(), flip: [], z: 0, heat: true, beside: false, view: null, drag: null, pin: null, isChoosing: false };
/** Called with (context, screen pixels a picture's pixel) after each pane's layers; what a page adds to the picture. */
export const painters = [];
let markReady;
/** Done when the first picture stands, or it is known that there is none. */
export const ready = new Promise((done) => { markReady = done; });
/** A tool that takes the pointer while it is set: {down, move, up}, each with a place of the picture and the event. */
export const tool = { inHand: null };

export function say(text) {
  part("message").textContent = text;
}
tellFailures(say);

export async function json(address) {
  const response = await fetch(address, { headers: { Accept: "application/json" } });
  if (!response.ok) throw new Error("The picture's facts could not be loaded. Reload the page to try again.");
  return response.json();
}

export async function start() {
  if (!given.media.length) {
    markReady();
    return say("This item has no picture.");
  }
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
  listLayers(part("layers"), state.layers, toggle);
  await show(0);
  markReady();
}

export async function show(medium) {
  const facts = await json(given.media[medium]);
  const large = facts.tiles ? new (await import("./large.js")).LargePicture(given.media[medium], facts) : null;
  forget();
  Object.assign(state, { medium, facts, slices: new Slices(given.media[medium], facts), large });
  part("medium").value = String(medium);
  // Where there is something to see.
  state.z = mostMarkedSlice(shownLayers().length ? shownLayers() : state.layers, medium) ?? Math.floor(facts.size[0] / 2);
  const slider = part("slice");
  slider.max = String(facts.size[0] - 1);
  slider.hidden = facts.size[0] < 2;
  part("solid-button").hidden = facts.size[0] < 2;
  resize();
  say(facts.has_pixels ? "" : "Only the size of this picture is known; readers are shown without it.");
  return turn(state.z);
}

/** Put the label as it comes out among the layers, in the place of the one before; `address` is where its masks are. */
export function setResult(layer, address) {
  const old = state.layers.findIndex((one) => one.kind === "result");
  const isNew = old < 0;
  if (isNew) state.layers.push({ ...layer, address });
  else state.layers[old] = { ...layer, address };
  if (isNew) state.visible.add(layer.key);
  forget(`mask ${layer.key} `);
  listLayers(part("layers"), state.layers, toggle);
  return state.facts ? turn(state.z) : null;
}

/** Show what lies at `place` (z, y, x) of a medium, with room around its box. */
export async function goTo(medium, place, box) {
  if (medium !== state.medium) await show(medium);
  if (place) await turn(Math.round(place[0]));
  if (!box || !state.facts) return;
  const [, , across, down] = panes()[0];
  const [low, high] = box;
  const [width, height] = [Math.max(high[2] - low[2], 8), Math.max(high[1] - low[1], 8)];
  const fitted = fittingScale();
  const scale = Math.min(Math.max(0.35 * Math.min(across / width, down / (height * aspect())), fitted), Math.max(12, fitted));
  const [x, y] = [(low[2] + high[2]) / 2, (low[1] + high[1]) / 2];
  state.view = { scale, x: across / 2 - x * scale, y: down / 2 - y * scale * aspect() };
  draw();
}

export function toggle(key) {
  if (!state.visible.delete(key)) state.visible.add(key);
  if (state.visible.has(key)) state.flip = [key, ...state.flip.filter((other) => other !== key)].slice(0, 2);
  arrange();
}

/** Show these layers and no other. */
export function showOnly(keys) {
  state.visible = new Set(keys);
  arrange();
}

export function flip() {
  const [first, second] = state.flip;
  if (!second) return;
  showOnly([state.visible.has(first) && !state.visible.has(second) ? second : first]);
}

export async function turn(z) {
  state.z = Math.min(Math.max(z, 0), state.facts.size[0] - 1);
  part("slice").value = String(state.z);
  part("place").textContent = state.facts.size[0] > 1 ? `slice ${state.z + 1} of ${state.facts.size[0]}` : "";
  await Promise.all([loadSlice(state.z), loadHeat(state.z), ...loadMasks(state.z)]);
  changed();
}

const loadSlice = (z) => (state.facts.has_pixels ? keep(`slice ${z}`, () => (state.large ? state.large.load() : state.slices.picture(z))) : null);

const loadHeat = (z) => keep(`heat ${z}`, async () => {
  const response = await fetch(`${given.layers}dispute/${state.medium}/${z}/`);
  if (response.status !== 200) return null;
  const [left, top, by] = ["X-Left", "X-Top", "X-Step"].map((name) => Number(response.headers.get(name)));
  return { picture: await createImageBitmap(await response.blob()), left, top, by };
});

const isOn = (shape, z) => shape.medium === state.medium && shape.mask && shape.mask.z[0] <= z && z < shape.mask.z[1];
/** Where the masks of a layer are. */
export const addressOf = (layer) => layer.address ?? `${given.layers}${layer.key}/`;

function loadMasks(z) {
  return state.layers.flatMap((layer, index) => layer.shapes
    .filter((shape) => isOn(shape, z))
    .map((shape) => bringMask(layer, shape, z, addressOf(layer), colourIn(layer, shape, index))));
}

/** The label as it comes out has the colours of its classes; a reader's layer has the reader's. */
const colourIn = (layer, shape, index) => (layer.kind === "result" ? shape.colour : colourOf(index));

export function resize() {
  const box = canvas.getBoundingClientRect();
  canvas.width = Math.round(box.width * devicePixelRatio);
  canvas.height = Math.round(box.height * devicePixelRatio);
  fit();
}

/** Millimetre-true: a voxel is as high as it is, relative to its width. */
export const aspect = () => (state.facts.spacing_mm ? state.facts.spacing_mm[1] / state.facts.spacing_mm[2] : 1);

const shownLayers = () => state.layers.filter((layer) => state.visible.has(layer.key));

/** One pane, or side by side one for each shown layer; all under the same view, so that they move together. */
export function panes() {
  const [, height, width] = state.facts.size;
  return panesOf(state.beside ? shownLayers().length : 1, canvas.width, canvas.height, width / (height * aspect()));
}

/** Draw after other layers are shown; side by side their number changes the room for each. */
export const arrange = () => (state.beside ? fit() : draw());

function fittingScale() {
  const [, height, width] = state.facts.size;
  const [, , across, down] = panes()[0];
  return 0.96 * Math.min(across / width, down / (height * aspect()));
}

export function fit() {
  if (!state.facts) return;
  const [, height, width] = state.facts.size;
  const [, , across, down] = panes()[0];
  const scale = fittingScale();
  state.view = { scale, x: (across - width * scale) / 2, y: (down - height * aspect() * scale) / 2 };
  draw();
}

export function zoom(factor, x, y) {
  const { view } = state;
  const bounded = Math.min(Math.max(view.scale * factor, Math.min(0.05, fittingScale())), 80) / view.scale;
  state.view = { scale: view.scale * bounded, x: x - (x - view.x) * bounded, y: y - (y - view.y) * bounded };
  draw();
}

export function draw() {
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
  const picture = kept(`slice ${state.z}`);
  if (picture && state.large) state.large.draw(context, { scale: scale / devicePixelRatio, step: [scale, scale * aspect()], matrix: [scale, 0, 0, scale * aspect(), left + x, top + y], seen }, soon);
  context.setTransform(scale, 0, 0, scale * aspect(), left + x, top + y);
  context.imageSmoothingEnabled = scale < 2;
  if (picture && !state.large) context.drawImage(picture, 0, 0);
  const heat = state.heat && kept(`heat ${state.z}`);
  if (heat) context.drawImage(heat.picture, heat.left, heat.top, heat.picture.width * heat.by, heat.picture.height * heat.by);
  for (const layer of layers) drawLayer(layer, state.layers.indexOf(layer));
  for (const paint of painters) paint(context, scale);
  if (state.pin && state.pin.z === state.z && state.pin.medium === state.medium) pinOf(context, state.pin, scale);
  if (isNamed) nameOf(context, layers[0].name, colourOf(state.layers.indexOf(layers[0])), left, top);
  context.restore();
}

/** The part of the picture that a pane shows, as left, top, right, bottom in its pixels: the same in all panes. */
function seen() {
  const { scale, x, y } = state.view;
  const [[, height, width], [, , across, down]] = [state.facts.size, panes()[0]];
  const inside = (at, length) => Math.min(Math.max(at, 0), length);
  return [inside(-x / scale, width), inside(-y / (scale * aspect()), height), inside((across - x) / scale, width), inside((down - y) / (scale * aspect()), height)];
}

/** Another slice, window or label is here: draw it, and let what stands beside the picture follow. */
function changed() {
  draw();
  document.dispatchEvent(new CustomEvent("viewer:changed"));
}

let frame = 0;
/** Draw with the next frame: much may come at once. */
function soon() {
  frame ||= requestAnimationFrame(() => {
    frame = 0;
    draw();
  });
}

function drawLayer(layer, index) {
  const scale = state.view.scale / devicePixelRatio;
  const isResult = layer.kind === "result";
  context.lineWidth = (isResult ? 3 : 2) / scale;
  context.setLineDash(isResult ? [] : DASHES[index % 8].map((length) => length / scale));
  for (const shape of layer.shapes.filter((one) => one.medium === state.medium)) {
    context.strokeStyle = colourIn(layer, shape, index);
    for (const region of shape.regions.filter((one) => one.z === state.z)) context.stroke(outline(region, scale));
    const mask = isOn(shape, state.z) && maskHere(layer, shape, state.z, addressOf(layer), colourIn(layer, shape, index), { seen: seen(), scale: state.view.scale, redraw: soon });
    if (!mask) continue;
    context.save();
    context.translate(shape.mask.x + mask.left, shape.mask.y + mask.top);
    context.scale(mask.by, mask.by);
    context.lineWidth /= mask.by;
    context.setLineDash(context.getLineDash().map((length) => length / mask.by));
    context.globalAlpha = isResult ? 0.3 : state.heat ? 0.08 : 0.22;
    context.drawImage(mask.picture.fill, 0, 0);
    context.globalAlpha = 1;
    context.stroke(mask.picture.edges);
    context.restore();
  }
}

/** Right-drag: sideways the window's width, up and down its centre, in steps that suit the width. */
export async function changeWindow(across, down, at) {
  const source = state.large ?? state.slices;
  const shown = source.window;
  state.drag = at;
  if (!shown) return;
  const step = shown.width / 300;
  source.window = { width: Math.max(shown.width + across * step, 1e-6), center: shown.center + down * step };
  if (state.large) return changed();
  const picture = await state.slices.picture(state.z);
  forget("slice ");
  replace(`slice ${state.z}`, picture);
  return changed();
}

export const place = (event) => [event.offsetX * devicePixelRatio, event.offsetY * devicePixelRatio];

/** Where the pointer is on the picture, in its pixels. */
export function pictureAt(event) {
  const [x, y] = inItsPane(panes(), place(event));
  return [(x - state.view.x) / state.view.scale, (y - state.view.y) / (state.view.scale * aspect())];
}
