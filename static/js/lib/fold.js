// What a document says: the twin of labelhub/annotations/fold.py, held equal by the vectors in fixtures/fold/.
//
// A state is changed only by apply(); the shapes and marks in it are replaced, never edited, so that a shallow copy of the
// maps is a copy. An operation that does not fit changes nothing. Not here: painting (layers.js), sending (label/sync.js).

/**
 * @typedef {{seq: number, op_id: string, author: string, kind: string, payload: any}} Act
 * @typedef {{shape_id: string, medium: number, label: string, regions: any[], attributes: Object<string, any>,
 *   source: string, author: string, version: number, is_deleted: boolean, conflicts: any[]}} ShapeState
 * @typedef {{mark_id: string, author: string, payload: any, is_undone: boolean}} Mark
 * @typedef {{head_seq: number, shapes: Map<string, ShapeState>, marks: Map<string, Mark>, layers: any[],
 *   layer_attributes: Map<string, any>, answers: Object<string, any>}} State
 */

/** The state that a base, or a state written by stateToDocument, begins with. @returns {State} */
export function createState(base) {
  const attributes = [...(base.layers ?? []), ...(base.layer_attributes ?? [])];
  return {
    head_seq: base.head_seq ?? 0,
    shapes: new Map((base.shapes ?? []).map((entry) => [entry.shape_id, shapeFrom(entry)])),
    marks: new Map((base.marks ?? []).map((entry) => [entry.mark_id, { ...entry }])),
    layers: (base.layers ?? []).map(({ attributes: _, ...entry }) => entry),
    layer_attributes: new Map(
      attributes
        .filter((entry) => Object.keys(entry.attributes ?? {}).length)
        .map((entry) => [
          layerKey(entry.medium, entry.label),
          { medium: entry.medium, label: entry.label, attributes: { ...entry.attributes } },
        ]),
    ),
    answers: { ...(base.answers ?? {}) },
  };
}

/** A copy that can go its own way. @param {State} state @returns {State} */
export function copyState(state) {
  return {
    ...state,
    shapes: new Map(state.shapes),
    marks: new Map(state.marks),
    layer_attributes: new Map(state.layer_attributes),
  };
}

/** What a base and then operations say. @param {any} base @param {Iterable<Act>} acts @returns {State} */
export function fold(base, acts) {
  const state = createState(base);
  for (const act of acts) apply(state, act);
  return state;
}

/** Take the next operation. @param {State} state @param {Act} act */
export function apply(state, act) {
  STEPS[act.kind]?.(state, act);
  state.head_seq = act.seq;
}

/** The state as plain JSON, as labelhub writes it. @param {State} state */
export function stateToDocument(state) {
  return {
    head_seq: state.head_seq,
    shapes: [...state.shapes.values()],
    marks: [...state.marks.values()],
    layers: state.layers,
    layer_attributes: [...state.layer_attributes.values()].filter((entry) => Object.keys(entry.attributes).length),
    answers: state.answers,
  };
}

/** The name of a painted layer in maps. */
export function layerKey(medium, label) {
  return `${medium}:${label}`;
}

function shapeFrom(entry) {
  return {
    shape_id: entry.shape_id,
    medium: entry.medium ?? 0,
    label: entry.label,
    regions: entry.regions,
    attributes: { ...(entry.attributes ?? {}) },
    source: entry.source ?? "drawn",
    author: entry.author ?? "",
    version: entry.version ?? 1,
    is_deleted: entry.is_deleted ?? false,
    conflicts: entry.conflicts ?? [],
  };
}

function withValue(values, name, value) {
  const changed = { ...values };
  if (value === null) delete changed[name];
  else changed[name] = value;
  return changed;
}

function changeShape(state, act, change) {
  const shape = state.shapes.get(act.payload.shape_id);
  if (shape) state.shapes.set(shape.shape_id, { ...shape, ...change(shape) });
}

function changeMark(state, act, isUndone) {
  const mark = state.marks.get(act.payload.stroke_id);
  if (mark && mark.author === act.author) state.marks.set(mark.mark_id, { ...mark, is_undone: isUndone });
}

function addShape(state, act) {
  const { shape_id: id } = act.payload;
  if (!state.shapes.has(id)) state.shapes.set(id, { ...shapeFrom(act.payload), author: act.author });
}

function setGeometry(state, act) {
  changeShape(state, act, (shape) => {
    const isConflict = act.payload.base_version < shape.version;
    const lost = { version: shape.version, author: shape.author, regions: shape.regions };
    return {
      regions: act.payload.regions,
      version: shape.version + 1,
      author: act.author,
      source: shape.source === "model" ? "model-edited" : shape.source,
      conflicts: isConflict ? [...shape.conflicts, lost] : shape.conflicts,
    };
  });
}

function setAttribute(state, act) {
  const { attribute, value, layer } = act.payload;
  if (!layer) {
    changeShape(state, act, (shape) => ({ attributes: withValue(shape.attributes, attribute, value) }));
    return;
  }
  const key = layerKey(layer.medium, layer.label);
  const earlier = state.layer_attributes.get(key)?.attributes ?? {};
  state.layer_attributes.set(key, {
    medium: layer.medium, label: layer.label, attributes: withValue(earlier, attribute, value),
  });
}

function addMark(state, act) {
  const { stroke_id: id } = act.payload;
  if (!state.marks.has(id)) {
    state.marks.set(id, { mark_id: id, author: act.author, payload: act.payload, is_undone: false });
  }
}

/** @type {Object<string, (state: State, act: Act) => void>} */
const STEPS = {
  "shape.add": addShape,
  "shape.geometry": setGeometry,
  "shape.label": (state, act) => changeShape(state, act, () => ({ label: act.payload.label })),
  "shape.attribute": setAttribute,
  "shape.delete": (state, act) => changeShape(state, act, () => ({ is_deleted: true })),
  "shape.restore": (state, act) => changeShape(state, act, () => ({ is_deleted: false })),
  "stroke.add": addMark,
  "patch.add": addMark,
  "stroke.undo": (state, act) => changeMark(state, act, true),
  "stroke.redo": (state, act) => changeMark(state, act, false),
  "answer.set": (state, act) => {
    state.answers = withValue(state.answers, act.payload.question, act.payload.value);
  },
};
