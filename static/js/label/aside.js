// What is done with an image besides labeling it: park it, ask about it, say that it cannot be read.
import { byId } from "./dom.js";
import { ask } from "../live/server.js";

export class Aside {
  /**
   * @param {{park: string, ask: string, unreadable: string}} addresses
   * @param {import("./sync.js").Sync} sync
   * @param {(text: string) => void} say
   * @param {(address: string) => void} leave
   */
  constructor(addresses, sync, say, leave) {
    this.addresses = addresses;
    this.sync = sync;
    this.say = say;
    this.leave = leave;
    byId("park")?.addEventListener("click", () => this.park());
    byId("ask")?.addEventListener("click", () => this.open("ask"));
    byId("unreadable")?.addEventListener("click", () => this.open("unreadable"));
    for (const name of ["ask", "unreadable"]) {
      byId(`${name}-form`).addEventListener("input", () => {
        byId(`${name}-trouble`).textContent = "";
      });
    }
    byId("ask-form").addEventListener("submit", (event) => this.ask(event));
    byId("unreadable-form").addEventListener("submit", (event) => this.cannotRead(event));
  }

  /** Everything drawn is stored before the image is put aside. */
  async park() {
    this.close();
    if (!byId("park") || this.sync.isEnded || this.isBusy) return;
    await this.send(this.addresses.park, {}, (error) => this.say(error.message));
  }

  open(name) {
    this.close();
    if (!byId(name) || this.sync.isEnded) return;
    byId(`${name}-trouble`).textContent = "";
    byId(`${name}-dialog`).showModal();
  }

  async ask(event) {
    const chosen = event.submitter?.value ?? "wait";
    if (chosen === "cancel") return;
    event.preventDefault();
    const text = byId("ask-text").value.trim();
    if (!text) return this.refuse("ask", "ask-text", "Write your question first.");
    await this.send(this.addresses.ask, { text, waits: chosen === "wait" }, (error) => this.refuse("ask", "ask-text", error.message));
  }

  async cannotRead(event) {
    if (event.submitter?.value === "cancel") return;
    event.preventDefault();
    const reason = byId("unreadable-reason").value.trim();
    if (!reason) return this.refuse("unreadable", "unreadable-reason", "Say why: a second person reads it.");
    await this.send(this.addresses.unreadable, { reason }, (error) => this.refuse("unreadable", "unreadable-reason", error.message));
  }

  async send(address, body, refuse) {
    if (this.isBusy) return;
    this.isBusy = true;
    try {
      await this.sync.flushed();
      const answer = await ask(address, { body });
      if (answer.next) this.leave(answer.next);
      else {
        byId("ask-dialog").close();
        byId("ask-text").value = "";
        this.say(answer.said);
      }
    } catch (error) {
      refuse(error);
    } finally {
      this.isBusy = false;
    }
  }

  refuse(name, field, words) {
    byId(`${name}-trouble`).textContent = words;
    byId(field).focus();
  }

  close() {
    if (byId("aside")) byId("aside").open = false;
  }
}
