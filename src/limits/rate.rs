//! Rates, as settings name them.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use governor::Quota;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// The largest number in a rate. With it, the nanoseconds of the longest period and largest burst fit into 64 bits.
const MAX_COUNT: u32 = 1_000_000;

/// So many in a period, evenly spread, and so many of them together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    count: NonZeroU32,
    period: Period,
    burst: NonZeroU32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Period {
    Second,
    Minute,
    Hour,
}

/// Rates that hold together: what is limited must be within each. None: it isn't limited.
///
/// As text `5/s burst 20, 120/min`: the periods are `s`, `min` and `h`; without `burst`, the whole count may come
/// together. `0` or `off` is no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rates(pub Vec<Rate>);

/// The text is no rate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a rate; one looks like `5/s burst 20`, in s, min or h, with numbers from 1 to 1,000,000")]
pub struct InvalidRate(String);

impl Rate {
    /// The same for the GCRA.
    pub(super) fn quota(self) -> Quota {
        let apart = self.period.length() / self.count.get();
        // `apart` is never 0: a count is at most a million, and a period at least a second.
        Quota::with_period(apart).unwrap_or_else(|| Quota::per_second(self.count)).allow_burst(self.burst)
    }
}

impl Period {
    fn length(self) -> Duration {
        match self {
            Self::Second => Duration::from_secs(1),
            Self::Minute => Duration::from_mins(1),
            Self::Hour => Duration::from_hours(1),
        }
    }
}

impl FromStr for Rate {
    type Err = InvalidRate;

    fn from_str(text: &str) -> Result<Self, InvalidRate> {
        let invalid = || InvalidRate(text.to_owned());
        let number = |text: &str| {
            let number: u32 = text.trim().parse().map_err(|_| invalid())?;
            NonZeroU32::new(number).filter(|number| number.get() <= MAX_COUNT).ok_or_else(invalid)
        };
        let (count, rest) = text.split_once('/').ok_or_else(invalid)?;
        let (period, burst) = rest.split_once("burst").map_or((rest, None), |(period, burst)| (period, Some(burst)));
        let count = number(count)?;
        let period = match period.trim() {
            "s" => Period::Second,
            "min" => Period::Minute,
            "h" => Period::Hour,
            _ => return Err(invalid()),
        };
        Ok(Self { count, period, burst: burst.map_or(Ok(count), number)? })
    }
}

impl FromStr for Rates {
    type Err = InvalidRate;

    fn from_str(text: &str) -> Result<Self, InvalidRate> {
        match text.trim() {
            "0" | "off" => Ok(Self::default()),
            text => text.split(',').map(|rate| rate.trim().parse()).collect::<Result<_, _>>().map(Self),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let period = match self.period {
            Period::Second => "s",
            Period::Minute => "min",
            Period::Hour => "h",
        };
        write!(f, "{}/{period}", self.count)?;
        if self.burst == self.count { Ok(()) } else { write!(f, " burst {}", self.burst) }
    }
}

impl fmt::Display for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("off");
        }
        for (n, rate) in self.0.iter().enumerate() {
            write!(f, "{}{rate}", if n == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Rates {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(text) => text.parse().map_err(D::Error::custom),
            serde_json::Value::Number(number) if number.as_u64() == Some(0) => Ok(Self::default()),
            other => Err(D::Error::custom(InvalidRate(other.to_string()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_read_as_it_is_written() {
        for text in ["5/s burst 20, 120/min", "30/h burst 10", "1/s", "1000000/h", "off"] {
            assert_eq!(text.parse::<Rates>().expect(text).to_string(), text);
        }
        assert_eq!("0".parse::<Rates>(), Ok(Rates::default()));
        assert_eq!(
            " 5/s  burst 20 ,60/min ".parse::<Rates>().map(|rates| rates.to_string()).as_deref(),
            Ok("5/s burst 20, 60/min")
        );
    }

    #[test]
    fn what_is_no_rate_is_refused_by_name() {
        for text in
            ["", "5", "5/", "/s", "0/s", "5/day", "5/s burst", "5/s burst 0", "-1/s", "5/s,", "1000001/s", "5 / 2s"]
        {
            let refused = text.parse::<Rates>().expect_err(text).to_string();
            assert!(refused.contains("is not a rate"), "{text}: {refused}");
        }
    }

    #[test]
    fn the_slowest_and_largest_rate_is_within_bounds() {
        let rates: Rates = "1/h burst 1000000".parse().expect("a rate");
        assert_eq!(rates.0[0].quota().replenish_interval(), Duration::from_hours(1));
        let rates: Rates = "20000/s burst 200000".parse().expect("a rate");
        assert_eq!(rates.0[0].quota().replenish_interval(), Duration::from_micros(50));
    }
}
