//! A type may be bulk only if applying a run of it together makes no difference: see
//! [`Bulk`](crate::chat::change::Bulk).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Poll;

use futures_util::future::{BoxFuture, FutureExt};
use proptest::prelude::*;
use sea_orm::{EntityTrait, QueryOrder};
use tokio_util::sync::CancellationToken;

use crate::chat::message::{Body, ClientId, Emoji, Extras};
use crate::chat::session::token::Tokens;
use crate::chat::user::NewAccount;
use crate::chat::{Chat, Command, Error, Viewer};
use crate::clock::Clock;
use crate::ids::{MessageId, RoomId, UserId};
use crate::log::Scribe;
use crate::secret::Secret;
use crate::store::Store;
use crate::store::entity::room::RoomType;
use crate::store::entity::user::UserType;
use crate::store::entity::{member, mention, message, reaction, reaction_count, read_mark};
use crate::telemetry::Metrics;

mod beside;

use beside::{Beside, beside};

/// Messages in each room before a run begins.
const POSTED: i32 = 4;

/// One change of a run. Users and rooms are named by number; the third user is in neither room.
#[derive(Clone, Debug)]
enum Op {
    Post {
        author: usize,
        room: usize,
        body: u8,
        client_id: Option<u8>,
        seen: Option<i32>,
        /// What it carries beside its text.
        beside: Beside,
    },
    Mark {
        reader: usize,
        room: usize,
        seq: i32,
    },
    /// To one of the first messages, in one of three ways.
    React {
        user: usize,
        room: usize,
        message: usize,
        emoji: usize,
        on: bool,
    },
}

/// A database of its own with two users in two rooms, and a third user in none.
struct World {
    store: Store,
    users: Vec<Viewer>,
    rooms: Vec<RoomId>,
    /// The messages of each room at the beginning.
    posted: Vec<Vec<MessageId>>,
    _dir: tempfile::TempDir,
}

/// Room, `seq`, author, text and client id of a message, whether its author had not seen all before it, and what it carries
/// beside.
type LeftMessage = (usize, i32, usize, String, Option<String>, bool, String);

/// What a run leaves behind.
#[derive(Debug, PartialEq, Eq)]
struct Left {
    /// Every message.
    messages: Vec<LeftMessage>,
    /// Room, `seq` and user of every mention by name.
    mentions: Vec<(usize, i32, usize)>,
    /// Room and user of every member, how far that member has read, and whether the member sees the room.
    read: Vec<(usize, usize, i32, bool)>,
    /// The highest mark of every member.
    marks: BTreeMap<(usize, usize), i32>,
    /// Who stands by which reaction to which message.
    reactions: Vec<(usize, i32, usize, String)>,
    /// How many are counted.
    counts: BTreeMap<(usize, i32, String), i32>,
    /// What each caller received, in the order of the run.
    outcomes: Vec<String>,
}

impl World {
    async fn new() -> Self {
        Self::hidden_by(None).await
    }

