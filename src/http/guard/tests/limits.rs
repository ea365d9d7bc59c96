//! At each limit a document is admitted; one above, it is refused.

use std::ops::Range;
use std::sync::{Arc, Weak};

use super::{admit, reason};
use crate::http::guard::{Guard, Limits};

/// `document(size)` is admitted at `limit` and refused with `expected` one above.
fn assert_limit(limit: usize, expected: &str, document: impl Fn(usize) -> String) {
    assert_eq!(reason(&document(limit)), "admitted", "at {limit}");
    assert_eq!(reason(&document(limit + 1)), expected, "above {limit}");
}

/// Nested fields `a`, as many as `depth`.
fn nested(depth: usize) -> String {
    format!("{}a{}", "a{".repeat(depth - 1), "}".repeat(depth - 1))
}

fn listed(numbers: Range<usize>, item: impl Fn(usize) -> String) -> String {
    numbers.map(item).collect::<Vec<_>>().concat()
}

/// As many different fields.
fn fields(from: usize, count: usize) -> String {
    listed(from..from + count, |n| format!("b{n} "))
}

#[test]
fn bytes() {
    assert_limit(16 * 1024, "too_long", |bytes| format!("{{a}}{}", " ".repeat(bytes - 3)));
}

#[test]
fn tokens() {
    assert_limit(2_000, "too_many_tokens", |tokens| format!("{{a(b:[{}])}}", "1 ".repeat(tokens - 9)));
}

#[test]
fn nested_brackets() {
    assert_limit(32, "nested_too_deep", |open| format!("{{a(b:{}{})}}", "[".repeat(open - 2), "]".repeat(open - 2)));
    assert_limit(32, "nested_too_deep", |open| format!("{}a{}", "{...".repeat(open - 1) + "{", "}".repeat(open)));
}

#[test]
fn selection_sets_nested_by_way_of_fragments() {
    assert_limit(32, "nested_too_deep", |sets| {
        let half = "{...".repeat(15);
        let rest = "{...".repeat(sets - 18);
        let (end, rest_end) = ("}".repeat(15), "}".repeat(sets - 18));
        // B alone, then B beneath A: met fresh or from memory, it weighs the same.
        format!("query X{{...B}}query Y{{...A}}fragment A on Q{half}{{...B}}{end}fragment B on Q{rest}{{a}}{rest_end}")
    });
}

#[test]
fn depth() {
    assert_limit(12, "too_deep", |depth| format!("{{{}}}", nested(depth)));
    assert_limit(12, "too_deep", |depth| format!("{{b{{...F}}}}fragment F on Q{{...on Q{{{}}}}}", nested(depth - 1)));
}

#[test]
fn depth_of_an_operation_that_is_not_the_first() {
    assert_limit(12, "too_deep", |depth| format!("query A{{a}}query B{{{}}}", nested(depth)));
}

#[test]
fn fields_in_one_operation() {
    assert_limit(1_000, "too_many_fields", |count| format!("{{a{{{}}}}}", fields(0, count - 1)));
}

#[test]
fn fields_with_fragments_expanded() {
    // Each of the nine spreads stands for itself and 100 fields.
    assert_limit(1_000, "too_many_fields", |count| {
        let rest = fields(100, count - 910);
        format!("{{a{{{}{rest}}}}}fragment F on Q{{{}}}", "...F ".repeat(9), fields(0, 100))
    });
}

#[test]
fn root_fields_of_a_query() {
    assert_limit(20, "too_many_roots", |fields| format!("{{{}}}", "a ".repeat(fields)));
    assert_limit(20, "too_many_roots", |fields| {
        format!("{{...F ...on Query{{...F}} {}}}fragment F on Query{{a b c}}", "a ".repeat(fields - 6))
    });
}

#[test]
fn root_fields_of_a_mutation() {
    assert_limit(5, "too_many_roots", |fields| format!("mutation{{{}}}", "a{b c d e f g} ".repeat(fields)));
}

#[test]
fn root_fields_of_a_subscription() {
    // Whether they are one and the same field is left to validation.
    assert_limit(20, "too_many_roots", |fields| format!("subscription{{{}}}", "a{b c} ".repeat(fields)));
}

#[test]
fn an_operation_by_itself_and_all_together() {
    // Admitted, and then chosen.
    let chosen = |text: &str, name| match admit(text) {
        Ok(document) => match document.choose(Some(name)).expect("an operation") {
            Ok(_) => "chosen",
            Err(refusal) => refusal.reason(),
        },
        Err(refusal) => refusal.reason(),
    };
    let two = |count: usize| format!("query A{{a{{{}}}}}query B{{b}}", fields(0, count - 1));
    assert_eq!((chosen(&two(1_000), "A"), chosen(&two(1_000), "B")), ("chosen", "chosen"));
    assert_eq!((chosen(&two(1_001), "A"), chosen(&two(1_001), "B")), ("too_many_fields", "chosen"));

    let aliases = listed(0..201, |n| format!("x{n}:b{n} "));
    let two = format!("query A{{a{{{aliases}}}}}query B{{b}}");
    assert_eq!((chosen(&two, "A"), chosen(&two, "B")), ("too_many_aliases", "chosen"));

    // Nine operations, each of which spreads 100 fields as often.
    let many = |spreads: usize| {
        let operations = listed(0..9, |n| format!("query Q{n}{{a{{{}}}}}", "...F ".repeat(spreads)));
        format!("{operations}fragment F on Q{{{}}}", fields(0, 100))
    };
    assert_eq!((chosen(&many(9), "Q0"), chosen(&many(10), "Q0")), ("chosen", "too_many_fields"));
    assert_eq!(reason(&many(11)), "too_many_fields", "for all together");
}

