//! A user's own sessions: listing them, and ending one or all others.

use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set};

use super::Revoke;
use crate::chat::change::{Alone, Change};
use crate::chat::{Chat, Error, Slice, Viewer, Window, device};
use crate::ids::{SessionId, UserId};
use crate::log::{Append, NewEvent};
use crate::store::entity::session;
use crate::store::list::{ROWS_PER_STATEMENT, one_of};

impl Chat {
    /// The viewer's live sessions, the newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sessions(&self, viewer: &Viewer, window: &Window<SessionId>) -> Result<Slice<session::Model>, Error> {
        let mut sessions = session::Entity::live_of(viewer.user, self.clock.now());
        if let Some(after) = window.after {
            sessions = sessions.filter(session::Column::Id.lt(after));
        }
        let limit = u64::from(window.limit) + 1;
        let found = sessions.order_by_desc(session::Column::Id).limit(limit).all(self.store.read()).await?;
        Ok(Slice::probed(found, window))
    }

    /// Ends a session of the viewer's, which may be the one that asks: its tokens are refused from now on and its
    /// sockets close.
    ///
    /// # Errors
    /// `NotFound` when the viewer has no such session, or it has ended.
    pub async fn end_session(&self, viewer: &Viewer, session: SessionId) -> Result<(), Error> {
        let user = viewer.user;
        if self.end_sessions(user, Revoke { user, session }).await? { Ok(()) } else { Err(Error::SESSION_NOT_FOUND) }
    }

    /// Ends all sessions of the viewer's but the one that asks. Returns how many there were.
    ///
    /// # Errors
    /// [`Error::Forbidden`] when the viewer's token was minted without a session.
    pub async fn end_other_sessions(&self, viewer: &Viewer) -> Result<u64, Error> {
        let keep = viewer.session.ok_or(Error::Forbidden("this token has no session that could stay"))?;
        self.end_others(viewer.user, keep).await
    }

    /// Ends all sessions of this user but one, in steps, so that no number of sessions keeps others from writing.
    pub(in crate::chat) async fn end_others(&self, user: UserId, keep: SessionId) -> Result<u64, Error> {
        let mut ended = 0;
        loop {
            let step = self.end_sessions(user, RevokeOthers { user, keep }).await?;
            ended += step;
            if step < ROWS_PER_STATEMENT as u64 {
                return Ok(ended);
            }
        }
    }
}

/// Ends the oldest of a user's sessions but one, and with them their sockets on every node: [`ROWS_PER_STATEMENT`] of
/// them at most. The outcome is how many.
pub struct RevokeOthers {
    /// The user whose sessions they are.
    pub user: UserId,
    /// The session that stays.
    pub keep: SessionId,
}

impl Change for RevokeOthers {
    type Outcome = u64;
}

impl Alone for RevokeOthers {
    async fn apply(&self, append: &mut Append) -> Result<u64, Error> {
        Ok(self.write(append).await?)
    }
}

impl RevokeOthers {
    /// Ends them, within another change or by itself.
    pub(in crate::chat) async fn write(&self, append: &mut Append) -> Result<u64, DbErr> {
        let now = append.now();
        let others: Vec<SessionId> = session::Entity::live_of(self.user, now)
            .filter(session::Column::Id.ne(self.keep))
            .order_by_asc(session::Column::Id)
            .limit(ROWS_PER_STATEMENT as u64)
            .select_only()
            .column(session::Column::Id)
            .into_tuple()
            .all(append.tx())
            .await?;
        if others.is_empty() {
            return Ok(0);
        }
        // By their ids, because one more may have begun since.
        session::Entity::update_many()
            .set(session::ActiveModel { revoked_at: Set(Some(now)), client: Set(None), ..Default::default() })
            .filter(one_of(append.store().backend(), session::Column::Id, others.iter().copied()))
            .exec(append.tx())
            .await?;
        device::forget_sessions(append, &others).await?;
        for session in &others {
            append.record(NewEvent::session_revoked(self.user, *session));
        }
        Ok(others.len() as u64)
    }
}
