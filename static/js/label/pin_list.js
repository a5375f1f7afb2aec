// The pins as a list in the side panel: what was said, answers, other words for one's own, resolving. A press goes to the place.
import { byId, h, icon } from "./dom.js";

export class PinList {
  /** @param {any} pins the page's pins; named by no import, which would go round in a circle */
  constructor(pins) {
    this.pins = pins;
    this.list = byId("pins");
    this.hasResolved = false;
    byId("pins-resolved").addEventListener("click", () => {
      this.hasResolved = !this.hasResolved;
      this.show();
    });
    /** What is being written at each pin, kept while the list is drawn anew. @type {Map<string, {text: string, replaces: string, request_id: string}>} */
    this.drafts = new Map();
  }

  show() {
    const { pins, chosen } = this.pins;
    const open = pins.filter((pin) => !pin.is_resolved);
    byId("pins-count").textContent = open.length ? String(open.length) : "";
    byId("no-pins").hidden = pins.length > 0;
    const toggle = byId("pins-resolved");
    toggle.hidden = open.length === pins.length;
    toggle.setAttribute("aria-pressed", String(this.hasResolved));
    toggle.textContent = `${this.hasResolved ? "Hide" : "Show"} ${pins.length - open.length} resolved`;
    const held = this.held();
    this.list.replaceChildren(...this.pins.numbered()
      .filter(({ pin }) => !pin.is_resolved || this.hasResolved || pin.id === chosen)
      .map(({ pin, number }) => this.row(pin, number)));
    this.hold(held);
  }

  /** The field that has the focus keeps it, with what is marked in it. */
  held() {
    const field = /** @type {any} */ (document.activeElement);
    return this.list.contains(field) && field.id ? { id: field.id, at: field.selectionStart ?? null, to: field.selectionEnd ?? null } : null;
  }

  hold(held) {
    const field = held && byId(held.id);
    if (!field) return;
    field.focus({ preventScroll: true });
    if (held.at !== null) field.setSelectionRange(held.at, held.to);
  }

  focus(id) {
    const row = byId(`pin-${id}`);
    row?.focus();
    row?.scrollIntoView({ block: "nearest" });
  }

  row(pin, number) {
    const isChosen = this.pins.chosen === pin.id;
    const [first] = pin.said;
    const where = this.pins.editor.isVolume ? ` · slice ${pin.z + 1}` : "";
    const answers = pin.said.length > 1 ? ` · ${pin.said.length - 1} ${pin.said.length > 2 ? "answers" : "answer"}` : "";
    const head = h("button", {
      type: "button", class: "pin-row", id: `pin-${pin.id}`, "aria-expanded": String(isChosen), on: { click: () => this.toggle(pin.id) },
    },
    h("span", { class: pin.is_resolved ? "pin-head is-resolved" : "pin-head" }, pin.is_resolved ? "✓" : String(number)),
    h("span", { class: "name" }, isChosen ? h("span", { class: "hint" }, `Pin ${number}${where}`) : first.text),
    isChosen ? null : h("span", { class: "hint" }, `${first.who}${where}${answers}`));
    return h("li", { class: isChosen ? "pin is-chosen" : "pin" }, head, isChosen && this.body(pin));
  }

  toggle(id) {
    if (this.pins.chosen !== id) return this.pins.show(id);
    this.pins.chosen = "";
    this.pins.editor.redraw();
    return this.show();
  }

  body(pin) {
    const draft = this.draftOf(pin.id);
    const field = h("textarea", {
      id: `pin-answer-${pin.id}`, rows: 2, maxlength: 4000, "aria-label": draft.replaces ? "Other words" : "Answer", placeholder: "Answer; Enter sends",
      on: { input: () => this.write(pin.id, field.value), keydown: (event) => this.key(event, pin) },
    });
    field.value = draft.text;
    return h("div", { class: "pin-body" },
      h("ul", { class: "plain" }, ...pin.said.map((remark) => this.remark(pin, remark))),
      field,
      h("div", { class: "row is-apart" },
        h("button", { type: "button", class: "button is-quiet", id: `pin-turn-${pin.id}`, on: { click: () => this.turn(pin) } }, icon(pin.is_resolved ? "return" : "check"), pin.is_resolved ? "Open again" : "Resolve"),
        h("button", { type: "button", class: "button", id: `pin-send-${pin.id}`, on: { click: () => this.send(pin) } }, draft.replaces ? "Keep the change" : "Answer")));
  }

  remark(pin, remark) {
    const said = `${ago(remark.at)}${remark.is_edited ? " · edited" : ""}`;
    return h("li", { class: "pin-remark" },
      h("p", { class: "hint" }, h("strong", {}, remark.who), ` · ${said} `,
        remark.is_mine && h("button", { type: "button", class: "link", "aria-label": "Change your words", on: { click: () => this.mend(pin, remark) } }, "Edit")),
      h("p", { class: "pin-text" }, remark.text));
  }

  draftOf(id) {
    if (!this.drafts.has(id)) this.drafts.set(id, { text: "", replaces: "", request_id: crypto.randomUUID() });
    return this.drafts.get(id);
  }

  /** Other words are another act; the same words sent again are the same one. */
  write(id, text) {
    Object.assign(this.draftOf(id), { text, request_id: crypto.randomUUID() });
  }

  mend(pin, remark) {
    this.drafts.set(pin.id, { text: remark.text, replaces: remark.id, request_id: crypto.randomUUID() });
    this.show();
    byId(`pin-answer-${pin.id}`).focus();
  }

  key(event, pin) {
    if (event.key === "Enter" && !event.shiftKey) this.send(pin);
    else if (event.key === "Escape") {
      this.drafts.delete(pin.id);
      this.show();
      byId(`pin-${pin.id}`)?.focus();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  async send(pin) {
    const { text, replaces, request_id } = this.draftOf(pin.id);
    if (!text.trim() || this.isSending) return;
    this.isSending = true;
    const isKept = await this.pins.send(`${pin.id}/said/`, { text, request_id, ...(replaces ? { replaces } : {}) });
    this.isSending = false;
    if (!isKept) return;
    this.drafts.delete(pin.id);
    this.show();
  }

  async turn(pin) {
    await this.pins.send(`${pin.id}/turn/`, { is_resolved: !pin.is_resolved, seen: pin.newest, request_id: crypto.randomUUID() });
    // What was seen may be old: then the newest words are shown with the refusal.
    this.pins.look();
  }
}

function ago(text) {
  const minutes = Math.max(0, Math.round((Date.now() - Date.parse(text)) / 60_000));
  if (minutes < 1) return "just now";
  if (minutes < 60) return `${minutes} min ago`;
  return minutes < 48 * 60 ? `${Math.round(minutes / 60)} h ago` : new Date(text).toLocaleDateString();
}
