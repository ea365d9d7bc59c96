/** What the snippets use of a browser and Node 20 doesn't have. */

/** Storage as `localStorage`, which tabs share. */
export class MemoryStorage {
  #items = new Map();

  getItem(key) {
    return this.#items.get(key) ?? null;
  }

  setItem(key, value) {
    this.#items.set(key, String(value));
  }

  removeItem(key) {
    this.#items.delete(key);
  }
}

/** Locks as `navigator.locks`, which tabs share: one holder of a name at a time, in the order asked. */
export class Locks {
  #last = new Map();

  request(name, run) {
    const before = this.#last.get(name) ?? Promise.resolve();
    const mine = before.then(run, run);
    this.#last.set(name, mine.catch(() => {}));
    return mine;
  }
}
