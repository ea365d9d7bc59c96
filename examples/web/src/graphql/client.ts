import { authExchange } from "@urql/exchange-auth";
import { Client, fetchExchange, subscriptionExchange, type Exchange } from "@urql/core";
import type { Session } from "../session/session";
import { patientFetch } from "./patient-fetch";
import { replayExchange } from "./replay";
import type { Socket } from "./socket";

interface Options {
  url: string;
  session: Session;
  socket: Socket;
  cache: Exchange;
}

/** urql: queries and mutations by HTTP, subscriptions by the socket. */
export function createUrql({ url, session, socket, cache }: Options): Client {
  // eslint-disable-next-line @typescript-eslint/require-await -- the exchange wants a promise
  const auth = authExchange(async (utilities) => ({
    // Read from the session each time, since another tab may have renewed it.
    addAuthToOperation: (operation) =>
      utilities.appendHeaders(operation, { authorization: `Bearer ${session.current()?.accessToken ?? ""}` }),
    willAuthError: () => !session.isFresh(),
    didAuthError: ({ graphQLErrors }) =>
      graphQLErrors.some(({ extensions }) => extensions.code === "UNAUTHENTICATED"),
    refreshAuth: async () => {
      const token = session.current()?.accessToken;
      // A failure shows when the operation itself fails.
      await session.accessToken(session.isFresh() ? token : undefined).catch(() => undefined);
    },
  }));
  const subscriptions = subscriptionExchange({
    // Not in `extensions` of urql's own, which graphcache drops.
    forwardSubscription: ({ query = "", variables }, { context }) => ({
      subscribe(sink) {
        const after = context.after as string | undefined;
        const request = {
          query,
          variables: variables as Record<string, unknown>,
          extensions: after === undefined ? {} : { after },
        };
        return {
          unsubscribe: socket.subscribe(request, {
            next: (result) => {
              sink.next(result as Parameters<typeof sink.next>[0]);
            },
            error: (error) => {
              sink.error(error);
            },
            complete: () => {
              sink.complete();
            },
          }),
        };
      },
    }),
  });
  return new Client({
    url,
    exchanges: [cache, replayExchange, auth, fetchExchange, subscriptions],
    fetch: patientFetch((...request) => fetch(...request)),
    preferGetMethod: false,
  });
}
