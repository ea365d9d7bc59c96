import { expect, test } from "vitest";
import { lock } from "../src/session/lock";
import { Outbox, type Outcome, type Unsent } from "../src/outbox/outbox";
import { MemoryStorage } from "./storage";
import { settled } from "./harness";

const REFUSED = { failed: { code: "BAD_USER_INPUT", message: "must not be empty" } };

/** An outbox, and a server that answers what `answer` says. Waits end when the test lets them. */
function start(storage = new MemoryStorage(), answer: (message: Unsent) => Outcome = () => "sent") {
  const sent: string[] = [];
  const waits: { ms: number | undefined; end: () => void }[] = [];
  let count = 0;
  let reply = answer;
  const wait = (ms?: number) =>
    new Promise<void>((resolve) => {
      waits.push({ ms, end: resolve });
    });
  const outbox = new Outbox({
    storage,
    userId: "user_ann",
    send: (message) => {
      sent.push(`${message.clientId} ${message.body}`);
      return Promise.resolve(reply(message));
    },
    wait: () => wait(),
    sleep: wait,
    lock: (name, task) => lock(`${storage.id} ${name}`, task),
    newId: () => `id${String((count += 1))}`,
    now: () => new Date(0),
  });
  return {
    outbox,
    storage,
    sent,
    waits,
    answers: (next: (message: Unsent) => Outcome) => {
      reply = next;
    },
    bodies: () => outbox.entries().map(({ body }) => body),
  };
}

test("messages are sent in order, one at a time, and forgotten when they are posted", async () => {
  const { outbox, sent, bodies } = start();
  outbox.add("r1", "one");
  outbox.add("r2", "two");
  outbox.add("r1", "three");
  expect(bodies()).toEqual(["one", "two", "three"]);
  await settled();
  expect(sent).toEqual(["id1 one", "id2 two", "id3 three"]);
  expect(bodies()).toEqual([]);
});

test("what couldn't be sent is sent again under the same clientId, before what came after it", async () => {
  const { outbox, sent, waits, answers } = start(undefined, () => ({ againAfterMs: undefined }));
  outbox.add("r1", "one");
  await settled();
  outbox.add("r1", "two");
  await settled();
  expect(sent).toEqual(["id1 one"]);
  answers(() => "sent");
  waits[0]?.end();
  await settled();
  expect(sent).toEqual(["id1 one", "id1 one", "id2 two"]);
});

test("after RATE_LIMITED it waits as long as the server says", async () => {
  const { outbox, waits } = start(undefined, () => ({ againAfterMs: 750 }));
  outbox.add("r1", "one");
  await settled();
  expect(waits.map(({ ms }) => ms)).toEqual([750]);
});

test("a page that is loaded again sends what the one before it kept", async () => {
  const before = start(undefined, () => ({ againAfterMs: undefined }));
  before.outbox.add("r1", "one");
  await settled();
  before.outbox.end();
  before.waits[0]?.end();
  await settled();
  const after = start(before.storage);
  await after.outbox.send();
  expect(after.sent).toEqual(["id1 one"]);
  expect(after.bodies()).toEqual([]);
});

test("a message that is refused lets the others pass, and waits for the user", async () => {
  const { outbox, sent, bodies, answers } = start(undefined, ({ body }) =>
    body === "bad" ? REFUSED : "sent",
  );
  outbox.add("r1", "bad");
  outbox.add("r1", "good");
  await settled();
  expect(sent).toEqual(["id1 bad", "id2 good"]);
  expect(outbox.entries()[0]?.failure?.code).toBe("BAD_USER_INPUT");
  answers(() => "sent");
  outbox.retry("id1");
  await settled();
  expect(sent.at(-1)).toBe("id1 bad");
  expect(bodies()).toEqual([]);
});

test("a message whose event came before its answer isn't sent again", async () => {
  const { outbox, sent, waits } = start(undefined, () => ({ againAfterMs: undefined }));
  outbox.add("r1", "one");
  await settled();
  outbox.remove("id1");
  waits[0]?.end();
  await settled();
  expect(sent).toEqual(["id1 one"]);
});

test("two tabs send a message once", async () => {
  const storage = new MemoryStorage();
  const tabs = [start(storage), start(storage)];
  tabs[0]?.outbox.add("r1", "one");
  void tabs[1]?.outbox.send();
  await settled();
  expect(tabs.flatMap(({ sent }) => sent)).toEqual(["id1 one"]);
});

test("what is no list in the storage counts as empty", () => {
  const storage = new MemoryStorage();
  for (const text of ["{", "null", '{"a":1}', '"text"']) {
    storage.setItem("parlor-outbox-user_ann", text);
    expect(start(storage).outbox.entries()).toEqual([]);
  }
});
