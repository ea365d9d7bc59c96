//! Texts that people and programs outside rely on, whole and as they are: error bodies, close frames, the command line.
//!
//! Each snapshot is a file below `tests/it/snapshots/`. A change that is meant is written there by
//! `INSTA_UPDATE=always cargo test --test it snapshots::`, and the difference reviewed. What differs from run to run is
//! replaced before.

mod check;
mod closes;
mod command_line;
mod errors;
mod operator;

use std::fmt::Write;
use std::process::Output;

/// How the ids of users, rooms, messages and sessions begin.
const ID_PREFIXES: [&str; 4] = ["user_", "room_", "msg_", "session_"];

/// Characters of an id after its prefix: a UUID in base 32.
const ID_CHARS: usize = 26;

/// Fails unless the text is the one in the file `snapshots/{topic}/{name}.snap`.
fn assert_snapshot(topic: &str, name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(format!("snapshots/{topic}"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

/// The text with `[id]` in the place of what is random in ids.
fn without_ids(text: &str) -> String {
    ID_PREFIXES.iter().fold(text.to_owned(), |text, prefix| {
        let mut parts = text.split(prefix);
        let before = parts.next().unwrap_or_default().to_owned();
        parts.fold(before, |before, after| {
            let id = after.bytes().take_while(u8::is_ascii_alphanumeric).count();
            let after = if id == ID_CHARS { format!("[id]{}", &after[id..]) } else { after.to_owned() };
            format!("{before}{prefix}{after}")
        })
    })
}

/// A run of the program as it looks in a terminal, with its exit status unless that is 0.
fn in_a_terminal(arguments: &[&str], output: &Output) -> String {
    let text = |bytes: &[u8]| without_ids(std::str::from_utf8(bytes).expect("the program prints text"));
    let quoted = arguments.iter().map(|argument| match argument {
        argument if argument.is_empty() || argument.contains(' ') => format!(" '{argument}'"),
        argument => format!(" {argument}"),
    });
    let mut shown = format!("$ parlor{}\n{}", quoted.collect::<String>(), text(&output.stdout));
    for line in text(&output.stderr).lines() {
        let line = format!("[stderr] {line}");
        writeln!(shown, "{}", line.trim_end()).expect("a string takes what is written");
    }
    if let Some(failure) = output.status.code().filter(|code| *code != 0) {
        writeln!(shown, "[exit status {failure}]").expect("a string takes what is written");
    }
    shown
}

#[test]
fn ids_are_replaced_and_nothing_that_looks_like_one() {
    let text = "room_01h455vb4pex5vsknk084sn02q and msg_01h455vb4pex5vsknk084sn02q, user_short, `room_id`";
    assert_eq!(without_ids(text), "room_[id] and msg_[id], user_short, `room_id`");
}
