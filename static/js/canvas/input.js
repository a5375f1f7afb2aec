// Pointer, wheel and the keyboard's own pointer, turned into what the tool in hand understands; the pane they are over becomes active.
//
// Middle button, or the left with Space held: pan. Right button: window and level. Wheel: slices on a volume (zoom with Ctrl),
// zoom on a photograph; with Shift it makes a preview stronger or weaker. Shift and the pointer move the linked cross-hair. With
// a canvas focused, arrows move a pointer (Shift: ten pixels) and Enter presses there, with Alt as a click with Alt (Shift+Enter
// also while a preview waits); arrows with Ctrl are a drag of the right button.
import { voxelAt } from "../lib/planes.js";

/** @typedef {import("./plane.js").PlaneEditor} PlaneEditor @typedef {import("./pane.js").Pane} Pane */

/** Pixels of the screen that an arrow stands for. */
const WINDOW_STEP = 10;
const held = { mode: "", x: 0, y: 0, window: null, isSpace: false };

/** @param {PlaneEditor} editor @param {(position: [number, number] | null) => void} onMove */
export function listen(editor, onMove) {
  const onPosition = (position) => {
    editor.pointer = position;
    onMove(position);
  };
  for (const pane of editor.panes) {
    listenToPointer(editor, pane, onPosition);
    listenToWheel(editor, pane);
    listenToArrows(editor, pane, onPosition);
    pane.canvas.addEventListener("focus", () => !editor.tool.isBusy && editor.activate(pane));
  }
  addEventListener("keydown", (event) => {
    if (event.code !== "Space" || event.target !== editor.canvas) return;
    held.isSpace = true;
    editor.setCursor("grab");
    event.preventDefault();
  });
  addEventListener("keyup", (event) => {
    if (event.code !== "Space" || !held.isSpace) return;
    held.isSpace = false;
    editor.showCursor();
  });
  addEventListener("blur", () => {
    held.isSpace = false;
  });
}

/** @param {PlaneEditor} editor @param {Pane} pane */
function listenToPointer(editor, pane, onPosition) {
  const { canvas } = pane;
  const place = (event) => placeOf(canvas, event);
    /** @returns {[number, number]} */
  const seenAt = (event) => {
    const [x, y] = place(event);
    return pane.view.toImage(x, y);
  };
  const inImage = (event) => pane.view.clamp(...seenAt(event));
  canvas.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    if (!pane.view || (editor.tool.isBusy && editor.active !== pane)) return;
    editor.activate(pane);
    if (editor.active !== pane) return editor.say("Keep the preview (Enter) or drop it (Esc) first: it belongs to the other series.");
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    [held.x, held.y] = place(event);
    press(editor, pane, event, inImage(event));
    editor.redraw();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!pane.view) return;
    if (editor.active !== pane) {
      if (editor.tool.isBusy || event.buttons) return;
      editor.activate(pane);
      if (editor.active !== pane) return;
    }
    drag(editor, pane, event, /** @type {[number, number]} */ (place(event)), inImage);
    onPosition(seenAt(event));
    pane.redraw();
  });
  canvas.addEventListener("pointerup", (event) => {
    if (held.mode === "tool") editor.tool.up?.(...inImage(event), event);
    if (held.mode === "pan") editor.showCursor();
    held.mode = "";
    editor.redraw();
  });
  canvas.addEventListener("pointercancel", () => {
    editor.tool.cancel?.();
    held.mode = "";
    editor.redraw();
  });
  canvas.addEventListener("pointerleave", () => {
    if ("hover" in editor.tool) editor.tool.hover = null;
    if ("hovered" in editor.tool) editor.tool.hovered = null;
    onPosition(null);
    pane.redraw();
  });
  canvas.addEventListener("dblclick", () => {
    editor.tool.double?.();
    editor.redraw();
  });
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
}

function placeOf(canvas, event) {
  const box = canvas.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}

function press(editor, pane, event, at) {
  if (event.button === 1 || (event.button === 0 && held.isSpace)) {
    held.mode = "pan";
    editor.setCursor("grabbing");
  } else if (event.button === 2) {
    held.mode = "window";
    held.window = editor.window && { ...editor.window };
  } else if (event.button !== 0) return;
  else if (editor.isHidden) editor.say("The labels are hidden. Press H to show them, then draw.");
  else if (editor.isReadOnly) editor.say(editor.closedWords);
  else if (editor.canDraw()) {
    held.mode = "tool";
    editor.tool.down(...at, event);
    if (editor.isLinked && editor.toolName === "select" && !editor.selectedId) {
      held.mode = "cross";
      goThere(editor, pane, at);
    }
  }
}

