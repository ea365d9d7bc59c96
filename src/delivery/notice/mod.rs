//! What a subscriber receives, and how it is made from the log's events, which only name things.
//!
//! A notice carries whole objects, read as they are now: an edited message shows its present text, and a deleted one is
//! a tombstone, so a replay can't bring deleted text back. Each noun has a file for its notices.
#![warn(clippy::wildcard_enum_match_arm)]

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::ids::UserId;
use crate::log::{About, Audience, Class, Event, Kind};
use crate::position::{Cursor, ShownCursor};

mod block;
mod invite;
mod message;
pub(crate) mod name;
mod notification;
mod presence;
mod reading;
mod report;
mod room;
mod rows;
mod sync;

pub(crate) use block::BlockNotice;
pub(crate) use invite::InviteNotice;
pub(crate) use message::{MessageChange, MessageNotice};
pub(crate) use notification::NotificationNotice;
pub(crate) use presence::PresenceNotice;
pub(crate) use reading::{Mark, ReadingNotice};
pub(crate) use report::ReportNotice;
pub(crate) use room::{LeftReason, MemberNotice, RoomNotice};
pub(crate) use rows::EventRows;
pub(crate) use sync::SyncNotice;

/// One thing that a subscriber receives.
#[derive(Clone, Debug)]
pub struct Notice {
    /// Where the stream of a client stands that has received it.
    pub cursor: Cursor,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// What the subscriber receives.
    pub content: Content,
}

/// What a subscriber receives, by noun.
#[derive(Clone, Debug)]
pub enum Content {
    /// Something happened to a message.
    Message(MessageNotice),
    /// Something happened to a room or its members.
    Room(RoomNotice),
    /// Members have read on.
    Reading(ReadingNotice),
    /// The subscriber blocks somebody, or no longer does.
    Block(BlockNotice),
    /// Something happened to an invite for the subscriber.
    Invite(InviteNotice),
    /// A report was made or resolved, which the app's own backend alone is told.
    Report(Box<ReportNotice>),
    /// Somebody came online, went offline, changed, began or stopped typing. Not in the log.
    Presence(PresenceNotice),
    /// Somebody is to be notified, which the app's own backend alone is told. Not in the log.
    Notification(Box<NotificationNotice>),
    /// About the stream itself.
    Sync(SyncNotice),
}

impl Content {
    /// Whether it is in the log at its notice's cursor, so that it can be replayed.
    #[must_use]
    pub fn is_logged(&self) -> bool {
        match self {
            Self::Message(_)
            | Self::Room(_)
            | Self::Reading(_)
            | Self::Block(_)
            | Self::Invite(_)
            | Self::Report(_)
            | Self::Sync(_) => true,
            Self::Presence(_) | Self::Notification(_) => false,
        }
    }
}

impl Notice {
    /// A notice at this place of a subscriber's stream.
    #[must_use]
    pub fn new(cursor: Cursor, at: DateTime<Utc>, content: Content) -> Arc<Self> {
        Arc::new(Self { cursor, at, content })
    }

    /// The cursor as its subscriber is shown it.
    #[must_use]
    pub fn shown_cursor(&self) -> ShownCursor {
        match self.content {
            Content::Message(_)
            | Content::Room(_)
            | Content::Reading(_)
            | Content::Block(_)
            | Content::Invite(_)
            | Content::Report(_) => ShownCursor::Event(self.cursor),
            Content::Presence(_) | Content::Notification(_) | Content::Sync(_) => ShownCursor::Moment(self.cursor),
        }
    }

