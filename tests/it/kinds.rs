//! The table of event kinds, beside what the database knows of it.

use parlor::store::kinds::{Class, Kind};

use crate::support::TestApp;

#[tokio::test]
async fn a_gap_looks_for_the_kinds_that_the_partial_index_holds() {
    let app = TestApp::start().await;
    let index = app
        .text(
            "SELECT sql FROM sqlite_schema WHERE name = 'event_altered'",
            "SELECT pg_get_indexdef('event_altered'::regclass)",
        )
        .await;
    let (_, predicate) = index.split_once(" WHERE ").expect("the index is partial");
    let numbers: Vec<&str> = predicate.split(|c: char| !c.is_ascii_digit()).filter(|text| !text.is_empty()).collect();
    assert_eq!(
        numbers.join(", "),
        Kind::sql_list(|row| row.class == Class::Alteration),
        "a new kind of alteration brings a migration that makes the index anew: {index}"
    );
}
