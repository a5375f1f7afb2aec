// The tool strip with its flyouts, and the window presets. Not here: options of a tool (options.js), keys (keys.js).
import { byId, h } from "./dom.js";
import { short } from "./readout.js";

/** Tools that paint a class of the brush. */
const PAINTING = ["eraser", "fill", "grow", "threshold", "superpixel", "parts", "assist"];

/** The classes a tool can draw. */
export function classesFor(tool, classes) {
  if (tool === "select" || tool === "ruler") return [null];
  if (tool === "sculpt") return classes.filter((entry) => ["polygon", "polyline"].includes(entry.tool));
  return classes.filter((entry) => entry.tool === (PAINTING.includes(tool) ? "brush" : tool));
}

/**
 * Take a tool. A tool that the current class is not drawn with brings the first class that is.
 * @param {import("../canvas/plane.js").PlaneEditor} editor
 */
export function useTool(editor, classes, tool) {
  const fitting = classesFor(tool, classes);
  if (!fitting.length) {
    editor.say(`No class of this project is drawn with this tool.`);
    return;
  }
  const bring = !editor.tools[tool] && editor.lateTools[tool];
  if (bring) {
    bring().then((made) => {
      editor.tools[tool] = made;
      useTool(editor, classes, tool);
    }, () => editor.say("This tool could not be loaded. Your work is safe. Try again when you are online."));
    return;
  }
  if (tool === "eraser" && editor.toolName === "eraser") tool = "brush";
  if (!["select", "sculpt", "ruler"].includes(tool) && !fitting.includes(editor.label)) editor.setLabel(fitting[0].key);
  editor.setTool(tool);
  editor.canvas.focus({ preventScroll: true });
}

/**
 * @param {import("../canvas/plane.js").PlaneEditor} editor
 * @param {Object<string, () => void>} acts what the buttons with data-act do
 */
export function startToolbox(editor, classes, acts) {
  const buttons = [...document.querySelectorAll("[data-tool]")];
  for (const button of buttons) {
    const tool = /** @type {HTMLElement} */ (button).dataset.tool;
    if (classesFor(tool, classes).length) button.addEventListener("click", () => useTool(editor, classes, tool));
    else button.remove();
  }
  for (const button of document.querySelectorAll("[data-act]")) {
    button.addEventListener("click", () => {
      acts[/** @type {HTMLElement} */ (button).dataset.act]();
      editor.redraw();
    });
  }
  startFlyouts(editor);
  const paints = classes.some((entry) => entry.tool === "brush");
  for (const part of document.querySelectorAll("#flyout-mask [data-painted]")) /** @type {HTMLElement} */ (part).hidden = !paints;
  const showActs = () => (byId("flyout-mask").hidden = !paints && !(editor.medium && editor.isVolume && classes.length));
  for (const name of ["medium", "series"]) editor.addEventListener(name, showActs);
  showActs();
  byId("mask-scope").addEventListener("change", (event) => {
    editor.maskActs.scope = event.target.value;
  });
  const show = () => {
    for (const button of buttons) button.setAttribute("aria-pressed", String(/** @type {HTMLElement} */ (button).dataset.tool === editor.toolName));
    byId("hide").setAttribute("aria-pressed", String(editor.isHidden));
  };
  for (const name of ["tool", "hidden", "label"]) editor.addEventListener(name, show);
  show();
}

/** Tools that are seldom needed wait behind one button, which shows the one that is in hand. */
function startFlyouts(editor) {
  for (const flyout of /** @type {NodeListOf<HTMLDetailsElement>} */ (document.querySelectorAll(".tools details"))) {
    const body = /** @type {HTMLElement} */ (flyout.querySelector(".menu-body"));
    const tools = [...flyout.querySelectorAll("[data-tool]")].map((button) => /** @type {HTMLElement} */ (button).dataset.tool);
    if (!body.querySelector("button")) flyout.remove();
    flyout.addEventListener("toggle", () => {
      if (!flyout.open) return;
      const box = flyout.getBoundingClientRect();
      body.style.left = `${box.right + 6}px`;
      body.style.top = `${Math.max(8, Math.min(box.top, innerHeight - body.offsetHeight - 8))}px`;
      /** @type {HTMLElement} */ (body.querySelector("button, select")).focus();
    });
    body.addEventListener("click", (event) => {
      if (!(/** @type {Element} */ (event.target).closest("button"))) return;
      flyout.open = false;
      editor.canvas.focus({ preventScroll: true });
    });
    editor.addEventListener("tool", () => flyout.classList.toggle("is-in-hand", tools.includes(editor.toolName)));
  }
}

/** Window presets of the medium, and the window as numbers. */
export function startWindows(editor) {
  const select = byId("presets");
  let known = null;
  const list = () => {
    if (!editor.slice || known === editor.medium) return;
    known = editor.medium;
    const presets = editor.presets();
    select.replaceChildren(...presets.map((preset, i) => h("option", { value: i }, preset.name)), h("option", { value: "own", hidden: true }, "Own"));
  };
  const show = () => {
    if (!editor.window) return;
    const { centre, width } = editor.window;
    const presets = editor.presets();
    const at = presets.findIndex((preset) => preset.centre === centre && preset.width === width);
    select.value = at < 0 ? "own" : String(at);
    // A photograph as it was stored has nothing to choose; once it is changed, the way back is shown.
    byId("window").hidden = presets.length < 2 && at === 0;
    byId("window-text").textContent = byId("window").hidden ? "" : `C ${short(centre)} W ${short(width)}`;
  };
  const use = (i) => {
    const preset = editor.presets()[i];
    if (preset) editor.setWindow(preset.centre, preset.width);
  };
  select.addEventListener("change", () => use(Number(select.value)));
  editor.addEventListener("picture", () => {
    list();
    show();
  });
  for (const name of ["window", "series", "medium"]) {
    editor.addEventListener(name, () => {
      if (!editor.slice) return;
      list();
      show();
    });
  }
  return () => use((Number(select.value === "own" ? -1 : select.value) + 1) % Math.max(1, editor.presets().length));
}
