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

/** A question's line in its parts: what stands before the choices or kind, and the rest with its separator. */
function partsOf(line) {
  const bracket = /^(.*?)(\s*\((?:text|number|yes\/no)\)\s*)$/s.exec(line);
  const at = bracket ? bracket[1].length : line.includes(":") ? line.indexOf(":") : line.length;
  const head = line.slice(0, at).trim();
  const isOnlyIfFound = /\[if found\]$/i.test(head);
  return { head: head.replace(/\s*\[if found\]$/i, ""), rest: line.slice(at).trim(), isOnlyIfFound };
}

/** Write a question's line anew with or without its “only if something is found”. */
function setOnlyIfFound(number, isOn) {
  const lines = questions.value.split("\n");
  const place = [...lines.keys()].filter((index) => lines[index].trim())[number];
  const { head, rest } = partsOf(lines[place]);
  lines[place] = `${head}${isOn ? " [if found]" : ""}${rest.startsWith(":") ? "" : " "}${rest}`.trim();
  questions.value = lines.join("\n");
  preview();
  builder.querySelectorAll("[data-preview-questions] input")[number]?.focus();
}

function onlyIfFound(number, isOn) {
  const input = element("input");
  input.type = "checkbox";
  input.checked = isOn;
  input.addEventListener("change", () => setOnlyIfFound(number, input.checked));
  return element("label", "check small muted", input, element("span", "", "Asked only if something is found (not of “No finding”)"));
}

function questionPreview(line, number) {
  const { head, rest, isOnlyIfFound } = partsOf(line);
  const kind = /\((text|number|yes\/no)\)\s*$/.exec(rest)?.[1];
  const tail = rest.replace(/^:/, "");
  const isRequired = head.endsWith("*");
  const title = element("strong", "", head.replace(/\*+$/, "").trim(), isRequired ? " (required)" : "");
  const choices = kind === "yes/no" ? ["yes", "no"] : kind ? [`a ${kind}`] : tail.split(/[|<+]/).map((choice) => choice.trim()).filter(Boolean);
  const shown = element("div", "row", title, ...choices.map((choice) => element("span", "tag", choice)));
  return element("div", "stack is-tight", shown, onlyIfFound(number, isOnlyIfFound));
}

// The boxes of the preview write their line themselves: drawing it anew under a click would take the click from them.
const isPreview = (event) => event.target.closest("[data-preview-questions]") !== null;
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
preview();
