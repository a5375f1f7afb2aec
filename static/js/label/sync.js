// Sends what is pending, in order, one request at a time, until it is acknowledged. "Saved" is lit by acknowledgements alone.
//
// Statuses: saved, saving, offline, signed-out, lease-ended, closed. Offline is tried again by itself, longer each time; signed-out
// when the window is looked at again; the last two are ends: the draft is kept, and the person is told what to do.
// Over the socket where it is open, else over HTTP: both end in the same log.
import { ask, bringMasks, Refusal, Unreachable } from "../live/server.js";
import { NOT_YOURS, SIGNED_OUT } from "../live/socket.js";

const MOST_A_REQUEST = 100;
// What is larger than a message may be would be turned away again and again.
const MOST_LETTERS_A_REQUEST = 400_000;
const LONGEST_WAIT_MS = 15_000;
// A hint may be lost: the log is asked for now and then, more often where there is no socket and others draw.
const LOOK_EVERY_MS = 15_000;
const LOOK_WITHOUT_SOCKET_MS = 3000;
const AGAIN_AFTER_MS = 1000;
const ENDS = { "lease-ended": "lease-ended", "lease-lost": "lease-ended", "assignment-closed": "closed", "assignment-waits": "closed", "not-found": "closed" };

export class Sync extends EventTarget {
  /**
   * @param {import("./draft.js").Draft} draft
   * @param {import("./outbox.js").Outbox} outbox
   * @param {string} address of the document
   * @param {any} workspace
   * @param {import("../live/socket.js").DocumentSocket | null} [socket]
   */
  constructor(draft, outbox, address, workspace, socket = null) {
    super();
    this.socket = socket;
    this.isShared = workspace.is_shared === true;
    this.taken = Promise.resolve();
    this.draft = draft;
    this.outbox = outbox;
    this.address = address;
    this.epoch = workspace.epoch;
    this.fence = workspace.fence;
    this.clientId = crypto.randomUUID();
    this.nextNumber = 1;
    this.failures = 0;
    this.status = "saved";
    this.detail = "";
    /** What was accepted and is on its way into the document; rejects where it cannot come. */
    this.settled = async () => undefined;
    draft.addEventListener("new", (event) => {
      const operation = /** @type {CustomEvent} */ (event).detail;
      outbox.keep(operation);
      // Whoever is signed out would be refused with each stroke; the window that is looked at again asks anew.
      if (this.status !== "signed-out") this.push();
    });
    addEventListener("online", () => this.push());
    document.addEventListener("visibilitychange", () => document.hidden || this.push());
    addEventListener("focus", () => this.push());
    setInterval(() => {
      const wait = socket?.isOpen || !this.isShared ? LOOK_EVERY_MS : LOOK_WITHOUT_SOCKET_MS;
      if (!document.hidden && !this.isEnded && this.status !== "signed-out" && performance.now() - (this.lookedAt ?? 0) >= wait) this.look();
    }, 1000);
    if (socket) this.listen(socket);
  }

  listen(socket) {
    const detailOf = (event) => /** @type {CustomEvent} */ (event).detail;
    socket.addEventListener("open", (event) => {
      const { head_seq: head, epoch } = detailOf(event);
      if (epoch !== this.epoch) location.reload();
      if (head > this.draft.acknowledged.head_seq) this.look();
      this.push();
    });
    socket.addEventListener("operations", (event) => this.take(detailOf(event)));
    socket.addEventListener("refused", (event) => this.fail(detailOf(event)));
    socket.addEventListener("gone", (event) => {
      const code = detailOf(event);
      if (code === SIGNED_OUT) this.fail(new Refusal(401, "signed-out", "You are signed out. Your work is kept here. Sign in again in the window that opens, then come back."));
      else if (code === NOT_YOURS) this.fail(new Refusal(404, "not-found", "You no longer draw on this image. What you drew before is kept."));
      // What was on its way goes over HTTP meanwhile.
      else this.push();
    });
    socket.start();
  }

  /** See whether the log went on, whatever hints said. */
  look() {
    this.lookedAt = performance.now();
    if (this.socket?.isOpen) this.socket.tell({ type: "pull", after: this.draft.acknowledged.head_seq });
    else {
      // A server that is not reached is told by what is sent; that nobody is signed in any more, or that this ended, only here.
      this.pull().catch((error) => (error.code === "signed-out" || ENDS[error.code]) && this.fail(error));
    }
  }

  /**
   * Take in what the log says next: one part after the other, each with the masks that it names. A long log comes in parts.
   * @param {{operations: any[], head_seq: number}} frame
   */
  take({ operations: acts, head_seq: head }) {
    this.taken = this.taken.then(async () => {
      const before = [...this.draft.pending];
      await this.learnMasks(acts);
      if (!this.draft.receive(acts)) await this.pull();
      const left = new Set(this.draft.pending);
      await this.outbox.forget(before.filter((operation) => !left.has(operation)).map((operation) => operation.op_id));
      if (acts.length && this.draft.acknowledged.head_seq < head) this.look();
      if (!this.draft.pending.length && this.status === "saving" && !this.isSending) this.set("saved");
    }).catch(() => void setTimeout(() => this.look(), AGAIN_AFTER_MS));
    return this.taken;
  }

