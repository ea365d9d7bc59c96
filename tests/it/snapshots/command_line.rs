//! What the command line says of itself, and of words that it doesn't understand. No server is started.

use std::process::Output;

use super::{assert_snapshot, in_a_terminal};
use crate::support::{Database, within};

/// A run of the program without a server, with these settings in its environment.
async fn parlor(arguments: &[&str], settings: &[(&str, &str)]) -> Output {
    let database = Database::new().await;
    let run = database.parlor(arguments).envs(settings.iter().copied()).output();
    let output = within(format_args!("parlor {arguments:?} to end"), run).await.expect("the program can be run");
    assert!(!database.data_dir().exists(), "nothing is made by {arguments:?}");
    output
}

#[tokio::test]
async fn each_command_explains_itself() {
    for (name, command) in [
        ("parlor", &[][..]),
        ("serve", &["serve"]),
        ("migrate", &["migrate"]),
        ("check", &["check"]),
        ("schema", &["schema"]),
        ("user", &["user"]),
        ("user_add", &["user", "add"]),
        ("user_delete", &["user", "delete"]),
        ("user_token", &["user", "token"]),
    ] {
        let arguments = [command, &["--help"]].concat();
        let output = parlor(&arguments, &[]).await;
        assert_snapshot("help", name, &in_a_terminal(&arguments, &output));
    }
}

#[tokio::test]
async fn what_is_not_understood_is_refused_by_its_name() {
    let mut shown = Vec::new();
    for arguments in [
        &["serv"][..],
        &["--port", "80"],
        &["user", "add", "sue"],
        &["user", "add", "sue", "--type", "admin"],
        &["user", "token", "ann", "--ttl-secs", "0"],
        &["serve", "--drain-secs", "soon"],
        &["serve", "--drain-secs", "3601"],
        &["serve", "--listen", "here"],
        &["serve", "--database-url", "mysql://localhost/parlor"],
        &["serve", "--config", "nowhere.toml"],
    ] {
        shown.push(in_a_terminal(arguments, &parlor(arguments, &[]).await));
    }
    for setting in [("PARLOR_FOO", "1"), ("PARLOR_KEEPALIVE_SECS", "often"), ("PARLOR_LOG_FORMAT", "xml")] {
        let output = parlor(&["serve"], &[setting]).await;
        shown.push(format!("$ export {}={}\n{}", setting.0, setting.1, in_a_terminal(&["serve"], &output)));
    }
    assert_snapshot("command_line", "refused", &shown.join("\n"));
}
