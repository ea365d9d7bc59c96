//! The scan against random text.

use async_graphql::{
    Value,
    parser::{parse_query, types::Selection},
};
use proptest::{collection::vec, prelude::*, sample::select};

use super::admit;
use crate::http::guard::{Limits, prescan::prescan};

/// Tokens with what each does to the brackets.
const TOKENS: [(&str, isize); 27] = [
    ("{", 1),
    ("[", 1),
    ("(", 1),
    ("}", -1),
    ("]", -1),
    (")", -1),
    ("name", 0),
    ("null0", 0),
    ("-1.5e3", 0),
    ("...", 0),
    ("$v:", 0),
    ("@d", 0),
    ("\"\"", 0),
    ("\"[{(\"", 0),
    ("\"\\\"[\"", 0),
    ("\"\\\\\"", 0),
    ("\"#\"", 0),
    ("\"\"\"\"\"\"", 0),
    ("\"\"\"[\"\n\"\"[\"\"\"", 0),
    ("\"\"\"\\\"\"\"[\"\"\"", 0),
    ("\"\"\"[\\\\\"\"\"]\"\"\"", 0),
    ("#[\"\n", 0),
    ("#\"\"\"]\r", 0),
    ("#\r\n", 0),
    ("\u{feff}", 0),
    (",", 0),
    ("é", 0),
];

/// Bits of GraphQL from which random text is likely to become a document, or nearly one.
const BITS: [&str; 24] = [
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    "a",
    "a:",
    "...",
    "...F",
    "fragment F on T",
    "query",
    "subscription",
    "\"",
    "\"\"\"",
    "\\",
    "#",
    "\n",
    "$v",
    "@d",
    "0",
    "1.5",
    "null",
    "é",
];

fn unlimited() -> Limits {
    Limits { max_tokens: usize::MAX, max_nesting: usize::MAX, ..Limits::default() }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::List(values) => 1 + values.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

proptest! {
    #[test]
    fn nesting_is_what_a_naive_count_says(tokens in vec(select(&TOKENS[..]), 0..200)) {
        let text: Vec<&str> = tokens.iter().map(|(text, _)| *text).collect();
        let (mut open, mut deepest) = (0_isize, 0_isize);
        for (_, change) in &tokens {
            open = (open + change).max(0);
            deepest = deepest.max(open);
        }
        let scan = prescan(&text.join(" "), &unlimited()).expect("no limit");
        prop_assert_eq!(scan.nesting, deepest.unsigned_abs());
    }

    #[test]
    fn a_value_is_never_nested_deeper_than_the_scan_says(bits in vec(select(&BITS[..]), 0..60)) {
        let text = format!("{{a(b:[{}])}}", bits.concat());
        if let (Ok(scan), Ok(document)) = (prescan(&text, &unlimited()), parse_query(&text)) {
            let fields = document.operations.iter().flat_map(|(_, operation)| &operation.node.selection_set.node.items);
            for selection in fields {
                let Selection::Field(field) = &selection.node else { continue };
                for (_, value) in &field.node.arguments {
                    let value = value.node.clone().into_const_with(|_| Ok::<_, ()>(Value::Null)).expect("a value");
                    prop_assert!(scan.nesting >= 2 + depth(&value), "{text}");
                }
            }
        }
    }

    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = admit(&text);
    }

    #[test]
    fn no_near_document_panics(bits in vec(select(&BITS[..]), 0..200)) {
        let _ = admit(&bits.concat());
    }
}
