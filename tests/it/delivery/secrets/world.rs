//! Users, their rooms, and what they do.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use parlor::ephemeral::EphemeralLimits;
use serde_json::json;

use super::asked::{Asked, Wants};
use super::listener::{Listener, Told, secret};
use crate::delivery::random::Die;
use crate::support::{Message, Room, TestApp, TestUser};

mod around;

/// Users from here on are in no room until the end.
const OUTSIDERS: usize = 6;

/// Who is in which room at first.
const ROOMS: [&[usize]; 6] = [&[0, 1], &[0, 1, 2], &[1, 2, 3, 4], &[3, 4, 5], &[0, 1, 2, 3, 4, 5], &[0, 1, 2, 5]];

/// The one of them that is a group, which its first member owns and never leaves.
const GROUP: usize = 5;

const POST: &str =
    "mutation($room: ID!, $body: String!, $to: ID, $users: [ID!], $all: Boolean!, $files: [ID!]) {
    postMessage(roomId: $room, body: $body, replyToId: $to, mentions: $users, mentionsRoom: $all, attachmentIds: $files) {
        message { id seq body clientId createdAt editedAt deletedAt author { id } room { id }
            attachments { id name thumbhash } } } }";
const CREATE: &str = "mutation($name: String!, $members: [NewMember!]!) {
    createRoom(input: { name: $name, members: $members }) { room { id } } }";
const RENAME: &str =
    "mutation($id: ID!, $name: String!) { updateRoom(roomId: $id, input: { name: $name }) { room { id } } }";
const SET_ROLE: &str = "mutation($id: ID!, $user: ID!, $role: RoomRole!) {
    setMemberRole(roomId: $id, userId: $user, role: $role) { room { id } } }";
const ADD: &str = "mutation($id: ID!, $user: ID!) { addMembers(roomId: $id, userIds: [$user]) { room { id } } }";
const REMOVE: &str = "mutation($id: ID!, $user: ID!) { removeMember(roomId: $id, userId: $user) { userId } }";
const BAN: &str = "mutation($id: ID!, $user: ID!) {
    banMember(roomId: $id, userId: $user) { userId } again: banMember(roomId: $id, userId: $user, banned: false) { userId } }";

/// A room and what is so in it.
pub struct Place {
    /// The room.
    pub room: Room,
    /// Who is in it now.
    pub present: BTreeSet<usize>,
    /// Who wants no posts of it among those of all rooms.
    pub muted: BTreeSet<usize>,
    /// What was said in it and was taken back.
    pub gone: Vec<String>,
    /// What is told of the files that there are, by the message's id.
    pub files: BTreeMap<String, Vec<String>>,
    /// Its messages and their authors.
    messages: Vec<(Message, usize)>,
    /// The ids of those that are pinned.
    pinned: BTreeSet<String>,
}

impl Place {
    fn new(room: Room, present: BTreeSet<usize>) -> Self {
        Self {
            room,
            present,
            muted: BTreeSet::new(),
            gone: Vec::new(),
            files: BTreeMap::new(),
            messages: Vec::new(),
            pinned: BTreeSet::new(),
        }
    }

    /// The newest message that is there.
    fn newest(&self) -> Option<&Message> {
        self.messages.iter().map(|(message, _)| message).rfind(|message| message.deleted_at.is_none())
    }
}

/// All there is.
pub struct World {
    /// The server.
    pub app: TestApp,
    /// Who uses it.
    pub users: Vec<TestUser>,
    /// The rooms.
    pub places: Vec<Place>,
    /// All subscriptions.
    pub listeners: Vec<Listener>,
    /// Where each user stood before anything happened.
    pub since: Vec<String>,
    die: Die,
    /// How much was said.
    said: usize,
}

