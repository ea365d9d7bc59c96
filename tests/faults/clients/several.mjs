// Several subscriptions of graphql-ws on one socket, which go on whatever cuts it off.
//
// Arguments: the URL, the access token, the cursor to begin after, the number of subscriptions, and what is kept of
// cursors: `subscription` (each its own, in its `extensions`, by the module that docs/clients.md shows) or `socket` (one
// for all, in `connectionParams`).
// Prints a line of JSON for each subscription that is begun, with the cursor that it resumes from, and for each event.
import { createClient } from "graphql-ws";
import WebSocket from "ws";

import { createSocket } from "./snippets/socket.js";

const [url, token, start, count, keeps] = process.argv.slice(2);

const MESSAGE = "id seq body createdAt room { id }";
const EVENTS = `subscription { events { __typename cursor
  ... on MessagePosted { message { ${MESSAGE} } }
  ... on RoomGap { room { id } fromSeq toSeq } } }`;
const POSTS = `subscription { messagePosted { cursor ${MESSAGE} } }`;

const print = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const shared = { after: start };
const options = {
  url,
  webSocketImpl: WebSocket,
  retryAttempts: Infinity,
  retryWait: () => new Promise((resolve) => setTimeout(resolve, 20 + 30 * Math.random())),
  shouldRetry: () => true,
};
const isSignedIn = () => true;
const client =
  keeps === "socket"
    ? createClient({ ...options, connectionParams: () => ({ authorization: token, ...shared }) })
    : createSocket({ ...options, session: { accessToken: async () => token, isSignedIn } });

const subscriptions = Array.from({ length: Number(count) }, (_, n) => ({
  n,
  cursors: keeps === "socket" ? shared : { after: start },
  payload: { query: n % 2 ? POSTS : EVENTS, ...(keeps === "subscription" && { extensions: { after: start } }) },
}));
client.on("connected", () => {
  for (const { n, cursors } of subscriptions) print({ subscription: n, after: cursors.after });
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
