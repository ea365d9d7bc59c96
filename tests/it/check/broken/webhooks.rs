//! Webhooks.

use super::{Case, case};

pub const CASES: &[Case] = &[
    case(
        "webhooks",
        "is said to have failed",
        "UPDATE webhook SET state = 1, attempts = 3",
        "UPDATE webhook SET state = 3, attempts = 0",
    ),
    case("webhooks", "never tried again", "UPDATE webhook SET state = 2", "UPDATE webhook SET state = 3"),
    case(
        "webhook_places",
        "there are 1 webhooks, and 0 places",
        "UPDATE consumer SET name = 'was ' || name WHERE name LIKE 'webhook:%'",
        "UPDATE consumer SET name = substr(name, 5) WHERE name LIKE 'was webhook:%'",
    ),
];
