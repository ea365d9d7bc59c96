//! Documents that abort or stall an unguarded server.

use std::{
    fmt::Write,
    thread,
    time::{Duration, Instant},
};

use super::{admit, reason};

#[test]
fn lists_in_lists_never_reach_the_parser() {
    assert_eq!(reason(&format!("{{a(b:{}{})}}", "[".repeat(5_000), "]".repeat(5_000))), "nested_too_deep");
    assert_eq!(reason(&format!("{{a(b:{}{})}}", "[".repeat(800), "]".repeat(800))), "nested_too_deep");
}

#[test]
fn brackets_left_open_never_reach_the_parser() {
    assert_eq!(reason(&"{a".repeat(900)), "nested_too_deep");
    assert_eq!(reason(&format!("{{a(b:{}", "[".repeat(900))), "nested_too_deep");
    assert_eq!(reason(&format!("query($v:{}", "[".repeat(900))), "nested_too_deep");
}

#[test]
fn objects_in_objects_never_reach_the_parser() {
    assert_eq!(reason(&format!("{{a(b:{}1{})}}", "{c:".repeat(400), "}".repeat(400))), "nested_too_deep");
}

#[test]
fn brackets_after_an_unterminated_block_string_never_reach_the_parser() {
    // The parser reads `""`, then `" "`, then the brackets.
    let text = format!("{{a(b:[\"\"\" \" {}{}])}}", "[".repeat(900), "]".repeat(900));
    assert_eq!(reason(&text), "syntax");
}

#[test]
fn values_without_a_gap_between_them_are_counted() {
    assert_eq!(reason(&format!("{{a(b:[{}])}}", "0".repeat(10_000))), "too_many_tokens");
    assert_eq!(reason(&format!("{{a(b:[{}])}}", "null".repeat(3_000))), "too_many_tokens");
    assert_eq!(reason(&format!("{{a(b:[true{}])}}", "0".repeat(10_000))), "too_many_tokens");
}

#[test]
fn a_fragment_bomb_is_refused_in_less_than_a_millisecond() {
    let mut text = "{me{...F0}}".to_owned();
    for i in 0..29 {
        let _ = write!(text, "fragment F{i} on User{{...F{next} ...F{next}}}", next = i + 1);
    }
    for leaf in ["fragment F29 on User{id}", ""] {
        let text = format!("{text}{leaf}");
        let fastest = (0..20).map(|_| elapsed(&text, "too_many_fields")).min();
        assert!(fastest < Some(Duration::from_millis(if cfg!(debug_assertions) { 10 } else { 1 })), "{fastest:?}");
    }
}

fn elapsed(text: &str, expected: &str) -> Duration {
    let start = Instant::now();
    assert_eq!(reason(text), expected);
    start.elapsed()
}

#[test]
fn a_fragment_bomb_nobody_spreads_is_refused() {
    let mut text = "{me{id}}fragment F12 on Query{me{id}}".to_owned();
    for i in 0..12 {
        let _ = write!(text, "fragment F{i} on Query{{...F{next} ...F{next}}}", next = i + 1);
    }
    assert_eq!(reason(&text), "too_many_fields");
}

#[test]
fn a_long_chain_of_fragments_is_refused() {
    let mut text = "{...F0}fragment F200 on Query{a}".to_owned();
    for i in 0..200 {
        let _ = write!(text, "fragment F{i} on Query{{...F{}}}", i + 1);
    }
    assert_eq!(reason(&text), "nested_too_deep");
}

#[test]
fn fragments_that_spread_themselves_are_refused() {
    assert_eq!(reason("{...A}fragment A on Query{...A}"), "fragment_cycle");
    assert_eq!(reason("{...A}fragment A on Query{...B}fragment B on Query{a{...A}}"), "fragment_cycle");
    assert_eq!(reason("{a}fragment A on Query{...B}fragment B on Query{... on Query{...A}}"), "fragment_cycle");
}

#[test]
fn fragments_that_do_not_exist_are_left_to_validation() {
    assert_eq!(reason("{...A}"), "admitted");
}

#[test]
fn ten_thousand_of_anything_is_refused() {
    assert_eq!(reason(&format!("{{{}}}", "a:b ".repeat(10_000))), "too_long");
    assert_eq!(reason(&format!("{{{}}}", "a:b ".repeat(4_000))), "too_many_tokens");
    assert_eq!(reason(&format!("{{a{}}}", "@a".repeat(10_000))), "too_long");
    assert_eq!(reason(&format!("{{a{}}}", "@a".repeat(900))), "too_many_directives");
}

#[test]
fn the_deepest_admitted_document_parses_on_a_small_stack() {
    let parse = || {
        let value = format!("{{a(b:{}{})}}", "[".repeat(30), "]".repeat(30));
        let set = format!("{}a{}", "{...".repeat(31) + "{", "}".repeat(32));
        assert_eq!(reason(&value), "admitted");
        assert_eq!(reason(&set), "admitted");
    };
    let thread = thread::Builder::new().stack_size(512 * 1024).spawn(parse).expect("a thread");
    thread.join().expect("no stack overflow");
}

#[test]
fn a_syntax_error_repeats_nothing_of_the_document() {
    let text = format!("mutation{{signIn(password:\"secret\" {} ]", "x".repeat(10_000));
    let refusal = admit(&text).expect_err("a syntax error");
    let message = refusal.to_string();
    assert!(message.contains("expected") && !message.contains("secret") && !message.contains("xx"), "{message}");
    assert!(refusal.position().is_some());
}

#[test]
fn names_in_messages_are_cut_short() {
    let name = "n".repeat(5_000);
    for text in [
        format!("{{...{name}}}fragment {name} on Q{{...{name}}}"),
        format!("query {name}{{a}}query {name}{{a}}"),
        format!("{{a}}fragment {name} on Q{{a}}fragment {name} on Q{{a}}"),
    ] {
        let message = admit(&text).expect_err("a refusal").to_string();
        assert!(message.len() < 130 && message.contains("nnnn"), "{message}");
    }
}
