/**
 * Notifications of the sample app in Chromium. No push service is asked: what one would bring is handed to the app's worker by
 * the browser's own tools, as if it had come from there, decrypted.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { startParlor } from "../harness/parlor.js";
import { Chat } from "./chat.js";
import { LIMIT_MS, startChromium, until } from "./chromium.js";

const server = await startParlor();
const origin = `http://127.0.0.1:${server.port}`;
const browser = await startChromium();
const ann = await Chat.open(browser, server);
const bob = await Chat.open(browser, server);

test("a push shows a notification, the newest of each room, and another takes it away", { timeout: 6 * LIMIT_MS }, async () => {
  await Promise.all([ann.signUp("ann", "Ann Archer"), bob.signUp("bob", "Bob Builder")]);
  await bob.page.context().grantPermissions(["notifications"], { origin });
  const tools = await bob.page.context().newCDPSession(bob.page);
  const registered = new Promise((resolve) => {
    tools.on("ServiceWorker.workerRegistrationUpdated", ({ registrations }) => registrations[0] && resolve(registrations[0].registrationId));
  });
  await tools.send("ServiceWorker.enable");
  // With the user's consent, the app registers its worker at every start.
  await bob.page.reload();
  const registrationId = await registered;
  await until("the worker", () => bob.page.evaluate(async () => (await navigator.serviceWorker.getRegistrations())[0]?.active?.state), "activated");

  const push = (said) => tools.send("ServiceWorker.deliverPushMessage", { origin, registrationId, data: JSON.stringify(said) });
  const shown = () =>
    bob.page.evaluate(async () => {
      const [registration] = await navigator.serviceWorker.getRegistrations();
      return (await registration.getNotifications()).map(({ title, body, tag }) => `${tag}: ${title}: ${body}`).sort();
    });
  // What is handed over while the worker starts may be dropped; the same again takes the place of the first.
  const hello = { type: "MESSAGE", roomId: "room_1", messageId: "msg_1", seq: 1, badge: 1, author: "Ann", body: "Hello" };
  await until("the notification", () => push(hello).then(shown), ["room_1: Ann: Hello"]);
  await push({ type: "MESSAGE", roomId: "room_2", messageId: "msg_2", seq: 1, badge: 2, room: "Trip", author: "Ann", body: "When?" });
  await push({ type: "MESSAGE", roomId: "room_1", messageId: "msg_3", seq: 2, badge: 3, author: "Ann", body: "Are you there?" });
  await until("one of each room", shown, ["room_1: Ann: Are you there?", "room_2: Trip: Ann: When?"]);
  // As PARLOR_PUSH_TEXT=none has it.
  await push({ type: "MESSAGE", roomId: "room_3", messageId: "msg_4", seq: 1, badge: 4 });
  await until("one that says nothing", shown, ["room_1: Ann: Are you there?", "room_2: Trip: Ann: When?", "room_3: New message: "]);
  await push({ type: "CLEAR", roomId: "room_1", badge: 2 });
  await push({ type: "CLEAR", roomId: "room_3", badge: 1 });
  await until("what is left", shown, ["room_2: Trip: Ann: When?"]);
});

test("a click on a notification opens its room in the page that is open, or in a new one", { timeout: 8 * LIMIT_MS }, async () => {
  await ann.begin("Bob Builder");
  await ann.say("Here?");
  await until("the title", () => bob.page.title(), "(1) Parlor");
  const href = await bob.room(/Ann Archer/).getAttribute("href");
  const roomId = decodeURIComponent(href.split("/rooms/")[1].split(/[/?]/)[0]);
  const context = bob.page.context();
  const [worker] = context.serviceWorkers();
  assert.ok(worker, "the worker runs");

  // As the browser tells the worker of a click on the notification of this room. Windows are only opened and given the focus
  // by a click of somebody's, so what the worker asks for is noted.
  const click = (tag) =>
    worker.evaluate(async (tag) => {
      const asked = [];
      const kept = { openWindow: clients.openWindow, focus: WindowClient.prototype.focus };
      clients.openWindow = async (url) => void asked.push(url);
      WindowClient.prototype.focus = async function () {
        asked.push("focus");
        return this;
      };
      const [notification] = await registration.getNotifications({ tag });
      const event = new NotificationEvent("notificationclick", { notification });
      const promises = [];
      event.waitUntil = (promise) => void promises.push(promise);
      dispatchEvent(event);
      await Promise.all(promises);
      Object.assign(clients, { openWindow: kept.openWindow });
      WindowClient.prototype.focus = kept.focus;
      const left = await registration.getNotifications({ tag });
      return { asked, left: left.length };
    }, tag);
  const tools = await context.newCDPSession(bob.page);
  const registered = new Promise((resolve) => {
    tools.on("ServiceWorker.workerRegistrationUpdated", ({ registrations }) => registrations[0] && resolve(registrations[0].registrationId));
  });
  await tools.send("ServiceWorker.enable");
  const registrationId = await registered;
  const push = (said) => tools.send("ServiceWorker.deliverPushMessage", { origin, registrationId, data: JSON.stringify(said) });
  const shown = (tag) => worker.evaluate(async (tag) => (await registration.getNotifications({ tag })).length, tag);

  const here = { type: "MESSAGE", roomId, messageId: "msg_9", seq: 1, badge: 1, author: "Ann Archer", body: "Here?" };
  await push(here);
  await until("the notification", () => shown(roomId), 1);
  assert.deepEqual(await click(roomId), { asked: ["focus"], left: 0 });
  await bob.field.waitFor();
  await until("the room", () => bob.texts(), ["Here?"]);
  assert.equal(new URL(bob.page.url()).hash, `#/rooms/${encodeURIComponent(roomId)}`);
  await until("it to be read", () => bob.page.title(), "Parlor");

  // No page of the app is open: the browser is asked for a new one, which shows the room.
  const app = bob.page.url();
  await bob.page.goto("about:blank");
  // Under another tag: the browser may still be about to take away what was clicked on, and does so by its tag.
  await worker.evaluate((roomId) => registration.showNotification("Ann Archer", { tag: "another", data: { roomId } }), roomId);
  await until("the notification", () => shown("another"), 1);
  const { asked, left } = await click("another");
  assert.deepEqual({ asked, left }, { asked: [`${origin}/#/rooms/${encodeURIComponent(roomId)}`], left: 0 });
  assert.equal(asked[0], app);
  await bob.page.goto(asked[0]);
  await until("the room", () => bob.texts(), ["Here?"]);
  await bob.page.goto(`${origin}/`);
  await bob.room(/Ann Archer/).waitFor();
});

test("the title and the icon show the badge that the server counts", { timeout: 4 * LIMIT_MS }, async () => {
  await bob.page.evaluate(() => {
    navigator.setAppBadge = async (count) => void (window.badge = count);
  });
  await ann.say("One");
  await ann.say("Two");
  await until("the title", () => bob.page.title(), "(2) Parlor");
  await until("the icon", () => bob.page.evaluate(() => window.badge), 2);
  await bob.enter(/Ann Archer/);
  await until("the title", () => bob.page.title(), "Parlor");
  await until("the icon", () => bob.page.evaluate(() => window.badge), 0);
  assert.equal(await bob.page.getByRole("button", { name: "Turn on notifications" }).count(), 0, "it was agreed to");
  assert.equal(await ann.page.getByRole("button", { name: "Turn on notifications" }).count(), 1);
});
