//! Deleting a user.

use std::sync::Arc;

use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set};

use super::held_names::HeldNames;
use super::upsert::external_hash;
use crate::chat::Error;
use crate::chat::attachment::attach;
use crate::chat::change::{Alone, Change};
use crate::chat::invite::close;
use crate::chat::message::index;
use crate::chat::room::heirs;
use crate::chat::session::end_all;
use crate::ids::{RoomId, UserId};
use crate::log::{Append, NewEvent};
use crate::position::Position;
use crate::store::entity::{block, member, mention, report, room, user, user_word};
use crate::store::list::{ROWS_PER_STATEMENT, Rows, one_of};

/// What becomes of a deleted user's messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OwnMessages {
    /// They stay, without an author.
    #[default]
    Keep,
    /// They are deleted, in the steps of [`Chat::erase_messages`](crate::chat::Chat::erase_messages).
    Delete,
}

/// Deletes a user: removes its names and its password, ends its sessions, and ends its memberships. Its messages stay, or
/// are to be deleted after it.
pub struct DeleteUser {
    /// The user to delete.
    pub(super) user: UserId,
    /// What becomes of its messages.
    pub(super) messages: OwnMessages,
    /// What holds its name.
    pub(super) names: Option<Arc<HeldNames>>,
}

impl Change for DeleteUser {
    type Outcome = ();
}

impl Alone for DeleteUser {
    async fn apply(&self, append: &mut Append) -> Result<(), Error> {
        let now = append.now();
        let present = user::Entity::present().filter(user::Column::Id.eq(self.user));
        let user = present.one(append.tx()).await?.ok_or(Error::USER_NOT_FOUND)?;
        let deleted = user::Entity::update_many()
            .set(user::ActiveModel {
                username: Set(format!("~{}", self.user)),
                display_name: Set(String::new()),
                search_name: Set(String::new()),
                password_hash: Set(None),
                last_seen_at: Set(None),
                external_id: Set(None),
                // So that a token that is still good doesn't make the user anew.
                external_hash: Set(user.external_id.as_deref().map(external_hash)),
                avatar_url: Set(None),
                custom: Set(None),
                deleted_at: Set(Some(now)),
                name_digest: Set(self.names.as_ref().and_then(|names| names.kept(&user.username))),
                erases_messages: Set(self.messages == OwnMessages::Delete),
                ..Default::default()
            })
            .filter(user::Column::Id.eq(self.user))
            .filter(user::Column::DeletedAt.is_null())
            .exec(append.tx())
            .await?;
        if deleted.rows_affected == 0 {
            return Err(Error::USER_NOT_FOUND);
        }
        user_word::Entity::replace(append.tx(), &[(self.user, Vec::new())]).await?;
        // Those who block this user keep it in their lists: should the app make it anew, they are followed there.
        block::Entity::delete_many().filter(block::Column::UserId.eq(self.user)).exec(append.tx()).await?;
        mention::Entity::delete_many().filter(mention::Column::UserId.eq(self.user)).exec(append.tx()).await?;
        self.forget_reports(append).await?;
        index::forget_files_of(append, self.user).await?;
        attach::forget_user(append, self.user).await?;
        close::forget_user(append, self.user).await?;
        end_all(&[self.user], append).await?;
        self.leave_rooms(append).await
    }
}

impl DeleteUser {
    /// What this user has said in reports goes; the texts of this user that others have reported go with the messages.
    async fn forget_reports(&self, append: &Append) -> Result<(), Error> {
        report::Entity::update_many()
            .set(report::ActiveModel { note: Set(None), ..Default::default() })
            .filter(report::Column::ReporterId.eq(self.user))
            .exec(append.tx())
            .await?;
        if self.messages == OwnMessages::Delete {
            report::Entity::update_many()
                .set(report::ActiveModel { body: Set(None), ..Default::default() })
                .filter(report::Column::UserId.eq(self.user))
                .exec(append.tx())
                .await?;
        }
        Ok(())
    }

    async fn leave_rooms(&self, append: &mut Append) -> Result<(), Error> {
        let owned = heirs::owned_by(append, &[self.user]).await?;
        // The rooms that the user has hidden, too: the other one is told now.
        let rooms: Vec<RoomId> = member::Entity::counted()
            .filter(member::Column::UserId.eq(self.user))
            .order_by_asc(member::Column::RoomId)
            .select_only()
            .column(member::Column::RoomId)
            .into_tuple()
            .all(append.tx())
            .await?;
        for rooms in rooms.chunks(ROWS_PER_STATEMENT) {
            room::Entity::update_many()
                .col_expr(room::Column::MemberCount, Expr::col(room::Column::MemberCount).sub(1))
                .filter(one_of(append.store().backend(), room::Column::Id, rooms.iter().copied()))
                .exec(append.tx())
                .await?;
            let left: Vec<(RoomId, Position)> =
                rooms.iter().map(|room| (*room, append.record(NewEvent::member_left(*room, self.user)))).collect();
            self.write_left(&left, append).await?;
        }
        heirs::appoint(append, &owned).await?;
        Ok(())
    }

    /// Ends these memberships at these positions: one statement, although the positions differ.
    async fn write_left(&self, left: &[(RoomId, Position)], append: &Append) -> Result<(), Error> {
        let rows = left.iter().map(|(room, position)| [(*room).into(), self.user.into(), (*position).into()]);
        let rows = Rows::new(append.store().backend(), rows);
        let sql = format!(
            "WITH gone (room_id, user_id, left_position) AS ({}) \
             UPDATE member SET left_position = gone.left_position, hidden = FALSE \
             FROM gone WHERE member.room_id = gone.room_id AND member.user_id = gone.user_id",
            rows.sql
        );
        append.tx().execute_raw(append.store().statement(&sql, rows.values)).await?;
        Ok(())
    }
}
