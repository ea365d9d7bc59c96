//! Tells one receiver what happens.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use sea_orm::DbErr;
use tokio::sync::Notify;
use tokio::time::sleep;

use super::attempt::{Outcome, attempt};
use super::body::Body;
use super::document::Document;
use super::retries;
use super::standing::{self, End, Failed, Standing};
use super::{Parts, Rules};
use crate::delivery::notice::EventRows;
use crate::delivery::{Executed, Notice, Rendering};
use crate::ids::WebhookId;
use crate::log::{Begin, Event, Handler, HandlerError};
use crate::outgoing::Location;
use crate::position::Cursor;
use crate::store::entity::webhook;

/// Events that are on their way to one receiver at the same time. So many may be sent again when a node dies.
pub(super) const IN_FLIGHT: usize = 8;

/// So many events in a row are refused by a receiver that is down, rather than by one that doesn't like them.
const DOWN_AFTER: usize = 5;

/// How often it is tried to render an event that can't be, and the pause between.
pub(super) const RENDERINGS: usize = 3;
const RENDER_AGAIN: Duration = Duration::from_millis(200);

/// So often the consumer comes back to an event that can't be rendered. Then it stands among the failures.
const UNMADE_TO_GIVE_UP: u32 = 5;

/// How often whoever waits for a moment looks at the clock.
const LOOK: Duration = Duration::from_secs(1);

/// One webhook, as long as nobody changes it.
pub(super) struct Worker {
    parts: Arc<Parts>,
    rules: Arc<Rules>,
    webhook: webhook::Model,
    /// That of its consumer.
    name: String,
    to: Location,
    document: Document,
    rendering: tokio::sync::Mutex<Rendering>,
    standing: Mutex<Standing>,
    progress: Mutex<Progress>,
    /// Whether it has events in hand that wait in the log.
    busy: AtomicBool,
    /// Notified when an event was refused.
    pub(super) refused: Notify,
}

/// What has become of events that the consumer will bring again, because not all that came with them are dealt with.
#[derive(Default)]
struct Progress {
    /// They were taken, or stand among the failures.
    settled: HashSet<Cursor>,
    /// How often the consumer was sent away because of an event that can't be rendered.
    unmade: HashMap<Cursor, u32>,
}

/// Why the consumer is to come again.
#[derive(Debug, thiserror::Error)]
enum TellError {
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbErr),
    /// This server can't render an event, because its database is slow or away, for example.
    #[error("the event at position {} could not be rendered", .0.position.0)]
    Unmade(Cursor),
}

impl Worker {
    /// The worker of this webhook. The error says why it can't be told anything.
    pub(super) fn new(parts: Arc<Parts>, rules: Arc<Rules>, webhook: webhook::Model) -> Result<Self, String> {
        let to = parts.outgoing.locate(&webhook.url).map_err(|problem| format!("`url` {problem}"))?;
        let document = parts.documents.read(&webhook.query).map_err(|problem| format!("`query` {problem}"))?;
        let rendering = Rendering::new(parts.execute.clone(), document.request.clone()).into();
        let standing = Mutex::new(Standing::of(&webhook));
        let name = webhook.consumer();
        let (progress, busy, refused) = (Mutex::default(), AtomicBool::default(), Notify::new());
        Ok(Self { parts, rules, webhook, name, to, document, rendering, standing, progress, busy, refused })
    }

    pub(super) fn id(&self) -> WebhookId {
        self.webhook.id
    }

    pub(super) fn version(&self) -> i64 {
        self.webhook.version
    }

    pub(super) fn parts(&self) -> &Parts {
        &self.parts
    }

    /// Tells its receiver again what it has refused, for ever.
    pub(super) async fn retry(&self) {
        retries::run(self).await;
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.parts.chat.clock().now()
    }

    pub(super) fn standing(&self) -> Standing {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn stand(&self, standing: Standing) {
        *self.standing.lock().unwrap_or_else(PoisonError::into_inner) = standing;
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it has events in hand that wait in the log, by which a receiver that is down is tried.
    pub(super) fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed)
    }

    /// Waits until this moment, by a clock that may be moved.
    pub(super) async fn until(&self, moment: DateTime<Utc>) {
        while let Ok(left) = (moment - self.now()).to_std() {
            sleep(left.clamp(Duration::from_millis(1), LOOK)).await;
        }
    }

    /// Tells these events at the same time.
    ///
    /// # Errors
    /// When the database can't be read.
    pub(super) async fn tell(&self, events: &[Event]) -> Result<Vec<Outcome>, DbErr> {
        let shown: Vec<&Event> = events.iter().collect();
        let rows = EventRows::load_for_backend(&self.parts.store, &shown).await?;
        let mut bodies = Vec::with_capacity(events.len());
        let mut tries = RENDERINGS;
        for event in events {
            let body = self.render(event, &rows, tries).await;
            if matches!(body, Err(Outcome::Unmade(_))) {
                // What keeps this server from rendering one keeps it from others, most likely.
                tries = 1;
            }
            bodies.push(body);
        }
        Ok(join_all(bodies.into_iter().map(|body| self.attempt(body))).await)
    }

