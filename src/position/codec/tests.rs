use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

fn codec() -> CursorCodec {
    CursorCodec::new(b"a secret of one deployment, 32 bytes")
}

fn at(position: i64) -> Cursor {
    Cursor { position: Position(position), tag: 7.into() }
}

proptest! {
    #[test]
    fn a_cursor_survives_its_text(position in 0..=i64::MAX, tag: u32) {
        let (codec, cursor) = (codec(), Cursor { position: Position(position), tag: tag.into() });
        for text in [codec.seal_event(cursor), codec.seal_moment(cursor)] {
            prop_assert_eq!(text.to_string().parse(), Ok(text));
            prop_assert_eq!(codec.open(text), Resume::At(cursor));
        }
        let plain = CursorText::Plain(cursor);
        prop_assert_eq!(plain.to_string().parse(), Ok(plain));
        prop_assert_eq!(codec.open(plain), Resume::Unproven(cursor));
    }

    #[test]
    fn any_other_text_is_refused(text in ".{0,40}") {
        if let Ok(cursor) = text.parse::<CursorText>() {
            prop_assert_eq!(cursor.to_string(), text);
        }
    }

    #[test]
    fn a_text_that_nobody_gave_out_is_not_read(salt: [u8; SALT_BYTES], block: [u8; BLOCK_BYTES]) {
        prop_assert_eq!(codec().open(CursorText::Sealed(salt, block)), Resume::Unreadable);
    }

    #[test]
    fn no_text_survives_a_change(position in 0..=i64::MAX, byte in 0..SALT_BYTES + BLOCK_BYTES, change in 1u8..) {
        let CursorText::Sealed(mut salt, mut block) = codec().seal_event(at(position)) else { panic!("not sealed") };
        if byte < SALT_BYTES { salt[byte] ^= change } else { block[byte - SALT_BYTES] ^= change }
        prop_assert_eq!(codec().open(CursorText::Sealed(salt, block)), Resume::Unreadable);
    }
}

#[test]
fn nodes_with_the_same_secret_read_each_others_and_no_others_do() {
    let text = codec().seal_event(at(9));
    assert_eq!(codec().seal_event(at(9)), text, "all who receive an event are shown the same text");
    let other = CursorCodec::new(b"a secret of another deployment, 32 bytes");
    assert_eq!(other.open(text), Resume::Unreadable);
    assert_ne!(other.seal_event(at(9)), text);
}

#[test]
fn texts_of_one_moment_differ_each_time() {
    let texts: HashSet<String> = (0..100).map(|_| codec().seal_moment(at(9)).to_string()).collect();
    assert_eq!(texts.len(), 100);
}

/// The least and the most that a fair coin shows in 16,384 throws, six standard deviations of 64 from the mean.
const FAIR: std::ops::RangeInclusive<u32> = 7_808..=8_576;

#[test]
fn neighbours_share_nothing_but_the_version() {
    let (mut equal_bytes, mut rising, mut differing_bits) = (0, 0, 0);
    for position in 0..16_384 {
        let texts = [at(position), at(position + 1)].map(|cursor| codec().seal_event(cursor).to_string());
        let [one, next] = texts.each_ref().map(|text| URL_SAFE_NO_PAD.decode(text).expect("base64url"));
        assert_eq!((one.len(), one[0], next[0]), (SEALED_BYTES, SEALED, SEALED));
        equal_bytes += one[1..].iter().zip(&next[1..]).filter(|(a, b)| a == b).count();
        rising += u32::from(texts[0] < texts[1]);
        differing_bits += u32::from((one[SEALED_BYTES - 1] ^ next[SEALED_BYTES - 1]) & 1);
    }
    // 24 bytes, each of which happens to be equal in one of 256: 1,536, with a standard deviation of 39.
    assert!((1_300..=1_772).contains(&equal_bytes), "{equal_bytes} bytes are equal");
    assert!(FAIR.contains(&rising), "{rising} of 16384 texts come before the next");
    assert!(FAIR.contains(&differing_bits), "{differing_bits} of 16384 last bits differ");
}

#[test]
fn a_cursor_of_another_form_is_refused() {
    for bytes in [&[2; PLAIN_BYTES][..], &[1; SEALED_BYTES], &[3; SEALED_BYTES], &[0; 1], &[]] {
        assert_eq!(URL_SAFE_NO_PAD.encode(bytes).parse::<CursorText>(), Err(InvalidCursor), "{bytes:?}");
    }
    let before_the_first = URL_SAFE_NO_PAD.encode([1, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0]);
    assert_eq!(before_the_first.parse::<CursorText>(), Err(InvalidCursor));
}

#[test]
fn what_means_nothing_has_the_form_of_a_cursor_all_the_same() {
    let text = CursorText::NEUTRAL.to_string();
    assert_eq!(text.parse(), Ok(CursorText::NEUTRAL));
    assert_eq!(codec().open(CursorText::NEUTRAL), Resume::Unreadable);
}
