import { expect, test } from "vitest";
import { MAX_FILES, Uploads, type Progress } from "../src/files/uploads";
import type { Failure } from "../src/graphql/failure";
import { settled } from "./harness";

interface Sending extends Progress {
  name: string;
  end: (outcome: { id: string } | { failed: Failure }) => Promise<void>;
}

/** Uploads, and a server that answers when the test lets it. */
function start() {
  const sending: Sending[] = [];
  const waits: (() => void)[] = [];
  let count = 0;
  const uploads = new Uploads({
    send: (file, progress) =>
      new Promise((resolve) => {
        const end: Sending["end"] = async (outcome) => {
          resolve(outcome);
          await settled();
        };
        sending.push({ ...progress, name: file.name, end });
      }),
    wait: () => new Promise((resolve) => waits.push(resolve)),
    newKey: () => `key${String((count += 1))}`,
  });
  const states = () => uploads.all().map(({ file, state }) => `${file.name} ${state}`);
  return { uploads, sending, waits, states };
}

const files = (...names: string[]) => names.map((name) => new File([name], name));
const LOST = { failed: { code: "NETWORK", message: "no answer" } };
const REFUSED = { failed: { code: "BAD_USER_INPUT", message: "a file may have at most 5 bytes" } };

test("three files are sent at a time, and the next when one is there", async () => {
  const { uploads, sending, states } = start();
  uploads.add("r1", files("a", "b", "c", "d"));
  expect(states()).toEqual(["a sending", "b sending", "c sending", "d waiting"]);
  sending[0]?.sent(0.5);
  expect(uploads.all()[0]?.progress).toBe(0.5);
  await sending[0]?.end({ id: "attachment_a" });
  expect(states()).toEqual(["a ready", "b sending", "c sending", "d sending"]);
  expect(uploads.take("r2")).toEqual([]);
  expect(uploads.take("r1")).toEqual([{ id: "attachment_a", name: "a", size: 1 }]);
  expect(states()).toEqual(["b sending", "c sending", "d sending"]);
});

test("a lost connection is waited for, and what is refused isn't sent again by itself", async () => {
  const { uploads, sending, waits, states } = start();
  uploads.add("r1", files("a", "b"));
  await sending[0]?.end(LOST);
  await sending[1]?.end(REFUSED);
  expect(states()).toEqual(["a waiting", "b failed"]);
  waits[0]?.();
  await settled();
  expect(sending.map(({ name }) => name)).toEqual(["a", "b", "a"]);
  await sending[2]?.end({ id: "attachment_a" });
  uploads.retry("key2");
  await settled();
  expect(states()).toEqual(["a ready", "b sending"]);
});

test("what is cancelled is no longer sent, and is gone whatever the server says then", async () => {
  const { uploads, sending, states } = start();
  uploads.add("r1", files("a"));
  uploads.cancel("key1");
  expect(sending[0]?.signal.aborted).toBe(true);
  expect(states()).toEqual([]);
  await sending[0]?.end({ id: "attachment_a" });
  expect(states()).toEqual([]);
});

test("a message has so many files at most, each room's for itself", () => {
  const { uploads } = start();
  const names = Array.from({ length: MAX_FILES + 2 }, (_, n) => String(n));
  expect(uploads.add("r1", files(...names))).toBe(2);
  expect(uploads.add("r2", files("a"))).toBe(0);
  expect(uploads.all()).toHaveLength(MAX_FILES + 1);
});
