// The socket of a working copy. Opens itself again, longer each time; what is asked is answered by `ref`, or rejected when the
// socket goes: whoever asked still holds what they sent, and sends it again.
//
// Events: open (detail: hello), operations, presence, refused (of nothing in particular), gone (detail: code). Not here: what is
// sent and when (label/sync.js), colleagues (colleagues.js).
import { Refusal, Unreachable, UNREACHED } from "./server.js";

const AGAIN_AFTER_MS = [300, 700, 1500, 3000, 6000, 12_000];
const ANSWER_WITHIN_MS = 12_000;
export const SIGNED_OUT = 4401;
export const NOT_YOURS = 4404;

export class DocumentSocket extends EventTarget {
  /** @param {string} path from the root of this server */
  constructor(path) {
    super();
    this.address = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${path}`;
    this.socket = null;
    this.isOpen = false;
    this.isOver = false;
    this.tries = 0;
    this.ref = 0;
    /** @type {Map<number, {resolve: (answer: any) => void, reject: (error: Error) => void, timer: any}>} */
    this.asked = new Map();
    addEventListener("online", () => this.start());
    addEventListener("offline", () => this.socket?.close());
    document.addEventListener("visibilitychange", () => document.hidden || this.start());
  }

  /** Open, unless that is so or under way. */
  start() {
    if (this.socket || this.isOver) return;
    clearTimeout(this.timer);
    const socket = new WebSocket(this.address);
    this.socket = socket;
    socket.addEventListener("message", (event) => this.hear(JSON.parse(event.data)));
    socket.addEventListener("close", (event) => this.close(event.code));
  }

  /** Ask for something that is answered. @returns {Promise<any>} */
  ask(message) {
    if (!this.isOpen) return Promise.reject(unreachable());
    this.ref += 1;
    const ref = this.ref;
    return new Promise((resolve, reject) => {
      // A connection that went without a word is found out here, and opened anew.
      const timer = setTimeout(() => this.socket?.close(), ANSWER_WITHIN_MS);
      this.asked.set(ref, { resolve, reject, timer });
      this.socket.send(JSON.stringify({ ...message, ref }));
    });
  }

  /** Say something that needs no answer; lost where nobody listens. */
  tell(message) {
    if (this.isOpen) this.socket.send(JSON.stringify(message));
  }

  hear(message) {
    if (message.type === "hello") {
      this.isOpen = true;
      this.tries = 0;
      this.emit("open", message);
    } else if (message.type === "stored") this.settle(message.ref)?.resolve(message);
    else if (message.type === "refused") {
      const asked = this.settle(message.ref);
      const refusal = message.status >= 500 || message.status === 429 ? new Unreachable(message.detail) : new Refusal(message.status, message.code, message.detail);
      if (asked) asked.reject(refusal);
      else this.emit("refused", refusal);
    } else this.emit(message.type, message);
  }

  settle(ref) {
    const asked = this.asked.get(ref);
    this.asked.delete(ref);
    clearTimeout(asked?.timer);
    return asked;
  }

  close(code) {
    this.socket = null;
    this.isOpen = false;
    for (const ref of [...this.asked.keys()]) this.settle(ref).reject(unreachable());
    this.emit("gone", code);
    if (code === SIGNED_OUT || code === NOT_YOURS) {
      this.isOver = true;
      return;
    }
    const wait = AGAIN_AFTER_MS[Math.min(this.tries, AGAIN_AFTER_MS.length - 1)];
    this.tries += 1;
    // Spread out, so that a server that comes back is not asked by all windows in one moment.
    this.timer = setTimeout(() => this.start(), wait * (0.7 + 0.6 * Math.random()));
  }

  /** Try again after a new sign-in. */
  revive() {
    this.isOver = false;
    this.tries = 0;
    this.start();
  }

  emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

function unreachable() {
  return new Unreachable(UNREACHED);
}
