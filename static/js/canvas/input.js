// Pointer, wheel and the keyboard's own pointer, turned into what the tool in hand understands.
//
// Middle button, or the left with Space held: pan. Right button: window and level. Wheel: slices on a volume (zoom with Ctrl),
// zoom on a photograph. With the canvas focused, arrows move a cross-hair (Shift: ten pixels) and Enter presses there.

/** @param {import("./plane.js").PlaneEditor} editor @param {(readout: [number, number] | null) => void} onPosition */
export function listen(editor, onPosition) {
  const { canvas } = editor;
  const held = { mode: "", x: 0, y: 0, window: null };
  let isSpace = false;

  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const inImage = (event) => editor.view.clamp(...editor.view.toImage(...place(event)));

  canvas.addEventListener("pointerdown", (event) => {
    if (!editor.view) return;
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    [held.x, held.y] = place(event);
    if (event.button === 1 || (event.button === 0 && isSpace)) {
      held.mode = "pan";
      editor.setCursor("grabbing");
    } else if (event.button === 2) {
      held.mode = "window";
      held.window = editor.window && { ...editor.window };
    } else if (event.button === 0 && !editor.isReadOnly && !editor.isHidden) {
      held.mode = "tool";
      editor.tool.down(...inImage(event), event);
    } else if (event.button === 0) {
      editor.say(editor.isHidden ? "The labels are hidden. Press H to show them, then draw." : "This image is closed. Nothing can be changed here.");
    }
    event.preventDefault();
    editor.redraw();
  });

  canvas.addEventListener("pointermove", (event) => {
    if (!editor.view) return;
    const [x, y] = place(event);
    if (held.mode === "pan") {
      editor.view.pan(x - held.x, y - held.y);
      [held.x, held.y] = [x, y];
    } else if (held.mode === "window" && held.window) {
      const unit = Math.max(held.window.width, 1) / 300;
      editor.setWindow(held.window.centre + (y - held.y) * unit, held.window.width + (x - held.x) * unit);
    } else {
      const moves = held.mode === "tool" ? (event.getCoalescedEvents?.() ?? []) : [];
      for (const move of moves.length ? moves : [event]) editor.tool.move?.(...inImage(move), move);
    }
    onPosition(editor.view.toImage(x, y));
    editor.redraw();
  });

  const release = (event) => {
    if (held.mode === "tool") editor.tool.up?.(...inImage(event), event);
    if (held.mode === "pan") editor.showCursor();
    held.mode = "";
    editor.redraw();
  };
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", () => {
    editor.tool.cancel?.();
    held.mode = "";
    editor.redraw();
  });
  canvas.addEventListener("pointerleave", () => {
    if ("hover" in editor.tool) editor.tool.hover = null;
    onPosition(null);
    editor.redraw();
  });
  canvas.addEventListener("dblclick", () => {
    editor.tool.double?.();
    editor.redraw();
  });
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());

  canvas.addEventListener("wheel", (event) => {
    if (!editor.view) return;
    event.preventDefault();
    const isZoom = editor.depth === 1 || event.ctrlKey || event.metaKey;
    if (isZoom) editor.view.zoom(1.0015 ** -event.deltaY, ...place(event));
    else editor.goTo(editor.z + Math.sign(event.deltaY));
    editor.redraw();
  }, { passive: false });

  addEventListener("keydown", (event) => {
    if (event.code === "Space" && event.target === canvas) {
      isSpace = true;
      editor.setCursor("grab");
      event.preventDefault();
    }
  });
  addEventListener("keyup", (event) => {
    if (event.code !== "Space" || !isSpace) return;
    isSpace = false;
    editor.showCursor();
  });
  addEventListener("blur", () => {
    isSpace = false;
  });
  listenToArrows(editor, onPosition);
}

/** A pointer for those who use the keyboard alone. */
function listenToArrows(editor, onPosition) {
  const { canvas } = editor;
  const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  let at = null;
  let isDown = false;
  canvas.addEventListener("keydown", (event) => {
    if (!editor.view || event.ctrlKey || event.altKey || event.metaKey) return;
    const step = steps[event.key];
    at ??= [Math.round(editor.view.columns / 2), Math.round(editor.view.rows / 2)];
    if (step) {
      const reach = event.shiftKey ? 10 : 1;
      at = editor.view.clamp(at[0] + step[0] * reach, at[1] + step[1] * reach);
      editor.tool.move?.(...at, event);
      editor.crosshair = at;
      editor.view.show([at[0] - 1, at[1] - 1, at[0] + 1, at[1] + 1]);
      onPosition(at);
    } else if (event.key === "Enter" && !editor.isReadOnly && editor.crosshair) {
      // A path's corners are pressed and released at once, twice on one place ends it; a drag goes from one Enter to the next.
      const isDrag = ["box", "ellipse", "brush", "eraser", "select"].includes(editor.toolName);
      const last = editor.tool.points?.at(-1);
      if (isDrag && isDown) editor.tool.up(...at, event);
      else if (!isDrag && last && last[0] === at[0] && last[1] === at[1]) editor.tool.finish();
      else editor.tool.down(...at, event);
      if (!isDrag) editor.tool.up?.(...at, event);
      isDown = isDrag && !isDown;
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
