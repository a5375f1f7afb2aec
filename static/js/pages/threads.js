// Comments on an item: names completed after "@" by the keyboard, and a place on the picture chosen by a click.
import { notify } from "./frame.js";

const NAMED = /(^|[^\w@])@([\w.+-]*)$/;

/** Complete names in a text field: arrows choose, Enter or Tab takes, Escape leaves it. */
class Names {
  constructor(field) {
    this.field = field;
    this.people = [];
    this.at = 0;
    this.list = document.createElement("ul");
    this.list.className = "names";
    this.list.id = `${field.id}-names`;
    this.list.setAttribute("role", "listbox");
    this.list.hidden = true;
    field.after(this.list);
    field.setAttribute("role", "combobox");
    field.setAttribute("aria-autocomplete", "list");
    field.setAttribute("aria-controls", this.list.id);
    field.setAttribute("aria-expanded", "false");
    field.addEventListener("input", () => this.look());
    field.addEventListener("keydown", (event) => this.key(event));
    field.addEventListener("blur", () => setTimeout(() => this.close(), 150));
  }

  start() {
    return NAMED.exec(this.field.value.slice(0, this.field.selectionStart));
  }

  async look() {
    const found = this.start();
    if (!found) return this.close();
    const asked = found[2];
    try {
      const response = await fetch(`${this.field.dataset.names}?q=${encodeURIComponent(asked)}`, { headers: { Accept: "application/json" } });
      if (!response.ok || this.start()?.[2] !== asked) return undefined;
      this.people = (await response.json()).people;
    } catch {
      this.people = [];
    }
    this.at = 0;
    return this.show();
  }

  show() {
    this.list.hidden = !this.people.length;
    this.field.setAttribute("aria-expanded", String(!this.list.hidden));
    this.list.replaceChildren(...this.people.map((person, place) => {
      const line = document.createElement("li");
      line.id = `${this.list.id}-${place}`;
      line.setAttribute("role", "option");
      line.setAttribute("aria-selected", String(place === this.at));
      line.append(person.name, Object.assign(document.createElement("span"), { className: "hint", textContent: `@${person.username}` }));
      line.addEventListener("pointerdown", (event) => {
        event.preventDefault();
        this.take(place);
      });
      return line;
    }));
    if (this.people.length) this.field.setAttribute("aria-activedescendant", `${this.list.id}-${this.at}`);
  }

  key(event) {
    if (this.list.hidden) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) this.at = (this.at + step + this.people.length) % this.people.length;
    else if (event.key === "Enter" || event.key === "Tab") this.take(this.at);
    else if (event.key === "Escape") this.close();
    else return;
    event.preventDefault();
    event.stopPropagation();
    if (step) this.show();
  }

  take(place) {
    const end = this.field.selectionStart;
    const begin = end - this.start()[2].length;
    this.field.setRangeText(`${this.people[place].username} `, begin, end, "end");
    this.close();
    this.field.focus();
  }

  close() {
    this.list.hidden = true;
    this.field.setAttribute("aria-expanded", "false");
    this.field.removeAttribute("aria-activedescendant");
  }
}

for (const field of document.querySelectorAll("textarea[data-names]")) new Names(field);

// A place on the picture: the viewer says where it was clicked, and shows a place when asked to.
const form = document.getElementById("new-thread");
const button = document.getElementById("pin-place");

function isPinning(is) {
  button.setAttribute("aria-pressed", String(is));
  document.dispatchEvent(new CustomEvent("viewer:choose", { detail: is }));
}

button?.addEventListener("click", () => {
  const isOn = button.getAttribute("aria-pressed") !== "true";
  isPinning(isOn);
  if (isOn) notify("Click the place on the picture.");
});
document.addEventListener("viewer:chosen", (event) => {
  const place = /** @type {CustomEvent} */ (event).detail;
  for (const name of ["medium", "x", "y", "z"]) form.elements.namedItem(name).value = String(place[name]);
  button.querySelector("span").textContent = `Pinned at ${place.x}, ${place.y}${place.isVolume ? `, slice ${place.z + 1}` : ""}`;
  isPinning(false);
  document.getElementById("new-comment").focus();
});
for (const pin of document.querySelectorAll("[data-pin]")) {
  pin.addEventListener("click", () => document.dispatchEvent(new CustomEvent("viewer:show", { detail: JSON.parse(pin.dataset.pin) })));
}
