//! What tells of the maker of a file is gone from what is fetched: of WebP, and of what is made of boxes.

use reqwest::StatusCode;
use serde_json::json;

use super::picture;
use super::serving::camera;
use crate::support::{TestApp, TestUser};

wherever_files_are! {
    a_webp_and_each_picture_of_an_animated_one_are_given_without_metadata,
    films_and_heic_are_given_with_their_metadata_blanked,
    a_heic_whose_places_cannot_be_told_is_refused,
}

fn has(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|at| at == text)
}

impl TestUser {
    /// A file as it is given after it was sent; its type, and its bytes.
    async fn given(&self, name: &str, bytes: &[u8]) -> (String, Vec<u8>) {
        let file = self.send(name, bytes).await;
        let given = self.get_file(file.answer["url"].as_str().expect("a link")).await;
        let given = given.bytes().await.expect("bytes");
        assert_eq!(file.answer["size"], json!(given.len()));
        (file.answer["contentType"].as_str().expect("a text").to_owned(), given.to_vec())
    }
}

/// A part of a WebP.
fn chunk(name: [u8; 4], contents: &[u8]) -> Vec<u8> {
    let length = u32::try_from(contents.len()).expect("it is small").to_le_bytes();
    let filled: &[u8] = if contents.len() % 2 == 1 { &[0] } else { &[] };
    [&name[..], &length, contents, filled].concat()
}

fn webp(chunks: &[Vec<u8>]) -> Vec<u8> {
    chunk(*b"RIFF", &[&b"WEBP"[..], &chunks.concat()].concat())
}

async fn a_webp_and_each_picture_of_an_animated_one_are_given_without_metadata(app: TestApp) {
    use image::AnimationDecoder;
    let [ann] = app.users(["ann"]).await;
    // Behind the beginning of the file, the one part of a plain picture.
    let shown = picture(400, 200, image::ImageFormat::WebP)[12..].to_vec();
    let size = [0x8f, 1, 0, 0xc7, 0, 0];
    let flags = |flags: u8| chunk(*b"VP8X", &[&[flags, 0, 0, 0][..], &size].concat());
    let xmp = chunk(*b"XMP ", b"<x:xmpmeta>by Ann</x:xmpmeta>");
    let still = webp(&[flags(0b1100), shown.clone(), chunk(*b"EXIF", &camera()), xmp.clone()]);
    let still = [still, b"by Ann, behind it".to_vec()].concat();
    let (media_type, given) = ann.given("a.webp", &still).await;
    assert!(has(&still, b"by Ann") && !has(&given, b"by Ann") && !has(&given, b"xmp"));
    assert_eq!((media_type.as_str(), given[20]), ("image/webp", 0b1000), "how it is to be turned stays");
    assert!(!has(&given, &52_u32.to_be_bytes()), "where it was taken doesn't");
    assert!(has(&given, &shown));

    let frame = |more: &[u8]| {
        let head = [&[0; 6][..], &size, &[70, 0, 0, 0]].concat();
        chunk(*b"ANMF", &[&head[..], more, &shown, more].concat())
    };
    let hidden = [chunk(*b"mine", b"by Ann!"), chunk(*b"XMP ", b"by Ann")].concat();
    let animated = [flags(0b0110), chunk(*b"ANIM", &[0; 6]), frame(&hidden), frame(&[]), frame(&hidden), xmp];
    let animated = webp(&animated);
    let (_, given) = ann.given("b.webp", &animated).await;
    assert!(has(&animated, b"by Ann") && !has(&given, b"by Ann"));
    let decoder = image::codecs::webp::WebPDecoder::new(std::io::Cursor::new(given)).expect("a WebP");
    assert_eq!(decoder.into_frames().collect_frames().expect("pictures").len(), 3);
}

/// A box of a film or a HEIC.
fn named(name: [u8; 4], contents: &[&[u8]]) -> Vec<u8> {
    let contents = contents.concat();
    let length = u32::try_from(8 + contents.len()).expect("it is small").to_be_bytes();
    [&length[..], &name, &contents].concat()
}

/// The same box as it is once it is blanked.
fn blanked(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes[4..8].copy_from_slice(b"free");
    bytes[8..].fill(0);
    bytes
}

