//! One attempt to tell a receiver something, and what came of it.

use chrono::{DateTime, TimeDelta, Utc};

use super::body::Body;
use super::signature::signatures;
use super::standing::Failed;
use super::{Parts, Rules};
use crate::outgoing::{Answer, Location, OutgoingError};
use crate::store::entity::webhook;

/// How long a receiver may ask to be left alone.
const WAITS: (TimeDelta, TimeDelta) = (TimeDelta::seconds(1), TimeDelta::hours(1));

/// What becomes of an attempt, for metrics.
pub(super) const RESULTS: [&str; 5] = ["delivered", "refused", "waits", "gone", "unreachable"];

/// What came of telling one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was answered with 2xx.
    Delivered,
    /// There is nothing to tell, or nothing any more.
    Nothing,
    /// The receiver wants nothing any more.
    Gone(Failed),
    /// The receiver asks to be left alone for so long.
    Wait(TimeDelta, Failed),
    /// The receiver was reached, and didn't take it.
    Refused(Failed),
    /// The receiver wasn't reached.
    Unreachable(Failed),
    /// Nothing was sent, because this server couldn't say what.
    Unmade(Failed),
}

/// Sends this to a webhook's receiver, signed.
pub(super) async fn attempt(
    parts: &Parts,
    rules: &Rules,
    (webhook, to): (&webhook::Model, &Location),
    body: &Body,
) -> Outcome {
    let now = parts.chat.clock().now();
    let secrets = rules.secrets().of(webhook, now);
    let signature = signatures(&secrets, &body.id, now.timestamp(), &body.json);
    let headers = [
        ("webhook-id", body.id.clone()),
        ("webhook-timestamp", now.timestamp().to_string()),
        ("webhook-signature", signature),
    ];
    let answer = parts.outgoing.post(to, &headers, body.json.clone()).await;
    let outcome = judge(answer, parts.chat.clock().now());
    if let Some(result) = outcome.result() {
        parts.metrics.webhook_attempts.with_label_values(&[result]).inc();
    }
    tracing::debug!(webhook = %webhook.id, id = body.id, ?outcome, "told");
    outcome
}

impl Outcome {
    /// How it has failed, if it has.
    pub(super) fn failed(&self) -> Option<&Failed> {
        match self {
            Self::Delivered | Self::Nothing => None,
            Self::Gone(failed)
            | Self::Wait(_, failed)
            | Self::Refused(failed)
            | Self::Unreachable(failed)
            | Self::Unmade(failed) => Some(failed),
        }
    }

    pub(super) fn is_gone(&self) -> bool {
        matches!(self, Self::Gone(_))
    }

    /// Whether the receiver has answered that it doesn't take this event, rather than that it takes none: not from this
    /// sender (401, 402, 403, 407), not there or so (404, 405, 406, 411, 415, 421, 426, 431), or not now (408, 425, 429).
    pub(super) fn blames_event(&self) -> bool {
        let Self::Refused(Failed { status: Some(status), .. }) = self else { return false };
        (400..=499).contains(status) && !matches!(status, 401..=408 | 410 | 411 | 415 | 421 | 425 | 426 | 429 | 431)
    }

    /// One of [`RESULTS`].
    fn result(&self) -> Option<&'static str> {
        Some(match self {
            Self::Delivered => "delivered",
            Self::Nothing | Self::Unmade(_) => return None,
            Self::Gone(_) => "gone",
            Self::Wait(..) => "waits",
            Self::Refused(_) => "refused",
            Self::Unreachable(_) => "unreachable",
        })
    }
}

/// What an answer means that came now.
fn judge(answer: Result<Answer, OutgoingError>, now: DateTime<Utc>) -> Outcome {
    let failed = |status, problem: String| Failed { status, problem };
    match answer {
        Ok(answer) => {
            let status = answer.status;
            let failed = failed(Some(status), format!("the answer is {status}"));
            let wait = answer.retry_after.and_then(|asked| asked.wait(now));
            let wait = wait.map(|wait| TimeDelta::from_std(wait).unwrap_or(WAITS.1));
            match (status, wait) {
                (200..=299, _) => Outcome::Delivered,
                (410, _) => Outcome::Gone(failed),
                (_, Some(wait)) => Outcome::Wait(wait.clamp(WAITS.0, WAITS.1), failed),
                _ => Outcome::Refused(failed),
            }
        }
        Err(OutgoingError::NoAnswer(problem)) => Outcome::Refused(failed(None, problem)),
        Err(error @ (OutgoingError::Unreachable(_) | OutgoingError::Refused)) => {
            Outcome::Unreachable(failed(None, error.to_string()))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::outgoing::RetryAfter;

    #[test]
    fn an_answer_is_success_refusal_or_the_end() {
        let now = DateTime::UNIX_EPOCH;
        let answered = |status, retry_after| judge(Ok(Answer { status, retry_after }), now);
        let of = |status, seconds: Option<u64>| {
            answered(status, seconds.map(|seconds| RetryAfter::For(Duration::from_secs(seconds))))
        };
        assert_eq!([of(200, None), of(204, None)], [Outcome::Delivered, Outcome::Delivered]);
        for status in [301, 302, 400, 404, 422, 429, 500, 503] {
            assert!(matches!(of(status, None), Outcome::Refused(_)), "{status}");
        }
        for status in [400, 409, 413, 422, 499] {
            assert!(of(status, None).blames_event(), "{status}");
        }
        for status in [204, 302, 401, 403, 404, 405, 408, 410, 415, 429, 500, 503] {
            assert!(!of(status, None).blames_event(), "{status}");
        }
        assert!(of(410, None).is_gone());
        assert!(matches!(of(503, Some(60)), Outcome::Wait(wait, _) if wait == TimeDelta::minutes(1)));
        assert!(matches!(of(429, Some(u64::MAX)), Outcome::Wait(wait, _) if wait == TimeDelta::hours(1)));
        let until = |then| answered(503, Some(RetryAfter::Until(then)));
        assert!(matches!(until(now + TimeDelta::minutes(1)), Outcome::Wait(wait, _) if wait == TimeDelta::minutes(1)));
        assert!(matches!(until(DateTime::<Utc>::MAX_UTC), Outcome::Wait(wait, _) if wait == TimeDelta::hours(1)));
        assert!(matches!(until(now - TimeDelta::minutes(1)), Outcome::Refused(_)), "it asks for nothing any more");
        assert!(matches!(judge(Err(OutgoingError::Refused), now), Outcome::Unreachable(_)));
        assert!(matches!(judge(Err(OutgoingError::NoAnswer(String::new())), now), Outcome::Refused(_)));
    }
}
