// Planes and layouts: one, two or all three planes, their names, the linked cross-hair, and the facts in the fourth quarter.
import { patientPlace, PLANES } from "../lib/planes.js";
import { LAYOUTS } from "../canvas/plane.js";
import { byId, h } from "./dom.js";
import { inPatient, valueAt } from "./readout.js";

const NAMES = { one: "1", two: "1×2", stacked: "2×1", four: "2×2" };
const title = (plane) => plane[0].toUpperCase() + plane.slice(1);

/** @param {import("../canvas/plane.js").PlaneEditor} editor @param {any} draft @param {import("./hanging.js").Hanging} hanging */
export function startLayouts(editor, draft, hanging) {
  const container = byId("panes");
  const names = editor.panes.map((pane) => {
    const button = h("button", {
      type: "button", class: "pane-name", "data-tip": "Next plane (Shift+V)", on: { click: () => nextPlane(editor, pane) },
    });
    pane.canvas.parentElement.append(button);
    return button;
  });
  const show = () => {
    if (!editor.medium) return;
    container.dataset.layout = editor.layout;
    byId("planes").hidden = !editor.isVolume;
    byId("layout-name").textContent = NAMES[editor.layout];
    byId("cross").setAttribute("aria-pressed", String(editor.isLinked));
    editor.panes.forEach((pane, i) => {
      pane.canvas.parentElement.hidden = i >= LAYOUTS[editor.layout];
      pane.canvas.parentElement.classList.toggle("is-active", editor.layout !== "one" && pane === editor.active);
      names[i].hidden = !editor.isVolume;
      names[i].textContent = `${title(pane.plane)} ${pane.isOutside ? "–" : pane.index + 1} / ${pane.count}`;
      names[i].setAttribute("aria-label", `${title(pane.plane)}, slice ${pane.index + 1} of ${pane.count}. Next plane (Shift+V)`);
    });
    // The 3-D panel takes the place of the facts.
    byId("facts").hidden = editor.layout !== "four" || !byId("solid").hidden;
    if (editor.layout === "four") showFacts(editor, draft);
  };
  for (const name of ["medium", "slice", "picture", "layout", "active", "series", "linked"]) editor.addEventListener(name, show);
  draft.addEventListener("change", () => editor.layout === "four" && editor.medium && showFacts(editor, draft));
  byId("layout").addEventListener("click", () => nextLayout(editor, hanging));
  byId("cross").addEventListener("click", () => toggleCross(editor));
}

/** @param {import("./hanging.js").Hanging} hanging */
export function nextLayout(editor, hanging) {
  if (editor.isVolume) hanging.next();
  else editor.say("A photograph has one plane.");
}

/** Show the next plane in a pane; where it is shown elsewhere the two change places. */
export function nextPlane(editor, pane = editor.active) {
  if (!editor.isVolume) return editor.say("A photograph has one plane.");
  editor.setPlane(pane, PLANES[(PLANES.indexOf(pane.plane) + 1) % PLANES.length]);
  if (pane.plane !== "axial" && editor.standing().length) editor.say("Outlines belong to axial slices: here a bar shows where they cross. Masks are shown on all planes.");
  return undefined;
}

export function toggleCross(editor) {
  if (!editor.isVolume) return editor.say("A photograph has one plane.");
  editor.isLinked = !editor.isLinked;
  editor.emit("linked");
  return editor.redraw();
}

let frame = 0;

/** Where the cross-hair is, and how much is painted of each class: own labels alone. */
function showFacts(editor, draft) {
  cancelAnimationFrame(frame);
  frame = requestAnimationFrame(() => {
    const { medium, position } = editor;
    const rows = [["Voxel", `x ${position[2]} · y ${position[1]} · z ${position[0]}`]];
    if (medium.affine) rows.push(["Place", inPatient(patientPlace(medium.affine, position))]);
    const axial = editor.panes.find((pane) => pane.isAxial && pane.medium === medium);
    const value = axial && valueAt(axial, position[2], position[1]);
    if (value) rows.push(["Value", value]);
    if (medium.spacing_mm) rows.push(["Voxel size", `${[...medium.spacing_mm].reverse().map((side) => Number(side.toPrecision(3))).join(" × ")} mm`]);
    const painted = volumesOf(editor, draft).map(([name, text]) => h("div", {}, h("dt", {}, name), h("dd", {}, text)));
    byId("facts").replaceChildren(
      h("dl", { class: "facts-list" }, ...rows.map(([name, text]) => h("div", {}, h("dt", {}, name), h("dd", {}, text)))),
      ...(painted.length ? [h("h2", {}, "Painted"), h("dl", { class: "facts-list" }, ...painted)] : []),
      h("p", { class: "hint" }, editor.isLinked ? "Press with Select, or hold Shift and move, to take the planes along." : "Press G for the linked cross-hair."),
    );
  });
}

function volumesOf(editor, draft) {
  const { state, layers } = draft;
  const { ordinal, spacing_mm: spacing } = editor.medium;
  return layers.labels(state, ordinal).map((label) => {
    let n = 0;
    for (const z of layers.occupied(state, ordinal, label)) n += layers.amount(state, ordinal, label, z);
    const millilitres = spacing ? `${Number(((n * spacing[0] * spacing[1] * spacing[2]) / 1000).toPrecision(3))} mL · ` : "";
    return [editor.classes.get(label)?.name ?? label, `${millilitres}${n.toLocaleString("en")} voxels`];
  });
}