    /// The notice of `event`, made from these rows, for a room's members or, if `viewer` is given, for that user.
    /// `None` if there is nothing to show, or nothing any more.
    #[must_use]
    pub fn of(event: &Event, rows: &EventRows, viewer: Option<UserId>) -> Option<Arc<Self>> {
        if let Some(users) = event.block() {
            let notice = BlockNotice { user_id: users.1, blocked: rows.blocks(users) };
            return Some(Self::new(event.cursor(), event.at, Content::Block(notice)));
        }
        if event.invite().is_some() {
            let notice = InviteNotice::of(event, rows)?;
            return Some(Self::new(event.cursor(), event.at, Content::Invite(notice)));
        }
        let room = rows.room(event.room()?)?;
        let message = |change| MessageNotice::of(change, event, rows, room).map(Content::Message);
        let left = |reason| RoomNotice::member_left(reason, event, rows, room, viewer).map(Content::Room);
        let content = match event.kind {
            Kind::MessagePosted => message(MessageChange::Posted)?,
            Kind::MessageEdited => message(MessageChange::Edited)?,
            Kind::MessageDeleted => message(MessageChange::Deleted)?,
            Kind::ReactionsChanged => message(MessageChange::Reacted)?,
            Kind::PinsChanged => message(MessageChange::Pinned)?,
            Kind::RoomJoined => Content::Room(RoomNotice::Joined(room.clone())),
            Kind::MemberJoined => Content::Room(RoomNotice::member_joined(event, rows, room, viewer)?),
            Kind::MemberLeft => left(LeftReason::Left)?,
            Kind::MemberRemoved => left(LeftReason::Removed)?,
            Kind::MemberBanned => left(LeftReason::Banned)?,
            Kind::MembersJoined => Content::Room(RoomNotice::members_joined(event, rows, room)),
            Kind::MemberChanged => Content::Room(RoomNotice::MemberChanged(MemberNotice::of(event, rows, room)?)),
            Kind::RoomHidden => Content::Room(RoomNotice::Left(room.id, LeftReason::Hidden)),
            Kind::RoomDeleted => Content::Room(RoomNotice::Left(room.id, LeftReason::Deleted)),
            Kind::RoomMuted | Kind::RoomUnmuted => Content::Room(RoomNotice::Muted(room.clone())),
            Kind::RoomViewerChanged => Content::Room(RoomNotice::ViewerChanged(room.clone())),
            Kind::ReadMarksMoved | Kind::OwnReadMarkMoved => Content::Reading(ReadingNotice::of(event, rows, room)),
            Kind::RoomUpdated => {
                let by = event.actor_id.and_then(|actor| rows.user(actor));
                Content::Room(RoomNotice::Updated(room.clone(), by.cloned()))
            }
            Kind::SessionRevoked
            | Kind::InviteReceived
            | Kind::InviteClosed
            | Kind::BlocksChanged
            | Kind::ReportMade
            | Kind::ReportResolved => return None,
        };
        Some(Self::new(event.cursor(), event.at, content))
    }

    /// Whether events of this kind are shown to those who read the whole log for the app's own backend: webhooks, and
    /// `log`. What a user keeps to itself isn't, nor what another event says as well.
    #[must_use]
    pub fn is_for_backend(kind: Kind) -> bool {
        let row = kind.row();
        if row.about == About::Report {
            return true;
        }
        if row.class == Class::Hidden || row.about == About::Marks || kind == Kind::MemberJoined {
            return false;
        }
        let is_own = row.audience == Audience::User;
        !is_own || [Kind::RoomJoined, Kind::InviteReceived, Kind::InviteClosed].contains(&kind)
    }

    /// The notice of `event` for the app's own backend, which is none of its receivers: everybody's joining and leaving
    /// is that of a member. `None` as of [`Self::of`], and for what isn't for the backend.
    #[must_use]
    pub fn for_backend(event: &Event, rows: &EventRows) -> Option<Arc<Self>> {
        if !Self::is_for_backend(event.kind) {
            return None;
        }
        if event.report().is_some() {
            let report = ReportNotice::of(event, rows)?;
            return Some(Self::new(event.cursor(), event.at, Content::Report(Box::new(report))));
        }
        if event.kind != Kind::RoomJoined {
            return Self::of(event, rows, None);
        }
        let member = RoomNotice::backend_joined(event, rows)?;
        Some(Self::new(event.cursor(), event.at, Content::Room(member)))
    }
}
