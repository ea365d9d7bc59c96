use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};
use tempfile::TempDir;
use tokio_util::task::TaskTracker;

use super::*;
use crate::ids::{RoomId, UserId};
use crate::log::{Append, NewEvent, head};
use crate::position::{Position, Tag};
use crate::store::entity::event;

/// How long anything here may take.
const LIMIT: Duration = Duration::from_secs(20);

/// Remembers what it was given, and fails as often as it is told to.
#[derive(Default)]
struct Remembers {
    oldest: bool,
    given: Mutex<Vec<i64>>,
    missed: AtomicU32,
    failures: AtomicU32,
}

/// A handler that several consumers, one after the other, share.
struct Shared(Arc<Remembers>);

impl Handler for Shared {
    fn name(&self) -> &'static str {
        "remembers"
    }

    fn begin(&self) -> Begin {
        if self.0.oldest { Begin::Oldest } else { Begin::Head }
    }

    fn wants(&self, _: &Event) -> bool {
        true
    }

    async fn handle(&self, events: &[Event]) -> Result<(), HandlerError> {
        self.0.given.lock().expect("no panic").extend(events.iter().map(|event| event.position.0));
        let left = self.0.failures.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        left.map_or(Ok(()), |_| Err("it was told to fail".into()))
    }

    async fn missed(&self) -> Result<(), HandlerError> {
        self.0.missed.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

impl Remembers {
    fn from_oldest() -> Arc<Self> {
        Arc::new(Self { oldest: true, ..Self::default() })
    }

    fn given(&self) -> Vec<i64> {
        self.given.lock().expect("no panic").clone()
    }
}

/// A log, and what is needed to consume it.
struct World {
    store: Store,
    memory: Arc<Memory>,
    metrics: Arc<Metrics>,
    tasks: TaskTracker,
    stop: CancellationToken,
    _dir: TempDir,
}

impl World {
    async fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::connect(&Store::sqlite_url(dir.path()), 2, Arc::new(|_| {})).await.expect("a database");
        store.migrate().await.expect("the schema");
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        Self {
            store,
            memory: Arc::new(Memory::after(Cursor::default())),
            metrics: Arc::new(Metrics::new()),
            tasks,
            stop,
            _dir: dir,
        }
    }

    async fn append(&self, count: usize) {
        let mut append = Append::begin(&self.store, &Clock::default()).await.expect("the log's lock");
        for _ in 0..count {
            append.record(NewEvent::room_joined(UserId::generate(), RoomId::generate()));
        }
        append.write().await.expect("the events are written");
        append.commit().await.expect("the events are committed");
    }

    /// Starts a consumer that looks at the log all the time, until [`Self::stop`].
    fn start(&self, handler: &Arc<Remembers>) {
        let (store, metrics) = (self.store.clone(), self.metrics.clone());
        let poll = Duration::from_millis(5);
        let consumer =
            Consumer::new(Shared(handler.clone()), store, self.memory.clone(), Clock::default(), metrics, poll);
        self.tasks.spawn(Arc::new(consumer).run(self.stop.clone()));
    }

    async fn stop(&mut self) {
        self.stop.cancel();
        self.tasks.close();
        timeout(LIMIT, self.tasks.wait()).await.expect("the consumer ends when it is told to");
        (self.tasks, self.stop) = (TaskTracker::new(), CancellationToken::new());
    }

    async fn place(&self) -> Option<Cursor> {
        place::read(&self.store, "remembers").await.expect("the row can be read")
    }

    async fn until(&self, what: &str, holds: impl Fn(Option<Cursor>) -> bool) {
        let reached = async {
            while !holds(self.place().await) {
                tokio::task::yield_now().await;
            }
        };
        timeout(LIMIT, reached).await.unwrap_or_else(|_| panic!("waited {LIMIT:?} for {what}"));
    }

    async fn until_at(&self, position: i64) {
        self.until(&format!("position {position}"), |at| at.is_some_and(|at| at.position.0 == position)).await;
    }

    async fn execute(&self, sql: &str) {
        let tx = self.store.begin_write().await.expect("a transaction");
        tx.execute_unprepared(sql).await.expect("the statement is accepted");
        tx.commit().await.expect("it is committed");
    }
}

#[tokio::test]
async fn every_event_is_given_once_in_order_over_many_batches_and_restarts() {
    let mut world = World::new().await;
    let handler = Remembers::from_oldest();
    let many = i64::try_from(2 * BATCH + 7).expect("it is small");
    world.append(2 * BATCH + 7).await;
    world.start(&handler);
    world.until_at(many).await;
    world.stop().await;
    world.append(3).await;
    world.start(&handler);
    world.append(1).await;
    world.until_at(many + 4).await;
    world.stop().await;
    assert_eq!(handler.given(), (1..=many + 4).collect::<Vec<_>>());
    assert_eq!(handler.missed.load(Ordering::Relaxed), 0);
    assert_eq!(world.place().await, Some(head(&world.store).await.expect("the head")));
}

#[tokio::test]
async fn a_new_consumer_begins_at_the_head_if_it_is_registered_so() {
    let mut world = World::new().await;
    let handler = Arc::<Remembers>::default();
    world.append(5).await;
    world.start(&handler);
    world.until_at(5).await;
    world.append(2).await;
    world.until_at(7).await;
    world.stop().await;
    assert_eq!(handler.given(), [6, 7]);
}

