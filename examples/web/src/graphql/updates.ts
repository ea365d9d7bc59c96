import { gql } from "@urql/core";
import type { Cache, UpdatesConfig } from "@urql/exchange-graphcache";
import type {
  CreateRoomMutation,
  EventsSubscription,
  InitiateChatMutation,
  LeaveRoomMutation,
  MessagePartsFragment,
  PostMessageMutation,
} from "../gql/graphql";
import { MEMBERS_MAX, MESSAGES_PAGE } from "../pages";
import { touchRooms } from "./lists";

type Event = EventsSubscription["events"];
interface MessageEdge {
  cursor: string;
  node: MessagePartsFragment;
}

/**
 * What an event or a mutation changes besides the objects that it carries, which graphcache writes by itself: texts of
 * messages, read marks, presence and muting need no code here.
 */
export function updatesFor(viewerId: string): UpdatesConfig {
  const changes: UpdatesConfig = {
    Query: {
      rooms: (_, args, cache) => {
        if ("after" in args) touchRooms(cache);
      },
      room: (_, _args, cache) => {
        touchRooms(cache);
      },
    },
    Mutation: {
      postMessage: (result: PostMessageMutation, _, cache) => {
        addMessage(cache, result.postMessage.messageEdge, viewerId);
      },
      initiateChat: (result: InitiateChatMutation, _, cache) => {
        addRoom(cache, result.initiateChat.room);
      },
      createRoom: (result: CreateRoomMutation, _, cache) => {
        addRoom(cache, result.createRoom.room);
      },
      leaveRoom: (result: LeaveRoomMutation, _, cache) => {
        removeRoom(cache, result.leaveRoom.roomId);
      },
    },
    Subscription: {
      events: (result: EventsSubscription, _, cache) => {
        apply(cache, result.events, viewerId);
      },
    },
  };
  return changes;
}

function apply(cache: Cache, event: Event, viewerId: string) {
  switch (event.__typename) {
    case "MessagePosted":
      addMessage(cache, event.messageEdge, viewerId);
      break;
    case "ReactionsChanged":
      for (const { userId, emoji, on } of event.changes) {
        if (userId === viewerId) moveOwnReaction(cache, event.message.id, emoji, on);
      }
      break;
    case "ReadMarksMoved":
      for (const { seq, user } of event.marks) {
        if (user.id === viewerId) moveOwnMark(cache, `Room:${event.room.id}`, seq);
      }
      break;
    case "MemberJoined":
    case "MemberLeft":
      forgetMembers(cache, `Room:${event.room.id}`);
      break;
    case "RoomJoined":
      // What is known of it may be from before the viewer left. `sync` fetches the rest.
      cache.invalidate("Query", "room", { id: event.room.id });
      forgetMembers(cache, `Room:${event.room.id}`);
      forgetMessages(cache, `Room:${event.room.id}`);
      break;
    case "RoomLeft":
      removeRoom(cache, event.roomId);
      break;
    case "RoomGap":
      cache.invalidate(`Room:${event.room.id}`, "pinnedMessages");
      forgetMembers(cache, `Room:${event.room.id}`);
      forgetMessages(cache, `Room:${event.room.id}`);
      break;
    default: // The objects of the event are all that changes, or `sync` acts on it.
      break;
  }
}

/** A fragment that puts a message into the room's messages as a page of its own. */
const PAGE = gql`
  fragment Page on Room {
    id
    messages(fromSeq: $seq, toSeq: $seq) {
      edges {
        cursor
        node {
          id
        }
      }
    }
  }
`;

const OWN_REACTIONS = gql`
  fragment Own on Message {
    id
    viewer {
      reactions
    }
  }
`;

const LATEST = gql`
  fragment Latest on Room {
    id
    lastActivityAt
    lastMessage {
      id
    }
  }
`;

const VIEWER = gql`
  fragment Viewer on RoomViewer {
    id
    lastReadSeq
    unreadCount
    unreadFromSeq
    unreadMentionCount
  }
`;

