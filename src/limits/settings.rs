//! How much is allowed.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::rate::Rates;

/// The table `[limits]` of the settings. Every rate is per node; 0 or `off` is none.
///
/// The numbers are those of comparable services (Sendbird, Stream, Discord, Twilio, `CometChat`, Supabase), where they
/// publish some; `complexity` was measured.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitSettings {
    /// `PARLOR_LIMITS`: `on`, or `off` for none of the limits below, for load tests. Default: on.
    #[serde(deserialize_with = "switch")]
    pub enabled: bool,
    /// `PARLOR_LIMITS_REQUESTS`: requests, and operations on sockets, per address. Default: `50/s burst 200`.
    pub requests: Rates,
    /// `PARLOR_LIMITS_SOCKETS_OPENED`: sockets opened per address; one that resumes counts below. Default: `60/min`.
    pub sockets_opened: Rates,
    /// `PARLOR_LIMITS_RESUMES`: sockets per user that resume, such as after a restart, and those beyond what their
    /// address may open. Default: `20/min`.
    pub resumes: Rates,
    /// `PARLOR_LIMITS_SIGN_UPS`: accounts created per address. Default: `30/h burst 10`.
    pub sign_ups: Rates,
    /// `PARLOR_LIMITS_SIGN_IN_FAILURES`: failures to sign in or refresh, per address. Default: `30/min`.
    pub sign_in_failures: Rates,
    /// `PARLOR_LIMITS_ACCOUNT_FAILURES`: failures to sign in to an account from one address. Default: `20/h burst 5`.
    pub account_failures: Rates,
    /// `PARLOR_LIMITS_ACCOUNT_CEILING`: failures to sign in to an account from anywhere, beyond which every attempt
    /// takes three seconds longer. Default: `100/h`.
    pub account_ceiling: Rates,
    /// `PARLOR_LIMITS_SIGN_INS`: attempts to sign in to an account from one address, or to refresh one session. Default:
    /// `60/min burst 150`.
    pub sign_ins: Rates,
    /// `PARLOR_LIMITS_COMPLEXITY`: fields asked for per user, where each list counts as if its page were full, and each
    /// operation as 100 fields and a tenth of the bytes of its document. Default: `20000/s burst 200000`: a field costs
    /// about 5 µs of processor time (`bench/RESULTS.md`, Reading), so this is a tenth of a core.
    pub complexity: Rates,
    /// `PARLOR_LIMITS_POSTS`: messages posted per user. Default: `5/s burst 20, 120/min`.
    pub posts: Rates,
    /// `PARLOR_LIMITS_ROOM_POSTS`: messages posted per room. Default: `100/s burst 200`.
    pub room_posts: Rates,
    /// `PARLOR_LIMITS_MARKS`: `markRead` per user. Default: `3/s burst 30`.
    pub marks: Rates,
    /// `PARLOR_LIMITS_TYPING`: `setTyping` per user. Default: `30/min burst 5`.
    pub typing: Rates,
    /// `PARLOR_LIMITS_WRITES`: every other mutation per user. Default: `3/s burst 20`.
    pub writes: Rates,
    /// `PARLOR_LIMITS_READS`: fields at the root of queries, and subscriptions begun, per user. Default: `20/s burst
    /// 60`.
    pub reads: Rates,
    /// `PARLOR_LIMITS_NEW_ROOMS`: rooms opened per user. Default: `30/min burst 10`.
    pub new_rooms: Rates,
    /// `PARLOR_LIMITS_REPORTS`: reports of messages and users per user. Default: `10/h burst 5`.
    pub reports: Rates,
    /// `PARLOR_LIMITS_SEARCHES`: searches for messages per user. Default: `1/s burst 10`.
    pub searches: Rates,
    /// `PARLOR_LIMITS_UPLOADS`: files announced per user. Default: `1/s burst 10, 60/min`.
    pub uploads: Rates,
    /// `PARLOR_LIMITS_UPLOAD_MIB`: MiB of files announced per user within a day. Default: 1,024.
    #[serde(deserialize_with = "whole_number")]
    pub upload_mib: u32,
    /// `PARLOR_LIMITS_SERVER_KEYS`: requests per server key, in place of the limits per address and user. Default:
    /// `200/s burst 1000`.
    pub server_keys: Rates,
    /// `PARLOR_LIMITS_SOCKETS`: open sockets per user. Default: 20.
    #[serde(deserialize_with = "whole_number")]
    pub sockets: u32,
    /// `PARLOR_LIMITS_SESSIONS`: live sessions per user; another ends the one that was unused for longest. Default:
    /// 100.
    #[serde(deserialize_with = "whole_number")]
    pub sessions: u32,
    /// `PARLOR_LIMITS_ROOMS`: rooms that one user has opened and that still exist. Default: 2,000.
    #[serde(deserialize_with = "whole_number")]
    pub rooms: u32,
}

impl Default for LimitSettings {
    fn default() -> Self {
        let rates = |text: &str| text.parse().expect("the defaults are rates");
        Self {
            enabled: true,
            requests: rates("50/s burst 200"),
            sockets_opened: rates("60/min"),
            resumes: rates("20/min"),
            sign_ups: rates("30/h burst 10"),
            sign_in_failures: rates("30/min"),
            account_failures: rates("20/h burst 5"),
            account_ceiling: rates("100/h"),
            sign_ins: rates("60/min burst 150"),
            complexity: rates("20000/s burst 200000"),
            posts: rates("5/s burst 20, 120/min"),
            room_posts: rates("100/s burst 200"),
            marks: rates("3/s burst 30"),
            typing: rates("30/min burst 5"),
            writes: rates("3/s burst 20"),
            reads: rates("20/s burst 60"),
            new_rooms: rates("30/min burst 10"),
            reports: rates("10/h burst 5"),
            searches: rates("1/s burst 10"),
            uploads: rates("1/s burst 10, 60/min"),
            upload_mib: 1_024,
            server_keys: rates("200/s burst 1000"),
            sockets: 20,
            sessions: 100,
            rooms: 2_000,
        }
    }
}

impl LimitSettings {
    /// No limits at all.
    #[must_use]
    pub fn off() -> Self {
        let none = Rates::default;
        Self {
            enabled: false,
            requests: none(),
            sockets_opened: none(),
            resumes: none(),
            sign_ups: none(),
            sign_in_failures: none(),
            account_failures: none(),
            account_ceiling: none(),
            sign_ins: none(),
            complexity: none(),
            posts: none(),
            room_posts: none(),
            marks: none(),
            typing: none(),
            writes: none(),
            reads: none(),
            new_rooms: none(),
            reports: none(),
            searches: none(),
            uploads: none(),
            upload_mib: 0,
            server_keys: none(),
            sockets: 0,
            sessions: 0,
            rooms: 0,
        }
    }

    /// What holds: these settings, or none of them when they are switched off.
    #[must_use]
    pub fn in_force(&self) -> Self {
        if self.enabled { self.clone() } else { Self::off() }
    }
}

/// `on` or `off`; files may have `true` or `false`.
fn switch<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::Bool(on) => Ok(on),
        serde_json::Value::String(text) if text == "on" => Ok(true),
        serde_json::Value::String(text) if text == "off" => Ok(false),
        _ => Err(D::Error::custom("expected `on` or `off`")),
    }
}

/// Files hold numbers; the environment holds text.
fn whole_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let number = match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::Number(number) => number.as_u64().and_then(|number| u32::try_from(number).ok()),
        serde_json::Value::String(text) if text == "off" => Some(0),
        serde_json::Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.ok_or_else(|| D::Error::custom("expected a whole number"))
}
