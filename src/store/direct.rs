//! Reading an SQLite file on the thread that asks, for what is short and asked often.
//!
//! sqlx has a thread for each connection: a statement goes there, and each row comes back through a channel, every value of
//! it copied apart. For a list of twenty rooms that was two fifths of all the work, most of it for handing over what
//! SQLite had found long before. Here `SeaORM` builds the statement as ever, rusqlite runs it at once, and each row
//! becomes its entity's model where it stands.
//!
//! A thread that reads answers nobody else meanwhile, so this is for statements that look at a page's worth of rows by an
//! index. Whatever turns out longer is given up and asked in the usual way, where it can wait: many rows or long texts,
//! a file that somebody has locked, a disk that lets one wait, and everything that goes wrong, which is then told there.

use std::ffi::c_int;
use std::num::NonZero;
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ColumnType, EntityTrait, IdenStatic, Iterable, Statement, TryIntoModel, Value,
};

use super::pools::READER_CACHE;
use super::ran::Ran;
use values::{bind, places, with_limit};

mod values;

/// How long one statement may keep its thread.
const PATIENCE: Duration = Duration::from_millis(100);

/// How long nothing is tried after one was given up for that: the disk, or whatever it is, has its time.
const REST: Duration = Duration::from_secs(1);

/// Steps of SQLite's machine after which it is looked whether a statement takes too long: far less than [`PATIENCE`].
const LOOK_AFTER: c_int = 1_000;

/// The most rows that are read.
const MAX_ROWS: usize = 2_000;

/// The most bytes of texts in them.
const MAX_BYTES: usize = 1 << 20;

/// Texts of statements that a connection keeps prepared.
const PREPARED: usize = 200;

/// The most connections.
const MAX_CONNECTIONS: usize = 8;

/// The connections of one database: as many as there are threads that ask at the same time. All are opened at the start,
/// when the file is known to be in its place. Whoever finds none goes the usual way.
pub(super) struct Direct {
    idle: Mutex<Idle>,
    /// When this was made. Other moments are told in µs since.
    made: Instant,
    /// Until when nothing is tried.
    resting: AtomicU64,
    /// How many have forbidden it, for as long as they hold what they got.
    held: AtomicUsize,
    ran: Ran,
}

#[derive(Default)]
struct Idle {
    sessions: Vec<Session>,
    is_closed: bool,
}

/// An open connection.
struct Session {
    connection: Connection,
    /// When the statement that it runs takes too long.
    ends: Arc<AtomicU64>,
}

/// Keeps everybody from reading here until it is dropped.
pub(super) struct Forbidden(Arc<Direct>);

/// What isn't read here: SQLite has said no, there is too much of it, or it is of another kind. Why makes no difference.
pub(crate) struct GivenUp;