    /// What is sent of an event.
    async fn render(&self, event: &Event, rows: &EventRows, tries: usize) -> Result<Body, Outcome> {
        let r#type = self.document.types.get(&event.kind).ok_or(Outcome::Nothing)?;
        let notice = Notice::for_backend(event, rows).ok_or(Outcome::Nothing)?;
        let Some(shown) = rendered(&self.rendering, &notice, tries).await else {
            return Err(Outcome::Unmade(Failed { status: None, problem: "it could not be made".to_owned() }));
        };
        Ok(Body::of(event, r#type, &shown, &self.parts.cursors))
    }

    async fn attempt(&self, body: Result<Body, Outcome>) -> Outcome {
        match body {
            Ok(body) => attempt(&self.parts, &self.rules, (&self.webhook, &self.to), &body).await,
            Err(outcome) => outcome,
        }
    }

    /// Tells these events, until none of them is left but those that stand among the failures.
    async fn tell_all(&self, events: &[Event]) -> Result<(), TellError> {
        let mut left: VecDeque<Event> = {
            let progress = self.progress();
            events.iter().filter(|event| !progress.settled.contains(&event.cursor())).cloned().collect()
        };
        while !left.is_empty() {
            let before = self.standing();
            if let Some(next_at) = before.next_at {
                self.until(next_at).await;
            }
            let is_probe = before.is_down();
            let together = if is_probe || self.webhook.ordered { 1 } else { IN_FLIGHT };
            let told: Vec<Event> = left.drain(..together.min(left.len())).collect();
            let outcomes = self.tell(&told).await?;
            let delivered = outcomes.contains(&Outcome::Delivered);
            let (mut failed, mut unmade) = (Vec::new(), Vec::new());
            for (event, outcome) in told.into_iter().zip(outcomes) {
                match outcome {
                    Outcome::Delivered | Outcome::Nothing => {
                        self.progress().settled.insert(event.cursor());
                    }
                    Outcome::Unmade(problem) => unmade.push((event, problem)),
                    outcome => failed.push((event, outcome)),
                }
            }
            if delivered && (is_probe || before.refused > 0) {
                self.recovered(is_probe).await?;
            }
            if !failed.is_empty() {
                self.take_back(&mut left, failed, (is_probe, delivered)).await?;
            }
            if !unmade.is_empty() {
                self.put_off(&unmade).await?;
            }
        }
        *self.progress() = Progress::default();
        Ok(())
    }

    /// Deals with events that the receiver didn't take: notes those that are to blame themselves, and puts others back.
    async fn take_back(
        &self,
        left: &mut VecDeque<Event>,
        failed: Vec<(Event, Outcome)>,
        (is_probe, delivered): (bool, bool),
    ) -> Result<(), DbErr> {
        if let Some(Outcome::Gone(failed)) = failed.iter().map(|(_, outcome)| outcome).find(|it| it.is_gone()) {
            self.end(End::Gone(failed.clone())).await?;
        }
        if self.is_about_events(&failed, is_probe, delivered) && self.refuse(&failed).await? {
            return Ok(());
        }
        if let Some((_, last)) = failed.last() {
            self.is_down(last).await?;
        }
        let failed = failed.into_iter().map(|(event, _)| event);
        if is_probe && !self.webhook.ordered {
            // Another is tried next, in case the receiver is well, and doesn't like this one.
            left.extend(failed);
        } else {
            failed.rev().for_each(|event| left.push_front(event));
        }
        Ok(())
    }

    /// Has the consumer come again for events that can't be rendered, which is no receiver's fault. One that never can be
    /// stands among the failures in the end, unless the webhook is ordered: then nothing may be told before it.
    async fn put_off(&self, unmade: &[(Event, Failed)]) -> Result<(), TellError> {
        let mut given_up = Vec::new();
        for (event, problem) in unmade {
            let mut progress = self.progress();
            let times = progress.unmade.entry(event.cursor()).or_default();
            *times += 1;
            if *times >= UNMADE_TO_GIVE_UP && !self.webhook.ordered {
                given_up.push((event, problem));
            }
        }
        let mut noted = HashSet::new();
        if !given_up.is_empty() && retries::note(self, &given_up).await? {
            noted.extend(given_up.iter().map(|(event, _)| event.cursor()));
            self.progress().settled.extend(&noted);
            self.refused.notify_one();
        }
        match unmade.iter().map(|(event, _)| event.cursor()).find(|cursor| !noted.contains(cursor)) {
            Some(cursor) => Err(TellError::Unmade(cursor)),
            None => Ok(()),
        }
    }

    /// Whether these failures are of the events, rather than of the receiver. One that is down is that by its answers to
    /// many; but an answer that blames the event isn't one of a receiver that is away.
    fn is_about_events(&self, failed: &[(Event, Outcome)], is_probe: bool, delivered: bool) -> bool {
        if self.webhook.ordered {
            return false;
        }
        if is_probe {
            return failed.iter().all(|(_, outcome)| outcome.blames_event());
        }
        let refused = if delivered { 0 } else { self.standing().refused + failed.len() };
        refused < DOWN_AFTER && failed.iter().all(|(_, outcome)| matches!(outcome, Outcome::Refused(_)))
    }

    /// Notes that these were refused. `false`: too many such wait to be told again already.
    async fn refuse(&self, failed: &[(Event, Outcome)]) -> Result<bool, DbErr> {
        let failures = failed.iter().filter_map(|(event, outcome)| Some((event, outcome.failed()?)));
        if !retries::note(self, &failures.collect::<Vec<_>>()).await? {
            return Ok(false);
        }
        self.progress().settled.extend(failed.iter().map(|(event, _)| event.cursor()));
        let mut standing = self.standing();
        standing.refused += failed.len();
        self.stand(standing);
        self.refused.notify_one();
        Ok(true)
    }

    /// Notes that the receiver takes events.
    pub(super) async fn recovered(&self, was_down: bool) -> Result<(), DbErr> {
        self.stand(Standing::default());
        if was_down {
            tracing::info!(webhook = %self.webhook.id, "the receiver takes events again");
            self.write(None).await?;
        }
        Ok(())
    }

    async fn is_down(&self, outcome: &Outcome) -> Result<(), DbErr> {
        let (Some(failed), before) = (outcome.failed(), self.standing()) else { return Ok(()) };
        let wait = if let Outcome::Wait(wait, _) = outcome { Some(*wait) } else { None };
        let Some(standing) = before.after_failure(self.now(), wait) else {
            return self.end(End::GivenUp(failed.clone())).await;
        };
        if !before.is_down() {
            let Failed { status, problem } = failed;
            tracing::warn!(webhook = %self.webhook.id, status, problem, "the receiver is down; trying again");
        }
        self.stand(standing);
        self.write(Some(failed)).await
    }

    async fn write(&self, failed: Option<&Failed>) -> Result<(), DbErr> {
        let written = standing::write(&self.parts.store, &self.webhook, &self.standing(), failed).await?;
        expect_unchanged(written).await;
        Ok(())
    }

    /// Tells nothing any more.
    pub(super) async fn end(&self, end: End) -> Result<(), DbErr> {
        let (what, failed) = match &end {
            End::Gone(failed) => ("the receiver wants nothing any more", Some(failed)),
            End::GivenUp(failed) => ("the receiver was down for so long that the webhook is given up", Some(failed)),
            End::Impossible(_) => ("the webhook can't be told anything", None),
        };
        let problem = failed.map(|failed| &failed.problem);
        tracing::warn!(webhook = %self.webhook.id, problem, "{what}; it is disabled");
        standing::end(&self.parts.store, self.webhook.id, self.webhook.version, end, self.now()).await?;
        self.rules.changed().notify_one();
        expect_unchanged(false).await;
        Ok(())
    }
}

/// What a document says of a notice, tried so often. `None`: this server can't say it now.
pub(super) async fn rendered(
    rendering: &tokio::sync::Mutex<Rendering>,
    notice: &Arc<Notice>,
    tries: usize,
) -> Option<Executed> {
    let mut rendering = rendering.lock().await;
    for again in 0..tries {
        if again > 0 {
            sleep(RENDER_AGAIN).await;
        }
        if let Some(shown) = rendering.execute(notice.clone()).await {
            return Some(shown);
        }
    }
    None
}

/// Waits for its own end if the webhook was changed: another worker begins where this one has been.
async fn expect_unchanged(unchanged: bool) {
    if !unchanged {
        std::future::pending::<()>().await;
    }
}

impl Handler for Arc<Worker> {
    fn name(&self) -> &str {
        &self.name
    }

    fn begin(&self) -> Begin {
        Begin::Registered
    }

    fn wants(&self, event: &Event) -> bool {
        self.document.types.contains_key(&event.kind)
    }

    fn together(&self) -> usize {
        IN_FLIGHT
    }

    async fn handle(&self, events: &[Event]) -> Result<(), HandlerError> {
        self.busy.store(true, Ordering::Relaxed);
        let told = self.tell_all(events).await;
        self.busy.store(false, Ordering::Relaxed);
        told?;
        Ok(())
    }

    /// Nobody can be told what isn't kept. The consumer has said so.
    async fn missed(&self) -> Result<(), HandlerError> {
        Ok(())
    }
}
