//! Unread counts, compared with counting by hand, and marking messages as unread.

use futures_util::future::join_all;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestRunner;
use serde_json::json;

use super::{post_late, receipts};
use crate::support::{Feed, Message, Room, TestApp, TestUser};

const MARK_UNREAD: &str = "mutation($m: ID!) { markUnread(messageId: $m) { room { id viewer {
    unreadCount lastReadSeq unreadFromSeq } } } }";
const POST: &str = "mutation($r: ID!, $m: [ID!], $to: ID, $c: JSON) {
    postMessage(roomId: $r, body: \"together\", mentions: $m, replyToId: $to, custom: $c) { message {
        id seq body clientId createdAt editedAt deletedAt author { id } room { id } } } }";
const REMENTION: &str =
    "mutation($m: ID!, $users: [ID!]) { editMessage(messageId: $m, body: \"edited\", mentions: $users) {
    message { id } } }";
const COUNTED: &str = "query($r: ID!) { room(id: $r) { viewer { unreadMentionCount unreadFromSeq } } }";

/// One thing that one of three members does; which message or mark, [`Index`] tells once there are some.
#[derive(Clone, Debug)]
enum Step {
    Post(usize),
    /// A post that waited to be sent since that message was the last one seen.
    PostLate(usize, Index),
    /// A post that mentions some of them, as these bits say, and perhaps the room.
    Mention(usize, u8, bool),
    /// Posts at once by those whom these bits name, which answer that message, mention some and carry something of the app's.
    Together(u8, Index, u8),
    /// An edit that has a message mention those whom these bits name, and nobody else.
    Remention(usize, Index, u8),
    Delete(usize, Index),
    Edit(usize, Index),
    Mark(usize, Index),
    MarkUnread(usize, Index),
    LeaveOrReturn(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        5 => (0..3usize).prop_map(Step::Post),
        3 => (0..3usize, any::<Index>()).prop_map(|(user, which)| Step::PostLate(user, which)),
        3 => (0..3usize, 0..8_u8, any::<bool>()).prop_map(|(user, whom, all)| Step::Mention(user, whom, all)),
        3 => (1..8_u8, any::<Index>(), 0..8_u8).prop_map(|(who, which, whom)| Step::Together(who, which, whom)),
        2 => (0..3usize, any::<Index>(), 0..8_u8).prop_map(|(user, which, whom)| Step::Remention(user, which, whom)),
        3 => (0..3usize, any::<Index>()).prop_map(|(user, which)| Step::Delete(user, which)),
        1 => (0..3usize, any::<Index>()).prop_map(|(user, which)| Step::Edit(user, which)),
        3 => (0..3usize, any::<Index>()).prop_map(|(user, which)| Step::Mark(user, which)),
        3 => (0..3usize, any::<Index>()).prop_map(|(user, which)| Step::MarkUnread(user, which)),
        1 => (1..3usize).prop_map(Step::LeaveOrReturn),
    ];
    proptest::collection::vec(step, 1..60)
}

/// A room as somebody would keep it who counts on their fingers.
struct Counted {
    room: Room,
    /// Author and whether it was deleted, by `seq - 1`.
    messages: Vec<(usize, bool)>,
    posted: Vec<Message>,
    read: [usize; 3],
    /// The first message that each has marked as unread.
    from: [Option<usize>; 3],
    /// Which messages mention the room, by `seq - 1`.
    to_all: Vec<bool>,
    /// Whom each message mentions, by `seq - 1`.
    mentions: Vec<[bool; 3]>,
    present: [bool; 3],
}

impl Counted {
    async fn open(users: &[TestUser]) -> Self {
        let room = users[0].initiate_chat(&users[1..]).await;
        Self {
            room,
            messages: vec![],
            posted: vec![],
            read: [0; 3],
            from: [None; 3],
            to_all: vec![],
            mentions: vec![],
            present: [true; 3],
        }
    }

