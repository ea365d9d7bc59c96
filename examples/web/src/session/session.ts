import type { TokensFragment } from "../gql/graphql";
import { ApiError, type Ask } from "./ask";
import { RefreshSessionDocument } from "../gql/graphql";

const KEY = "parlor-session";
/** Five of the token's ten minutes, by this device's own clock, which may be wrong. */
const RENEW_AFTER_MS = 300_000;

/** What is kept of `signIn`, `signUp` and `refreshSession`. */
export interface Kept {
  accessToken: string;
  refreshToken: string;
  userId: string;
  renewAt: number;
}

export interface Session {
  /** Keeps what `signIn` or `signUp` answered. */
  begin(tokens: TokensFragment): void;
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
  ask: Ask;
  storage: Storage;
  lock: Lock;
  /** Where other tabs' changes of the storage are announced. */
  tabs: Pick<EventTarget, "addEventListener" | "removeEventListener">;
  now: () => number;
}

/** The tokens of this device. All tabs share them: one storage, and one refresh at a time. */
export function createSession({ ask, storage, lock, tabs, now }: Surroundings): Session {
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

  function save(tokens: TokensFragment) {
    const { accessToken, refreshToken, user } = tokens;
    storage.setItem(
      KEY,
      JSON.stringify({
        accessToken,
        refreshToken,
        userId: user.id,
        renewAt: now() + RENEW_AFTER_MS,
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
      const { refreshSession } = await ask(RefreshSessionDocument, {
        refreshToken: session.refreshToken,
      });
      // The user may have signed out meanwhile: that must not be undone.
      if (current()?.refreshToken === session.refreshToken) save(refreshSession);
      return refreshSession.accessToken;
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
