//! Keeps the index of messages: what is posted is added by a consumer of the log, what is edited or deleted is changed in the
//! same transaction.

use std::time::Duration;

use sea_orm::{ColumnTrait, DbBackend, DbErr, EntityTrait, QueryFilter, QuerySelect, QueryTrait};

use crate::chat::Chat;
use crate::ids::UserId;
use crate::log::{Append, Begin, Event, Handler, HandlerError, Kind, head};
use crate::position::Position;
use crate::store::entity::{attachment, message, search_state};
use crate::store::search::{self, FileNames, Indexed, LEAST, Reading, file_names};
use crate::store::{Store, Transaction};
use crate::text::search::FORM;

/// The most messages that are added in one transaction on SQLite, where those who post wait for it.
const STEP: usize = 256;

/// The most that are on PostgreSQL, where nobody does: what is added together needn't be merged.
const LARGE_STEP: usize = 16_384;

/// The most bytes of their texts.
const STEP_BYTES: usize = 8 * 1024 * 1024;

/// How many are read at a time.
const READ: u64 = 512;

/// Adds what is posted to the index, as the log tells of it.
pub(crate) struct Index(pub(crate) Chat);

impl Handler for Index {
    fn name(&self) -> &'static str {
        "search"
    }

    fn begin(&self) -> Begin {
        Begin::Oldest
    }

    fn wants(&self, event: &Event) -> bool {
        event.kind == Kind::MessagePosted
    }

    async fn handle(&self, events: &[Event]) -> Result<(), HandlerError> {
        if let [first, ..] = events
            && let [.., last] = events
        {
            self.0.index_messages(first.position, last.position, LEAST).await?;
        }
        Ok(())
    }

    /// What isn't in the index yet is found all the same.
    fn pace(&self) -> Duration {
        Duration::from_millis(if cfg!(debug_assertions) { 20 } else { 500 })
    }

    /// The messages themselves say what is left to do.
    async fn missed(&self) -> Result<(), HandlerError> {
        self.0.index_all_messages().await?;
        Ok(())
    }
}

impl Chat {
    /// Has the index of messages made anew, from the messages. Searches find less until that is done, which
    /// [`Self::index_all_messages`] does, or a server that runs.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_index(&self) -> Result<(), DbErr> {
        let tx = self.store.begin_write().await?;
        search::begin_anew(&tx).await?;
        tx.commit().await
    }

    /// Adds all messages that there are to the index, as far as they aren't in it. Returns how many it has gone through.
    ///
    /// # Errors
    /// When the database fails. The rest is added the next time.
    pub async fn index_all_messages(&self) -> Result<u64, DbErr> {
        let head = head(&self.store).await?;
        self.index_messages(Position(1), head.position, 1).await
    }

    /// As [`Self::index_all_messages`], of those up to this position, as long as there are at least so many. Those of an older
    /// node's that were posted since the first one are given their positions before.
    async fn index_messages(&self, since: Position, upto: Position, least: usize) -> Result<u64, DbErr> {
        search::give_positions(&self.store, since, upto).await?;
        let mut indexed = 0;
        while search::lacks(&self.store, least, upto).await? {
            let step = match self.store.backend() {
                DbBackend::Postgres => step_beside_edits(&self.store, upto).await?,
                _ => step(&self.store, upto).await?,
            };
            while search::merge(&self.store).await? {}
            match step {
                Step::Added(0) => break,
                Step::Added(count) => indexed += count,
                Step::Again => {}
            }
        }
        Ok(indexed)
    }
}

/// What came of adding some messages.
enum Step {
    /// It has gone through so many.
    Added(u64),
    /// It has to be begun again.
    Again,
}

/// Adds some messages, on SQLite.
async fn step(store: &Store, upto: Position) -> Result<Step, DbErr> {
    let tx = store.begin_write().await?;
    let state = search::state(&tx).await?;
    if state.form > FORM {
        // Nodes of a newer version make it.
        return Ok(Step::Added(0));
    }
    let mut last = state.upto;
    if state.form < FORM {
        search::clear(&tx).await?;
        last = Position(i64::MIN);
    }
    let (mut count, mut bytes, mut standing) = (0, 0, Vec::new());
    while count < STEP && bytes < STEP_BYTES {
        let messages = search::next(store, &tx, last, upto, READ.min((STEP - count) as u64)).await?;
        let Some(at) = messages.last().and_then(|last| last.position) else { break };
        last = at;
        count += messages.len();
        bytes += messages.iter().map(|message| message.body.len()).sum::<usize>();
        let names = file_names(&tx, &messages).await?;
        let living = messages.iter().filter(|it| it.deleted_at.is_none());
        standing.extend(living.filter_map(|it| Indexed::of(it, &names)));
    }
    search::add(store, &tx, &standing).await?;
    if count > 0 {
        search::move_to(&tx, last).await?;
    }
    tx.commit().await?;
    Ok(Step::Added(count as u64))
}

