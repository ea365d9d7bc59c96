use proptest::prelude::*;

use super::*;

fn finds(query: &str, text: &str) -> bool {
    Query::parse(query).expect("it is short enough").is_some_and(|query| query.matches(text))
}

/// Whether an index would propose a text: what it is asked for is there.
fn proposes(query: &Query, text: &str) -> bool {
    let tokens = tokens(text);
    query.wanted().iter().all(|wanted| {
        if wanted.begins {
            tokens.range(wanted.token.clone()..).next().is_some_and(|token| token.starts_with(&wanted.token))
        } else {
            tokens.contains(&wanted.token)
        }
    })
}

#[test]
fn words_are_found_by_their_beginnings_and_runs_by_what_stands_in_them() {
    for (query, text) in [
        ("merg", "The merger is on Friday"),
        ("FRIDAY the", "The merger is on Friday"),
        ("creme brulee", "Crème brûlée!"),
        ("crème", "creme"),
        ("strasse", "Große Straße 7"),
        ("αναστασιος", "ΑΝΑΣΤΆΣΙΟΣ"),
        ("елка", "Ёлка в лесу"),
        ("кот", "Кот"),
        ("שלום", "שָׁלוֹם לכם"),
        ("محمد", "مُحَمَّد"),
        ("احمد", "أحمد"),
        ("कुमार", "हिन्दी कुमार"),
        ("上海", "我住在上海市"),
        ("上", "我住在上海"),
        ("海", "我住在上海"),
        ("東京タワー", "昨日東京タワーに行った"),
        ("サーバー", "ｻｰﾊﾞｰが落ちた"),
        ("국어", "한국어를 배워요"),
        ("ภาษา", "ฉันพูดภาษาไทย"),
        ("🌻", "thanks 🌻🌻!"),
        ("👍", "👍🏽"),
        ("🚀", "👩\u{200d}🚀"),
        ("report 2026", "q3-report_2026.final.pdf"),
        ("pdf", "q3-report_2026.final.pdf"),
        ("iphone手机", "新的iPhone手机壳"),
        ("kg", "5 ㎏"),
    ] {
        assert!(finds(query, text), "{query:?} in {text:?}");
        let query = Query::parse(query).expect("short").expect("something");
        assert!(proposes(&query, text), "{query:?} of {text:?}");
    }
}

#[test]
fn what_is_elsewhere_in_a_word_or_not_at_all_is_not_found() {
    for (query, text) in [
        ("erger", "merger"),
        ("merger friday", "merger"),
        ("海上", "上海"),
        ("上京", "上海 东京"),
        ("上海", "上 海"),
        ("🌻", "🌷"),
        ("!?", "what!?"),
        ("", "anything"),
        ("\u{301}", "é"),
    ] {
        assert!(!finds(query, text), "{query:?} in {text:?}");
    }
}

#[test]
fn a_query_has_a_greatest_length_and_number_of_parts() {
    assert_eq!(Query::parse(&"a".repeat(257)), Err(QueryProblem::TooLong));
    assert_eq!(Query::parse("a b c d e f g h i"), Err(QueryProblem::TooManyParts));
    assert_eq!(Query::parse(&"a ".repeat(100)).map(|query| query.expect("of something").words.len()), Ok(1));
    assert_eq!(Query::parse("ann anna").expect("short").expect("something").words.len(), 1);
}

#[test]
fn fragments_show_the_matches_with_what_is_around_them() {
    let shown = |query: &str, text: &str| {
        let query = Query::parse(query).expect("short").expect("something");
        let of = |it: Fragment| if it.is_match { format!("[{}]", it.text) } else { it.text };
        query.fragments(text).into_iter().map(of).collect::<String>()
    };
    assert_eq!(shown("mer fri", "The merger is on Friday"), "The [mer]ger is on [Fri]day");
    assert_eq!(shown("creme", "Crème cre\u{300}me"), "[Crème] [cre\u{300}me]");
    assert_eq!(shown("上海", "我住在上海市"), "我住在[上海]市");
    assert_eq!(shown("🌻", "🌻🌻 yes"), "[🌻🌻] yes");
    assert_eq!(shown("k", "5 ㎏"), "5 [㎏]");
    let long = format!("{} needle {}", "hay ".repeat(100), "stack ".repeat(100));
    let found = shown("needle", &long);
    assert!(found.starts_with("…hay ") && found.contains(" [needle] stack") && found.ends_with('…'), "{found}");
    assert!(found.chars().count() <= fragments_of_at_most(), "{found}");
}

