//! Finding messages by what they say.

use futures_util::TryStreamExt;
use sea_orm::{EntityTrait, QueryFilter};

use crate::chat::user::UserRef;
use crate::chat::{Argument, Chat, Error, Viewer, Window};
use crate::ids::{RoomId, UserId};
use crate::position::Position;
use crate::store::entity::{message, room};
use crate::store::search;
use crate::text::search::{Fragment, Query};

/// The most messages that one search looks at. They are the viewer's own, so that it tells nothing that there are more.
const MAX_READ: usize = 2_000;

/// The most bytes of their texts.
const MAX_BYTES: usize = 1024 * 1024;

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
    /// Messages in the viewer's rooms that match, the newest first. What was posted within the last second may be missing.
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
        self.look(viewer, &query, author, &rooms, window).await
    }

    async fn room_to_search(&self, viewer: &Viewer, room: RoomId) -> Result<RoomId, Error> {
        use sea_orm::ColumnTrait;
        let found =
            room::Entity::visible_to(viewer.user).filter(room::Column::Id.eq(room)).one(self.store.read()).await?;
        Ok(found.ok_or(Error::ROOM_NOT_FOUND)?.id)
    }

    async fn look(
        &self,
        viewer: &Viewer,
        query: &Query,
        author: Option<UserId>,
        rooms: &[RoomId],
        window: &Window<Position>,
    ) -> Result<Found, Error> {
        let (limit, wanted) = (window.limit as usize, query.wanted());
        let mut found = Found { end: window.after, ..Found::default() };
        let (mut read, mut bytes, mut next) = (0, 0, FIRST.max(limit + 1));
        loop {
            let asked = next.min(MAX_READ - read);
            let before = found.end.unwrap_or(Position(i64::MAX));
            let statement = search::proposed(&self.store, viewer.user, rooms, &wanted, before, asked as u64);
            let mut proposed = message::Entity::find().from_raw_sql(statement).stream(self.store.read()).await?;
            let mut given = 0;
            while let Some(message) = proposed.try_next().await? {
                given += 1;
                bytes += message.body.len();
                let is_it = author.is_none_or(|author| author == message.author_id) && query.matches(&message.body);
                if is_it && found.hits.len() == limit {
                    found.has_next = true;
                    return Ok(found);
                }
                found.end = message.position;
                if is_it {
                    let fragments = query.fragments(&message.body);
                    found.hits.push(Hit { message, fragments });
                }
                if bytes >= MAX_BYTES {
                    found.has_next = true;
                    return Ok(found);
                }
            }
            read += given;
            if given < asked {
                return Ok(found);
            }
            if read >= MAX_READ {
                found.has_next = true;
                return Ok(found);
            }
            next *= GROWTH;
        }
    }
}
