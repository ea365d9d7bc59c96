//! The functions that run for every document, every batch of posts, every event and every socket:
//! `cargo bench -p parlor-bench`.

use std::path::Path;
use std::sync::Arc;

use async_graphql::Request;
use divan::{Bencher, black_box};
use futures_util::StreamExt;
use futures_util::future::join_all;
use parlor::chat::message::{Body, Extras};
use parlor::chat::user::NewAccount;
use parlor::chat::{Chat, Viewer};
use parlor::clock::Clock;
use parlor::config::Config;
use parlor::delivery::hub::audience::{Audiences, Subscriber};
use parlor::delivery::mailbox::{Mailbox, Rendered};
use parlor::delivery::render::{Groups, Joining, RenderGroup};
use parlor::delivery::{Execute, MakeRequest, Shape};
use parlor::http::guard::{Guard, Limits, prescan::prescan, weigh::weigh};
use parlor::http::ws::protocol;
use parlor::ids::{RoomId, UserId};
use parlor::log::replay::Filter;
use parlor::log::{Class, Effect};
use parlor::position::Cursor;
use parlor::server::Core;
use parlor::store::entity::member::Membership;
use parlor::store::entity::room::RoomType;
use parlor::store::entity::user::UserType;
use parlor::telemetry::Metrics;
use tokio::runtime::Runtime;
use tokio_util::task::TaskTracker;

const DOCUMENT: &str = include_str!("document.graphql");

/// A response as it is rendered for an event: about 300 bytes.
const RESPONSE: &str = include_str!("response.json");

fn main() {
    divan::main();
}

#[divan::bench]
fn prescan_a_usual_document(bencher: Bencher) {
    let limits = Limits::default();
    bencher.bench(|| prescan(black_box(DOCUMENT), &limits).is_ok());
}

#[divan::bench]
fn parse_a_usual_document(bencher: Bencher) {
    bencher.bench(|| async_graphql::parser::parse_query(black_box(DOCUMENT)).is_ok());
}

#[divan::bench]
fn weigh_a_usual_document(bencher: Bencher) {
    let (limits, document) = (Limits::default(), parsed());
    bencher.bench(|| weigh(black_box(&document), &limits).is_ok());
}

#[divan::bench]
fn admit_a_document_that_was_admitted_before(bencher: Bencher) {
    let guard = Guard::new(Limits::default());
    bencher.bench(|| guard.admit(black_box(DOCUMENT)).is_ok());
}

#[divan::bench]
fn splice_an_operation_id_into_a_rendered_event(bencher: Bencher) {
    bencher.bench(|| protocol::next(black_box("1"), black_box(RESPONSE)));
}

/// Batches of posts through the scribe, to an SQLite file with a full sync for each.
#[divan::bench(args = [1, 16, 256], sample_count = 20, sample_size = 5)]
fn append_a_batch_of_posts(bencher: Bencher, posts: usize) {
    let runtime = Runtime::new().expect("a runtime can be made");
    let directory = tempfile::tempdir().expect("a directory can be made");
    let (chat, viewers, room) = runtime.block_on(chat(directory.path()));
    bencher.counter(posts).bench_local(|| {
        runtime.block_on(
            join_all(
                (0..posts).map(|n| {
                    let body = Body::parse("Nothing is lost, nothing comes twice.".to_owned()).expect("a good body");
                    let (chat, viewer) = (&chat, &viewers[n % viewers.len()]);
                    async move {
                        chat.post(viewer, room, body, None, None, Extras::default()).await.expect("a member may post")
                    }
                }),
            ),
        )
    });
}

/// Who receives a post to a room: as known from the last one, and anew after a member has changed something.
#[divan::bench(args = [8, 1_000], consts = [false, true])]
fn route_a_post<const ANEW: bool>(bencher: Bencher, members: usize) {
    let (room, member, mut audiences) = audiences(members);
    bencher.counter(members).bench_local(|| {
        if ANEW {
            audiences.fold(Effect::Mutes(member, room, false));
        }
        audiences.of_room(room, Class::Post)
    });
}

/// Handing a rendered event to mailboxes, and taking it out again.
#[divan::bench(args = [8, 1_000])]
fn fill_and_empty_mailboxes(bencher: Bencher, mailboxes: usize) {
    let mailboxes: Vec<Mailbox> = (0..mailboxes).map(|_| Mailbox::default()).collect();
    let rendered = [Arc::new(Rendered { cursor: Cursor::default(), payload: RESPONSE.into(), is_logged: true })];
    let context = std::task::Context::from_waker(std::task::Waker::noop());
    bencher.counter(mailboxes.len()).bench_local(|| {
        for mailbox in &mailboxes {
            mailbox.push(&rendered);
        }
        mailboxes.iter().filter(|mailbox| mailbox.poll_next(&context).is_ready()).count()
    });
}

fn parsed() -> async_graphql::parser::types::ExecutableDocument {
    async_graphql::parser::parse_query(DOCUMENT).expect("a document")
}

/// A chat on fresh data with a room of four.
async fn chat(directory: &Path) -> (Chat, Vec<Viewer>, RoomId) {
    let config = Config { data_dir: directory.to_owned(), ..Config::default() };
    let (core, _commits) = Core::open(&config, Clock::default(), &TaskTracker::new()).await.expect("it opens");
    let (chat, until) = (core.chat, Clock::default().now());
    let mut viewers = Vec::new();
    for name in ["ann", "bob", "eve", "joe"] {
        let account = NewAccount::parse(name, None, None).expect("a good name");
        let user = chat.add_user(account, UserType::Consumer).await.expect("the name is free").id;
        viewers.push(Viewer { user, session: None, issued_by: None, acted_for: false, valid_after: until, until });
    }
    let users: Vec<UserId> = viewers.iter().map(|viewer| viewer.user).collect();
    let opened = chat.initiate_chat(&viewers[0], &users, RoomType::ConsumerToConsumer).await;
    (chat, viewers, opened.expect("it can be opened").0.id)
}

/// A room whose members are all subscribed, in one group; and one of them.
fn audiences(members: usize) -> (RoomId, UserId, Audiences) {
    let runtime = Runtime::new().expect("a runtime can be made");
    let _inside = runtime.enter();
    let (room, mut member, group) = (RoomId::generate(), UserId::generate(), group());
    let mut audiences = Audiences::default();
    for id in 0..members as u64 {
        let user = UserId::generate();
        audiences.learn(user, [Membership { room_id: room, muted: false }].into_iter().collect());
        let (group, mailbox) = (group.clone(), Arc::new(Mailbox::default()));
        audiences.add(user, Subscriber { id, filter: Filter::Everything, group, mailbox });
        member = user;
    }
    (room, member, audiences)
}

fn group() -> Arc<RenderGroup> {
    let execute: Execute = Arc::new(|_| futures_util::stream::pending().boxed());
    let groups = Arc::new(Groups::new(execute, |_| "Event".into(), TaskTracker::new(), Arc::new(Metrics::new())));
    let text = "subscription { events { cursor } }";
    let document = async_graphql::parser::parse_query(text).expect("a document");
    let shape = Shape::of(&text.into(), &document, None, &async_graphql::Variables::default());
    let request: MakeRequest = Arc::new(|| Request::new(""));
    let user = UserId::generate();
    let shape = shape.expect("a subscription");
    let joining = Joining { shape, user, shared_request: request.clone(), viewers_request: request };
    groups.join(joining).expect("it is the first")
}
