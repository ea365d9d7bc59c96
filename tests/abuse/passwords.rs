//! Memory and turns that hashing passwords takes.

use std::time::Duration;

use futures_util::future::join_all;

use super::Form;
use super::outcome::Outcome;
use super::server::Server;

pub async fn accounts_one_after_the_other_and_at_once(_: Form) -> Outcome {
    let server = Server::start().await;
    let before = server.resident();
    server.forget_peak();
    for n in 0..20 {
        server.endpoint().sign_up(&format!("one{n}")).await;
    }
    let alone = server.peak() - before;
    let mut peaks = Vec::new();
    for storm in 0..2 {
        server.forget_peak();
        let names: Vec<_> = (0..40).map(|n| format!("storm{storm}x{n}")).collect();
        join_all(names.iter().map(|name| server.endpoint().sign_up(name))).await;
        peaks.push(server.peak());
    }
    tokio::time::sleep(Duration::from_secs(30)).await;
    let (first, second) = (peaks[0], peaks[1]);
    Outcome::default()
        .mib("20 sign-ups one after the other, on top", alone, 100)
        .expect(
            second * 10 <= first * 11,
            format_args!("two storms of 40: {first} and {second} MiB (second ≤ 1.1 × first)"),
        )
        .mib("30 s later, on top of the start", server.resident().saturating_sub(before), 100)
}
