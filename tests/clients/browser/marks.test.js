/** Mentions, pinned messages and marking unread in the sample app, with two people at two pages. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { startParlor } from "../harness/parlor.js";
import { signIn } from "../harness/people.js";
import { Chat } from "./chat.js";
import { LIMIT_MS, SIZES, screenshot, startChromium, until } from "./chromium.js";

const timeout = 6 * LIMIT_MS;
const server = await startParlor();
const browser = await startChromium();
const ann = await Chat.open(browser, server);
const bob = await Chat.open(browser, server, { viewport: SIZES.phone, isMobile: true, hasTouch: true });
/** Ann, by the API. @type {import("../harness/people.js").Person} */
let byApi;
let roomId = "";

const messages = async () => {
  const query = "query ($id: ID!) { room(id: $id) { messages(last: 100) { nodes { id seq body mentions { username } mentionsRoom } } } }";
  return (await byApi.ask(query, { id: roomId })).room.messages.nodes;
};
const pin = (id, pinned = true) => byApi.ask("mutation ($id: ID!, $pinned: Boolean!) { pinMessage(messageId: $id, pinned: $pinned) { room { id } } }", { id, pinned });
const home = (chat) => chat.page.goto(`http://127.0.0.1:${server.port}/#/`);
/** Waits until Bob has read all there is: what is shown counts as read after a moment. */
const untilRead = async () => {
  const bobs = await signIn(server, "bob");
  const query = "query ($id: ID!) { room(id: $id) { viewer { unreadCount } } }";
  await until("all is read", async () => (await bobs.ask(query, { id: roomId })).room.viewer.unreadCount, 0);
};
const suggested = (chat) => chat.page.getByRole("listbox", { name: "People to mention" }).getByRole("option");

test("members are suggested while one types an @, and taken by the keyboard or the pointer", { timeout }, async () => {
  await Promise.all([ann.signUp("ann", "Ann Archer"), bob.signUp("bob", "Bob Builder")]);
  const cay = await Chat.open(browser, server);
  await cay.signUp("cay", "Bobby Cay");
  byApi = await signIn(server, "ann");
  await ann.page.getByRole("link", { name: "New conversation" }).click();
  for (const name of ["Bob Builder", "Bobby Cay"]) {
    await ann.page.getByRole("searchbox", { name: "Search people" }).fill(name);
    await ann.page.getByRole("checkbox", { name }).check();
  }
  await ann.page.getByRole("textbox", { name: "Name of the group" }).fill("Weekend");
  await ann.page.getByRole("button", { name: "Create group" }).click();
  await ann.field.waitFor();
  [, roomId] = /#\/rooms\/(room_\w+)/.exec(ann.page.url());

  await ann.field.pressSequentially("Hi @bob");
  await until("both", () => suggested(ann).count(), 2);
  await screenshot(ann.page, "mention-desktop");
  const active = () => ann.field.evaluate((field) => document.getElementById(field.getAttribute("aria-activedescendant"))?.textContent);
  const [first, second] = [await active(), (await ann.page.keyboard.press("ArrowDown"), await active())];
  assert.notEqual(first, second);
  await ann.page.keyboard.press("Escape");
  await until("closed", () => suggested(ann).count(), 0);
  await ann.field.fill("");
  await ann.field.pressSequentially("Hi @buil");
  await until("one", () => suggested(ann).count(), 1);
  await ann.page.keyboard.press("Enter");
  await until("the name", () => ann.field.inputValue(), "Hi @Bob Builder ");
  await ann.field.pressSequentially("and @bobb");
  await suggested(ann).getByText("Bobby Cay").click();
  await until("both names", () => ann.field.inputValue(), "Hi @Bob Builder and @Bobby Cay ");
  assert.equal(await ann.field.evaluate((field) => field === document.activeElement), true);
  await ann.page.keyboard.press("Enter");
  await until("it is said", () => ann.texts(), ["Hi @Bob Builder and @Bobby Cay"]);
  await ann.page.getByText("Sent", { exact: true }).waitFor();
  const [said] = await messages();
  assert.deepEqual(said.mentions.map(({ username }) => username).sort(), ["bob", "cay"]);
  await cay.page.context().close();
});

test("who is mentioned finds it in the list of rooms, in the list of mentions, and in the message", { timeout }, async () => {
  await bob.room(/Weekend.*@ mentions you/s).waitFor();
  const link = bob.page.getByRole("link", { name: "Mentions of you, 1 unread" });
  await link.waitFor();
  await screenshot(bob.page, "mentioned-phone");
  await link.click();
  await bob.page.getByRole("heading", { name: "Mentions of you" }).waitFor();
  await bob.page.getByRole("link", { name: /Ann Archer.*Hi @Bob Builder/s }).waitFor();
  await screenshot(bob.page, "mentions-phone");
  await bob.page.getByRole("link", { name: /Ann Archer.*Hi @Bob Builder/s }).click();
  await bob.page.getByRole("article", { name: "Message from Ann Archer, mentions you" }).waitFor();
  assert.match(await bob.page.locator("article bdi[class*=viewer]").innerText(), /^@Bob Builder$/);
  await until("where the focus is", () => bob.page.evaluate(() => document.activeElement?.id), "message-1");
  await screenshot(bob.page, "mention-phone");
  await untilRead();
  await home(bob);
  await bob.page.getByRole("link", { name: "Mentions of you", exact: true }).waitFor();

  await ann.actOn("Hi @Bob", "Edit message");
  await ann.page.getByRole("textbox", { name: "Edit message" }).fill("Hi all");
  await ann.page.getByRole("button", { name: "Save" }).click();
  await bob.page.goto(`http://127.0.0.1:${server.port}/#/mentions`);
  await bob.page.getByText("Nobody has mentioned you").waitFor();
  await home(bob);
  await ann.field.pressSequentially("@every");
  await until("everybody", () => suggested(ann).count(), 1);
  await ann.page.keyboard.press("Tab");
  await ann.say("@everybody come here");
  await bob.page.getByRole("link", { name: "Mentions of you, 1 unread" }).waitFor();
  assert.equal((await messages()).at(-1).mentionsRoom, true);
});

