//! The dependency rule of the crate, as `lib.rs` draws it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What each module may use. One that isn't listed may use nothing and be used by nobody.
const MAY_USE: &[(&str, &[&str])] = &[
    ("ids", &[]),
    ("clock", &[]),
    ("position", &[]),
    ("secret", &[]),
    ("telemetry", &[]),
    ("config", &["secret", "telemetry"]),
    ("store", &["ids", "clock", "position", "telemetry"]),
    ("log", &["ids", "clock", "position", "telemetry", "store"]),
    ("chat", &["ids", "clock", "position", "secret", "telemetry", "store", "log"]),
    ("delivery", &["ids", "clock", "position", "telemetry", "store", "log"]),
    ("ephemeral", &["ids", "clock", "position", "telemetry", "store", "log", "delivery"]),
    ("graphql", &["ids", "clock", "position", "telemetry", "store", "log", "chat"]),
    ("http", &["ids", "clock", "position", "telemetry", "store", "log", "chat", "delivery", "ephemeral", "graphql"]),
    (
        "server",
        &[
            "ids",
            "clock",
            "position",
            "secret",
            "telemetry",
            "config",
            "store",
            "log",
            "chat",
            "delivery",
            "graphql",
            "http",
        ],
    ),
];

/// The one file of `graphql` that uses `delivery`.
const SUBSCRIPTIONS: &str = "src/graphql/events.rs";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below `dir`, by its path from the root.
fn rust_files(dir: &str) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut dirs: Vec<PathBuf> = vec![root().join(dir)];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).expect("the directory can be listed") {
            let path = entry.expect("the entry can be read").path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root()).expect("it is below the root").display().to_string();
                files.push((name, code(&fs::read_to_string(&path).expect("the file can be read"))));
            }
        }
    }
    files
}

/// The text without comments that have a line of their own.
fn code(text: &str) -> String {
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Modules of the crate that this code names: `crate::log::…`, or one in the braces of `use crate::{…}`.
fn used(code: &str) -> BTreeSet<String> {
    let mut modules = BTreeSet::new();
    for after in code.split("crate::").skip(1) {
        match after.strip_prefix('{') {
            Some(group) => modules.extend(heads(group)),
            None => modules.extend(name(after)),
        }
    }
    modules
}

/// First names of the paths in a group, which ends where its bracket closes.
fn heads(group: &str) -> Vec<String> {
    let (mut depth, mut names, mut at_head) = (1, Vec::new(), true);
    for (n, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => break,
            '}' => depth -= 1,
            ',' if depth == 1 => at_head = true,
            c if at_head && c.is_alphabetic() => {
                names.extend(name(&group[n..]));
                at_head = false;
            }
            _ => {}
        }
    }
    names
}

/// The module that this text begins with; not a type or macro of the crate's root.
fn name(text: &str) -> Option<String> {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let name = &text[..end];
    (name.starts_with(char::is_lowercase) && !text[end..].starts_with('!')).then(|| name.to_owned())
}

/// The module that this file is part of.
fn module(path: &str) -> &str {
    let inside = path.strip_prefix("src/").unwrap_or(path);
    inside.split('/').next().unwrap_or(inside).trim_end_matches(".rs")
}

#[test]
fn modules_use_only_what_is_below_them() {
    let mut offences = Vec::new();
    for (path, code) in rust_files("src") {
        let module = module(&path);
        if ["lib", "main"].contains(&module) {
            continue;
        }
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == module) else {
            offences.push(format!("{path}: `{module}` has no place in the rule; add it to tests/it/dependencies.rs"));
            continue;
        };
        for used in used(&code) {
            let is_subscription = path == SUBSCRIPTIONS && used == "delivery";
            if used != module && !allowed.contains(&&*used) && !is_subscription {
                offences.push(format!("{path}: `{module}` may not use `{used}`"));
            }
        }
    }
    assert!(offences.is_empty(), "the dependency rule of src/lib.rs is broken:\n{}", offences.join("\n"));
}

#[test]
fn the_rules_of_the_chat_know_neither_http_nor_graphql() {
    for (path, code) in rust_files("src") {
        let foreign: &[&str] = match module(&path) {
            "ids" | "clock" | "position" | "telemetry" | "store" | "log" | "chat" => {
                &["async_graphql", "axum", "hyper"]
            }
            "delivery" => &["axum", "hyper"],
            "graphql" => &["axum", "hyper", "EntityTrait"],
            _ => &[],
        };
        for name in foreign {
            assert!(!code.contains(name), "{path} may not use `{name}`");
        }
    }
}

#[test]
fn migrations_know_nothing_of_the_server() {
    for (path, code) in rust_files("migration/src") {
        assert!(!code.contains("parlor::"), "{path} uses the server: a migration must keep meaning what it meant");
    }
    let manifest = fs::read_to_string(root().join("migration/Cargo.toml")).expect("the manifest can be read");
    assert!(!manifest.contains("path ="), "the migrations depend on another package of this repository");
}

#[test]
fn paths_are_read_as_rust_reads_them() {
    let code =
        "use crate::{chat::{self, Error}, log, store::list::{a, b}}; crate::ids::UserId; crate::Type; $crate::x!()";
    assert_eq!(used(code).into_iter().collect::<Vec<_>>(), ["chat", "ids", "log", "store"]);
}
