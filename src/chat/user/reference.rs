//! Naming users: by Parlor's own id, or by the one that the app's own backend knows them by.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use sea_orm::{ColumnTrait, Condition, QueryFilter, QuerySelect};

use crate::chat::{Argument, Chat, Error};
use crate::ids::UserId;
use crate::store::entity::user;
use crate::store::list::one_of;

/// How a name of the second kind begins.
const EXTERNAL: &str = "ext:";

/// The most characters of an app's own id.
pub(super) const MAX_EXTERNAL_ID_CHARS: usize = 128;

/// A user: `user_…` or `ext:…`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum UserRef {
    /// By Parlor's own id.
    Id(UserId),
    /// By the id that the app's own backend knows the user by.
    External(String),
}

/// The text names no user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected an id that starts with `user_`, or the app's own after `ext:`")]
pub struct InvalidUserRef;

impl UserRef {
    /// What is true of this user alone.
    #[must_use]
    pub fn condition(&self) -> Condition {
        match self {
            Self::Id(id) => Condition::all().add(user::Column::Id.eq(*id)),
            Self::External(id) => Condition::all().add(user::Column::ExternalId.eq(id)),
        }
    }
}

impl From<UserId> for UserRef {
    fn from(id: UserId) -> Self {
        Self::Id(id)
    }
}

impl FromStr for UserRef {
    type Err = InvalidUserRef;

    fn from_str(text: &str) -> Result<Self, InvalidUserRef> {
        match text.strip_prefix(EXTERNAL) {
            Some(id) if is_external_id(id) => Ok(Self::External(id.to_owned())),
            Some(_) => Err(InvalidUserRef),
            None => text.parse().map(Self::Id).map_err(|_| InvalidUserRef),
        }
    }
}

impl fmt::Display for UserRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::External(id) => write!(f, "{EXTERNAL}{id}"),
        }
    }
}

/// Whether this may be an app's own id of something: some characters, without controls and without space around them.
#[must_use]
pub(in crate::chat) fn is_external_id(id: &str) -> bool {
    (1..=MAX_EXTERNAL_ID_CHARS).contains(&id.chars().count()) && id.trim() == id && !id.contains(char::is_control)
}

impl Chat {
    /// The ids of these users, in the same order.
    ///
    /// # Errors
    /// [`Error::NotFound`] of `argument` when one is named by an app's own id that no user has.
    pub async fn resolve(&self, users: &[UserRef], argument: Argument) -> Result<Vec<UserId>, Error> {
        let found = self.resolve_present(users).await?;
        found.into_iter().map(|id| id.ok_or(Error::NotFound { what: "user", argument })).collect()
    }

    /// As [`Self::resolve`], with `None` for who isn't there.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn resolve_present(&self, users: &[UserRef]) -> Result<Vec<Option<UserId>>, Error> {
        let externals = users.iter().filter_map(|user| match user {
            UserRef::External(id) => Some(id.clone()),
            UserRef::Id(_) => None,
        });
        let externals: Vec<String> = externals.collect();
        let known: HashMap<String, UserId> = if externals.is_empty() {
            HashMap::new()
        } else {
            let among = one_of(self.store.backend(), user::Column::ExternalId, externals);
            let rows = user::Entity::present().filter(among).select_only();
            let rows = rows.columns([user::Column::ExternalId, user::Column::Id]);
            rows.into_tuple::<(String, UserId)>().all(self.store.read()).await?.into_iter().collect()
        };
        Ok(users
            .iter()
            .map(|user| match user {
                UserRef::Id(id) => Some(*id),
                UserRef::External(id) => known.get(id).copied(),
            })
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_named_in_either_way() {
        let id = UserId::generate();
        assert_eq!(id.to_string().parse(), Ok(UserRef::Id(id)));
        assert_eq!("ext:42".parse(), Ok(UserRef::External("42".into())));
        assert_eq!("ext:order:42".parse(), Ok(UserRef::External("order:42".into())));
        for user in [UserRef::Id(id), UserRef::External("ext:ext:".into())] {
            assert_eq!(user.to_string().parse(), Ok(user));
        }
    }

    #[test]
    fn what_names_no_user_is_refused() {
        for text in ["", "42", "ext", "ext:", "ext: 42", "ext:4\n2", "ext:4\u{0}", "room_01h455vb4pex5vsknk084sn02q"] {
            assert_eq!(text.parse::<UserRef>(), Err(InvalidUserRef), "{text:?}");
        }
        assert!(format!("ext:{}", "ä".repeat(128)).parse::<UserRef>().is_ok());
        assert!(format!("ext:{}", "ä".repeat(129)).parse::<UserRef>().is_err());
    }
}
