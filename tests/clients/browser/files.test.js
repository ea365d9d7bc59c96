/** Files in the sample app, with two people at two pages: chosen, dropped and pasted, sent and cancelled, shown and downloaded. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
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
let roomId = "";

/** A picture with a gradient. @returns {Promise<Buffer>} a PNG */
async function picture(width, height, hue) {
  const url = await ann.page.evaluate(([width, height, hue]) => {
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    const context = canvas.getContext("2d");
    const gradient = context.createLinearGradient(0, 0, width, height);
    gradient.addColorStop(0, `hsl(${hue} 80% 45%)`);
    gradient.addColorStop(1, `hsl(${hue + 90} 80% 75%)`);
    context.fillStyle = gradient;
    context.fillRect(0, 0, width, height);
    return canvas.toDataURL("image/png");
  }, [width, height, hue]);
  return Buffer.from(url.split(",")[1], "base64");
}

const png = (name, buffer) => ({ name, mimeType: "image/png", buffer });
const choose = (chat, ...files) => chat.page.locator("input[type=file]").setInputFiles(files);
const chosen = (chat) => chat.page.getByRole("list", { name: "Files of this message" }).getByRole("listitem");
const send = (chat) => chat.page.getByRole("button", { name: "Send" }).click();

/** How many pictures of the newest message are there, and not broken. */
const loaded = (chat) =>
  chat.page.locator("article").last().locator("img").evaluateAll((images) => images.filter(({ complete, naturalWidth }) => complete && naturalWidth > 0).length);

/** Hands files to an event of the page, as the system does. */
async function hand(chat, type, files) {
  await chat.page.evaluate(([type, files]) => {
    const data = new DataTransfer();
    for (const [name, mime, text] of files) data.items.add(new File([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))], name, { type: mime }));
    const options = { bubbles: true, cancelable: true };
    const field = document.querySelector("textarea");
    if (type === "paste") field.dispatchEvent(new ClipboardEvent("paste", { ...options, clipboardData: data }));
    else for (const name of ["dragover", "drop"]) document.querySelector("main").dispatchEvent(new DragEvent(name, { ...options, dataTransfer: data }));
  }, [type, files.map(([name, mime, buffer]) => [name, mime, buffer.toString("base64")])]);
}