    /// With the first room, which is one of two, hidden by this user.
    async fn hidden_by(hider: Option<usize>) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::connect(&Store::sqlite_url(dir.path()), 2, Arc::new(|_| {})).await.expect("a database");
        store.migrate().await.expect("the schema");
        let mut world = Self { store, users: Vec::new(), rooms: Vec::new(), posted: Vec::new(), _dir: dir };
        let (chat, scribe) = world.chat();
        let stop = CancellationToken::new();
        let setting_up = async {
            for name in ["ann", "bob", "eve"] {
                let account = NewAccount::parse(name, None, None).expect("an account");
                let user = chat.add_user(account, UserType::Consumer).await.expect("a user").id;
                let until = chat.clock().now();
                world.users.push(Viewer {
                    user,
                    session: None,
                    issued_by: None,
                    acted_for: false,
                    valid_after: until,
                    until,
                });
            }
            for kind in [UserType::Consumer, UserType::Support] {
                let mut others = vec![world.users[1].user];
                if kind == UserType::Support {
                    let account = NewAccount::parse("sue", None, None).expect("an account");
                    others.push(chat.add_user(account, kind).await.expect("a user").id);
                }
                let r#type =
                    if kind == UserType::Support { RoomType::ConsumerToSupport } else { RoomType::ConsumerToConsumer };
                let (room, _) = chat.initiate_chat(&world.users[0], &others, r#type).await.expect("a room");
                let mut posted = Vec::new();
                for n in 0..POSTED {
                    let body = Body::parse(format!("before {n}")).expect("a body");
                    posted.push(
                        chat.post(&world.users[0], room.id, body, None, None, Extras::default())
                            .await
                            .expect("a message")
                            .id,
                    );
                }
                world.posted.push(posted);
                world.rooms.push(room.id);
            }
            if let Some(hider) = hider {
                chat.leave_room(&world.users[hider], world.rooms[0]).await.expect("it is hidden");
            }
            stop.cancel();
        };
        tokio::join!(setting_up, scribe.run(stop.clone()));
        world
    }

    fn chat(&self) -> (Chat, Scribe<Command>) {
        let (scribe, handle, _) = Scribe::new(self.store.clone(), Clock::default(), Arc::new(Metrics::new()));
        (
            Chat::new(
                self.store.clone(),
                Clock::default(),
                handle,
                Tokens::new(&Secret::new([0; 32]).expect("a secret")),
                250,
            ),
            scribe,
        )
    }

    fn apply<'w>(&'w self, chat: &'w Chat, op: &Op) -> BoxFuture<'w, String> {
        match op.clone() {
            Op::Post { author, room, body, client_id, seen, beside } => async move {
                let client_id = client_id.map(|id| ClientId::parse(id.to_string()).expect("a client id"));
                let body = Body::parse(body.to_string()).expect("a body");
                let extras = self.extras(room, &beside);
                let posted = chat.post(&self.users[author], self.rooms[room], body, client_id, seen, extras).await;
                told(posted.map(|message| format!("{} {}", message.seq, message.body)))
            }
            .boxed(),
            Op::React { user, room, message, emoji, on } => async move {
                let (viewer, emoji) = (&self.users[user], Emoji::parse(["a", "b", "c"][emoji]).expect("a reaction"));
                let message = self.posted[room][message];
                told(chat.set_reaction(viewer, message, emoji, on).await.map(|message| message.seq.to_string()))
            }
            .boxed(),
            Op::Mark { reader, room, seq } => async move {
                told(chat.mark_read(&self.users[reader], self.rooms[room], seq).await.map(|_| String::new()))
            }
            .boxed(),
        }
    }

    /// All in one transaction, as the scribe takes what has queued.
    async fn together(self, ops: &[Op]) -> Left {
        let (chat, scribe) = self.chat();
        let mut callers: Vec<_> = ops.iter().map(|op| self.apply(&chat, op)).collect();
        for caller in &mut callers {
            let polled = futures_util::poll!(caller);
            assert!(matches!(polled, Poll::Pending), "nothing is applied before the scribe runs");
        }
        let stop = CancellationToken::new();
        stop.cancel();
        let (outcomes, ()) = tokio::join!(futures_util::future::join_all(callers), scribe.run(stop));
        self.left(outcomes).await
    }

    /// Each in a transaction of its own, in the order of arrival.
    async fn one_by_one(self, ops: &[Op]) -> Left {
        let (chat, scribe) = self.chat();
        let stop = CancellationToken::new();
        let applying = async {
            let mut outcomes = Vec::new();
            for op in ops {
                outcomes.push(self.apply(&chat, op).await);
            }
            stop.cancel();
            outcomes
        };
        let (outcomes, ()) = tokio::join!(applying, scribe.run(stop.clone()));
        self.left(outcomes).await
    }

