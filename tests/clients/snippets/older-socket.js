import { SubscriptionClient } from "subscriptions-transport-ws";
import { resuming } from "./resuming.js";

/** A client of the older dialect, whose subscriptions go on where they were after a cut. */
export function createOlderSocket({ url, session, webSocketImpl, ...options }) {
  let token, rejected;
  const connectionParams = async () => {
    token = await session.accessToken(rejected).catch(() => undefined);
    return token ? { authorization: `Bearer ${token}` } : {};
  };
  const connectionCallback = (error) => {
    if (error) rejected = token;
  };
  const client = new SubscriptionClient(
    url,
    { lazy: true, reconnect: true, connectionParams, connectionCallback, ...options },
    webSocketImpl,
  );
  // The library forgets its subscriptions when it is cut while it connects again; this lets it send all of them.
  client.onDisconnected(() => {
    client.reconnecting = false;
    client.unsentMessagesQueue = [];
    if (!session.isSignedIn()) client.close();
  });
  return {
    close: () => client.close(),
    subscribe(request, sink) {
      const [resumed, observer] = resuming(request, sink);
      const { unsubscribe } = client.request(resumed).subscribe(observer);
      return unsubscribe;
    },
  };
}
