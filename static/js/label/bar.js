// The top bar: whether what was drawn is saved, and the active time as the server measures it.
import { byId, h, icon } from "./dom.js";
import { ask } from "../live/server.js";

const BEAT_MS = 12_000;
const IDLE_MS = 25_000;
const WORDS = {
  saved: ["check", "Saved", "is-good"],
  saving: ["clock", "Saving", ""],
  offline: ["alert", "Not saved yet", "is-warn"],
  "signed-out": ["lock", "Signed out", "is-bad"],
  "lease-ended": ["clock", "Time ended", "is-bad"],
  closed: ["lock", "Closed", ""],
};

/** @param {import("./sync.js").Sync} sync @param {import("./draft.js").Draft} draft */
export function showSaved(sync, draft) {
  const element = byId("saved");
  const show = () => {
    const [picture, word, tone] = WORDS[sync.status];
    const n = draft.pending.length;
    element.className = `state ${tone}`;
    element.dataset.status = sync.status === "saved" && n ? "saving" : sync.status;
    element.replaceChildren(icon(picture), word, n && sync.status !== "saved" ? h("span", { class: "hint" }, `${n} kept here`) : "");
    byId("trouble").hidden = !sync.detail;
    byId("trouble-text").textContent = sync.detail;
    byId("trouble-sign-in").hidden = sync.status !== "signed-out";
    byId("trouble-retry").hidden = sync.status !== "offline";
    const again = byId("trouble-again");
    again.hidden = !sync.isEnded;
    again.textContent = sync.status === "lease-ended" ? "Take it again" : "To the queue";
  };
  sync.addEventListener("status", show);
  draft.addEventListener("pending", show);
  show();
}

/** Signs of life while somebody is at work; the time shown is the server's, between beats it is not guessed. */
export function startClock(address, active_s, isOpen) {
  const element = byId("active");
  let last = performance.now();
  const show = (seconds) => {
    const minutes = Math.floor(seconds / 60);
    element.textContent = minutes ? `${minutes} min` : `${Math.floor(seconds)} s`;
  };
  for (const type of ["pointermove", "keydown", "wheel"]) {
    addEventListener(type, () => {
      last = performance.now();
    }, { passive: true, capture: true });
  }
  const beat = async () => {
    if (!isOpen() || document.hidden || performance.now() - last > IDLE_MS) return;
    const answer = await ask(address, { body: {} }).catch(() => null);
    if (answer) show(answer.active_s);
  };
  show(active_s);
  beat();
  setInterval(beat, BEAT_MS);
}
