/** Mentions in the sample app: members are suggested while one types an @. */
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