/// Adds some messages, on PostgreSQL: whoever edits waits only while it looks for what has changed meanwhile.
async fn step_beside_edits(store: &Store, upto: Position) -> Result<Step, DbErr> {
    let tx = store.begin_write().await?;
    search::alone(store, &tx).await?;
    let begun = search::glance(&tx).await?;
    if begun.form > FORM {
        return Ok(Step::Added(0));
    }
    if begun.form < FORM {
        search::state(&tx).await?;
        search::clear(&tx).await?;
        tx.commit().await?;
        return Ok(Step::Again);
    }
    let mut reading = Reading::default();
    while reading.count() < LARGE_STEP && reading.bytes() < STEP_BYTES {
        let (after, left) = (reading.last().unwrap_or(begun.upto), LARGE_STEP - reading.count());
        if !reading.next(store, &tx, after, upto, READ.min(left as u64)).await? {
            break;
        }
    }
    let Some(last) = reading.last() else { return Ok(Step::Added(0)) };
    reading.add(store, &tx).await?;
    if search::state(&tx).await? != begun {
        // It is to be made anew.
        return Ok(Step::Again);
    }
    reading.correct(store, &tx).await?;
    search::move_to(&tx, last).await?;
    tx.commit().await?;
    Ok(Step::Added(reading.count() as u64))
}

/// Those of these messages that the index has.
fn held<'m>(
    state: &search_state::Model,
    messages: impl IntoIterator<Item = &'m message::Model>,
) -> Vec<&'m message::Model> {
    let is_held = |it: &&message::Model| {
        state.form == FORM && it.deleted_at.is_none() && it.position.is_some_and(|position| position <= state.upto)
    };
    messages.into_iter().filter(is_held).collect()
}

/// Messages that are there no more, or say nothing any more, are removed. They are given as they were; their files are still
/// called what they were called.
pub(in crate::chat) async fn forget(
    store: &Store,
    tx: &Transaction,
    messages: &[&message::Model],
) -> Result<(), DbErr> {
    if messages.is_empty() {
        return Ok(());
    }
    let state = search::state(tx).await?;
    let held = held(&state, messages.iter().copied());
    let names = file_names(tx, held.iter().copied()).await?;
    let old: Vec<_> = held.iter().filter_map(|it| Indexed::of(it, &names)).collect();
    search::change(store, tx, &old, &[]).await
}

/// The messages of this user have no files any more. They still have them.
pub(in crate::chat) async fn forget_files_of(append: &Append, user: UserId) -> Result<(), DbErr> {
    let files = attachment::Entity::find()
        .select_only()
        .column(attachment::Column::MessageId)
        .filter(attachment::Column::OwnerId.eq(user))
        .filter(attachment::Column::MessageId.is_not_null())
        .filter(attachment::Column::DeletedAt.is_null());
    let with_files = message::Entity::find()
        .filter(message::Column::Id.in_subquery(files.into_query()))
        .filter(message::Column::DeletedAt.is_null())
        .all(append.tx())
        .await?;
    if with_files.is_empty() {
        return Ok(());
    }
    let (store, tx) = (append.store(), append.tx());
    let state = search::state(tx).await?;
    let held = held(&state, &with_files);
    let (names, none) = (file_names(tx, held.iter().copied()).await?, FileNames::new());
    let [old, new] =
        [&names, &none].map(|names| held.iter().filter_map(|it| Indexed::of(it, names)).collect::<Vec<_>>());
    search::change(store, tx, &old, &new).await
}

/// A message says something else now.
pub(super) async fn replace(append: &Append, old: &message::Model, new: &message::Model) -> Result<(), DbErr> {
    let (store, tx) = (append.store(), append.tx());
    let state = search::state(tx).await?;
    let names = file_names(tx, [new]).await?;
    let [old, new] = [old, new]
        .map(|it| held(&state, [it]).into_iter().filter_map(|it| Indexed::of(it, &names)).collect::<Vec<_>>());
    search::change(store, tx, &old, &new).await
}
