// The labeling page: brings the document, the plane editor, the panels and the server together.
import { listen } from "../canvas/input.js";
import { Pixels } from "../canvas/pixels.js";
import { PlaneEditor } from "../canvas/plane.js";
import { Aside } from "./aside.js";
import { showSaved, startClock } from "./bar.js";
import { byId, h } from "./dom.js";
import { Draft } from "./draft.js";
import { Finish } from "./finish.js";
import { listenToKeys } from "./keys.js";
import { Outbox } from "./outbox.js";
import { ClassPanel, QuestionPanel, ShapePanel, trayOf } from "./panels.js";
import { ask, fetchBits } from "./server.js";
import { Slices } from "./slices.js";
import { Sync } from "./sync.js";
import { readoutOf, startToolbox, startWindows, useTool } from "./toolbox.js";

const page = byId("main");
const { assignment, document: address, media: mediaAddress } = page.dataset;

start().catch((error) => cover("alert", "This image could not be opened", error.message, true));

async function start() {
  const workspace = await ask(address);
  const draft = new Draft(workspace, await masksOf(workspace));
  const outbox = await Outbox.open(assignment, workspace.author);
  const sync = new Sync(draft, outbox, address, workspace);
  const { classes, questions } = workspace.ontology;
  const editor = new PlaneEditor(byId("canvas"), draft, classes);
  draft.addEventListener("change", () => editor.redraw());
  editor.addEventListener("say", (event) => say(/** @type {CustomEvent} */ (event).detail));
  sync.addEventListener("refused", (event) => say(/** @type {CustomEvent} */ (event).detail));

  showCode(workspace);
  showSaved(sync, draft);
  const slices = new Slices(editor, draft, workspace.media, assignment);
  const nextPreset = startWindows(editor);
  startToolbox(editor, draft, classes);
  new ClassPanel(byId("classes"), editor, classes);
  new ShapePanel(byId("shapes"), byId("no-shapes"), byId("shape-count"), editor, draft, classes);
  const answers = new QuestionPanel(byId("questions"), draft, questions);
  byId("question-section").hidden = !questions.length;
  byId("class-section").hidden = !classes.length;
  trayOf(byId("tray"), draft);
  const finish = new Finish(page.dataset, sync, draft, {
    extent: () => slices.extent(), say, assignment, hasClasses: classes.length > 0,
    missing: answers.firstMissing, focusQuestion: (key) => answers.focus(key),
  });
  const aside = new Aside(page.dataset, sync, say, (to) => finish.leave(to));
  listen(editor, (position) => {
    byId("readout").textContent = readoutOf(editor, position);
  });
  listenToKeys(editor, draft, finish, classes, { useTool: (tool) => useTool(editor, classes, tool), nextPreset, nextRemark, aside });

  for (const operation of await outbox.kept()) draft.resume(operation);
  editor.addEventListener("picture", () => showPicture(editor));
  showMedia(editor, workspace.media);
  const end = () => {
    editor.isReadOnly = workspace.status !== "open" || sync.isEnded;
    page.classList.toggle("is-closed", editor.isReadOnly);
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
  byId("canvas").focus({ preventScroll: true });
  page.dataset.ready = "yes";
  warnBeforeLeaving(draft, outbox);
}

/** The masks that the document's base and patches name. */
async function masksOf(workspace) {
  const parts = [...workspace.state.layers, ...workspace.state.marks.map((mark) => mark.payload).filter((payload) => payload.mask)];
  const named = new Map(parts.map((part) => [part.mask, part.size]));
  const loaded = await Promise.all([...named].map(async ([name, size]) => [name, { size, bits: await fetchBits(`${address}masks/${name}/`) }]));
  return new Map(/** @type {[string, any][]} */ (loaded));
}

/** One button a medium where there are several; the first is shown. */
function showMedia(editor, media) {
  const bar = byId("media");
  bar.hidden = media.length < 2;
  const open = (medium) => {
    cover("clock", "Loading the picture", "");
    for (const button of bar.children) button.setAttribute("aria-pressed", String(button.dataset.ordinal === String(medium.ordinal)));
    editor.open(medium, medium.has_pixels ? new Pixels(`${mediaAddress}${medium.ordinal}/slice/`, medium) : null);
    if (!medium.has_pixels) cover("grid", "Only the grid of this image is known", "Its picture was never brought in. What is drawn is kept at its place.", false, true);
    editor.document.emit("change");
  };
  bar.replaceChildren(...media.map((medium) => h("button", {
    type: "button", class: "button is-quiet", "data-ordinal": medium.ordinal, on: { click: () => open(medium) },
  }, medium.metadata?.series_description ?? `Picture ${medium.ordinal + 1}`)));
  open(media[0]);
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

/** Only where the browser keeps nothing could closing the window lose work. */
function warnBeforeLeaving(draft, outbox) {
  addEventListener("beforeunload", (event) => {
    if (draft.pending.length && !outbox.database) event.preventDefault();
  });
}
