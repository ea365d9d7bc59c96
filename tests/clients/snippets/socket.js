import { createClient } from "graphql-ws";
import { patience, resuming } from "./resuming.js";

/** A graphql-ws client that comes back after every cut, and whose subscriptions go on where they were. */
export function createSocket({ url, session, ...options }, create = createClient) {
  let token, rejected, unanswered;
  const client = create({
    url,
    // Never throws: without a token the server closes with 4403, and `shouldRetry` decides.
    connectionParams: async () => {
      token = await session.accessToken(rejected).catch(() => undefined);
      return token ? { authorization: `Bearer ${token}` } : {};
    },
    retryAttempts: Infinity,
    retryWait: patience,
    shouldRetry: () => session.isSignedIn(),
    keepAlive: 10_000,
    on: {
      closed: ({ code }) => {
        clearTimeout(unanswered);
        if (code === 4403) rejected = token;
      },
      // A connection can die without a word, as when a phone changes networks.
      ping: (received) => {
        if (!received) unanswered = setTimeout(() => client.terminate(), 5_000);
      },
      pong: (received) => {
        if (received) clearTimeout(unanswered);
      },
    },
    ...options,
  });
  return { ...client, subscribe: (request, sink) => client.subscribe(...resuming(request, sink)) };
}
