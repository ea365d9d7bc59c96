import assert from "node:assert/strict";
import relay from "relay-runtime";
import WebSocket from "ws";
import events from "../__generated__/ChatEventsSubscription.graphql.js";
import post from "../__generated__/ChatPostMutation.graphql.js";
import roomQuery from "../__generated__/ChatRoomQuery.graphql.js";
import { deviceOf } from "../harness/device.js";
import { startParlor } from "../harness/parlor.js";
import { signUpAll } from "../harness/people.js";
import { startProxy } from "../harness/proxy.js";
import { row, versionOf } from "../harness/results.js";
import { postWhileCut, receivedExactly } from "../harness/tunnel.js";
import { addMessage, createRelay } from "../snippets/relay.js";
import { createSocket } from "../snippets/socket.js";

const { commitMutation, createOperationDescriptor, fetchQuery, requestSubscription } = relay;
const result = row({
  order: 40,
  client: "relay-runtime",
  version: versionOf("relay-runtime"),
  transport: "HTTP; WebSocket by graphql-ws",
  lines: ["session.js", "resuming.js", "socket.js", "relay.js"],
});
const server = await startParlor();
const proxy = await startProxy(server);
const [ann, bob, eve] = await signUpAll(server, "ann", "bob", "eve");
const room = await ann.open(bob);
const otherRoom = await ann.open(eve);

const relayOf = (context, device, url = server.socketUrl) => {
  const socket = createSocket({ url, session: device.session, webSocketImpl: WebSocket });
  context.after(() => socket.dispose());
  return createRelay({ url: server.url, session: device.session, socket });
};
const query = (environment) => fetchQuery(environment, roomQuery, { room }).toPromise();
const commit = (environment, variables) =>
  new Promise((resolve, reject) => commitMutation(environment, { mutation: post, variables, onCompleted: resolve, onError: reject }));
const follow = (context, environment, after, updater) => {
  const seen = { bodies: [], errors: [] };
  const subscription = requestSubscription(environment, {
    subscription: events,
    variables: {},
    cacheConfig: { metadata: { after } },
    updater,
    onNext: ({ events: event }) => event.message && seen.bodies.push(event.message.body),
    onError: (error) => seen.errors.push(error),
  });
  context.after(() => subscription.dispose());
  return seen;
};

result.shows("request", "queries and mutations are answered", async (context) => {
  const environment = relayOf(context, deviceOf(bob));
  assert.equal((await query(environment)).me.username, "bob");
  const posted = await commit(environment, { room, body: "hello", clientId: crypto.randomUUID() });
  assert.equal(posted.postMessage.message.body, "hello");
});

for (const [ability, count] of [["subscribe", 2], ["resume", 10]]) {
  result.shows(ability, `${count} subscriptions of a socket that is cut lose and double nothing`, async (context) => {
    const environment = relayOf(context, deviceOf(bob), proxy.socketUrl);
    const after = await bob.syncCursor();
    const seen = Array.from({ length: count }, () => follow(context, environment, after));
    const bodies = await postWhileCut({ author: ann, room, proxy, posts: 60, cuts: 5 });
    await receivedExactly(bodies, Object.fromEntries(seen.map((one, number) => [`subscription ${number}`, one.bodies])));
    assert.deepEqual(seen.flatMap(({ errors }) => errors), []);
  });
}

result.shows("renew", "20 queries with a token that has expired are answered, in each of two tabs", async (context) => {
  const person = await bob.anotherDevice();
  const device = deviceOf(person, { accessToken: person.expiredToken });
  const tabs = [device.session, device.tab()].map((session) => relayOf(context, { session }));
  const answers = await Promise.all(tabs.flatMap((tab) => Array.from({ length: 20 }, () => query(tab))));
  for (const { me } of answers) assert.equal(me.username, "bob");
  assert.equal(device.signIns, 0);
});

result.shows("errors", "errors have codes", async (context) => {
  const environment = relayOf(context, deviceOf(bob));
  const refused = commit(environment, { room: otherRoom, body: "hi", clientId: "1" });
  await assert.rejects(refused, ({ source }) => source.errors[0].extensions.code === "NOT_FOUND");
});

result.notes("a message of an event is put into its connection", "a message of an event is put into its connection", async (context) => {
  const environment = relayOf(context, deviceOf(bob));
  const after = await bob.syncCursor();
  await query(environment);
  const operation = createOperationDescriptor(roomQuery, { room });
  context.after(environment.retain(operation).dispose);
  const connection = () => environment.lookup(operation.fragment).data.room.messages;
  const seen = follow(context, environment, after, addMessage);
  await ann.post(room, "put in");
  await receivedExactly(["put in"], { seen: seen.bodies });
  assert.deepEqual(seen.errors, []);
  const shown = connection();
  await query(environment);
  const bodies = ({ edges }) => edges.map(({ node }) => node.body).slice(-1);
  assert.deepEqual(bodies(shown), ["put in"]);
  assert.deepEqual(bodies(connection()), bodies(shown));
});
