import { expect, test } from "vitest";
import { receipts } from "../src/conversation/receipts";
import { timeline, type Line, type ShownMessage } from "../src/conversation/timeline";
import { ANN, message, person } from "./harness";

const BOB = "user_bob";
const OPENED = { readSeq: 9, newestSeq: 9 };

const at = (seq: number, authorId: string, createdAt: string): ShownMessage => ({
  ...message("r1", seq, authorId),
  createdAt,
});

const lines = (
  messages: ShownMessage[],
  opened = OPENED,
  unsent: string[] = [],
  unreadFromSeq: number | null = null,
) =>
  timeline({
    messages,
    unsent: unsent.map((clientId) => ({
      clientId,
      roomId: "r1",
      body: clientId,
      createdAt: "2025-01-31T12:01:00Z",
    })),
    viewerId: ANN,
    unreadFromSeq,
    opened,
  });

const short = (line: Line) => {
  if (line.kind === "day" || line.kind === "unread") return line.kind;
  const { isOwn, isFirst, isLast } = line.place;
  return `${line.kind}${isOwn ? " own" : ""}${isFirst ? " first" : ""}${isLast ? " last" : ""}`;
};

test("bubbles of one author within five minutes are a group, and days are told apart", () => {
  const shown = lines([
    at(1, BOB, "2025-01-30T12:00:00Z"),
    at(2, BOB, "2025-01-31T12:00:00Z"),
    at(3, BOB, "2025-01-31T12:01:00Z"),
    at(4, BOB, "2025-01-31T12:07:00Z"),
    at(5, ANN, "2025-01-31T12:07:01Z"),
  ]);
  expect(shown.map(short)).toEqual([
    "day",
    "message first last",
    "day",
    "message first",
    "message last",
    "message first last",
    "message own first last",
  ]);
});

test("a message that was posted stands for its unsent one, under the same key", () => {
  const posted = { ...message("r1", 1, ANN), clientId: "mine" };
  const before = lines([], OPENED, ["mine"]);
  const after = lines([posted], OPENED, ["mine"]);
  expect(before.map(short)).toEqual(["day", "unsent own first last"]);
  expect(after.map(short)).toEqual(["day", "message own first last"]);
  expect(after[1]?.key).toBe(before[1]?.key);
});

test("another's clientId is no key, since it may equal an own one", () => {
  const keys = lines([
    { ...message("r1", 1, BOB), clientId: "same" },
    { ...message("r1", 2, ANN), clientId: "same" },
  ]).map(({ key }) => key);
  expect(new Set(keys).size).toBe(keys.length);
});

test("what was new when the conversation was opened begins with a line, what comes later doesn't", () => {
  const opened = { readSeq: 1, newestSeq: 2 };
  const messages = [1, 2, 3].map((seq) => message("r1", seq, BOB));
  expect(lines(messages, opened).map(short)).toEqual([
    "day",
    "message first last",
    "unread",
    "message first",
    "message last",
  ]);
  expect(lines(messages, { readSeq: 2, newestSeq: 2 }).map(short)).not.toContain("unread");
});

test("a receipt is below the newest own message that the member has read", () => {
  const messages = [
    message("r1", 1, ANN),
    message("r1", 2, ANN),
    message("r1", 3, BOB),
    message("r1", 4, ANN),
  ];
  const member = (user: string, lastReadSeq: number) => ({ lastReadSeq, user: person(user) });
  expect(
    receipts(messages, [member(ANN, 4), member(BOB, 3), member("user_cay", 4), member("user_dan", 0)], ANN),
  ).toEqual(
    new Map([
      ["msg_r1_2", ["bob"]],
      ["msg_r1_4", ["cay"]],
    ]),
  );
});

test("what was marked as unread begins at the very message, whoever wrote it", () => {
  const messages = [1, 2, 3].map((seq) => at(seq, seq === 2 ? ANN : BOB, "2025-01-31T12:00:00Z"));
  const kinds = lines(messages, OPENED, [], 2).map((line) =>
    line.kind === "unread" ? line.isByHand : line.kind,
  );
  expect(kinds).toEqual(["day", "message", true, "message", "message"]);
});