#[tokio::test]
async fn a_failing_handler_is_given_the_same_again_after_a_pause() {
    let mut world = World::new().await;
    let handler = Remembers::from_oldest();
    handler.failures.store(2, Ordering::Relaxed);
    world.append(2).await;
    let started = std::time::Instant::now();
    world.start(&handler);
    world.until_at(2).await;
    world.stop().await;
    assert_eq!(handler.given(), [1, 2, 1, 2, 1, 2]);
    let least = (PAUSES.0 + 2 * PAUSES.0) / 2;
    assert!(started.elapsed() >= least, "tried again after {:?}", started.elapsed());
    assert_eq!(world.metrics.consumer_failures.with_label_values(&["remembers"]).get(), 2);
}

#[tokio::test]
async fn what_was_trimmed_before_it_was_read_is_told_and_the_rest_is_given() {
    let mut world = World::new().await;
    let handler = Remembers::from_oldest();
    world.append(3).await;
    world.start(&handler);
    world.until_at(3).await;
    world.stop().await;
    world.append(4).await;
    // The next one is still there.
    world.execute("DELETE FROM event WHERE position <= 3").await;
    world.start(&handler);
    world.until_at(7).await;
    assert_eq!(handler.missed.load(Ordering::Relaxed), 0);
    world.stop().await;

    world.append(4).await;
    world.execute("DELETE FROM event WHERE position <= 9").await;
    world.start(&handler);
    world.until_at(11).await;
    world.stop().await;
    assert_eq!(handler.missed.load(Ordering::Relaxed), 1);
    assert_eq!(world.metrics.consumer_missed.with_label_values(&["remembers"]).get(), 1);
    assert_eq!(handler.given(), [1, 2, 3, 4, 5, 6, 7, 10, 11]);
}

#[tokio::test]
async fn a_new_consumer_of_a_trimmed_log_is_told_that_it_missed_something() {
    let mut world = World::new().await;
    let handler = Remembers::from_oldest();
    world.append(4).await;
    world.execute("DELETE FROM event WHERE position <= 2").await;
    world.start(&handler);
    world.until_at(4).await;
    world.stop().await;
    assert_eq!((handler.missed.load(Ordering::Relaxed), handler.given()), (1, vec![3, 4]));
}

#[tokio::test]
async fn a_consumer_that_stood_still_cannot_set_others_back() {
    let mut world = World::new().await;
    world.append(10).await;
    let events = event::Entity::find().all(world.store.read()).await.expect("the log");
    let at = |position: usize| events[position - 1].cursor();
    place::register(&world.store, "remembers", at(2), Clock::default().now()).await.expect("a row");

    let go = |from, to| place::advance(&world.store, "remembers", from, to, Clock::default().now());
    assert!(go(at(2), at(9)).await.expect("the database answers"), "the other node");
    assert!(!go(at(2), at(3)).await.expect("the database answers"), "the one that stood still");
    assert_eq!(world.place().await, Some(at(9)));
    let other_tag = Cursor { tag: Tag::from(7), ..at(9) };
    assert!(!go(other_tag, at(10)).await.expect("the database answers"), "one that read another log");

    // Where the row is moved while it works, it goes on from there.
    let handler = Remembers::from_oldest();
    world.start(&handler);
    world.until_at(10).await;
    world.stop().await;
    assert_eq!(handler.given(), [10]);
}

#[tokio::test]
async fn a_row_of_another_log_stops_the_consumer_until_it_is_deleted() {
    let mut world = World::new().await;
    let handler = Remembers::from_oldest();
    world.append(4).await;
    world.start(&handler);
    world.until_at(4).await;
    world.stop().await;
    world.execute("UPDATE event SET tag = tag + 1 WHERE position = 4").await;
    world.append(2).await;

    world.start(&handler);
    let failures = world.metrics.consumer_failures.with_label_values(&["remembers"]);
    world.until("the consumer to look", |_| failures.get() > 0).await;
    assert_eq!(world.place().await.map(|at| at.position), Some(Position(4)));
    assert_eq!(handler.given(), [1, 2, 3, 4]);
    world.execute("DELETE FROM consumer").await;
    world.until_at(6).await;
    world.stop().await;
    assert_eq!(handler.given(), [1, 2, 3, 4, 1, 2, 3, 4, 5, 6]);
}

#[tokio::test]
async fn a_log_that_was_replaced_beneath_a_running_consumer_is_read_from_its_own_row() {
    let mut world = World::new().await;
    let handler = Remembers::from_oldest();
    world.append(3).await;
    let older = head(&world.store).await.expect("the head");
    world.append(3).await;
    world.start(&handler);
    world.until_at(6).await;
    // The copy holds three events, and its row says that they were read; then it goes on.
    let row = format!(
        "UPDATE consumer SET position = 3, tag = (SELECT tag FROM event WHERE position = {})",
        older.position.0
    );
    let held = world.store.begin_write().await.expect("a transaction");
    held.execute_unprepared("DELETE FROM event WHERE position > 3").await.expect("the copy is older");
    held.execute_unprepared(&row).await.expect("and its row with it");
    held.commit().await.expect("it is restored");
    world.append(4).await;
    world.until_at(7).await;
    world.stop().await;
    let given = handler.given();
    assert_eq!(given[..6], [1, 2, 3, 4, 5, 6]);
    assert_eq!(given[6..], [4, 5, 6, 7], "nothing of the copy's own is skipped");
    let gone = event::Entity::find().filter(event::Column::Position.gt(7)).all(world.store.read()).await;
    assert!(gone.expect("the log").is_empty());
}
