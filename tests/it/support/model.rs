//! The state that a client builds from the events it receives.
//!
//! A [`Model`] starts from a [fetch](Model::fetch), and [`Model::apply`] updates it event by event. Whatever happened
//! in between, it must then equal a fresh fetch: [`verify`] checks that.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Event, Feed, Message, TestUser, documents};

/// One user's rooms, as a client keeps them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model {
    /// By room id.
    pub rooms: BTreeMap<String, RoomState>,
    /// Invites for the user, by id.
    pub invites: BTreeSet<String>,
}

/// One room, as a client keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoomState {
    /// When it was opened or last posted to.
    pub last_activity_at: String,
    /// What it is called, if it is a group.
    pub name: Option<String>,
    /// `seq` of the newest message; 0 before the first.
    pub last_seq: i64,
    /// How far each member has read, by user id.
    pub members: BTreeMap<String, i64>,
    /// What each member is, by user id.
    pub roles: BTreeMap<String, String>,
    /// By `seq`.
    pub messages: BTreeMap<i64, Message>,
    /// How many have reacted to a message in which way, by `seq`, in the order in which each was first used.
    pub reactions: BTreeMap<i64, Vec<(String, i64)>>,
    /// `seq` of the pinned messages, the last pinned first.
    pub pins: Vec<i64>,
    /// `seq` of the first message that the viewer has marked as unread.
    pub unread_from: Option<i64>,
    /// Messages that the viewer has not read.
    pub unread_count: i64,
    /// `seq` up to which the viewer has read.
    pub last_read_seq: i64,
    /// Whether the viewer has muted it.
    pub muted: bool,
}

/// Checks that the state of `user`'s client is that of the server.
///
/// # Panics
/// When they differ, with the facts that differ.
pub async fn verify(user: &TestUser, model: &Model) {
    let (known, fresh) = (model.facts(), Model::fetch(user).await.facts());
    let names: BTreeSet<&String> = known.keys().chain(fresh.keys()).collect();
    let differing = names.into_iter().filter(|name| known.get(*name) != fresh.get(*name));
    let fact = |facts: &BTreeMap<String, String>, name| facts.get(name).map_or("nothing", String::as_str).to_owned();
    let difference =
        |name| format!("{name}\n  from events: {}\n  fetched:     {}", fact(&known, name), fact(&fresh, name));
    let differences: Vec<String> = differing.map(difference).collect();
    assert!(
        differences.is_empty(),
        "{}'s events don't add up to a fresh fetch:\n{}",
        user.username,
        differences.join("\n")
    );
}

impl Model {
    /// Everything that this user can see.
    pub async fn fetch(user: &TestUser) -> Self {
        let mut model = Self::default();
        for room in pages(user, documents::ROOMS, json!({}), "/rooms").await {
            let id = room["id"].as_str().expect("a room has an id");
            model.fetch_room(user, id).await;
        }
        let invites = pages(user, documents::INVITES, json!({}), "/viewer/invites").await;
        model.invites = invites.iter().filter_map(|invite| invite["id"].as_str().map(str::to_owned)).collect();
        model
    }

    /// Applies one event.
    pub async fn apply(&mut self, user: &TestUser, event: &Event) {
        match &*event.kind {
            "Synced" | "PresenceChanged" | "UserChanged" | "TypingChanged" | "BlocksChanged" => {}
            "PinsChanged" => {
                if let Some(room) = self.rooms.get_mut(&event.room_id()) {
                    room.pins = pins(&event.body["room"]);
                }
            }
            "MessagePosted" | "MessageEdited" | "MessageDeleted" => self.keep_message(user, event),
            "ReactionsChanged" => {
                let message = event.message();
                if let Some(room) = self.rooms.get_mut(&message.room_id) {
                    room.keep_reactions(message.seq, &event.body["message"]);
                }
            }
            "RoomJoined" => self.fetch_room(user, &event.room_id()).await,
            "RoomLeft" => {
                self.rooms.remove(&event.room_id());
            }
            "MemberJoined" | "MembersJoined" => self.fetch_members(user, &event.room_id()).await,
            "MemberLeft" => self.drop_member(event),
            "MemberChanged" => {
                let role = event.body["member"]["role"].as_str().map(str::to_owned);
                if let Some((room, role)) = self.rooms.get_mut(&event.room_id()).zip(role) {
                    room.roles.insert(event.user_id(), role);
                }
            }
            "ReadMarksMoved" => self.move_marks(user, event),
            "RoomUpdated" => {
                if let Some(room) = self.rooms.get_mut(&event.room_id()) {
                    room.name = event.body["room"]["name"].as_str().map(str::to_owned);
                }
            }
            "RoomMuted" | "RoomViewerChanged" => self.fetch_viewer(user, &event.room_id()).await,
            "InviteReceived" => {
                self.invites.extend(event.body["invite"]["id"].as_str().map(str::to_owned));
            }
            "InviteClosed" => {
                self.invites.remove(event.body["inviteId"].as_str().unwrap_or_default());
            }
            "RoomGap" => self.fill_gap(user, event).await,
            "ResyncRequired" => *self = Self::fetch(user).await,
            other => panic!("expected an event that the harness knows, got {other}"),
        }
    }

