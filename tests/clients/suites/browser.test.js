/** Altair and GraphQL Playground in Chromium: a query and a subscription in each. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { chromium } from "playwright-core";
import { signUpAll } from "../harness/people.js";
import { startParlor } from "../harness/parlor.js";
import { startPages } from "./browser/pages.js";
import { report, versionOf } from "./harness/report.js";

const LIMIT_MS = 30_000;
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
/** The files of graphql-playground-react, which `run` unpacks: its dependencies are in them already. */
const PLAYGROUND = process.env.PLAYGROUND_FILES;
const PLAYGROUND_VERSION = "1.7.28";
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

const server = await startParlor();
const [ann, bob] = await signUpAll(server, "ann", "bob");
const room = await ann.open(bob);
const shown = { query: "", token: ann.session.accessToken };
const pages = await startPages(server, { shown, playground: PLAYGROUND });
const browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
after(() => browser.close());

const QUERY = "query { me { username displayName } }";
const SUBSCRIPTION = "subscription { messagePosted { body author { username } } }";

/** Opens a page anew with this operation, and sends it. `sent` takes the types of the messages on its sockets. */
async function open(path, query, send, { options = {}, sent = new Set() } = {}) {
  Object.assign(shown, { query, more: options });
  const page = await (await browser.newContext({ viewport: { width: 1400, height: 900 } })).newPage();
  page.on("websocket", (socket) => socket.on("framesent", ({ payload }) => sent.add(JSON.parse(payload).type)));
  page.setDefaultTimeout(LIMIT_MS);
  await page.goto(`${pages}${path}`);
  await send(page);
  return page;
}

/** Waits until a part of the page shows a text; messages are posted meanwhile, if the page has subscribed. */
async function shows(page, part, text, post = async () => {}) {
  const end = Date.now() + LIMIT_MS;
  let seen = "";
  while (Date.now() < end) {
    await post();
    seen = (await page.locator(part).allInnerTexts()).join("\n");
    if (seen.includes(text)) return;
    await page.waitForTimeout(200);
  }
  assert.fail(`${part} shows no ${text}: ${seen}`);
}

const IDES = [
  {
    order: 80, suite: "altair-static", version: versionOf("altair-static"), path: "/altair/", result: "body",
    dialects: [
      { begins: "start", options: { initialSubscriptionRequestHandlerId: "websocket" } },
      { begins: "subscribe", options: { initialSubscriptionRequestHandlerId: "graphql-ws" } },
    ],
    send: (page) => page.locator(".send-request__button").first().click(),
  },
  {
    order: 81, suite: "graphql-playground-react", version: PLAYGROUND_VERSION, path: "/playground/", result: ".result-window, .graphiql-wrapper",
    dialects: [{ begins: "start", options: {} }],
    send: (page) => page.locator("[title^='Execute'], .execute-button, button:has(svg path[d^='M 11 9'])").first().click(),
  },
];

for (const { order, suite, version, path, result, dialects, send } of IDES) {
  let passed = 0;

  test(`${suite}: a query`, { timeout: 2 * LIMIT_MS }, async () => {
    const page = await open(path, QUERY, send);
    await shows(page, result, '"displayName": "ann"');
    await page.context().close();
    passed += 1;
  });

  for (const { begins, options } of dialects) {
    test(`${suite}: a subscription that begins with ${begins}`, { timeout: 2 * LIMIT_MS }, async () => {
      const sent = new Set();
      const page = await open(path, SUBSCRIPTION, send, { options, sent });
      let count = 0;
      await shows(page, result, "live-3", () => bob.post(room, `live-${(count += 1)}`));
      assert.ok(sent.has(begins), [...sent].join(" "));
      await page.context().close();
      passed += 1;
    });
  }

  test(`${suite} did all of it`, async () => {
    assert.equal(passed, 1 + dialects.length);
    const messages = dialects.map(({ begins }) => `\`${begins}\``).join(" and by ");
    await report({ order, suite, version, printed: `in Chromium: a query answered; by ${messages}, messages shown as they are posted` });
  });
}
