// Comments pinned to places of the image, while it is labeled: set with C, shown on their slice, answered in the side panel.
//
// What the socket brings is only that there is news; what was said is asked for over HTTP, now and then also without a hint. A
// pin is there once the server kept it: what cannot be sent stays in its field, under the same id. Not here: the list (pin_list.js).
import { axesOf, placeIn, voxelAt } from "../lib/planes.js";
import { ask, Unreachable } from "../live/server.js";
import { write } from "../canvas/marks.js";
import { byId } from "./dom.js";
import { PinList } from "./pin_list.js";

const LOOK_EVERY_MS = 15_000;
// On so many slices before and after its own a pin is hinted at.
const HINTED = 8;
const HEAD = 11;
const COLOURS = { open: "#ffd34d", resolved: "#9aa79c", chosen: "#ffffff" };

export class Pins {
  /**
   * @param {string} address of the pins
   * @param {import("../canvas/plane.js").PlaneEditor} editor
   * @param {import("../live/socket.js").DocumentSocket | null} socket
   * @param {{say: (text: string) => void, open: (ordinal: number) => Promise<any>, showMarks: () => void, isWatching: boolean}} page
   */
  constructor(address, editor, socket, page) {
    this.address = address;
    this.editor = editor;
    this.page = page;
    /** @type {any[]} */
    this.pins = [];
    this.version = "";
    this.chosen = "";
    /** Where the pin lies that is being written. @type {any} */
    this.fresh = null;
    this.list = new PinList(this);
    this.form = byId("pin-form");
    this.field = byId("pin-text");
    editor.overlays.push((context, view, pane) => this.draw(context, view, pane));
    for (const pane of editor.panes) pane.canvas.addEventListener("pointerdown", (event) => this.press(event, pane), { capture: true });
    socket?.addEventListener("pins", () => this.look());
    socket?.addEventListener("open", () => this.look());
    setInterval(() => !document.hidden && performance.now() - (this.lookedAt ?? 0) >= LOOK_EVERY_MS && this.look(), 1000);
    this.form.addEventListener("submit", (event) => this.keep(event));
    this.form.addEventListener("keydown", (event) => this.key(event));
    byId("pin-drop").addEventListener("click", () => this.leave());
    editor.addEventListener("slice", () => this.leave());
    this.list.show();
    this.look();
  }

  /** Ask what stands now; nothing is sent back where nothing changed. */
  async look() {
    this.lookedAt = performance.now();
    const answer = await ask(`${this.address}?seen=${this.version}`).catch(() => null);
    if (answer?.pins) this.take(answer);
  }

  take({ version, pins }) {
    this.version = version;
    this.pins = pins;
    this.list.show();
    this.editor.redraw();
    this.page.showMarks();
  }

  /** Do something and take in how all pins stand then. Where it cannot be done the reason is said, and false returned. */
  async send(path, body) {
    try {
      this.take(await ask(`${this.address}${path}`, { body }));
      return true;
    } catch (error) {
      this.page.say(error instanceof Unreachable ? "The server cannot be reached. Your words stay here; send them again." : error.message);
      return false;
    }
  }

  // Setting one.

  /** C: a pin under the pointer, else at the keyboard's pointer, else at the cross-hair, else where is pressed next. */
  begin() {
    const { editor } = this;
    if (!editor.medium || !editor.view) return undefined;
    if (editor.isReadOnly && !this.page.isWatching) return this.page.say("This image is closed. Answer at the pins that are there.");
    const cross = editor.isLinked ? placeIn(editor.active.plane, editor.position).map((part) => part + 0.5) : null;
    const at = editor.pointer ?? editor.crosshair ?? cross;
    if (editor.tool.isBusy) editor.tool.cancel?.();
    if (at) return this.beginAt(editor.active, at);
    this.isAsked = true;
    return this.page.say("Press on the place of the image. Esc leaves.");
  }

  beginAt(pane, at) {
    const [x, y] = pane.view.clamp(...at);
    this.isAsked = false;
    this.fresh = {
      medium: this.editor.medium.ordinal, place: voxelAt(pane.plane, x, y, pane.index), plane: pane.plane, index: pane.index, request_id: crypto.randomUUID(),
    };
    this.form.hidden = false;
    this.place(pane, x, y);
    this.field.value = "";
    this.field.focus();
    this.editor.redraw();
  }

  /** The field stands beside its place, inside the stage. */
  place(pane, x, y) {
    const box = pane.canvas.getBoundingClientRect();
    const stage = this.form.parentElement.getBoundingClientRect();
    const [left, top] = pane.view.toScreen(x, y);
    const fits = (at, length, room) => Math.max(8, Math.min(at, room - length - 8));
    this.form.style.left = `${fits(box.left - stage.left + left + 18, this.form.offsetWidth, stage.width)}px`;
    this.form.style.top = `${fits(box.top - stage.top + top - 12, this.form.offsetHeight, stage.height)}px`;
  }

  /** Nothing is set; false where nothing was begun. */
  leave() {
    const isBegun = Boolean(this.fresh ?? this.isAsked);
    this.isAsked = false;
    if (!this.fresh || this.isSending) return isBegun;
    this.fresh = null;
    this.form.hidden = true;
    this.editor.canvas.focus({ preventScroll: true });
    this.editor.redraw();
    return isBegun;
  }

