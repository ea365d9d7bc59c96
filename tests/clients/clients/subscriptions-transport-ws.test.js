import assert from "node:assert/strict";
import { after } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import WebSocket from "ws";
import { deviceOf } from "../harness/device.js";
import { startParlor } from "../harness/parlor.js";
import { signUpAll } from "../harness/people.js";
import { startProxy } from "../harness/proxy.js";
import { row, versionOf } from "../harness/results.js";
import { postWhileCut, receivedExactly } from "../harness/tunnel.js";
import { until } from "../harness/until.js";
import { createOlderSocket } from "../snippets/older-socket.js";

const result = row({
  order: 13,
  client: "subscriptions-transport-ws",
  version: versionOf("subscriptions-transport-ws"),
  transport: "WebSocket, the older `graphql-ws`",
  lines: ["session.js", "resuming.js", "older-socket.js"],
});
// A client that is closed while it comes back comes back all the same, and would keep the process.
after(() => setTimeout(() => process.exit(), 2_000).unref());
const server = await startParlor({ PARLOR_KEEPALIVE_SECS: "1" });
const proxy = await startProxy(server);
const [ann, bob, eve] = await signUpAll(server, "ann", "bob", "eve");
const room = await ann.open(bob);
const otherRoom = await ann.open(eve);

const MESSAGES = "subscription ($room: ID) { messagePosted(roomId: $room) { body cursor } }";
const POST = `mutation ($room: ID!, $body: String!, $clientId: ID!) {
  postMessage(roomId: $room, body: $body, clientId: $clientId) { message { body } }
}`;

const socketOf = (context, device, url = server.socketUrl, options = {}) => {
  const socket = createOlderSocket({ url, session: device.session, webSocketImpl: WebSocket, ...options });
  context.after(() => socket.close());
  return socket;
};
const follow = (socket, after, variables) => {
  const seen = { bodies: [], errors: [] };
  const next = ({ data, errors }) => (errors ? seen.errors.push(...errors) : seen.bodies.push(data.messagePosted.body));
  socket.subscribe({ query: MESSAGES, variables, extensions: { after } }, { next, error: (error) => seen.errors.push(error), complete() {} });
  return seen;
};
const ask = (socket, query, variables) =>
  new Promise((resolve, reject) => {
    let answer;
    socket.subscribe({ query, variables }, { next: (value) => (answer = value), error: reject, complete: () => resolve(answer) });
  });

result.shows("request", "queries and mutations are answered", async (context) => {
  const socket = socketOf(context, deviceOf(bob));
  assert.deepEqual((await ask(socket, "{ me { username } }")).data, { me: { username: "bob" } });
  const { data } = await ask(socket, POST, { room, body: "hello", clientId: crypto.randomUUID() });
  assert.equal(data.postMessage.message.body, "hello");
});

for (const [ability, count] of [["subscribe", 2], ["resume", 10]]) {
  result.shows(ability, `${count} subscriptions of a socket that is cut lose and double nothing`, async (context) => {
    const socket = socketOf(context, deviceOf(bob), proxy.socketUrl);
    const after = await bob.syncCursor();
    const seen = Array.from({ length: count }, () => follow(socket, after));
    const bodies = await postWhileCut({ author: ann, room, proxy, posts: 60, cuts: 5 });
    await receivedExactly(bodies, Object.fromEntries(seen.map((one, number) => [`subscription ${number}`, one.bodies])));
    assert.deepEqual(seen.flatMap(({ errors }) => errors), []);
  });
}

result.shows("resume", "keep-alives come often enough for a client that counts on them", async (context) => {
  const socket = socketOf(context, deviceOf(bob), proxy.socketUrl, { timeout: 3000 });
  const before = proxy.connections;
  const seen = follow(socket, await bob.syncCursor());
  await sleep(8000);
  await ann.post(room, "quiet");
  await receivedExactly(["quiet"], { seen: seen.bodies });
  assert.equal(proxy.connections - before, 1);
});

result.shows("renew", "a token that has expired is renewed", async (context) => {
  const person = await bob.anotherDevice();
  const device = deviceOf(person, { accessToken: person.expiredToken });
  const seen = follow(socketOf(context, device), await bob.syncCursor());
  await ann.post(room, "good morning");
  await receivedExactly(["good morning"], { seen: seen.bodies });
  assert.equal(device.signIns, 0);
});

result.shows("renew", "the app is told when signing in is needed", async (context) => {
  const person = await bob.anotherDevice();
  const device = deviceOf(person);
  const seen = follow(socketOf(context, device), await bob.syncCursor());
  await ann.post(room, "still here");
  await until("the message", () => seen.bodies.length > 0, () => seen);
  await person.ask("mutation { signOut { sessionId } }");
  await until("the app to be told", () => device.signIns > 0, () => seen);
});

result.shows("errors", "errors have codes", async (context) => {
  const socket = socketOf(context, deviceOf(bob));
  const refused = follow(socket, undefined, { room: otherRoom });
  await until("the refusal", () => refused.errors.length > 0, () => refused);
  assert.equal(refused.errors[0].extensions.code, "NOT_FOUND");
  await assert.rejects(ask(socket, "{ nobody }"), ({ extensions }) => extensions.code === "GRAPHQL_VALIDATION_FAILED");
});
