// What every page has: theme, keys of the page, search by "/", menus that close, notices, tips. No page logic.
import { startBell } from "./bell.js";
import { startTips } from "./tips.js";
import { startTables } from "./tables.js";

const THEMES = ["system", "light", "dark"];
const root = document.documentElement;

/** Whether a key press belongs to something that takes text. */
export function isTyping(event) {
  const target = event.target;
  return event.ctrlKey || event.metaKey || event.altKey
    || target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName ?? "")
    && !["checkbox", "radio", "button", "range"].includes(target.type);
}

/** Show a sentence in the corner; it stays until dismissed. */
export function notify(text, level = "info") {
  const notice = document.createElement("div");
  notice.className = `notice is-${level}`;
  const words = document.createElement("p");
  words.textContent = text;
  const close = document.createElement("button");
  close.className = "button is-quiet is-square";
  close.type = "button";
  close.dataset.dismiss = "";
  close.setAttribute("aria-label", "Dismiss");
  close.textContent = "×";
  notice.append(document.createElement("span"), words, close);
  document.getElementById("notices").append(notice);
}

/** Return the token that unsafe requests of this page need. */
export function csrfToken() {
  return JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRFToken"];
}

function setTheme(theme, address) {
  root.dataset.theme = theme;
  for (const button of document.querySelectorAll("[data-theme-value]")) {
    button.setAttribute("aria-pressed", String(button.dataset.themeValue === theme));
  }
  if (!address) return localStorage.setItem("labelhub-theme", theme);
  const body = new URLSearchParams({ theme });
  fetch(address, { method: "POST", body, headers: { "X-CSRFToken": csrfToken() } })
    .catch(() => notify("The theme could not be remembered: the server did not answer.", "warning"));
}

function openShortcuts() {
  const sheet = document.getElementById("shortcuts");
  if (!sheet.open) sheet.showModal();
}

function closeMenus(except) {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!except || !menu.contains(except)) menu.open = false;
  }
}

document.addEventListener("click", (event) => {
  closeMenus(event.target);
  event.target.closest("[data-dismiss]")?.closest(".notice")?.remove();
  const choice = event.target.closest("[data-theme-value]");
  if (choice) setTheme(choice.dataset.themeValue, choice.closest("[data-themes]").dataset.save);
  const opener = event.target.closest("[data-opens]");
  if (opener) document.getElementById(opener.dataset.opens)?.showModal();
  event.target.closest("[data-closes]")?.closest("dialog").close();
  const copy = event.target.closest("[data-copy]");
  if (copy) navigator.clipboard?.writeText(copy.dataset.copy).then(() => notify("Copied.", "success"));
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") closeMenus();
  if (isTyping(event) || document.querySelector("dialog[open]")) return;
  if (event.key === "?") openShortcuts();
  else if (event.key === "/") {
    const search = document.getElementById("search");
    if (!search) return;
    event.preventDefault();
    search.select();
  } else {
    // A capital letter is one with Shift; where nothing has that, the letter itself.
    const keys = [...(event.shiftKey ? [event.key] : []), event.key.toLowerCase()];
    const target = keys.map((key) => document.querySelector(`[data-key="${CSS.escape(key)}"]`)).find(Boolean);
    if (!target || target.disabled) return;
    event.preventDefault();
    if (target.matches("input, textarea, select")) target.focus();
    else target.click();
  }
});

// A button that needs words brings the reader to the empty field instead of sending.
document.addEventListener("click", (event) => {
  const needed = document.getElementById(event.target.closest("[data-needs]")?.dataset.needs);
  if (!needed || needed.value.trim()) return;
  event.preventDefault();
  needed.placeholder = "Say what is wrong: its author reads your words.";
  needed.focus();
});

// A second press of a sent form must not send it twice; a page that comes back from history is usable again.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || form.hasAttribute("hx-post")) return;
  if (form.getAttribute("aria-busy") === "true") event.preventDefault();
  form.setAttribute("aria-busy", "true");
});
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-submits]")) event.target.form.requestSubmit();
});
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[aria-busy]")) form.removeAttribute("aria-busy");
});
document.addEventListener("htmx:sendError", () => notify("The server did not answer. Nothing was lost on the page; try again.", "error"));

document.getElementById("shortcuts-button")?.addEventListener("click", openShortcuts);
const themeButton = document.getElementById("theme-button");
themeButton?.addEventListener("click", () => {
  const theme = THEMES[(THEMES.indexOf(root.dataset.theme) + 1) % THEMES.length];
  setTheme(theme, themeButton.dataset.save);
  notify(`Theme: ${theme === "system" ? "as the device" : theme}.`);
});
if (themeButton && !themeButton.dataset.save) root.dataset.theme = localStorage.getItem("labelhub-theme") ?? "system";
startBell(document.getElementById("bell"));
startTips(document);
startTables(document);
