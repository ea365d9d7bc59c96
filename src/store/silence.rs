//! Connections that have fallen silent: no byte comes, and nothing says that they are broken.
//!
//! A firewall that forgets a connection, a machine that loses its power, a frozen proxy: the kernel waits for many
//! minutes, new connections work at once. What falls silent usually does so together, so one connection that gave no
//! answer in time makes all the others suspect that were there already. They are closed instead of being used.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// When a connection was last found silent.
#[derive(Default)]
pub(super) struct Silence(Mutex<Option<Instant>>);

impl Silence {
    /// A connection gave no answer in time.
    pub(super) fn note(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Whether a connection of this age was there when another one was found silent.
    pub(super) fn suspects(&self, age: Duration) -> bool {
        let noted = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        noted.is_some_and(|at| at.elapsed() <= age)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_connections_that_were_there_before_the_silence_are_suspect() {
        let silence = Silence::default();
        assert!(!silence.suspects(Duration::MAX));
        silence.note();
        assert!(silence.suspects(Duration::from_secs(1)));
        assert!(!silence.suspects(Duration::ZERO));
    }
}
