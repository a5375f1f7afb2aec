// What is not acknowledged yet, kept in the browser over a reload or a crash. Operations only: no image, no name.
//
// Entries belong to one person and one assignment; those of anybody else are erased when the page opens.
const DATABASE = "labelhub";
const STORE = "outbox";

export class Outbox {
  /** @param {IDBDatabase | null} database null where the browser keeps nothing (private windows) */
  constructor(database, assignment, author) {
    /** What is done until a new connection is there. @type {any[]} */
    this.waiting = [];
    this.isConnecting = false;
    this.connect(database);
    this.assignment = assignment;
    this.author = author;
    this.order = Date.now();
  }

  /** Signing out in another window empties what the browser keeps, and ends the connection: what is drawn later needs a new one. */
  connect(database) {
    this.database = database;
    this.isConnecting = false;
    for (const entry of this.waiting.splice(0)) this.put(entry);
    database?.addEventListener("close", () => {
      this.database = null;
      this.isConnecting = true;
      // Not before it is emptied.
      setTimeout(async () => this.connect(await openDatabase().catch(() => null)), 1000);
    });
  }

  /** @returns {Promise<Outbox>} */
  static async open(assignment, author) {
    const database = await openDatabase().catch(() => null);
    const outbox = new Outbox(database, assignment, author);
    if (database) await outbox.eraseOthers();
    return outbox;
  }

  /** The operations to send again, in their order. */
  async kept() {
    if (!this.database) return [];
    const all = await this.request("readonly", (store) => store.getAll());
    const own = all.filter((entry) => entry.assignment === this.assignment && entry.author === this.author).sort((a, b) => a.order - b.order);
    // What is drawn next comes after these, whatever the clock says now.
    this.order = Math.max(this.order, own.at(-1)?.order ?? 0);
    return own.map(({ op_id, kind, payload }) => ({ op_id, kind, payload }));
  }

  /** Where the browser takes one no more, it takes none after it: the page warns before it is left. */
  async keep(operation) {
    this.order += 1;
    const entry = { ...operation, assignment: this.assignment, author: this.author, order: this.order };
    if (this.isConnecting) this.waiting.push(entry);
    else await this.put(entry);
  }

  async put(entry) {
    if (this.database) await this.request("readwrite", (store) => store.put(entry)).catch(() => {
      this.database = null;
    });
  }

  async forget(ids) {
    this.waiting = this.waiting.filter((entry) => !ids.includes(entry.op_id));
    if (!this.database || !ids.length) return;
    try {
      const transaction = this.database.transaction(STORE, "readwrite");
      for (const id of ids) transaction.objectStore(STORE).delete(id);
    } catch {
      // Sent once more when the page is opened again, and known there.
    }
  }

  async eraseOthers() {
    const all = await this.request("readonly", (store) => store.getAll());
    await this.forget(all.filter((entry) => entry.author !== this.author).map((entry) => entry.op_id));
  }

  /** @returns {Promise<any>} */
  request(mode, ask) {
    return new Promise((resolve, reject) => {
      const transaction = this.database.transaction(STORE, mode, { durability: "strict" });
      const request = ask(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = () => reject(transaction.error);
      // By itself it would wait until this page heard that it went well: a crash before that would take it back.
      transaction.commit();
    });
  }
}

/** @returns {Promise<IDBDatabase>} */
function openDatabase() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "op_id" });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
