// The annotator's side panel as an ontology would make it, by the labeling page's own parts. What is filled in goes nowhere.
import { h } from "../label/dom.js";
import { ClassPanel, QuestionPanel } from "../label/panels.js";
import { questionField } from "../label/questions.js";
import { classesFor } from "../label/toolbox.js";

const TYPED = "input, textarea, select";

export class AnnotatorView extends EventTarget {
  /** @param {HTMLElement} root with places for tools, classes, attributes, questions and instructions */
  constructor(root) {
    super();
    this.root = root;
    /** As the editor has it: the class in hand. @type {any} */
    this.label = null;
    this.tool = "select";
    /** As a draft has it; outlives each letter that is typed. */
    this.state = { answers: {} };
    this.ofShape = {};
    for (const button of root.querySelectorAll("[data-tool]")) button.addEventListener("click", () => this.setTool(/** @type {HTMLElement} */ (button).dataset.tool));
    this.noFinding = this.place("no-finding");
    this.noFinding.addEventListener("click", () => {
      this.noFinding.setAttribute("aria-pressed", String(this.noFinding.getAttribute("aria-pressed") !== "true"));
      this.showFinding();
    });
  }

  /** @returns {any} */
  place(name) {
    return this.root.querySelector(`[data-preview-${name}]`);
  }

  /** @param {any[]} classes @param {any[]} questions @param {string} instructions */
  show(classes, questions, instructions) {
    this.classes = classes;
    this.label = classes.find((entry) => entry.key === this.label?.key) ?? classes[0] ?? null;
    this.place("classes").replaceChildren();
    this.panel = new ClassPanel(this.place("classes"), this, classes);
    this.place("empty").hidden = classes.length > 0;
    this.place("questions").replaceChildren();
    // A line that says too little yet has no choices to show.
    this.questions = new QuestionPanel(this.place("questions"), this, questions);
    this.noFinding.hidden = !classes.length;
    this.showFinding();
    const pieces = proseOf(instructions);
    const examples = [...document.querySelectorAll("#examples .darkroom li:not([hidden]) > figure")].map((figure) => figure.cloneNode(true));
    this.place("instructions").replaceChildren(...pieces, ...examples);
    this.place("instructions").closest("details").hidden = !pieces.length && !examples.length;
    this.chosen();
    this.release();
  }

  /** What the class panel asks of its editor. */
  setLabel(key) {
    this.label = this.classes.find((entry) => entry.key === key);
    this.tool = this.label.tool;
    this.chosen();
    this.release();
  }

  setTool(tool) {
    const fitting = classesFor(tool, this.classes);
    if (fitting[0] && !fitting.includes(this.label)) this.label = fitting[0];
    this.tool = tool;
    this.chosen();
    this.release();
  }

  /** What the questions ask of their draft. */
  act(_, { question, value }) {
    this.state.answers[question] = value;
    this.dispatchEvent(new Event("change"));
  }

  chosen() {
    const { label } = this;
    if (this.tool !== "select" && !classesFor(this.tool, this.classes).length) this.tool = label?.tool ?? "select";
    for (const button of /** @type {NodeListOf<HTMLElement>} */ (this.root.querySelectorAll("[data-tool]"))) {
      button.hidden = !classesFor(button.dataset.tool, this.classes).length;
      button.setAttribute("aria-pressed", String(button.dataset.tool === this.tool));
    }
    this.dispatchEvent(new Event("label"));
    const title = label?.attributes.length ? [h("h4", {}, `Asked of each shape of “${label.name}”`)] : [];
    this.place("attributes").replaceChildren(...title, ...(label?.attributes ?? []).map((question) => {
      const id = `${label.key}:${question.key}`;
      const field = questionField(question, (value) => field.set(this.ofShape[id] = value), `preview-${label.key}`);
      field.set(this.ofShape[id]);
      return field.element;
    }));
  }

  showFinding() {
    this.questions.setNoFinding(!this.noFinding.hidden && this.noFinding.getAttribute("aria-pressed") === "true");
  }

  /** The form that the view stands in must not send what is filled in here. */
  release() {
    for (const field of this.root.querySelectorAll(TYPED)) field.setAttribute("form", "");
  }
}

/** Instructions as the server writes them: paragraphs, lists, emphasis. @param {string} text */
function proseOf(text) {
  return text.split(/\n[ \t]*\n/).filter((block) => block.trim()).flatMap((block) => {
    const pieces = [];
    for (const line of block.split("\n").filter((one) => one.trim())) {
      const isEntry = /^\s*[-*•]\s/.test(line);
      const words = line.replace(isEntry ? /^\s*[-*•]\s+/ : /^\s+/, "").split(/\*([^*]+)\*/).map((part, i) => (i % 2 ? h("em", {}, part) : part));
      const last = pieces.at(-1);
      if (isEntry && last?.tagName === "UL") last.append(h("li", {}, ...words));
      else if (isEntry) pieces.push(h("ul", {}, h("li", {}, ...words)));
      else if (last?.tagName === "P") last.append(h("br"), ...words);
      else pieces.push(h("p", {}, ...words));
    }
    return pieces;
  });
}
