//! The documents that the harness sends. Each selects what [`Message`](super::Message), [`Room`](super::Room) and
//! [`Event`](super::Event) hold.

macro_rules! message {
    () => {
        " fragment message on Message { id seq body clientId createdAt editedAt deletedAt author { id } room { id } mentions { id } mentionsRoom replyToSeq attachments { id name } }"
    };
}

macro_rules! session {
    ($operation:literal) => {
        concat!(
            $operation,
            " { user { id username displayName type } accessToken accessTokenExpiresAt refreshToken } }"
        )
    };
}

macro_rules! events {
    ($room:literal) => {
        concat!(
            "subscription Events($after: Cursor) { events(after: $after) { __typename cursor at
              ... on MessagePosted { message { ...message } }
              ... on MessageEdited { message { ...message } }
              ... on MessageDeleted { message { ...message } }
              ... on ReactionsChanged { message { ...message reactions { emoji count } } changes { userId emoji on } }
              ... on RoomJoined { room { ...room } }
              ... on RoomLeft { roomId leftBecause: reason }
              ... on MemberJoined { room { ...room } userId user { id } }
              ... on MemberLeft { room { ...room } userId user { id } by { id } }
              ... on ReadMarksMoved { room { ...room } marks { user { id } seq readAt } }
              ... on RoomUpdated { room { ...room name } by { id } }
              ... on MembersJoined { room { ...room } userIds members { userId role } by { id } }
              ... on MemberChanged { room { ...room } userId member { role timeoutUntil } by { id } }
              ... on RoomMuted { room { ...room } } ... on RoomViewerChanged { room { ...room } }
              ... on PinsChanged { message { ...message } room { ...room pinnedMessages { message { seq } } } by { id } }
              ... on BlocksChanged { userId blocked }
              ... on InviteReceived { invite { id room { id } } by { id } }
              ... on InviteClosed { inviteId by { id } }
              ... on RoomGap { room { ...room } fromSeq toSeq }
              ... on ResyncRequired { resyncBecause: reason }
            } }",
            " fragment room on Room { ",
            $room,
            " }",
            message!()
        )
    };
}

/// Signs up.
pub const SIGN_UP: &str = session!("mutation SignUp($input: SignUpInput!) { signUp(input: $input)");

/// Signs in.
pub const SIGN_IN: &str = session!("mutation SignIn($input: SignInInput!) { signIn(input: $input)");

/// Exchanges a refresh token.
pub const REFRESH_SESSION: &str = session!("mutation Refresh($token: String!) { refreshSession(refreshToken: $token)");

/// Ends the session.
pub const SIGN_OUT: &str = "mutation { signOut { __typename } }";

/// A page of the viewer's sessions.
pub const SESSIONS: &str = "query Sessions($first: Int, $after: String) { sessions(first: $first, after: $after) {
    nodes { id client createdAt lastUsedAt expiresAt current } pageInfo { hasNextPage endCursor } } }";

/// Ends one of the viewer's sessions.
pub const END_SESSION: &str = "mutation EndSession($id: ID!) { endSession(sessionId: $id) { sessionId } }";

/// Ends all of the viewer's sessions but the own.
pub const END_OTHER_SESSIONS: &str = "mutation { endOtherSessions { endedSessionCount } }";

/// Changes the viewer's password.
pub const CHANGE_PASSWORD: &str = "mutation ChangePassword($current: String!, $new: String!) {
    changePassword(currentPassword: $current, newPassword: $new) { endedSessionCount } }";

/// Deletes the viewer's account.
pub const DELETE_ACCOUNT: &str = "mutation { deleteAccount { __typename } }";

/// Opens or finds a room.
pub const INITIATE_CHAT: &str = "mutation Initiate($userIds: [ID!]!, $type: RoomType!) {
    initiateChat(userIds: $userIds, type: $type) { isNew room { id type initiator { id } } } }";

/// Posts a message.
pub const POST_MESSAGE: &str = concat!(
    "mutation Post($roomId: ID!, $body: String!, $clientId: ID) {
       postMessage(roomId: $roomId, body: $body, clientId: $clientId) { message { ...message } } }",
    message!()
);

/// Posts a message that was written when `seenSeq` was the last one seen.
pub const POST_LATE: &str = concat!(
    "mutation PostLate($roomId: ID!, $body: String!, $clientId: ID, $seenSeq: Int) {
       postMessage(roomId: $roomId, body: $body, clientId: $clientId, seenSeq: $seenSeq) { message { ...message } } }",
    message!()
);

/// Changes a message's text.
pub const EDIT_MESSAGE: &str = concat!(
    "mutation Edit($messageId: ID!, $body: String!) {
       editMessage(messageId: $messageId, body: $body) { message { ...message } } }",
    message!()
);

/// Deletes a message.
pub const DELETE_MESSAGE: &str = concat!(
    "mutation Delete($messageId: ID!) { deleteMessage(messageId: $messageId) { message { ...message } } }",
    message!()
);

/// Marks messages as read.
pub const MARK_READ: &str = "mutation MarkRead($roomId: ID!, $seq: Int!) {
    markRead(roomId: $roomId, seq: $seq) { room { id viewer { unreadCount lastReadSeq muted } } } }";

/// Mutes a room, or unmutes it.
pub const MUTE_ROOM: &str = "mutation Mute($roomId: ID!, $muted: Boolean!) {
    muteRoom(roomId: $roomId, muted: $muted) { room { id viewer { unreadCount lastReadSeq muted } } } }";

/// Blocks a user, or no longer does.
pub const BLOCK_USER: &str = "mutation Block($userId: ID!, $blocked: Boolean!) {
    blockUser(userId: $userId, blocked: $blocked) { blocked user { id } } }";