test("messages are pinned for everybody by those who may, listed, gone to and unpinned", { timeout }, async () => {
  await bob.enter(/Weekend/);
  for (let n = 1; n <= 60; n += 1) await byApi.post(roomId, `line ${n}`);
  await until("the newest", async () => (await bob.texts()).at(-1), "line 60");
  const all = await messages();
  await pin(all.find(({ body }) => body === "Hi all").id);
  await until("the newest", async () => (await ann.texts()).at(-1), "line 60");
  await ann.actOn("line 60", "Pin message");
  const button = bob.page.getByRole("button", { name: "Pinned messages: 2" });
  await button.click();
  const list = bob.page.getByRole("dialog", { name: "Pinned messages" });
  await until("the last pinned first", () => list.getByRole("listitem").allInnerTexts().then((texts) => texts.map((text) => text.split("\n").at(-1))), ["line 60", "Hi all"]);
  assert.equal(await list.getByRole("button", { name: "Unpin" }).count(), 0, "members don't");
  await screenshot(bob.page, "pins-phone");
  await list.getByRole("button", { name: /Hi all/ }).click();
  await until("where the focus is", () => bob.page.evaluate(() => document.activeElement?.id), "message-1");
  await bob.message("line 60").first().hover();
  assert.equal(await bob.message("line 60").getByRole("button", { name: "Pin message" }).count(), 0, "members don't pin");

  await ann.page.getByRole("button", { name: "Pinned messages: 2" }).click();
  await screenshot(ann.page, "pins-desktop");
  await ann.page.getByRole("dialog").getByRole("listitem").filter({ hasText: "Hi all" }).getByRole("button", { name: "Unpin" }).click();
  await bob.page.getByRole("button", { name: "Pinned messages: 1" }).waitFor();
  await ann.page.keyboard.press("Escape");
  await ann.actOn("line 60", "Unpin message");
  await until("none", () => bob.page.getByRole("button", { name: /^Pinned messages/ }).count(), 0);

  await bob.page.context().setOffline(true);
  await bob.connection.getByText(/offline/i).waitFor();
  await pin(all.find(({ body }) => body === "line 59").id);
  await bob.page.context().setOffline(false);
  await bob.page.getByRole("button", { name: "Pinned messages: 1" }).waitFor();
});

test("one pin too many, and what one may do no longer, are refused in words beside the message", { timeout }, async () => {
  for (let n = 1; n <= 39; n += 1) await byApi.post(roomId, `more ${n}`);
  const all = await messages();
  for (const { id } of all.slice(-100)) await pin(id);
  await ann.page.getByRole("button", { name: "Pinned messages: 100" }).waitFor();
  await ann.say("The last");
  await until("it is there", async () => (await ann.texts()).at(-1), "The last");
  await ann.page.getByText("Sent", { exact: true }).waitFor();
  await ann.actOn("The last", "Pin message");
  await ann.message("The last").getByRole("alert").getByText("100 pinned messages").waitFor();
});

test("messages are unread again from one on: the room shows the line and the count, until it is opened again", { timeout }, async () => {
  const toNewest = bob.page.getByRole("button", { name: "To the newest message" });
  if (await toNewest.isVisible()) await toNewest.click();
  await until("the newest", async () => (await bob.texts()).at(-1), "The last");
  await untilRead();
  await home(bob);
  await until("all is read", () => bob.room(/Weekend/).innerText().then((text) => /unread/.test(text)), false);
  await bob.enter(/Weekend/);
  await bob.actOn("more 38", "Mark unread from here");
  await bob.page.getByText("Unread from here").waitFor();
  const order = await bob.page.getByRole("log").locator("li").allInnerTexts();
  const at = order.findIndex((text) => text === "Unread from here");
  assert.match(order[at + 1], /more 38/);
  await screenshot(bob.page, "unread-phone");
  await home(bob);
  await bob.room(/Weekend.*3 unread/s).waitFor();
  await until("the title", () => bob.page.title(), "(3) Parlor");
  const { viewer } = (await (await signIn(server, "bob")).ask("query ($id: ID!) { room(id: $id) { viewer { unreadCount lastReadSeq } } }", { id: roomId })).room;
  assert.equal(viewer.unreadCount, 3);
  // Opened again, it is read, and the line stays where it was.
  await bob.enter(/Weekend/);
  await bob.page.getByText("New messages").waitFor();
  await home(bob);
  await until("the title", () => bob.page.title(), "Parlor");
});

test("marked unread on one device shows on another, and one's own post ends it", { timeout }, async () => {
  const device = await Chat.open(browser, server);
  await device.signIn("bob");
  await bob.enter(/Weekend/);
  await bob.actOn("The last", "Mark unread from here");
  await device.room(/Weekend.*1 unread/s).waitFor();
  await bob.say("An answer");
  await until("the other device", () => device.room(/Weekend/).innerText().then((text) => /unread/.test(text)), false);
  await until("no line", () => bob.page.getByText("Unread from here").count(), 0);
  assert.deepEqual(device.complaints, []);
});

test("nothing of the pages was refused or went wrong but the connection that was cut", () => {
  const wasCut = /ERR_INTERNET_DISCONNECTED|WebSocket connection to|Failed to fetch/;
  for (const chat of [ann, bob]) assert.deepEqual(chat.complaints.filter((text) => !wasCut.test(text)), []);
});
