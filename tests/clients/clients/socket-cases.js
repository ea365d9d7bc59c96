/** What a version of graphql-ws is tried for, with the modules that docs/clients.md shows. */
import assert from "node:assert/strict";
import WebSocket from "ws";
import { deviceOf } from "../harness/device.js";
import { startParlor } from "../harness/parlor.js";
import { signUpAll } from "../harness/people.js";
import { startProxy } from "../harness/proxy.js";
import { postWhileCut, receivedExactly } from "../harness/tunnel.js";
import { until } from "../harness/until.js";
import { createSocket } from "../snippets/socket.js";

const EVENTS = "subscription { events { __typename cursor ... on MessagePosted { message { body } } } }";
const MESSAGES = "subscription ($room: ID) { messagePosted(roomId: $room) { body cursor } }";
const POST = `mutation ($room: ID!, $body: String!, $clientId: ID!) {
  postMessage(roomId: $room, body: $body, clientId: $clientId) { message { body } }
}`;

/** @param {typeof import("graphql-ws")} library the version to try */
export async function socketCases(result, library) {
  const server = await startParlor();
  const proxy = await startProxy(server);
  const [ann, bob, eve] = await signUpAll(server, "ann", "bob", "eve");
  const room = await ann.open(bob);

  /** A socket of a device, which goes away with the test. */
  const socketOf = (context, device, url = server.socketUrl, options = {}) => {
    const socket = createSocket({ url, session: device.session, webSocketImpl: WebSocket, ...options }, library.createClient);
    context.after(() => socket.dispose());
    return socket;
  };

  /** Subscribes; answers what has come. */
  const follow = (socket, query, { after, variables } = {}) => {
    const seen = { bodies: [], kinds: [], errors: [] };
    const next = ({ data, errors }) => {
      if (errors) return seen.errors.push(...errors);
      const event = data.events ?? data.messagePosted;
      seen.kinds.push(event.__typename);
      const message = event.message ?? event;
      if (message.body) seen.bodies.push(message.body);
    };
    const error = (problem) => seen.errors.push(problem);
    socket.subscribe({ query, variables, ...(after && { extensions: { after } }) }, { next, error, complete() {} });
    return seen;
  };

  /** One answer over the socket. */
  const ask = (socket, query, variables) =>
    new Promise((resolve, reject) => {
      let answer;
      socket.subscribe({ query, variables }, {
        next: (value) => (answer = value),
        error: reject,
        complete: () => resolve(answer),
      });
    });

  result.shows("request", "queries and mutations are answered", async (context) => {
    const socket = socketOf(context, deviceOf(bob));
    const me = await ask(socket, "{ me { username } }");
    const posted = await ask(socket, POST, { room, body: "hello", clientId: crypto.randomUUID() });
    assert.deepEqual(me.data, { me: { username: "bob" } });
    assert.deepEqual(posted.data, { postMessage: { message: { body: "hello" } } });
  });

  result.shows("subscribe", "what is posted is received", async (context) => {
    const seen = follow(socketOf(context, deviceOf(bob)), EVENTS);
    await until("the beginning", () => seen.kinds.includes("Synced"), () => seen);
    await ann.post(room, "hello");
    await until("the message", () => seen.bodies.length > 0, () => seen);
    assert.deepEqual(seen, { bodies: ["hello"], kinds: ["Synced", "MessagePosted"], errors: [] });
  });

  for (const [name, queries] of [
    ["two subscriptions", [EVENTS, MESSAGES]],
    ["ten subscriptions", Array.from({ length: 10 }, (_, number) => (number % 2 ? MESSAGES : EVENTS))],
  ]) {
    result.shows("resume", `${name} of a socket that is cut lose and double nothing`, async (context) => {
      const socket = socketOf(context, deviceOf(bob), proxy.socketUrl);
      const after = await bob.syncCursor();
      const seen = queries.map((query) => follow(socket, query, { after }));
      const bodies = await postWhileCut({ author: ann, room, proxy });
      await receivedExactly(bodies, Object.fromEntries(seen.map((one, number) => [`subscription ${number}`, one.bodies])));
      assert.deepEqual(seen.flatMap(({ errors }) => errors), []);
    });
  }

  result.shows("resume", "a subscription that begins later on such a socket begins now", async (context) => {
    const socket = socketOf(context, deviceOf(bob));
    const after = await bob.syncCursor();
    await ann.post(room, "before");
    const first = follow(socket, EVENTS, { after });
    await until("the first to catch up", () => first.kinds.includes("Synced"), () => first);
    const later = follow(socket, EVENTS);
    await until("the later one to begin", () => later.kinds.includes("Synced"), () => later);
    await ann.post(room, "now");
    await receivedExactly(["before", "now"], { first: first.bodies });
    await receivedExactly(["now"], { later: later.bodies });
  });

  result.shows("resume", "posts that were on their way at a cut are posted once", async (context) => {
    const socket = socketOf(context, deviceOf(bob), proxy.socketUrl);
    const seen = follow(socket, MESSAGES, { after: await bob.syncCursor() });
    const outbox = Array.from({ length: 30 }, (_, number) => `outbox ${number}`);
    const answers = Promise.all(outbox.map((body) => ask(socket, POST, { room, body, clientId: crypto.randomUUID() })));
    proxy.cutSoon(3000);
    await answers;
    await until("all posts", () => seen.bodies.length >= outbox.length, () => seen);
    assert.deepEqual([...seen.bodies].sort(), [...outbox].sort());
  });

  result.shows("resume", "a connection that has fallen silent is given up", async (context) => {
    const socket = socketOf(context, deviceOf(bob), proxy.socketUrl, { keepAlive: 200 });
    const seen = follow(socket, EVENTS);
    await until("the beginning", () => seen.kinds.includes("Synced"), () => seen);
    proxy.silence();
    await ann.post(room, "heard");
    await receivedExactly(["heard"], { seen: seen.bodies });
  });

  result.shows("renew", "a token that has expired is renewed", async (context) => {
    const person = await bob.anotherDevice();
    const device = deviceOf(person, { accessToken: person.expiredToken });
    const seen = follow(socketOf(context, device), MESSAGES, { after: await bob.syncCursor() });
    await ann.post(room, "good morning");
    await receivedExactly(["good morning"], { seen: seen.bodies });
    assert.equal(device.signIns, 0);
  });

  result.shows("renew", "the app is told when signing in is needed", async (context) => {
    const person = await bob.anotherDevice();
    const device = deviceOf(person);
    const seen = follow(socketOf(context, device), EVENTS);
    await until("the beginning", () => seen.kinds.includes("Synced"), () => seen);
    await person.ask("mutation { signOut { sessionId } }");
    await until("the app to be told", () => device.signIns > 0 && seen.errors.length > 0, () => seen);
    assert.equal(device.signIns, 1);
    assert.equal(seen.errors[0].code, 4403);
  });

  result.shows("errors", "errors have codes, and end their own operation alone", async (context) => {
    const socket = socketOf(context, deviceOf(eve));
    const kept = follow(socket, EVENTS);
    const refused = follow(socket, MESSAGES, { variables: { room } });
    await until("the refusal", () => refused.errors.length > 0, () => refused);
    const code = ([error]) => error.extensions.code;
    assert.equal(code(refused.errors[0]), "NOT_FOUND");
    assert.equal(code((await ask(socket, POST, { room, body: "hi", clientId: "1" })).errors), "NOT_FOUND");
    await assert.rejects(ask(socket, "{ nobody }"), (errors) => code(errors) === "GRAPHQL_VALIDATION_FAILED");
    await assert.rejects(ask(socket, POST, { room }), (errors) => code(errors) === "BAD_USER_INPUT");
    assert.deepEqual(kept.errors, []);
  });
}
