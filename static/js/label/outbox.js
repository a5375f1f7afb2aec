// What is not acknowledged yet, kept in the browser over a reload or a crash. Operations only: no image, no name.
//
// Entries belong to one person and one assignment; those of anybody else are erased when the page opens.
const DATABASE = "labelhub";
const STORE = "outbox";

export class Outbox {
  /** @param {IDBDatabase | null} database null where the browser keeps nothing (private windows) */
  constructor(database, assignment, author) {
    this.database = database;
    this.assignment = assignment;
    this.author = author;
    this.order = Date.now();
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
    return all
      .filter((entry) => entry.assignment === this.assignment)
      .sort((a, b) => a.order - b.order)
      .map(({ op_id, kind, payload }) => ({ op_id, kind, payload }));
  }

  async keep(operation) {
    this.order += 1;
    const entry = { ...operation, assignment: this.assignment, author: this.author, order: this.order };
    if (this.database) await this.request("readwrite", (store) => store.put(entry));
  }

  async forget(ids) {
    if (!this.database || !ids.length) return;
    const transaction = this.database.transaction(STORE, "readwrite");
    for (const id of ids) transaction.objectStore(STORE).delete(id);
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
