import { expect, test, vi } from "vitest";
import { Connection } from "../src/sync/connection";
import { ShownPresence } from "../src/sync/presence";
import { Sync } from "../src/sync/sync";
import { Typing } from "../src/sync/typing";
import { ANN, edge, message, person, room, roomsPage, settled, startClient } from "./harness";

const R1 = { __typename: "Room", id: "r1" };

async function start() {
  const server = startClient({
    Start: () => ({
      syncCursor: "c0",
      me: person(ANN),
      rooms: roomsPage([room("r1", message("r1", 3, "user_bob"))]),
    }),
    RoomSummary: ({ id }) => ({ room: room(String(id), message(String(id), 9, "user_bob")) }),
    Presences: ({ ids }) => ({ nodes: (ids as string[]).map(person) }),
  });
  const parts = {
    client: server.client,
    viewerId: ANN,
    connection: new Connection(),
    typing: new Typing(),
    presence: new ShownPresence(),
    patience: { wait: () => Promise.resolve() },
    posted: vi.fn(),
    resync: vi.fn(),
  };
  const sync = new Sync(parts);
  await sync.start(() => undefined);
  server.asked.length = 0;
  return { ...server, ...parts, sync };
}

const posted = (roomId: string, seq: number, authorId: string) => ({
  __typename: "MessagePosted",
  authorMember: null,
  messageEdge: edge(message(roomId, seq, authorId)),
});

test("begins at the cursor that was read together with the first screen", async () => {
  const app = await start();
  expect(app.subscribedAfter()).toBe("c0");
});

test("when everything that was missed has come, it is live, nobody is typing, and presence is fetched", async () => {
  const app = await start();
  app.presence.show("user_bob");
  app.typing.set("r1", { id: "user_bob", displayName: "Bob" }, true);
  await app.comes({ __typename: "Synced" });
  expect(app.connection.state).toBe("live");
  expect(app.typing.in("r1")).toEqual([]);
  expect(app.asked).toEqual(["Presences"]);
});

test("a message of a known room costs no request, one of an unknown room fetches the room", async () => {
  const app = await start();
  await app.comes(posted("r1", 4, "user_bob"));
  expect(app.asked).toEqual([]);
  await app.comes(posted("unknown", 4, "user_bob"));
  expect(app.asked).toEqual(["RoomSummary"]);
});

test("an own message leaves the outbox, and ends its author's typing", async () => {
  const app = await start();
  app.typing.set("r1", { id: "user_bob", displayName: "Bob" }, true);
  await app.comes(posted("r1", 4, ANN));
  expect(app.posted).toHaveBeenCalledWith("client_4");
  await app.comes(posted("r1", 5, "user_bob"));
  expect(app.posted).toHaveBeenCalledOnce();
  expect(app.typing.in("r1")).toEqual([]);
});

test("a room is fetched when what changed can't be told from the event", async () => {
  const app = await start();
  for (const typename of ["RoomGap", "RoomJoined", "MemberJoined", "MemberLeft"]) {
    app.asked.length = 0;
    await app.comes({ __typename: typename, room: R1, userId: "user_bob" });
    expect(app.asked, typename).toEqual(["RoomSummary"]);
  }
});

test("ResyncRequired begins anew", async () => {
  const app = await start();
  await app.comes({ __typename: "ResyncRequired" });
  expect(app.resync).toHaveBeenCalledOnce();
});

test("an event of a later server is passed over", async () => {
  const app = await start();
  await app.comes({ __typename: "RoomPainted" });
  await app.comes({ __typename: "Synced" });
  expect(app.connection.state).toBe("live");
});

test("a subscription that was refused begins anew, one that was ended on purpose doesn't", async () => {
  const app = await start();
  app.refuse();
  await settled();
  expect(app.resync).toHaveBeenCalledOnce();
  const other = await start();
  other.sync.end();
  other.refuse();
  await settled();
  expect(other.resync).not.toHaveBeenCalled();
});

test("an event that is given to the cache again has no second effect", async () => {
  const app = await start();
  const release = app.hold("RoomSummary");
  await app.comes({ __typename: "RoomGap", room: R1 });
  await app.comes(posted("r1", 10, ANN));
  release();
  await settled();
  expect(app.posted).toHaveBeenCalledOnce();
  // Once for the gap, and once because of the message.
  expect(app.asked).toEqual(["RoomSummary", "RoomSummary"]);
});

test("a room in which something happens while it is fetched is fetched once more", async () => {
  const app = await start();
  const release = app.hold("RoomSummary");
  await app.comes({ __typename: "RoomJoined", room: { __typename: "Room", id: "new" } });
  await app.comes(posted("new", 1, "user_bob"));
  await app.comes(posted("new", 2, "user_bob"));
  expect(app.asked).toEqual(["RoomSummary"]);
  release();
  await settled();
  expect(app.asked).toEqual(["RoomSummary", "RoomSummary"]);
});
