//! The dependency rule of the crate, as `lib.rs` draws it.

use std::collections::BTreeSet;
use std::fs;

use crate::files::{files_below, root};

/// The ground floor: what everything stands on.
const GROUND: &[&str] = &[
    "ids",
    "clock",
    "json",
    "position",
    "failure",
    "telemetry",
    "secret",
    "signatures",
    "broker",
    "turns",
    "limits",
    "text",
    "website",
];

/// What each module above the ground floor may use besides that floor. One that isn't listed may use nothing and be used
/// by nobody.
const MAY_USE: &[(&str, &[&str])] = &[
    ("outgoing", &[]),
    ("issuers", &["outgoing"]),
    ("files", &["outgoing"]),
    ("config", &["issuers"]),
    ("store", &[]),
    ("log", &["store"]),
    ("chat", &["issuers", "files", "store", "log"]),
    ("delivery", &["store", "log"]),
    ("notify", &["outgoing", "store", "log", "chat"]),
    ("ephemeral", &["store", "log", "delivery"]),
    ("graphql", &["store", "log", "chat", "delivery"]),
    ("http", &["files", "store", "log", "chat", "delivery", "ephemeral", "graphql"]),
    ("webhooks", &["outgoing", "store", "log", "chat", "notify", "delivery", "graphql", "http"]),
    (
        "server",
        &[
            "config",
            "issuers",
            "files",
            "outgoing",
            "store",
            "log",
            "chat",
            "delivery",
            "ephemeral",
            "graphql",
            "http",
            "notify",
            "webhooks",
        ],
    ),
];

/// The one file of `graphql` that uses more of `delivery` than its notices.
const SUBSCRIPTIONS: &str = "src/graphql/events.rs";

/// What may be drawn inside `delivery`, from the top to the bottom: each uses only what stands after it.
const COLUMN: &[&str] = &["subscription", "hub", "render", "feed", "execute", "notice", "mailbox", "bounded"];

/// Every Rust file below `dir`, without comments, by its path from the root.
fn rust_code(dir: &str) -> impl Iterator<Item = (String, String)> {
    files_below(dir, "rs").into_iter().map(|(path, text)| (path, code(&text)))
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
    for (path, code) in rust_code("src") {
        let module = module(&path);
        if ["lib", "main"].contains(&module) {
            continue;
        }
        let listed = MAY_USE.iter().find(|(name, _)| *name == module).map(|(_, allowed)| *allowed);
        let Some(allowed) = listed.or_else(|| GROUND.contains(&module).then_some(&[][..])) else {
            offences.push(format!("{path}: `{module}` has no place in the rule; add it to tests/it/dependencies.rs"));
            continue;
        };
        for used in used(&code) {
            let is_below = allowed.contains(&&*used) || (listed.is_some() && GROUND.contains(&&*used));
            if used != module && !is_below {
                offences.push(format!("{path}: `{module}` may not use `{used}`"));
            }
        }
    }
    assert!(offences.is_empty(), "the dependency rule of src/lib.rs is broken:\n{}", offences.join("\n"));
}

#[test]
fn a_noun_of_the_api_knows_notices_and_no_more_of_the_delivery() {
    for (path, code) in rust_code("src/graphql").filter(|(path, _)| path != SUBSCRIPTIONS) {
        for after in code.split("crate::delivery::").skip(1) {
            assert!(after.starts_with("notice::"), "{path} uses more of `delivery` than its notices");
        }
    }
}

#[test]
fn delivery_is_one_column() {
    let place = |name: &str| COLUMN.iter().position(|part| *part == name);
    for (path, code) in rust_code("src/delivery") {
        let part = path.trim_start_matches("src/delivery/").split('/').next().unwrap_or_default();
        let Some(from) = place(part.trim_end_matches(".rs")) else { continue };
        let by_path = code.split("crate::delivery::").skip(1).chain(code.split("use super::").skip(1));
        let used = by_path.filter_map(name).filter_map(|used| place(&used));
        for to in used {
            assert!(from <= to, "{path}: `{}` stands above `{}`", COLUMN[to], COLUMN[from]);
        }
    }
}

#[test]
fn the_rules_of_the_chat_know_neither_http_nor_graphql() {
    for (path, code) in rust_code("src") {
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
    for (path, code) in rust_code("migration/src") {
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