impl World {
    /// Users, some of whom are in rooms, and all that they ask for.
    pub async fn new(seed: u64) -> Self {
        // A server that tells nobody who is there, which would be rendered too.
        let app =
            TestApp::start_with_limits(EphemeralLimits { max_members: 0, ..EphemeralLimits::default() }, |_| {}).await;
        let users = app.crowd("user", OUTSIDERS + 2).await;
        let mut places = Vec::new();
        for (place, members) in ROOMS.into_iter().enumerate() {
            let others = members.iter().map(|member| &users[*member]);
            let room = if place == GROUP {
                let others: Vec<_> = others.map(|user| json!({ "userId": user.id })).collect();
                let input = json!({ "name": secret(place), "members": others });
                Room::of(&users[members[0]].graphql(CREATE, input).await.data()["createRoom"]["room"])
            } else {
                users[members[0]].initiate_chat(others).await
            };
            let present = members.iter().copied().collect();
            places.push(Place::new(room, present));
        }
        let rooms_of = |user| {
            let own =
                places.iter().enumerate().filter(move |(_, place): &(usize, &Place)| place.present.contains(&user));
            own.map(|(n, place)| (n, &*place.room.id))
        };
        let opening = users.iter().enumerate().flat_map(|(n, user)| {
            Asked::by(n, rooms_of(n)).into_iter().map(move |asked| Listener::open(n, user, asked))
        });
        let listeners = join_all(opening).await;
        let since = join_all(users.iter().map(TestUser::sync_cursor)).await;
        Self { app, users, places, listeners, since, die: Die(seed), said: 0 }
    }

    /// The first of a room's members posts.
    pub async fn post_by_first(&mut self, place: usize) -> Vec<Told> {
        let author = *self.places[place].present.first().expect("the room has members");
        self.post(place, author).await
    }

    async fn post(&mut self, place: usize, author: usize) -> Vec<Told> {
        self.post_at_once(vec![(place, author)]).await
    }

    async fn post_at_once(&mut self, posts: Vec<(usize, usize)>) -> Vec<Told> {
        let mut posting = Vec::new();
        for &(place, author) in &posts {
            let (said, Place { room, present, .. }) = (self.say(place), &self.places[place]);
            // One of three answers the newest, and mentions everybody there, by name or as such.
            let (answers, by_name) = (self.die.throw(3) == 0, self.die.throw(2) == 0);
            let to = self.places[place].newest().filter(|_| answers).map(|message| &message.id);
            let others = present.iter().filter(|user| **user != author && answers && by_name);
            let others: Vec<_> = others.map(|user| &self.users[*user].id).collect();
            let mut variables = json!({ "room": room.id, "body": said, "to": to, "users": others,
                "all": answers && !by_name });
            // One of three has a picture.
            if self.die.throw(3) == 0 {
                variables["files"] = json!([self.upload(place, author).await]);
            }
            posting.push((author, variables));
        }
        let posting = posting.into_iter().map(|(author, variables)| self.users[author].graphql(POST, variables));
        let posted = join_all(posting).await;
        let mut told = Vec::new();
        for ((place, author), answer) in posts.into_iter().zip(posted) {
            let message = Message::of(&answer["/postMessage/message"]);
            told.extend(self.bring_back(place));
            let files = answer
                .list("/postMessage/message/attachments")
                .iter()
                .flat_map(|file| ["id", "name", "thumbhash"].map(|of| file[of].as_str().expect("a text").to_owned()));
            self.places[place].files.insert(message.id.clone(), files.collect());
            self.places[place].messages.push((message, author));
            told.push(Told { kind: "MessagePosted", place, to: self.places[place].present.clone() });
        }
        told
    }

    /// A room of two is back with whoever had hidden it, muted if it was.
    fn bring_back(&mut self, place: usize) -> Vec<Told> {
        let Place { present, muted, .. } = &mut self.places[place];
        let of_two = ROOMS.get(place).filter(|members| members.len() == 2).into_iter().copied().flatten();
        let hidden: BTreeSet<usize> = of_two.copied().filter(|user| !present.contains(user)).collect();
        if hidden.is_empty() {
            return Vec::new();
        }
        present.extend(&hidden);
        let silent: BTreeSet<usize> = hidden.intersection(muted).copied().collect();
        let joined = Told { kind: "RoomJoined", place, to: hidden };
        let muted = (!silent.is_empty()).then_some(Told { kind: "RoomMuted", place, to: silent });
        [joined].into_iter().chain(muted).collect()
    }

    /// What nobody has said before, to be found only where the room's members are.
    fn say(&mut self, place: usize) -> String {
        self.said += 1;
        format!("{}#{}!", secret(place), self.said)
    }

