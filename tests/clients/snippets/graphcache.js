import { cacheExchange } from "@urql/exchange-graphcache";

const none = () => null;

/** `schema` is the introspected schema; `refetch` fetches everything that is shown anew. */
export function createCache({ schema, refetch }) {
  return cacheExchange({
    schema,
    keys: {
      Presence: none, ReactionChange: none, ReactionGroup: none, ReadMark: none, ReadReceipt: none, RoomMember: none,
      RoomViewer: none, SearchHit: none, TextFragment: none,
    },
    updates: {
      Subscription: {
        events: (result, _, cache) => forget(cache, result.events, refetch),
      },
    },
  });
}

/** Changes the cache as an event says. What is watched and can't be told from the event is fetched again by urql. */
function forget(cache, event, refetch) {
  const drop = (entity, ...fields) => {
    for (const { fieldName, arguments: given } of cache.inspectFields(entity)) {
      if (fields.includes(fieldName)) cache.invalidate(entity, fieldName, given);
    }
  };
  const room = { __typename: "Room", id: event.room?.id ?? event.message?.room.id ?? event.roomId };
  switch (event.__typename) {
    case "MessagePosted":
      drop(room, "messages", "members");
      drop("Query", "rooms"); // which are in the order of their latest activity
      break;
    case "ReadMarksMoved":
      drop(room, "messages", "members", "lastMessage");
      break;
    case "MemberJoined":
    case "MembersJoined":
    case "MemberChanged": // of the viewer it changes what the viewer may do, too
    case "MemberLeft":
      if (event.formerMember === null) cache.invalidate("Message");
      drop(room, "messages", "members", "lastMessage");
      break;
    case "RoomGap":
      cache.invalidate("Message");
      drop(room, "messages", "members", "lastMessage", "lastActivityAt", "viewer");
      drop("Query", "rooms");
      break;
    case "RoomJoined":
    case "RoomLeft":
      cache.invalidate(room);
      drop("Query", "rooms", "room", "node");
      break;
    case "Synced": // presence isn't replayed
      cache.invalidate("User");
      break;
    case "ResyncRequired":
      refetch();
      break;
  }
}