/** Adds a message, which may have been added already. */
function addMessage(cache: Cache, { cursor, node: message }: MessageEdge, viewerId: string) {
  const { id, seq, createdAt } = message;
  const room = `Room:${message.room.id}`;
  const last = cache.resolve(room, "lastMessage");
  const lastSeq = typeof last === "string" ? Number(cache.resolve(last, "seq")) : 0;
  // A room that the cache doesn't know is fetched as a whole.
  if (typeof cache.resolve(room, "lastActivityAt") !== "string") return;
  const isNew = seq > lastSeq;
  // The event says nothing of the viewer's. What the viewer has done since, later events say.
  if (ownReactions(cache, id) === null) writeOwnReactions(cache, id, []);
  // What comes to a conversation that was never opened is fetched when it is.
  if (cache.resolve(room, "messages", { last: MESSAGES_PAGE })) {
    cache.writeFragment(
      PAGE,
      {
        __typename: "Room",
        id: message.room.id,
        messages: {
          __typename: "MessageConnection",
          edges: [{ __typename: "MessageEdge", cursor, node: { __typename: "Message", id } }],
        },
      },
      { seq },
    );
  }
  if (isNew) {
    cache.writeFragment(LATEST, {
      __typename: "Room",
      id: message.room.id,
      lastActivityAt: createdAt,
      lastMessage: { __typename: "Message", id },
    });
  }
  const viewer = readViewer(cache, room);
  if (message.author?.id === viewerId) {
    // Posting counts as reading.
    moveOwnMark(cache, room, seq);
  } else if (isNew && viewer && seq > viewer.lastReadSeq && message.deletedAt === null) {
    const isMentioned = message.mentionsRoom || message.mentions.some(({ id }) => id === viewerId);
    writeViewer(cache, {
      ...viewer,
      unreadCount: viewer.unreadCount + 1,
      unreadMentionCount: viewer.unreadMentionCount + Number(isMentioned),
    });
  }
}

/** The viewer's reactions to a message; null if the cache doesn't know them. */
function ownReactions(cache: Cache, id: string): readonly string[] | null {
  const message = cache.readFragment(OWN_REACTIONS, { __typename: "Message", id }) as {
    viewer: { reactions: string[] };
  } | null;
  return message?.viewer.reactions ?? null;
}

function writeOwnReactions(cache: Cache, id: string, reactions: readonly string[]) {
  cache.writeFragment(OWN_REACTIONS, {
    __typename: "Message",
    id,
    viewer: { __typename: "MessageViewer", reactions },
  });
}

/** An event says what has changed, and so whether a reaction of the viewer's stands. */
function moveOwnReaction(cache: Cache, id: string, emoji: string, on: boolean) {
  const own = ownReactions(cache, id);
  if (!own) return;
  const others = own.filter((one) => one !== emoji);
  writeOwnReactions(cache, id, on ? [...others, emoji] : others);
}

/** Moves the viewer's own mark. How many are unread is only known if that is none; `sync` fetches it otherwise. */
function moveOwnMark(cache: Cache, room: string, seq: number) {
  const viewer = readViewer(cache, room);
  if (!viewer || seq <= viewer.lastReadSeq) return;
  const last = cache.resolve(room, "lastMessage");
  const isAll = typeof last !== "string" || seq >= Number(cache.resolve(last, "seq"));
  writeViewer(cache, {
    ...viewer,
    lastReadSeq: seq,
    unreadFromSeq: null,
    ...(isAll ? { unreadCount: 0, unreadMentionCount: 0 } : {}),
  });
}

interface Viewer {
  __typename: "RoomViewer";
  id: string;
  lastReadSeq: number;
  unreadCount: number;
  unreadFromSeq: number | null;
  unreadMentionCount: number;
}

function readViewer(cache: Cache, room: string): Viewer | null {
  const viewer = cache.resolve(room, "viewer");
  return typeof viewer === "string" ? (cache.readFragment(VIEWER, viewer) as Viewer | null) : null;
}

function writeViewer(cache: Cache, viewer: Viewer) {
  cache.writeFragment(VIEWER, viewer);
}

function addRoom(cache: Cache, room: InitiateChatMutation["initiateChat"]["room"]) {
  cache.link("Query", "room", { id: room.id }, room);
  touchRooms(cache);
}

function removeRoom(cache: Cache, id: string) {
  cache.link("Query", "room", { id }, null);
  touchRooms(cache);
}

/** Drops the members that an open conversation shows, which fetches them again. `sync` fetches those of the list. */
function forgetMembers(cache: Cache, room: string) {
  cache.invalidate(room, "members", { first: MEMBERS_MAX });
}

/** Drops all messages of a room. An open conversation fetches its newest page again, and older ones when it needs them. */
function forgetMessages(cache: Cache, room: string) {
  for (const { fieldName, arguments: args } of cache.inspectFields(room)) {
    if (fieldName === "messages") cache.invalidate(room, fieldName, args ?? undefined);
  }
}