    async fn left(&self, outcomes: Vec<String>) -> Left {
        let room = |id: RoomId| self.rooms.iter().position(|room| *room == id).expect("one of the rooms");
        // A user who is not in the list is the support user.
        let user = |id: UserId| self.users.iter().position(|user| user.user == id).unwrap_or(self.users.len());
        let db = self.store.read();
        let messages = message::Entity::find().order_by_asc(message::Column::Seq).all(db).await.expect("messages");
        let mut messages: Vec<_> = messages
            .into_iter()
            .map(|it| {
                let named: Vec<usize> = it.mentioned().map(user).collect();
                let beside = format!("{:?} {:?} {named:?} {}", it.reply_to_seq, it.custom, it.mentions_room);
                (room(it.room_id), it.seq, user(it.author_id), it.body, it.client_id, it.author_behind, beside)
            })
            .collect();
        messages.sort();
        let members = member::Entity::find().all(db).await.expect("members");
        let mut read: Vec<_> = members
            .into_iter()
            .map(|it| (room(it.room_id), user(it.user_id), it.read_seq, it.left_position.is_none()))
            .collect();
        read.sort_unstable();
        let mut marks = BTreeMap::new();
        for mark in read_mark::Entity::find().all(db).await.expect("marks") {
            let highest = marks.entry((room(mark.room_id), user(mark.user_id))).or_insert(mark.seq);
            *highest = mark.seq.max(*highest);
        }
        let places: BTreeMap<MessageId, (usize, i32)> = message::Entity::find()
            .all(db)
            .await
            .expect("messages")
            .into_iter()
            .map(|it| (it.id, (room(it.room_id), it.seq)))
            .collect();
        let rows = reaction::Entity::find().all(db).await.expect("reactions");
        let mut reactions: Vec<_> = rows
            .into_iter()
            .filter(|row| row.is_on)
            .map(|row| (places[&row.message_id].0, places[&row.message_id].1, user(row.user_id), row.emoji))
            .collect();
        reactions.sort();
        let counts = reaction_count::Entity::find().all(db).await.expect("counts").into_iter();
        let counts = counts.map(|row| {
            let (room, seq) = places[&row.message_id];
            ((room, seq, row.emoji), row.count)
        });
        let mentions = mention::Entity::find().all(db).await.expect("mentions").into_iter();
        let mut mentions: Vec<_> = mentions.map(|it| (room(it.room_id), it.seq, user(it.user_id))).collect();
        mentions.sort_unstable();
        Left { messages, mentions, read, marks, reactions, counts: counts.collect(), outcomes }
    }
}

fn told(outcome: Result<String, Error>) -> String {
    outcome.unwrap_or_else(|error| format!("{error:?}"))
}

fn post(seen: impl Strategy<Value = Option<i32>>) -> impl Strategy<Value = Op> {
    (0..3_usize, 0..2_usize, 0..3_u8, prop::option::of(0..2_u8), seen, beside()).prop_map(
        |(author, room, body, client_id, seen, beside)| Op::Post { author, room, body, client_id, seen, beside },
    )
}

fn mark(seqs: std::ops::RangeInclusive<i32>) -> impl Strategy<Value = Op> {
    (0..3_usize, 0..2_usize, seqs).prop_map(|(reader, room, seq)| Op::Mark { reader, room, seq })
}

fn react() -> impl Strategy<Value = Op> {
    (0..3_usize, 0..2_usize, 0..2_usize, 0..3_usize, any::<bool>())
        .prop_map(|(user, room, message, emoji, on)| Op::React { user, room, message, emoji, on })
}

fn run(op: impl Strategy<Value = Op>) -> impl Strategy<Value = Vec<Op>> {
    prop::collection::vec(op, 2..12)
}