    /// Applies every event up to and including the posting of `marker`.
    pub async fn follow(&mut self, user: &TestUser, feed: &mut Feed, marker: &Message) {
        for event in feed.until_posted(marker).await {
            self.apply(user, &event).await;
        }
    }

    /// Applies these events.
    pub async fn apply_all(&mut self, user: &TestUser, events: &[Event]) {
        for event in events {
            self.apply(user, event).await;
        }
    }

    fn keep_message(&mut self, user: &TestUser, event: &Event) {
        let message = event.message();
        let Some(room) = self.rooms.get_mut(&message.room_id) else { return };
        if event.kind == "MessagePosted" {
            room.last_seq = room.last_seq.max(message.seq);
            room.last_activity_at = room.last_activity_at.clone().max(message.created_at.clone());
            let author = message.author_id.clone().unwrap_or_default();
            room.read_up_to(user, &author, message.seq);
        }
        if message.deleted_at.is_some() {
            room.reactions.remove(&message.seq);
        }
        room.messages.insert(message.seq, message);
        room.count_unread(user);
    }

    fn drop_member(&mut self, event: &Event) {
        let left = event.user_id();
        let Some(room) = self.rooms.get_mut(&event.room_id()) else { return };
        room.members.remove(&left);
        room.roles.remove(&left);
        if event.body["user"].is_null() {
            let written = room.messages.values_mut().filter(|message| message.author_id.as_ref() == Some(&left));
            written.for_each(|message| {
                message.author_id = None;
                // With an account its files go.
                message.files.clear();
            });
        }
    }

    fn move_marks(&mut self, user: &TestUser, event: &Event) {
        let Some(room) = self.rooms.get_mut(&event.room_id()) else { return };
        for (reader, seq) in event.marks() {
            room.read_up_to(user, &reader, seq);
        }
        room.count_unread(user);
    }

    /// Fetches one room whole, or drops it when it can't be seen (any more).
    async fn fetch_room(&mut self, user: &TestUser, id: &str) {
        self.rooms.remove(id);
        let answer = user.graphql(documents::ROOM, json!({ "roomId": id })).await;
        let room = &answer.body["data"]["room"];
        if room.is_null() {
            return;
        }
        let mut state = RoomState {
            last_activity_at: room["lastActivityAt"].as_str().expect("a room has a time").to_owned(),
            name: room["name"].as_str().map(str::to_owned),
            ..RoomState::default()
        };
        state.keep(&pages(user, documents::MESSAGES, json!({ "roomId": id }), "/room/messages").await);
        self.rooms.insert(id.to_owned(), state);
        self.fetch_members(user, id).await;
        self.fetch_viewer(user, id).await;
    }

    async fn fetch_members(&mut self, user: &TestUser, id: &str) {
        let Some(room) = self.rooms.get_mut(id) else { return };
        let members = pages(user, documents::MEMBERS, json!({ "roomId": id }), "/room/members").await;
        let member = |member: &Value| {
            let user = member["user"]["id"].as_str().expect("a member is a user");
            (user.to_owned(), member["lastReadSeq"].as_i64().expect("a member has read up to somewhere"))
        };
        room.members = members.iter().map(member).collect();
        let role = |member: &Value| {
            let text = |pointer: &str| member.pointer(pointer).and_then(Value::as_str).expect("a text").to_owned();
            (text("/user/id"), text("/role"))
        };
        room.roles = members.iter().map(role).collect();
    }

    async fn fetch_viewer(&mut self, user: &TestUser, id: &str) {
        let Some(room) = self.rooms.get_mut(id) else { return };
        let answer = user.graphql(documents::ROOM_STATE, json!({ "roomId": id })).await;
        let viewer = &answer.body["data"]["room"]["viewer"];
        room.pins = pins(&answer.body["data"]["room"]);
        room.unread_from = viewer["unreadFromSeq"].as_i64();
        room.muted = viewer["muted"].as_bool().unwrap_or_default();
        room.unread_count = viewer["unreadCount"].as_i64().unwrap_or_default();
        room.last_read_seq = viewer["lastReadSeq"].as_i64().unwrap_or_default();
    }