    async fn take(&mut self, users: &[TestUser], step: &Step) {
        match *step {
            Step::Post(user) if self.hears(user) => {
                let message = users[user].post(&self.room, &format!("message {}", self.messages.len() + 1)).await;
                self.keep(user, message, [false; 3]);
                self.read[user] = self.messages.len();
                self.from[user] = None;
            }
            Step::Mention(user, whom, all) if self.hears(user) => {
                let whom = self.named(user, whom);
                let ids: Vec<_> = (0..3).filter(|n| whom[*n]).map(|n| &users[n].id).collect();
                let variables = json!({ "r": self.room.id, "b": "look", "m": ids, "room": all });
                let answer = users[user].graphql(crate::mentions::POST, variables).await;
                let message = Message::of(&answer["/postMessage/message"]);
                self.keep(user, message, [0, 1, 2].map(|n| n != user && (all || whom[n])));
                *self.to_all.last_mut().expect("it was kept") = all;
                self.read[user] = self.messages.len();
                self.from[user] = None;
            }
            Step::Together(who, which, whom) => {
                let there: Vec<_> = (0..self.messages.len()).filter(|n| !self.messages[*n].1).collect();
                let answered = (!there.is_empty()).then(|| &self.posted[*which.get(&there)].id);
                let authors: Vec<_> = (0..3).filter(|n| who & (1 << n) != 0 && self.hears(*n)).collect();
                let posting = authors.iter().map(|author| {
                    let whom = self.named(*author, whom);
                    let ids: Vec<_> = (0..3).filter(|n| whom[*n]).map(|n| &users[n].id).collect();
                    let variables = json!({ "r": self.room.id, "m": ids, "to": answered, "c": { "by": author } });
                    async move { (*author, whom, users[*author].graphql(POST, variables).await) }
                });
                let posted = join_all(posting).await.into_iter();
                let posted =
                    posted.map(|(author, whom, answer)| (Message::of(&answer["/postMessage/message"]), author, whom));
                let mut posted: Vec<_> = posted.collect();
                posted.sort_by_key(|(message, ..)| message.seq);
                for (message, author, whom) in posted {
                    self.keep(author, message, whom);
                    (self.read[author], self.from[author]) = (self.messages.len(), None);
                }
            }
            Step::Remention(user, which, whom) if self.present[user] => {
                if let Some(n) = self.own(user, which).filter(|n| !self.messages[*n].1) {
                    let whom = self.named(user, whom);
                    let ids: Vec<_> = (0..3).filter(|n| whom[*n]).map(|n| &users[n].id).collect();
                    users[user].graphql(REMENTION, json!({ "m": self.posted[n].id, "users": ids })).await.data();
                    let all = self.to_all[n];
                    self.mentions[n] = [0, 1, 2].map(|m| m != user && (all || whom[m]));
                }
            }
            Step::PostLate(user, which) if self.hears(user) => {
                let before = self.messages.len();
                let seen = which.index(before + 3);
                let message = post_late(&users[user], &self.room, seen, None).await;
                self.keep(user, message, [false; 3]);
                let seen = seen.min(before).max(self.read[user]);
                let read = if seen < before { seen } else { before + 1 };
                if read > self.read[user] {
                    (self.read[user], self.from[user]) = (read, None);
                }
            }
            Step::Delete(user, which) if self.present[user] => {
                if let Some(n) = self.own(user, which) {
                    users[user].delete(&self.posted[n]).await;
                    self.messages[n].1 = true;
                }
            }
            Step::Edit(user, which) if self.present[user] => {
                if let Some(n) = self.own(user, which).filter(|n| !self.messages[*n].1) {
                    users[user].edit(&self.posted[n], "edited").await;
                }
            }
            Step::Mark(user, which) if self.present[user] => {
                let seq = which.index(self.messages.len() + 1);
                users[user].mark_read(&self.room, i64::try_from(seq).expect("a small number")).await;
                if seq > self.read[user] || self.from[user].is_some_and(|from| seq >= from) {
                    self.from[user] = None;
                }
                self.read[user] = self.read[user].max(seq);
            }
            Step::MarkUnread(user, which) if self.present[user] && !self.messages.is_empty() => {
                let n = which.index(self.messages.len());
                let answer = users[user].graphql(MARK_UNREAD, json!({ "m": self.posted[n].id })).await;
                self.from[user] = (n < self.read[user]).then_some(n + 1);
                assert_eq!(answer["/markUnread/room/viewer/unreadFromSeq"], json!(self.from[user]));
            }
            Step::LeaveOrReturn(user) if self.present[user] => {
                users[user].leave(&self.room).await;
                self.present[user] = false;
            }
            Step::LeaveOrReturn(user) => {
                let others = users.iter().filter(|other| other.id != users[user].id);
                assert_eq!(users[user].initiate_chat(others).await, self.room);
                (self.present[user], self.from[user]) = (true, None);
            }
            _ => {}
        }
    }

    /// Whether this user is there, and somebody else too, without whom nothing can be posted.
    fn hears(&self, user: usize) -> bool {
        self.present[user] && self.present.iter().filter(|present| **present).count() > 1
    }

    /// Those of these bits who may be mentioned by this user.
    fn named(&self, user: usize, whom: u8) -> [bool; 3] {
        [0, 1, 2].map(|n| self.present[n] && n != user && whom & (1 << n) != 0)
    }

    fn keep(&mut self, author: usize, message: Message, mentions: [bool; 3]) {
        self.messages.push((author, false));
        self.mentions.push(mentions);
        self.to_all.push(false);
        self.posted.push(message);
    }

    /// How many messages count as read.
    fn counted(&self, user: usize) -> usize {
        self.from[user].map_or(self.read[user], |from| from - 1)
    }

    fn unread_mentions(&self, user: usize) -> usize {
        let beyond = self.messages.iter().zip(&self.mentions).skip(self.counted(user));
        beyond.filter(|((_, deleted), mentions)| !deleted && mentions[user]).count()
    }

