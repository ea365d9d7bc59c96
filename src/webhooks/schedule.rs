//! When a receiver that has failed is tried again: over three days, as the
//! [specification](https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md) has it.

use std::time::Duration;

/// The pauses after the first attempt, the second, and so on: 75 h 35 min in all.
const PAUSES: [Duration; 9] = [
    Duration::from_secs(5),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(5),
    Duration::from_hours(10),
    Duration::from_hours(14),
    Duration::from_hours(20),
    Duration::from_hours(24),
];

/// How long all of it takes at most.
pub(super) const IN_ALL: Duration = Duration::from_hours(84);

/// The pause after so many attempts that have failed. `None`: there is no other.
pub(super) fn pause_after(attempts: i32) -> Option<Duration> {
    let place = usize::try_from(attempts.max(1) - 1).unwrap_or(usize::MAX);
    PAUSES.get(place).copied().map(spread)
}

/// Ten percent more or less, so that those who failed together don't come back together.
fn spread(pause: Duration) -> Duration {
    let share = f64::from(getrandom::u32().unwrap_or(u32::MAX / 2)) / f64::from(u32::MAX);
    pause.mul_f64(0.9 + share / 5.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_attempts_are_made_over_75_hours() {
        let mut all = Duration::ZERO;
        for (attempts, expected) in (1..).zip(PAUSES) {
            let pause = pause_after(attempts).expect("there is another");
            assert!(pause >= expected.mul_f64(0.9) && pause <= expected.mul_f64(1.1), "{pause:?} of {expected:?}");
            all += expected;
        }
        assert_eq!(pause_after(10), None);
        assert_eq!(all, Duration::from_mins(75 * 60 + 35) + Duration::from_secs(5));
        assert!(all.mul_f64(1.1) < IN_ALL);
    }
}
