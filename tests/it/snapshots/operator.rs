//! What the operator reads who makes, deletes and lets in users.

use super::{assert_snapshot, in_a_terminal};
use crate::support::TestApp;

/// The text with what is secret, and made anew each time, replaced.
fn without_secrets(text: &str) -> String {
    let lines = text.split_inclusive('\n').map(|line| match line {
        line if line.starts_with("password: ") => "password: [password]\n",
        line if line.starts_with("eyJ") => "[token]\n",
        line => line,
    });
    lines.collect()
}

#[tokio::test]
async fn the_operator_reads_what_was_done_or_why_not() {
    let app = TestApp::start().await;
    let mut shown = Vec::new();
    for arguments in [
        &["migrate"][..],
        &["user", "add", "sue", "--type", "support", "--display-name", "Sue of support"],
        &["user", "add", "Sue", "--type", "consumer"],
        &["user", "add", "two words", "--type", "consumer"],
        &["user", "add", "tom", "--type", "support", "--display-name", ""],
        &["user", "add", "tom", "--type", "support", "--password-stdin"],
        &["user", "token", "sue", "--ttl-secs", "60"],
        &["user", "token", "nobody"],
        &["user", "delete", "sue"],
        &["user", "delete", "sue"],
    ] {
        let output = app.parlor_with_input(arguments, "short\n").await;
        shown.push(without_secrets(&in_a_terminal(arguments, &output)));
    }
    assert_snapshot("command_line", "users", &shown.join("\n"));
}
