//! The loaders of one execution: they load with one statement what many fields of a response ask for.
//!
//! The type of the key says what is loaded. Nothing is cached from one wave of loading to the next, so a later mutation
//! of the same document doesn't return what was there before it.
//!
//! Only the loaders of [`RoomId`], [`ViewOf`], [`MentionsIn`], [`ReportsOf`] and [`InvitesInto`] need a viewer, and those of nouns
//! that have loaders of their own where they ask for [`RowLoader::viewer`]. Without one they fail, so an execution that many
//! viewers share can't show one of them what belongs to another.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::time::Duration;

use async_graphql::dataloader::{self, DataLoader};
use futures_util::future::try_join_all;

use super::batches::Batches;
use crate::chat::message::TextBudget;
use crate::chat::reading::{Receipt, RoomView};
use crate::chat::room::Members;
use crate::chat::{Chat, Error, Slice, Viewer, Window};
use crate::ids::{MessageId, ReportId, RoomId, UserId};
use crate::store::entity::report::{self, Judged};
use crate::store::entity::{attachment, ban, invite, member, message, pin, room, user};

/// The most keys in one statement. SQLite takes 32,766 parameters, and lists are padded to the next power of two.
const MAX_BATCH: usize = 16_384;

/// How many times as many bytes of texts may be read as a response may have: not every text that is read is shown.
const TEXTS: usize = 4;

/// Loads rows for the fields of one execution.
pub(crate) type Loader = DataLoader<RowLoader>;

pub(super) fn loader(chat: Chat, viewer: Option<Viewer>, max_bytes: usize, batches: &Batches) -> Loader {
    let batches = batches.clone();
    let texts = TextBudget::new(TEXTS * max_bytes);
    DataLoader::new(RowLoader { chat, viewer, texts }, move |batch| batches.add(batch))
        .delay(Duration::ZERO)
        .max_batch_size(MAX_BATCH)
}

/// The source of the rows, and the viewer.
pub struct RowLoader {
    /// Where they come from.
    pub(in crate::graphql) chat: Chat,
    viewer: Option<Viewer>,
    texts: TextBudget,
}

impl RowLoader {
    /// The viewer.
    ///
    /// # Errors
    /// In an execution that many share.
    pub(in crate::graphql) fn viewer(&self) -> Result<&Viewer, Error> {
        self.viewer.as_ref().ok_or(Error::Unauthenticated)
    }
}

/// A page of a room's members.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct MembersOf {
    /// The room.
    pub room: RoomId,
    /// Which of them.
    pub which: Members,
    /// The page.
    pub window: Window<UserId>,
}

/// A page of those who may not come back into a room.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct BansOf {
    /// The room.
    pub room: RoomId,
    /// The page.
    pub window: Window<UserId>,
}

/// A user's present membership in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MemberOf {
    /// The room.
    pub room: RoomId,
    /// The user.
    pub user: UserId,
}

/// A page of a room's messages.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct MessagesOf {
    /// The room.
    pub room: RoomId,
    /// `seq` of the newest message in it.
    pub last_seq: i32,
    /// The page.
    pub window: Window<i32>,
}

/// A page of the open reports of a room that the viewer may judge.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ReportsOf {
    /// The room.
    pub room: RoomId,
    /// Of whom.
    pub judged: Judged,
    /// The page.
    pub window: Window<ReportId>,
}

/// A room as the viewer sees it: unread messages, read mark, muted.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ViewOf(pub RoomId);

/// How many unread messages of a room mention the viewer.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct MentionsIn(pub RoomId);

/// The invites into a room that are good. The field that loads them has found that the viewer may see them.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct InvitesInto(pub RoomId);

/// The members who have read a message. Two keys are equal if they are of the same message.
#[derive(Clone)]
pub struct ReceiptsOf(pub message::Model);

impl PartialEq for ReceiptsOf {
    fn eq(&self, other: &Self) -> bool {
        self.0.id == other.0.id
    }
}

impl Eq for ReceiptsOf {}

impl Hash for ReceiptsOf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.id.hash(state);
    }
}

/// The files of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AttachmentsOf(pub MessageId);

/// The pins of a room.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PinsOf(pub RoomId);

/// A message by its place, which is shown to whoever is shown another one of the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MessageAt {
    /// The room.
    pub room: RoomId,
    /// Its number there.
    pub seq: i32,
}

