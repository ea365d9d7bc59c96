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
    forwardSubscription: (request) => ({
      subscribe: (sink) => ({ unsubscribe: socket.subscribe(request, sink) }),
    }),
  });
  return new Client({ url, exchanges: [cache, auth, fetchExchange, subscriptions] });
}
