// What an operation did, in words: after "You" or a name.
const DONE = {
  "shape.add": "drew a shape", "shape.geometry": "changed a shape", "shape.label": "gave a shape another class",
  "shape.attribute": "answered about a shape", "shape.delete": "deleted a shape", "shape.restore": "brought a shape back",
  "stroke.add": "painted", "patch.add": "filled a region", "stroke.undo": "took a stroke back", "stroke.redo": "did a stroke again",
  "answer.set": "answered a question",
};

/** @param {string} kind of an operation */
export function doneInWords(kind) {
  return DONE[kind] ?? kind;
}
