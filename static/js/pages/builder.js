// The ontology builder: rows that are added and removed, ready-made ontologies, and the annotator's view beside them.

const builder = document.querySelector("[data-builder]");
const rows = builder.querySelector("[data-rows]");
const template = builder.querySelector("template[data-row]");
const questions = builder.querySelector("[name=questions]");
const presets = JSON.parse(document.getElementById("builder-presets").textContent);
const colours = JSON.parse(document.getElementById("builder-colours").textContent);

function addRow(values = {}) {
  const row = template.content.firstElementChild.cloneNode(true);
  const taken = new Set([...rows.querySelectorAll("[name=colour]")].map((input) => input.value));
  const keys = new Set([...rows.querySelectorAll("[name=shortcut]")].map((input) => input.value));
  const defaults = {
    colour: colours.find((colour) => !taken.has(colour)) ?? colours[rows.children.length % colours.length],
    shortcut: [..."123456789"].find((key) => !keys.has(key)) ?? "",
  };
  const given = { ...defaults, ...values };
  // A key or colour that another class has would be refused or mistaken: the next free one takes its place.
  if (keys.has(given.shortcut)) given.shortcut = defaults.shortcut;
  if (taken.has(given.colour)) given.colour = defaults.colour;
  for (const [name, value] of Object.entries(given)) {
    const field = row.querySelector(`[name=${name}]`);
    if (field) field.value = value;
  }
  rows.append(row);
  return row;
}

function usePreset(name) {
  const kept = [...rows.children].filter((row) => row.querySelector("[name=key]").value);
  for (const row of [...rows.children]) if (!kept.includes(row)) row.remove();
  for (const row of presets[name].rows) addRow(row);
  if (!questions.value.trim()) questions.value = presets[name].questions;
  preview();
}

function element(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

function swatch(colour) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("class", "swatch");
  svg.setAttribute("viewBox", "0 0 12 12");
  const square = document.createElementNS(space, "rect");
  for (const [name, value] of Object.entries({ width: 12, height: 12, fill: colour })) square.setAttribute(name, value);
  svg.append(square);
  return svg;
}

function preview() {
  const list = builder.querySelector("[data-preview-classes]");
  list.replaceChildren(...[...rows.children].flatMap((row) => {
    const value = (name) => row.querySelector(`[name=${name}]`).value.trim();
    if (!value("name")) return [];
    const line = element("li", "row", swatch(value("colour")), value("name"), element("span", "muted", value("tool")));
    if (value("shortcut")) line.append(element("kbd", "", value("shortcut")));
    return [line];
  }));
  if (!list.children.length) list.append(element("li", "muted", "No class yet: nothing can be drawn, only questions answered."));
  const asked = questions.value.split("\n").map((line) => line.trim()).filter(Boolean);
  builder.querySelector("[data-preview-questions]").replaceChildren(...asked.map(questionPreview));
}

function questionPreview(line) {
  const kind = /\((text|number|yes\/no)\)\s*$/.exec(line)?.[1];
  const [head, tail = ""] = kind ? [line.replace(/\([^)]*\)\s*$/, "")] : line.split(/:(.*)/s);
  const isRequired = head.trim().endsWith("*");
  const title = element("strong", "", head.trim().replace(/\*+$/, "").trim(), isRequired ? " (required)" : "");
  const choices = kind === "yes/no" ? ["yes", "no"] : kind ? [`a ${kind}`] : tail.split(/[|<+]/).map((choice) => choice.trim()).filter(Boolean);
  return element("div", "row", title, ...choices.map((choice) => element("span", "tag", choice)));
}

builder.addEventListener("input", preview);
builder.addEventListener("click", (event) => {
  const preset = event.target.closest("[data-preset]");
  if (preset) usePreset(preset.dataset.preset);
  if (event.target.closest("[data-add]")) addRow().querySelector("[name=name]").focus();
  if (event.target.closest("[data-remove]")) event.target.closest("tr").remove();
  preview();
});
builder.closest("form").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.target.matches("[data-rows] input")) {
    event.preventDefault();
    addRow().querySelector("[name=name]").focus();
  }
});
document.body.addEventListener("guessed", (event) => {
  for (const row of event.detail.rows) addRow(row);
  if (event.detail.questions && !questions.value.trim()) questions.value = event.detail.questions;
  preview();
});
preview();
