import type { Failure } from "../graphql/failure";

/** A message that the server hasn't confirmed yet. */
export interface Unsent {
  /** The message's own name, which it keeps when it is sent again: so it is posted once. */
  clientId: string;
  roomId: string;
  body: string;
  /** The message that this one answers. */
  replyToId?: string;
  mentions?: readonly string[];
  mentionsRoom?: boolean;
  /** Files that the server has already. */
  attachments?: readonly SentFile[];
  /** By this device's clock. */
  createdAt: string;
  /** Why the server refused it for good. It waits for the user then. */
  failure?: Failure;
}

/** What a message has beside its text. */
export type Extras = Pick<Unsent, "replyToId" | "mentions" | "mentionsRoom" | "attachments">;

export interface SentFile {
  id: string;
  name: string;
  size: number;
}

/** What became of an attempt to send. */
export type Outcome = "sent" | { failed: Failure } | { againAfterMs: number | undefined };

interface Surroundings {
  storage: Storage;
  /** Each user of this device has an own outbox. */
  userId: string;
  send: (message: Unsent) => Promise<Outcome>;
  /** Waits before the given retry. */
  wait: (retries: number) => Promise<void>;
  sleep: (ms: number) => Promise<void>;
  lock: <Answer>(name: string, task: () => Promise<Answer>) => Promise<Answer>;
  newId: () => string;
  now: () => Date;
}

/**
 * Messages on their way to the server. They are in the storage until the server has confirmed them, so that neither a
 * lost connection nor a closed page loses one, and they are sent one after the other, by one tab at a time.
 */
export class Outbox {
  readonly #key: string;
  readonly #surroundings: Surroundings;
  #text: string | null = null;
  #entries: readonly Unsent[] = NONE;
  #listeners = new Set<() => void>();
  #isSending = false;
  #ended = false;

  constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings;
    this.#key = `parlor-outbox-${surroundings.userId}`;
  }

  /** All that is unsent, the oldest first; the same list until it changes. */
  entries(): readonly Unsent[] {
    const text = this.#surroundings.storage.getItem(this.#key);
    if (text !== this.#text) {
      this.#text = text;
      this.#entries = parse(text);
    }
    return this.#entries;
  }

  add(roomId: string, body: string, extras: Extras = {}) {
    const { newId, now } = this.#surroundings;
    const entry: Unsent = { clientId: newId(), roomId, body, ...extras, createdAt: now().toISOString() };
    this.#save([...this.entries(), entry]);
    void this.send();
  }

  /** Sends a message that failed once more. */
  retry(clientId: string) {
    this.#save(
      this.entries().map(({ failure, ...entry }) =>
        failure && entry.clientId !== clientId ? { ...entry, failure } : entry,
      ),
    );
    void this.send();
  }

  /** Forgets a message: it was posted, or the user doesn't want to send it any more. */
  remove(clientId: string) {
    const left = this.entries().filter((entry) => entry.clientId !== clientId);
    if (left.length < this.entries().length) this.#save(left);
  }

  /** Forgets everything. */
  clear() {
    this.#save(NONE);
  }

  /** Sends what is there, unless this is under way already. */
  async send(): Promise<void> {
    if (this.#isSending || this.#ended || !this.#next()) return;
    this.#isSending = true;
    try {
      await this.#surroundings.lock(this.#key, () => this.#sendAll());
    } finally {
      this.#isSending = false;
    }
    // What came while the lock was being given back.
    if (this.#next()) void this.send();
  }

  /** Sends nothing more from this tab. */
  end() {
    this.#ended = true;
  }

  subscribe = (listener: () => void) => {
    const stored = ({ key }: StorageEvent) => {
      if (key === this.#key || key === null) listener();
    };
    this.#listeners.add(listener);
    globalThis.addEventListener("storage", stored);
    return () => {
      this.#listeners.delete(listener);
      globalThis.removeEventListener("storage", stored);
    };
  };

  #next() {
    return this.#ended ? undefined : this.entries().find(({ failure }) => !failure);
  }

  async #sendAll() {
    const { send, sleep, wait } = this.#surroundings;
    let retries = 0;
    for (let entry = this.#next(); entry; entry = this.#next()) {
      const { clientId } = entry;
      const outcome = await send(entry);
      if (outcome === "sent") {
        this.remove(clientId);
        retries = 0;
      } else if ("failed" in outcome) {
        this.#fail(clientId, outcome.failed);
        retries = 0;
      } else {
        await (outcome.againAfterMs === undefined ? wait(retries) : sleep(outcome.againAfterMs));
        retries += 1;
      }
    }
  }

  #fail(clientId: string, failure: Failure) {
    this.#save(this.entries().map((entry) => (entry.clientId === clientId ? { ...entry, failure } : entry)));
  }

  #save(entries: readonly Unsent[]) {
    const { storage } = this.#surroundings;
    if (entries.length === 0) storage.removeItem(this.#key);
    else storage.setItem(this.#key, JSON.stringify(entries));
    for (const listener of [...this.#listeners]) listener();
  }
}

const NONE: readonly Unsent[] = [];

function parse(text: string | null): readonly Unsent[] {
  if (text === null) return NONE;
  try {
    const entries: unknown = JSON.parse(text);
    return Array.isArray(entries) ? (entries as Unsent[]) : NONE;
  } catch {
    return NONE;
  }
}
