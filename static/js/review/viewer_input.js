// Pointer, wheel and keys of the viewer. A tool that is in hand gets the pointer first.
import { isTyping, notify } from "../pages/frame.js";
import { inItsPane } from "../pages/panes.js";
import { arrange, canvas, changeWindow, draw, fit, flip, panes, part, pictureAt, place, ready, resize, say, show, showOnly, state, toggle, tool, turn, zoom } from "./viewer.js";

canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  if (!state.view) return;
  const isVolume = state.facts.size[0] > 1;
  if (isVolume && !event.ctrlKey) turn(state.z + Math.sign(event.deltaY));
  else zoom(Math.exp(-event.deltaY / 400), ...inItsPane(panes(), place(event)));
}, { passive: false });
canvas.addEventListener("pointerdown", (event) => {
  canvas.setPointerCapture(event.pointerId);
  if (tool.inHand && event.button === 0 && state.view) return tool.inHand.down(pictureAt(event), event);
  state.drag = place(event);
});
canvas.addEventListener("contextmenu", (event) => event.preventDefault());
canvas.addEventListener("pointermove", (event) => {
  if (tool.inHand?.isDown) return tool.inHand.move(pictureAt(event), event);
  if (!state.drag || !state.view) return;
  const [x, y] = place(event);
  if (event.buttons === 2) return changeWindow(x - state.drag[0], y - state.drag[1], [x, y]);
  state.view = { ...state.view, x: state.view.x + x - state.drag[0], y: state.view.y + y - state.drag[1] };
  state.drag = [x, y];
  draw();
});
canvas.addEventListener("pointerup", (event) => {
  state.drag = null;
  if (tool.inHand?.isDown) tool.inHand.up(pictureAt(event), event);
});
// A comment wants a place of the picture, or shows the one that it has.
document.addEventListener("viewer:choose", (event) => {
  state.isChoosing = /** @type {CustomEvent} */ (event).detail;
  canvas.style.cursor = state.isChoosing ? "crosshair" : "";
  if (state.isChoosing) canvas.scrollIntoView({ block: "nearest" });
});
canvas.addEventListener("click", (event) => {
  if (!state.isChoosing || !state.view) return;
  const [x, y] = pictureAt(event).map(Math.round);
  document.dispatchEvent(new CustomEvent("viewer:chosen", { detail: { x, y, z: state.z, medium: state.medium, isVolume: state.facts.size[0] > 1 } }));
});
document.addEventListener("viewer:show", async (event) => {
  state.pin = /** @type {CustomEvent} */ (event).detail;
  await ready;
  if (!state.facts) return;
  if (state.medium !== state.pin.medium) await show(state.pin.medium);
  await turn(state.pin.z);
  canvas.scrollIntoView({ block: "nearest" });
});
part("medium").addEventListener("change", (event) => show(Number(event.target.value)).catch((error) => say(error.message)));
part("slice").addEventListener("input", (event) => turn(Number(event.target.value)));
part("heat").addEventListener("click", () => { state.heat = !state.heat; draw(); });
part("beside").addEventListener("click", () => { state.beside = !state.beside; fit(); });
part("fit").addEventListener("click", fit);
// The 3-D panel's code and its library are brought when it is opened first.
let solid = null;
part("solid-button").addEventListener("click", async () => {
  if (!state.facts) return undefined;
  if (state.facts.size[0] < 2) return notify("A photograph has no third dimension.");
  try {
    solid ??= import("./solid.js").then(({ SolidPanel }) => new SolidPanel());
    return (await solid).toggle();
  } catch {
    solid = null;
    return notify("The 3-D view could not be loaded. Your answers are safe. Try it again.", "error");
  }
});
part("all").addEventListener("click", () => { state.visible = new Set(state.layers.map((layer) => layer.key)); arrange(); });

document.addEventListener("keydown", (event) => {
  if (isTyping(event) || !state.view || document.querySelector("dialog[open]")) return;
  const digit = event.shiftKey && /^Digit([1-9])$/.exec(event.code);
  const onCanvas = document.activeElement === canvas;
  if (digit && state.layers[digit[1] - 1]) toggle(state.layers[digit[1] - 1].key);
  else if (event.code === "Backquote") flip();
  else if (event.key === "," || (onCanvas && ["ArrowLeft", "ArrowUp"].includes(event.key))) turn(state.z - 1);
  else if (event.key === "." || (onCanvas && ["ArrowRight", "ArrowDown"].includes(event.key))) turn(state.z + 1);
  else if (onCanvas && "+-".includes(event.key)) zoom(event.key === "+" ? 1.25 : 0.8, panes()[0][2] / 2, panes()[0][3] / 2);
  else return;
  event.preventDefault();
});
addEventListener("resize", resize);
for (const choice of document.querySelectorAll("[data-chooses]")) choice.addEventListener("change", () => showOnly([choice.dataset.chooses]));
