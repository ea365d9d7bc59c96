//! Users whom the app makes anew after they were deleted.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect, Set};

use super::upsert::external_hash;
use crate::chat::Error;
use crate::ids::UserId;
use crate::log::Append;
use crate::store::entity::{ban, block, user};
use crate::store::list::one_of;

/// Has the app's ids stand for these new users alone, and keeps them blocked by those who had blocked whoever was deleted, and
/// out of the rooms that they were banned from: deleting the account is no way out.
pub(super) async fn return_of(append: &Append, made: &[(UserId, &str)]) -> Result<(), Error> {
    let made: Vec<(UserId, Vec<u8>)> = made.iter().map(|(user, id)| (*user, external_hash(id))).collect();
    let deleted: Vec<(UserId, Option<Vec<u8>>)> = user::Entity::find()
        .filter(user::Column::ExternalHash.is_in(made.iter().map(|(_, hash)| hash.clone())))
        .select_only()
        .columns([user::Column::Id, user::Column::ExternalHash])
        .into_tuple()
        .all(append.tx())
        .await?;
    if deleted.is_empty() {
        return Ok(());
    }
    user::Entity::update_many()
        .set(user::ActiveModel { external_hash: Set(None), ..Default::default() })
        .filter(one_of(append.store().backend(), user::Column::Id, deleted.iter().map(|(user, _)| *user)))
        .exec(append.tx())
        .await?;
    for (was, hash) in deleted {
        if let Some((now, _)) = made.iter().find(|(_, made)| hash.as_ref() == Some(made)) {
            block::Entity::update_many()
                .set(block::ActiveModel { blocked_id: Set(*now), ..Default::default() })
                .filter(block::Column::BlockedId.eq(was))
                .exec(append.tx())
                .await?;
            ban::Entity::update_many()
                .set(ban::ActiveModel { user_id: Set(*now), ..Default::default() })
                .filter(ban::Column::UserId.eq(was))
                .exec(append.tx())
                .await?;
        }
    }
    Ok(())
}
