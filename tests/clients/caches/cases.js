/** After each kind of event, what a cache shows is what a fresh fetch answers. */
import assert from "node:assert/strict";
import WebSocket from "ws";
import { deviceOf } from "../harness/device.js";
import { startParlor } from "../harness/parlor.js";
import { signUpAll } from "../harness/people.js";
import { startProxy } from "../harness/proxy.js";
import { until } from "../harness/until.js";
import { createSocket } from "../snippets/socket.js";
import { EVENTS } from "../snippets/events.js";

const MEMBER = "lastReadSeq joinedAt user { id displayName presence { online lastSeenAt } }";
const MESSAGE = `id seq body editedAt deletedAt author { id displayName } readBy { readAt user { id } } reactions { emoji count }`;
const ROOM = `id lastActivityAt initiator { id } lastMessage { ${MESSAGE} } viewer { lastReadSeq unreadCount muted }`;

/** What the app watches. */
const watched = (rooms) => ({
  rooms: [`query Rooms { rooms(first: 50) { nodes { ${ROOM} } pageInfo { hasNextPage } } }`, {}],
  ...Object.fromEntries(
    rooms.map((room, number) => [
      `room ${number}`,
      [
        `query Room${number}($room: ID!) { room(id: $room) {
          ${ROOM}
          members(first: 50) { nodes { ${MEMBER} } }
          messages(last: 10) { edges { cursor node { ${MESSAGE} } } pageInfo { hasPreviousPage hasNextPage startCursor endCursor } }
        } }`,
        { room },
      ],
    ]),
  ),
});

/**
 * @param result the cache's row
 * @param {(context: { server, device, socket }) => { watch, subscribe, stop }} start starts a client; `watch(query,
 *   variables)` answers a function that says what is shown now, `subscribe(document, after, seen)` follows events
 */
