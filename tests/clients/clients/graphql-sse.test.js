import assert from "node:assert/strict";
import { deviceOf } from "../harness/device.js";
import { startParlor } from "../harness/parlor.js";
import { signUpAll } from "../harness/people.js";
import { startProxy } from "../harness/proxy.js";
import { row, versionOf } from "../harness/results.js";
import { postWhileCut, receivedExactly } from "../harness/tunnel.js";
import { until } from "../harness/until.js";
import { createStream } from "../snippets/sse.js";

const result = row({
  order: 12,
  client: "graphql-sse",
  version: versionOf("graphql-sse"),
  transport: "Server-sent events, distinct connections",
  lines: ["session.js", "resuming.js", "sse.js"],
});
const server = await startParlor();
const proxy = await startProxy(server);
const [ann, bob, eve] = await signUpAll(server, "ann", "bob", "eve");
const room = await ann.open(bob);
const otherRoom = await ann.open(eve);

const MESSAGES = "subscription ($room: ID) { messagePosted(roomId: $room) { body cursor } }";
const POST = `mutation ($room: ID!, $body: String!, $clientId: ID!) {
  postMessage(roomId: $room, body: $body, clientId: $clientId) { message { body } }
}`;

const streamOf = (context, device, url = server.url) => {
  const stream = createStream({ url, session: device.session });
  context.after(() => stream.dispose());
  return stream;
};
const follow = (stream, after, variables) => {
  const seen = { bodies: [], errors: [] };
  const next = ({ data, errors }) => (errors ? seen.errors.push(...errors) : seen.bodies.push(data.messagePosted.body));
  stream.subscribe({ query: MESSAGES, variables, extensions: { after } }, { next, error: (error) => seen.errors.push(error), complete() {} });
  return seen;
};
const ask = (stream, query, variables) =>
  new Promise((resolve, reject) => {
    let answer;
    stream.subscribe({ query, variables }, { next: (value) => (answer = value), error: reject, complete: () => resolve(answer) });
  });

result.shows("request", "queries and mutations are answered", async (context) => {
  const stream = streamOf(context, deviceOf(bob));
  assert.deepEqual((await ask(stream, "{ me { username } }")).data, { me: { username: "bob" } });
  const { data } = await ask(stream, POST, { room, body: "hello", clientId: crypto.randomUUID() });
  assert.equal(data.postMessage.message.body, "hello");
});

for (const [ability, count] of [["subscribe", 2], ["resume", 5]]) {
  result.shows(ability, `${count} streams that are cut lose and double nothing`, async (context) => {
    const stream = streamOf(context, deviceOf(bob), proxy.url);
    const after = await bob.syncCursor();
    const seen = Array.from({ length: count }, () => follow(stream, after));
    const bodies = await postWhileCut({ author: ann, room, proxy, posts: 60, cuts: 3 * count });
    await receivedExactly(bodies, Object.fromEntries(seen.map((one, number) => [`stream ${number}`, one.bodies])));
    assert.deepEqual(seen.flatMap(({ errors }) => errors), []);
  });
}

result.shows("renew", "a token that has expired is renewed", async (context) => {
  const person = await bob.anotherDevice();
  const device = deviceOf(person, { accessToken: person.expiredToken });
  const seen = follow(streamOf(context, device), await bob.syncCursor());
  await ann.post(room, "good morning");
  await receivedExactly(["good morning"], { seen: seen.bodies });
  assert.equal(device.signIns, 0);
});

result.shows("renew", "the app is told when signing in is needed", async (context) => {
  const person = await bob.anotherDevice();
  const device = deviceOf(person);
  const seen = follow(streamOf(context, device), await bob.syncCursor());
  await ann.post(room, "still here");
  await until("the message", () => seen.bodies.length > 0, () => seen);
  await person.ask("mutation { signOut { sessionId } }");
  await until("the app to be told", () => device.signIns > 0 && seen.errors.length > 0, () => [seen, device.signIns]);
});

result.shows("errors", "errors have codes", async (context) => {
  const stream = streamOf(context, deviceOf(bob));
  const refused = follow(stream, undefined, { room: otherRoom });
  await until("the refusal", () => refused.errors.length > 0, () => refused);
  assert.equal(refused.errors[0].extensions.code, "NOT_FOUND");
  const invalid = await ask(stream, "{ nobody }");
  assert.equal(invalid.errors[0].extensions.code, "GRAPHQL_VALIDATION_FAILED");
});
