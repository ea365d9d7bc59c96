/** What the caches need of each event. Add to `Message`, `Room` and `User` what your app shows of them. */
export const EVENTS = `
  subscription Events {
    events {
      __typename
      cursor
      ... on MessagePosted { message { ...MessageOfEvent } }
      ... on MessageEdited { message { ...MessageOfEvent } }
      ... on MessageDeleted { message { ...MessageOfEvent reactions { emoji count } } }
      ... on ReactionsChanged { message { id room { id } reactions { emoji count } } changes { userId emoji on } }
      ... on RoomJoined { room { id } }
      ... on RoomLeft { roomId }
      ... on MemberJoined { room { id } userId }
      ... on MemberLeft { room { id } userId formerMember: user { id } }
      ... on MembersJoined { room { id } }
      ... on MemberChanged { room { ...RoomOfEvent } userId member { id role } }
      ... on ReadMarksMoved { room { ...RoomOfEvent } }
      ... on RoomMuted { room { ...RoomOfEvent } }
      ... on RoomViewerChanged { room { ...RoomOfEvent } }
      ... on PinsChanged { message { id } room { id pinnedMessages { message { id } pinnedAt } } }
      ... on PresenceChanged { user { id presence { online lastSeenAt } } }
      ... on UserChanged { user { id displayName avatarUrl } }
      ... on BlocksChanged { userId blocked }
      ... on InviteReceived { invite { id } }
      ... on InviteClosed { inviteId }
      ... on TypingChanged { room { id } user { id } isTyping }
      ... on RoomGap { room { id } fromSeq toSeq }
      ... on ResyncRequired { reason }
    }
  }
  fragment MessageOfEvent on Message {
    id seq type body clientId createdAt editedAt deletedAt
    author { id username displayName }
    room { ...RoomOfEvent }
  }
  fragment RoomOfEvent on Room {
    id lastActivityAt
    lastMessage { id body deletedAt }
    viewer { lastReadSeq unreadCount muted }
  }
`;
