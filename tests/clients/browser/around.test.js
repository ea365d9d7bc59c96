/** What is around a message in the sample app, with two people at two pages: reactions, answers, and going to a message. */
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
/** Bob, by the API. @type {import("../harness/people.js").Person} */
let byApi;
let roomId = "";

/** The id of a message, by its text. */
async function idOf(text) {
  const query = "query ($id: ID!) { room(id: $id) { messages(last: 100) { nodes { id body } } } }";
  const { room } = await byApi.ask(query, { id: roomId });
  return room.messages.nodes.find(({ body }) => body === text).id;
}

const react = (messageId, emoji, on = true) =>
  byApi.ask("mutation ($id: ID!, $emoji: String!, $on: Boolean!) { setReaction(messageId: $id, emoji: $emoji, on: $on) { message { id } } }", { id: messageId, emoji, on });

/** Whether a message is inside of what is seen of the list. */
const isSeen = (chat, text) =>
  chat.message(text).first().evaluate((message) => {
    const [one, list] = [message, message.closest("[role=log]")].map((element) => element.getBoundingClientRect());
    return one.top >= list.top - 1 && one.bottom <= list.bottom + 1;
  });

test("one reacts by the picker, the other sees it, joins in and takes it back", { timeout }, async () => {
  await Promise.all([ann.signUp("ann", "Ann Archer"), bob.signUp("bob", "Bob Builder")]);
  byApi = await signIn(server, "bob");
  await ann.begin("Bob Builder");
  [, roomId] = /#\/rooms\/(room_\w+)/.exec(ann.page.url());
  await ann.say("Who brings the cake?");
  await bob.enter(/Ann Archer/);
  await bob.actOn("Who brings the cake?", "React");
  await screenshot(bob.page, "picker-phone");
  await bob.page.getByRole("dialog", { name: "React with" }).getByRole("button", { name: /thumbs up/ }).click();
  await until("Bob's reaction at Ann's", () => ann.reactions("cake"), ["👍 1, Bob Builder"]);
  await until("Bob's own", () => bob.reactions("cake"), ["own 👍 1, You"]);

  await ann.message("cake").getByRole("button", { name: /^👍/ }).click();
  await until("both at Ann's", () => ann.reactions("cake"), ["own 👍 2, You and Bob Builder"]);
  await until("both at Bob's", () => bob.reactions("cake"), ["own 👍 2, You and Ann Archer"]);
  await bob.message("cake").getByRole("button", { name: /^👍/ }).click();
  await until("what is left", () => ann.reactions("cake"), ["own 👍 1, You"]);
  await until("what is left at Bob's", () => bob.reactions("cake"), ["👍 1, Ann Archer"]);

  await ann.message("cake").getByRole("button", { name: "Who reacted" }).click();
  await ann.page.getByRole("dialog", { name: "Reactions" }).getByText("You").waitFor();
  await ann.page.keyboard.press("Escape");
  assert.equal(await ann.page.evaluate(() => document.activeElement?.getAttribute("aria-label")), "Who reacted", "the focus is back");
});

test("emoji are found by their names, and by the keyboard alone", { timeout }, async () => {
  await ann.message("cake").focus();
  for (let steps = 0; steps < 10; steps += 1) {
    await ann.page.keyboard.press("Tab");
    if ((await ann.page.evaluate(() => document.activeElement?.getAttribute("aria-label"))) === "React") break;
  }
  await ann.page.keyboard.press("Enter");
  const picker = ann.page.getByRole("dialog", { name: "React with" });
  await picker.getByRole("searchbox").waitFor();
  await screenshot(ann.page, "picker-desktop");
  await ann.page.keyboard.press("ArrowDown");
  await ann.page.keyboard.press("ArrowRight");
  await ann.page.keyboard.press("ArrowDown");
  await ann.page.keyboard.press("ArrowUp");
  assert.match(await ann.page.evaluate(() => document.activeElement?.getAttribute("aria-label")), /heart/);
  await ann.page.keyboard.press("Enter");
  // Kept without the sign that asks for colours.
  await until("the second reaction", () => bob.reactions("cake"), ["👍 1, Ann Archer", "❤ 1, Ann Archer"]);
  assert.equal(await ann.page.evaluate(() => document.activeElement?.getAttribute("aria-label")), "React", "the focus is back");

  await ann.page.keyboard.press("Enter");
  await picker.getByRole("searchbox").fill("rocket");
  await ann.page.keyboard.press("Enter");
  await until("the third", async () => (await bob.reactions("cake")).at(-1), "🚀 1, Ann Archer");
  await ann.page.getByRole("button", { name: "Insert emoji" }).click();
  await ann.page.getByRole("dialog").getByRole("button", { name: /pizza/ }).click();
  await until("the field", () => ann.field.inputValue(), "🍕");
  await ann.field.fill("");
});

test("too many kinds of reactions are refused in words beside the message", { timeout }, async () => {
  const id = await idOf("Who brings the cake?");
  for (const n of Array(17).keys()) await react(id, `:kind${n}:`);
  await until("twenty kinds", async () => (await ann.reactions("cake")).length, 20);
  await ann.actOn("cake", "React");
  await ann.page.getByRole("dialog").getByRole("button", { name: /fire/ }).click();
  await ann.message("cake").getByRole("alert").getByText("20 kinds of reactions").waitFor();
  for (const n of Array(17).keys()) await react(id, `:kind${n}:`, false);
  await until("three again", async () => (await ann.reactions("cake")).length, 3);
});

