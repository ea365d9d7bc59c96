//! What counts as a token or a bracket, and what does not.

use super::{admit, reason};
use crate::http::guard::{
    Limits, Refusal,
    prescan::{Scan, prescan},
};

fn scan(text: &str) -> Scan {
    prescan(text, &Limits::default()).expect("within the limits")
}

fn many(bracket: &str) -> String {
    bracket.repeat(100)
}

#[test]
fn brackets_in_strings_do_not_count() {
    assert_eq!(scan(&format!("\"{}\"", many("["))), Scan { tokens: 1, nesting: 0 });
    assert_eq!(scan(&format!(r#""\"{}\\""#, many("{"))), Scan { tokens: 1, nesting: 0 });
    assert_eq!(reason(&format!("{{a(b:\"{}\")}}", many("["))), "admitted");
}

#[test]
fn brackets_in_block_strings_do_not_count() {
    for text in ["[[\"\"[[", "[\r\n[\"[", r#"[\"""["#, r#"\\"""["#, "\\\"\"\"", " \\", "é\u{feff}["] {
        let text = format!("\"\"\"{text} \"\"\"");
        assert_eq!(scan(&text), Scan { tokens: 1, nesting: 0 }, "{text}");
        assert_eq!(reason(&format!("{{a(b:{text})}}")), "admitted", "{text}");
    }
}

#[test]
fn brackets_after_strings_count() {
    for string in [r#""""#, r#""\\""#, r#""\"""#, r#""""""""#, r#"""" \""" """"#, r#""""\\ """"#] {
        assert_eq!(scan(&format!("{string}[")), Scan { tokens: 2, nesting: 1 }, "{string}");
    }
}

#[test]
fn brackets_in_comments_do_not_count() {
    for line_end in ["\n", "\r", "\r\n"] {
        let text = format!("{{ # {} \" \"\"\" {line_end} a }}", many("["));
        assert_eq!(scan(&text), Scan { tokens: 3, nesting: 1 }, "{line_end:?}");
        assert_eq!(reason(&text), "admitted");
    }
    assert_eq!(scan("# ["), Scan::default());
}

#[test]
fn brackets_after_what_only_unicode_calls_a_line_end_are_still_in_the_comment() {
    assert_eq!(scan("{a}#\u{2028}[\u{85}[\u{b}["), Scan { tokens: 3, nesting: 1 });
}

#[test]
fn a_hash_in_a_string_begins_no_comment() {
    assert_eq!(scan("\"#\"["), Scan { tokens: 2, nesting: 1 });
}

#[test]
fn commas_and_byte_order_marks_are_no_tokens() {
    assert_eq!(scan("\u{feff}{a,,,\u{feff},b}"), Scan { tokens: 4, nesting: 1 });
    assert_eq!(reason("\u{feff}{a,,,\u{feff},b}"), "admitted");
}

#[test]
fn tokens_are_counted_as_the_parser_may_read_them() {
    for (text, tokens) in [
        ("query Q($v: [Int!]! = 10) @d { a: b(c: $v) ...F }", 29),
        ("-12", 2),
        ("000", 3),
        ("null0true", 3),
        ("nullable", 2),
        ("name0", 1),
        ("...", 1),
        ("..", 2),
    ] {
        assert_eq!(scan(text).tokens, tokens, "{text}");
    }
}

#[test]
fn brackets_that_do_not_match_are_left_to_the_parser() {
    for text in ["{a}}", "]{a}", "{a(b:[1)]}", "{", "}"] {
        assert_eq!(reason(text), "syntax", "{text}");
    }
}

#[test]
fn an_unterminated_string_is_reported_where_it_begins() {
    for string in ["\"abc", "\"abc\n\"", "\"abc\r\"", "\"\\", "\"\"\" \"\"", "\"\"\"\\\"\"\"", "\"\"\"\""] {
        let refusal = admit(&format!("{{a\n é(b:{string}")).expect_err("unterminated");
        assert_eq!(refusal.reason(), "syntax", "{string}");
        assert!(matches!(&refusal, Refusal::Syntax { message, .. } if message == "unterminated string"), "{string}");
        assert_eq!(refusal.position().map(|at| (at.line, at.column)), Some((2, 6)), "{string}");
    }
}
