// Where the pointer is, in words: pixel, value (RGB, HU, intensity), and the place in the patient.
import { patientPlace, voxelAt } from "../lib/planes.js";
import { byId } from "./dom.js";

/** @param {import("../canvas/plane.js").PlaneEditor} editor @param {[number, number] | null} position on the active pane */
export function readoutOf(editor, position) {
  if (!position || !editor.view) return "";
  const [x, y] = position.map(Math.floor);
  if (x < 0 || y < 0 || x >= editor.view.columns || y >= editor.view.rows) return "";
  const { plane, index } = editor.active;
  const [vz, vy, vx] = voxelAt(plane, x, y, index);
  const parts = [editor.isVolume ? `x ${vx} y ${vy} z ${vz}` : `x ${x} y ${y}`];
  const value = valueAt(editor.active, x, y);
  if (value) parts.push(value);
  const { affine } = editor.medium;
  if (affine) parts.push(inPatient(patientPlace(affine, voxelAt(plane, position[0] - 0.5, position[1] - 0.5, index))));
  return parts.join("   ");
}

/** A place in RAS+ millimetres as readers say it. */
export function inPatient([r, a, s]) {
  const side = (value, plus, minus) => `${value < 0 ? minus : plus} ${Math.abs(value).toFixed(1)}`;
  return `${side(r, "R", "L")} ${side(a, "A", "P")} ${side(s, "S", "I")} mm`;
}

export function valueAt(pane, x, y) {
  const { slice } = pane;
  if (!pane.isCurrent || (!slice && !pane.pixels?.valueAt)) return "";
  const values = pane.pixels.valueAt ? pane.pixels.valueAt(x, y) : valuesOf(slice, x, y);
  if (!values) return "";
  if (values.length >= 3) return `RGB ${values.slice(0, 3).join(" ")}`;
  const unit = /^(hu|hounsfield)$/i.test(pane.medium.value_meaning) ? " HU" : "";
  return `${short(values[0])}${unit}`;
}

function valuesOf(slice, x, y) {
  const from = (y * slice.width + x) * slice.channels;
  return Array.from(slice.values.subarray(from, from + slice.channels));
}

export function short(value) {
  return Number.isInteger(value) ? String(value) : Number(value.toPrecision(4)).toString();
}

/** @param {import("../canvas/plane.js").PlaneEditor} editor */
export function showReadout(editor, position) {
  byId("readout").textContent = readoutOf(editor, position);
}