/// A row that is no entity's; see `row`.
pub(crate) trait FromValues: Sized {
    /// The names of its columns, and of what type they are.
    fn columns() -> Vec<(&'static str, ColumnType)>;

    /// Made of its values, which come in the order of the columns.
    ///
    /// # Errors
    /// When one can't be had, or is of another type.
    fn from_values(next: &mut dyn FnMut() -> Result<Value, GivenUp>) -> Result<Self, GivenUp>;
}

/// A struct that rows are read as, here as well as by `SeaORM`: each field from the column of its name.
macro_rules! row {
    ($(#[$of_row:meta])* $row_is:vis struct $row:ident { $($(#[$of_field:meta])* $field_is:vis $field:ident: $type:ty),+ $(,)? }) => {
        $(#[$of_row])*
        #[derive(sea_orm::FromQueryResult)]
        $row_is struct $row { $($(#[$of_field])* $field_is $field: $type),+ }

        impl $crate::store::direct::FromValues for $row {
            fn columns() -> Vec<(&'static str, sea_orm::ColumnType)> {
                vec![$((stringify!($field), <$type as sea_orm::sea_query::ValueType>::column_type())),+]
            }

            fn from_values(
                next: &mut dyn FnMut() -> Result<sea_orm::Value, $crate::store::direct::GivenUp>,
            ) -> Result<Self, $crate::store::direct::GivenUp> {
                Ok(Self {
                    $($field: <$type as sea_orm::sea_query::ValueType>::try_from(next()?)
                        .map_err(|_| $crate::store::direct::GivenUp)?),+
                })
            }
        }
    };
}

pub(crate) use row;

/// The columns of an entity, as [`FromValues::columns`] has them.
pub(crate) fn columns<E: EntityTrait>() -> impl Iterator<Item = (&'static str, ColumnType)> {
    E::Column::iter().map(|column| (column.as_str(), column.def().get_column_type().clone()))
}

/// The entity's model of the values of its columns.
///
/// # Errors
/// When one can't be had, or is of another type.
pub(crate) fn model<E>(next: &mut dyn FnMut() -> Result<Value, GivenUp>) -> Result<E::Model, GivenUp>
where
    E: EntityTrait,
    E::ActiveModel: TryIntoModel<E::Model>,
{
    let mut model = E::ActiveModel::default();
    for column in E::Column::iter() {
        model.try_set(column, next()?).map_err(|_| GivenUp)?;
    }
    model.try_into_model().map_err(|_| GivenUp)
}

impl Direct {
    /// Opens this file. What can't be opened is done without: the usual way tells why.
    pub(super) fn open(path: &Path, ran: &Ran) -> Arc<Self> {
        let made = Instant::now();
        let threads = available_parallelism().map_or(1, NonZero::get).min(MAX_CONNECTIONS);
        let sessions = (0..threads).map_while(|_| Session::open(path, made).ok()).collect();
        Arc::new(Self {
            idle: Mutex::new(Idle { sessions, is_closed: false }),
            made,
            resting: AtomicU64::new(0),
            held: AtomicUsize::new(0),
            ran: ran.clone(),
        })
    }

    /// The models of the rows that a statement returns, whose columns have the names of the entity's. `None`: it has to
    /// be asked in the usual way.
    pub(super) fn models<E>(&self, statement: &Statement) -> Option<Vec<E::Model>>
    where
        E: EntityTrait,
        E::ActiveModel: TryIntoModel<E::Model>,
    {
        self.read(statement, columns::<E>(), model::<E>)
    }

    /// As [`Self::models`], of rows that are no entity's.
    pub(super) fn rows<R: FromValues>(&self, statement: &Statement) -> Option<Vec<R>> {
        self.read(statement, R::columns(), |values| R::from_values(values))
    }

    fn read<T>(
        &self,
        statement: &Statement,
        columns: impl IntoIterator<Item = (&'static str, ColumnType)>,
        make: impl Fn(&mut dyn FnMut() -> Result<Value, GivenUp>) -> Result<T, GivenUp>,
    ) -> Option<Vec<T>> {
        let begun = self.now();
        if self.held.load(Ordering::Relaxed) > 0 || begun < self.resting.load(Ordering::Relaxed) {
            return None;
        }
        // The one that was used last: its cache has what was read last.
        let session = self.idle().sessions.pop()?;
        let patience = u64::try_from(PATIENCE.as_micros()).unwrap_or(u64::MAX);
        session.ends.store(begun + patience, Ordering::Relaxed);
        let read = session.read(statement, columns, make);
        let took = self.now() - begun;
        if took >= patience {
            let rest = u64::try_from(REST.as_micros()).unwrap_or(u64::MAX);
            self.resting.store(begun + took + rest, Ordering::Relaxed);
        }
        self.idle().give_back(session);
        let rows = read.ok()?;
        self.ran.note(statement);
        Some(rows)
    }

    /// Keeps everybody from reading here.
    pub(super) fn forbid(self: &Arc<Self>) -> Forbidden {
        self.held.fetch_add(1, Ordering::Relaxed);
        Forbidden(self.clone())
    }

    /// Closes every connection, and each that is in use when it is given back.
    pub(super) fn close(&self) {
        let mut idle = self.idle();
        idle.is_closed = true;
        idle.sessions.clear();
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> u64 {
        since(self.made)
    }
}

impl Drop for Forbidden {
    fn drop(&mut self) {
        self.0.held.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Idle {
    fn give_back(&mut self, session: Session) {
        if !self.is_closed {
            self.sessions.push(session);
        }
    }
}

impl Session {
    fn open(path: &Path, made: Instant) -> rusqlite::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(Duration::ZERO)?;
        connection.execute_batch(&format!(
            "PRAGMA query_only = on; PRAGMA temp_store = memory; PRAGMA cache_size = {READER_CACHE}"
        ))?;
        connection.set_prepared_statement_cache_capacity(PREPARED);
        let ends = Arc::<AtomicU64>::default();
        let seen = ends.clone();
        connection.progress_handler(LOOK_AFTER, Some(move || since(made) > seen.load(Ordering::Relaxed)))?;
        Ok(Self { connection, ends })
    }

    fn read<T>(
        &self,
        statement: &Statement,
        columns: impl IntoIterator<Item = (&'static str, ColumnType)>,
        make: impl Fn(&mut dyn FnMut() -> Result<Value, GivenUp>) -> Result<T, GivenUp>,
    ) -> Result<Vec<T>, GivenUp> {
        let values = statement.values.as_ref().map_or(&[][..], |values| &values.0);
        let (sql, values) = with_limit(&statement.sql, values);
        let mut prepared = self.connection.prepare_cached(&sql)?;
        bind(&mut prepared, values)?;
        let places = places(&prepared.column_names(), columns)?;
        let (mut found, mut read, mut bytes) = (prepared.raw_query(), Vec::new(), 0);
        while let Some(row) = found.next()? {
            if read.len() == MAX_ROWS || bytes > MAX_BYTES {
                return Err(GivenUp);
            }
            let mut places = places.iter();
            read.push(make(&mut || {
                let (place, kind) = places.next().ok_or(GivenUp)?;
                let value = row.get_ref(*place)?;
                if let ValueRef::Text(text) | ValueRef::Blob(text) = value {
                    bytes += text.len();
                }
                kind.value(value)
            })?);
        }
        Ok(read)
    }
}

impl From<rusqlite::Error> for GivenUp {
    fn from(_: rusqlite::Error) -> Self {
        Self
    }
}

fn since(made: Instant) -> u64 {
    u64::try_from(made.elapsed().as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
