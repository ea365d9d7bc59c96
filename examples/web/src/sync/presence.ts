/** The users whose presence is on the screen. It isn't replayed, so it is fetched after each reconnect. */
export class ShownPresence {
  #counts = new Map<string, number>();

  show(userId: string): () => void {
    this.#counts.set(userId, (this.#counts.get(userId) ?? 0) + 1);
    return () => {
      const left = (this.#counts.get(userId) ?? 1) - 1;
      if (left === 0) this.#counts.delete(userId);
      else this.#counts.set(userId, left);
    };
  }

  ids(): string[] {
    return [...this.#counts.keys()];
  }
}
