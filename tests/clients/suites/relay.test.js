/** relay-compiler on a sample app: what it writes from the app's fragments runs on the server. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { createClient } from "graphql-ws";
import WebSocket from "ws";
import { signUpAll } from "../harness/people.js";
import { startParlor } from "../harness/parlor.js";
import { report, versionOf } from "./harness/report.js";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const COMPILER = path("../node_modules/.bin/relay-compiler");
const LIMIT_MS = 30_000;

const server = await startParlor();
const app = await mkdtemp(join(tmpdir(), "parlor-relay-"));
after(() => rm(app, { recursive: true, force: true }));

const [ann, bob] = await signUpAll(server, "ann", "bob");
const room = await ann.open(bob);
const posted = [];
for (const body of ["one", "two", "three", "four", "five"]) posted.push(await ann.post(room, body));

const client = createClient({
  url: server.socketUrl,
  webSocketImpl: WebSocket,
  retryAttempts: 0,
  connectionParams: { authorization: `Bearer ${ann.session.accessToken}` },
});
after(() => client.dispose());

let compiled = "";
/** @type {Map<string, string>} the texts of the operations by their names */
const operations = new Map();

test("the compiler takes the schema and the app's fragments", { timeout: LIMIT_MS }, async () => {
  await cp(path("relay"), app, { recursive: true });
  await cp(path("../../../schema.graphql"), join(app, "schema.graphql"));
  await mkdir(join(app, "app/__generated__"));
  await writeFile(join(app, "persisted.json"), "{}");
  const { stdout, stderr } = await promisify(execFile)(COMPILER, [], { cwd: app, env: { ...process.env, NO_COLOR: "1" } });
  compiled = /compiled documents: .*/.exec(stdout + stderr)?.[0];
  for (const text of Object.values(JSON.parse(await readFile(join(app, "persisted.json"), "utf8")))) {
    operations.set(/(?:query|mutation|subscription) (\w+)/.exec(text)[1], text);
  }
  assert.equal(operations.size, 11);
});

/** All results of a query or mutation, which must be one without errors. */
async function run(name, variables = {}) {
  let data;
  for await (const result of client.iterate({ query: operations.get(name), operationName: name, variables })) {
    assert.equal(result.errors, undefined, `${name}: ${JSON.stringify(result.errors)}`);
    data = result.data;
  }
  return data;
}

/** What a page after page of a refetchable connection answers, from its end to its beginning or the other way round. */
async function pages(name, variables, connection, { forward }) {
  const nodes = [];
  for (let cursor = null; ; ) {
    const { edges, pageInfo } = connection(await run(name, { ...variables, cursor }));
    if (forward) nodes.push(...edges.map(({ node }) => node));
    else nodes.unshift(...edges.map(({ node }) => node));
    if (!(forward ? pageInfo.hasNextPage : pageInfo.hasPreviousPage)) return nodes;
    cursor = forward ? pageInfo.endCursor : pageInfo.startCursor;
  }
}

test("its queries run", { timeout: LIMIT_MS }, async () => {
  const rooms = await run("roomsQuery", { count: 5 });
  assert.deepEqual(rooms.rooms.edges.map(({ node }) => node.id), [room]);
  assert.equal(rooms.me.displayName, "ann");
  const messages = await run("messagesQuery", { room, withReceipts: true });
  assert.deepEqual(messages.room.messages.edges.map(({ node }) => node.body), ["four", "five"]);
  assert.equal(messages.room.members.edges.length, 1);
  const without = await run("messagesQuery", { room, withMembers: false, withReceipts: false });
  assert.equal(without.room.members, undefined);
  assert.equal(without.room.messages.edges[0].node.readBy, undefined);
  assert.equal((await run("roomsUsersQuery", {})).users.edges.length, 2);
});

test("its refetchable connections are read page by page", { timeout: LIMIT_MS }, async () => {
  const messages = await pages("messagesPaginationQuery", { id: room, count: 2 }, ({ node }) => node.messages, { forward: false });
  assert.deepEqual(messages.map(({ id }) => id), posted.map(({ id }) => id));
  const members = await pages("membersPaginationQuery", { id: room, count: 1 }, ({ node }) => node.members, { forward: true });
  assert.deepEqual(new Set(members.map(({ user }) => user.id)), new Set([ann.id, bob.id]));
  const rooms = await pages("roomsPaginationQuery", { count: 1 }, ({ rooms: it }) => it, { forward: true });
  assert.deepEqual(rooms.map(({ id }) => id), [room]);
  const users = await pages("usersPaginationQuery", { count: 1, search: "" }, ({ users: it }) => it, { forward: true });
  assert.deepEqual(users.map(({ displayName }) => displayName), ["ann", "bob"]);
});

test("its mutations run, with the variables of the app's own directives", { timeout: LIMIT_MS }, async () => {
  const { postMessage } = await run("messagesPostMutation", { room, body: "six", clientId: "c-6", connections: ["client:root"] });
  assert.equal(postMessage.message.body, "six");
  const { markRead } = await run("messagesMarkReadMutation", { room, seq: postMessage.message.seq });
  assert.equal(markRead.room.viewer.unreadCount, 0);
});

test("its subscriptions, with fragments at the root, receive events", { timeout: LIMIT_MS }, async () => {
  const received = { eventsSubscription: [], eventsMessagesSubscription: [] };
  const subscribe = (name, variables, isLast) => new Promise((resolve, reject) => {
    const end = client.subscribe({ query: operations.get(name), operationName: name, variables }, {
      next: ({ data, errors }) => {
        if (errors) return reject(new Error(`${name}: ${JSON.stringify(errors)}`));
        received[name].push(data);
        if (isLast(data)) end();
      },
      error: (error) => reject(new Error(`${name}: ${JSON.stringify(error)} ${error.code ?? ""}`)),
      complete: resolve,
    });
  });
  const bodies = ["seven", "eight"];
  const both = Promise.all([
    subscribe("eventsSubscription", {}, ({ events }) => events.message?.body === "eight"),
    subscribe("eventsMessagesSubscription", { room, connections: [] }, ({ messagePosted }) => messagePosted.body === "eight"),
  ]);
  // Nothing tells when the second one has begun: its first message may be a later one.
  let ended = false;
  both.then(() => (ended = true), () => (ended = true));
  while (!ended) {
    for (const body of bodies) await bob.post(room, body);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await both;
  assert.equal(received.eventsSubscription[0].events.__typename, "Synced");
  const event = received.eventsSubscription.at(-1).events;
  assert.equal(event.message.room.id, room);
  assert.equal(event.message.author.displayName, "bob");
  await report({ order: 50, suite: "relay-compiler", version: versionOf("relay-compiler"), printed: `${compiled}; ${operations.size} operations run` });
});
