// The document as this person sees it: what the server acknowledged, and on top of it what is on its way. Undo is by inverse acts.
//
// Not here: sending (sync.js), keeping over a reload (outbox.js), drawing (canvas/).
import { apply, copyState, createState } from "../lib/fold.js";
import { Layers } from "../lib/layers.js";

/** @typedef {{op_id: string, kind: string, payload: any}} Operation */

export class Draft extends EventTarget {
  /** @param {any} workspace the answer of the document's address @param {Map<string, any>} masks */
  constructor(workspace, masks) {
    super();
    this.author = workspace.author;
    this.acknowledged = createState(workspace.state);
    this.state = copyState(this.acknowledged);
    /** @type {Operation[]} */
    this.pending = [];
    /** @type {{operation: Operation, detail: string}[]} */
    this.refused = [];
    this.done = [];
    this.undone = [];
    const sizes = new Map(workspace.media.map((medium) => [medium.ordinal, medium.size]));
    this.layers = new Layers(sizes, masks);
  }

  /** Do something now; it is sent as soon as it can be. */
  act(kind, payload) {
    const inverse = this.inverseOf(kind, payload);
    if (inverse) {
      const version = this.state.shapes.get(payload.shape_id)?.version;
      this.done.push({ forth: againOf(kind, payload), back: inverse, version });
      this.undone = [];
    }
    this.perform({ op_id: crypto.randomUUID(), kind, payload });
  }

  /** Several acts that are one step of undo. @param {[string, any][]} acts */
  actTogether(acts) {
    const before = this.done.length;
    for (const [kind, payload] of acts) this.act(kind, payload);
    const steps = this.done.splice(before);
    if (steps.length) this.done.push({ forth: steps.map((step) => step.forth), back: steps.map((step) => step.back).reverse() });
  }

  /** Take the last own act back. What a colleague went on with stays; then nothing is done, and why is said. */
  undo() {
    return this.step(this.done, this.undone, "back");
  }

  redo() {
    return this.step(this.undone, this.done, "forth");
  }

  step(from, to, way) {
    const step = from.pop();
    if (!step) return false;
    const { shape_id: id, stroke_id: stroke } = step[way].payload ?? {};
    const shape = this.state.shapes.get(id);
    // It was refused: nothing of it is there.
    if ((id && !shape) || (stroke && !this.state.marks.has(stroke))) return this.step(from, to, way);
    // Whoever changed an outline is its author; a colleague's may stand as it stood when this was done.
    if (shape && shape.author !== this.author && shape.version !== step.version && step[way].kind !== "shape.attribute") {
      this.dispatchEvent(new CustomEvent("say", { detail: "Somebody changed this shape since. It stays as it is." }));
      return true;
    }
    to.push(step);
    this.performStep(step[way]);
    return true;
  }

  /** Take up an operation that was kept over a reload. @param {Operation} operation */
  resume(operation) {
    this.perform(operation, false);
  }

  /** An operation that was kept too, for an image that takes none any more: it is in the tray, and not drawn as if it were stored. */
  leaveOut(operation, detail) {
    this.refused.push({ operation, detail });
  }

  /** The server has these for certain. @param {{op_id: string, seq: number}[]} acknowledgements */
  acknowledge(acknowledgements) {
    const seqs = new Map(acknowledgements.map(({ op_id: id, seq }) => [id, seq]));
    let isKnown = false;
    for (const operation of this.pending.filter(({ op_id: id }) => seqs.has(id))) {
      const seq = seqs.get(operation.op_id);
      if (seq > this.acknowledged.head_seq) apply(this.acknowledged, this.asAct(operation, seq));
      else isKnown = true;
    }
    this.pending = this.pending.filter(({ op_id: id }) => !seqs.has(id));
    // One that was stored before a reload was part of the state already: it must not count twice.
    if (isKnown) this.rebuild();
    this.emit("pending");
  }

