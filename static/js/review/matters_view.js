// The list of matters with what was decided, and the panel of the one in question. Builds elements, sends nothing.
import { colourOf } from "./layer_list.js";

const KINDS = { area: "region", object: "object", answer: "question", attribute: "attribute" };

/** A new element with these properties, data and children; what is empty is left out. */
export function element(name, properties = {}, ...children) {
  const { dataset = {}, ...rest } = properties;
  const made = Object.assign(document.createElement(name), rest);
  Object.assign(made.dataset, dataset);
  made.append(...children.filter((child) => child !== null && child !== ""));
  return made;
}

/** Fill the list, mark the current one, and turn the ring. */
export function listOf(root, found, current, select) {
  const decided = found.matters.filter((matter) => matter.answer).length;
  const list = root.querySelector("[data-matter-list]");
  list.replaceChildren(...found.matters.map((matter, index) => {
    const button = element("button", { type: "button", className: "matter" },
      matter.thumbnail ? element("img", { src: matter.thumbnail, alt: "", width: 48, height: 48, loading: "lazy" }) : element("span", { className: "matter-kind", textContent: KINDS[matter.kind] }),
      element("span", { className: "matter-words" }, element("strong", { textContent: matter.title }), element("span", { className: "muted small", textContent: matter.where })),
      element("span", { className: matter.answer ? "state is-good" : "state", textContent: matter.answer ? matter.answer.words : "open" }));
    if (index === current) button.setAttribute("aria-current", "true");
    button.addEventListener("click", () => select(index));
    return element("li", {}, button);
  }));
  list.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });
  root.querySelector("[data-progress]").value = found.matters.length ? decided / found.matters.length : 1;
  root.querySelector("[data-progress-words]").textContent = found.matters.length
    ? `${decided} of ${found.matters.length} decided` : "The readers agree everywhere beyond the tolerance.";
  root.querySelector("[data-band]").textContent = found.band;
  root.querySelector("[data-notes]").replaceChildren(...found.notes.map((text) => element("p", { className: "small", textContent: text })));
  const settle = root.querySelector("[data-settle]");
  if (settle) settle.disabled = decided < found.matters.length;
}

/** Show the matter in question: who says what, with the key that chooses it. */
export function panelOf(root, found, matter, layers) {
  const panel = root.querySelector("[data-matter]");
  panel.hidden = !matter;
  if (!matter) return;
  root.querySelector("[data-matter-title]").textContent = `${matter.title} · ${matter.where}`;
  const choices = matter.says.map((says, index) => {
    const place = layers.findIndex((layer) => layer.key === says.reader);
    const isChosen = matter.answer?.choice === "reader" && matter.answer.reader === says.reader;
    const swatch = element("span", { className: "swatch" });
    swatch.style.setProperty("--colour", colourOf(Math.max(place, 0)));
    const button = element("button", { type: "button", className: "choice", disabled: says.is_silent, dataset: { act: "reader", reader: says.reader } },
      swatch, element("span", {}, element("strong", { textContent: layers[place]?.name ?? `reader ${index + 1}` }), element("br"), element("span", { textContent: says.words })),
      index < 9 ? element("kbd", { textContent: String(index + 1) }) : "");
    button.setAttribute("aria-pressed", String(isChosen));
    return element("li", {}, button);
  });
  const consensus = element("button", { type: "button", className: "choice", disabled: matter.consensus === null, dataset: { act: "consensus" } },
    element("span", {}, element("strong", { textContent: "The readers together" }), element("br"), element("span", { textContent: matter.consensus ?? "tied: they say nothing together" })),
    element("kbd", { textContent: "0" }));
  consensus.setAttribute("aria-pressed", String(matter.answer?.choice === "consensus"));
  const ambiguous = element("button", { type: "button", className: "choice", dataset: { act: "ambiguous" } },
    element("span", {}, element("strong", { textContent: "Truly ambiguous" }), element("br"), element("span", { textContent: "released as a region to ignore" })), element("kbd", { textContent: "M" }));
  ambiguous.setAttribute("aria-pressed", String(matter.answer?.choice === "ambiguous"));
  root.querySelector("[data-choices]").replaceChildren(...choices, element("li", {}, consensus), element("li", {}, ambiguous));
  root.querySelector('[data-act="draw"]').hidden = matter.kind !== "area";
  root.querySelector('[data-act="open"]').hidden = !matter.answer;
  const comment = root.querySelector("[data-matter-comment]");
  comment.value = matter.answer?.comment ?? "";
}