test("a message without a text has a picture, whose place is kept until it is there", { timeout }, async () => {
  await Promise.all([ann.signUp("ann", "Ann Archer"), bob.signUp("bob", "Bob Builder")]);
  await ann.begin("Bob Builder");
  [, roomId] = /#\/rooms\/(room_\w+)/.exec(ann.page.url());
  await ann.say("Look at this");
  await bob.enter(/Ann Archer/);
  let release;
  const held = new Promise((resolve) => { release = resolve; });
  await bob.page.route(/\/files\//, async (route) => { await held; await route.continue(); });

  await choose(ann, png("sunset.png", await picture(1600, 900, 10)));
  await until("the file is there", () => chosen(ann).getByRole("progressbar").count(), 0);
  assert.equal(await ann.field.inputValue(), "");
  await send(ann);
  const shown = bob.page.getByRole("button", { name: "Show sunset.png" });
  await shown.waitFor();
  await screenshot(bob.page, "hash-phone");
  const place = async () => [await shown.boundingBox(), await bob.page.getByRole("log").evaluate(({ scrollTop, scrollHeight }) => [scrollTop, scrollHeight])];
  const before = await place();
  assert.ok(Math.abs(before[0].width / before[0].height - 16 / 9) < 0.05, "as it is to be");
  assert.ok(await shown.locator("canvas").evaluate((canvas) => canvas.getContext("2d").getImageData(5, 5, 1, 1).data[3] > 0), "something of it is seen");
  assert.equal(await loaded(bob), 0);
  release();
  await until("the picture", () => loaded(bob), 1);
  assert.deepEqual(await place(), before, "nothing has moved");
  await bob.page.unroute(/\/files\//);
  await ann.room(/Bob Builder.*You: Picture/s).waitFor();
});

test("pictures come as a grid, with a text, and other files as cards to download", { timeout }, async () => {
  const pictures = await Promise.all([[800, 600, 40], [600, 900, 120], [500, 500, 200], [900, 300, 280]].map((of) => picture(...of)));
  await choose(ann, ...pictures.map((of, n) => png(`view ${n + 1}.png`, of)), { name: "plan of the trip.txt", mimeType: "text/plain", buffer: Buffer.from("At nine\n") });
  await until("all are there", () => ann.page.getByRole("button", { name: /^Remove / }).count(), 5);
  await screenshot(ann.page, "uploads-desktop");
  await ann.say("The trip");
  for (const chat of [ann, bob]) await until("the pictures", () => loaded(chat), 4);
  await screenshot(ann.page, "grid-desktop");
  await screenshot(bob.page, "grid-phone");
  await until("the text", async () => (await bob.texts()).at(-1), "The trip");
  const [download] = await Promise.all([bob.page.waitForEvent("download"), bob.page.getByRole("link", { name: /^Download plan of the trip.txt/ }).click()]);
  assert.equal(download.suggestedFilename(), "plan of the trip.txt");
  assert.equal(await readFile(await download.path(), "utf8"), "At nine\n");
});

test("the lightbox goes by the arrow keys, closes by Escape, and gives the focus back", { timeout }, async () => {
  const opener = ann.page.getByRole("button", { name: "Show view 2.png" });
  await opener.focus();
  await ann.page.keyboard.press("Enter");
  const box = ann.page.getByRole("dialog", { name: "Pictures" });
  const named = () => box.getByRole("status").innerText();
  await until("the second", named, "view 2.png (2 of 4)");
  await until("the picture", () => box.locator("img").evaluate(({ complete, naturalWidth }) => complete && naturalWidth), 600);
  await screenshot(ann.page, "lightbox-desktop");
  for (const [key, name] of [["ArrowRight", "view 3.png (3 of 4)"], ["ArrowRight", "view 4.png (4 of 4)"], ["ArrowRight", "view 1.png (1 of 4)"], ["ArrowLeft", "view 4.png (4 of 4)"]]) {
    await ann.page.keyboard.press(key);
    await until(key, named, name);
  }
  for (let steps = 0; steps < 8; steps += 1) {
    await ann.page.keyboard.press("Tab");
    assert.ok(await ann.page.evaluate(() => document.activeElement === document.body || document.activeElement.closest("dialog") !== null), "the focus stays inside");
  }
  await ann.page.keyboard.press("Escape");
  await until("it is gone", () => box.count(), 0);
  assert.equal(await ann.page.evaluate(() => document.activeElement?.getAttribute("aria-label")), "Show view 2.png");

  await bob.page.getByRole("button", { name: "Show view 2.png" }).click();
  await bob.page.getByRole("button", { name: "Next picture" }).click();
  await until("the next", () => bob.page.getByRole("dialog").getByRole("status").innerText(), "view 3.png (3 of 4)");
  await until("the picture", () => bob.page.getByRole("dialog").locator("img").evaluate(({ complete, naturalWidth }) => complete && naturalWidth), 500);
  await screenshot(bob.page, "lightbox-phone");
  await bob.page.getByRole("button", { name: "Close" }).click();
});

test("files are dropped and pasted", { timeout }, async () => {
  await hand(ann, "drop", [["dropped.png", "image/png", await picture(300, 200, 330)]]);
  await hand(ann, "paste", [["pasted.txt", "text/plain", Buffer.from("pasted")]]);
  await until("both are there", () => ann.page.getByRole("button", { name: /^Remove (dropped.png|pasted.txt)$/ }).count(), 2);
  await send(ann);
  await bob.page.getByRole("button", { name: "Show dropped.png" }).waitFor();
  await bob.page.getByRole("link", { name: /^Download pasted.txt/ }).waitFor();
});

test("how far a file is can be seen, it can be cancelled, and is sent again when the connection is cut", { timeout }, async () => {
  const tools = await ann.page.context().newCDPSession(ann.page);
  await tools.send("Network.enable");
  const rate = (uploadThroughput) => tools.send("Network.emulateNetworkConditions", { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput });
  await rate(150_000);
  const large = { name: "film.bin", mimeType: "application/octet-stream", buffer: Buffer.alloc(3_000_000, 7) };
  await choose(ann, large);
  const progress = ann.page.getByRole("progressbar", { name: "Sending film.bin" });
  await until("some of it", () => progress.evaluate(({ value }) => value > 0.02 && value < 0.9), true);
  await screenshot(ann.page, "progress-desktop");
  assert.equal(await ann.page.getByRole("button", { name: "Send" }).isDisabled(), true);
  await ann.page.getByRole("button", { name: "Cancel film.bin" }).click();
  await until("it is gone", () => chosen(ann).count(), 0);

  await rate(-1);
  let cuts = 0;
  await ann.page.route(/\/files\//, (route) => (route.request().method() === "PUT" && (cuts += 1) < 3 ? route.abort("connectionreset") : route.continue()));
  await choose(ann, large);
  await ann.page.getByRole("button", { name: "Remove film.bin" }).waitFor();
  assert.equal(cuts, 3);
  await ann.page.unroute(/\/files\//);
  await ann.say("The film");
  await bob.page.getByRole("link", { name: /^Download film.bin, 2.9/ }).waitFor();
});

test("what is refused is said beside the file, in words", { timeout }, async () => {
  await choose(ann, { name: "huge.bin", mimeType: "application/octet-stream", buffer: Buffer.alloc(26 * 1024 * 1024) });
  await chosen(ann).getByRole("alert").getByText("This is too large: at most 25 MB are taken.").waitFor();
  await ann.page.getByRole("button", { name: "Remove huge.bin" }).click();
  const broken = Buffer.concat([(await picture(50, 50, 0)).subarray(0, 40), Buffer.alloc(200, 1)]);
  await choose(ann, png("broken.png", broken), { name: "empty.txt", mimeType: "text/plain", buffer: Buffer.alloc(0) });
  await chosen(ann).getByText("isn’t one that can be read").waitFor();
  await chosen(ann).getByText("This file is empty.").waitFor();
  await screenshot(ann.page, "refused-desktop");
  for (const name of ["broken.png", "empty.txt"]) await ann.page.getByRole("button", { name: `Remove ${name}` }).click();
  const eleven = Array.from({ length: 11 }, (_, n) => ({ name: `${n}.txt`, mimeType: "text/plain", buffer: Buffer.from("x") }));
  await choose(ann, ...eleven);
  await ann.page.getByText("A message has 10 files at most.").waitFor();
  assert.equal(await chosen(ann).count(), 10);
  for (const n of Array(10).keys()) await ann.page.getByRole("button", { name: new RegExp(`^(Remove|Cancel) ${n}.txt$`) }).click();
});

test("deleting the message takes its files away for both, and links that have grown old are asked for anew", { timeout }, async () => {
  // As a page that was open for longer than links are good: the pictures of the next load fail once.
  const failed = new Set();
  await bob.page.route(/\/files\/.*sunset/, (route) => {
    const url = route.request().url();
    const isFirst = failed.size === 0;
    failed.add(url);
    return isFirst ? route.fulfill({ status: 403 }) : route.continue();
  });
  await bob.page.reload();
  await bob.page.getByRole("button", { name: "Show sunset.png" }).scrollIntoViewIfNeeded();
  await until("another link was used or the first came again", () => failed.size > 0, true);

  await ann.actOn("The trip", "Delete message");
  await ann.page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  for (const chat of [ann, bob]) await until("no pictures of it", () => chat.page.getByRole("button", { name: /^Show view/ }).count(), 0);
});

test("nothing of the pages was refused or went wrong but what was cut", async () => {
  const wasCut = /ERR_CONNECTION_RESET|WebSocket connection to|Failed to fetch|status of 4(03|13|22)/;
  for (const chat of [ann, bob]) assert.deepEqual(chat.complaints.filter((text) => !wasCut.test(text)), []);
  const person = await signIn(server, "ann");
  const { room } = await person.ask("query ($id: ID!) { room(id: $id) { messages(last: 1) { nodes { attachments { name } } } } }", { id: roomId });
  assert.deepEqual(room.messages.nodes[0].attachments, [{ name: "film.bin" }]);
});