#[test]
fn directives() {
    assert_limit(20, "too_many_directives", |count| format!("{{a{}}}", "@d".repeat(count)));
    assert_limit(20, "too_many_directives", |count| {
        // Twelve in F twice, four on the operation, its variable and the spreads.
        let fields = "a@d ".repeat(count - 16);
        let fragment = format!("fragment F on Q@d{{{}}}", "a@d ".repeat(5));
        format!("query($v:Int@d)@d{{...F ...F@d ...on Q@d{{b}} {fields}}}{fragment}")
    });
}

#[test]
fn arguments_of_one_field_or_directive() {
    let arguments = |count| "a:1 ".repeat(count);
    assert_limit(32, "too_many_arguments", |count| format!("{{a({})}}", arguments(count)));
    assert_limit(32, "too_many_arguments", |count| format!("{{a@d({})}}", arguments(count)));
}

#[test]
fn uses_of_variables() {
    assert_limit(100, "too_many_variable_uses", |uses| format!("{{a(b:[{{c:[{}]}}])}}", "$v".repeat(uses)));
    assert_limit(100, "too_many_variable_uses", |uses| {
        let fields = "a(b:$v) ".repeat(uses - 98);
        format!("{{...F ...F {fields}}}fragment F on Q{{a@d(c:[{}])}}", "$v".repeat(49))
    });
}

#[test]
fn aliases_with_fragments_expanded() {
    let aliases = |from: usize, count: usize| listed(from..from + count, |n| format!("x{n}:b{n} "));
    assert_limit(200, "too_many_aliases", |count| format!("{{a{{{}}}}}", aliases(0, count)));
    assert_limit(200, "too_many_aliases", |count| {
        let (fragment, rest) = (aliases(0, 20), aliases(20, count - 60));
        // In the document twice, and once as a definition of its own.
        format!("{{a{{...F}} c{{...F {rest}}}}}fragment F on Q{{{fragment}}}")
    });
    assert_eq!(reason(&format!("{{a{{{}}}}}", "b:b ".repeat(50))), "admitted", "its own name is no other");
}

#[test]
fn repetitions_of_one_field() {
    assert_limit(50, "too_many_repetitions", |count| format!("{{a{{{}}}}}", "b ".repeat(count)));
    assert_limit(50, "too_many_repetitions", |count| {
        let names = listed(0..count, |n| format!("x{n}:b "));
        format!("{{a{{{names}}}}}")
    });
    assert_limit(50, "too_many_repetitions", |count| {
        let rest = "b ".repeat(count - 40);
        format!("{{a{{...F ...on Q{{...F}} {rest}}}}}fragment F on Q{{{}}}", "b ".repeat(20))
    });
    // Two selections of one value are one.
    assert_limit(50, "too_many_repetitions", |count| {
        format!("{{a{{{}}} ...on Q{{a{{{}}}}}}}", "b ".repeat(25), "b ".repeat(count - 25))
    });
    assert_eq!(reason(&format!("{{a{{{0}}} x:a{{{0}}}}}", "b ".repeat(50))), "admitted", "of two values");
}

#[test]
fn a_document_is_parsed_once_and_a_refused_one_never_kept() {
    let guard = Guard::new(Limits::default());
    let first = guard.admit("{a}").expect("admitted");
    let second = guard.admit("{a}").expect("admitted");
    let other = guard.admit("{a }").expect("admitted");
    assert!(Arc::ptr_eq(&first, &second) && !Arc::ptr_eq(&first, &other));
    assert_eq!(&**first.text(), "{a}");

    let text = format!("{{{}}}", nested(13));
    assert_eq!(guard.admit(&text).err(), guard.admit(&text).err());
    assert_eq!(admit(&text).err().map(|refusal| refusal.reason()), Some("too_deep"));
}

#[test]
fn a_cache_without_room_refuses_nothing() {
    let guard = Guard::new(Limits { cache_bytes: 0, ..Limits::default() });
    assert!(guard.admit("{a}").is_ok() && guard.admit("{a}").is_ok());
}

#[test]
fn the_cache_is_bounded_by_bytes() {
    let guard = Guard::new(Limits { cache_bytes: 64 * 1024, ..Limits::default() });
    let admitted: Vec<Weak<_>> =
        (0..1_000).map(|i| Arc::downgrade(&guard.admit(&format!("{{a{i}}}")).expect("admitted"))).collect();
    let kept = admitted.iter().filter(|document| document.strong_count() > 0).count();
    assert!((1..64).contains(&kept), "{kept} documents of more than 1 KiB each");
}
