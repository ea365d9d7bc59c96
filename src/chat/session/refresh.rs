//! Refresh tokens: generating, storing and exchanging them.

use std::fmt;
use std::hint::black_box;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use sea_orm::{ActiveModelTrait, ColumnTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter, Set};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::successor::Successors;
use super::{GRACE, LIFETIME, MAX_CLIENT_CHARS};
use crate::chat::{Argument, Error};
use crate::ids::{SessionId, UserId};
use crate::store::Transaction;
use crate::store::entity::{session, user};

/// The outcome of showing a refresh token.
pub(super) enum Exchange {
    /// It was the present one of this user's session, and is replaced by its successor; or it was a moment ago, and its
    /// successor is still the present one.
    Done(Box<user::Model>),
    /// It belongs to this user's session but was replaced before.
    Reused(UserId),
    /// It belongs to no live session, or was replaced a moment ago by a token that can't be derived any more.
    Refused,
}

/// What a token of a session is to it at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// The one to be exchanged next.
    Present,
    /// Replaced less than [`GRACE`] ago by the present one.
    JustReplaced,
    /// Replaced before that.
    Replaced,
}

/// A session about to be opened.
pub(in crate::chat) struct NewSession {
    pub(in crate::chat) refresh: RefreshToken,
    client: Option<String>,
}

impl NewSession {
    /// A session with new secrets. `client`: what the client calls its device; without the space around it, and if
    /// nothing is left, the device has no name.
    ///
    /// # Errors
    /// [`Error::Invalid`] of `client` when that is longer than [`MAX_CLIENT_CHARS`], or isn't one line without control
    /// characters.
    pub(in crate::chat) fn prepare(client: Option<&str>) -> Result<Self, Error> {
        let client = client.map(str::trim).filter(|client| !client.is_empty());
        if let Some(client) = client {
            if client.chars().count() > MAX_CLIENT_CHARS {
                return Err(Error::invalid(
                    Argument::Client,
                    format!("must have at most {MAX_CLIENT_CHARS} characters"),
                ));
            }
            if client.contains(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')) {
                return Err(Error::invalid(Argument::Client, "must be one line without control characters"));
            }
        }
        Ok(Self { refresh: RefreshToken::generate()?, client: client.map(str::to_owned) })
    }

    /// Writes the session's row.
    pub(in crate::chat) async fn open(&self, tx: &Transaction, user: UserId, now: DateTime<Utc>) -> Result<(), DbErr> {
        let row = session::Model {
            id: self.refresh.session,
            user_id: user,
            family_hash: Sha256::digest(self.refresh.family).to_vec(),
            refresh_hash: self.refresh.hash(),
            previous_hash: None,
            replaced_at: None,
            client: self.client.clone(),
            created_at: now,
            last_used_at: now,
            expires_at: now + LIFETIME,
            revoked_at: None,
        };
        row.into_active_model().insert(tx).await.map(drop)
    }
}

/// What a client exchanges for new tokens. The database keeps only hashes of its secrets; they are random, so a plain
/// SHA-256 is enough.
pub(in crate::chat) struct RefreshToken {
    session: SessionId,
    /// Common to all refresh tokens of the session.
    family: [u8; 16],
    /// This token's own.
    secret: [u8; 32],
}

impl RefreshToken {
    const BYTES: usize = 16 + 16 + 32;

    /// The first token of a new session.
    fn generate() -> Result<Self, Error> {
        Ok(Self { session: SessionId::generate(), family: random()?, secret: random()? })
    }

    /// The next token of the same session.
    pub(super) fn successor(&self, successors: &Successors) -> Self {
        Self { session: self.session, family: self.family, secret: successors.after(self.session, &self.secret) }
    }

    /// What is kept of its own part.
    fn hash(&self) -> Vec<u8> {
        Sha256::digest(self.secret).to_vec()
    }

    /// The session that it belongs to, or claims to.
    pub(super) fn session(&self) -> SessionId {
        self.session
    }

    /// Reads a refresh token from its text. `None`: the text can't be one.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; Self::BYTES];
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
        let (session, rest) = bytes[..length].split_first_chunk()?;
        let (family, rest) = rest.split_first_chunk()?;
        let secret = rest.try_into().ok()?;
        Some(Self { session: SessionId(Uuid::from_bytes(*session)), family: *family, secret })
    }

    /// Replaces it by `next`, its successor, if it is the present token of a live session.
    pub(super) async fn exchange(&self, next: &Self, now: DateTime<Utc>, tx: &Transaction) -> Result<Exchange, DbErr> {
        loop {
            let Some((session, Some(user))) = session::Entity::live(self.session, now).one(tx).await? else {
                return Ok(Exchange::Refused);
            };
            if !is_hash_of(&session.family_hash, &self.family) || !user.may_enter() {
                return Ok(Exchange::Refused);
            }
            return Ok(match self.standing(&session, now) {
                Standing::Present if self.replace(next, &session, now, tx).await? => Exchange::Done(Box::new(user)),
                // Another has exchanged it since it was read, or ended the session: neither can be undone, so it is
                // not the present one again.
                Standing::Present => continue,
                Standing::JustReplaced if is_hash_of(&session.refresh_hash, &next.secret) => {
                    Exchange::Done(Box::new(user))
                }
                // The token secret was another then.
                Standing::JustReplaced => Exchange::Refused,
                Standing::Replaced => Exchange::Reused(user.id),
            });
        }
    }

    /// What this token, which is of the session's family, is to the session.
    fn standing(&self, session: &session::Model, now: DateTime<Utc>) -> Standing {
        if is_hash_of(&session.refresh_hash, &self.secret) {
            return Standing::Present;
        }
        match (&session.previous_hash, session.replaced_at) {
            (Some(previous), Some(at)) if is_hash_of(previous, &self.secret) && now < at + GRACE => {
                Standing::JustReplaced
            }
            _ => Standing::Replaced,
        }
    }

    /// Writes that `next` is the session's present token. `false`: another has changed the session since it was read.
    async fn replace(
        &self,
        next: &Self,
        session: &session::Model,
        now: DateTime<Utc>,
        tx: &Transaction,
    ) -> Result<bool, DbErr> {
        let replaced = session::Entity::update_many()
            .set(session::ActiveModel {
                refresh_hash: Set(next.hash()),
                previous_hash: Set(Some(self.hash())),
                replaced_at: Set(Some(now)),
                last_used_at: Set(now),
                expires_at: Set(now + LIFETIME),
                ..Default::default()
            })
            .filter(session::Column::Id.eq(session.id))
            .filter(session::Column::RefreshHash.eq(session.refresh_hash.as_slice()))
            .filter(session::Column::RevokedAt.is_null())
            .exec(tx)
            .await?;
        Ok(replaced.rows_affected == 1)
    }
}