/// A page of those whom the viewer blocks.
pub const BLOCKED_USERS: &str = "query Blocked($first: Int, $after: String) {
    viewer { id blockedUsers(first: $first, after: $after) { nodes { id } pageInfo { hasNextPage endCursor } } } }";
/// Changes a group.
pub const UPDATE_ROOM: &str = "mutation Update($roomId: ID!, $input: UpdateRoomInput!) {
    updateRoom(roomId: $roomId, input: $input) { room { id name } } }";

/// Joins a room by one of its ways in.
pub const JOIN_ROOM: &str = "mutation Join($roomId: ID, $inviteId: ID, $code: String) {
    joinRoom(roomId: $roomId, inviteId: $inviteId, code: $code) { room { id memberCount } } }";

/// Makes an invite or a link.
pub const CREATE_INVITE: &str = "mutation Invite($roomId: ID!, $userId: ID, $expiresAt: DateTime, $maxUses: Int) {
    createInvite(roomId: $roomId, userId: $userId, expiresAt: $expiresAt, maxUses: $maxUses) { invite {
      id code usesLeft expiresAt createdAt inviter { id } invitee { id } room { id name avatarUrl memberCount } } } }";

/// Closes an invite.
pub const CLOSE_INVITE: &str = "mutation CloseInvite($id: ID!) { closeInvite(inviteId: $id) { inviteId } }";

/// Invites for the viewer.
pub const INVITES: &str =
    "query Invites($first: Int, $after: String) { viewer { invites(first: $first, after: $after) {
    nodes { id room { id name memberCount } inviter { id } code } pageInfo { hasNextPage endCursor } } } }";

/// Invites into a room.
pub const ROOM_INVITES: &str = "query RoomInvites($roomId: ID!) { room(id: $roomId) { viewer { invites {
    id code usesLeft inviter { id } invitee { id } room { id } } } } }";

/// A link, by its code.
pub const INVITE_BY_CODE: &str = "query ByCode($code: String!) { invite(code: $code) {
    id code usesLeft inviter { id } invitee { id } room { id name avatarUrl memberCount } } }";

/// Open rooms.
pub const OPEN_ROOMS: &str = "query Open($search: String, $first: Int, $after: String) {
    openRooms(search: $search, first: $first, after: $after) {
      nodes { id name avatarUrl memberCount } pageInfo { hasNextPage endCursor } } }";

/// Leaves a room.
pub const LEAVE_ROOM: &str = "mutation Leave($roomId: ID!) { leaveRoom(roomId: $roomId) { __typename } }";

/// Deletes a room.
pub const DELETE_ROOM: &str =
    "mutation DeleteRoom($roomId: ID!) { deleteRoom(roomId: $roomId) { roomId deletedMessageCount } }";

/// One room.
pub const ROOM: &str =
    "query Room($roomId: ID!) { room(id: $roomId) { id type name initiator { id } createdAt lastActivityAt } }";

/// A page of the viewer's rooms.
pub const ROOMS: &str = concat!(
    "query Rooms($first: Int, $after: String) { rooms(first: $first, after: $after) {
       nodes { id type lastActivityAt lastMessage { ...message } viewer { unreadCount lastReadSeq muted } }
       pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }",
    message!()
);

/// A room as its viewer sees it.
pub const ROOM_VIEWER: &str =
    "query RoomViewer($roomId: ID!) { room(id: $roomId) { viewer { unreadCount lastReadSeq muted } } }";

/// What of a room changes without a word: its pins, and its viewer's own view.
pub const ROOM_STATE: &str = "query RoomState($roomId: ID!) { room(id: $roomId) {
    pinnedMessages { message { seq } } viewer { unreadCount lastReadSeq unreadFromSeq muted } } }";

/// A page of a room's members.
pub const MEMBERS: &str = "query Members($roomId: ID!, $first: Int, $after: String) {
    room(id: $roomId) { members(first: $first, after: $after) {
      nodes { user { id } role joinedAt lastReadSeq } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }";

/// A page of a room's messages, from either end.
pub const MESSAGES: &str = concat!(
    "query Messages($roomId: ID!, $first: Int, $after: String, $last: Int, $before: String) {
       room(id: $roomId) { messages(first: $first, after: $after, last: $last, before: $before) {
         nodes { ...message reactions { emoji count } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }",
    message!()
);

/// A page of a room's messages from one number to another: how a gap is filled.
pub const MESSAGES_BETWEEN: &str = concat!(
    "query Between($roomId: ID!, $fromSeq: Int, $toSeq: Int, $first: Int, $after: String) {
       room(id: $roomId) { messages(fromSeq: $fromSeq, toSeq: $toSeq, first: $first, after: $after) {
         nodes { ...message reactions { emoji count } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }",
    message!()
);

/// Who has read a room's messages.
pub const READ_BY: &str = "query ReadBy($roomId: ID!) {
    room(id: $roomId) { messages(last: 100) { nodes { seq readBy { user { id } readAt } } } } }";

/// Users by the beginning of a name.
pub const USERS: &str = "query Users($search: String, $first: Int, $after: String) {
    users(search: $search, first: $first, after: $after) {
      nodes { id username displayName type } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }";

/// All events, without a field that depends on the viewer.
pub const EVENTS: &str = events!("id type");

/// All events, with the viewer's own view of each room.
pub const EVENTS_WITH_VIEWER: &str = events!("id type viewer { unreadCount lastReadSeq muted }");

/// New messages of all rooms that are not muted, or of one.
pub const MESSAGE_POSTED: &str = concat!(
    "subscription Posted($roomId: ID, $after: Cursor) {
       messagePosted(roomId: $roomId, after: $after) { ...message } }",
    message!()
);
