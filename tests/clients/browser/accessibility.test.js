/** Lighthouse on the pages of the sample app, and the whole way through it by the keyboard. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { snapshot } from "lighthouse";
import puppeteer from "puppeteer-core";
import { startParlor } from "../harness/parlor.js";
import { PASSWORD } from "../harness/people.js";
import { CHROMIUM, FLAGS, LIMIT_MS, SIZES } from "./chromium.js";
import { makeWorld } from "./world.js";

/** Of 100. */
const LEAST = 95;

const server = await startParlor();
const { group, layla } = await makeWorld(server);
const url = `http://127.0.0.1:${server.port}/`;
const browser = await puppeteer.launch({ executablePath: CHROMIUM, headless: true, args: FLAGS });
after(() => browser.close());

/** Lighthouse's score of the page as it is, and what costs it points. */
async function judge(page, formFactor) {
  const flags = { onlyCategories: ["accessibility"], formFactor, screenEmulation: { disabled: true }, throttlingMethod: "provided" };
  const { lhr } = await snapshot(page, { flags });
  const audits = Object.values(lhr.audits);
  assert.ok(audits.filter(({ score }) => score === 1).length > 10, "it has looked at something");
  const failed = audits.filter(({ score }) => score === 0).map(({ id, details }) => `${id}: ${details?.items?.map(({ node }) => node?.snippet).join(" ")}`);
  return { score: Math.round(lhr.categories.accessibility.score * 100), failed };
}

// Each size and each scheme once: what one of them costs, it costs with the other as well.
for (const [size, scheme] of [["desktop", "light"], ["phone", "dark"]]) {
  test(`Lighthouse on a ${size}, ${scheme}: accessibility ≥ ${LEAST}`, { timeout: 6 * LIMIT_MS }, async () => {
    const isPhone = size === "phone";
    const page = await (await browser.createBrowserContext()).newPage();
    page.setDefaultTimeout(LIMIT_MS);
    await page.setViewport({ ...SIZES[size], isMobile: isPhone, hasTouch: isPhone });
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
    const scores = {};
    const judged = async (what) => {
      const { score, failed } = await judge(page, isPhone ? "mobile" : "desktop");
      scores[what] = score;
      assert.ok(score >= LEAST, `${what}: ${score}\n${failed.join("\n")}`);
    };

    await page.goto(url);
    await page.waitForSelector("form");
    await judged("sign in");
    await page.type("input[name=username]", "ann");
    await page.type("input[name=password]", PASSWORD);
    await page.click("button[type=submit]");
    await page.waitForSelector("nav ul li");
    await judged("list");
    for (const [what, room] of [["chat", group], ["right to left", layla]]) {
      await page.goto(`${url}#/rooms/${room}`);
      await page.waitForSelector("[role=log] article");
      await judged(what);
    }
    await page.goto(`${url}#/new`);
    await page.waitForSelector("input[type=checkbox]");
    await judged("new conversation");
    console.log(`${size}, ${scheme}: ${Object.entries(scores).map(([what, score]) => `${what} ${score}`).join(", ")}`);
    await page.browserContext().close();
  });
}

test("a conversation is found, answered and left by the keyboard alone", { timeout: 4 * LIMIT_MS }, async () => {
  const page = await (await browser.createBrowserContext()).newPage();
  page.setDefaultTimeout(LIMIT_MS);
  await page.setViewport(SIZES.desktop);
  await page.goto(url);
  await page.waitForSelector("form");
  const focused = () =>
    page.evaluate(() => {
      const focus = document.activeElement;
      return focus === document.body ? "nothing" : `${focus?.getAttribute("aria-label") ?? ""} ${focus?.textContent ?? ""}`;
    });
  const tabTo = async (what) => {
    for (let steps = 0; steps < 60; steps += 1) {
      if (what.test(await focused())) return;
      await page.keyboard.press("Tab");
    }
    assert.fail(`${what} can't be reached: the focus is on ${await focused()}`);
  };
  await page.focus("input[name=username]");
  await page.keyboard.type("ann");
  await page.keyboard.press("Tab");
  await page.keyboard.type(PASSWORD);
  await page.keyboard.press("Enter");
  await page.waitForSelector("nav ul li");
  await tabTo(/Cay Ng/);
  await page.keyboard.press("Enter");
  await page.waitForSelector("[role=log] article");
  await tabTo(/^Message $/);
  await page.keyboard.type("By keyboard");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.querySelector("[role=log]")?.textContent.includes("By keyboard"));
  await page.browserContext().close();
});
