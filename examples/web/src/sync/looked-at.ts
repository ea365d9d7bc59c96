/** The room whose end somebody is looking at: its messages don't count as unread until the server knows it, too. */
export class LookedAt {
  #roomId: string | undefined;
  #listeners = new Set<() => void>();

  get roomId() {
    return this.#roomId;
  }

  /** Looks at a room, until the function that is answered is called. */
  look(roomId: string): () => void {
    this.#set(roomId);
    return () => {
      if (this.#roomId === roomId) this.#set(undefined);
    };
  }

  subscribe = (listener: () => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  #set(roomId: string | undefined) {
    this.#roomId = roomId;
    for (const listener of [...this.#listeners]) listener();
  }
}
