/** Options of `InMemoryCache`. */
export const cacheOptions = {
  possibleTypes: {
    Event: [
      "MessagePosted", "MessageEdited", "MessageDeleted", "RoomJoined", "RoomLeft", "MemberJoined", "MemberLeft",
      "ReadMarksMoved", "RoomMuted", "RoomUpdated", "PresenceChanged", "UserChanged", "TypingChanged", "Synced",
      "RoomGap", "ResyncRequired", "BlocksChanged", "MembersJoined", "MemberChanged",
      "ReactionsChanged", "InviteReceived", "InviteClosed", "PinsChanged", "RoomViewerChanged",
    ],
    Node: ["Message", "Room", "User"],
  },
  typePolicies: {
    Message: { fields: { reactions: { merge: false } } },
    Room: { fields: { viewer: { merge: true }, pinnedMessages: { merge: false } } },
    Subscription: { fields: { events: { merge: false } } },
    User: { fields: { presence: { merge: true } } },
  },
};

/** Changes the cache as an event says. What is watched and can't be told from the event is fetched again by Apollo. */
export function applyEvent(client, event) {
  if (event.__typename === "ResyncRequired") return client.resetStore();
  client.cache.batch({ update: (cache) => forget(cache, event) });
}

function forget(cache, event) {
  const drop = (id, ...fields) => fields.forEach((fieldName) => cache.evict({ id, fieldName }));
  const all = (typename) => Object.keys(cache.extract()).filter((id) => id.startsWith(`${typename}:`));
  const room = `Room:${event.room?.id ?? event.message?.room.id ?? event.roomId}`;
  switch (event.__typename) {
    case "MessagePosted":
      drop(room, "messages", "members");
      drop("ROOT_QUERY", "rooms"); // which are in the order of their latest activity
      break;
    case "ReadMarksMoved":
      drop(room, "members");
      all("Message").forEach((message) => drop(message, "readBy"));
      break;
    case "MemberJoined":
    case "MembersJoined":
    case "MemberChanged": // of the viewer it changes what the viewer may do, too
    case "MemberLeft":
      if (event.formerMember === null) cache.evict({ id: `User:${event.userId}` });
      drop(room, "members");
      all("Message").forEach((message) => drop(message, "readBy"));
      break;
    case "RoomGap":
      drop(room, "messages", "members", "lastMessage", "lastActivityAt", "viewer");
      drop("ROOT_QUERY", "rooms");
      all("Message").forEach((message) => cache.evict({ id: message }));
      break;
    case "RoomJoined":
    case "RoomLeft":
      cache.evict({ id: room });
      drop("ROOT_QUERY", "rooms", "room", "node");
      break;
    case "InviteReceived":
    case "InviteClosed":
      all("Viewer").forEach((viewer) => drop(viewer, "invites"));
      break;
    case "Synced": // presence isn't replayed
      all("User").forEach((user) => drop(user, "presence"));
      break;
  }
}
