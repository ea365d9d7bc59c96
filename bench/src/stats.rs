//! Percentiles.

use std::time::Duration;

/// How measured times are spread, in ms.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spread {
    /// Half of them took no longer.
    pub p50: f64,
    /// 99 of 100 took no longer.
    pub p99: f64,
    /// None took longer.
    pub max: f64,
}

impl Spread {
    /// Of these times, which are sorted for it.
    pub fn of_millis(times: &mut [Duration]) -> Self {
        times.sort_unstable();
        let at = |share| at_share(times, share).map_or(0.0, |time| time.as_secs_f64() * 1e3);
        Self { p50: at(0.5), p99: at(0.99), max: at(1.0) }
    }
}

/// The item below which this share of a sorted list lies.
pub fn at_share<T>(sorted: &[T], share: f64) -> Option<&T> {
    let index = (sorted.len() as f64 * share) as usize;
    sorted.get(index.min(sorted.len().saturating_sub(1)))
}
