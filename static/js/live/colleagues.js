// Who else is at this image: their cursors with names, what they drag, what they hold, and following one of them.
//
// Presence is thrown away: who was not heard for a while is gone. Names and ids are the server's, never the sender's. Only in
// shared batches; in others no presence travels. Not here: the socket (socket.js), the drawing itself (canvas/).
import { drawShape } from "../canvas/scene.js";
import { outline } from "../lib/geometry.js";

const SEND_EVERY_MS = 60;
const ALIVE_EVERY_MS = 4000;
const GONE_AFTER_MS = 12_000;
const COLOURS = ["#ff8a5c", "#5cc8ff", "#b6e35a", "#ff7ad1", "#ffd34d", "#9f8cff", "#4fe0b5", "#ff9f9f"];
const MOST_GHOST_POINTS = 400;

export class Colleagues extends EventTarget {
  /**
   * @param {import("./socket.js").DocumentSocket} socket
   * @param {import("../canvas/plane.js").PlaneEditor} editor
   * @param {{bar: HTMLElement, say: (text: string) => void, open: (ordinal: number) => Promise<any>}} page
   */
  constructor(socket, editor, page) {
    super();
    this.socket = socket;
    this.editor = editor;
    this.page = page;
    /** @type {Map<string, {who: any, state: any, at: number}>} */
    this.windows = new Map();
    this.following = "";
    this.position = null;
    this.sentAt = 0;
    socket.addEventListener("presence", (event) => this.hear(/** @type {CustomEvent} */ (event).detail));
    socket.addEventListener("open", () => this.send());
    socket.addEventListener("gone", () => this.forgetAll());
    editor.overlays.push((context, view, pane) => this.draw(context, view, pane));
    editor.heldBy = (id) => this.holderOf(id);
    for (const name of ["slice", "tool", "label", "selection", "view"]) editor.addEventListener(name, () => this.sendSoon());
    for (const type of ["pointerdown", "wheel"]) for (const { canvas } of editor.panes) canvas.addEventListener(type, () => this.follow(""), { passive: true });
    editor.addEventListener("scrolled", () => this.follow(""));
    setInterval(() => this.tick(), 1000);
    this.show();
  }

  // What others are told.

  /** The pointer is at a place of the image, or left it. @param {[number, number] | null} position */
  moved(position) {
    this.position = position;
    this.sendSoon();
  }

  sendSoon() {
    if (this.timer) return;
    const wait = Math.max(0, this.sentAt + SEND_EVERY_MS - performance.now());
    this.timer = setTimeout(() => this.send(), wait);
  }

  send() {
    clearTimeout(this.timer);
    this.timer = null;
    this.sentAt = performance.now();
    if (this.editor.view) this.socket.tell({ type: "presence", state: this.own() });
  }

  own() {
    const { editor } = this;
    const place = { medium: editor.medium.ordinal, plane: editor.active.plane, index: editor.active.index };
    const state = { tool: editor.toolName, label: editor.label?.key, away: document.hidden };
    const [x0, y0] = editor.view.toImage(0, 0);
    const [x1, y1] = editor.view.toImage(editor.view.width, editor.view.height);
    Object.assign(state, { view: { ...place, x0, y0, x1, y1 } });
    if (this.position) Object.assign(state, { cursor: { ...place, x: this.position[0], y: this.position[1] } });
    if (editor.selectedId) Object.assign(state, { selection: editor.selectedId });
    const { drag } = editor.tool;
    if (drag?.hasMoved) Object.assign(state, { holds: drag.shape.shape_id });
    const ghost = ghostOf(editor);
    return ghost ? { ...state, ghost } : state;
  }

  // What others tell.

  hear({ who, state }) {
    const known = [...this.windows.values()].some((entry) => entry.who.id === who.id);
    if (state.is_gone) {
      this.windows.delete(who.window);
      if (known && ![...this.windows.values()].some((entry) => entry.who.id === who.id)) this.page.say(`${who.name} left.`);
    } else {
      this.windows.set(who.window, { who, state, at: performance.now() });
      if (!known) this.page.say(`${calledOf(who)} ${who.is_watching ? "watches" : "is here"}.`);
      // Who is new does not know who is here.
      if (state.is_new) this.sendSoon();
      if (this.following === who.id) this.goWith(state);
    }
    this.show();
    this.editor.redraw();
  }

  holderOf(shapeId) {
    const holder = [...this.windows.values()].find(({ state }) => state.holds === shapeId);
    return holder ? holder.who.name : "";
  }

  tick() {
    const now = performance.now();
    if (now - this.sentAt > ALIVE_EVERY_MS) this.send();
    for (const [window, entry] of this.windows) {
      if (now - entry.at < GONE_AFTER_MS) continue;
      this.windows.delete(window);
      this.show();
      this.editor.redraw();
    }
  }

  forgetAll() {
    this.windows.clear();
    this.show();
    this.editor.redraw();
  }

  // Following.

  follow(id) {
    if (this.following === id) return;
    this.following = id;
    const entry = [...this.windows.values()].find((one) => one.who.id === id);
    if (entry) {
      this.page.say(`You follow ${entry.who.name}. Press on the image to go your own way.`);
      this.goWith(entry.state);
    }
    this.show();
  }

