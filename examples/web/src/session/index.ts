import { API_URL, TOKEN_URL } from "../config";
import { createAsk } from "./ask";
import { lock } from "./lock";
import { byBackend, byRefreshToken } from "./renew";
import { createSession } from "./session";

export const ask = createAsk(API_URL);

/** A token of the app's own backend, in an app that has users of its own. */
export const fromBackend = TOKEN_URL === undefined ? undefined : byBackend(TOKEN_URL, ask);

/** The session of this device. */
export const session = createSession({
  renew: fromBackend ?? byRefreshToken(ask),
  storage: window.localStorage,
  lock,
  tabs: window,
  now: () => Date.now(),
});
