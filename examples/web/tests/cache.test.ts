import { describe, expect, test } from "vitest";
import {
  ConversationDocument,
  InitiateChatDocument,
  OlderMessagesDocument,
  PostMessageDocument,
  RoomsDocument,
  RoomSummaryDocument,
} from "../src/gql/graphql";
import { MEMBERS_MAX, MESSAGES_PAGE, ROOMS_PAGE } from "../src/pages";
import { ANN, conversation, edge, message, room, roomsPage, settled, startClient } from "./harness";

const FIRST = { first: ROOMS_PAGE };
const OPEN = { id: "r1", last: MESSAGES_PAGE, members: MEMBERS_MAX };

const posted = (of: string, seq: number, authorId = "user_bob") => ({
  __typename: "MessagePosted",
  authorMember: { __typename: "RoomMember", id: `member_${of}_${authorId}`, lastReadSeq: seq },
  messageEdge: edge(message(of, seq, authorId)),
});

async function start(...seqs: number[]) {
  const last = seqs.at(-1);
  const r1 = room("r1", last === undefined ? null : message("r1", last, "user_bob"));
  const r2 = room("r2", message("r2", 3, "user_bob"));
  const server = startClient({
    Rooms: ({ after }) => ({
      rooms:
        after === undefined ? roomsPage([r1, r2], "more") : roomsPage([room("r3", message("r3", 1, ANN))]),
    }),
    RoomSummary: ({ id }) => ({ room: room(String(id), message(String(id), 9, "user_bob")) }),
    Conversation: ({ id }) => (id === "r1" ? conversation(r1, seqs) : conversation(r2, [1, 2, 3])),
    OlderMessages: () => conversation(r1, [1, 2, 3]),
    InitiateChat: () => ({
      initiateChat: { __typename: "InitiateChatPayload", room: room("new", null) },
    }),
    PostMessage: ({ body }) => ({
      postMessage: {
        __typename: "PostMessagePayload",
        messageEdge: edge({ ...message("r1", 8, ANN), body: String(body) }),
      },
    }),
  });
  server.follow();
  const rooms = server.watch(RoomsDocument, FIRST);
  const open = server.watch(ConversationDocument, OPEN);
  await settled();
  server.asked.length = 0;
  return {
    ...server,
    rooms: () => rooms.data?.rooms.nodes.map(({ id }) => id),
    unread: (id: string) => rooms.data?.rooms.nodes.find((node) => node.id === id)?.viewer.unreadCount,
    mentions: (id: string) =>
      rooms.data?.rooms.nodes.find((node) => node.id === id)?.viewer.unreadMentionCount,
    unreadFrom: () => open.data?.room?.viewer.unreadFromSeq,
    pins: () => open.data?.room?.pinnedMessages.map(({ message: { seq } }) => seq),
    seqs: () => open.data?.room?.messages.edges.map(({ node }) => node.seq),
    bodies: () => open.data?.room?.messages.edges.map(({ node }) => node.body),
    /** Of a message: all kinds of reactions, and the viewer's own. */
    reactions: (seq: number) => {
      const found = open.data?.room?.messages.edges.find(({ node }) => node.seq === seq)?.node;
      return found && [found.reactions.map(({ emoji }) => emoji), found.viewer.reactions];
    },
    marks: () => open.data?.room?.everybody.nodes.map(({ lastReadSeq }) => lastReadSeq),
    isOpen: () => open.data?.room !== null,
  };
}

