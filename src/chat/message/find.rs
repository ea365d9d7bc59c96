//! Finding messages by what they say.

use std::borrow::Cow;
use std::ops::ControlFlow;

use futures_util::TryStreamExt;
use sea_orm::{DbErr, FromQueryResult, QueryFilter, Statement, StreamTrait};

use crate::chat::user::UserRef;
use crate::chat::{Argument, Chat, Error, Viewer, Window};
use crate::ids::{RoomId, UserId};
use crate::position::Position;
use crate::store::Store;
use crate::store::entity::{message, room};
use crate::store::search::{self, Candidate, Proposals, Scope, said};
use crate::text::search::{Fragment, Query};

/// The most messages that one search looks at. They are the viewer's own, so that it tells nothing that there are more.
const MAX_READ: usize = 2_000;

/// The most bytes of their texts.
const MAX_BYTES: usize = 1024 * 1024;

/// How many of the newest messages are looked at before the index is asked, each time. Few in builds for development, so that
/// tests come to the index.
const WALKED: usize = if cfg!(debug_assertions) { 8 } else { 256 };

/// The most bytes of their texts.
const WALKED_BYTES: usize = 128 * 1024;

/// How many messages of the server, the viewer's or others', are gone through for them.
const PASSED: u64 = if cfg!(debug_assertions) { 24 } else { 2_000 };

/// How often that is done at most.
const WALKS: usize = 5;

/// The next ones are looked at if one in so many was found.
const COMMON: usize = 100;

/// How many messages are asked for at first.
const FIRST: usize = 64;

/// How many times as many then.
const GROWTH: usize = 8;

/// What is searched for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Words and what stands in runs, as [`Query`] has them.
    pub text: String,
    /// Only in this room.
    pub room: Option<RoomId>,
    /// Only what this user has written.
    pub author: Option<UserRef>,
}

/// A message that was found.
#[derive(Clone, Debug)]
pub struct Hit {
    /// The message.
    pub message: message::Model,
    /// Its text around what was found in it.
    pub fragments: Vec<Fragment>,
}

/// A page of what was found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The newest first.
    pub hits: Vec<Hit>,
    /// There may be more.
    pub has_next: bool,
    /// Where the next page begins: after the last message that was looked at, which may be behind the last that was found.
    pub end: Option<Position>,
}

impl Chat {
    /// Messages in the viewer's rooms that match, the newest first. While very much is posted, the last second of it may be missing.
    ///
    /// It is bounded work: where many messages of the viewer's are proposed and few match, the page ends before it is full.
    ///
    /// # Errors
    /// `NotFound` for a room that the viewer isn't in; `Invalid` when the text is too long.
    pub async fn search(&self, viewer: &Viewer, asked: &Asked, window: &Window<Position>) -> Result<Found, Error> {
        let query = Query::parse(&asked.text).map_err(|problem| Error::invalid(Argument::Text, problem.to_string()))?;
        let rooms = match asked.room {
            Some(room) => vec![self.room_to_search(viewer, room).await?],
            None => search::rooms_of(&self.store, viewer.user).await?,
        };
        let author = match &asked.author {
            None => None,
            Some(UserRef::Id(id)) => Some(*id),
            Some(external @ UserRef::External(_)) => match self.user(viewer, external).await? {
                Some(user) => Some(user.id),
                None => return Ok(Found::default()),
            },
        };
        let Some(query) = query else { return Ok(Found::default()) };
        if rooms.is_empty() {
            return Ok(Found::default());
        }
        // However many ask, searches leave room for the rest.
        let _turn = self.searches.acquire().await.map_err(|_| Error::ShuttingDown)?;
        let scope = Scope { user: viewer.user, rooms: &rooms };
        self.look(&query, author, &scope, window).await
    }

    async fn room_to_search(&self, viewer: &Viewer, room: RoomId) -> Result<RoomId, Error> {
        use sea_orm::ColumnTrait;
        let found =
            room::Entity::visible_to(viewer.user).filter(room::Column::Id.eq(room)).one(self.store.read()).await?;
        Ok(found.ok_or(Error::ROOM_NOT_FOUND)?.id)
    }

