// Ending an item: submit, no finding, skip. One request id until it is answered, so that a retry is the same submit.
import { byId } from "./dom.js";
import { ask } from "../live/server.js";

export class Finish {
  /**
   * @param {{submit: string, skip: string}} addresses
   * @param {import("./sync.js").Sync} sync
   * @param {import("./draft.js").Draft} draft
   * @param {Object<string, any>} page what the page lends: extent, say, questions, hasClasses, assignment, editor
   */
  constructor(addresses, sync, draft, { extent, say, questions, hasClasses, assignment, editor }) {
    this.proposals = editor.proposals;
    this.addresses = addresses;
    this.sync = sync;
    this.draft = draft;
    this.extent = extent;
    this.say = say;
    this.questions = questions;
    this.hasClasses = hasClasses;
    this.isBusy = false;
    this.storage = `labelhub-request-${assignment}`;
    this.noFinding = byId("no-finding");
    this.button = byId("submit");
    this.noFinding.addEventListener("click", () => this.toggleNoFinding());
    this.button.addEventListener("click", () => this.submit());
    byId("skip")?.addEventListener("click", () => this.openSkip());
    byId("skip-form").addEventListener("submit", (event) => this.skip(event));
    draft.addEventListener("change", () => this.drew());
  }

  get isNoFinding() {
    return this.noFinding.getAttribute("aria-pressed") === "true";
  }

  /** Whether anything is marked, on any picture. */
  hasMarks() {
    const { state, layers } = this.draft;
    if ([...state.shapes.values()].some((shape) => !shape.is_deleted)) return true;
    return [...layers.sizes.keys()].some((medium) =>
      layers.labels(state, medium).some((label) => layers.occupied(state, medium, label).length));
  }

  toggleNoFinding() {
    if (this.sync.isEnded) return;
    if (!this.isNoFinding && this.hasMarks()) {
      this.say("Something is marked. Delete it first if there is nothing to find on this image.");
      return;
    }
    const answered = this.isNoFinding ? undefined : this.questions.firstPresupposing();
    if (answered) {
      this.questions.focus(answered.key);
      this.say(`You answered “${answered.text}”, which is asked only where something is found. Take that answer back first: press it again.`);
      return;
    }
    this.setNoFinding(!this.isNoFinding);
    if (this.isNoFinding) this.say("No finding: you looked and there is nothing. Submit with Ctrl+Enter.");
  }

  setNoFinding(isPressed) {
    this.noFinding.setAttribute("aria-pressed", String(isPressed));
    this.questions.setNoFinding(isPressed);
  }

  /** Whoever draws has found something. */
  drew() {
    if (this.isNoFinding && this.hasMarks()) this.setNoFinding(false);
  }

  async submit() {
    if (this.isBusy || this.sync.isEnded) return;
    if (this.proposals.current || this.proposals.isWorking) {
      this.say("A preview waits: Enter keeps it, Escape drops it. Then submit.");
      return;
    }
    await this.proposals.settled;
    // What could not be stored is a preview again, and was told.
    if (this.isBusy || this.proposals.current) return;
    const question = this.questions.firstMissing(this.isNoFinding);
    if (question) {
      this.questions.focus(question.key);
      this.say(`“${question.text}” needs an answer before you submit.`);
      return;
    }
    if (this.hasClasses && !this.isNoFinding && !this.hasMarks()) {
      this.say("Nothing is marked. Mark something, or press 0 for “No finding” if there is nothing.");
      this.noFinding.focus();
      return;
    }
    this.setBusy(true);
    try {
      await this.sync.flushed();
      const answer = await ask(this.addresses.submit, {
        body: { request_id: this.requestId(), no_finding: this.isNoFinding, extent: this.extent() },
      });
      this.leave(answer.next);
    } catch (error) {
      // Refused as it stands: what is sent after a change is another request.
      if (error.code) sessionStorage.removeItem(this.storage);
      this.say(error.message);
      this.setBusy(false);
      /** @type {HTMLElement | null} */ (document.querySelector(".is-missing input, .is-missing textarea"))?.focus();
    }
  }

  openSkip() {
    if (byId("skip") && !this.sync.isEnded) byId("skip-dialog").showModal();
  }

  async skip(event) {
    if (event.submitter?.value !== "skip") return;
    event.preventDefault();
    const reason = new FormData(event.target).get("reason")?.toString().trim();
    if (!reason) {
      byId("skip-reason").focus();
      return;
    }
    try {
      const answer = await ask(this.addresses.skip, { body: { reason } });
      this.leave(answer.next);
    } catch (error) {
      byId("skip-dialog").close();
      this.say(error.message);
    }
  }

  /** The same until it is answered, also over a reload. */
  requestId() {
    const kept = sessionStorage.getItem(this.storage) ?? crypto.randomUUID();
    sessionStorage.setItem(this.storage, kept);
    return kept;
  }

  setBusy(isBusy) {
    this.isBusy = isBusy;
    this.button.setAttribute("aria-disabled", String(isBusy));
    byId("submit-word").textContent = isBusy ? "Submitting" : "Submit";
  }

  leave(address) {
    sessionStorage.removeItem(this.storage);
    location.assign(address);
  }
}