function drag(editor, pane, event, [x, y], inImage) {
  if (held.mode === "pan") {
    pane.view.pan(x - held.x, y - held.y);
    editor.follow(pane);
    [held.x, held.y] = [x, y];
  } else if (held.mode === "window" && held.window) {
    moveWindow(editor, held.window, x - held.x, y - held.y);
  } else if (held.mode === "cross" || (editor.isLinked && event.shiftKey && !held.mode)) {
    goThere(editor, pane, inImage(event));
  } else {
    const moves = held.mode === "tool" ? (event.getCoalescedEvents?.() ?? []) : [];
    for (const move of moves.length ? moves : [event]) editor.tool.move?.(...inImage(move), move);
  }
}

/** A way to the right takes contrast, one down makes darker; from a window on, in pixels of the screen. */
function moveWindow(editor, { centre, width }, right, down) {
  const unit = Math.max(width, 1) / 300;
  editor.setWindow(centre + down * unit, width + right * unit);
}

/** The other planes go where a place of this one is. */
function goThere(editor, pane, [x, y]) {
  if (editor.isVolume) editor.goPlace(voxelAt(pane.plane, x, y, pane.index));
}

function zoom(editor, pane, by, place) {
  pane.view.zoom(by, place[0], place[1]);
  editor.follow(pane);
}

/** @param {PlaneEditor} editor @param {Pane} pane */
function listenToWheel(editor, pane) {
  let turned = 0;
  pane.canvas.addEventListener("wheel", (event) => {
    if (!pane.view) return;
    event.preventDefault();
    // Browsers turn Shift and the wheel into sideways scrolling; some count lines.
    const by = (event.deltaY || event.deltaX) * (event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 40 : 1);
    const { current } = editor.proposals;
    if (event.shiftKey && current?.again) current.again(-Math.sign(by));
    else if (!editor.isVolume || event.ctrlKey || event.metaKey) zoom(editor, pane, 1.0015 ** -by, placeOf(pane.canvas, event));
    else {
      // A touch pad gives many small turns: a slice is 30 of their pixels, or one click of a wheel.
      turned = Math.sign(by) === Math.sign(turned) ? turned + by : by;
      if (Math.abs(turned) >= 30) {
        turned = 0;
        editor.step(pane, Math.sign(by));
      }
    }
    pane.redraw();
  }, { passive: false });
}

/** A pointer for those who use the keyboard alone. @param {PlaneEditor} editor @param {Pane} pane */
function listenToArrows(editor, pane, onPosition) {
  const { canvas } = pane;
  const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  let at = null;
  let isDown = false;
  canvas.addEventListener("keydown", (event) => {
    if (!pane.view || event.metaKey || (event.altKey && event.key !== "Enter")) return;
    const step = steps[event.key];
    if (event.ctrlKey && step && editor.window) moveWindow(editor, editor.window, step[0] * WINDOW_STEP, step[1] * WINDOW_STEP);
    else if (event.ctrlKey) return;
    else if (step) {
      at = moved(pane.view, at, step, event.shiftKey ? 10 : 1);
      editor.tool.move?.(...at, event);
      editor.crosshair = at;
      pane.view.show([at[0] - 1, at[1] - 1, at[0] + 1, at[1] + 1]);
      if (editor.isLinked) goThere(editor, pane, at);
      onPosition(at);
    } else if (event.key === "Enter" && !editor.isReadOnly && editor.crosshair && (!editor.proposals.current || (event.shiftKey && editor.tool.hints))) {
      if (!editor.canDraw()) return;
      isDown = pressAt(editor.tool, at, isDown, event);
    } else return;
    event.preventDefault();
    event.stopPropagation();
    editor.redraw();
  });
  canvas.addEventListener("pointermove", () => {
    editor.crosshair = null;
    isDown = false;
  });
  canvas.addEventListener("blur", () => {
    editor.crosshair = null;
    editor.redraw();
  });
}

/** The place after a step as it is seen: a mirrored or turned view has other directions. */
function moved(view, at, [right, below], reach) {
  const from = at ?? [Math.round(view.columns / 2), Math.round(view.rows / 2)];
  const [a, b, c, d] = view.matrix;
  const [dx, dy] = [Math.sign(right * a + below * b), Math.sign(right * c + below * d)];
  return view.clamp(from[0] + dx * reach, from[1] + dy * reach);
}

/** A path's corners are pressed and released at once, twice on one place ends it; a drag goes from one Enter to the next. */
function pressAt(tool, at, isDown, event) {
  const last = tool.points?.at(-1);
  if (tool.isDrag && isDown) tool.up(...at, event);
  else if (!tool.isDrag && last && last[0] === at[0] && last[1] === at[1]) tool.finish();
  else tool.down(...at, event);
  if (!tool.isDrag) tool.up?.(...at, event);
  return Boolean(tool.isDrag) && !isDown;
}