    async fn look(
        &self,
        query: &Query,
        author: Option<UserId>,
        scope: &Scope<'_>,
        window: &Window<Position>,
    ) -> Result<Found, Error> {
        let mut looking = Looking {
            query,
            author,
            limit: window.limit as usize,
            before: window.after.unwrap_or(Position(i64::MAX)),
            found: Found { end: window.after, ..Found::default() },
        };
        // Before the newest are read, because there may be fewer that aren't in the index afterwards.
        let upto = search::upto(&self.store).await?;
        for _ in 0..WALKS {
            let newest = search::newest(&self.store, scope, looking.before, upto, WALKED as u64, PASSED).await?;
            let hits = looking.found.hits.len();
            let read = looking.read_newest(&self.store, newest.statement).await?;
            if looking.found.has_next {
                return Ok(looking.found);
            }
            if read.count < WALKED && !read.is_cut {
                let Some(floor) = newest.floor else { return Ok(looking.complete()) };
                looking.before = floor;
            }
            if newest.is_tail {
                continue;
            }
            let is_common = (looking.found.hits.len() - hits) * COMMON > read.count;
            if !is_common && looking.before <= Position(upto.0.saturating_add(1)) {
                break;
            }
        }
        looking.ask(&self.store, scope).await
    }
}

/// A search under way.
struct Looking<'q> {
    query: &'q Query,
    author: Option<UserId>,
    limit: usize,
    /// All from here on has been looked at.
    before: Position,
    found: Found,
}

/// What was read.
#[derive(Default)]
struct Read {
    count: usize,
    bytes: usize,
    /// There was too much of it.
    is_cut: bool,
}

impl Looking<'_> {
    /// Looks at some of the newest, which are soon read.
    async fn read_newest(&mut self, store: &Store, statement: Statement) -> Result<Read, DbErr> {
        let Some(newest) = store.read().rows_at_once::<Candidate>(&statement) else {
            return self.read(store, statement, WALKED_BYTES).await;
        };
        let mut read = Read::default();
        for candidate in newest {
            if self.look_at(candidate, &mut read, WALKED_BYTES).is_break() {
                break;
            }
        }
        Ok(read)
    }

    /// Looks at these messages, until the page is full or so many bytes are read.
    async fn read(&mut self, store: &Store, statement: Statement, most: usize) -> Result<Read, DbErr> {
        let mut proposed = store.read().stream_raw(statement).await?;
        let mut read = Read::default();
        while let Some(row) = proposed.try_next().await? {
            if self.look_at(Candidate::from_query_result(&row, "")?, &mut read, most).is_break() {
                break;
            }
        }
        Ok(read)
    }

    fn look_at(&mut self, candidate: Candidate, read: &mut Read, most: usize) -> ControlFlow<()> {
        let Candidate { message, file_names } = candidate;
        let said = said(&message.body, file_names.as_deref());
        read.count += 1;
        read.bytes += said.len();
        let is_it = self.author.is_none_or(|author| author == message.author_id) && self.query.matches(&said);
        if is_it && self.found.hits.len() == self.limit {
            self.found.has_next = true;
            return ControlFlow::Break(());
        }
        if is_it || self.found.hits.len() < self.limit {
            self.found.end = message.position;
        }
        self.before = message.position.unwrap_or(self.before);
        if is_it {
            // Of a message that says it, its files aren't shown.
            let is_said = matches!(said, Cow::Owned(_)) && self.query.matches(&message.body);
            let fragments = self.query.fragments(if is_said { &message.body } else { &said });
            drop(said);
            self.found.hits.push(Hit { message, fragments });
        }
        if read.bytes >= most {
            read.is_cut = true;
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    /// Nothing else is found.
    fn complete(mut self) -> Found {
        if let Some(last) = self.found.hits.last() {
            self.found.end = last.message.position;
        }
        self.found
    }

    /// Looks at what the index proposes.
    async fn ask(mut self, store: &Store, scope: &Scope<'_>) -> Result<Found, Error> {
        let mut proposals = Proposals::new(scope, self.query.wanted(), self.before);
        let (mut count, mut bytes, mut next) = (0, 0, FIRST.max(self.limit + 1));
        loop {
            let asked = next.min(MAX_READ - count);
            let Some((statement, asked)) = proposals.next(store, self.before, asked).await? else {
                return Ok(self.complete());
            };
            let read = self.read(store, statement, MAX_BYTES - bytes).await?;
            if self.found.has_next {
                return Ok(self.found);
            }
            proposals.came(store, read.count, asked);
            count += read.count;
            bytes += read.bytes;
            if read.is_cut || count >= MAX_READ {
                self.found.has_next = true;
                return Ok(self.found);
            }
            next *= GROWTH;
        }
    }
}