impl dataloader::Loader<MessageAt> for RowLoader {
    type Value = message::Model;
    type Error = Error;

    async fn load(&self, keys: &[MessageAt]) -> Result<HashMap<MessageAt, message::Model>, Error> {
        let places: Vec<_> = keys.iter().map(|key| (key.room, key.seq)).collect();
        let found = self.chat.messages_at(&places, &self.texts).await?.into_iter();
        Ok(found.map(|message| (MessageAt { room: message.room_id, seq: message.seq }, message)).collect())
    }
}

impl dataloader::Loader<PinsOf> for RowLoader {
    type Value = Vec<pin::Model>;
    type Error = Error;

    async fn load(&self, keys: &[PinsOf]) -> Result<HashMap<PinsOf, Self::Value>, Error> {
        let rooms: Vec<_> = keys.iter().map(|key| key.0).collect();
        Ok(self.chat.pins(&rooms).await?.into_iter().map(|(room, pins)| (PinsOf(room), pins)).collect())
    }
}

impl dataloader::Loader<AttachmentsOf> for RowLoader {
    type Value = Vec<attachment::Model>;
    type Error = Error;

    async fn load(&self, keys: &[AttachmentsOf]) -> Result<HashMap<AttachmentsOf, Self::Value>, Error> {
        let messages: Vec<_> = keys.iter().map(|key| key.0).collect();
        let found = self.chat.attachments(&messages).await?;
        Ok(found.into_iter().map(|(message, rows)| (AttachmentsOf(message), rows)).collect())
    }
}

impl dataloader::Loader<UserId> for RowLoader {
    type Value = user::Model;
    type Error = Error;

    async fn load(&self, ids: &[UserId]) -> Result<HashMap<UserId, user::Model>, Error> {
        Ok(self.chat.users_by_id(ids).await?.into_iter().map(|user| (user.id, user)).collect())
    }
}

impl dataloader::Loader<RoomId> for RowLoader {
    type Value = room::Model;
    type Error = Error;

    async fn load(&self, ids: &[RoomId]) -> Result<HashMap<RoomId, room::Model>, Error> {
        let rooms = self.chat.rooms_by_id(self.viewer()?, ids).await?;
        Ok(rooms.into_iter().map(|room| (room.id, room)).collect())
    }
}

impl dataloader::Loader<ViewOf> for RowLoader {
    type Value = RoomView;
    type Error = Error;

    async fn load(&self, keys: &[ViewOf]) -> Result<HashMap<ViewOf, RoomView>, Error> {
        let rooms: Vec<_> = keys.iter().map(|key| key.0).collect();
        let views = self.chat.room_views(self.viewer()?, &rooms).await?;
        Ok(views.into_iter().map(|(room, view)| (ViewOf(room), view)).collect())
    }
}

impl dataloader::Loader<MentionsIn> for RowLoader {
    type Value = i32;
    type Error = Error;

    async fn load(&self, keys: &[MentionsIn]) -> Result<HashMap<MentionsIn, i32>, Error> {
        let rooms: Vec<_> = keys.iter().map(|key| key.0).collect();
        let counts = self.chat.unread_mentions(self.viewer()?, &rooms).await?;
        Ok(counts.into_iter().map(|(room, count)| (MentionsIn(room), count)).collect())
    }
}

impl dataloader::Loader<InvitesInto> for RowLoader {
    type Value = Vec<invite::Model>;
    type Error = Error;

    async fn load(&self, keys: &[InvitesInto]) -> Result<HashMap<InvitesInto, Vec<invite::Model>>, Error> {
        self.viewer()?;
        let rooms: Vec<_> = keys.iter().map(|key| key.0).collect();
        let mut found: HashMap<_, Vec<_>> = HashMap::new();
        for invite in self.chat.invites_into(&rooms).await? {
            found.entry(InvitesInto(invite.room_id)).or_default().push(invite);
        }
        Ok(found)
    }
}

impl dataloader::Loader<MembersOf> for RowLoader {
    type Value = Slice<member::Model>;
    type Error = Error;

