// The labeling page: brings the document, the plane editor, the panels and the server together.
import { listen } from "../canvas/input.js";
import { Pixels } from "../canvas/pixels.js";
import { PlaneEditor } from "../canvas/plane.js";
import { TiledPixels } from "../canvas/tiles.js";
import { nameOfSeries } from "../lib/hanging.js";
import { packed } from "../lib/piece.js";
import { Colleagues } from "../live/colleagues.js";
import { ask, bringMasks, storeMask } from "../live/server.js";
import { DocumentSocket } from "../live/socket.js";
import { actsOf } from "./acts.js";
import { Aside } from "./aside.js";
import { showSaved, startClock } from "./bar.js";
import { byId, h } from "./dom.js";
import { Draft } from "./draft.js";
import { Finish } from "./finish.js";
import { Hanging } from "./hanging.js";
import { listenToKeys } from "./keys.js";
import { startLayouts } from "./layouts.js";
import { startOptions, startProposals } from "./options.js";
import { Outbox } from "./outbox.js";
import { ClassPanel, QuestionPanel, ShapePanel, trayOf } from "./panels.js";
import { readoutOf } from "./readout.js";
import { whenAsked } from "./parts.js";
import { Pins } from "./pins.js";
import { Slices } from "./slices.js";
import { Sync } from "./sync.js";
import { startToolbox, startWindows, useTool } from "./toolbox.js";

const OVER = ["submitted", "skipped", "unreadable", "disputed"];
const TOO_LATE = "It had not reached the server when this image was closed, and is not part of it. Draw it again if the image comes back to you.";
const NOT_LOADED = "This part of the page could not be loaded. Your work is safe. Try again when you are online.";
const page = byId("main");
const { assignment, document: address, media: mediaAddress } = page.dataset;

start().catch((error) => cover("alert", "This image could not be opened", error.message, true));

