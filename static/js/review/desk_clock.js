// Signs of life of who reviews an item; the time shown is the server's. Who does nothing for a while, or looks elsewhere, sends none.
import { ask } from "../live/server.js";

const BEAT_MS = 12_000;
const IDLE_MS = 25_000;

const line = document.getElementById("desk-time");
const shown = document.getElementById("desk-active");
let last = performance.now();

function show(seconds) {
  const minutes = Math.floor(seconds / 60);
  shown.textContent = minutes ? `${minutes} min` : `${Math.floor(seconds)} s`;
}

async function beat(isLast = false) {
  if (!isLast && document.hidden) return;
  if (performance.now() - last > IDLE_MS) return;
  const answer = await ask(line.dataset.beat, { body: {}, isLast }).catch(() => null);
  if (answer) show(answer.active_s);
}

for (const type of ["pointermove", "keydown", "wheel"]) {
  addEventListener(type, () => {
    last = performance.now();
  }, { passive: true, capture: true });
}
// Coming back begins anew; going ends what was begun.
document.addEventListener("visibilitychange", () => beat(document.hidden));
addEventListener("pagehide", () => beat(true));
beat();
setInterval(beat, BEAT_MS);