    async fn load(&self, keys: &[MembersOf]) -> Result<HashMap<MembersOf, Slice<member::Model>>, Error> {
        let pages =
            by_window(keys, |key| (key.which, &key.window)).into_iter().map(|((which, window), keys)| async move {
                let rooms: Vec<_> = keys.iter().map(|key| key.room).collect();
                let mut pages = self.chat.members(&rooms, which, window).await?;
                Ok::<_, Error>(keys.into_iter().filter_map(move |key| Some((key.clone(), pages.remove(&key.room)?))))
            });
        Ok(try_join_all(pages).await?.into_iter().flatten().collect())
    }
}

impl dataloader::Loader<BansOf> for RowLoader {
    type Value = Slice<ban::Model>;
    type Error = Error;

    async fn load(&self, keys: &[BansOf]) -> Result<HashMap<BansOf, Slice<ban::Model>>, Error> {
        let pages = by_window(keys, |key| &key.window).into_iter().map(|(window, keys)| async move {
            let rooms: Vec<_> = keys.iter().map(|key| key.room).collect();
            let mut pages = self.chat.bans(&rooms, window).await?;
            Ok::<_, Error>(keys.into_iter().filter_map(move |key| Some((key.clone(), pages.remove(&key.room)?))))
        });
        Ok(try_join_all(pages).await?.into_iter().flatten().collect())
    }
}

impl dataloader::Loader<MemberOf> for RowLoader {
    type Value = member::Model;
    type Error = Error;

    async fn load(&self, keys: &[MemberOf]) -> Result<HashMap<MemberOf, member::Model>, Error> {
        let places: Vec<_> = keys.iter().map(|key| (key.room, key.user)).collect();
        let members = self.chat.memberships(&places).await?;
        Ok(members.into_iter().map(|it| (MemberOf { room: it.room_id, user: it.user_id }, it)).collect())
    }
}

impl dataloader::Loader<MessagesOf> for RowLoader {
    type Value = Slice<message::Model>;
    type Error = Error;

    async fn load(&self, keys: &[MessagesOf]) -> Result<HashMap<MessagesOf, Slice<message::Model>>, Error> {
        let pages = by_window(keys, |key| &key.window).into_iter().map(|(window, keys)| async move {
            let last_seqs: HashMap<_, _> = keys.iter().map(|key| (key.room, key.last_seq)).collect();
            let rooms: Vec<_> = last_seqs.into_iter().collect();
            let pages = self.chat.messages(&rooms, window, &self.texts).await?;
            Ok::<_, Error>(keys.into_iter().filter_map(move |key| Some((key.clone(), pages.get(&key.room)?.clone()))))
        });
        Ok(try_join_all(pages).await?.into_iter().flatten().collect())
    }
}

impl dataloader::Loader<ReportsOf> for RowLoader {
    type Value = Slice<report::Model>;
    type Error = Error;

    async fn load(&self, keys: &[ReportsOf]) -> Result<HashMap<ReportsOf, Slice<report::Model>>, Error> {
        let viewer = self.viewer()?;
        let pages = by_window(keys, |key| &key.window).into_iter().map(|(window, keys)| async move {
            let rooms: Vec<_> = keys.iter().map(|key| (key.room, key.judged)).collect();
            let mut pages = self.chat.room_reports(viewer, &rooms, window).await?;
            Ok::<_, Error>(keys.into_iter().filter_map(move |key| Some((key.clone(), pages.remove(&key.room)?))))
        });
        Ok(try_join_all(pages).await?.into_iter().flatten().collect())
    }
}

impl dataloader::Loader<ReceiptsOf> for RowLoader {
    type Value = Vec<Receipt>;
    type Error = Error;

    async fn load(&self, keys: &[ReceiptsOf]) -> Result<HashMap<ReceiptsOf, Vec<Receipt>>, Error> {
        let messages: Vec<_> = keys.iter().map(|key| key.0.clone()).collect();
        let mut receipts: HashMap<MessageId, _> = self.chat.read_receipts(&messages).await?;
        Ok(keys.iter().filter_map(|key| Some((key.clone(), receipts.remove(&key.0.id)?))).collect())
    }
}

/// Groups keys by window: pages that differ only in the room can be read with one statement.
fn by_window<'k, K, W: Eq + Hash>(keys: &'k [K], window: impl Fn(&'k K) -> W) -> HashMap<W, Vec<&'k K>> {
    let mut groups: HashMap<_, Vec<_>> = HashMap::new();
    for key in keys {
        groups.entry(window(key)).or_default().push(key);
    }
    groups
}
