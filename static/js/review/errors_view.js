// The lists of errors, one a reading: each with its name as icon and word, its size and slices. Builds elements, sends nothing.
import { element } from "./matters_view.js";

const NONE = "No error";

export function say(root, text) {
  root.querySelector("[data-errors-say]").textContent = text;
}

/** Fill the list anew; `current` is the row that the keys mean. */
export function errorsOf(root, found, current, kinds) {
  const named = new Map(kinds.map((kind) => [kind.dataset.kind, kind]));
  const nOpen = found.readings.flatMap((reading) => reading.errors).filter((error) => !error.said).length;
  say(root, found.against === "nothing yet"
    ? "There is nothing to compare this reading with. Name an error of an object with 1 to 7."
    : `Against ${found.against}. ${nOpen ? `${nOpen} proposed, nothing said of ${nOpen === 1 ? "it" : "them"} yet` : "Nothing is left to confirm"}.`);
  root.querySelector("[data-errors-list]").replaceChildren(...found.readings.map((reading) => readingOf(reading, current, named)));
  root.querySelector("[data-error][aria-current]")?.closest("li").scrollIntoView({ block: "nearest" });
}

function readingOf(reading, current, named) {
  const open = reading.errors.filter((error) => !error.said).length;
  const head = element("div", { className: "errors-head" }, element("h3", { textContent: reading.name }),
    element("span", { className: "muted small", textContent: countOf(reading) }),
    open > 1 ? element("button", { type: "button", className: "button is-quiet", dataset: { act: "all", reader: reading.reader } }, `Confirm all ${open} `, element("kbd", { textContent: "⇧⏎" })) : "");
  const list = element("ol", { className: "errors-rows", ariaLabel: `Errors of ${reading.name}` },
    ...[...reading.errors, ...reading.kept].map((error) => rowOf(reading, error, current, named)));
  const right = reading.right.length ? element("details", { className: "errors-right", open: reading.right.some((error) => `${reading.reader} ${error.key}` === current) },
    element("summary", { textContent: `${reading.right.length} object${reading.right.length === 1 ? "" : "s"} with nothing proposed` }),
    element("ol", { className: "errors-rows" }, ...reading.right.map((error) => rowOf(reading, error, current, named)))) : "";
  return element("div", { className: "errors-reading" }, head, list, right);
}

function countOf(reading) {
  const said = [...reading.errors, ...reading.kept, ...reading.right].filter((error) => error.said && error.said !== "none").length;
  return reading.errors.length || said ? `${reading.errors.length} proposed, ${said} named` : "no error proposed";
}

function rowOf(reading, error, current, named) {
  const id = `${reading.reader} ${error.key}`;
  const isCurrent = id === current;
  const kind = named.get(error.said ?? error.proposed);
  const word = error.said === "none" ? NONE : kind?.dataset.word ?? "Nothing proposed";
  const mark = element("span", { className: `error-kind${error.said ? " is-said" : ""}` }, kind && error.said !== "none" ? kind.querySelector("svg").cloneNode(true) : "", element("strong", { textContent: word }));
  const button = element("button", { type: "button", className: "error-row", dataset: { error: id } }, mark,
    element("span", { className: "small", textContent: [error.classes, error.where].join(", ") }),
    element("span", { className: "muted small", textContent: [error.how, error.said ? "kept" : error.proposed ? "proposed" : ""].filter(Boolean).join(" · ") }));
  if (isCurrent) button.setAttribute("aria-current", "true");
  return element("li", {}, button, isCurrent ? actsOf(error, named) : "");
}

function actsOf(error, named) {
  const acts = element("div", { className: "error-acts" });
  if (error.proposed) acts.append(element("button", { type: "button", className: "button is-main", dataset: { act: "confirm" } }, "Confirm ", element("kbd", { textContent: "⏎" })));
  acts.append(element("button", { type: "button", className: "button", dataset: { act: "none" } }, "No error ", element("kbd", { textContent: "⌫" })));
  [...named.values()].forEach((kind, index) => {
    const button = element("button", { type: "button", className: "button is-quiet", dataset: { kind: kind.dataset.kind } }, kind.querySelector("svg").cloneNode(true), kind.dataset.word, " ", element("kbd", { textContent: String(index + 1) }));
    button.setAttribute("aria-pressed", String(error.said === kind.dataset.kind));
    acts.append(button);
  });
  return acts;
}
