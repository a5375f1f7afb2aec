// Sends what is pending, in order, one request at a time, until it is acknowledged. "Saved" is lit by acknowledgements alone.
//
// Statuses: saved, saving, offline, signed-out, lease-ended, closed. Offline is tried again by itself, longer each time; signed-out
// when the window is looked at again; the last two are ends: the draft is kept, and the person is told what to do.
import { ask, Refusal, Unreachable } from "./server.js";

const MOST_A_REQUEST = 100;
const LONGEST_WAIT_MS = 15_000;
const ENDS = { "lease-ended": "lease-ended", "lease-lost": "lease-ended", "assignment-closed": "closed", "assignment-waits": "closed", "not-found": "closed" };

export class Sync extends EventTarget {
  /**
   * @param {import("./draft.js").Draft} draft
   * @param {import("./outbox.js").Outbox} outbox
   * @param {string} address of the document
   * @param {any} workspace
   */
  constructor(draft, outbox, address, workspace) {
    super();
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
    draft.addEventListener("new", (event) => {
      const operation = /** @type {CustomEvent} */ (event).detail;
      outbox.keep(operation).catch(() => this.emit("unkept"));
      this.push();
    });
    addEventListener("online", () => this.push());
    document.addEventListener("visibilitychange", () => document.hidden || this.push());
    addEventListener("focus", () => this.push());
  }

  get isEnded() {
    return this.status === "lease-ended" || this.status === "closed";
  }

  /** Send what there is. Calls while a request is under way are one. */
  async push() {
    if (this.isSending || this.isEnded) return;
    this.isSending = true;
    clearTimeout(this.timer);
    try {
      while (this.draft.pending.length) {
        this.set("saving");
        await this.sendBatch();
      }
      this.failures = 0;
      this.set("saved");
    } catch (error) {
      this.fail(error);
    } finally {
      this.isSending = false;
    }
  }

  /** Resolves once everything drawn so far is acknowledged; rejects with the reason where it cannot be. */
  async flushed() {
    await this.push();
    while (this.isSending) await new Promise((resolve) => this.addEventListener("status", resolve, { once: true }));
    if (this.draft.pending.length) throw new Error(this.detail || "Your last changes are not stored yet. Wait a moment and submit again.");
  }

  async sendBatch() {
    const batch = this.draft.pending.slice(0, MOST_A_REQUEST);
    const operations = batch.map((operation, i) => ({ ...operation, client_seq: this.nextNumber + i }));
    const answer = await ask(this.address, {
      body: { client_id: this.clientId, epoch: this.epoch, fence: this.fence, operations },
    });
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
