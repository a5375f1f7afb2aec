// The tool strip and what belongs to the tool in hand: the brush's size and tip, zoom, window presets, the read-out.
import { byId, h } from "./dom.js";

/** The classes a tool can draw. */
function classesFor(tool, classes) {
  return tool === "select" ? classes : classes.filter((entry) => entry.tool === (tool === "eraser" ? "brush" : tool));
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
  if (tool === "eraser" && editor.toolName === "eraser") tool = "brush";
  if (tool !== "select" && !fitting.includes(editor.label)) editor.setLabel(fitting[0].key);
  editor.setTool(tool);
}

/** @param {import("../canvas/plane.js").PlaneEditor} editor */
export function startToolbox(editor, draft, classes) {
  const buttons = [...document.querySelectorAll("[data-tool]")];
  for (const button of buttons) {
    const tool = /** @type {HTMLElement} */ (button).dataset.tool;
    if (classesFor(tool, classes).length) button.addEventListener("click", () => useTool(editor, classes, tool));
    else button.remove();
  }
  const show = () => {
    for (const button of buttons) button.setAttribute("aria-pressed", String(/** @type {HTMLElement} */ (button).dataset.tool === editor.toolName));
    const paints = editor.toolName === "brush" || editor.toolName === "eraser";
    byId("brush-options").hidden = !paints;
    byId("brush-size").textContent = `${(2 * editor.brush.size).toFixed(editor.brush.size < 8 ? 1 : 0)} px`;
    byId("brush-tip").textContent = editor.brush.tip === "round" ? "Round" : "Square";
    byId("hide").setAttribute("aria-pressed", String(editor.isHidden));
  };
  for (const name of ["tool", "brush", "hidden", "label"]) editor.addEventListener(name, show);
  const press = (id, act) => byId(id).addEventListener("click", () => {
    act();
    show();
    editor.redraw();
  });
  press("brush-smaller", () => editor.brush.resize(1 / 1.2));
  press("brush-larger", () => editor.brush.resize(1.2));
  press("brush-tip", () => {
    editor.brush.tip = editor.brush.tip === "round" ? "square" : "round";
  });
  press("undo", () => draft.undo() || editor.say("There is nothing to undo."));
  press("redo", () => draft.redo() || editor.say("There is nothing to redo."));
  press("hide", () => {
    editor.isHidden = !editor.isHidden;
  });
  press("fit", () => editor.view.fit());
  press("zoom-in", () => editor.view.zoom(1.25));
  press("zoom-out", () => editor.view.zoom(0.8));
  show();
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
    byId("window-text").textContent = `C ${short(centre)} W ${short(width)}`;
    const presets = editor.presets();
    const at = presets.findIndex((preset) => preset.centre === centre && preset.width === width);
    select.value = at < 0 ? "own" : String(at);
    // A photograph as it was stored has nothing to choose; once it is changed, the way back is shown.
    byId("window").hidden = presets.length < 2 && at === 0;
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
  editor.addEventListener("window", show);
  return () => use((Number(select.value === "own" ? -1 : select.value) + 1) % Math.max(1, editor.presets().length));
}

/** Where the pointer is: pixel, value (RGB, HU, intensity), and the place in the patient. */
export function readoutOf(editor, position) {
  if (!position || !editor.view) return "";
  const [x, y] = position.map(Math.floor);
  if (x < 0 || y < 0 || x >= editor.view.columns || y >= editor.view.rows) return "";
  const parts = [`x ${x} y ${y}`];
  const value = valueAt(editor, x, y);
  if (value) parts.push(value);
  const { affine } = editor.medium;
  if (affine) {
    const at = [position[0] - 0.5, position[1] - 0.5, editor.z, 1];
    const [r, a, s] = affine.slice(0, 3).map((row) => row.reduce((sum, entry, i) => sum + entry * at[i], 0));
    parts.push(`${r < 0 ? "L" : "R"} ${short(Math.abs(r))} ${a < 0 ? "P" : "A"} ${short(Math.abs(a))} ${s < 0 ? "I" : "S"} ${short(Math.abs(s))} mm`);
  }
  return parts.join("   ");
}

function valueAt(editor, x, y) {
  const { slice } = editor;
  if (!slice || editor.shownZ !== editor.z) return "";
  const from = (y * slice.width + x) * slice.channels;
  if (slice.channels >= 3) return `RGB ${slice.values[from]} ${slice.values[from + 1]} ${slice.values[from + 2]}`;
  const unit = /^(hu|hounsfield)$/i.test(editor.medium.value_meaning) ? " HU" : "";
  return `${short(slice.values[from])}${unit}`;
}

function short(value) {
  return Number.isInteger(value) ? String(value) : Number(value.toPrecision(4)).toString();
}
