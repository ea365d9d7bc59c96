//! Names of deleted users, which nobody else may take for some time.

use chrono::{DateTime, TimeDelta, Utc};
use hkdf::Hkdf;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QuerySelect, Set};
use sha2::Sha256;

use crate::chat::{Chat, Error};
use crate::ids::UserId;
use crate::secret::Secret;
use crate::store::Transaction;
use crate::store::entity::user;

/// What the key is for, so that the secret may serve other purposes as well.
const PURPOSE: &[u8] = b"parlor held usernames, form 1";

/// Knows the names of deleted users again, of which only digests are kept: HMAC-SHA-256 under a key that all nodes derive
/// from the token secret ([RFC 5869, section 2.3](https://www.rfc-editor.org/rfc/rfc5869#section-2.3)). Who has the
/// database and not the secret can't try names. Has no `Debug`, so that the key is not logged.
pub struct HeldNames {
    key: Hkdf<Sha256>,
    hold: TimeDelta,
}

impl HeldNames {
    /// Those of all nodes with this secret. A name is held for so long; not at all if that is nothing.
    #[must_use]
    pub fn new(secret: &Secret, hold: TimeDelta) -> Self {
        Self { key: Hkdf::new(None, secret.bytes()), hold }
    }

    /// What is kept of this name when its user is deleted. `None`: nothing.
    pub(super) fn kept(&self, name: &str) -> Option<Vec<u8>> {
        (self.hold > TimeDelta::zero()).then(|| self.digest(name))
    }

    /// Whether the user of this name was deleted so lately that nobody else may have it. To be asked once the name is
    /// taken in this transaction: then whoever had it before has given it up for good.
    pub(super) async fn holds(&self, name: &str, tx: &Transaction, now: DateTime<Utc>) -> Result<bool, DbErr> {
        let held: Option<UserId> = user::Entity::find()
            .select_only()
            .column(user::Column::Id)
            .filter(user::Column::NameDigest.eq(self.digest(name)))
            .filter(user::Column::DeletedAt.gt(self.cutoff(now)))
            .into_tuple()
            .one(tx)
            .await?;
        Ok(held.is_some())
    }

    /// Names of users who were deleted before are free.
    fn cutoff(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        now.checked_sub_signed(self.hold).unwrap_or(DateTime::<Utc>::MIN_UTC)
    }

    fn digest(&self, name: &str) -> Vec<u8> {
        let mut digest = vec![0; 32];
        self.key.expand_multi_info(&[PURPOSE, name.as_bytes()], &mut digest).expect("one hash is fewer than 255");
        digest
    }
}

impl Chat {
    /// Forgets the names of deleted users that are free by now. Returns how many.
    pub(in crate::chat) async fn free_names(&self) -> Result<u64, Error> {
        let Some(names) = &self.held_names else { return Ok(0) };
        let tx = self.store.begin_write().await?;
        let freed = user::Entity::update_many()
            .set(user::ActiveModel { name_digest: Set(None), ..Default::default() })
            // Word for word the predicate of the partial index.
            .filter(Expr::cust("name_digest IS NOT NULL"))
            .filter(user::Column::DeletedAt.lte(names.cutoff(self.clock.now())))
            .exec(&tx)
            .await?;
        tx.commit().await?;
        Ok(freed.rows_affected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_of_one_name_and_one_secret() {
        let names = |byte| HeldNames::new(&Secret::new([byte; 32]).expect("is long enough"), TimeDelta::days(30));
        assert_eq!(names(1).digest("ann"), names(1).digest("ann"));
        assert_ne!(names(1).digest("ann"), names(1).digest("anna"));
        assert_ne!(names(1).digest("ann"), names(2).digest("ann"));
    }

    #[test]
    fn a_name_that_is_held_for_no_time_leaves_nothing() {
        let secret = Secret::new([1; 32]).expect("is long enough");
        assert!(HeldNames::new(&secret, TimeDelta::zero()).kept("ann").is_none());
        let forever = HeldNames::new(&secret, TimeDelta::MAX);
        assert!(forever.kept("ann").is_some());
        assert_eq!(forever.cutoff(DateTime::UNIX_EPOCH), DateTime::<Utc>::MIN_UTC);
    }
}