  /**
   * What the log says next, of anybody; what is known already counts once. False where something before it is missing.
   * @param {any[]} acts
   */
  receive(acts) {
    const fresh = acts.filter((act) => act.seq > this.acknowledged.head_seq);
    if (!fresh.length) return true;
    if (fresh[0].seq !== this.acknowledged.head_seq + 1) return false;
    for (const act of fresh) apply(this.acknowledged, act);
    const before = this.pending;
    const known = new Set(fresh.map((act) => act.op_id));
    this.pending = before.filter(({ op_id: id }) => !known.has(id));
    // The usual cases cost no copy: nothing of ours is on its way, or it is just what came.
    const isOurs = fresh.length <= before.length && fresh.every((act, i) => act.op_id === before[i].op_id);
    if (!before.length) {
      for (const act of fresh) apply(this.state, act);
      this.emit("change");
    } else if (!isOurs) this.rebuild();
    this.emit("pending");
    return true;
  }

  /** The server cannot take this one. It leaves the drawing and goes to the tray. */
  refuse(id, detail) {
    const operation = this.pending.find((entry) => entry.op_id === id);
    if (!operation) return;
    this.pending = this.pending.filter((entry) => entry !== operation);
    this.refused.push({ operation, detail });
    this.rebuild();
    this.emit("pending");
  }

  perform(operation, isNew = true) {
    this.pending.push(operation);
    this.put(operation);
    if (isNew) this.dispatchEvent(new CustomEvent("new", { detail: operation }));
    this.emit("change");
    this.emit("pending");
  }

  performStep(step) {
    if (Array.isArray(step)) return step.forEach((part) => this.performStep(part));
    const { kind, payload } = step;
    const shape = this.state.shapes.get(payload.shape_id);
    const current = kind === "shape.geometry" ? { ...payload, base_version: shape.version } : payload;
    return this.perform({ op_id: crypto.randomUUID(), kind, payload: current });
  }

  rebuild() {
    this.state = copyState(this.acknowledged);
    for (const operation of this.pending) this.put(operation);
    this.emit("change");
  }

  /** Show one of ours on top of the rest. What was drawn over an outline that was refused is drawn over the one that stands. */
  put(operation) {
    const { payload } = operation;
    const shape = this.state.shapes.get(payload.shape_id);
    if (shape && payload.base_version > shape.version) payload.base_version = shape.version;
    apply(this.state, this.asAct(operation, this.state.head_seq + 1));
  }

  asAct(operation, seq) {
    return { seq, author: this.author, ...operation };
  }

  emit(name) {
    this.dispatchEvent(new Event(name));
  }

  /** The act that takes an act back, as things stand before it. */
  inverseOf(kind, payload) {
    const shape = this.state.shapes.get(payload.shape_id);
    const id = { shape_id: payload.shape_id };
    switch (kind) {
      case "shape.add": return { kind: "shape.delete", payload: id };
      case "shape.delete": return { kind: "shape.restore", payload: id };
      case "shape.restore": return { kind: "shape.delete", payload: id };
      case "shape.geometry": return { kind, payload: { ...id, regions: shape.regions } };
      case "shape.label": return { kind, payload: { ...id, label: shape.label } };
      case "shape.attribute": return { kind, payload: { ...payload, value: this.attribute(payload) ?? null } };
      case "stroke.add": case "patch.add": return { kind: "stroke.undo", payload: { stroke_id: payload.stroke_id } };
      case "answer.set": return { kind, payload: { ...payload, value: this.state.answers[payload.question] ?? null } };
      default: return null;
    }
  }

  attribute({ shape_id: id, layer, attribute }) {
    const holder = layer ? this.state.layer_attributes.get(`${layer.medium}:${layer.label}`) : this.state.shapes.get(id);
    return holder?.attributes[attribute];
  }
}

/** The act that does it again after an undo: what was added is still there, deleted. */
function againOf(kind, payload) {
  if (kind === "shape.add") return { kind: "shape.restore", payload: { shape_id: payload.shape_id } };
  if (kind === "stroke.add" || kind === "patch.add") return { kind: "stroke.redo", payload: { stroke_id: payload.stroke_id } };
  return { kind, payload };
}
