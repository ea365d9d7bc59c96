import { ApiError } from "./ask";

const KEY = "parlor-session";
/** Five of the ten minutes of a token of Parlor's, by this device's own clock, which may be wrong. */
const RENEW_AFTER_MS = 300_000;

/** Who is signed in, as `signIn`, `signUp` and `refreshSession` answer it, or as the app's own backend says. */
export interface Tokens {
  accessToken: string;
  /** Empty where another way leads to the next token. */
  refreshToken: string;
  user: { id: string };
  /** For how long the token is good; ten minutes and more if it isn't said. */
  lifetimeMs?: number;
}

/** Gets the next token. */
export type Renew = (kept: Kept) => Promise<Tokens>;

/** What is kept of them. */
export interface Kept {
  accessToken: string;
  refreshToken: string;
  userId: string;
  renewAt: number;
}

export interface Session {
  /** Keeps what `signIn`, `signUp` or the app's own backend answered. */
  begin(tokens: Tokens): void;
  /** A token that is valid. `rejected`: the one that the server has just refused, if it has. */
  accessToken(rejected?: string): Promise<string>;
  /** The token as it is kept, whether or not it is still valid. */
  current(): Kept | null;
  isFresh(): boolean;
  /** Forgets the tokens, in all tabs. */
  end(): void;
  /** Calls back when the user signed in or out, in any tab. */
  subscribe(changed: () => void): () => void;
}

type Lock = <Answer>(name: string, task: () => Promise<Answer>) => Promise<Answer>;

interface Surroundings {
  renew: Renew;
  storage: Storage;
  lock: Lock;
  /** Where other tabs' changes of the storage are announced. */
  tabs: Pick<EventTarget, "addEventListener" | "removeEventListener">;
  now: () => number;
}

/** The tokens of this device. All tabs share them: one storage, and one renewal at a time. */
export function createSession({ renew: next, storage, lock, tabs, now }: Surroundings): Session {
  const listeners = new Set<() => void>();
  let text: string | null = null;
  let kept: Kept | null = null;

  // Read anew each time, since another tab may have changed it, but parsed only when it has changed.
  function current(): Kept | null {
    const stored = storage.getItem(KEY);
    if (stored !== text) {
      text = stored;
      kept = stored === null ? null : parse(stored);
    }
    return kept;
  }

  function save(tokens: Tokens) {
    const { accessToken, refreshToken, user, lifetimeMs = Infinity } = tokens;
    storage.setItem(
      KEY,
      JSON.stringify({
        accessToken,
        refreshToken,
        userId: user.id,
        renewAt: now() + Math.min(RENEW_AFTER_MS, lifetimeMs / 2),
      } satisfies Kept),
    );
  }

  const notify = () => {
    for (const listener of listeners) listener();
  };

  function end() {
    storage.removeItem(KEY);
    notify();
  }

  const isFresh = (of: Kept, rejected?: string) => of.accessToken !== rejected && now() < of.renewAt;

  async function renew(rejected?: string): Promise<string> {
    const session = current(); // again: another tab may have renewed it while this one waited for the lock
    if (!session) throw new SignedOutError();
    if (isFresh(session, rejected)) return session.accessToken;
    try {
      const tokens = await next(session);
      // The user may have signed out meanwhile: that must not be undone.
      if (current()?.accessToken === session.accessToken) {
        save(tokens);
        // Somebody else may have signed in to the app.
        if (tokens.user.id !== session.userId) notify();
      }
      return tokens.accessToken;
    } catch (error) {
      if (error instanceof ApiError && error.code === "UNAUTHENTICATED") {
        end();
        throw new SignedOutError();
      }
      throw error;
    }
  }

  return {
    begin(tokens) {
      save(tokens);
      notify();
    },
    async accessToken(rejected) {
      const session = current();
      if (session && isFresh(session, rejected)) return session.accessToken;
      return lock(KEY, () => renew(rejected));
    },
    current,
    isFresh() {
      const session = current();
      return session !== null && isFresh(session);
    },
    end,
    subscribe(changed) {
      const stored = (event: Event) => {
        const { key } = event as StorageEvent;
        if (key === KEY || key === null) changed();
      };
      listeners.add(changed);
      tabs.addEventListener("storage", stored);
      return () => {
        listeners.delete(changed);
        tabs.removeEventListener("storage", stored);
      };
    },
  };
}

export class SignedOutError extends Error {
  override name = "SignedOutError";
  constructor() {
    super("sign in again");
  }
}

function parse(stored: string): Kept | null {
  try {
    return JSON.parse(stored) as Kept;
  } catch {
    return null;
  }
}