impl fmt::Display for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [self.session.0.as_bytes().as_slice(), &self.family, &self.secret];
        f.write_str(&URL_SAFE_NO_PAD.encode(parts.concat()))
    }
}

/// Compares in a time that doesn't depend on how much of the hash agrees.
fn is_hash_of(hash: &[u8], secret: &[u8]) -> bool {
    let shown = Sha256::digest(secret);
    let differing = shown.iter().zip(hash).fold(0, |differing, (a, b)| differing | (a ^ b));
    hash.len() == shown.len() && black_box(differing) == 0
}

fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| Error::Internal(Arc::new(error)))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;
    use crate::secret::Secret;

    /// A session as the database has it after `refresh` opened it, and the key of its tokens.
    fn session(refresh: &RefreshToken) -> (session::Model, Successors) {
        let now = DateTime::UNIX_EPOCH;
        let row = session::Model {
            id: refresh.session,
            user_id: UserId::generate(),
            family_hash: Sha256::digest(refresh.family).to_vec(),
            refresh_hash: refresh.hash(),
            previous_hash: None,
            replaced_at: None,
            client: None,
            created_at: now,
            last_used_at: now,
            expires_at: now + LIFETIME,
            revoked_at: None,
        };
        (row, Successors::new(&Secret::new([1; 32]).expect("is long enough")))
    }

    proptest! {
        /// Whoever shows which of the tokens so far, and whenever: only the present one is exchanged, the one before it
        /// is answered the same for a minute, and all others are known as replaced.
        #[test]
        fn only_the_last_two_tokens_are_answered(shown in prop::collection::vec((0..4_usize, 0..90_i64), 1..40)) {
            let first = RefreshToken::generate().expect("random bytes");
            let (mut row, successors) = session(&first);
            let (mut tokens, mut now) = (vec![first], row.created_at);
            for (back, seconds) in shown {
                now += TimeDelta::seconds(seconds);
                let Some(token) = tokens.len().checked_sub(1 + back).and_then(|index| tokens.get(index)) else { continue };
                let next = token.successor(&successors);
                let is_young = row.replaced_at.is_some_and(|at| now - at < TimeDelta::seconds(60));
                let expected = match back {
                    0 => Standing::Present,
                    1 if is_young => Standing::JustReplaced,
                    _ => Standing::Replaced,
                };
                prop_assert_eq!(token.standing(&row, now), expected);
                match expected {
                    Standing::Present => {
                        (row.previous_hash, row.replaced_at) = (Some(token.hash()), Some(now));
                        row.refresh_hash = next.hash();
                        tokens.push(next);
                    }
                    Standing::JustReplaced => prop_assert!(is_hash_of(&row.refresh_hash, &next.secret)),
                    Standing::Replaced => {}
                }
            }
        }
    }

    #[test]
    fn a_refresh_token_survives_its_text() {
        let text = NewSession::prepare(None).expect("no client to refuse").refresh.to_string();
        assert_eq!(RefreshToken::parse(&text).expect("is a token").to_string(), text);
        for other in [&text[1..], &format!("{text}A"), &format!("{text}AAAA"), "", "ключ"] {
            assert!(RefreshToken::parse(other).is_none(), "{other}");
        }
    }

    #[test]
    fn only_the_hash_of_a_secret_is_its_hash() {
        assert!(is_hash_of(&Sha256::digest(b"secret"), b"secret"));
        assert!(!is_hash_of(&Sha256::digest(b"secret"), b"Secret"));
        assert!(!is_hash_of(&Sha256::digest(b"secret")[..31], b"secret"));
        assert!(!is_hash_of(b"", b"secret"));
    }

    #[test]
    fn what_a_client_says_it_is_has_a_bound() {
        let named = |client: &str| NewSession::prepare(Some(client)).map(|session| session.client);
        assert!(named(&"ä".repeat(MAX_CLIENT_CHARS)).is_ok());
        assert_eq!(named("  Ann's phone ").expect("is a name").as_deref(), Some("Ann's phone"));
        assert_eq!(named(" ").expect("is none"), None);
        for client in [&"ä".repeat(MAX_CLIENT_CHARS + 1), "\0", "two\nlines", "two\u{2028}lines", "two\u{2029}lines"] {
            let refused = named(client);
            assert!(matches!(refused, Err(Error::Invalid { argument: Argument::Client, .. })), "{client:?}");
        }
    }
}
