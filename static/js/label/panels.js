// The right side: classes, what is drawn (with its attributes), questions, and what the server could not take.
import { measured } from "../lib/measure.js";
import { spacingIn } from "../lib/planes.js";
import { h, icon } from "./dom.js";
import { isEmpty, questionField } from "./questions.js";
import { doneInWords } from "./words.js";

const TOOL_WORD = { polygon: "polygon", box: "box", point: "point", polyline: "line", ellipse: "ellipse", brush: "brush" };

/** The key that makes a class current: its own, else its place among the first nine. */
export function keyOfClass(classes, entry) {
  if (entry.shortcut) return entry.shortcut.toLowerCase();
  const taken = new Set(classes.map((other) => other.shortcut));
  const place = String(classes.indexOf(entry) + 1);
  return place.length === 1 && !taken.has(place) ? place : "";
}

export class ClassPanel {
  constructor(container, editor, classes) {
    this.buttons = new Map();
    for (const entry of classes) {
      const button = h(
        "button",
        { type: "button", class: "class-row", "aria-pressed": "false", on: { click: () => editor.setLabel(entry.key) }, style: { "--colour": entry.colour } },
        h("span", { class: "dot" }), h("span", { class: "name" }, entry.name),
        h("span", { class: "hint" }, TOOL_WORD[entry.tool]), h("kbd", {}, keyOfClass(classes, entry).toUpperCase() || "–"),
      );
      this.buttons.set(entry.key, button);
      container.append(button);
    }
    const show = () => this.buttons.forEach((button, key) => button.setAttribute("aria-pressed", String(editor.label?.key === key)));
    editor.addEventListener("label", show);
    show();
  }
}

export class ShapePanel {
  constructor(container, empty, count, editor, draft, classes) {
    this.container = container;
    this.empty = empty;
    this.count = count;
    this.editor = editor;
    this.draft = draft;
    this.classes = classes;
    this.byKey = new Map(classes.map((entry) => [entry.key, entry]));
    this.rows = new Map();
    /** The names of who else draws here, by id; of oneself nothing is said. @type {Object<string, string>} */
    this.people = {};
    /** @type {WeakMap<any, {medium: any, text: string}>} */
    this.sizes = new WeakMap();
    draft.addEventListener("change", () => this.render());
    editor.addEventListener("selection", () => this.render());
    editor.addEventListener("medium", () => this.render());
  }

  entries() {
    const { state, layers } = this.draft;
    const medium = this.editor.medium.ordinal;
    const shapes = [...state.shapes.values()].filter((shape) => !shape.is_deleted && shape.medium === medium);
    const painted = layers.labels(state, medium).map((label) => {
      const slices = layers.occupied(state, medium, label);
      return slices.length ? { id: `layer:${label}`, label, slices } : null;
    });
    return [...painted.filter(Boolean), ...shapes.map((shape) => ({ id: shape.shape_id, label: shape.label, shape }))];
  }

  render() {
    if (!this.editor.medium) return;
    const entries = this.entries();
    this.empty.hidden = entries.length > 0;
    this.count.textContent = entries.length ? String(entries.length) : "";
    const wanted = new Set(entries.map((entry) => entry.id));
    for (const [id, row] of this.rows) if (!wanted.has(id)) this.drop(id, row);
    const numbers = new Map();
    entries.forEach((entry, i) => {
      numbers.set(entry.label, (numbers.get(entry.label) ?? 0) + 1);
      const kept = this.rows.get(entry.id);
      const row = kept && kept.label === entry.label ? kept : this.make(entry, kept);
      // A colleague's shape may have been drawn before ours that is still on its way.
      const there = this.container.children[i];
      if (there !== row.element) this.container.insertBefore(row.element, there ?? null);
      this.update(row, entry, numbers.get(entry.label));
    });
  }

  drop(id, row) {
    row.element.remove();
    this.rows.delete(id);
  }

  make(entry, former) {
    const label = this.byKey.get(entry.label);
    const choose = () => (entry.shape ? this.editor.reveal(entry.id) : this.showLayer(entry));
    const name = h("span", { class: "name" });
    const size = h("span", { class: "hint" });
    const by = h("span", { class: "drawn-by", hidden: true });
    const head = h("button", { type: "button", class: "shape-name", on: { click: choose } }, h("span", { class: "dot" }), name, by, size);
    const remove = entry.shape && h("button", {
      type: "button", class: "button is-quiet is-square", "aria-label": "Delete this shape", "data-tip": "Delete (Del)",
      on: { click: () => this.editor.remove(entry.id) },
    }, icon("trash"));
    const fields = (label?.attributes ?? []).map((question) =>
      questionField(question, (value) => this.answer(entry, question, value), `attribute-${entry.id}`));
    const body = h("div", { class: "shape-body" }, entry.shape && this.classChoice(entry), ...fields.map((field) => field.element));
    const element = h("li", { class: "shape-row", style: { "--colour": label?.colour ?? "#bbbbbb" } }, h("div", { class: "shape-head" }, head, remove), body);
    const row = { element, name, by, size, head, body, fields, label: entry.label };
    if (former) former.element.replaceWith(element);
    else this.container.append(element);
    this.rows.set(entry.id, row);
    return row;
  }

