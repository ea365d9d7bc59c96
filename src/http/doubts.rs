//! Reports, once each, why limits per address don't hold, and what to set so that they do.

use std::sync::atomic::{AtomicBool, Ordering};

use super::caller::{Address, Doubt};

/// What was reported already.
pub struct Doubts {
    /// Whether there are limits at all.
    limited: bool,
    reported: [AtomicBool; 4],
}

impl Doubts {
    /// Nothing is reported yet; nor ever, without limits.
    #[must_use]
    pub fn new(limited: bool) -> Self {
        Self { limited, reported: Default::default() }
    }

    /// Logs what is doubtful about an address, if that is the first such address.
    pub(crate) fn report(&self, address: Address) {
        let Some(doubt) = address.doubt.filter(|_| self.limited) else { return };
        let reported = &self.reported[doubt as usize];
        if reported.load(Ordering::Relaxed) || reported.swap(true, Ordering::Relaxed) {
            return;
        }
        let client = address.ip;
        match doubt {
            Doubt::Loopback => tracing::info!(
                %client,
                "limits per address don't hold for this machine itself; if a proxy runs on it, have it set \
                 X-Forwarded-For, and name it in PARLOR_TRUSTED_PROXIES"
            ),
            Doubt::Undeclared => tracing::warn!(
                %client,
                "limits per address are off for requests from this address, which looks like a proxy's; if it is one, \
                 name it in PARLOR_TRUSTED_PROXIES"
            ),
            Doubt::Silent => tracing::warn!(
                %client,
                "limits per address are off for requests from this trusted proxy, which doesn't say whom it forwards \
                 for; have it set X-Forwarded-For"
            ),
            Doubt::Public => tracing::warn!(
                %client,
                "requests from this address name others in X-Forwarded-For, and all are limited as one; if it is a \
                 proxy, name it in PARLOR_TRUSTED_PROXIES"
            ),
        }
    }
}
