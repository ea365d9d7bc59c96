use std::any::TypeId;
use std::sync::Mutex;
use std::time::Duration;

use async_graphql::parser::parse_query;
use async_graphql::{Request, Response, Value, Variables};
use tokio::sync::watch;

use super::*;
use crate::clock::Clock;
use crate::delivery::hub::ActivityObserver;
use crate::delivery::notice::SyncNotice;
use crate::delivery::{Content, Delivery, Executed, Shape, Subscribe};
use crate::ids::RoomId;
use crate::log::replay::Filter;
use crate::position::{Position, Resume};
use crate::store::Store;

struct Deaf;

impl ActivityObserver for Deaf {
    fn posted(&self, _: RoomId, _: UserId) {}

    fn left(&self, _: RoomId, _: UserId) {}
}

/// Shows each notice as a text. What it is to fail at is taken out of the list, whose last is next: the text, and how.
fn execute(failures: Vec<(&'static str, Failure)>) -> Execute {
    let failures = Arc::new(Mutex::new(failures));
    Arc::new(move |request: Request| {
        let feed = request.data.get(&TypeId::of::<Feed>()).and_then(|feed| feed.downcast_ref::<Feed>());
        let feed = feed.expect("delivery gives each request a feed").clone();
        let failures = failures.clone();
        let opened = async move { feed.open(Filter::Everything, None).await.expect("the log can be read") };
        futures_util::stream::once(opened)
            .flatten()
            .map(move |notice| {
                let text = match notice.expect("the log can be read").content {
                    Content::Sync(SyncNotice::Synced) => "synced",
                    _ => "resync",
                };
                let mut failures = failures.lock().expect("no test panics with it");
                let failure = failures.pop_if(|(fails_at, _)| *fails_at == text).map(|(_, failure)| failure);
                Executed { response: Response::new(Value::from(text)), failure }
            })
            .boxed()
    })
}

/// A subscription that resumes from a cursor that is ahead of the log: it is told so, then that it is synced.
async fn subscription(dir: &tempfile::TempDir, failures: Vec<(&'static str, Failure)>) -> Subscription {
    let store = Store::connect(&Store::sqlite_url(dir.path()), 1, Arc::new(|_| {})).await.expect("a database");
    store.migrate().await.expect("the schema");
    let metrics = Arc::new(Metrics::new());
    let (_, committed) = watch::channel(Position::default());
    let hub = Hub::new(store, Clock::default(), Cursor::default(), committed, metrics.clone(), Arc::new(Deaf));
    let limits = super::WaitLimits { at_least: Duration::from_mins(1), spread: Duration::ZERO };
    let delivery =
        Delivery::new(Arc::new(hub), execute(failures), |_| "Event".into(), TaskTracker::new(), metrics, limits);
    let text: Arc<str> = "subscription { events { cursor } }".into();
    let document = parse_query(&text).expect("a document");
    let shape = Shape::of(&text, &document, None, &Variables::default()).expect("a subscription");
    let request: MakeRequest = Arc::new(|| Request::new(""));
    let begun = delivery.subscribe(Subscribe {
        user: UserId::generate(),
        resume: Some(Resume::At(Cursor { position: Position(7), ..Cursor::default() })),
        allowance: Allowance::default(),
        shape,
        shared_request: request.clone(),
        viewers_request: request.clone(),
        request,
    });
    begun.unwrap_or_else(|_| panic!("it is the first"))
}

/// The next text that is shown.
async fn shown(subscription: &mut Subscription) -> String {
    let delivered = tokio::time::timeout(Duration::from_secs(30), subscription.next()).await.expect("in time");
    let Some(Delivered::Next { json, .. }) = delivered else { panic!("expected a response, got {delivered:?}") };
    json.to_string()
}

#[tokio::test]
async fn what_an_outage_kept_from_being_rendered_comes_once_and_nothing_before_it_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let outages = ["synced", "synced", "synced", "synced", "resync"].map(|text| (text, Failure::Outage));
    let mut subscription = subscription(&dir, outages.into()).await;
    let waiting = subscription.parts.metrics.subscriptions_waiting.clone();
    assert_eq!(shown(&mut subscription).await, r#"{"data":"resync"}"#);
    assert_eq!(shown(&mut subscription).await, r#"{"data":"synced"}"#);
    assert!(matches!(subscription.state, State::CatchingUp { .. } | State::Live(_)));
    assert_eq!(waiting.get(), 0);
}

#[tokio::test]
async fn a_defect_is_tried_three_times_and_told() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut subscription = subscription(&dir, vec![("synced", Failure::Server); 3]).await;
    assert_eq!(shown(&mut subscription).await, r#"{"data":"resync"}"#);
    let last = tokio::time::timeout(Duration::from_secs(30), subscription.next()).await.expect("in time");
    assert!(matches!(last, Some(Delivered::Refused(_))), "{last:?}");
}

#[test]
fn what_was_shown_is_past_and_what_is_in_no_log_is_only_before_that() {
    let at = |position| Cursor { position: Position(position), ..Cursor::default() };
    for (position, is_logged, expected) in
        [(4, true, true), (5, true, true), (6, true, false), (4, false, true), (5, false, false), (6, false, false)]
    {
        let rendered = Rendered { cursor: at(position), payload: "{}".into(), is_logged };
        assert_eq!(is_past(&rendered, at(5)), expected, "{position} {is_logged}");
    }
}