  async goWith({ view: box }) {
    const { editor } = this;
    if (!box || editor.tool.isBusy) return;
    if (editor.medium.ordinal !== box.medium) await this.page.open(box.medium);
    if (editor.active.plane !== box.plane) await editor.setPlane(editor.active, box.plane);
    await editor.step(editor.active, box.index - editor.active.index);
    const { view } = editor;
    const across = Math.abs(box.x1 - box.x0) * view.aspect[0];
    const down = Math.abs(box.y1 - box.y0) * view.aspect[1];
    if (across <= 0 || down <= 0) return;
    const [wide, high] = view.isSideways ? [down, across] : [across, down];
    view.scale = Math.min(view.width / wide, view.height / high);
    view.place([(box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2], view.width / 2, view.height / 2);
    view.isFitted = false;
    editor.redraw();
  }

  // Showing.

  people() {
    const found = new Map();
    for (const { who, state } of this.windows.values()) found.set(who.id, { ...who, isAway: state.away === true });
    return [...found.values()].sort((a, b) => a.name.localeCompare(b.name));
  }

  show() {
    const people = this.people();
    if (this.following && !people.some((one) => one.id === this.following)) this.following = "";
    this.page.bar.hidden = !people.length;
    this.page.bar.replaceChildren(...people.map((one) => this.avatar(one)));
    this.dispatchEvent(new Event("people"));
  }

  avatar(one) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = `avatar${one.isAway ? " is-away" : ""}${one.is_watching ? " is-watching" : ""}`;
    button.style.setProperty("--colour", colourOf(one.id));
    button.textContent = initials(one.name);
    const isFollowed = this.following === one.id;
    button.setAttribute("aria-pressed", String(isFollowed));
    button.setAttribute("aria-label", `${calledOf(one)}${one.is_watching ? ", watches" : ""}${one.isAway ? ", away" : ""}: ${isFollowed ? "stop following" : "follow"}`);
    button.dataset.tip = `${calledOf(one)}${one.is_watching ? ", watches" : ""}${one.isAway ? " (away)" : ""}. Press to ${isFollowed ? "stop following" : "follow"}`;
    button.addEventListener("click", () => this.follow(isFollowed ? "" : one.id));
    return button;
  }

  draw(context, view, pane) {
    const { editor } = this;
    const isHere = (place) => place && place.medium === pane.medium.ordinal && place.index === pane.shown && place.plane === pane.plane;
    for (const { who, state } of this.windows.values()) {
      const colour = colourOf(who.id);
      if (isHere(state.view)) drawGhost(context, view, state.ghost, colour);
      const shape = editor.document.state.shapes.get(state.selection);
      if (pane.isAxial && shape && !shape.is_deleted && shape.medium === pane.medium.ordinal) {
        for (const region of editor.onSlice(shape.regions, pane.shown)) drawShape(context, view, [region], colour, { isSelected: false });
      }
      if (isHere(state.cursor)) drawCursor(context, view, state.cursor, calledOf(who), colour);
    }
  }
}

/** Who reviews is named as such. */
function calledOf({ name, role }) {
  return role ? `${name} (${role})` : name;
}

/** The colour of a person, the same in every window. */
export function colourOf(id) {
  let sum = 0;
  for (const letter of id) sum = (sum * 31 + letter.charCodeAt(0)) >>> 0;
  return COLOURS[sum % COLOURS.length];
}

function initials(name) {
  const words = name.trim().split(/\s+/);
  return (words.length > 1 ? words[0][0] + words.at(-1)[0] : name.slice(0, 2)).toUpperCase();
}

/** What is being drawn or dragged now, thinned out. */
export function ghostOf(editor) {
  const { tool } = editor;
  if (!tool.isBusy) return null;
  const { drag } = tool;
  if (drag) {
    const at = drag.index ?? drag.held?.index;
    const region = at === undefined ? editor.onSlice(drag.regions)[0] : drag.regions[at];
    if (!drag.hasMoved || !region) return null;
    return region.rotation_deg ? { kind: "polygon", points: outline(region) } : { kind: region.kind, points: thinned(region.points) };
  }
  if (tool.start) return tool.region();
  if (!tool.points?.length) return null;
  // What is not closed yet is a line.
  if (tool.radius === undefined) return { kind: "polyline", points: thinned(tool.points) };
  const points = [];
  for (let i = 0; i < tool.points.length; i += 2) points.push([tool.points[i] / 4, tool.points[i + 1] / 4]);
  return { kind: "stroke", points: thinned(points), radius: tool.radius / 4 };
}

function thinned(points) {
  const step = Math.ceil(points.length / MOST_GHOST_POINTS);
  return step === 1 ? points : points.filter((_, i) => i % step === 0);
}

function drawGhost(context, view, ghost, colour) {
  if (!ghost) return;
  context.save();
  context.globalAlpha = 0.75;
  if (ghost.kind === "stroke") {
    context.lineCap = "round";
    context.lineJoin = "round";
    context.globalAlpha = 0.35;
    context.strokeStyle = colour;
    context.lineWidth = Math.max(1, 2 * ghost.radius * view.step[0]);
    context.beginPath();
    for (const [x, y] of [...ghost.points, ghost.points.at(-1)]) context.lineTo(...view.toScreen(x, y));
    context.stroke();
  } else drawShape(context, view, [ghost], colour);
  context.restore();
}

function drawCursor(context, view, { x, y }, name, colour) {
  const [sx, sy] = view.toScreen(x, y);
  context.save();
  context.beginPath();
  context.moveTo(sx, sy);
  context.lineTo(sx + 4, sy + 14);
  context.lineTo(sx + 7.5, sy + 8.5);
  context.lineTo(sx + 13, sy + 6);
  context.closePath();
  context.fillStyle = colour;
  context.strokeStyle = "#000000";
  context.lineWidth = 1.5;
  context.stroke();
  context.fill();
  context.font = "600 12px system-ui, sans-serif";
  const width = context.measureText(name).width + 10;
  context.beginPath();
  context.roundRect(sx + 10, sy + 13, width, 18, 5);
  context.fill();
  context.fillStyle = "#101010";
  context.fillText(name, sx + 15, sy + 26);
  context.restore();
}
