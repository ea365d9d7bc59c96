import { createClient } from "graphql-ws";

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
    retryWait: (retries) => sleep(Math.min(30_000, 500 * 2 ** retries) * (1 + Math.random())),
    shouldRetry: () => session.isSignedIn(),
    keepAlive: 10_000,
    on: {
      closed: ({ code }) => {
        clearTimeout(unanswered);
        if (code === 4403) rejected = token;
      },
      ping: (received) => {
        if (!received) unanswered = setTimeout(() => client.terminate(), 5_000);
      },
      pong: (received) => {
        if (received) clearTimeout(unanswered);
      },
    },
    ...options,
  });

  return {
    ...client,
    /** As graphql-ws has it. `payload.extensions.after` is the cursor to begin after, and is moved on by each event. */
    subscribe(payload, sink) {
      const request = { ...payload, extensions: { ...payload.extensions } };
      const next = (result) => {
        sink.next(result);
        const event = Object.values(result.data ?? {})[0];
        // The library serialises the request anew whenever it connects again.
        if (event?.cursor) request.extensions.after = event.cursor;
      };
      return client.subscribe(request, { ...sink, next });
    },
  };
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
