//! The server's metrics as tests see them.

use super::{TestApp, within};

impl TestApp {
    /// Waits until the metric has this value.
    pub async fn until_metric(&self, name: &str, expected: f64) {
        self.until_metric_is(name, |value| (value - expected).abs() < f64::EPSILON).await;
    }

    /// Waits until the metric's value is as expected.
    pub async fn until_metric_is(&self, name: &str, is_as_expected: impl Fn(f64) -> bool) {
        within(format_args!("{name} to be as expected"), async {
            while !is_as_expected(self.metric(name).await) {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    /// How many requests and sockets were refused for this reason.
    pub async fn refusals(&self, reason: &str) -> f64 {
        let text = within("the metrics", self.get("/metrics").await.text()).await.expect("metrics are text");
        let key = format!("parlor_refusals_total{{reason=\"{reason}\"}} ");
        let count = text.lines().find_map(|line| line.strip_prefix(&key)).map(str::parse);
        count.unwrap_or(Ok(0.0)).expect("a sample ends with a number")
    }
}
