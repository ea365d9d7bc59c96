/** A `Storage` of its own for each test. */
export class MemoryStorage implements Storage {
  /** Tells it from those of other tests. */
  readonly id = crypto.randomUUID();
  #values = new Map<string, string>();
  [name: string]: unknown;

  get length() {
    return this.#values.size;
  }
  key(index: number) {
    return [...this.#values.keys()][index] ?? null;
  }
  getItem(key: string) {
    return this.#values.get(key) ?? null;
  }
  setItem(key: string, value: string) {
    this.#values.set(key, value);
  }
  removeItem(key: string) {
    this.#values.delete(key);
  }
  clear() {
    this.#values.clear();
  }
}
