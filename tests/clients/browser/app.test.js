/** The sample app, as it is in the binary, in Chromium: people chat, lose their connections, and lose nothing else. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { startParlor } from "../harness/parlor.js";
import { signIn, signUp } from "../harness/people.js";
import { Chat } from "./chat.js";
import { LIMIT_MS, startChromium, until } from "./chromium.js";

const timeout = 6 * LIMIT_MS;
const MARKUP = "<img src=x onerror=alert(1)> & <b>bold</b>";

const server = await startParlor();
const browser = await startChromium();
const ann = await Chat.open(browser, server);
const bob = await Chat.open(browser, server);

/** All that was said between the two and not deleted, in order. */
const said = [];
/** Bob, who posts by the API. @type {import("../harness/people.js").Person} */
let posting;
let roomId = "";

/** Each is shown everything, once and in order, as the server has it. */
async function bothShowEverything() {
  for (const [name, chat] of [["Ann", ann], ["Bob", bob]]) {
    await until(`the newest that ${name} is shown`, async () => (await chat.texts()).at(-1), said.at(-1), 2 * LIMIT_MS);
    await chat.scrollToBeginning();
    await until(`what ${name} is shown`, () => chat.texts(), said);
  }
  const query = "query ($id: ID!) { room(id: $id) { messages(last: 100) { nodes { body deletedAt } } } }";
  const { room } = await posting.ask(query, { id: roomId });
  assert.deepEqual(room.messages.nodes.filter(({ deletedAt }) => !deletedAt).map(({ body }) => body), said);
}

test("two people sign up, find each other and chat", { timeout }, async () => {
  await Promise.all([ann.signUp("ann", "Ann Archer"), bob.signUp("bob", "Bob Builder")]);
  posting = await signIn(server, "bob");
  await ann.begin("Bob Builder");
  [, roomId] = /#\/rooms\/(room_\w+)/.exec(ann.page.url());
  await ann.say("Hello, Bob");
  await bob.enter(/Ann Archer/);
  await bob.say("Hello, Ann");
  await until("what Ann is shown", () => ann.texts(), ["Hello, Bob", "Hello, Ann"]);
  said.push("Hello, Bob", "Hello, Ann");
});

test("what people write is text, never HTML", { timeout }, async () => {
  await ann.say(MARKUP);
  said.push(MARKUP);
  await bothShowEverything();
  for (const chat of [ann, bob]) assert.equal(await chat.page.locator("article img, article b").count(), 0);
});

test("each sees that the other types, has read, and is online", { timeout }, async () => {
  await bob.say("Are you there?");
  said.push("Are you there?");
  await bob.page.getByText("Read", { exact: true }).waitFor();
  await ann.field.pressSequentially("Yes");
  await bob.page.getByRole("status", { name: "Typing" }).getByText(/is typing/).waitFor();
  await ann.field.fill("");
  await ann.page.getByText("Online", { exact: true }).waitFor();
});

test("messages are edited and deleted for both", { timeout }, async () => {
  await ann.say("Mistkae");
  await ann.actOn("Mistkae", "Edit message");
  await ann.page.getByRole("textbox", { name: "Edit message" }).fill("Mistake");
  await ann.page.getByRole("button", { name: "Save" }).click();
  said.push("Mistake");
  await bothShowEverything();

  await bob.say("Never mind");
  await ann.message("Never mind").waitFor();
  await bob.actOn("Never mind", "Delete message");
  await bob.page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await ann.page.getByText("Message deleted").first().waitFor();
  await bothShowEverything();
});

test("what is said to somebody who is elsewhere is counted until it is read", { timeout }, async () => {
  const dan = await signUp(server, "dan");
  const apart = await dan.open(posting);
  for (const body of ["one", "two"]) await dan.post(apart, body);
  await bob.room(/dan.*2 unread/s).waitFor();
  await until("the title", async () => /^\(\d+\)/.exec(await bob.page.title())?.[0], "(2)");
  await bob.enter(/dan/);
  await until("what Bob is shown", () => bob.texts(), ["one", "two"]);
  await until("the title", async () => /^\(\d+\)/.exec(await bob.page.title())?.[0], undefined);
  await bob.enter(/Ann Archer/);
  await bothShowEverything();
});

test("who was offline for sixty messages comes back, and both have everything", { timeout }, async () => {
  await ann.page.context().setOffline(true);
  await ann.connection.getByText(/offline/i).waitFor();
  for (const text of ["offline 1", "offline 2"]) await ann.say(text);
  await ann.page.getByText("Will be sent").first().waitFor();
  for (let n = 1; n <= 60; n += 1) said.push((await posting.post(roomId, `away ${n}`)).body);
  await ann.page.context().setOffline(false);
  said.push("offline 1", "offline 2");
  await bothShowEverything();
});

test("a server that is killed and comes back loses nothing and doubles nothing", { timeout }, async () => {
  await server.kill();
  for (const text of ["killed 1", "killed 2"]) await ann.say(text);
  await ann.connection.getByText(/connect/i).waitFor();
  await server.start();
  said.push("killed 1", "killed 2");
  await bothShowEverything();
});

test("what wasn't sent outlives a reload of the page", { timeout }, async () => {
  await server.kill();
  await ann.say("before the reload");
  await ann.page.getByText("Will be sent").waitFor();
  await server.start();
  await ann.page.reload();
  said.push("before the reload");
  await bothShowEverything();
});

test("two tabs are one device: what one sends, both show, and both sign out", { timeout }, async () => {
  const page = await ann.page.context().newPage();
  await page.goto(ann.page.url());
  const tab = new Chat(page, []);
  await tab.field.waitFor();
  await tab.say("from another tab");
  said.push("from another tab");
  await until("what the other tab shows", async () => (await ann.texts()).at(-1), "from another tab");
  await bothShowEverything();
  await page.getByRole("button", { name: "Sign out" }).click();
  for (const { page: signedOut } of [ann, tab]) await signedOut.getByRole("button", { name: "Sign in", exact: true }).waitFor();
});

test("nothing of the pages was refused or went wrong but the connections that were cut", () => {
  const wasCut = /ERR_INTERNET_DISCONNECTED|ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_SOCKET_NOT_CONNECTED|WebSocket connection to|Failed to fetch/;
  for (const chat of [ann, bob]) assert.deepEqual(chat.complaints.filter((text) => !wasCut.test(text)), []);
});
