//! Open rooms: groups that everybody may find and join.

use std::fmt;
use std::str::FromStr;

use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, JoinType, QueryFilter, QueryOrder, QuerySelect, RelationTrait};

use crate::chat::search::{Search, in_order};
use crate::chat::{Argument, Chat, Error, Slice, Window};
use crate::ids::RoomId;
use crate::log::Append;
use crate::store::entity::room::{self, JoinPolicy};
use crate::store::entity::room_word;
use crate::text::fold::{fold, words};

/// A place in a list of open rooms. Its text is what cursors hold.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum OpenRoomPlace {
    /// In the list of all: the newest first.
    Listed(RoomId),
    /// In a search: by the word that matches.
    #[expect(missing_docs, reason = "they are named above")]
    Found { word: String, room: RoomId },
}

impl fmt::Display for OpenRoomPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listed(room) => room.fmt(f),
            Self::Found { word, room } => write!(f, "{room}/{word}"),
        }
    }
}

impl FromStr for OpenRoomPlace {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let Some((room, word)) = text.split_once('/') else { return text.parse().map(Self::Listed).map_err(drop) };
        // PostgreSQL takes no text with a NUL in it, and no name holds a control character.
        if word.contains(char::is_control) {
            return Err(());
        }
        Ok(Self::Found { word: word.to_owned(), room: room.parse().map_err(drop)? })
    }
}

/// An open room in a list of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundRoom {
    /// The room.
    pub room: room::Model,
    /// Its place in the list.
    pub place: OpenRoomPlace,
}

impl Chat {
    /// Open rooms, the newest first; with `search`, those in whose names each of its words begins a word, in the order of
    /// the words by which they are found. `window` is from the start. One statement.
    ///
    /// # Errors
    /// [`Error::Invalid`] of `search`, and of `after` when it is a place in a list of the other kind.
    pub async fn open_rooms(
        &self,
        search: Option<&str>,
        window: &Window<OpenRoomPlace>,
    ) -> Result<Slice<FoundRoom>, Error> {
        let limit = u64::from(window.limit) + 1;
        let found = match (Search::parse(search.unwrap_or_default())?, &window.after) {
            (None, None) => self.listed_rooms(None, limit).await?,
            (None, Some(OpenRoomPlace::Listed(after))) => self.listed_rooms(Some(*after), limit).await?,
            (Some(search), None) => self.searched_rooms(&search, None, limit).await?,
            (Some(search), Some(OpenRoomPlace::Found { word, room })) => {
                self.searched_rooms(&search, Some((word, *room)), limit).await?
            }
            _ => return Err(Error::invalid(Argument::After, "is a cursor of another list: with or without `search`")),
        };
        Ok(Slice::probed(found, window))
    }

    async fn listed_rooms(&self, after: Option<RoomId>, limit: u64) -> Result<Vec<FoundRoom>, DbErr> {
        let mut rooms = room::Entity::open().order_by_desc(room::Column::Id).limit(limit);
        if let Some(after) = after {
            rooms = rooms.filter(room::Column::Id.lt(after));
        }
        let found = rooms.all(self.store.read()).await?.into_iter();
        Ok(found.map(|room| FoundRoom { place: OpenRoomPlace::Listed(room.id), room }).collect())
    }

    /// Only open rooms have words.
    async fn searched_rooms(
        &self,
        search: &Search,
        after: Option<(&str, RoomId)>,
        limit: u64,
    ) -> Result<Vec<FoundRoom>, DbErr> {
        let Some((longest, others)) = search.words.split_first() else { return Ok(Vec::new()) };
        let first_of_room = room_word::Entity::of_same_room(|word| {
            let is_before = word.clone().lt(Expr::col((room_word::Entity, room_word::Column::Word)));
            word.gte(&*longest.first).and(is_before)
        })
        .not();
        let mut rooms = room::Entity::find()
            .join(JoinType::InnerJoin, room_word::Relation::Room.def().rev())
            .filter(longest.begins(room_word::Column::Word))
            .filter(first_of_room);
        for other in others {
            rooms = rooms.filter(room_word::Entity::of_same_room(|word| {
                word.clone().gte(&*other.first).and(word.lt(&*other.end))
            }));
        }
        let rooms = in_order(rooms, room_word::Column::Word, room_word::Column::RoomId, after).limit(limit);
        let found = rooms.select_also(room_word::Entity).all(self.store.read()).await?.into_iter();
        Ok(found
            .filter_map(|(room, word)| {
                let place = OpenRoomPlace::Found { word: word?.word, room: room.id };
                Some(FoundRoom { room, place })
            })
            .collect())
    }
}

/// Keeps the words by which a room is found, which has another name or another way in, or is deleted.
pub(super) async fn keep_words(append: &Append, room: &room::Model) -> Result<(), DbErr> {
    let is_open = room.join_policy == JoinPolicy::Open && room.deleted_at.is_none();
    let name = room.name.as_deref().filter(|_| is_open).unwrap_or_default();
    room_word::Entity::replace(append.tx(), room.id, words(&fold(name))).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_survives_its_text() {
        let room = RoomId::generate();
        for place in [OpenRoomPlace::Listed(room), OpenRoomPlace::Found { word: "a/b".to_owned(), room }] {
            assert_eq!(place.to_string().parse(), Ok(place));
        }
        for text in ["", "/", "room_/a", &format!("{room}/a\0")] {
            assert_eq!(text.parse::<OpenRoomPlace>(), Err(()), "{text:?}");
        }
    }
}
