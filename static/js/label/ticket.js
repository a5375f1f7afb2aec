// Work that came back: the marked places as a list and on the image, jumping from one to the next, and Fix or Dispute.
import { strokeTwice } from "../canvas/scene.js";
import { byId, h } from "./dom.js";
import { ask } from "../live/server.js";

const COLOUR = "#ffd34d";
const WHOSE = { own: "#8ec5ff", other: "#ffd34d" };

export class Ticket {
  /**
   * @param {{ticket: string, dispute: string}} addresses
   * @param {import("../canvas/plane.js").PlaneEditor} editor
   * @param {import("./sync.js").Sync} sync
   * @param {{say: (text: string) => void, leave: (address: string) => void, open: (ordinal: number) => Promise<any>}} page
   */
  constructor(addresses, editor, sync, page) {
    this.addresses = addresses;
    this.editor = editor;
    this.sync = sync;
    this.page = page;
    this.regions = [];
    this.outlines = [];
    this.at = -1;
    editor.overlays.push((context, view, pane) => pane.isAxial && this.draw(context, view, pane));
    byId("fix")?.addEventListener("click", () => this.fix());
    byId("dispute")?.addEventListener("click", () => this.open());
    byId("dispute-form")?.addEventListener("input", () => this.tell(""));
    byId("dispute-form")?.addEventListener("submit", (event) => this.send(event));
  }

  async load() {
    const { marks } = await ask(this.addresses.ticket);
    this.regions = marks.regions ?? [];
    this.outlines = marks.outlines ?? [];
    const list = byId("regions");
    list.replaceChildren(...this.regions.map((region, index) => h("li", {},
      h("button", { type: "button", class: "region-row", "aria-pressed": "false", on: { click: () => this.show(index) } },
        h("span", { class: "name" }, this.nameOf(region, index)), h("span", { class: "hint" }, this.distanceOf(region))))));
    byId("marks-title").hidden = !this.regions.length;
    byId("marks-note").textContent = noteOf(marks);
    this.editor.redraw();
  }

  nameOf(region, index) {
    const label = this.editor.classes.get(region.label)?.name ?? region.label ?? "Place";
    const side = { extra: ", more than others drew", missing: ", less than others drew" }[region.side] ?? "";
    const where = this.depthOf(region) > 1 ? ` · slice ${region.z + 1}` : "";
    return `${index + 1}. ${label}${side}${where}`;
  }

  depthOf(region) {
    return this.editor.medium?.ordinal === region.medium ? this.editor.depth : 2;
  }

  distanceOf(region) {
    return region.distance === null || region.distance === undefined ? "" : `about ${region.distance} ${region.unit}`;
  }

  /** The next marked place; false where there is none, so that the key goes on to the words. */
  next() {
    if (!this.regions.length) return false;
    this.show((this.at + 1) % this.regions.length);
    return true;
  }

  async show(index) {
    this.at = index;
    const region = this.regions[index];
    if (this.editor.medium.ordinal !== region.medium) await this.page.open(region.medium);
    await this.editor.showAxial();
    if (this.editor.z !== region.z) await this.editor.goTo(region.z);
    this.bringIntoSight(region);
    [...byId("regions").querySelectorAll("button")].forEach((button, place) => button.setAttribute("aria-pressed", String(place === index)));
    this.page.say(`${this.nameOf(region, index)}${this.distanceOf(region) ? `, ${this.distanceOf(region)}` : ""}`);
    this.editor.redraw();
  }

  /** A mark that is nearly as large as the picture is seen best on all of it. */
  bringIntoSight({ x, y, radius }) {
    const { view } = this.editor;
    if (2 * radius >= 0.6 * Math.min(view.columns, view.rows)) view.fit();
    else view.show([Math.max(0, x - radius), Math.max(0, y - radius), Math.min(view.columns, x + radius), Math.min(view.rows, y + radius)]);
  }

  draw(context, view, pane) {
    const { medium } = pane;
    const z = pane.position[0];
    for (const outline of this.outlines.filter((one) => one.medium === medium.ordinal)) {
      for (const region of outline.regions.filter((one) => (one.z ?? 0) === z && one.kind === "polygon")) {
        strokeTwice(context, view, region.points, true, WHOSE[outline.whose], 1.5);
      }
    }
    this.regions.forEach((region, index) => {
      const [first, last] = region.planes ?? [region.z, region.z];
      if (region.medium !== medium.ordinal || z < first || z > last) return;
      const [x, y] = view.toScreen(region.x, region.y);
      context.save();
      context.setLineDash([8, 5]);
      for (const [colour, width] of /** @type {[string, number][]} */ ([["#000000aa", 4], [COLOUR, index === this.at ? 2.5 : 1.5]])) {
        context.beginPath();
        context.arc(x, y, region.radius * view.step[0], 0, 2 * Math.PI);
        context.strokeStyle = colour;
        context.lineWidth = width;
        context.stroke();
      }
      context.setLineDash([]);
      context.font = "600 13px system-ui, sans-serif";
      context.fillStyle = COLOUR;
      context.fillText(String(index + 1), x + 4, y - region.radius * view.step[0] - 4);
      context.restore();
    });
  }

  fix() {
    byId("canvas").focus();
    if (!this.next()) this.page.say("Correct what you now see differently, then submit with Ctrl+Enter.");
  }

  open() {
    if (this.sync.isEnded || !byId("dispute-dialog")) return;
    this.tell("");
    byId("dispute-dialog").showModal();
  }

  async send(event) {
    if (event.submitter?.value === "cancel") return;
    event.preventDefault();
    const reason = byId("dispute-reason").value.trim();
    if (!reason) return this.tell("Say why it is right: a reviewer reads it.");
    if (this.isBusy) return;
    this.isBusy = true;
    try {
      await this.sync.flushed();
      const answer = await ask(this.addresses.dispute, { body: { reason } });
      this.page.leave(answer.next);
    } catch (error) {
      this.tell(error.message);
    } finally {
      this.isBusy = false;
    }
  }

  tell(words) {
    byId("dispute-trouble").textContent = words;
    if (words) byId("dispute-reason").focus();
  }
}

function noteOf(marks) {
  if (!(marks.regions ?? []).length) return "No place is marked: read the words, and look at all of it.";
  if (marks.kind === "exact") return "N goes to the next place. Blue: your outline. Yellow: what others drew." + (marks.is_cut ? " On slices far from a mark they are left out." : "");
  return "N goes to the next place. The circles are coarse and the distances rounded, so that your next look stays your own.";
}
