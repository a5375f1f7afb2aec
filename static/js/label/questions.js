// Fields for questions: of the image, and of a shape (its class's attributes). Each says whether an answer is required.
import { h } from "./dom.js";

/**
 * A field for one question. `set` shows an answer without asking for it again; `focus` goes to its first control.
 * @param {any} question of the ontology
 * @param {(value: any) => void} onAnswer null takes the answer back
 */
export function questionField(question, onAnswer, prefix) {
  const id = `${prefix}-${question.key}`;
  const mark = question.is_required ? h("span", { class: "required", title: "Required" }, " required") : null;
  const make = { choice: choiceInputs, choices: choiceInputs, boolean: booleanInputs, text: textInput, number: numberInput };
  const { controls, read, show } = make[question.kind](question, id, () => onAnswer(read()));
  const note = h("p", { class: "hint", hidden: true }, "Not asked: you said that there is nothing to find.");
  controls.push(note);
  const isGroup = question.kind !== "text" && question.kind !== "number";
  const element = isGroup
    ? h("fieldset", { class: "question", "data-question": question.key }, h("legend", {}, question.text, mark), ...controls)
    : h("div", { class: "question", "data-question": question.key }, h("label", { for: id }, question.text, mark), ...controls);
  return {
    element,
    set(value) {
      show(value);
      element.classList.toggle("is-missing", Boolean(question.is_required) && isEmpty(value) && !element.classList.contains("is-not-asked"));
    },
    /** Whether the question is asked now; where it is not, it says why and takes no answer. */
    setAsked(isAsked) {
      element.classList.toggle("is-not-asked", !isAsked);
      for (const input of element.querySelectorAll("input, textarea")) input.disabled = !isAsked;
      note.hidden = isAsked;
    },
    focus: () => element.querySelector("input, textarea")?.focus(),
  };
}

/** Whether an answer says nothing. */
export function isEmpty(value) {
  return value === undefined || value === null || value === "" || (Array.isArray(value) && !value.length);
}

function choiceInputs(question, id, changed) {
  const isMany = question.kind === "choices";
  const inputs = question.choices.map((choice, i) =>
    h("input", { type: isMany ? "checkbox" : "radio", name: id, id: `${id}-${i}`, value: choice, on: { change: changed, click: takeBack } }));
  // A radio button that is pressed again takes the answer back; without it an optional answer could not be undone.
  function takeBack(event) {
    if (isMany || event.target.dataset.held !== "yes") return;
    event.target.checked = false;
    changed();
  }
  const show = (value) => {
    for (const input of inputs) {
      input.checked = isMany ? (value ?? []).includes(input.value) : input.value === value;
      input.dataset.held = input.checked ? "yes" : "";
    }
  };
  const read = () => {
    const chosen = inputs.filter((input) => input.checked).map((input) => input.value);
    return isMany ? (chosen.length ? chosen : null) : (chosen[0] ?? null);
  };
  const controls = [h("div", { class: "choices" }, ...inputs.map((input, i) => h("label", { class: "choice" }, input, h("span", {}, question.choices[i]))))];
  return { controls, read, show };
}

function booleanInputs(question, id, changed) {
  const inner = choiceInputs({ ...question, kind: "choice", choices: ["Yes", "No"] }, id, changed);
  return {
    controls: inner.controls,
    read: () => ({ Yes: true, No: false })[inner.read()] ?? null,
    show: (value) => inner.show(value === true ? "Yes" : value === false ? "No" : null),
  };
}

function textInput(question, id, changed) {
  const input = h("textarea", { id, rows: 2, maxlength: 10_000, on: { change: changed } });
  return {
    controls: [input],
    read: () => input.value.trim() || null,
    show: (value) => {
      if (document.activeElement !== input) input.value = value ?? "";
    },
  };
}

function numberInput(question, id, changed) {
  const input = h("input", { id, type: "number", step: "any", on: { change: changed } });
  return {
    controls: [input],
    read: () => (input.value === "" || !Number.isFinite(input.valueAsNumber) ? null : input.valueAsNumber),
    show: (value) => {
      if (document.activeElement !== input) input.value = value ?? "";
    },
  };
}
