// Questions as lines of text, read as the server reads them (labelhub/web/ontology_text.py); tests compare the two by one list.

const KINDS = { text: "text", number: "number", "yes/no": "boolean" };
const SEPARATORS = [["<", "choice"], ["+", "choices"], ["|", "choice"]];
const IF_FOUND = /\[if found\]$/i;

/** @param {string} text one question a line @returns {any[]} questions as the labeling page has them, numbered for keys */
export function questionsOf(text) {
  return text.split("\n").map((line) => line.trim()).filter(Boolean).map((line, i) => ({ key: `line-${i}`, ...questionOf(line) }));
}

function questionOf(line) {
  const bracket = /^(.+?)\s*\((text|number|yes\/no)\)$/s.exec(line);
  if (bracket) return headed(bracket[1], KINDS[bracket[2]], []);
  const at = line.includes(":") ? line.indexOf(":") : line.length;
  const tail = line.slice(at + 1);
  const [separator, kind] = SEPARATORS.find(([mark]) => tail.includes(mark)) ?? SEPARATORS[2];
  return headed(line.slice(0, at), kind, tail.split(separator).map((choice) => choice.trim()).filter(Boolean));
}

function headed(head, kind, choices) {
  const text = head.trim().replace(IF_FOUND, "").trimEnd();
  return { text: text.replace(/[* ]+$/, ""), kind, choices, is_required: text.endsWith("*"), presupposes_finding: IF_FOUND.test(head.trim()) };
}

/** A question's line with or without its “only if something is found”. */
export function withIfFound(line, isOn) {
  const bracket = /^(.*?)(\s*\((?:text|number|yes\/no)\)\s*)$/s.exec(line);
  const at = bracket ? bracket[1].length : line.includes(":") ? line.indexOf(":") : line.length;
  const head = line.slice(0, at).trim().replace(/\s*\[if found\]$/i, "");
  const rest = line.slice(at).trim();
  return `${head}${isOn ? " [if found]" : ""}${rest.startsWith(":") ? "" : " "}${rest}`.trim();
}
