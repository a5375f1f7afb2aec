// The slice scrubber with its label marks, and which slices were looked at (the extent that a submission states).
import { axesOf, PLANES, sidesOf } from "../lib/planes.js";
import { byId } from "./dom.js";

const SEEN_AFTER_MS = 120;

export class Slices {
  constructor(editor, draft, media, assignment) {
    this.editor = editor;
    this.draft = draft;
    this.media = media;
    this.storage = `labelhub-seen-${assignment}`;
    this.seen = readSeen(this.storage);
    /** Axial slices of a medium with a pin on them; the page says which. @type {(ordinal: number) => Set<number>} */
    this.pinned = () => new Set();
    this.bar = byId("scrubber");
    this.range = byId("slice");
    this.marks = byId("marks");
    this.text = byId("slice-text");
    this.range.addEventListener("input", () => editor.goAlong(axesOf(editor.active.plane).along, this.range.valueAsNumber - 1));
    for (const name of ["slice", "active", "layout"]) editor.addEventListener(name, () => editor.medium && this.show());
    editor.addEventListener("picture", () => this.look());
    draft.addEventListener("change", () => this.queueMarks());
    new ResizeObserver(() => this.queueMarks()).observe(this.marks);
  }

  /** What was looked at, as the server wants it. */
  extent() {
    return {
      media: this.media.map(({ ordinal, size }) => {
        const seen = this.seen[ordinal] ?? [];
        return size[0] === 1 || PLANES.some((plane) => this.isThrough(ordinal, plane, size))
          ? { medium: ordinal, whole: true }
          : { medium: ordinal, slices: ranges(seen) };
      }),
    };
  }

  /** Whoever looked through all slices of any plane has looked at the whole volume. */
  isThrough(ordinal, plane, size) {
    return (this.seen[keyOf(ordinal, plane)]?.length ?? 0) === sidesOf(plane, size).count;
  }

  show() {
    const { active, depth } = this.editor;
    this.bar.hidden = depth === 1;
    this.range.max = String(active.count);
    this.range.value = String(active.index + 1);
    this.text.textContent = `${active.index + 1} / ${active.count}`;
    byId("slice-label").textContent = active.plane[0].toUpperCase() + active.plane.slice(1);
    this.queueMarks();
  }

  /** A slice counts as looked at once it stood on the screen for a moment, not when it was passed by. */
  look() {
    const { panes } = this.editor;
    const shown = panes.filter((pane) => pane.isShown && pane.isCurrent && !pane.trouble).map((pane) => ({ pane, medium: pane.medium, plane: pane.plane, index: pane.index }));
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      for (const { pane, medium, plane, index } of shown) {
        if (pane.medium === medium && pane.plane === plane && pane.index === index && !pane.trouble) this.saw(keyOf(medium.ordinal, plane), index);
      }
      sessionStorage.setItem(this.storage, JSON.stringify(this.seen));
      this.queueMarks();
    }, SEEN_AFTER_MS);
  }

  saw(key, index) {
    const seen = this.seen[key] ?? [];
    if (!seen.includes(index)) this.seen[key] = [...seen, index].sort((a, b) => a - b);
  }

  queueMarks() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      if (this.editor.medium && this.editor.depth > 1) this.drawMarks();
    });
  }

  drawMarks() {
    const { marks, editor } = this;
    const [width, height] = [marks.clientWidth, marks.clientHeight];
    if (!width) return;
    [marks.width, marks.height] = [width * devicePixelRatio, height * devicePixelRatio];
    const context = marks.getContext("2d");
    context.scale(devicePixelRatio, devicePixelRatio);
    const { plane, count } = editor.active;
    const step = width / count;
    context.fillStyle = "#5c5c5c";
    for (const z of this.seen[keyOf(editor.medium.ordinal, plane)] ?? []) context.fillRect(z * step, height - 3, Math.max(step - 0.5, 0.5), 3);
    if (plane !== "axial") return;
    for (const [label, slices] of this.labelled()) {
      context.fillStyle = editor.colourOf(label);
      for (const z of slices) context.fillRect(z * step, 0, Math.max(step - 0.5, 1.5), height - 5);
    }
    context.fillStyle = "#ffd34d";
    for (const z of this.pinned(editor.medium.ordinal)) drawMarker(context, (z + 0.5) * step);
  }

  /** Where each class is drawn. @returns {Map<string, Set<number>>} */
  labelled() {
    const { state, layers } = this.draft;
    const medium = this.editor.medium.ordinal;
    const found = new Map();
    const at = (label) => found.get(label) ?? found.set(label, new Set()).get(label);
    for (const label of layers.labels(state, medium)) for (const z of layers.occupied(state, medium, label)) at(label).add(z);
    for (const shape of state.shapes.values()) {
      if (shape.is_deleted || shape.medium !== medium) continue;
      for (const region of shape.regions) at(shape.label).add(region.z ?? 0);
    }
    return found;
  }
}

/** A pin's mark over the labels' marks: a small triangle, so that colour is not all that tells it. */
function drawMarker(context, x) {
  context.beginPath();
  context.moveTo(x - 4, 0);
  context.lineTo(x + 4, 0);
  context.lineTo(x, 7);
  context.closePath();
  context.fill();
}

/** Under which name it is kept which slices of a plane were seen. */
function keyOf(ordinal, plane) {
  return plane === "axial" ? String(ordinal) : `${ordinal}:${plane}`;
}

/** Ascending numbers as ranges, ends included. @param {number[]} numbers */
export function ranges(numbers) {
  /** @type {number[][]} */
  const found = [];
  for (const number of numbers) {
    const last = found.at(-1);
    if (last && last[1] === number - 1) last[1] = number;
    else found.push([number, number]);
  }
  return found;
}

function readSeen(storage) {
  try {
    return JSON.parse(sessionStorage.getItem(storage) ?? "{}");
  } catch {
    return {};
  }
}
