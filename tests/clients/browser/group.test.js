/** A group in the sample app: made with a name, renamed for everybody, and with a say for those who have one. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { startParlor } from "../harness/parlor.js";
import { signIn } from "../harness/people.js";
import { Chat } from "./chat.js";
import { LIMIT_MS, screenshot, startChromium, until } from "./chromium.js";

const timeout = 4 * LIMIT_MS;
const server = await startParlor();
const browser = await startChromium();
const [ann, bob, cay] = await Promise.all([1, 2, 3].map(() => Chat.open(browser, server)));
let roomId = "";

/** What a room is called at the top of its conversation. */
const heading = (chat, name) => chat.page.getByRole("heading", { name, level: 1 });

test("a group is made of several people and a name, and all of them have it", { timeout }, async () => {
  await Promise.all([ann.signUp("ann", "Ann"), bob.signUp("bob", "Bob"), cay.signUp("cay", "Cay")]);
  await ann.page.getByRole("link", { name: "New conversation" }).click();
  for (const name of ["Bob", "Cay"]) {
    await ann.page.getByRole("searchbox", { name: "Search people" }).fill(name);
    await ann.page.getByRole("checkbox", { name }).check();
  }
  await ann.page.getByRole("textbox", { name: "Name of the group" }).fill("Weekend");
  await screenshot(ann.page, "group-new");
  await ann.page.getByRole("button", { name: "Create group" }).click();
  await heading(ann, "Weekend").waitFor();
  [, roomId] = /#\/rooms\/(room_\w+)/.exec(ann.page.url());
  await ann.say("Who is coming?");
  await bob.enter(/Weekend/);
  await bob.say("Me");
  await cay.enter(/Weekend/);
  for (const chat of [ann, bob, cay]) await until("what is shown", () => chat.texts(), ["Who is coming?", "Me"]);
});

test("its owner renames it for everybody; members can't", { timeout }, async () => {
  assert.equal(await bob.page.getByRole("button", { name: "Rename" }).count(), 0);
  await ann.page.getByRole("button", { name: "Rename" }).click();
  await ann.page.getByRole("dialog").getByRole("textbox", { name: "Name" }).fill("Sunday");
  await ann.page.getByRole("dialog").getByRole("button", { name: "Rename" }).click();
  for (const chat of [ann, bob, cay]) {
    await heading(chat, "Sunday").waitFor();
    await chat.room(/Sunday/).waitFor();
  }
  await screenshot(bob.page, "group-renamed");
});

test("its owner deletes what others have written; members delete what is theirs", { timeout }, async () => {
  await bob.message("Who is coming?").hover();
  assert.equal(await bob.message("Who is coming?").getByRole("button", { name: "Delete message" }).count(), 0);
  await ann.actOn("Me", "Delete message");
  await ann.page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  for (const chat of [ann, bob, cay]) await chat.message("Message deleted").waitFor();
});

test("who may not post is told so, as soon as that is so", { timeout }, async () => {
  const posting = await signIn(server, "ann");
  const rule = async (postingPolicy) => {
    const document = "mutation ($id: ID!, $rule: PostingPolicy!) { updateRoom(roomId: $id, input: { postingPolicy: $rule }) { room { id } } }";
    await posting.ask(document, { id: roomId, rule: postingPolicy });
  };
  await rule("MODERATORS");
  await bob.page.getByText("Only moderators post here.").waitFor();
  assert.equal(await bob.field.count(), 0);
  await ann.say("Sunday at ten");
  await until("the newest that Bob is shown", async () => (await bob.texts()).at(-1), "Sunday at ten");
  await rule("EVERYONE");
  await bob.say("Fine");
  await until("the newest that Ann is shown", async () => (await ann.texts()).at(-1), "Fine");
});

test("nothing of the pages was refused or went wrong", () => {
  for (const chat of [ann, bob, cay]) assert.deepEqual(chat.complaints, []);
});