    fn one_of(&mut self, set: &BTreeSet<usize>) -> Option<usize> {
        let nth = if set.is_empty() { 0 } else { self.die.throw(set.len()) };
        set.iter().nth(nth).copied()
    }

    /// Has one thing happen; answers what is told of it.
    pub async fn happen(&mut self) -> Vec<Told> {
        let place = self.die.throw(self.places.len());
        let present = self.places[place].present.clone();
        let Some(user) = self.one_of(&present) else { return self.come_back(place).await };
        match self.die.throw(25) {
            0..=9 if place == GROUP && self.die.throw(2) == 0 => self.keep_order(user).await,
            0..=5 => self.post(place, user).await,
            6..=7 => self.post_everywhere().await,
            8 => self.change_message(place).await,
            9 => self.react(place, user).await,
            10..=12 => self.mark(place, user).await,
            13..=14 => self.mute(place, user).await,
            15..=16 => self.leave(place, user).await,
            17..=18 => self.come_back(place).await,
            19..=21 => self.pin(place, user).await,
            22..=23 => self.mark_unread(place, user).await,
            _ => self.reconnect().await,
        }
    }

    async fn post_everywhere(&mut self) -> Vec<Told> {
        let mut posts = Vec::new();
        for place in 0..self.places.len() {
            let present = self.places[place].present.clone();
            posts.extend(self.one_of(&present).map(|author| (place, author)));
        }
        self.post_at_once(posts).await
    }

    /// The newest message that its author may still touch gets another text, or is deleted.
    async fn change_message(&mut self, place: usize) -> Vec<Told> {
        let Place { present, messages, .. } = &self.places[place];
        let newest =
            messages.iter().rposition(|(message, author)| present.contains(author) && message.deleted_at.is_none());
        let Some(newest) = newest else { return Vec::new() };
        let (message, author) = messages[newest].clone();
        let (kind, changed) = if self.die.throw(3) == 0 {
            ("MessageDeleted", self.users[author].delete(&message).await)
        } else {
            let text = self.say(place);
            ("MessageEdited", self.users[author].edit(&message, &text).await)
        };
        let here = &mut self.places[place];
        here.messages[newest].0 = changed;
        here.gone.push(message.body);
        if kind == "MessageDeleted" {
            here.gone.extend(here.files.remove(&message.id).unwrap_or_default());
        }
        // With a message goes its pin.
        let unpinned = (kind == "MessageDeleted" && here.pinned.remove(&message.id)).then_some("PinsChanged");
        let told = |kind| Told { kind, place, to: here.present.clone() };
        [kind].into_iter().chain(unpinned).map(told).collect()
    }

    async fn mute(&mut self, place: usize, user: usize) -> Vec<Told> {
        let Place { room, muted, .. } = &mut self.places[place];
        let was_muted = muted.remove(&user);
        if !was_muted {
            muted.insert(user);
        }
        self.users[user].mute(room, !was_muted).await;
        vec![Told { kind: "RoomMuted", place, to: BTreeSet::from([user]) }]
    }

    /// The owner of the group gives it another name, or the member another role.
    async fn keep_order(&mut self, user: usize) -> Vec<Told> {
        let owner = ROOMS[GROUP][0];
        let (id, present) = (self.places[GROUP].room.id.clone(), self.places[GROUP].present.clone());
        let told = |kind| vec![Told { kind, place: GROUP, to: present.clone() }];
        if user == owner || self.die.throw(2) == 0 {
            let name = format!("{} {}", secret(GROUP), self.die.throw(1_000_000));
            self.users[owner].graphql(RENAME, json!({ "id": id, "name": name })).await.data();
            return told("RoomUpdated");
        }
        // A moderator who was one already is no event, so each is made one by turns.
        let mut kinds = Vec::new();
        for role in ["MODERATOR", "MEMBER"] {
            let asked = json!({ "id": id, "user": self.users[user].id, "role": role });
            self.users[owner].graphql(SET_ROLE, asked).await.data();
            kinds.extend(told("MemberChanged"));
        }
        kinds
    }

