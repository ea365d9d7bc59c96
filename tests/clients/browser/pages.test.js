/** Every page of the sample app, on a desktop and a phone, light and dark: whole, readable, and in the direction of its texts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { startParlor } from "../harness/parlor.js";
import { Chat } from "./chat.js";
import { LIMIT_MS, SIZES, screenshot, startChromium, until } from "./chromium.js";
import { makeWorld } from "./world.js";

const server = await startParlor();
const { group, layla } = await makeWorld(server);
const browser = await startChromium();

/** What is wider than the page, if anything. */
const overflow = (page) => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

/** How bright the page's ground is, from 0 to 255. */
const brightness = (page) =>
  page.evaluate(() => {
    const colors = [document.body, document.documentElement].map((element) => getComputedStyle(element).backgroundColor);
    const [red, green, blue] = /\d.*\d/.exec(colors.find((color) => color !== "rgba(0, 0, 0, 0)") ?? "")[0].split(",").map(Number);
    return (red + green + blue) / 3;
  });

for (const [size, viewport] of Object.entries(SIZES)) {
  for (const colorScheme of ["light", "dark"]) {
    test(`on a ${size}, ${colorScheme}`, { timeout: 4 * LIMIT_MS }, async () => {
      const chat = await Chat.open(browser, server, { viewport, colorScheme, isMobile: size === "phone", hasTouch: size === "phone" });
      const { page } = chat;
      const name = (what) => `app-${what}-${size}${colorScheme === "dark" ? "-dark" : ""}`;
      const look = async (what) => {
        assert.equal(await overflow(page), 0, `${what} fits`);
        await screenshot(page, name(what));
      };
      const open = async (room) => {
        await page.goto(`http://127.0.0.1:${server.port}/#/rooms/${room}`);
        await until("messages", async () => (await chat.texts()).length > 3, true);
        await chat.field.waitFor();
      };

      await page.getByRole("button", { name: "Sign in", exact: true }).waitFor();
      const ground = await brightness(page);
      assert.ok(colorScheme === "dark" ? ground < 80 : ground > 200, `the ground is ${ground} bright`);
      await look("sign-in");
      await chat.signIn("ann");
      await chat.room(/Bob Builder.*unread/s).waitFor();
      await look("list");

      await open(group);
      await chat.page.getByText("Read by").waitFor();
      await look("chat");

      await open(layla);
      const directions = await page.getByRole("log").locator("article p[dir=auto]").evaluateAll((texts) => texts.map((text) => getComputedStyle(text).direction));
      // The first letter decides, which is Latin in the last one.
      assert.deepEqual(directions, ["rtl", "ltr", "rtl", "ltr", "ltr"]);
      await look("right-to-left");

      await page.goto(`http://127.0.0.1:${server.port}/#/new`);
      await page.getByRole("checkbox").first().waitFor();
      await look("new");
      assert.deepEqual(chat.complaints, []);
      await page.context().close();
    });
  }
}
