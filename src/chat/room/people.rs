//! What is checked and written alike for every new room, whatever its kind.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QuerySelect,
};

use crate::chat::{Argument, Directory, Error, Reason};
use crate::ids::UserId;
use crate::log::Append;
use crate::store::entity::user::UserType;
use crate::store::entity::{member, room, user};
use crate::store::list::{ROWS_PER_STATEMENT, one_of};

/// The types of these users, who must all be present and not switched off. `finder`: the user who must be able to find
/// them by this directory; `None` finds everybody.
///
/// # Errors
/// [`Error::NotFound`] of `argument`; [`Reason::Deactivated`]; or when the database fails.
pub(in crate::chat) async fn expect(
    append: &Append,
    users: &BTreeSet<UserId>,
    finder: Option<(UserId, Directory)>,
    argument: Argument,
) -> Result<Vec<UserType>, Error> {
    let asked = one_of(append.store().backend(), user::Column::Id, users.iter().copied());
    let visible = match finder {
        None | Some((_, Directory::All)) => Condition::all(),
        Some((finder, Directory::Sharers)) => member::Entity::shares_room_with(user::Column::Id, finder),
        Some((finder, Directory::None)) => Condition::all().add(user::Column::Id.eq(finder)),
    };
    let found: Vec<(UserType, Option<DateTime<Utc>>)> = user::Entity::present()
        .filter(asked)
        .filter(visible)
        .select_only()
        .columns([user::Column::Type, user::Column::DeactivatedAt])
        .into_tuple()
        .all(append.tx())
        .await?;
    if found.len() < users.len() {
        return Err(Error::NotFound { what: "user", argument });
    }
    if found.iter().any(|(_, deactivated_at)| deactivated_at.is_some()) {
        return Err(Error::Refused(Reason::Deactivated));
    }
    Ok(found.into_iter().map(|(r#type, _)| r#type).collect())
}

/// Checks that this user is there and, unless it is a server key that asks, whom the finder can find by this directory.
///
/// # Errors
/// [`Error::NotFound`] of `argument`; or when the database fails.
pub(super) async fn expect_visible(
    append: &Append,
    user: UserId,
    finder: Option<(UserId, Directory)>,
    argument: Argument,
) -> Result<(), Error> {
    match expect(append, &BTreeSet::from([user]), finder, argument).await {
        // Whoever is switched off may be switched on again.
        Ok(_) | Err(Error::Refused(Reason::Deactivated)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Checks that this user has opened fewer rooms than a user may; 0 is any number. Rooms that others have opened don't
/// count, so that nobody can use up another's.
///
/// # Errors
/// [`Error::Conflict`] of `argument`; or when the database fails.
pub(super) async fn expect_fewer_rooms(
    append: &Append,
    user: UserId,
    max_rooms: u32,
    argument: Argument,
) -> Result<(), Error> {
    if max_rooms == 0 {
        return Ok(());
    }
    let opened = member::Entity::find()
        .inner_join(room::Entity)
        .filter(member::Column::UserId.eq(user))
        .filter(room::Column::InitiatorId.eq(user))
        .filter(room::Column::DeletedAt.is_null())
        .count(append.tx())
        .await?;
    if opened >= u64::from(max_rooms) {
        let problem = "you have opened as many rooms as a user may; delete some first";
        return Err(Error::Conflict { argument, problem });
    }
    Ok(())
}

/// Writes a new room and its members.
///
/// # Errors
/// When the database fails.
pub(super) async fn insert(append: &Append, room: &room::Model, members: &[member::Model]) -> Result<(), Error> {
    room.clone().into_active_model().insert(append.tx()).await?;
    for rows in members.chunks(ROWS_PER_STATEMENT) {
        let rows = rows.iter().map(|member| member.clone().into_active_model());
        member::Entity::insert_many(rows).exec_without_returning(append.tx()).await?;
    }
    Ok(())
}