async function start() {
  const workspace = await ask(address);
  const draft = new Draft(workspace, await masksOf(workspace));
  const outbox = await Outbox.open(assignment, workspace.author);
  // Before anything can be done or is said: what comes next stands behind it.
  for (const operation of await outbox.kept()) {
    if (OVER.includes(workspace.status)) draft.leaveOut(operation, TOO_LATE);
    else await takeUp(draft, operation);
  }
  // A server without sockets says so by an empty address: everything goes over HTTP then, and nobody else is seen.
  const socket = page.dataset.socket ? new DocumentSocket(page.dataset.socket) : null;
  const sync = new Sync(draft, outbox, address, workspace, socket);
  const { classes, questions } = workspace.ontology;
  const store = async (piece) => {
    const bits = packed(piece);
    const name = await storeMask(address, piece, bits);
    draft.layers.masks.set(name, { size: piece.size, bits });
    return name;
  };
  const canvases = /** @type {HTMLCanvasElement[]} */ ([...document.querySelectorAll("#panes > .pane canvas")]);
  const editor = new PlaneEditor(canvases, draft, classes, store);
  editor.lateTools = { assist: whenAsked(async () => (await import("./assist.js")).assistTool(editor, address, workspace.click_models)) };
  editor.pixelsOf = (medium) => (medium.has_pixels ? pixelsOf(medium) : null);
  draft.addEventListener("change", () => editor.redraw());
  sync.settled = async () => {
    const { current } = editor.proposals;
    await editor.proposals.settled;
    if (editor.proposals.current && editor.proposals.current !== current) throw new Error("What you kept last was not stored. The preview stays: press Enter to try again.");
  };
  const isWatching = workspace.is_watching === true;
  if (isWatching) editor.closedWords = "You watch here: press C to pin a comment to a place.";
  editor.addEventListener("say", (event) => say(/** @type {CustomEvent} */ (event).detail));
  draft.addEventListener("say", (event) => say(/** @type {CustomEvent} */ (event).detail));
  sync.addEventListener("refused", (event) => say(/** @type {CustomEvent} */ (event).detail));

  showCode(workspace);
  showSaved(sync, draft);
  const slices = new Slices(editor, draft, workspace.media, assignment);
  const nextPreset = startWindows(editor);
  let past = null;
  const replay = whenAsked(async () => (past = new (await import("./replay.js")).Replay(editor, draft, address, say, () => end(), (ordinal) => open(ordinal))));
  const hanging = new Hanging(editor, workspace.media, workspace.hanging ?? null, page.dataset.project);
  const acts = { ...actsOf(editor, draft, mediaAddress, hanging), replay: () => replay().then((one) => one.toggle(), () => say(NOT_LOADED)), draft: () => undefined, pin: () => undefined, leavePin: () => false };
  startToolbox(editor, classes, acts);
  startOptions(editor);
  startProposals(editor);
  startLayouts(editor, draft, hanging);
  new ClassPanel(byId("classes"), editor, classes);
  const shapes = new ShapePanel(byId("shapes"), byId("no-shapes"), byId("shape-count"), editor, draft, classes);
  const answers = new QuestionPanel(byId("questions"), draft, questions);
  byId("question-section").hidden = !questions.length;
  byId("class-section").hidden = !classes.length;
  trayOf(byId("tray"), draft);
  const finish = new Finish(page.dataset, sync, draft, {
    extent: () => slices.extent(), say, assignment, hasClasses: classes.length > 0,
    questions: answers, editor,
  });
  const aside = new Aside(page.dataset, sync, say, (to) => finish.leave(to));
  const open = showMedia(editor, workspace.media);
  const ticket = page.dataset.ticket ? new (await import("./ticket.js")).Ticket(/** @type {any} */ (page.dataset), editor, sync, { say, leave: (to) => finish.leave(to), open }) : null;
  const hasDrafts = workspace.drafts !== "no" && !ticket && !isWatching && workspace.status === "open";
  if (hasDrafts) acts.draft = draftOf(editor, draft, page.dataset);
  const pins = new Pins(page.dataset.pins, editor, socket, { say, open, showMarks: () => slices.queueMarks(), isWatching });
  Object.assign(acts, { pin: () => pins.begin(), leavePin: () => pins.leave() });
  slices.pinned = (ordinal) => pins.slices(ordinal);
  shapes.people = workspace.people ?? {};
  const colleagues = socket && workspace.is_shared ? new Colleagues(socket, editor, { bar: byId("people"), say, open }) : null;
  colleagues?.addEventListener("people", () => {
    for (const one of colleagues.people()) shapes.people[one.id] = one.name;
  });
  listen(editor, (position) => {
    byId("readout").textContent = readoutOf(editor, position);
    colleagues?.moved(position);
  });
  listenToKeys(editor, finish, classes, { useTool: (tool) => useTool(editor, classes, tool), nextPreset, nextRemark: () => ticket?.next() || nextRemark(), aside, ticket, acts });

  editor.addEventListener("picture", () => showPicture(editor));
  if (!hanging.open()) open(0);
  ticket?.load().catch((error) => say(error.message));
  const end = () => {
    editor.isReadOnly = isWatching || workspace.status !== "open" || sync.isEnded || past?.isOpen === true;
    page.classList.toggle("is-closed", editor.isReadOnly && !isWatching);
    byId("questions").inert = editor.isReadOnly;
  };
  sync.addEventListener("status", end);
  // The page itself asks whoever ran out of time whether to take the image again.
  if (workspace.status !== "open") sync.set("closed", closedWords(workspace.status));
  end();
  if (classes.length) editor.setLabel(classes[0].key);
  draft.emit("change");
  sync.push();
  startClock(page.dataset.heartbeat, workspace.active_s, () => !editor.isReadOnly);
  byId("trouble-retry").addEventListener("click", () => sync.push());
  byId("trouble-again").addEventListener("click", () => {
    // Opening the page takes the image again where nobody else got it meanwhile; else it says so.
    if (sync.status === "lease-ended") location.reload();
    else location.assign(page.dataset.queue);
  });
  if (hasDrafts && workspace.drafts === "offered" && !draft.state.shapes.size && !draft.state.marks.size) acts.draft();
  byId("canvas").focus({ preventScroll: true });
  page.dataset.ready = "yes";
  warnBeforeLeaving(draft, outbox, editor);
}

/** What shows the model's draft, or hides it; its code is brought when it is first asked for. */
function draftOf(editor, draft, addresses) {
  const part = whenAsked(async () => new (await import("./model_draft.js")).ModelDraft(editor, draft, addresses, say));
  const toggle = () => part().then((one) => one.toggle(), () => say(NOT_LOADED));
  byId("draft-section").hidden = false;
  byId("draft-show").addEventListener("click", toggle);
  return toggle;
}

