/** The playground in Chromium, without any network but the server's: what it shows, and that nothing of it is refused. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { startParlor } from "../harness/parlor.js";
import { signUpAll } from "../harness/people.js";
import { LIMIT_MS, SIZES, listen, screenshot, startChromium } from "./chromium.js";

const server = await startParlor();
const [ann, bob] = await signUpAll(server, "ann", "bob");
const room = await ann.open(bob);
const browser = await startChromium();

const EDITOR = ".graphiql-query-editor .monaco-editor";
/** The one that is shown of the two below the query: variables or headers. */
const TOOL = ".graphiql-editor-tool .monaco-editor:visible";
const ANSWER = ".graphiql-response";
const SUBSCRIPTION = "subscription Messages { messagePosted { body author { username } } }";

/** Opens the playground, and closes it when all of the page is found to be well. */
async function inPlayground(act, viewport = SIZES.desktop) {
  const page = await (await browser.newContext({ viewport })).newPage();
  page.setDefaultTimeout(LIMIT_MS);
  const complaints = await listen(page, server);
  page.on("requestfailed", (request) => complaints.push(`${request.url()}: ${request.failure()?.errorText}`));
  await page.goto(server.url);
  await page.locator(EDITOR).waitFor();
  await act(page);
  assert.deepEqual(complaints, []);
  await page.context().close();
}

/** Replaces what is in an editor. */
async function write(page, editor, text) {
  await page.locator(editor).first().click();
  await page.keyboard.press("Control+a");
  await page.keyboard.press("Delete");
  await page.keyboard.insertText(text);
  await page.keyboard.press("Control+Home");
}

/** Writes an operation, and waits until GraphiQL knows its name, without which it would run the one before. */
async function writeOperation(page, operation) {
  await write(page, EDITOR, operation);
  const [, name] = /^\w+ (\w+)/.exec(operation);
  await page.locator(".graphiql-tab").getByText(name, { exact: true }).waitFor();
}

const authorize = (page, token) => write(page, TOOL, JSON.stringify({ Authorization: `Bearer ${token}` }));

/** Runs an operation as somebody. */
async function run(page, query, token) {
  await authorize(page, token);
  await writeOperation(page, query);
  await page.keyboard.press("Control+Enter");
}

/** Waits until a part of the page shows a text, and does something each time that it doesn't. */
async function shows(page, part, text, meanwhile = async () => {}) {
  const end = Date.now() + LIMIT_MS;
  let seen = "";
  while (Date.now() < end) {
    await meanwhile();
    seen = (await page.locator(part).allInnerTexts()).join("\n").replaceAll("\u00a0", " ");
    if (seen.includes(text)) return;
    await page.waitForTimeout(100);
  }
  assert.fail(`${part} shows no ${text}: ${seen}`);
}

test("a query is sent with the headers that were written", { timeout: 2 * LIMIT_MS }, () =>
  inPlayground(async (page) => {
    assert.equal(await page.title(), "Parlor playground");
    await run(page, "query Me { me { username displayName } }", ann.session.accessToken);
    await shows(page, ANSWER, '"displayName": "ann"');
  }),
);

test("a subscription shows messages as they are posted", { timeout: 2 * LIMIT_MS }, () =>
  inPlayground(async (page) => {
    await run(page, SUBSCRIPTION, ann.session.accessToken);
    let count = 0;
    await shows(page, ANSWER, "live-3", () => bob.post(room, `live-${(count += 1)}`));
    await page.getByRole("button", { name: "Stop query" }).click();
    await page.getByRole("button", { name: "Execute query" }).waitFor();
  }),
);

test("a socket that is refused says why", { timeout: 2 * LIMIT_MS }, () =>
  inPlayground(async (page) => {
    await run(page, SUBSCRIPTION, "none");
    await shows(page, ANSWER, "4403");
    await shows(page, ANSWER, "It takes a valid token");
  }),
);

test("a subscription that is refused shows the error", { timeout: 2 * LIMIT_MS }, () =>
  inPlayground(async (page) => {
    const elsewhere = "room_00000000000000000000000000";
    await run(page, `subscription Elsewhere { messagePosted(roomId: "${elsewhere}") { body } }`, ann.session.accessToken);
    await shows(page, ANSWER, '"code":');
  }),
);

test("docs, variables, prettier and history work", { timeout: 3 * LIMIT_MS }, () =>
  inPlayground(async (page) => {
    await authorize(page, ann.session.accessToken);
    await page.getByRole("button", { name: "Variables" }).click();
    await write(page, TOOL, JSON.stringify({ id: bob.id }));
    await writeOperation(page, "query Somebody($id: ID!) { user(id: $id) { username } }");
    await page.getByRole("button", { name: /^Prettify/ }).click();
    await shows(page, EDITOR, "  user(id: $id) {\n");
    await page.getByRole("button", { name: "Execute query" }).click();
    await shows(page, ANSWER, '"username": "bob"');

    await page.getByRole("button", { name: "Show History" }).click();
    await shows(page, ".graphiql-history", "Somebody");
    await page.getByRole("button", { name: "Show Documentation Explorer" }).click();
    await page.locator(".graphiql-doc-explorer").getByText("Subscription", { exact: true }).click();
    await shows(page, ".graphiql-doc-explorer", "messagePosted");
  }),
);

for (const [name, viewport] of Object.entries(SIZES)) {
  test(`on a ${name}, the editors and the answer are in sight`, { timeout: 2 * LIMIT_MS }, () =>
    inPlayground(async (page) => {
      await bob.post(room, "Hello, Ann");
      await authorize(page, ann.session.accessToken);
      await writeOperation(page, "query Rooms { me { displayName } rooms(first: 1) { nodes { lastMessage { body } } } }");
      await page.getByRole("button", { name: /^Prettify/ }).click();
      await page.getByRole("button", { name: "Execute query" }).click();
      await shows(page, ANSWER, '"body": "Hello, Ann"');
      for (const part of [EDITOR, TOOL, ANSWER]) {
        const { x, y, width, height } = await page.locator(part).first().boundingBox();
        assert.ok(x >= 0 && y >= 0 && x + width <= viewport.width && y + height <= viewport.height, `${part} is in sight`);
        assert.ok(width >= 200 && height >= 60, `${part} can be read: ${width} × ${height}`);
      }
      await screenshot(page, `playground-${name}`);
    }, viewport),
  );
}
