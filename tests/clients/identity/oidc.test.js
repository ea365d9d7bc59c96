/** Users of an identity provider, with the tokens that it gives them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createClient } from "graphql-ws";
import WebSocket from "ws";
import { AUDIENCE, startProvider } from "../harness/oidc.js";
import { startParlor } from "../harness/parlor.js";
import { Person, request } from "../harness/people.js";
import { receivedExactly } from "../harness/tunnel.js";
import { until } from "../harness/until.js";
import { createSocket } from "../snippets/socket.js";

const MESSAGES = "subscription ($room: ID) { messagePosted(roomId: $room) { body cursor } }";
const ME = "{ me { id username displayName } }";

/** Longer than a token of a second and the minute of leeway that clocks are given. */
const LOAD_MS = 66_000;
/** Two changes of keys, with more than the half minute between them in which keys are fetched once. */
const CHANGES_MS = [5_000, 40_000];

const provider = await startProvider({ users: ["ann", "bob", "eve"] });
const issuer = { issuer: provider.issuer, discover: true, audience: AUDIENCE, prefix: "id:" };
const server = await startParlor({ PARLOR_ISSUER: JSON.stringify([issuer]) });

/** Somebody with a token of the provider. */
async function personOf(name) {
  const accessToken = await provider.token(name);
  const { data, errors } = await request(server.url, { query: ME, token: accessToken });
  assert.equal(errors, undefined);
  return new Person(server, { accessToken, user: data.me });
}

test("a user is made by the first token and found by the next", async () => {
  const [first, second] = [await personOf("eve"), await personOf("eve")];
  assert.equal(first.id, second.id);
  assert.equal(first.session.user.displayName, "The eve");
  assert.equal(first.session.user.username, first.id.replace("user_", "u-"));
});

test("a token for somebody else's audience, or changed, is refused", async () => {
  const token = await provider.token("eve");
  const [header, , signature] = token.split(".");
  const claims = { ...JSON.parse(Buffer.from(token.split(".")[1], "base64url")), sub: "ann" };
  const changed = `${header}.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.${signature}`;
  for (const refused of [changed, token.slice(0, -8), `${header}..${signature}`]) {
    const { errors } = await request(server.url, { query: ME, token: refused });
    assert.equal(errors[0].extensions.code, "UNAUTHENTICATED");
  }
});

test("keys change under load, sockets end with their tokens, and nobody loses anything", async (context) => {
  const [ann, bob] = [await personOf("ann"), await personOf("bob")];
  const room = await ann.open(bob);
  const closes = [];
  const seen = { bodies: [], errors: [] };
  provider.ttlSecs = 1;
  const socket = createSocket({
    url: server.socketUrl,
    session: { accessToken: () => provider.token("bob"), isSignedIn: () => true },
    webSocketImpl: class extends WebSocket {
      constructor(...args) {
        super(...args);
        this.on("close", (code) => closes.push(code));
      }
    },
  }, createClient);
  context.after(() => socket.dispose());
  const after = (await bob.ask("{ syncCursor }")).syncCursor;
  socket.subscribe({ query: MESSAGES, variables: { room }, extensions: { after } }, {
    next: ({ data, errors }) => (errors ? seen.errors.push(...errors) : seen.bodies.push(data.messagePosted.body)),
    error: (problem) => seen.errors.push(problem),
    complete() {},
  });

  const asked = provider.asked;
  const began = Date.now();
  const changes = [...CHANGES_MS];
  const posted = [];
  while (Date.now() - began < LOAD_MS) {
    if (Date.now() - began > changes[0]) {
      provider.changeKeys();
      changes.shift();
    }
    // Each with a token that Parlor hasn't seen.
    ann.session.accessToken = await provider.token("ann");
    const body = `message ${posted.length}`;
    await ann.post(room, body);
    posted.push(body);
    await sleep(50);
  }

  assert.deepEqual(changes, []);
  assert.ok(posted.length > 200, `only ${posted.length} posts`);
  await until("the socket to end with its token", () => closes.includes(4403), () => closes);
  await receivedExactly(posted, { bob: seen.bodies });
  assert.deepEqual(seen.errors, []);
  assert.ok(provider.asked - asked <= 2, `${provider.asked - asked} fetches for two changes`);
});
