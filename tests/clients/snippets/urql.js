import { Client, fetchExchange, subscriptionExchange } from "@urql/core";
import { authExchange } from "@urql/exchange-auth";

/** `socket` is what `createSocket` answers, `session` what `createSession` does, `cache` a cache exchange. */
export function createUrql({ url, session, socket, cache }) {
  const auth = authExchange(async ({ appendHeaders }) => {
    let token = await session.accessToken();
    return {
      addAuthToOperation: (operation) => appendHeaders(operation, { authorization: `Bearer ${token}` }),
      didAuthError: ({ graphQLErrors }) =>
        graphQLErrors.some(({ extensions }) => extensions.code === "UNAUTHENTICATED"),
      refreshAuth: async () => {
        token = await session.accessToken(token);
      },
    };
  });
  const subscriptions = subscriptionExchange({
    // Not in `extensions` of urql's own, which graphcache drops.
    forwardSubscription: (request, { context: { after } }) => ({
      subscribe(sink) {
        const extensions = { ...request.extensions, ...(after && { after }) };
        return { unsubscribe: socket.subscribe({ ...request, extensions }, sink) };
      },
    }),
  });
  return new Client({ url, exchanges: [cache, auth, fetchExchange, subscriptions] });
}
