// The ontology builder: rows that are added and removed, ready-made ontologies, and the annotator's view beside them.
import { h } from "../label/dom.js";
import { AnnotatorView } from "./annotator_view.js";
import { questionsOf, withIfFound } from "./question_lines.js";

const builder = document.querySelector("[data-builder]");
const rows = builder.querySelector("[data-rows]");
const template = builder.querySelector("template[data-row]");
const questions = builder.querySelector("[name=questions]");
const presets = JSON.parse(document.getElementById("builder-presets").textContent);
const colours = JSON.parse(document.getElementById("builder-colours").textContent);
const view = new AnnotatorView(builder.querySelector("[data-preview]"));

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

/** What the form says so far, as the labeling page would have it. */
function preview() {
  const classes = [...rows.children].flatMap((row, i) => {
    const value = (name) => row.querySelector(`[name=${name}]`).value.trim();
    const { key, name, colour, tool, shortcut, attributes } = Object.fromEntries(["key", "name", "colour", "tool", "shortcut", "attributes"].map((one) => [one, value(one)]));
    return name ? [{ key: key || `row-${i}`, name, colour, tool, shortcut, attributes: questionsOf(attributes) }] : [];
  });
  const asked = questionsOf(questions.value);
  view.show(classes, asked, (document.getElementById("text") ?? document.getElementById("guideline"))?.value ?? "");
  const boxes = builder.querySelector("[data-if-found]");
  boxes.hidden = !asked.length;
  boxes.querySelector("div").replaceChildren(...asked.map(({ text, presupposes_finding }, number) => {
    const input = h("input", { type: "checkbox", form: "", on: { change: () => setOnlyIfFound(number, input.checked) } });
    input.checked = presupposes_finding;
    return h("label", { class: "check small" }, input, h("span", {}, text));
  }));
}

/** Write a question's line anew with or without its “only if something is found”. */
function setOnlyIfFound(number, isOn) {
  const lines = questions.value.split("\n");
  const place = [...lines.keys()].filter((index) => lines[index].trim())[number];
  lines[place] = withIfFound(lines[place], isOn);
  questions.value = lines.join("\n");
  preview();
  builder.querySelectorAll("[data-if-found] input")[number]?.focus();
}

// What is filled in in the view, and the boxes that write their line themselves: drawn anew under a click they would lose it.
const isPreview = (event) => event.target.closest("[data-preview], [data-if-found]") !== null;
builder.addEventListener("input", (event) => {
  if (!isPreview(event)) preview();
});
builder.addEventListener("click", (event) => {
  if (isPreview(event)) return;
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
for (const id of ["text", "guideline"]) document.getElementById(id)?.addEventListener("input", preview);
preview();