/// What tokens are made of, in one number: of the characters of the first two planes behind letters of two scripts.
#[test]
fn another_form_of_tokens_has_another_number() {
    let mut digest = 0xcbf2_9ce4_8422_2325_u64;
    for c in '\u{80}'..'\u{20000}' {
        for token in tokens(&format!("a{c} 上{c}")) {
            digest =
                token.bytes().fold(digest, |digest, byte| (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        }
    }
    assert_eq!(
        (FORM, format!("{digest:016x}")),
        (3, "d838805c0aaa4dbd".to_owned()),
        "raise FORM, and write down the number that is told"
    );
}

fn fragments_of_at_most() -> usize {
    200 + "[]……".chars().count()
}

/// Letters of twelve scripts, marks, symbols and separators.
fn text(at_most: usize) -> impl Strategy<Value = String> {
    let chars = "aAbBéßİıfﬁ1éüΣςσάёйЖאבָّمحأُकुिต่ี上海京あアｱﾞー한국ᄒ\u{1161}\u{11ab}ကမ្ញꦏ🌻👍🏽🇩🇪👩\u{200d}\u{fe0f}\u{301}\u{303}\u{345}\u{20e3}㎏㍻ \u{3000}.,-_'";
    let chars: Vec<char> = chars.chars().collect();
    proptest::collection::vec(proptest::sample::select(chars), 0..=at_most)
        .prop_map(|chars| chars.into_iter().collect())
}

proptest! {
    #[test]
    fn the_index_proposes_all_that_the_function_accepts(text in text(24), query in text(4)) {
        if let Some(query) = Query::parse(&query).expect("it is short") && query.matches(&text) {
            prop_assert!(proposes(&query, &text), "{:?} of {:?}", query.wanted(), tokens(&text));
        }
    }

    #[test]
    fn a_text_is_found_by_any_of_its_parts(text in text(24), from in 0_usize..24, count in 1_usize..5) {
        for part in parts(&text) {
            let from = if part.sort == Sort::Run { from % part.form.len() } else { 0 };
            // Half a flag is none.
            let count = if part.sort == Sort::Symbol { part.form.len() } else { count };
            let piece: String = part.form.iter().skip(from).take(count).collect();
            // Marks that stand by themselves, or on what isn't written with them, are other ones there.
            if parts(&piece).iter().map(|it| &it.form).ne([&piece.chars().collect::<Vec<_>>()]) {
                continue;
            }
            if let Some(query) = Query::parse(&piece).expect("it is short") {
                prop_assert!(query.matches(&text), "{piece:?} of {text:?}");
                prop_assert!(proposes(&query, &text), "{piece:?} of {text:?}");
            }
        }
    }

    #[test]
    fn fragments_of_a_short_text_are_the_text(text in text(40), query in text(3)) {
        if let Some(query) = Query::parse(&query).expect("it is short") {
            let fragments = query.fragments(&text);
            let whole: String = fragments.iter().map(|it| &*it.text).collect();
            prop_assert_eq!(whole, text.clone());
            prop_assert_eq!(fragments.iter().any(|it| it.is_match) || !query.matches(&text), true);
        }
    }

    #[test]
    fn fragments_of_any_text_end_within_it(text in "\\PC{0,600}", query in "\\PC{1,3}") {
        if let Ok(Some(query)) = Query::parse(&query) {
            let fragments = query.fragments(&text);
            let whole: String = fragments.iter().map(|it| &*it.text).filter(|it| *it != "…").collect();
            prop_assert!(text.contains(&whole));
            prop_assert!(tokens(&text).iter().all(|token| !token.contains(|c: char| c.is_ascii() && !c.is_ascii_alphanumeric())));
        }
    }
}