  key(event) {
    if (event.key === "Escape") this.leave();
    else if (event.key === "Enter" && !event.shiftKey) this.form.requestSubmit();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  async keep(event) {
    event.preventDefault();
    const text = this.field.value.trim();
    if (!text || this.isSending) return;
    const { medium, place: [z, y, x], plane, request_id } = this.fresh;
    // Along the slices a place is the middle of its voxel.
    const inside = (value, axis) => (axesOf(plane).along === axis ? value + 0.5 : value);
    this.isSending = true;
    const isKept = await this.send("", { medium, x: inside(x, 2), y: inside(y, 1), z: Math.min(this.editor.depth - 1, Math.floor(z)), text, request_id });
    this.isSending = false;
    if (!isKept) return;
    this.chosen = request_id;
    this.list.show();
    this.leave();
  }

  // Going to one.

  async show(id) {
    const pin = this.pins.find((one) => one.id === id);
    if (!pin) return;
    this.chosen = id;
    if (this.editor.medium.ordinal !== pin.medium) await this.page.open(pin.medium);
    const { active } = this.editor;
    await this.editor.goPlace([pin.z, pin.y, pin.x]);
    const [x, y] = placeIn(active.plane, placeOf(pin));
    active.view?.show([x - 1, y - 1, x + 1, y + 1]);
    this.list.show();
    this.editor.redraw();
  }

  /** With Select in hand a press on a pin's head opens it. */
  press(event, pane) {
    if (event.button !== 0 || !pane.view || (!this.isAsked && this.editor.toolName !== "select")) return;
    const box = pane.canvas.getBoundingClientRect();
    if (this.isAsked) {
      event.preventDefault();
      event.stopImmediatePropagation();
      this.editor.activate(pane);
      this.beginAt(pane, pane.view.toImage(event.clientX - box.left, event.clientY - box.top));
      return;
    }
    const hit = this.here(pane).find(({ pin }) => {
      const [x, y] = headOf(pane.view, pane.plane, pin);
      return Math.hypot(event.clientX - box.left - x, event.clientY - box.top - y) <= HEAD + 3;
    });
    if (!hit) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    this.chosen = hit.pin.id;
    this.list.show();
    this.list.focus(hit.pin.id);
    this.editor.redraw();
  }

  // Showing.

  numbered() {
    return this.pins.map((pin, i) => ({ pin, number: i + 1 }));
  }

  /** The pins of the picture that is shown, with how many slices of the pane they are away. */
  near(pane) {
    const { along } = axesOf(pane.plane);
    return this.numbered()
      .filter(({ pin }) => pin.medium === this.editor.medium.ordinal)
      .map((entry) => ({ ...entry, away: Math.floor([entry.pin.z, entry.pin.y, entry.pin.x][along]) - pane.shown }));
  }

  here(pane) {
    return this.near(pane).filter(({ away }) => away === 0);
  }

  /** Axial slices with an open pin. */
  slices(ordinal) {
    return new Set(this.pins.filter((pin) => pin.medium === ordinal && !pin.is_resolved).map((pin) => pin.z));
  }

  draw(context, view, pane) {
    if (this.editor.isHidden || !this.editor.medium) return;
    for (const { pin, number, away } of this.near(pane)) {
      const isChosen = pin.id === this.chosen;
      if (away === 0) drawPin(context, headOf(view, pane.plane, pin), String(number), pin.is_resolved, isChosen);
      else if (!pin.is_resolved && Math.abs(away) <= HINTED) drawHint(context, headOf(view, pane.plane, pin), number, away);
    }
    const { fresh } = this;
    if (fresh && fresh.medium === this.editor.medium.ordinal && fresh.plane === pane.plane && fresh.index === pane.shown) {
      const [x, y] = view.toScreen(...placeIn(pane.plane, fresh.place));
      drawPin(context, [x, y - 2 * HEAD], "+", false, true);
    }
  }
}

function placeOf(pin) {
  return [pin.z + 0.5, pin.y, pin.x];
}

/** @returns {[number, number]} where the middle of a pin's head is on the screen; its foot is the place itself */
function headOf(view, plane, pin) {
  const [x, y] = view.toScreen(...placeIn(plane, placeOf(pin)));
  return [x, y - 2 * HEAD];
}

function drawPin(context, [x, y], text, isResolved, isChosen) {
  context.save();
  context.beginPath();
  context.moveTo(x, y + 2 * HEAD);
  context.arc(x, y, HEAD, 0.8 * Math.PI, 0.2 * Math.PI);
  context.closePath();
  context.fillStyle = isChosen ? COLOURS.chosen : isResolved ? COLOURS.resolved : COLOURS.open;
  context.strokeStyle = "#101010";
  context.lineWidth = isChosen ? 3 : 2;
  context.stroke();
  context.fill();
  context.fillStyle = "#101010";
  context.font = "700 12px system-ui, sans-serif";
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(isResolved && text !== "+" ? "✓" : text, x, y + 0.5);
  context.restore();
}

/** A ring with the number and how many slices on it lies: up the numbers or down. */
function drawHint(context, [x, y], number, away) {
  context.save();
  context.globalAlpha = 1 - Math.abs(away) / (HINTED + 4);
  context.beginPath();
  context.arc(x, y + 2 * HEAD, 4, 0, 2 * Math.PI);
  context.lineWidth = 1.5;
  context.strokeStyle = COLOURS.open;
  context.stroke();
  context.font = "600 11px system-ui, sans-serif";
  context.textAlign = "left";
  context.textBaseline = "middle";
  write(context, `${number} ${away > 0 ? "▲" : "▼"}${Math.abs(away)}`, x + 8, y + 2 * HEAD);
  context.restore();
}
