// Several series of one item side by side: which one a pane shows, the project's arrangement, and one's own in this browser.
import { companionsOf, hungAlone, hungBy, nameOfSeries } from "../lib/hanging.js";
import { byId, h } from "./dom.js";

const NEXT = { one: "two", two: "four", four: "stacked", stacked: "one" };

export class Hanging {
  /**
   * @param {import("../canvas/plane.js").PlaneEditor} editor @param {any[]} media
   * @param {import("../lib/hanging.js").Protocol | null} protocol of the project @param {string} project
   */
  constructor(editor, media, protocol, project) {
    this.editor = editor;
    this.media = media;
    this.protocol = protocol;
    this.storage = `labelhub-hanging-${project}`;
    this.selects = editor.panes.map((pane) => {
      const select = h("select", { class: "pane-series", "aria-label": "Series in this pane", on: { change: () => this.choose(pane, Number(select.value)) } });
      pane.canvas.parentElement.append(select);
      return select;
    });
    for (const name of ["medium", "layout", "series"]) editor.addEventListener(name, () => editor.medium && this.show());
    byId("hanging-keep").addEventListener("click", () => this.keep());
    byId("hanging-drop").addEventListener("click", () => this.drop());
  }

  /** The first look at the item: one's own arrangement, else the project's; false where neither fits. */
  open() {
    const found = hungBy(this.own(), this.media) ?? hungBy(this.protocol, this.media);
    if (!found) return false;
    for (const { medium, window } of found.hung) {
      if (window) this.editor.windows.set(medium.ordinal, { centre: window[0], width: window[1] });
    }
    this.editor.hang(found.layout, found.hung);
    return true;
  }

  /** The next layout; with several series the second stands beside the first. */
  next() {
    const { editor } = this;
    const layout = NEXT[editor.layout];
    if (companionsOf(editor.medium, this.media).length < 2) return editor.setLayout(layout);
    return editor.hang(layout, hungAlone(layout, editor.panes[0].medium, editor.panes[0].plane, this.media));
  }

  choose(pane, ordinal) {
    this.editor.setMedium(pane, this.media.find((medium) => medium.ordinal === ordinal));
    pane.canvas.focus({ preventScroll: true });
  }

  show() {
    const { editor } = this;
    const isSeveral = companionsOf(editor.medium, this.media).length > 1;
    byId("hanging").hidden = !isSeveral;
    byId("hanging-drop").disabled = !this.own();
    editor.panes.forEach((pane, i) => {
      const select = this.selects[i];
      select.hidden = !isSeveral || editor.layout === "one";
      if (select.hidden) return;
      const series = companionsOf(pane.medium, this.media).sort((a, b) => a.ordinal - b.ordinal);
      select.replaceChildren(...series.map((medium) => h("option", { value: medium.ordinal, selected: medium === pane.medium }, nameOfSeries(medium))));
      select.value = String(pane.medium.ordinal);
    });
  }

  /** @returns {import("../lib/hanging.js").Protocol | null} */
  own() {
    try {
      return JSON.parse(localStorage.getItem(this.storage) ?? "null");
    } catch {
      return null;
    }
  }

  keep() {
    const { editor } = this;
    const shown = editor.panes.filter((pane) => pane.isShown);
    const panes = shown.map((pane) => ({ series: `#${pane.medium.ordinal + 1}`, plane: pane.plane }));
    localStorage.setItem(this.storage, JSON.stringify({ layout: editor.layout, panes }));
    this.close("Items of this project open like this in this browser.");
  }

  drop() {
    localStorage.removeItem(this.storage);
    if (!this.open()) this.editor.hang("one", hungAlone("one", this.media[0], "axial", this.media));
    this.close("Items of this project open as the project arranges them.");
  }

  close(words) {
    byId("hanging").open = false;
    this.show();
    this.editor.say(words);
    this.editor.canvas.focus({ preventScroll: true });
  }
}