  learnMasks(acts) {
    return bringMasks(this.draft.layers.masks, this.address, acts.map((act) => act.payload));
  }

  /** The masks of patches that were kept over a reload, where they did not come when the page opened. Nothing waits for them. */
  async bringLate() {
    const { layers, state } = this.draft;
    const late = [...state.marks.values()].map(({ payload }) => payload).filter(({ mask }) => mask && !layers.masks.has(mask));
    if (this.isBringing || !late.length) return;
    this.isBringing = true;
    const masks = new Map();
    // Where one still cannot be had, what is sent tells why.
    await bringMasks(masks, this.address, late).catch(() => undefined);
    this.isBringing = false;
    for (const [name, mask] of masks) layers.arrived(name, mask);
    if (masks.size) this.draft.emit("change");
  }

  get isEnded() {
    return this.status === "lease-ended" || this.status === "closed";
  }

  /** Send what there is. Calls while a request is under way are one. */
  async push() {
    if (this.isSending || this.isEnded) return;
    this.isSending = true;
    this.bringLate();
    clearTimeout(this.timer);
    try {
      while (this.draft.pending.length && !this.isEnded) {
        this.set("saving");
        await this.sendBatch();
      }
      this.failures = 0;
      // What was closed meanwhile stays so.
      this.set(this.isEnded ? this.status : "saved", this.isEnded ? this.detail : "");
      // Signed in again: the socket that was closed then is opened anew.
      if (this.socket?.isOver) this.socket.revive();
    } catch (error) {
      this.fail(error);
    } finally {
      this.isSending = false;
    }
  }

  /** Resolves once everything drawn so far is acknowledged; rejects with the reason where it cannot be. */
  async flushed() {
    await this.settled();
    await this.push();
    while (this.isSending) await new Promise((resolve) => this.addEventListener("status", resolve, { once: true }));
    if (this.draft.pending.length) throw new Error(this.detail || "Your last changes are not stored yet. Wait a moment and submit again.");
  }

  async sendBatch() {
    const batch = firstOf(this.draft.pending);
    const operations = batch.map((operation, i) => ({ ...operation, client_seq: this.nextNumber + i }));
    const body = { client_id: this.clientId, epoch: this.epoch, fence: this.fence, person: this.draft.author, operations };
    const answer = await (this.socket?.isOpen ? this.socket.ask({ type: "send", ...body }) : ask(this.address, { body }));
    this.nextNumber = answer.next_client_seq;
    const head = this.draft.acknowledged.head_seq;
    const fresh = answer.acknowledged.map((entry) => entry.seq).filter((seq) => seq > head);
    // A number left out is somebody else's act, or one from another window of ours: fetch it before going on.
    const isGapless = fresh.every((seq, i) => seq === head + 1 + i);
    if (isGapless) this.draft.acknowledge(answer.acknowledged);
    else await this.pull();
    await this.outbox.forget(answer.acknowledged.map((entry) => entry.op_id));
    const { refused } = answer;
    if (refused && refused.code !== "sequence-gap") {
      this.draft.refuse(refused.op_id, refused.detail);
      await this.outbox.forget([refused.op_id]);
      this.dispatchEvent(new CustomEvent("refused", { detail: refused.detail }));
    }
  }

  async pull() {
    let head = Infinity;
    while (this.draft.acknowledged.head_seq < head) {
      const answer = await ask(`${this.address}?after=${this.draft.acknowledged.head_seq}`);
      head = answer.head_seq;
      await this.learnMasks(answer.operations);
      this.draft.receive(answer.operations);
      if (!answer.operations.length) break;
    }
    this.draft.emit("pending");
  }

  fail(error) {
    if (error instanceof Unreachable) {
      this.failures += 1;
      this.timer = setTimeout(() => this.push(), Math.min(LONGEST_WAIT_MS, 500 * 2 ** this.failures));
      this.set("offline", error.message);
    } else if (error instanceof Refusal && error.code === "signed-out") this.set("signed-out", error.message);
    else if (error instanceof Refusal && error.code === "stale-epoch") location.reload();
    else if (error instanceof Refusal && ENDS[error.code]) this.set(ENDS[error.code], error.message);
    else {
      this.timer = setTimeout(() => this.push(), LONGEST_WAIT_MS);
      this.set("offline", error.message);
    }
  }

  set(status, detail = "") {
    this.status = status;
    this.detail = detail;
    this.emit("status");
  }

  emit(name) {
    this.dispatchEvent(new Event(name));
  }
}

/** The first of what is pending that go into one request; always at least one. @param {any[]} pending */
export function firstOf(pending) {
  let letters = 0;
  const end = pending.findIndex((operation, i) => {
    letters += JSON.stringify(operation).length;
    return i === MOST_A_REQUEST || (i > 0 && letters > MOST_LETTERS_A_REQUEST);
  });
  return pending.slice(0, end < 0 ? pending.length : end);
}
