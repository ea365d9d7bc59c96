import { API_URL } from "../config";
import { createAsk } from "./ask";
import { lock } from "./lock";
import { createSession } from "./session";

export const ask = createAsk(API_URL);

/** The session of this device. */
export const session = createSession({
  ask,
  storage: window.localStorage,
  lock,
  tabs: window,
  now: () => Date.now(),
});