    fn own(&self, user: usize, which: Index) -> Option<usize> {
        let own: Vec<usize> = (0..self.messages.len()).filter(|n| self.messages[*n].0 == user).collect();
        (!own.is_empty()).then(|| *which.get(&own))
    }

    fn unread(&self, user: usize) -> (i64, i64) {
        let unread = self.messages[self.counted(user)..].iter().filter(|(author, deleted)| *author != user && !deleted);
        let number = |count: usize| i64::try_from(count).expect("a small number");
        (number(unread.count()), number(self.read[user]))
    }

    async fn check(&self, users: &[TestUser]) {
        let present = (0..3).filter(|user| self.present[*user]);
        join_all(present.map(|user| async move {
            assert_eq!(users[user].unread(&self.room).await, self.unread(user), "user {user}");
            let answer = users[user].graphql(COUNTED, json!({ "r": self.room.id })).await;
            let expected =
                json!({ "unreadMentionCount": self.unread_mentions(user), "unreadFromSeq": self.from[user] });
            assert_eq!(answer["/room/viewer"], expected, "user {user}");
        }))
        .await;
    }
}

#[test]
fn unread_counts_equal_counting_after_whatever_happened() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    let app = runtime.block_on(TestApp::start());
    let users = runtime.block_on(app.crowd("p", 3));
    let config = ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() };

    let outcome = TestRunner::new(config).run(&steps(), |steps| {
        runtime.block_on(async {
            let mut counted = Counted::open(&users).await;
            for step in &steps {
                counted.take(&users, step).await;
                counted.check(&users).await;
            }
            users[0].delete_room(&counted.room).await;
        });
        Ok(())
    });

    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

#[tokio::test]
async fn what_is_marked_as_unread_counts_for_the_viewer_alone_until_the_viewer_reads_on() {
    const WATCH: &str = "subscription($after: Cursor) { events(after: $after) { __typename cursor
        ... on RoomViewerChanged { room { viewer { unreadCount unreadFromSeq } } } ... on MessagePosted { message { seq } }
        ... on ReadMarksMoved { marks { seq } } } }";
    let app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let mut messages = Vec::new();
    for n in 1..=4 {
        messages.push(if n == 3 { &bob } else { &ann }.post(&room, &format!("message {n}")).await);
    }
    bob.mark_read(&room, 4).await;
    let before = receipts(&ann, &room).await;
    let (mut bobs, mut anns) = (bob.subscribe_to(WATCH, json!({})).await, ann.subscribe_to(WATCH, json!({})).await);
    let after = bob.sync_cursor().await;
    let mark = async |user: &TestUser, n: usize| user.graphql(MARK_UNREAD, json!({ "m": messages[n - 1].id })).await;

    let marked = mark(&bob, 2).await;
    let viewer = json!({ "unreadCount": 2, "lastReadSeq": 4, "unreadFromSeq": 2 });
    assert_eq!(marked["/markUnread/room/viewer"], viewer, "without the own one");
    let told = bobs.next_event().await;
    assert_eq!((told.kind.as_str(), &told.body["room"]["viewer"]["unreadCount"]), ("RoomViewerChanged", &json!(2)));
    mark(&bob, 2).await.data();
    assert_eq!(receipts(&ann, &room).await, before, "others' receipts don't move");
    bob.delete(&messages[2]).await;
    assert_eq!(bob.unread(&room).await, (2, 4));
    ann.delete(&messages[3]).await;
    assert_eq!(bob.unread(&room).await, (1, 4));

    bob.mark_read(&room, 1).await;
    assert_eq!(bob.unread(&room).await, (1, 4), "what comes before it says nothing of it");
    bob.mark_read(&room, 4).await;
    assert_eq!(bob.unread(&room).await, (0, 4));
    mark(&bob, 1).await.data();
    bob.post(&room, "message 5").await;
    assert_eq!(bob.unread(&room).await, (0, 5), "posting ends it");
    ann.post(&room, "message 6").await;
    mark(&bob, 1).await.data();
    assert_eq!(bob.unread(&room).await, (3, 5));
    let last = bob.messages(&room).await.pop().expect("a message");
    bob.graphql(MARK_UNREAD, json!({ "m": last.id })).await.data();
    assert_eq!(bob.unread(&room).await, (1, 5), "it isn't read anyway");

    let kinds: Vec<String> =
        anns.until(|event| event.body["message"]["seq"] == 6).await.into_iter().map(|it| it.kind).collect();
    assert!(!kinds.contains(&"RoomViewerChanged".to_owned()), "{kinds:?}");
    let mut replayed = Feed::open(bob.socket().await, WATCH, json!({ "after": after })).await;
    assert_eq!(replayed.next_event().await.kind, "RoomViewerChanged");
    assert_eq!(mark(&eve, 1).await.error_code(), "NOT_FOUND");
    bob.leave(&room).await;
    assert_eq!(mark(&bob, 1).await.error_code(), "NOT_FOUND");
}