test("an answer shows what it answers as that is now, and goes there", { timeout }, async () => {
  await bob.actOn("cake", "Reply");
  await bob.page.getByRole("group", { name: "Answering" }).getByText("Who brings the cake?").waitFor();
  await screenshot(bob.page, "answering-phone");
  await bob.say("Me");
  assert.equal(await bob.page.getByRole("group", { name: "Answering" }).count(), 0);
  const quote = ann.page.getByRole("button", { name: /^Answers Ann Archer/ });
  await quote.getByText("Who brings the cake?").waitFor();

  await ann.actOn("Who brings", "Edit message");
  await ann.page.getByRole("textbox", { name: "Edit message" }).fill("Who brings the pie?");
  await ann.page.getByRole("button", { name: "Save" }).click();
  for (const chat of [ann, bob]) await chat.page.getByRole("button", { name: /^Answers/ }).getByText("Who brings the pie?").waitFor();

  for (let n = 1; n <= 130; n += 1) await byApi.post(roomId, `later ${n}`);
  await until("the newest", async () => (await ann.texts()).at(-1), "later 130");
  await ann.page.reload();
  await until("the newest", async () => (await ann.texts()).at(-1), "later 130");
  // The answer isn't shown yet, and what it answers neither.
  const { messages } = (await byApi.ask("query ($id: ID!) { room(id: $id) { messages(first: 2) { nodes { seq body } } } }", { id: roomId })).room;
  assert.deepEqual(messages.nodes.map(({ body }) => body), ["Who brings the pie?", "Me"]);
  await ann.page.goto(`http://127.0.0.1:${server.port}/#/rooms/${roomId}/2`);
  await until("the answer is seen", () => isSeen(ann, /^.*Me/s).catch(() => false), true);
  await quote.click();
  await until("the question is seen", () => isSeen(ann, "Who brings the pie?"), true);
  assert.equal(await ann.page.evaluate(() => document.activeElement?.id), "message-1");
  await screenshot(ann.page, "jumped-desktop");

  await ann.actOn("Who brings the pie?", "Delete message");
  await ann.page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await quote.getByText("Message deleted").waitFor();
  assert.equal((await ann.page.getByRole("log").innerText()).includes("pie"), false, "deleted text lives on nowhere");
});

test("what happened to messages while one was away is there when one is back", { timeout }, async () => {
  await ann.page.getByRole("button", { name: "To the newest message" }).click();
  const id = await idOf("later 130");
  await react(id, "👀");
  await until("the reaction", () => ann.reactions("later 130"), ["👀 1, Bob Builder"]);
  await ann.page.context().setOffline(true);
  await ann.connection.getByText(/offline/i).waitFor();
  await ann.actOn("later 130", "React");
  await ann.page.getByRole("dialog").getByRole("button", { name: /rocket/ }).click();
  await ann.message("later 130").first().getByRole("alert").getByText("can’t be reached").waitFor();
  await ann.actOn("later 130", "Reply");
  await ann.say("An answer from nowhere");
  await ann.message("An answer from nowhere").getByRole("button", { name: /^Answers Bob Builder/ }).waitFor();
  await react(id, "👀", false);
  await react(id, "🎉");
  await react(id, "🙏");
  await ann.page.context().setOffline(false);
  await until("the reactions", () => ann.reactions("later 130"), ["🎉 1, Bob Builder", "🙏 1, Bob Builder"]);
  await until("the answer at Bob's", () => bob.page.getByRole("button", { name: /^Answers Bob Builder: later 130/ }).count(), 1);
});

test("the viewer's own reactions are the same on another device, and after a reload", { timeout }, async () => {
  await ann.actOn("later 129", "React");
  await ann.page.getByRole("dialog").getByRole("button", { name: /party popper/ }).click();
  const device = await Chat.open(browser, server);
  await device.signIn("ann");
  await device.enter(/Bob Builder/);
  await until("the other device", () => device.reactions("later 129"), ["own 🎉 1, You"]);
  await device.message("later 129").getByRole("button", { name: /^🎉/ }).click();
  await until("this one", () => ann.reactions("later 129"), []);
  await device.message("later 128").hover();
  await device.actOn("later 128", "React");
  await device.page.getByRole("dialog").getByRole("button", { name: /folded hands/ }).click();
  await until("this one knows it as its own", () => ann.reactions("later 128"), ["own 🙏 1, You"]);
  await ann.page.reload();
  await until("after a reload", () => ann.reactions("later 128"), ["own 🙏 1, You"]);
  assert.deepEqual(device.complaints, []);
});

test("nothing of the pages was refused or went wrong but the connection that was cut", () => {
  const wasCut = /ERR_INTERNET_DISCONNECTED|WebSocket connection to|Failed to fetch/;
  for (const chat of [ann, bob]) assert.deepEqual(chat.complaints.filter((text) => !wasCut.test(text)), []);
});