/** The masks that the document's base and patches name. */
function masksOf({ state }) {
  return bringMasks(new Map(), address, [...state.layers, ...state.marks.map((mark) => mark.payload)]);
}

/** A patch that was kept over a reload names a mask that the state does not name yet. */
async function takeUp(draft, operation) {
  await bringMasks(draft.layers.masks, address, [operation.payload]).catch(() => undefined);
  draft.resume(operation);
}

function pixelsOf(medium) {
  const place = `${mediaAddress}${medium.ordinal}/`;
  return medium.tiles ? new TiledPixels(place, medium) : new Pixels(`${place}slice/`, medium);
}

/** One button a medium where there are several: it shows it in the active pane. Returns how to show the one of an ordinal. */
function showMedia(editor, media) {
  const bar = byId("media");
  bar.hidden = media.length < 2;
  const open = (medium) => {
    if (editor.layout === "one" && medium !== editor.medium) cover("clock", "Loading the picture", "");
    return editor.medium ? editor.setMedium(editor.active, medium) : editor.open(medium);
  };
  const show = () => {
    const { medium } = editor;
    for (const button of bar.children) button.setAttribute("aria-pressed", String(button.dataset.ordinal === String(medium.ordinal)));
    if (!medium.has_pixels) cover("grid", "Only the grid of this image is known", "Its picture was never brought in. What is drawn is kept at its place.", false, true);
    editor.document.emit("change");
  };
  for (const name of ["medium", "series"]) editor.addEventListener(name, show);
  bar.replaceChildren(...media.map((medium) => h("button", {
    type: "button", class: "button is-quiet", "data-ordinal": medium.ordinal, on: { click: () => open(medium) },
  }, nameOfSeries(medium))));
  return (ordinal) => open(media.find((medium) => medium.ordinal === ordinal) ?? media[0]);
}

function showPicture(editor) {
  if (editor.trouble) cover("alert", "This picture could not be read", editor.trouble, true);
  else byId("cover").hidden = true;
}

/** A message over the image; `isNote`: at its edge, so that the grid stays usable. */
function cover(picture, title, text, canReload = false, isNote = false) {
  const element = byId("cover");
  element.hidden = false;
  element.classList.toggle("is-note", isNote);
  byId("cover-icon").setAttribute("href", `#i-${picture}`);
  byId("cover-title").textContent = title;
  byId("cover-text").textContent = text;
  byId("cover-reload").hidden = !canReload;
}

byId("cover-reload").addEventListener("click", () => location.reload());

function showCode(workspace) {
  byId("code").textContent = workspace.code;
}

function closedWords(status) {
  // The page itself says what to do with these.
  if (["expired", "parked", "asked", "submitted"].includes(status)) return "";
  if (status === "disputed") return "You disputed what came back. Somebody else looks; nothing can be changed here.";
  if (status === "unreadable") return "You said that this image cannot be read. Nothing can be changed here.";
  return status === "skipped" ? "You skipped this image. Nothing can be changed here." : "You submitted this image. Nothing can be changed here.";
}

let sayTimer;

/** A sentence over the image; it goes by itself, and is read out. */
function say(text) {
  const element = byId("said");
  element.textContent = text;
  element.hidden = false;
  clearTimeout(sayTimer);
  sayTimer = setTimeout(() => {
    element.hidden = true;
  }, 2500 + 45 * text.length);
}

/** Go to the reviewer's words, the next of them each time. */
function nextRemark() {
  const remarks = [...document.querySelectorAll("#remarks li")];
  if (!remarks.length) return;
  const at = remarks.indexOf(document.activeElement);
  /** @type {HTMLElement} */ (remarks[(at + 1) % remarks.length]).focus();
}

/** Masks on their way, and whatever else where the browser keeps nothing, would be lost with the window. */
function warnBeforeLeaving(draft, outbox, editor) {
  addEventListener("beforeunload", (event) => {
    if ((draft.pending.length && !outbox.database) || editor.proposals.leaving.length) event.preventDefault();
  });
}
