//! The long answers that wait for clients over HTTP.
//!
//! Who reads slowly, or not at all, is waited for some time (`stream`). Until then the answer is held, and so it counts:
//! for its user, or for all who aren't signed in together.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use uuid::Uuid;

use super::encoding::{self, Coding, Compressor};
use crate::delivery::allowance::{Allowance, Reserved};

/// The most bytes of long answers that wait for one user or server key, over all connections; or for all who aren't signed in.
pub(crate) const MAX_WAITING_BYTES: usize = 16 * 1024 * 1024;

/// Answers up to this length aren't counted: connections bound them, and the system's buffers take them.
const SHORT: usize = 64 * 1024;

/// Users of whom something is remembered before those are forgotten for whom nothing waits.
const REMEMBERED: usize = 1_024;

/// The long answers that wait.
#[derive(Default)]
pub struct Answers {
    waiting: Mutex<HashMap<Option<Uuid>, Allowance>>,
}

/// An answer's bytes, counted until the last of them was written.
pub(crate) struct Answer {
    bytes: Vec<u8>,
    /// What it takes of its user's allowance. `None`: it isn't counted.
    reserved: Option<Reserved>,
}

impl Answer {
    /// An answer that isn't counted.
    pub(crate) fn uncounted(json: String) -> Self {
        Self { bytes: json.into(), reserved: None }
    }

    /// Compresses it, if it is long enough; it then counts with the bytes that are left of it. Returns the coding that it
    /// is in.
    pub(crate) async fn compress(&mut self, coding: Option<Coding>, compressor: &Compressor) -> Option<Coding> {
        let coding = coding?;
        self.bytes = compressor.compress(coding, &self.bytes).await?;
        if let Some(reserved) = &mut self.reserved {
            // It gives back what it doesn't need, which always succeeds.
            let _ = reserved.resize(self.bytes.len());
        }
        Some(coding)
    }

    /// Whether it is long enough to be compressed for those who accept that.
    pub(crate) fn is_compressible(&self) -> bool {
        encoding::is_worthwhile(&self.bytes)
    }
}

impl AsRef<[u8]> for Answer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl From<Answer> for Bytes {
    fn from(answer: Answer) -> Self {
        if answer.reserved.is_some() { Self::from_owner(answer) } else { answer.bytes.into() }
    }
}

impl Answers {
    /// The answer, counted until it is written. `None` if too much waits already.
    pub(crate) fn hold(&self, user: Option<Uuid>, json: String) -> Option<Answer> {
        if json.len() <= SHORT {
            return Some(Answer::uncounted(json));
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= REMEMBERED {
            waiting.retain(|_, allowance| allowance.available() < MAX_WAITING_BYTES);
        }
        let allowance = waiting.entry(user).or_insert_with(|| Allowance::new(MAX_WAITING_BYTES));
        let reserved = allowance.try_reserve(json.len())?;
        Some(Answer { bytes: json.into(), reserved: Some(reserved) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_answers_count_for_their_user_until_they_are_gone() {
        let (answers, ann) = (Answers::default(), Some(Uuid::now_v7()));
        let long = || "x".repeat(MAX_WAITING_BYTES / 2);
        let (first, second) = (answers.hold(ann, long()), answers.hold(ann, long()));
        assert!(first.is_some() && second.is_some());
        assert!(answers.hold(ann, long()).is_none());
        assert!(answers.hold(ann, "short".to_owned()).is_some());
        assert!(answers.hold(None, long()).is_some(), "of somebody else");
        let part = first.map(|answer| Bytes::from(answer).slice(..10));
        assert!(answers.hold(ann, long()).is_none(), "a part of it is still to be written");
        drop(part);
        assert!(answers.hold(ann, long()).is_some());
    }

    #[tokio::test]
    async fn a_compressed_answer_counts_with_what_is_left_of_it() {
        let (answers, compressor) = (Answers::default(), Compressor::default());
        let long = || answers.hold(None, "x".repeat(MAX_WAITING_BYTES));
        let mut first = long().expect("nothing waits yet");
        assert!(long().is_none());
        assert_eq!(first.compress(Some(Coding::Gzip), &compressor).await, Some(Coding::Gzip));
        let waiting = Bytes::from(first);
        assert!(long().is_none(), "something waits");
        assert!(answers.hold(None, "x".repeat(MAX_WAITING_BYTES - waiting.len())).is_some());
    }
}
