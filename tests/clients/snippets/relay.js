import { ConnectionHandler, Environment, Network, Observable, RecordSource, Store } from "relay-runtime";

/** `socket` is what `createSocket` answers, `session` what `createSession` does. */
export function createRelay({ url, session, socket }) {
  async function send(token, { text }, variables) {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
      body: JSON.stringify({ query: text, variables }),
    });
    return response.json();
  }
  async function request(operation, variables) {
    const token = await session.accessToken();
    const answer = await send(token, operation, variables);
    if (answer.errors?.[0].extensions?.code !== "UNAUTHENTICATED") return answer;
    return send(await session.accessToken(token), operation, variables);
  }
  // To begin after a cursor: `cacheConfig: { metadata: { after } }` of `requestSubscription`.
  const subscribe = ({ text }, variables, { metadata }) =>
    Observable.create((sink) => {
      const extensions = metadata?.after && { after: metadata.after };
      return socket.subscribe({ query: text, variables, extensions }, sink);
    });
  return new Environment({
    network: Network.create(request, subscribe),
    store: new Store(new RecordSource()),
  });
}

/** The key of the `@connection` that shows a room's messages. */
const MESSAGES = "Chat_messages";

/** The `updater` of a subscription to `events`: puts a message into its room's connection, once. */
export function addMessage(store) {
  const event = store.getRootField("events");
  if (event.getType() !== "MessagePosted") return;
  const message = event.getLinkedRecord("message");
  const room = store.get(message.getLinkedRecord("room").getDataID());
  const connection = ConnectionHandler.getConnection(room, MESSAGES);
  if (!connection) return;
  const nodes = connection.getLinkedRecords("edges").map((edge) => edge.getLinkedRecord("node"));
  if (nodes.includes(message)) return;
  const edge = ConnectionHandler.createEdge(store, connection, message, "MessageEdge");
  ConnectionHandler.insertEdgeAfter(connection, edge);
}
