import { isPassing, type Failure } from "../graphql/failure";
import type { SentFile } from "../outbox/outbox";

/** What a message takes. */
export const MAX_FILES = 10;
/** The server takes four from a user. */
const AT_A_TIME = 3;

/** A file on its way to the server, or there and not posted yet. */
export interface Upload {
  /** Its name on this page. */
  key: string;
  roomId: string;
  file: File;
  /** From 0 to 1. */
  progress: number;
  /** `waiting`: for its turn, or for the connection. */
  state: "waiting" | "sending" | "ready" | "failed";
  /** The server's name for it, once it is there. */
  id?: string;
  failure?: Failure;
}

export interface Progress {
  signal: AbortSignal;
  sent: (part: number) => void;
}

interface Surroundings {
  /** Sends a file, and answers its id. */
  send: (file: File, progress: Progress) => Promise<{ id: string } | { failed: Failure }>;
  /** Waits before the given retry. */
  wait: (retries: number) => Promise<void>;
  newKey: () => string;
}

/** The files that were chosen and not posted, of all rooms. They are sent while one writes, and go on while one is elsewhere. */
export class Uploads {
  readonly #surroundings: Surroundings;
  #uploads: readonly Upload[] = [];
  #controllers = new Map<string, AbortController>();
  #listeners = new Set<() => void>();

  constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings;
  }

  /** All of them; the same list until it changes. */
  all(): readonly Upload[] {
    return this.#uploads;
  }

  /** Sends files, as many as the room's next message takes. Answers how many were left out. */
  add(roomId: string, files: readonly File[]): number {
    const taken = files.slice(0, MAX_FILES - this.#of(roomId).length);
    const added = taken.map((file): Upload => ({
      key: this.#surroundings.newKey(),
      roomId,
      file,
      progress: 0,
      state: "waiting",
    }));
    this.#set([...this.#uploads, ...added]);
    this.#begin();
    return files.length - taken.length;
  }

  /** Sends a file that failed once more. */
  retry(key: string) {
    this.#change(key, { state: "waiting", progress: 0 });
    this.#begin();
  }

  /** Forgets a file, whether it is there or on its way. */
  cancel(key: string) {
    this.#controllers.get(key)?.abort();
    this.#controllers.delete(key);
    this.#set(this.#uploads.filter((upload) => upload.key !== key));
    this.#begin();
  }

  /** The files of a room that are there, for a message to be posted with. */
  take(roomId: string): SentFile[] {
    const taken = this.#of(roomId).filter(({ state }) => state === "ready");
    this.#set(this.#uploads.filter((upload) => !taken.includes(upload)));
    return taken.map(({ id = "", file }) => ({ id, name: file.name, size: file.size }));
  }

  /** Sends nothing more. */
  end() {
    for (const { key } of this.#uploads) this.cancel(key);
  }

  subscribe = (listener: () => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  #of(roomId: string) {
    return this.#uploads.filter((upload) => upload.roomId === roomId);
  }

  #begin() {
    for (const { key, state, file } of this.#uploads) {
      if (this.#controllers.size >= AT_A_TIME) return;
      if (state !== "waiting" || this.#controllers.has(key)) continue;
      const controller = new AbortController();
      this.#controllers.set(key, controller);
      void this.#send(key, file, controller.signal).finally(() => {
        if (this.#controllers.get(key) === controller) this.#controllers.delete(key);
        this.#begin();
      });
    }
  }

  async #send(key: string, file: File, signal: AbortSignal) {
    const { send, wait } = this.#surroundings;
    // A file that was cancelled is in the list no longer, so that nothing changes.
    const sent = (progress: number) => {
      this.#change(key, { progress });
    };
    for (let retries = 0; !signal.aborted; retries += 1) {
      this.#change(key, { state: "sending" });
      const outcome = await send(file, { signal, sent });
      if ("id" in outcome) {
        this.#change(key, { state: "ready", progress: 1, id: outcome.id });
        return;
      }
      if (!isPassing(outcome.failed)) {
        this.#change(key, { state: "failed", failure: outcome.failed });
        return;
      }
      this.#change(key, { state: "waiting", progress: 0 });
      await wait(retries);
    }
  }

  #change(key: string, change: Partial<Upload>) {
    this.#set(this.#uploads.map((upload) => (upload.key === key ? { ...upload, ...change } : upload)));
  }

  #set(uploads: readonly Upload[]) {
    this.#uploads = uploads;
    for (const listener of [...this.#listeners]) listener();
  }
}
