/** How long to wait before a retry, 0 for the first: longer each time, up to a minute, never together with all others. */
export function delayMs(retries: number, random: () => number = Math.random): number {
  return Math.min(30_000, 500 * 2 ** retries) * (1 + random());
}

/**
 * Waits that end early when there is reason to: the device is online again, somebody looks at the page again, or asks
 * for it.
 */
export class Patience {
  #waiting = new Set<() => void>();

  constructor() {
    window.addEventListener("online", this.now);
    document.addEventListener("visibilitychange", this.#looked);
  }

  /** Waits before a retry. */
  wait = (retries: number): Promise<void> => this.sleep(delayMs(retries));

  sleep = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#waiting.delete(done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.#waiting.add(done);
    });

  /** Ends all waits. */
  now = () => {
    for (const done of [...this.#waiting]) done();
  };

  #looked = () => {
    if (document.visibilityState === "visible") this.now();
  };

  dispose() {
    window.removeEventListener("online", this.now);
    document.removeEventListener("visibilitychange", this.#looked);
    this.now();
  }
}
