//! The long answers that wait for clients over HTTP.
//!
//! Who reads slowly, or not at all, is waited for some time (`stream`). Until then the answer is held, and so it counts:
//! for its user, or for all who aren't signed in together.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use crate::delivery::allowance::{Allowance, Reserved};
use crate::ids::UserId;

/// The most bytes of long answers that wait for one user, over all connections; or for all who aren't signed in.
pub(crate) const MAX_WAITING_BYTES: usize = 16 * 1024 * 1024;

/// Answers up to this length aren't counted: connections bound them, and the system's buffers take them.
const SHORT: usize = 64 * 1024;

/// Users of whom something is remembered before those are forgotten for whom nothing waits.
const REMEMBERED: usize = 1_024;

/// The long answers that wait.
#[derive(Default)]
pub struct Answers {
    waiting: Mutex<HashMap<Option<UserId>, Allowance>>,
}

/// An answer's bytes, counted until the last of them was written.
struct Held {
    json: String,
    #[expect(dead_code, reason = "held")]
    reserved: Reserved,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        self.json.as_bytes()
    }
}

impl Answers {
    /// The answer, counted until it is written. `None` if too much waits already.
    pub(crate) fn hold(&self, user: Option<UserId>, json: String) -> Option<Bytes> {
        if json.len() <= SHORT {
            return Some(json.into());
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= REMEMBERED {
            waiting.retain(|_, allowance| allowance.available() < MAX_WAITING_BYTES);
        }
        let allowance = waiting.entry(user).or_insert_with(|| Allowance::new(MAX_WAITING_BYTES));
        let reserved = allowance.try_reserve(json.len())?;
        Some(Bytes::from_owner(Held { json, reserved }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_answers_count_for_their_user_until_they_are_gone() {
        let (answers, ann) = (Answers::default(), Some(UserId::generate()));
        let long = || "x".repeat(MAX_WAITING_BYTES / 2);
        let (first, second) = (answers.hold(ann, long()), answers.hold(ann, long()));
        assert!(first.is_some() && second.is_some());
        assert!(answers.hold(ann, long()).is_none());
        assert!(answers.hold(ann, "short".to_owned()).is_some());
        assert!(answers.hold(None, long()).is_some(), "of somebody else");
        let part = first.map(|bytes| bytes.slice(..10));
        assert!(answers.hold(ann, long()).is_none(), "a part of it is still to be written");
        drop(part);
        assert!(answers.hold(ann, long()).is_some());
    }
}
