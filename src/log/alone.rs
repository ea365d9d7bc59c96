//! Work that one node at a time does, and pauses between tries.

use std::time::Duration;

use sea_orm::DbErr;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::store::Store;
use crate::store::claim::Claim;

/// How often a node without the claim asks whether it is free, and about how long it waits before it begins anew.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// Does the work on the one node that holds the claim to `name`, until cancelled. The work is dropped wherever it stands
/// when the claim is lost, so it must bear that. Work that ends by itself gives up the claim, and is begun anew by
/// whichever node has it next.
pub(crate) async fn alone<W: Future<Output = ()> + Send>(
    store: &Store,
    name: &str,
    stop: &CancellationToken,
    mut work: impl FnMut() -> W + Send,
) {
    let mut failing = false;
    loop {
        let claimed = tokio::select! {
            () = stop.cancelled() => return,
            claimed = claim(store, name) => claimed,
        };
        match claimed {
            Ok(mut claim) => {
                failing = false;
                tracing::debug!(name, "this node has the claim");
                let lost = tokio::select! {
                    () = stop.cancelled() => return claim.give_up().await,
                    lost = claim.lost() => Some(lost),
                    () = work() => None,
                };
                match lost {
                    Some(error) => tracing::warn!(name, %error, "the claim is lost; its work stops here"),
                    None => claim.give_up().await,
                }
            }
            Err(error) if failing => tracing::debug!(name, %error, "there is no claim to be had"),
            Err(error) => {
                failing = true;
                tracing::warn!(name, %error, "there is no claim to be had; trying again");
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(jittered(ASK_AGAIN)) => {}
        }
    }
}

/// The claim, as soon as nobody else holds it.
async fn claim(store: &Store, name: &str) -> Result<Claim, DbErr> {
    let mut claim = store.claim(name).await?;
    while !claim.take().await? {
        sleep(jittered(ASK_AGAIN)).await;
    }
    Ok(claim)
}

/// Pauses after failures, each twice as long as the one before, up to a bound.
pub(crate) struct Pauses {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Pauses {
    /// Pauses from `first` to `longest`.
    pub(crate) fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, next: first }
    }

    /// The pause after one more failure.
    pub(crate) fn next(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(self.longest);
        jittered(pause)
    }

    /// It went well.
    pub(crate) fn reset(&mut self) {
        self.next = self.first;
    }
}

/// From half of it to all of it, so that those who failed together don't try again together.
pub(crate) fn jittered(pause: Duration) -> Duration {
    let share = f64::from(getrandom::u32().unwrap_or_default()) / f64::from(u32::MAX);
    pause.mul_f64(0.5 + share / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_bound_and_begin_anew_after_success() {
        let mut pauses = Pauses::new(Duration::from_secs(1), Duration::from_secs(5));
        for expected in [1, 2, 4, 5, 5] {
            let (pause, expected) = (pauses.next(), Duration::from_secs(expected));
            assert!(pause >= expected / 2 && pause <= expected, "{pause:?} of {expected:?}");
        }
        pauses.reset();
        assert!(pauses.next() <= Duration::from_secs(1));
    }
}