describe("messages", () => {
  test("a posted message comes to the end of the conversation, and its room to the top", async () => {
    const app = await start(6, 7);
    await app.comes(posted("r2", 7));
    expect(app.rooms()).toEqual(["r2", "r1"]);
    await app.comes(posted("r1", 8));
    expect(app.seqs()).toEqual([6, 7, 8]);
    expect(app.rooms()).toEqual(["r1", "r2"]);
    expect(app.marks()).toEqual([0, 8]);
    await settled();
    expect(app.asked).toEqual([]);
  });

  test("an event that comes twice changes nothing the second time", async () => {
    const app = await start(6, 7);
    await app.comes(posted("r1", 8));
    await app.comes(posted("r1", 8));
    expect(app.seqs()).toEqual([6, 7, 8]);
    expect(app.unread("r1")).toBe(1);
  });

  test("an own message is there once, whether the answer or the event comes first", async () => {
    for (const answerFirst of [true, false]) {
      const app = await start(6, 7);
      const post = () =>
        app.client
          .mutation(PostMessageDocument, { roomId: "r1", body: "mine", clientId: "client_8" })
          .toPromise();
      if (answerFirst) await post();
      await app.comes({
        ...posted("r1", 8, ANN),
        messageEdge: edge({ ...message("r1", 8, ANN), body: "mine" }),
      });
      if (!answerFirst) await post();
      await settled();
      expect(app.bodies()).toEqual(["text 6", "text 7", "mine"]);
      expect(app.unread("r1")).toBe(0);
    }
  });

  test("what comes before a hole is not shown until the hole is filled", async () => {
    const app = await start(4, 5);
    await app.comes(posted("r1", 7));
    expect(app.seqs()).toEqual([7]);
    await app.comes(posted("r1", 6));
    expect(app.seqs()).toEqual([4, 5, 6, 7]);
  });

  test("an older page comes before the others", async () => {
    const app = await start(4, 5);
    await app.client
      .query(OlderMessagesDocument, { id: "r1", last: MESSAGES_PAGE, before: "edge_4" })
      .toPromise();
    await settled();
    expect(app.seqs()).toEqual([1, 2, 3, 4, 5]);
  });

  test("a message that was edited or deleted changes in its place", async () => {
    const app = await start(6, 7);
    const edited = { ...message("r1", 6, "user_bob"), body: "new", editedAt: "2025-02-01T00:00:00Z" };
    await app.comes({ __typename: "MessageEdited", message: edited });
    expect(app.bodies()).toEqual(["new", "text 7"]);
    await app.comes({
      __typename: "MessageDeleted",
      message: { ...edited, body: "", deletedAt: "2025-02-02T00:00:00Z" },
    });
    expect(app.bodies()).toEqual(["", "text 7"]);
  });

  test("an answer that was on its way when an event came doesn't undo it", async () => {
    const app = await start(6, 7);
    const release = app.hold("Conversation");
    const late = app.client.query(ConversationDocument, OPEN, { requestPolicy: "network-only" }).toPromise();
    await settled();
    await app.comes(posted("r1", 8));
    release();
    await late;
    await settled();
    expect(app.seqs()).toEqual([6, 7, 8]);
    expect(app.unread("r1")).toBe(1);
  });

  test("a message that comes while its conversation is fetched for the first time is in it", async () => {
    const app = await start(6, 7);
    const release = app.hold("Conversation");
    const opened = app.watch(ConversationDocument, { ...OPEN, id: "r2" });
    await settled();
    await app.comes(posted("r2", 4));
    release();
    await settled();
    expect(opened.data?.room?.messages.edges.map(({ node }) => node.seq)).toEqual([1, 2, 3, 4]);
  });

  test("a conversation that is opened after a message came is fetched", async () => {
    const app = await start(6, 7);
    await app.comes(posted("r2", 4));
    const opened = app.watch(ConversationDocument, { ...OPEN, id: "r2" });
    await settled();
    expect(app.asked).toEqual(["Conversation"]);
    expect(opened.data?.room?.messages.edges.map(({ node }) => node.seq)).toEqual([1, 2, 3]);
  });

  test("after a gap the conversation begins anew with the newest page", async () => {
    const app = await start(6, 7);
    await app.comes({ __typename: "RoomGap", room: { __typename: "Room", id: "r1" } });
    await settled();
    expect(app.asked).toContain("Conversation");
    expect(app.seqs()).toEqual([6, 7]);
  });
});

describe("reactions", () => {
  const reacted = (changes: { emoji: string; on: boolean; userId: string }[]) => ({
    __typename: "ReactionsChanged",
    message: {
      ...message("r1", 7, "user_bob"),
      reactions: changes
        .filter(({ on }) => on)
        .map(({ emoji }) => ({ __typename: "ReactionGroup", emoji, count: 1, users: [] })),
    },
    changes: changes.map((change) => ({ __typename: "ReactionChange", ...change })),
  });

  test("come with the event, and the viewer's own are told from the changes", async () => {
    const app = await start(6, 7);
    const change = { emoji: "👍", on: true };
    await app.comes(
      reacted([
        { ...change, userId: ANN },
        { ...change, emoji: "🎉", userId: "user_bob" },
      ]),
    );
    expect(app.reactions(7)).toEqual([["👍", "🎉"], ["👍"]]);
    await app.comes(reacted([{ ...change, userId: ANN }]));
    expect(app.reactions(7)).toEqual([["👍"], ["👍"]]);
    await app.comes(reacted([{ ...change, on: false, userId: ANN }]));
    expect(app.reactions(7)).toEqual([[], []]);
    expect(app.asked).toEqual([]);
  });

  test("of the viewer's to a message that came by an event are kept when that event comes again", async () => {
    const app = await start(6);
    await app.comes(posted("r1", 7));
    await app.comes(reacted([{ emoji: "👍", on: true, userId: ANN }]));
    await app.comes(posted("r1", 7));
    expect(app.reactions(7)?.[1]).toEqual(["👍"]);
    expect(app.asked).toEqual([]);
  });
});

