// The bell: how many notifications are unread. A socket hints that it changed, and the number is asked for; it is asked for by
// itself now and then too, because a hint may be lost. Without sockets only the hints are missing.

const ASK_EVERY_MS = 60_000;
const BEAT_EVERY_MS = 30_000;
const AGAIN_AFTER_MS = [1000, 2000, 5000, 15_000, 60_000];
// The server says that the session ended: there is no use in trying again.
const SIGNED_OUT = 4401;

/** @param {HTMLElement | null} bell */
export function startBell(bell) {
  if (!bell) return;
  const shown = /** @type {HTMLElement} */ (bell.querySelector("[data-bell-count]"));
  let isOver = false;

  async function ask() {
    if (isOver || document.hidden) return;
    try {
      const response = await fetch(bell.dataset.count, { headers: { Accept: "application/json" }, redirect: "manual" });
      if (!response.ok) return;
      const { unread, most } = await response.json();
      const words = unread > most ? `${most}+` : String(unread);
      shown.hidden = !unread;
      shown.textContent = words;
      bell.setAttribute("aria-label", unread ? `Notifications, ${words} unread` : "Notifications");
    } catch {
      // Asked again in a minute.
    }
  }

  function listen(tries = 0) {
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws/notifications/`);
    let beat;
    socket.addEventListener("open", () => {
      tries = 0;
      beat = setInterval(() => socket.send('{"type":"beat"}'), BEAT_EVERY_MS);
    });
    socket.addEventListener("message", (event) => {
      if (JSON.parse(event.data).type === "changed") ask();
    });
    socket.addEventListener("close", (event) => {
      clearInterval(beat);
      if (event.code === SIGNED_OUT) isOver = true;
      else if (tries < 40) setTimeout(() => listen(tries + 1), AGAIN_AFTER_MS[Math.min(tries, AGAIN_AFTER_MS.length - 1)]);
    });
  }

  ask();
  setInterval(ask, ASK_EVERY_MS);
  document.addEventListener("visibilitychange", ask);
  if ("live" in bell.dataset) listen();
}