    async fn fill_gap(&mut self, user: &TestUser, event: &Event) {
        let id = event.room_id();
        let (from, to) = (event.body["fromSeq"].clone(), event.body["toSeq"].clone());
        if let Some(room) = self.rooms.get_mut(&id) {
            let range = json!({ "roomId": id, "fromSeq": from, "toSeq": to });
            room.keep(&pages(user, documents::MESSAGES_BETWEEN, range, "/room/messages").await);
        }
        self.fetch_members(user, &id).await;
        self.fetch_viewer(user, &id).await;
        let answer = user.graphql(documents::ROOM, json!({ "roomId": id })).await;
        if let (Some(room), Some(at)) =
            (self.rooms.get_mut(&id), answer.body["data"]["room"]["lastActivityAt"].as_str())
        {
            at.clone_into(&mut room.last_activity_at);
            room.name = answer.body["data"]["room"]["name"].as_str().map(str::to_owned);
        }
    }

    /// The model as one line per fact, by name.
    fn facts(&self) -> BTreeMap<String, String> {
        let mut facts = BTreeMap::new();
        facts.insert("invites".to_owned(), format!("{:?}", self.invites));
        for (id, room) in &self.rooms {
            let viewer = (room.unread_count, room.last_read_seq, room.unread_from, room.muted);
            let known = (room.last_seq, &room.last_activity_at, &room.name);
            facts.insert(id.clone(), format!("(newest, active, name) {known:?}"));
            facts.insert(format!("{id} viewer (unread, read up to, marked from, muted)"), format!("{viewer:?}"));
            facts.extend(
                room.members.iter().map(|(user, seq)| (format!("{id} {user} has read up to"), seq.to_string())),
            );
            facts.insert(format!("{id} pins"), format!("{:?}", room.pins));
            let reacted = |(seq, kinds): (&i64, &Vec<_>)| (format!("{id} #{seq:06} reactions"), format!("{kinds:?}"));
            facts.extend(room.reactions.iter().map(reacted));
            facts.extend(room.roles.iter().map(|(user, role)| (format!("{id} {user} is"), role.clone())));
            facts
                .extend(room.messages.iter().map(|(seq, message)| (format!("{id} #{seq:06}"), format!("{message:?}"))));
        }
        facts
    }
}

impl RoomState {
    fn keep(&mut self, messages: &[Value]) {
        for message in messages {
            self.keep_reactions(Message::of(message).seq, message);
        }
        self.messages.extend(messages.iter().map(Message::of).map(|message| (message.seq, message)));
        self.last_seq = self.messages.keys().last().copied().unwrap_or_default();
    }

    fn keep_reactions(&mut self, seq: i64, message: &Value) {
        let kinds = message["reactions"].as_array().into_iter().flatten();
        let kind = |kind: &Value| Some((kind["emoji"].as_str()?.to_owned(), kind["count"].as_i64()?));
        let kinds: Vec<(String, i64)> = kinds.filter_map(kind).collect();
        self.reactions.remove(&seq);
        if !kinds.is_empty() {
            self.reactions.insert(seq, kinds);
        }
    }

    /// A member has read on, up to this message: the viewer's own marking ends by it.
    fn read_up_to(&mut self, viewer: &TestUser, reader: &str, seq: i64) {
        let Some(read) = self.members.get_mut(reader).filter(|read| **read < seq) else { return };
        *read = seq;
        if reader == viewer.id {
            self.unread_from = None;
        }
    }

    /// Counts the unread messages: those of others, not deleted, beyond the viewer's mark.
    fn count_unread(&mut self, viewer: &TestUser) {
        self.last_read_seq = self.members.get(&viewer.id).copied().unwrap_or(self.last_read_seq);
        let mark = self.unread_from.map_or(self.last_read_seq, |from| from - 1);
        let unread = self
            .messages
            .range(mark + 1..)
            .filter(|(_, message)| message.deleted_at.is_none() && message.author_id.as_ref() != Some(&viewer.id));
        self.unread_count = i64::try_from(unread.count()).expect("a count of messages");
    }
}

/// `seq` of a room's pinned messages.
fn pins(room: &Value) -> Vec<i64> {
    let pins = room["pinnedMessages"].as_array().into_iter().flatten();
    pins.filter_map(|pin| pin["message"]["seq"].as_i64()).collect()
}

/// Every node of a connection, page by page.
async fn pages(user: &TestUser, document: &str, mut variables: Value, connection: &str) -> Vec<Value> {
    let mut nodes = Vec::new();
    variables["first"] = 100.into();
    loop {
        let answer = user.graphql(document, variables.clone()).await;
        // Not `data()`: the room may be gone by now, and then it has no nodes.
        let Some(page) = answer.body["data"].pointer(connection).filter(|page| !page.is_null()) else { return nodes };
        nodes.extend(page["nodes"].as_array().expect("a page has nodes").iter().cloned());
        if page["pageInfo"]["hasNextPage"] != true {
            return nodes;
        }
        variables["after"] = page["pageInfo"]["endCursor"].clone();
    }
}
