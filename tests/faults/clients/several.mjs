// Several subscriptions of graphql-ws on one socket, which go on whatever cuts it off.
//
// Arguments: the URL, the access token, the cursor to begin after, the number of subscriptions, and what is kept of
// cursors: `subscription` (each its own, in its `extensions`) or `socket` (one for all, in `connectionParams`).
// Prints a line of JSON for each subscription that is begun, with the cursor that it resumes from, and for each event.
import { createClient } from "graphql-ws";
import WebSocket from "ws";

const [url, token, start, count, keeps] = process.argv.slice(2);

const MESSAGE = "id seq body createdAt room { id }";
const EVENTS = `subscription { events { __typename cursor
  ... on MessagePosted { message { ${MESSAGE} } }
  ... on RoomGap { room { id } fromSeq toSeq } } }`;
const POSTS = `subscription { messagePosted { cursor ${MESSAGE} } }`;

const print = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const shared = { after: start };
const subscriptions = Array.from({ length: Number(count) }, (_, n) => {
  const extensions = keeps === "socket" ? {} : { after: start };
  return { n, cursors: keeps === "socket" ? shared : extensions, payload: { query: n % 2 ? POSTS : EVENTS, extensions } };
});

const client = createClient({
  url,
  webSocketImpl: WebSocket,
  connectionParams: () => (keeps === "socket" ? { authorization: token, ...shared } : { authorization: token }),
  retryAttempts: Infinity,
  retryWait: () => new Promise((resolve) => setTimeout(resolve, 20 + 30 * Math.random())),
  shouldRetry: () => true,
  on: { connected: () => subscriptions.forEach(({ n, cursors }) => print({ subscription: n, after: cursors.after })) },
});

for (const { n, cursors, payload } of subscriptions) {
  client.subscribe(payload, {
    next({ data, errors }) {
      if (errors) return print({ subscription: n, fault: errors });
      const { cursor, ...message } = data.messagePosted ?? {};
      const event = data.events ?? { __typename: "MessagePosted", cursor, message };
      print({ subscription: n, event });
      cursors.after = event.cursor;
    },
    error: (error) => print({ subscription: n, fault: error.reason ?? error.message ?? error }),
    complete: () => print({ subscription: n, fault: "complete" }),
  });
}