/// A film of more than one part of a multipart upload, and the same without what tells of its maker.
fn film(brand: [u8; 4]) -> [Vec<u8>; 2] {
    let place = named(*b"udta", &[&named(*b"\xa9xyz", &[b"\0\x12\x15\xc7+52.5+013.4/by Ann"])]);
    let keys = named(*b"meta", &[b"\0\0\0\0com.apple.quicktime.location.ISO6709 by Ann"]);
    let xmp = named(*b"uuid", &[b"\xbe\x7a\xcf\xcb\x97\xa9\x42\xe8\x9c\x71\x99\x94\x91\xe3\xaf\xac<x:xmpmeta>by Ann"]);
    // The upload's first part ends within the box that follows.
    let data = named(*b"mdat", &[&vec![7; 5 * 1024 * 1024 - 60]]);
    [false, true].map(|is_kept| {
        let told = |told: &Vec<u8>| if is_kept { blanked(told.clone()) } else { told.clone() };
        let times = if is_kept { [0; 8] } else { [0xd7; 8] };
        let header = named(*b"mvhd", &[&[0; 4], &times, &[3; 88]]);
        let track = named(*b"trak", &[&named(*b"tkhd", &[&[0; 4], &times, &[3; 72]]), &told(&place)]);
        let moov = named(*b"moov", &[&header, &told(&keys), &track, &told(&place)]);
        [named(*b"ftyp", &[&brand, &[0; 4], &brand]), told(&xmp), data.clone(), moov].concat()
    })
}

/// A HEIC with Exif data, and XMP in the box that says where everything is.
fn heic(place: u32) -> [Vec<u8>; 2] {
    let item = |id: u8, kind: &[u8; 4]| named(*b"infe", &[&[2, 0, 0, 0, 0, id, 0, 0], kind, b"\0"]);
    let items = named(*b"iinf", &[&[0, 0, 0, 0, 0, 3], &item(1, b"hvc1"), &item(2, b"Exif"), &item(3, b"mime")]);
    let at = |id: u8, how: u8, offset: u32, length: u32| {
        [&[0, id, 0, how, 0, 0, 0, 1][..], &offset.to_be_bytes(), &length.to_be_bytes()].concat()
    };
    [false, true].map(|is_kept| {
        let xmp = if is_kept { [0; 11] } else { *b"<x:>by Ann<" };
        let exif = if is_kept { [0; 10] } else { *b"GPS by Ann" };
        let whole = |begin: u32| {
            let places = [at(1, 0, begin, 3_000), at(2, 0, begin + 3_000, place), at(3, 1, 0, 11)].concat();
            let iloc = named(*b"iloc", &[&[1, 0, 0, 0, 0x44, 0, 0, 3], &places]);
            let meta = named(*b"meta", &[&[0; 4], &items, &iloc, &named(*b"idat", &[&xmp])]);
            let data = named(*b"mdat", &[&[9; 3_000], &exif]);
            let begin = u32::try_from(24 + meta.len() + 8).expect("it is small");
            (begin, [named(*b"ftyp", &[b"heic\0\0\0\0mif1heic"]), meta, data].concat())
        };
        whole(whole(0).0).1
    })
}

async fn films_and_heic_are_given_with_their_metadata_blanked(app: TestApp) {
    let [ann] = app.users(["ann"]).await;
    for (name, media_type, [sent, expected]) in [
        ("a.mp4", "video/mp4", film(*b"mp42")),
        ("a.mov", "video/quicktime", film(*b"qt  ")),
        ("a.3gp", "application/octet-stream", film(*b"3gp4")),
        ("a.heic", "image/heif", heic(10)),
    ] {
        assert!(has(&sent, b"by Ann") && !has(&expected, b"by Ann"), "{name}");
        let (told, given) = ann.given(name, &sent).await;
        assert_eq!((told.as_str(), given == expected), (media_type, true), "{name}");
        let (_, again) = ann.given(name, &given).await;
        assert!(again == expected, "{name}");
    }
}

async fn a_heic_whose_places_cannot_be_told_is_refused(app: TestApp) {
    let [ann] = app.users(["ann"]).await;
    let [mut sent, _] = heic(10);
    // The second item is said to be in another one.
    let at = sent.windows(8).position(|at| at == [0, 2, 0, 0, 0, 0, 0, 1]).expect("the item's place");
    sent[at + 3] = 2;
    let url = ann.announce("a.heic", sent.len()).await.text("/createUpload/uploadUrl").to_owned();
    assert_eq!(ann.put(&url, sent).await.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(app.kept_files().await, [""; 0]);
}
