// The bar above the image: what can be set of the tool in hand, and the preview with its two answers. A tool lists its own options.
//
// An option is {id, kind, label}: "choice" with values [[value, name]], "range" with min, max, step and text, "number", and "size"
// with text for the brush. Setting one sets the tool's property of that name and calls its `changed(id)`. A "note" is a sentence.
import { byId, h, icon } from "./dom.js";

/** @param {import("../canvas/plane.js").PlaneEditor} editor */
export function startOptions(editor) {
  const bar = byId("options");
  let shown = "";
  const show = () => {
    const options = editor.tool.options ?? [];
    const state = JSON.stringify([editor.toolName, options.map(({ id, kind, label, values, hint }) => [id, values, hint, kind === "note" && label])]);
    if (state !== shown) bar.replaceChildren(...(options.length ? options.map((option) => fieldOf(editor, option)) : [hintOf(editor)]));
    shown = state;
    for (const option of options) refresh(bar, editor.tool, option);
  };
  for (const name of ["tool", "options", "label", "medium", "active", "brush"]) editor.addEventListener(name, () => editor.medium && show());
}

function hintOf(editor) {
  return h("span", { class: "hint" }, editor.tool.hint ?? "");
}

function set(editor, id, value) {
  editor.tool[id] = value;
  editor.tool.changed?.(id);
  editor.emit("options");
  editor.redraw();
}

function fieldOf(editor, option) {
  const { id, kind, label } = option;
  const name = `option-${id}`;
  if (kind === "size") {
    const press = (factor) => () => {
      editor.brush.resize(factor);
      editor.emit("brush");
      editor.redraw();
    };
    return h("span", { class: "option" }, h("span", { class: "hint" }, label),
      h("button", { type: "button", class: "button is-square", "aria-label": "Smaller ([)", "data-tip": "Smaller ([)", on: { click: press(1 / 1.2) } }, icon("minus")),
      h("output", { id: name, class: "nowrap" }),
      h("button", { type: "button", class: "button is-square", "aria-label": "Larger (])", "data-tip": "Larger (])", on: { click: press(1.2) } }, icon("plus")));
  }
  if (kind === "note") return h("span", { id: name, class: "hint", "data-tip": label }, label);
  if (kind === "choice") {
    const select = h("select", { id: name, on: { change: (event) => set(editor, id, event.target.value) } },
      ...option.values.map(([value, text]) => h("option", { value }, text)));
    return h("label", { class: "option" }, h("span", { class: "hint" }, label), select);
  }
  if (kind === "range") {
    const { min, max, step } = option;
    return h("label", { class: "option" }, h("span", { class: "hint" }, label),
      h("input", { id: name, type: "range", min, max, step, on: { input: (event) => set(editor, id, event.target.valueAsNumber) } }),
      h("output", { id: `${name}-text`, class: "nowrap" }));
  }
  return h("label", { class: "option", "data-tip": option.hint }, h("span", { class: "hint" }, label),
    h("input", { id: name, type: "number", step: "any", on: { change: (event) => Number.isFinite(event.target.valueAsNumber) && set(editor, id, event.target.valueAsNumber) } }));
}

function refresh(bar, tool, option) {
  const field = bar.querySelector(`#option-${option.id}`);
  if (option.kind === "note") return;
  if (option.kind === "size") field.textContent = option.text;
  else if (field !== document.activeElement || option.kind !== "number") field.value = String(tool[option.id]);
  if (option.kind !== "range") return;
  Object.assign(field, { min: String(option.min), max: String(option.max), step: String(option.step) });
  field.value = String(tool[option.id]);
  bar.querySelector(`#option-${option.id}-text`).textContent = option.text;
}

/** The preview in words, with Keep and Drop. @param {import("../canvas/plane.js").PlaneEditor} editor */
export function startProposals(editor) {
  const { proposals } = editor;
  const show = () => {
    const text = proposals.describe();
    byId("proposal").hidden = !text;
    byId("proposal-text").textContent = text;
    const isReady = proposals.current !== null && !proposals.isWorking;
    byId("proposal-keep").hidden = !isReady;
    for (const id of ["proposal-less", "proposal-more"]) byId(id).hidden = !isReady || !proposals.current.again;
  };
  const back = () => editor.canvas.focus({ preventScroll: true });
  byId("proposal-keep").addEventListener("click", () => {
    proposals.accept();
    back();
  });
  byId("proposal-drop").addEventListener("click", () => {
    proposals.refuse();
    back();
  });
  byId("proposal-less").addEventListener("click", () => proposals.current?.again?.(-1));
  byId("proposal-more").addEventListener("click", () => proposals.current?.again?.(1));
  editor.addEventListener("proposal", show);
}
