import assert from "node:assert/strict";
import { cacheExchange, Client, fetchExchange, gql } from "@urql/core";
import { authExchange } from "@urql/exchange-auth";
import { persistedExchange } from "@urql/exchange-persisted";
import WebSocket from "ws";
import { deviceOf } from "../harness/device.js";
import { startParlor } from "../harness/parlor.js";
import { signUpAll } from "../harness/people.js";
import { startProxy } from "../harness/proxy.js";
import { row, versionOf } from "../harness/results.js";
import { postWhileCut, receivedExactly } from "../harness/tunnel.js";
import { createSocket } from "../snippets/socket.js";
import { createUrql } from "../snippets/urql.js";
import { naiveRefresh } from "./naive-refresh.js";

const result = row({
  order: 30,
  client: "@urql/core",
  version: versionOf("@urql/core"),
  transport: "HTTP (GET and POST); WebSocket by graphql-ws",
  lines: ["session.js", "resuming.js", "socket.js", "urql.js"],
});
const server = await startParlor();
const proxy = await startProxy(server);
const [ann, bob, eve] = await signUpAll(server, "ann", "bob", "eve");
const room = await ann.open(bob);
const otherRoom = await ann.open(eve);

const ME = gql`query Me { me { id username } }`;
const POST = gql`mutation Post($room: ID!, $body: String!, $clientId: ID!) {
  postMessage(roomId: $room, body: $body, clientId: $clientId) { message { id body } }
}`;
const MESSAGES = gql`subscription Messages { messagePosted { id body cursor } }`;
const FRESH = { requestPolicy: "network-only" };

const urqlOf = (context, device, url = server.socketUrl) => {
  const socket = createSocket({ url, session: device.session, webSocketImpl: WebSocket });
  context.after(() => socket.dispose());
  return createUrql({ url: server.url, session: device.session, socket, cache: cacheExchange });
};
const codeOf = ({ error }) => error.graphQLErrors[0].extensions.code;
/** So many queries that urql doesn't take for one. */
const queries = (count) => Array.from({ length: count }, (_, number) => gql(`query Me${number} { me { username } }`));

result.shows("request", "queries by GET, its default, and mutations are answered", async (context) => {
  const client = urqlOf(context, deviceOf(bob));
  assert.equal(client.preferGetMethod ?? "within-url-limit", "within-url-limit");
  const { data, error } = await client.query(ME, {}, FRESH);
  assert.equal(error, undefined);
  assert.equal(data.me.username, "bob");
  const posted = await client.mutation(POST, { room, body: "hello", clientId: crypto.randomUUID() });
  assert.equal(posted.data.postMessage.message.body, "hello");
});

for (const [ability, count] of [["subscribe", 2], ["resume", 10]]) {
  result.shows(ability, `${count} subscriptions of a socket that is cut lose and double nothing`, async (context) => {
    const client = urqlOf(context, deviceOf(bob), proxy.socketUrl);
    const after = await bob.syncCursor();
    const seen = Array.from({ length: count }, (_, number) => {
      const bodies = [];
      const document = gql(`subscription Messages${number} { messagePosted { id body cursor } }`);
      const subscription = client.subscription(document, {}, { after }).subscribe(({ data }) => bodies.push(data.messagePosted.body));
      context.after(() => subscription.unsubscribe());
      return bodies;
    });
    const bodies = await postWhileCut({ author: ann, room, proxy, posts: 60, cuts: 5 });
    await receivedExactly(bodies, { ...seen });
  });
}

result.shows("renew", "20 queries with a token that has expired are answered, in each of two tabs", async (context) => {
  const person = await bob.anotherDevice();
  const device = deviceOf(person, { accessToken: person.expiredToken });
  const tabs = [device.session, device.tab()].map((session) => urqlOf(context, { session }));
  const answers = await Promise.all(tabs.flatMap((tab) => queries(20).map((query) => tab.query(query, {}, FRESH))));
  for (const { data } of answers) assert.equal(data?.me.username, "bob");
  assert.equal(device.signIns, 0);
});

result.shows("renew", "authExchange as most apps write it signs nobody out", async () => {
  await naiveRefresh(bob, (refresh, currentToken) => {
    const auth = authExchange(async ({ appendHeaders }) => ({
      addAuthToOperation: (operation) => appendHeaders(operation, { authorization: `Bearer ${currentToken()}` }),
      didAuthError: (error) => error.graphQLErrors.some(({ extensions }) => extensions.code === "UNAUTHENTICATED"),
      refreshAuth: refresh,
    }));
    const client = new Client({ url: server.url, exchanges: [auth, fetchExchange] });
    const waiting = queries(20);
    return async () => {
      const query = waiting.shift();
      waiting.push(query);
      return (await client.query(query, {})).data?.me.username;
    };
  });
});

result.shows("renew", "a session that has ended is an error, and the app is told", async (context) => {
  const person = await bob.anotherDevice();
  const device = deviceOf(person);
  const client = urqlOf(context, device);
  await person.ask("mutation { signOut { sessionId } }");
  const { error } = await client.query(ME, {}, FRESH);
  assert.ok(error);
  assert.equal(device.signIns, 1);
});

result.shows("errors", "errors have codes", async (context) => {
  const client = urqlOf(context, deviceOf(bob));
  assert.equal(codeOf(await client.mutation(POST, { room: otherRoom, body: "hi", clientId: "1" })), "NOT_FOUND");
  assert.equal(codeOf(await client.query("query { nobody }", {})), "GRAPHQL_VALIDATION_FAILED");
});

result.notes("persistedExchange falls back to the text", "persistedExchange falls back to the text", async () => {
  const fetchOptions = { headers: { authorization: `Bearer ${bob.session.accessToken}` } };
  for (const preferGetForPersistedQueries of ["within-url-limit", false]) {
    const persisted = persistedExchange({ preferGetForPersistedQueries });
    const client = new Client({ url: server.url, fetchOptions, exchanges: [persisted, fetchExchange] });
    for (const query of queries(2)) assert.equal((await client.query(query, {})).data?.me.username, "bob");
  }
});