test("pinned messages come with the event as a list", async () => {
  const app = await start(6, 7);
  const pins = (...seqs: number[]) => ({
    __typename: "PinsChanged",
    message: message("r1", 6, ANN),
    room: {
      __typename: "Room",
      id: "r1",
      pinnedMessages: seqs.map((seq) => ({
        __typename: "PinnedMessage",
        pinnedAt: "2025-01-31T12:00:00Z",
        message: message("r1", seq, "user_bob"),
      })),
    },
  });
  await app.comes(pins(7, 6));
  expect(app.pins()).toEqual([7, 6]);
  await app.comes(pins(6));
  expect(app.pins()).toEqual([6]);
  expect(app.asked).toEqual([]);
});

describe("unread messages", () => {
  test("count messages of others, and none once the viewer has posted or read to the end", async () => {
    const app = await start(6, 7);
    await app.comes(posted("r1", 8));
    await app.comes(posted("r1", 9));
    expect(app.unread("r1")).toBe(2);
    await app.comes(posted("r1", 10, ANN));
    expect(app.unread("r1")).toBe(0);
    await app.comes(posted("r1", 11));
    expect(app.unread("r1")).toBe(1);
    await app.comes({
      __typename: "ReadMarksMoved",
      room: { __typename: "Room", id: "r1" },
      marks: [
        {
          __typename: "ReadMark",
          id: "mark",
          seq: 11,
          user: { __typename: "User", id: ANN },
          member: { __typename: "RoomMember", id: `member_r1_${ANN}`, lastReadSeq: 11 },
        },
      ],
    });
    expect(app.unread("r1")).toBe(0);
    expect(app.marks()).toEqual([11, 11]);
  });

  test("count mentions of the viewer, by name and with everybody, until all is read", async () => {
    const app = await start(6, 7);
    const mentioning = (seq: number, extra: object) => ({
      ...posted("r1", seq),
      messageEdge: edge({ ...message("r1", seq, "user_bob"), ...extra }),
    });
    await app.comes(mentioning(8, { mentions: [{ __typename: "User", id: ANN, displayName: "ann" }] }));
    await app.comes(mentioning(9, { mentionsRoom: true }));
    await app.comes(mentioning(9, { mentionsRoom: true }));
    await app.comes(posted("r1", 10));
    expect([app.unread("r1"), app.mentions("r1")]).toEqual([3, 2]);
    await app.comes(posted("r1", 11, ANN));
    expect([app.unread("r1"), app.mentions("r1")]).toEqual([0, 0]);
    expect(app.asked).toEqual([]);
  });

  test("begin where the viewer has marked them, until the viewer posts", async () => {
    const app = await start(6, 7);
    const viewer = { ...room("r1", null).viewer, lastReadSeq: 7, unreadCount: 2, unreadFromSeq: 6 };
    await app.comes({ __typename: "RoomViewerChanged", room: { __typename: "Room", id: "r1", viewer } });
    expect([app.unread("r1"), app.unreadFrom()]).toEqual([2, 6]);
    await app.comes(posted("r1", 8, ANN));
    expect([app.unread("r1"), app.unreadFrom()]).toEqual([0, null]);
  });

  test("don't count a message that was deleted while the viewer was away", async () => {
    const app = await start(6, 7);
    const tombstone = { ...message("r1", 8, "user_bob"), body: "", deletedAt: "2025-02-02T00:00:00Z" };
    await app.comes({ ...posted("r1", 8), messageEdge: edge(tombstone) });
    expect(app.unread("r1")).toBe(0);
  });
});

describe("rooms", () => {
  test("a room that was opened is in the list", async () => {
    const app = await start(7);
    await app.client
      .mutation(InitiateChatDocument, { userIds: ["user_bob"], type: "CONSUMER_TO_CONSUMER" })
      .toPromise();
    await settled();
    expect(app.rooms()).toContain("new");
  });

  test("a room that the viewer joined is in the list once it is fetched", async () => {
    const app = await start(7);
    await app.comes({ __typename: "RoomJoined", room: { __typename: "Room", id: "joined" } });
    await app.client
      .query(RoomSummaryDocument, { id: "joined" }, { requestPolicy: "network-only" })
      .toPromise();
    await settled();
    expect(app.rooms()).toContain("joined");
  });

  test("further pages come to the end of the list", async () => {
    const app = await start(7);
    await app.client.query(RoomsDocument, { ...FIRST, after: "more" }).toPromise();
    await settled();
    expect(app.rooms()).toEqual(["r1", "r2", "r3"]);
  });

  test("a room that the viewer left is gone, and comes back when the viewer does", async () => {
    const app = await start(7);
    await app.comes({ __typename: "RoomLeft", roomId: "r1" });
    expect(app.rooms()).toEqual(["r2"]);
    expect(app.isOpen()).toBe(false);
    await app.comes({ __typename: "RoomJoined", room: { __typename: "Room", id: "r1" } });
    await app.client.query(RoomSummaryDocument, { id: "r1" }, { requestPolicy: "network-only" }).toPromise();
    await settled();
    expect(app.rooms()).toEqual(["r1", "r2"]);
    expect(app.isOpen()).toBe(true);
  });
});
