import { createClient, type Client, type SubscribePayload } from "graphql-ws";
import type { Session } from "../session/session";
import { resuming, type ResultSink } from "./resuming";

const UNANSWERED_PING_MS = 5_000;

export interface Socket {
  on: Client["on"];
  subscribe: (request: SubscribePayload, sink: ResultSink) => () => void;
  dispose(): void;
}

interface Options {
  url: string;
  session: Session;
  /** Waits before the given retry, which is 0 for the first. */
  wait: (retries: number) => Promise<void>;
}

/** A graphql-ws client that comes back after every cut, and whose subscriptions go on where they were. */
export function createSocket({ url, session, wait }: Options): Socket {
  let token: string | undefined;
  let rejected: string | undefined;
  let unanswered: ReturnType<typeof setTimeout> | undefined;
  const client = createClient({
    url,
    // Never throws: without a token the server closes with 4403, and `shouldRetry` decides.
    connectionParams: async () => {
      token = await session.accessToken(rejected).catch(() => undefined);
      return token === undefined ? {} : { authorization: `Bearer ${token}` };
    },
    retryAttempts: Infinity,
    retryWait: wait,
    shouldRetry: () => session.current() !== null,
    keepAlive: 10_000,
    on: {
      closed: (event) => {
        clearTimeout(unanswered);
        if ((event as CloseEvent).code === 4403) rejected = token;
      },
      // A connection can die without a word, as when a phone changes networks.
      ping: (received) => {
        if (!received)
          unanswered = setTimeout(() => {
            client.terminate();
          }, UNANSWERED_PING_MS);
      },
      pong: (received) => {
        if (received) clearTimeout(unanswered);
      },
    },
  });
  // Sooner than a ping would notice it.
  const offline = () => {
    client.terminate();
  };
  window.addEventListener("offline", offline);
  return {
    on: (event, listener) => client.on(event, listener),
    subscribe: (request, sink) => client.subscribe(...resuming(request, sink)),
    dispose() {
      window.removeEventListener("offline", offline);
      // It waits for a socket that is opening, which may fail.
      Promise.resolve(client.dispose()).catch(() => undefined);
    },
  };
}
