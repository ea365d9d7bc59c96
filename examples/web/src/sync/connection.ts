/** `catching-up`: connected, and what was missed is coming. `live`: events come as they happen. */
export type ConnectionState = "connecting" | "catching-up" | "live" | "offline";

/** How the app stands to the server, for the banner and for what waits until it is live. */
export class Connection {
  #state: ConnectionState = "connecting";
  #listeners = new Set<() => void>();

  get state() {
    return this.#state;
  }

  set(state: ConnectionState) {
    if (state === this.#state) return;
    this.#state = state;
    for (const listener of [...this.#listeners]) listener();
  }

  /** The socket was lost, or could not be opened. */
  lost() {
    this.set(navigator.onLine ? "connecting" : "offline");
  }

  subscribe = (listener: () => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };
}