  update(row, entry, number) {
    const { shape } = entry;
    const label = this.byKey.get(entry.label);
    const isSelected = shape ? this.editor.selectedId === entry.id : false;
    // A shape is replaced when it changes: a row that shows this very one has nothing to do.
    if (shape && row.shape === shape && row.number === number && row.isSelected === isSelected) return;
    Object.assign(row, { shape, number, isSelected });
    row.name.textContent = shape ? `${label?.name ?? entry.label} ${number}` : `${label?.name ?? entry.label}, painted`;
    const by = shape && shape.author !== this.draft.author ? this.people[shape.author] : "";
    row.by.hidden = !by;
    row.by.textContent = by ? `by ${by}` : "";
    row.size.textContent = shape ? this.describe(shape) : this.slicesOf(entry.slices);
    row.head.setAttribute("aria-expanded", String(isSelected));
    row.element.classList.toggle("is-selected", isSelected);
    const attributes = this.attributes(entry);
    const questions = label?.attributes ?? [];
    row.fields.forEach((field, i) => field.set(attributes[questions[i].key]));
    const isMissing = questions.some((question) => question.is_required && isEmpty(attributes[question.key]));
    row.element.classList.toggle("is-missing", isMissing);
    row.body.hidden = !(isSelected || isMissing || (!shape && questions.length));
  }

  attributes(entry) {
    if (entry.shape) return entry.shape.attributes;
    return this.draft.state.layer_attributes.get(`${this.editor.medium.ordinal}:${entry.label}`)?.attributes ?? {};
  }

  describe(shape) {
    const planes = [...new Set(shape.regions.map((region) => region.z ?? 0))];
    const where = this.editor.depth > 1 ? (planes.length > 1 ? `${planes.length} slices` : `slice ${planes[0] + 1}`) : "";
    const size = shape.regions.length === 1 ? this.sizeOf(shape.regions[0]) : "";
    return [size, where, shape.conflicts.length ? "changed twice" : ""].filter(Boolean).join(" · ");
  }

  /** Kept by the region itself, which is replaced and never changed. */
  sizeOf(region) {
    const { medium } = this.editor;
    const kept = this.sizes.get(region);
    if (kept?.medium === medium) return kept.text;
    // The list has room for one figure: both axes are seen while drawing.
    const [text] = measured(region, spacingIn("axial", medium.spacing_mm)).split(" · ");
    this.sizes.set(region, { medium, text });
    return text;
  }

  slicesOf(slices) {
    if (this.editor.depth === 1) return "";
    return slices.length === 1 ? `slice ${slices[0] + 1}` : `${slices.length} slices`;
  }

  classChoice(entry) {
    const own = this.byKey.get(entry.label);
    const same = this.classes.filter((other) => other.tool === own?.tool);
    if (same.length < 2) return null;
    const select = h("select", {
      "aria-label": "Class of this shape",
      on: {
        change: (event) => {
          if (this.isClosed()) event.target.value = entry.label;
          else this.draft.act("shape.label", { shape_id: entry.id, label: event.target.value });
        },
      },
    }, ...same.map((other) => h("option", { value: other.key, selected: other.key === entry.label }, other.name)));
    return select;
  }

  /** Whether nothing can be changed here now; says so. */
  isClosed() {
    if (this.editor.isReadOnly) this.editor.say(this.editor.closedWords);
    return this.editor.isReadOnly;
  }

  answer(entry, question, value) {
    if (this.isClosed()) {
      // The field goes back to what stands.
      this.rows.get(entry.id).shape = undefined;
      return this.render();
    }
    const target = entry.shape ? { shape_id: entry.id } : { layer: { medium: this.editor.medium.ordinal, label: entry.label } };
    return this.draft.act("shape.attribute", { ...target, attribute: question.key, value });
  }

  showLayer(entry) {
    this.editor.setLabel(entry.label);
    if (!entry.slices.includes(this.editor.z)) this.editor.goTo(entry.slices[Math.floor(entry.slices.length / 2)]);
  }
}

export class QuestionPanel {
  constructor(container, draft, questions) {
    this.fields = new Map();
    for (const question of questions) {
      const field = questionField(question, (value) => draft.act("answer.set", { question: question.key, value }), "question");
      this.fields.set(question.key, field);
      container.append(field.element);
    }
    const answer = (question) => draft.state.answers[question.key];
    const show = () => questions.forEach((question) => this.fields.get(question.key).set(answer(question)));
    draft.addEventListener("change", show);
    show();
    /** The first question that is asked, required and not answered. */
    this.firstMissing = (isNoFinding) =>
      questions.find((question) => question.is_required && isEmpty(answer(question)) && !(isNoFinding && question.presupposes_finding));
    /** The first answer that only makes sense where something was found. */
    this.firstPresupposing = () => questions.find((question) => question.presupposes_finding && !isEmpty(answer(question)));
    this.setNoFinding = (isNoFinding) => {
      for (const question of questions) if (question.presupposes_finding) this.fields.get(question.key).setAsked(!isNoFinding);
      show();
    };
  }

  focus(key) {
    this.fields.get(key)?.focus();
  }
}

/** What the server could not take: kept in sight with the reason, so that nothing disappears unsaid. */
export function trayOf(container, draft) {
  const list = container.querySelector("ul");
  const show = () => {
    container.hidden = !draft.refused.length;
    list.replaceChildren(...draft.refused.map(({ operation, detail }) => h("li", {}, h("strong", {}, `You ${doneInWords(operation.kind)}.`), " ", detail)));
  };
  draft.addEventListener("pending", show);
  show();
}
