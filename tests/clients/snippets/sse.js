import { createClient } from "graphql-sse";
import { patience, resuming } from "./resuming.js";

/** A graphql-sse client that comes back after every cut, and whose subscriptions go on where they were. */
export function createStream({ url, session, ...options }) {
  let token, rejected;
  const client = createClient({
    url,
    headers: async () => {
      token = await session.accessToken(rejected);
      return { authorization: `Bearer ${token}` };
    },
    fetchFn: async (...request) => {
      const response = await fetch(...request);
      if (response.status === 401) rejected = token;
      return response;
    },
    retryAttempts: Infinity,
    retry: patience,
    ...options,
  });
  return { ...client, subscribe: (request, sink) => client.subscribe(...resuming(request, sink)) };
}
