import { MeDocument, RefreshSessionDocument } from "../gql/graphql";
import { ApiError, type Ask } from "./ask";
import type { Renew, Tokens } from "./session";

/** Where Parlor has accounts of its own: by the refresh token. */
export function byRefreshToken(ask: Ask): Renew {
  return async ({ refreshToken }) => (await ask(RefreshSessionDocument, { refreshToken })).refreshSession;
}

/**
 * Where the app has users of its own: its backend knows by a cookie who is signed in, and answers `{ "accessToken": … }`, a
 * token that Parlor takes; or 401.
 */
export function byBackend(url: string, ask: Ask, fetcher: typeof fetch = fetch): () => Promise<Tokens> {
  return async () => {
    const response = await fetcher(url, {
      method: "POST",
      credentials: "include",
      signal: AbortSignal.timeout(20_000),
    });
    if (response.status === 401 || response.status === 403) {
      throw new ApiError("nobody is signed in", { code: "UNAUTHENTICATED" });
    }
    if (!response.ok) throw new ApiError("the app has no token", { code: "UNAVAILABLE" });
    const { accessToken } = (await response.json()) as { accessToken: string };
    const { me } = await ask(MeDocument, {}, accessToken);
    return { accessToken, refreshToken: "", user: me, ...lifetimeOf(accessToken) };
  };
}

/** For how long a token is good, as it says itself: by the clock of whoever issued it, not by this device's. */
function lifetimeOf(accessToken: string): { lifetimeMs?: number } {
  try {
    const payload = accessToken.split(".")[1] ?? "";
    const { iat, exp } = JSON.parse(atob(payload.replace(/-/g, "+").replace(/_/g, "/"))) as Record<
      string,
      unknown
    >;
    return typeof iat === "number" && typeof exp === "number" ? { lifetimeMs: (exp - iat) * 1_000 } : {};
  } catch {
    return {}; // Not every token can be read.
  }
}