export async function cacheCases(result, start) {
  const server = await startParlor();
  const elsewhere = await startParlor({ PARLOR_TOKEN_SECRET: "the secret of another deployment altogether" });
  const proxy = await startProxy(server);
  const [ann, bob, cay, dan] = await signUpAll(server, "ann", "bob", "cay", "dan");
  const [stranger] = await signUpAll(elsewhere, "stranger");
  const [two, three, leaving, four] = [await ann.open(bob), await ann.open(bob, cay), await cay.open(bob), await ann.open(bob, cay, dan)];
  const edited = await ann.post(two, "to be edited");
  const deleted = await ann.post(two, "to be deleted");
  await dan.post(four, "from somebody who goes");
  const first = await ann.post(three, "to be reacted to");
  const react = (person, { id }, emoji, on = true) => person.ask("mutation ($id: ID!, $emoji: String!, $on: Boolean!) { setReaction(messageId: $id, emoji: $emoji, on: $on) { message { id } } }", { id, emoji, on });
  const mark = (person, room, seq) => person.ask("mutation ($room: ID!, $seq: Int!) { markRead(roomId: $room, seq: $seq) { room { id } } }", { room, seq });

  const device = deviceOf(bob);
  const socket = createSocket({ url: proxy.socketUrl, session: device.session, webSocketImpl: WebSocket });
  const queries = watched([two, three, leaving, four]);
  const client = await start({ server, device, socket });
  const shown = Object.fromEntries(Object.entries(queries).map(([name, query]) => [name, client.watch(...query)]));
  const kinds = [];
  const seen = (event) => kinds.push(event.__typename);
  const after = await bob.syncCursor();
  let stop = client.subscribe(EVENTS, after, seen);

  const isFresh = async (what) => {
    const differing = {};
    await until(
      `what is shown to be what a fetch answers after ${what}`,
      async () => {
        for (const [name, [query, variables]] of Object.entries(queries)) {
          const fresh = await bob.ask(query, variables);
          const now = plain(shown[name]());
          try {
            assert.deepEqual(now, fresh);
            delete differing[name];
          } catch (error) {
            differing[name] = error.message;
          }
        }
        return Object.keys(differing).length === 0;
      },
      () => differing,
      15_000,
    );
  };
  const comes = async (kind, act) => {
    const before = kinds.length;
    await act();
    await until(`${kind} to come`, () => kinds.slice(before).includes(kind), () => kinds.slice(before));
    await isFresh(kind);
  };
  const away = async (act) => {
    proxy.refuse();
    await act();
    proxy.accept();
  };

  let group;
  let invite;
  const steps = [
    ["MessagePosted", () => ann.post(two, "by another")],
    ["MessagePosted", () => bob.post(three, "by the viewer, elsewhere")],
    ["MessageEdited", () => ann.ask("mutation ($id: ID!) { editMessage(messageId: $id, body: \"edited\") { message { id } } }", { id: edited.id })],
    ["ReactionsChanged", () => react(cay, first, "👍")],
    ["ReactionsChanged", () => react(bob, deleted, "👍")],
    ["ReactionsChanged", () => react(ann, deleted, "🎉")],
    ["ReactionsChanged", () => react(ann, deleted, "🎉", false)],
    ["MessageDeleted", () => ann.ask("mutation ($id: ID!) { deleteMessage(messageId: $id) { message { id } } }", { id: deleted.id })],
    ["ReadMarksMoved", () => mark(bob, two, 3)],
    ["ReadMarksMoved", () => mark(cay, three, 1)],
    ["RoomMuted", () => bob.ask("mutation ($room: ID!) { muteRoom(roomId: $room, muted: true) { room { id } } }", { room: two })],
    ["PinsChanged", () => ann.ask("mutation ($id: ID!) { pinMessage(messageId: $id) { room { id } } }", { id: edited.id })],
    ["RoomViewerChanged", () => bob.ask("mutation ($id: ID!) { markUnread(messageId: $id) { room { id } } }", { id: edited.id })],
    ["MemberLeft", () => cay.ask("mutation ($room: ID!) { leaveRoom(roomId: $room) { roomId } }", { room: three })],
    ["MemberJoined", () => cay.open(ann, bob)],
    ["RoomLeft", () => bob.ask("mutation ($room: ID!) { leaveRoom(roomId: $room) { roomId } }", { room: leaving })],
    ["RoomJoined", () => bob.open(cay)],
    ["RoomJoined", () => dan.open(bob)],
    ["RoomLeft", () => cay.ask("mutation ($room: ID!) { deleteRoom(roomId: $room) { roomId } }", { room: leaving })],
    ["RoomJoined", async () => {
      const made = await ann.ask("mutation ($bob: ID!) { createRoom(input: { members: [{ userId: $bob }] }) { room { id } } }", { bob: bob.id });
      group = made.createRoom.room.id;
    }],
    ["MembersJoined", () => ann.ask("mutation ($room: ID!, $cay: ID!) { addMembers(roomId: $room, userIds: [$cay]) { added { id } } }", { room: group, cay: cay.id })],
    ["MemberChanged", () => ann.ask("mutation ($room: ID!, $bob: ID!) { setMemberRole(roomId: $room, userId: $bob, role: MODERATOR) { room { id } } }", { room: group, bob: bob.id })],
    ["MemberLeft", () => ann.ask("mutation ($room: ID!, $cay: ID!) { banMember(roomId: $room, userId: $cay) { userId } }", { room: group, cay: cay.id })],
    ["MemberChanged", () => ann.ask("mutation ($room: ID!, $bob: ID!) { setMemberRole(roomId: $room, userId: $bob, role: MEMBER) { room { id } } }", { room: group, bob: bob.id })],
    ["RoomLeft", () => ann.ask("mutation ($room: ID!, $bob: ID!) { removeMember(roomId: $room, userId: $bob) { userId } }", { room: group, bob: bob.id })],
    ["TypingChanged", () => ann.ask("mutation ($room: ID!) { setTyping(roomId: $room) { roomId } }", { room: two })],
    ["PresenceChanged", () => ann.comeOnline()],
    ["UserChanged", () => ann.ask('mutation { updateProfile(displayName: "Ann the Second") { user { id } } }')],
    ["BlocksChanged", () => bob.ask("mutation ($user: ID!) { blockUser(userId: $user) { blocked } }", { user: cay.id })],
    ["BlocksChanged", () => bob.ask("mutation ($user: ID!) { blockUser(userId: $user, blocked: false) { blocked } }", { user: cay.id })],
    ["InviteReceived", async () => {
      const { createRoom } = await ann.ask('mutation { createRoom(input: { name: "Club" }) { room { id } } }');
      const variables = { room: createRoom.room.id, user: bob.id };
      const { createInvite } = await ann.ask("mutation ($room: ID!, $user: ID!) { createInvite(roomId: $room, userId: $user) { invite { id } } }", variables);
      invite = createInvite.invite.id;
    }],
    ["InviteClosed", () => bob.ask("mutation ($id: ID!) { closeInvite(inviteId: $id) { inviteId } }", { id: invite })],
    ["PresenceChanged", () => ann.goOffline()],
    ["MemberLeft", () => dan.ask("mutation { deleteAccount { userId } }")],
    ["Synced", () => away(() => cay.comeOnline())],
    ["RoomGap", () => away(async () => {
      for (let number = 0; number < 130; number += 1) await ann.post(two, `missed ${number}`);
    })],
    ["ResyncRequired", async () => {
      stop();
      stop = client.subscribe(EVENTS, await stranger.syncCursor(), seen);
    }],
  ];
  const name = "after every kind of event, what is shown is what a fetch answers";
  result.notes(name, name, async (context) => {
    await until("the beginning", () => kinds.includes("Synced"), () => kinds);
    await isFresh("the beginning");
    for (const [number, [kind, act]] of steps.entries()) {
      await context.test(`${number + 1}: ${kind}`, () => comes(kind, act));
    }
    stop();
    client.stop();
    for (const person of [ann, cay]) person.goOffline();
    await socket.dispose();
  });
}

/** Without `__typename`, which clients add, and without what they add otherwise. */
function plain(value) {
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).filter(([name]) => name !== "__typename").map(([name, of]) => [name, plain(of)]));
}