/// The run in another order, which keeps the order of the posts to each room, because they are numbered by it.
fn reordered(ops: &[Op], keys: &[u32]) -> Vec<Op> {
    let mut keys: Vec<u32> = keys.iter().copied().cycle().take(ops.len()).collect();
    for asked in 0..2 {
        let of_room = |op: &Op| matches!(op, Op::Post { room, .. } if *room == asked);
        let places: Vec<usize> = (0..ops.len()).filter(|n| of_room(&ops[*n])).collect();
        let mut sorted: Vec<u32> = places.iter().map(|n| keys[*n]).collect();
        sorted.sort_unstable();
        places.into_iter().zip(sorted).for_each(|(n, key)| keys[n] = key);
    }
    let mut order: Vec<usize> = (0..ops.len()).collect();
    order.sort_by_key(|n| keys[*n]);
    order.into_iter().map(|n| ops[n].clone()).collect()
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(work)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Posts: no difference, nor where one brings a room back to the author of another.
    #[test]
    fn posts_applied_together_leave_what_they_leave_one_by_one(
        ops in run(post(prop::option::of(0..=POSTED + 3))), hider in prop::option::of(0..2_usize),
    ) {
        let (together, one_by_one) = block_on(async {
            let [one, other] = [World::hidden_by(hider).await, World::hidden_by(hider).await];
            (one.together(&ops).await, other.one_by_one(&ops).await)
        });
        prop_assert_eq!(together, one_by_one);
    }

    /// Reactions: no difference. (All reactions to one message become one event.)
    #[test]
    fn reactions_applied_together_leave_what_they_leave_one_by_one(ops in run(react())) {
        let (together, one_by_one) = block_on(async {
            (World::new().await.together(&ops).await, World::new().await.one_by_one(&ops).await)
        });
        for count in together.counts.values() {
            prop_assert!(*count > 0);
        }
        let counted: i32 = together.counts.values().sum();
        prop_assert_eq!(together.reactions.len(), usize::try_from(counted).expect("a count"));
        prop_assert_eq!(together, one_by_one);
    }

    /// Marks: of several steps of one reader only the highest is kept. (All marks of one room become one event.)
    #[test]
    fn marks_applied_together_in_any_order_leave_what_they_leave_one_by_one(
        ops in run(mark(-1..=POSTED + 1)), keys in prop::collection::vec(any::<u32>(), 12),
    ) {
        let (together, one_by_one, other) = block_on(async {
            let other = reordered(&ops, &keys);
            (
                World::new().await.together(&ops).await,
                World::new().await.one_by_one(&ops).await,
                World::new().await.together(&other).await,
            )
        });
        prop_assert_eq!(&together, &one_by_one);
        prop_assert_eq!((together.read, together.marks), (other.read, other.marks));
    }

    /// Posts and marks: a user who marks and posts in one run leaves only the mark of the post, whichever came first.
    /// (Whether a mark beyond the newest message is refused depends on what is posted in the same run. No client makes
    /// such a mark, because none has received that message yet. So does whether a post that says what was seen finds all
    /// before it read.)
    #[test]
    fn posts_and_marks_applied_together_leave_what_they_leave_one_by_one(
        ops in run(prop_oneof![post(Just(None)), mark(0..=POSTED)]), keys in prop::collection::vec(any::<u32>(), 12),
    ) {
        let posts_in = |room: usize, user: usize| {
            ops.iter().any(|op| matches!(op, Op::Post { author, room: r, .. } if *r == room && *author == user))
        };
        let without_marks_of_authors = |left: Left| {
            let marks = left.marks.into_iter().filter(|((room, user), _)| !posts_in(*room, *user)).collect();
            Left { marks, ..left }
        };
        let (together, one_by_one, other) = block_on(async {
            let other = reordered(&ops, &keys);
            (
                World::new().await.together(&ops).await,
                World::new().await.one_by_one(&ops).await,
                World::new().await.together(&other).await,
            )
        });
        let (together, other) = (without_marks_of_authors(together), without_marks_of_authors(other));
        prop_assert_eq!(&together, &without_marks_of_authors(one_by_one));
        prop_assert_eq!((together.messages, together.read, together.marks), (other.messages, other.read, other.marks));
    }
}
