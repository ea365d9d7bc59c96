//! What of a text can be seen, and what a name may not hold because it changes how the text around it is shown.

use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory, NoncharacterCodePoint, WhiteSpace};
use icu_properties::{CodePointMapData, CodePointSetData};

/// Letters and symbols by their category that are shown as nothing: the Braille pattern without dots, a musical note
/// without a head, the place of an object, and fillers of the Khitan and Egyptian scripts.
const BLANK: [char; 6] = ['\u{2800}', '\u{1d159}', '\u{fffc}', '\u{16fe4}', '\u{13441}', '\u{13442}'];

/// Where an emoji of tag characters begins: a black flag. Unicode recommends no others.
const FLAG: char = '\u{1f3f4}';

/// What ends such an emoji.
const CANCEL_TAG: char = '\u{e007f}';

/// Whether anything of the text can be seen. Blanks, controls, formats (such as marks of direction and tags), fillers and
/// noncharacters can't. Characters that Unicode has not assigned yet can: they may be tomorrow's emoji.
#[must_use]
pub fn is_visible(text: &str) -> bool {
    text.contains(|c| !is_blank(c))
}

fn is_blank(c: char) -> bool {
    CodePointSetData::new::<WhiteSpace>().contains(c)
        || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
        || CodePointSetData::new::<NoncharacterCodePoint>().contains(c)
        || [GeneralCategory::Control, GeneralCategory::Format].contains(&CodePointMapData::new().get(c))
        || BLANK.contains(&c)
}

/// What is wrong with a text as a name, which is shown within lines and sentences of others. `None`: nothing.
#[must_use]
pub fn problem_of_name(name: &str) -> Option<&'static str> {
    let category = CodePointMapData::<GeneralCategory>::new();
    if !is_visible(name) {
        Some("must have something that can be seen")
    } else if name.contains(char::is_control) {
        Some("must not hold control characters")
    } else if name
        .contains(|c| matches!(category.get(c), GeneralCategory::LineSeparator | GeneralCategory::ParagraphSeparator))
    {
        Some("must not hold separators of lines or paragraphs")
    } else if name.contains(turns_around) {
        Some("must not hold embeddings, overrides or isolates of the direction of text")
    } else if name.contains(|c| CodePointSetData::new::<NoncharacterCodePoint>().contains(c)) {
        Some("must not hold noncharacters")
    } else if has_loose_tags(name) {
        Some("must not hold tag characters outside the emoji of a flag")
    } else {
        None
    }
}

/// A text that was not meant as a name here, made one: in one line, without what [`problem_of_name`] refuses, and of at most
/// `max_chars` characters. `None` when nothing of it can be seen.
#[must_use]
pub fn made_name(text: &str, max_chars: usize) -> Option<String> {
    let is_refused =
        |c: char| turns_around(c) || is_tag(c) || CodePointSetData::new::<NoncharacterCodePoint>().contains(c);
    let kept: String = text.chars().filter(|c| !is_refused(*c)).collect();
    let words: Vec<&str> =
        kept.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()).collect();
    let line: String = words.join(" ").chars().take(max_chars).collect();
    let name = line.trim_end();
    problem_of_name(name).is_none().then(|| name.to_owned())
}

/// The controls of the bidirectional algorithm that hold for more than one character, to the end of the line where nobody
/// closes them (<https://www.unicode.org/reports/tr9/#Directional_Formatting_Characters>).
fn turns_around(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn is_tag(c: char) -> bool {
    matches!(c, '\u{e0000}'..='\u{e007f}')
}

/// Tag characters that aren't those of an emoji tag sequence, which ends with [`CANCEL_TAG`].
fn has_loose_tags(text: &str) -> bool {
    let mut before = None;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        if is_tag(c) {
            let mut last = c;
            while let Some(tag) = rest.next_if(|c| is_tag(*c)) {
                last = tag;
            }
            if before != Some(FLAG) || last != CANCEL_TAG {
                return true;
            }
        }
        before = Some(c);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_shows_nothing_is_invisible() {
        for text in [
            "",
            " \n\t\u{a0}\u{3000}\u{2028}",
            "\u{200b}",
            "\u{3164}",
            "\u{115f}\u{1160}",
            "\u{ffa0}",
            "\u{2800}",
            "\u{feff}",
            "\u{ffff}\u{1fffe}",
            "\u{fdd0}",
            "\u{e0041}\u{e007f}",
            "\u{202e}\u{2066}\u{200e}",
            "\u{ad}\u{34f}",
            "\u{fe0f}",
            "\u{180e}\u{17b4}",
            "\u{fff9}\u{fffc}",
            "\u{1d159}",
            " \u{200d} \u{2800}",
        ] {
            assert!(!is_visible(text), "{text:?}");
        }
        for text in
            ["a", " . ", "\u{200f}ש", "👩\u{200d}🚀", "❤\u{fe0f}", "\u{e000}", "\u{1fbff}", "क्\u{200d}", "\u{301}"]
        {
            assert!(is_visible(text), "{text:?}");
        }
    }

    #[test]
    fn a_name_turns_nothing_around_and_has_one_line() {
        for name in [
            "",
            "\u{200b}",
            "a\u{202e}b",
            "a\u{2066}b",
            "\u{2067}a\u{2069}",
            "a\u{2028}b",
            "a\u{2029}",
            "a\nb",
            "a\u{85}",
            "a\u{ffff}",
            "a\u{e0041}",
            "🏴\u{e0067}\u{e0062}",
            "a\u{e007f}",
        ] {
            assert!(problem_of_name(name).is_some(), "{name:?}");
        }
        for name in [
            "Ann",
            "\u{200f}דנה\u{200e}",
            "👩\u{200d}🚀 Ann ❤\u{fe0f}",
            "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
            "نیم\u{200c}فاصله",
            "\u{61c}سارة",
        ] {
            assert_eq!(problem_of_name(name), None, "{name:?}");
        }
    }
}