    /// The owner of the group removes this member, or bans the member for a moment.
    async fn remove(&mut self, user: usize) -> Vec<Told> {
        let (owner, is_ban) = (&self.users[ROOMS[GROUP][0]], self.die.throw(2) == 0);
        let asked = json!({ "id": self.places[GROUP].room.id, "user": self.users[user].id });
        owner.graphql(if is_ban { BAN } else { REMOVE }, asked).await.data();
        let others: BTreeSet<usize> =
            self.places[GROUP].present.iter().copied().filter(|present| *present != user).collect();
        is_ban.then_some(Told { kind: "MemberChanged", place: GROUP, to: others }).into_iter().collect()
    }

    async fn leave(&mut self, place: usize, user: usize) -> Vec<Told> {
        if place == GROUP && user == ROOMS[GROUP][0] {
            return Vec::new();
        }
        let is_removed = place == GROUP && self.die.throw(3) > 0;
        let after = if is_removed { self.remove(user).await } else { Vec::new() };
        let Place { room, present, muted, .. } = &mut self.places[place];
        if !is_removed {
            self.users[user].leave(room).await;
        }
        present.remove(&user);
        let is_hidden = ROOMS[place].len() == 2;
        if !is_hidden {
            // Who comes back has muted nothing.
            muted.remove(&user);
        }
        let others = (!is_hidden).then(|| Told { kind: "MemberLeft", place, to: present.clone() });
        let listened = |listener: &mut Listener| listener.user == user && listener.asked.wants == Wants::PostsOf(place);
        for listener in self.listeners.extract_if(.., listened) {
            listener.expect_end().await;
        }
        let own = Told { kind: "RoomLeft", place, to: BTreeSet::from([user]) };
        others.into_iter().chain([own]).chain(after).collect()
    }

    /// Somebody who has left comes back, if anybody has.
    pub async fn come_back(&mut self, place: usize) -> Vec<Told> {
        let present = &self.places[place].present;
        let away: BTreeSet<usize> = ROOMS[place].iter().copied().filter(|user| !present.contains(user)).collect();
        let Some(user) = self.one_of(&away) else { return Vec::new() };
        if place == GROUP {
            let asked = json!({ "id": self.places[GROUP].room.id, "user": self.users[user].id });
            self.users[ROOMS[GROUP][0]].graphql(ADD, asked).await.data();
            self.places[GROUP].present.insert(user);
            let joined = Told { kind: "RoomJoined", place, to: BTreeSet::from([user]) };
            return vec![joined, Told { kind: "MembersJoined", place, to: self.places[GROUP].present.clone() }];
        }
        let room = self.users[user].initiate_chat(ROOMS[place].iter().map(|member| &self.users[*member])).await;
        assert_eq!(room, self.places[place].room);
        if ROOMS[place].len() == 2 {
            return self.bring_back(place);
        }
        let others = self.places[place].present.clone();
        self.places[place].present.insert(user);
        let joined = Told { kind: "RoomJoined", place, to: BTreeSet::from([user]) };
        vec![joined, Told { kind: "MemberJoined", place, to: others }]
    }

    /// A subscription ends, and the same begins anew.
    async fn reconnect(&mut self) -> Vec<Told> {
        let everything = self.listeners.iter().enumerate().filter(|(_, it)| it.asked.wants == Wants::Everything);
        let everything: BTreeSet<usize> = everything.map(|(at, _)| at).collect();
        let at = self.one_of(&everything).expect("somebody has asked for everything");
        let Listener { user, asked, .. } = self.listeners.remove(at);
        let groups: BTreeSet<String> = self.listeners.iter().flat_map(Listener::groups).collect();
        #[expect(clippy::cast_precision_loss, reason = "few")]
        let (left, groups) = (self.listeners.len() as f64, groups.len() as f64);
        self.app.until_metric("parlor_subscriptions", left).await;
        self.app.until_metric("parlor_render_groups", groups).await;
        self.listeners.push(Listener::open(user, &self.users[user], asked).await);
        Vec::new()
    }

    /// Opens the last room, which is of all.
    pub async fn gather(&mut self) -> Told {
        let room = self.users[0].initiate_chat(&self.users[1..]).await;
        let present: BTreeSet<usize> = (0..self.users.len()).collect();
        self.places.push(Place::new(room, present.clone()));
        Told { kind: "RoomJoined", place: self.places.len() - 1, to: present }
    }
}
