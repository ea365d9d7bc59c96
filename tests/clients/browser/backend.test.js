/** The sample app in an app that has users of its own: built with `VITE_TOKEN_URL`, it asks the app's backend for tokens. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { ISSUER, startApp } from "../harness/app.js";
import { startParlor } from "../harness/parlor.js";
import { request } from "../harness/people.js";
import { Chat } from "./chat.js";
import { LIMIT_MS, screenshot, startChromium, until } from "./chromium.js";

const timeout = 4 * LIMIT_MS;
const sample = fileURLToPath(new URL("../../../examples/web", import.meta.url));

const pages = await mkdtemp(join(tmpdir(), "parlor-sample-"));
after(() => rm(pages, { recursive: true }));
execFileSync("npx", ["vite", "build", "--outDir", pages, "--emptyOutDir", "--logLevel", "warn"], {
  cwd: sample,
  env: { ...process.env, VITE_TOKEN_URL: "/token" },
});

const server = await startParlor({ PARLOR_ACCOUNTS: "off", PARLOR_DIRECTORY: "sharers", PARLOR_ISSUER: JSON.stringify([ISSUER]) });
const key = server.addKey("backend");
const app = await startApp(server, pages);
const browser = await startChromium();

/** The app's backend asks, for one of its users. */
async function backend(query, variables, user) {
  const headers = user === undefined ? {} : { "parlor-user": `ext:${user}` };
  const { data, errors } = await request(server.url, { query, variables, token: key, headers });
  assert.equal(errors, undefined, JSON.stringify(errors));
  return data;
}

const ann = await Chat.open(browser, app);
let room;

test("who isn't signed in to the app is told so, and isn't asked for a password", { timeout }, async () => {
  await ann.page.getByRole("alert").getByText("Sign in to the app first.").waitFor();
  assert.equal(await ann.page.getByLabel("Password").count(), 0);
  await screenshot(ann.page, "backend-signed-out");
});

test("whoever is signed in to the app chats as that user, with the people of the app", { timeout }, async () => {
  app.signedIn = { sub: "42", name: "Ann Lee" };
  await ann.page.getByRole("button", { name: "Try again" }).click();
  await ann.page.getByRole("navigation", { name: "Conversations" }).getByText("Ann Lee").waitFor();
  await backend("mutation { upsertUsers(users: [{ externalId: \"43\", displayName: \"Bob\" }]) { users { outcome } } }");
  const opened = await backend("mutation { initiateChat(userIds: [\"ext:42\"], type: CONSUMER_TO_CONSUMER) { room { id } } }", {}, "43");
  room = opened.initiateChat.room.id;
  await ann.enter(/Bob/);
  await ann.say("Hello, Bob");
  await until("what Ann is shown", () => ann.texts(), ["Hello, Bob"]);
  assert.equal(await ann.page.getByRole("button", { name: "Sign out" }).count(), 0, "the app signs out");
  await screenshot(ann.page, "backend-chat");
});

test("tokens that are taken back are replaced by the app's next ones, and nothing is missed", { timeout }, async () => {
  const before = app.asked;
  await backend("mutation { revokeTokens(userId: \"ext:42\") { userId } }");
  await backend("mutation ($room: ID!) { postMessage(roomId: $room, body: \"Hello, Ann\") { message { id } } }", { room }, "43");
  await until("what Ann is shown", () => ann.texts(), ["Hello, Bob", "Hello, Ann"]);
  assert.ok(app.asked > before);
});

test("whoever signs in to the app next has a chat of their own", { timeout }, async () => {
  app.signedIn = { sub: "44", name: "Cay Ng" };
  await backend("mutation { revokeTokens(userId: \"ext:42\") { userId } }");
  await ann.page.getByRole("navigation", { name: "Conversations" }).getByText("Cay Ng").waitFor();
  await until("the conversations", () => ann.room(/Bob/).count(), 0);
  assert.deepEqual(ann.complaints.filter((text) => !/ 401 /.test(text)), []);
});
