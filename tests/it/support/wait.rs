//! Waiting with a time limit.

use std::fmt::Display;
use std::time::Duration;

/// How long anything that a test waits for may take, on a machine that is busy with other tests as well.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// Waits for the future.
///
/// # Panics
/// After [`TIME_LIMIT`], with what it waited for.
pub async fn within<T>(what: impl Display, future: impl Future<Output = T>) -> T {
    let output = tokio::time::timeout(TIME_LIMIT, future).await;
    output.unwrap_or_else(|_| panic!("waited {} s for {what}", TIME_LIMIT.as_secs()))
}
