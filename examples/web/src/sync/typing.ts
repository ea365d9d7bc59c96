/** Longer than the server's six seconds, after which it says itself that typing has ended. */
const FORGOTTEN_AFTER_MS = 10_000;

interface Typist {
  id: string;
  displayName: string;
}

/** Who is typing in which room. */
export class Typing {
  #rooms = new Map<string, readonly Typist[]>();
  #timers = new Map<string, ReturnType<typeof setTimeout>>();
  #listeners = new Set<() => void>();

  /** The same list until it changes. */
  in(roomId: string): readonly Typist[] {
    return this.#rooms.get(roomId) ?? NOBODY;
  }

  set(roomId: string, typist: Typist, isTyping: boolean) {
    const key = `${roomId} ${typist.id}`;
    clearTimeout(this.#timers.get(key));
    this.#timers.delete(key);
    const before = this.in(roomId);
    const others = before.filter(({ id }) => id !== typist.id);
    if (isTyping) {
      const forget = () => {
        this.set(roomId, typist, false);
      };
      this.#timers.set(key, setTimeout(forget, FORGOTTEN_AFTER_MS));
    } else if (others.length === before.length) {
      return;
    }
    this.#rooms.set(roomId, isTyping ? [...others, typist] : others);
    this.#notify();
  }

  /** Nobody counts as typing until the next event. */
  clear() {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    this.#rooms.clear();
    this.#notify();
  }

  subscribe = (listener: () => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  #notify() {
    for (const listener of this.#listeners) listener();
  }
}

const NOBODY: readonly Typist[] = [];
