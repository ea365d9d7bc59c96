//! How files are given to browsers.

use reqwest::StatusCode;
use serde_json::json;

use super::picture;
use crate::support::TestApp;

wherever_files_are! {
    a_file_runs_nothing_whatever_it_is_and_calls_itself,
    players_are_given_parts_and_who_has_it_nothing,
    a_file_of_several_parts_is_whole_and_given_across_them,
    what_tells_of_the_maker_of_a_picture_is_cut_from_what_is_fetched,
    a_link_is_good_for_one_file_and_two_hours_and_without_one_only_members_are_given_it,
}

async fn a_file_runs_nothing_whatever_it_is_and_calls_itself(app: TestApp) {
    let [ann] = app.users(["ann"]).await;
    let mut polyglot = picture(2, 2, image::ImageFormat::Png);
    polyglot.extend_from_slice(b"<script>alert(1)</script>");
    for (name, bytes, media_type, how) in [
        ("a.png", &b"<html><script>alert(1)</script></html>"[..], "application/octet-stream", "attachment"),
        (
            "a.svg",
            b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script>1</script></svg>",
            "application/octet-stream",
            "attachment",
        ),
        ("a.html", &polyglot, "image/png", "inline"),
        ("\"\r\nx: y\".pdf".trim(), b"%PDF-1.7\n", "application/octet-stream", "attachment"),
    ] {
        if name.contains('\r') {
            assert_eq!(ann.announce(name, bytes.len()).await.error_code(), "BAD_USER_INPUT");
            continue;
        }
        let file = ann.send(name, bytes).await;
        let got = ann.get_file(file.answer["url"].as_str().expect("a link")).await;
        let header = |name: &str| got.headers()[name].to_str().expect("a text").to_owned();
        assert_eq!(header("content-type"), media_type, "{name}");
        assert!(header("content-disposition").starts_with(&format!("{how}; filename*=UTF-8''a%2E")), "{name}");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert!(header("content-security-policy").starts_with("sandbox; default-src 'none'"));
        assert!(header("cache-control").starts_with("private"));
        let bytes = got.bytes().await.expect("bytes");
        assert!(media_type != "image/png" || !bytes.windows(8).any(|it| it == b"<script>"), "what follows it is cut");
    }
}

async fn players_are_given_parts_and_who_has_it_nothing(app: TestApp) {
    let [ann] = app.users(["ann"]).await;
    let file = ann.send("a.bin", b"0123456789").await;
    let url = ann.endpoint().url(file.answer["url"].as_str().expect("a link"));
    let get = async |name: &str, value: &str| {
        ann.endpoint().http.get(&url).header(name, value).send().await.expect("the server responds")
    };
    let part = get("range", "bytes=2-4").await;
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(
        (&part.headers()["content-range"], &part.headers()["content-length"]),
        (&"bytes 2-4/10".parse().expect("a header"), &"3".parse().expect("a header"))
    );
    assert_eq!(part.text().await.expect("a text"), "234");
    assert_eq!(get("range", "bytes=10-").await.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    let whole = get("range", "bytes=0-1,4-5").await;
    assert_eq!(whole.status(), StatusCode::OK);
    let etag = whole.headers()["etag"].to_str().expect("a text").to_owned();
    assert_eq!(whole.text().await.expect("a text"), "0123456789");
    assert_eq!(get("if-none-match", &etag).await.status(), StatusCode::NOT_MODIFIED);
    let head = ann.endpoint().http.head(&url).send().await.expect("the server responds");
    assert_eq!((head.status(), &head.headers()["content-length"]), (StatusCode::OK, &"10".parse().expect("a header")));
}

async fn a_link_is_good_for_one_file_and_two_hours_and_without_one_only_members_are_given_it(app: TestApp) {
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let (file, other) = (ann.send("a.txt", b"a").await, ann.send("b.txt", b"b").await);
    let url = file.answer["url"].as_str().expect("a link");
    let (path, signed) = url.split_once('?').expect("a signature");
    for forged in [
        format!("{}?{signed}", path.replace(&file.id, &other.id)),
        format!("{path}?side=320&{signed}"),
        format!("{path}?{}", signed.replace("exp=", "exp=9")),
    ] {
        assert_eq!(eve.get_file(&forged).await.status(), StatusCode::FORBIDDEN, "{forged}");
    }
    assert_eq!(eve.get_file(url).await.status(), StatusCode::OK, "who has the link is given it");

    let of = async |user: &crate::support::TestUser| {
        let asked = user.endpoint().http.get(user.endpoint().url(path)).bearer_auth(&user.access_token).send();
        asked.await.expect("the server responds").status()
    };
    assert_eq!([of(&ann).await, of(&bob).await], [StatusCode::OK, StatusCode::NOT_FOUND], "it isn't posted yet");
    assert!(ann.post_files(&room, "", &[&file]).await.data().is_object());
    assert_eq!([of(&bob).await, of(&eve).await], [StatusCode::OK, StatusCode::NOT_FOUND]);
    assert_eq!(eve.get_file(path).await.status(), StatusCode::UNAUTHORIZED);
    bob.leave(&room).await;
    assert_eq!(of(&bob).await, StatusCode::NOT_FOUND);
    app.clock().advance(chrono::TimeDelta::hours(2));
    assert_eq!(eve.get_file(url).await.status(), StatusCode::FORBIDDEN);
    let known = json!({ "name": "c", "size": 1 });
    assert_eq!(app.endpoint().graphql(None, super::CREATE, known).await.error_code(), "UNAUTHENTICATED");
}

async fn a_file_of_several_parts_is_whole_and_given_across_them(app: TestApp) {
    let [ann] = app.users(["ann"]).await;
    // Parts have 5 MiB: two and a bit, and just two.
    for size in [12_000_000_u32, 10 * 1024 * 1024] {
        let large: Vec<u8> = (0..size).map(|n| n.to_le_bytes()[n as usize % 3]).collect();
        let file = ann.send("large.bin", &large).await;
        let url = ann.endpoint().url(file.answer["url"].as_str().expect("a link"));
        let get = async |range: &str| {
            let asked = ann.endpoint().http.get(&url).header("range", range).send().await;
            let answer = asked.expect("the server responds");
            (answer.status(), answer.bytes().await.expect("bytes"))
        };
        for part in [5_242_870..5_242_890, 4_000_000..10_400_000, 0..1] {
            let (status, bytes) = get(&format!("bytes={}-{}", part.start, part.end - 1)).await;
            assert_eq!((status, bytes == large[part.clone()]), (StatusCode::PARTIAL_CONTENT, true), "{part:?}");
        }
        let (status, bytes) = get("bytes=-7").await;
        assert_eq!((status, bytes == large[large.len() - 7..]), (StatusCode::PARTIAL_CONTENT, true));
        assert!(
            ann.get_file(file.answer["url"].as_str().expect("a link")).await.bytes().await.expect("bytes") == large
        );
    }
}

/// What a camera writes: that the picture is to be turned, and where it was taken, 52° 30′ north.
pub(super) fn camera() -> Vec<u8> {
    let mut exif = b"MM\0*\0\0\0\x08\0\x02".to_vec();
    // Orientation: 6, to be turned by a quarter.
    exif.extend(b"\x01\x12\0\x03\0\0\0\x01\0\x06\0\0");
    // A table of its own for the place, which begins at 38.
    exif.extend(b"\x88\x25\0\x04\0\0\0\x01\0\0\0\x26\0\0\0\0");
    exif.extend(b"\0\x02\0\x01\0\x02\0\0\0\x02N\0\0\0");
    exif.extend(b"\0\x02\0\x05\0\0\0\x03\0\0\0\x44\0\0\0\0");
    for part in [52_u32, 1, 30, 1, 0, 1] {
        exif.extend(part.to_be_bytes());
    }
    exif.extend(b"by Ann");
    exif
}

async fn what_tells_of_the_maker_of_a_picture_is_cut_from_what_is_fetched(app: TestApp) {
    use image::ImageDecoder;
    use img_parts::jpeg::{Jpeg, JpegSegment};
    use img_parts::png::{Png, PngChunk};
    let [ann] = app.users(["ann"]).await;
    let xmp = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>by Ann</x:xmpmeta>";
    let mut jpeg = Jpeg::from_bytes(picture(400, 200, image::ImageFormat::Jpeg).into()).expect("a JPEG");
    let exif = [&b"Exif\0\0"[..], &camera()].concat();
    jpeg.segments_mut().insert(0, JpegSegment::new_with_contents(0xe1, exif.into()));
    jpeg.segments_mut().insert(1, JpegSegment::new_with_contents(0xe1, xmp.to_vec().into()));
    let mut png = Png::from_bytes(picture(400, 200, image::ImageFormat::Png).into()).expect("a PNG");
    png.chunks_mut().insert(1, PngChunk::new(*b"eXIf", camera().into()));
    png.chunks_mut().insert(1, PngChunk::new(*b"iTXt", [&b"XML:com.adobe.xmp\0\0\0\0\0"[..], xmp].concat().into()));
    let gif = picture(400, 200, image::ImageFormat::Gif);
    let colours = 13 + if gif[10] & 0x80 == 0 { 0 } else { 3 << ((gif[10] & 7) + 1) };
    let comment = [&b"\x21\xff\x0bXMP DataXMP\x3a"[..], xmp, b"\0\x21\xfe\x06by Ann\0"].concat();
    assert_eq!(xmp.len(), 0x3a);
    let gif = [&gif[..colours], &comment, &gif[colours..]].concat();
    for (media_type, bytes, size) in [
        ("image/jpeg", [&jpeg.encoder().bytes()[..], b"by Ann, behind it"].concat(), (200, 400)),
        ("image/png", png.encoder().bytes().to_vec(), (200, 400)),
        ("image/gif", gif, (400, 200)),
    ] {
        let has = |bytes: &[u8], text: &[u8]| bytes.windows(text.len()).any(|at| at == text);
        assert!(has(&bytes, b"by Ann") && has(&bytes, b"xmp"), "{media_type}");
        let file = ann.send("a", &bytes).await;
        assert_eq!((&file.answer["contentType"], &file.answer["width"]), (&json!(media_type), &json!(size.0)));
        let fetched = ann.get_file(file.answer["url"].as_str().expect("a link")).await;
        let fetched = fetched.bytes().await.expect("bytes");
        assert_eq!(file.answer["size"], json!(fetched.len()));
        assert!(!has(&fetched, b"by Ann") && !has(&fetched, b"xmp"), "{media_type}");
        let reader = image::ImageReader::new(std::io::Cursor::new(fetched)).with_guessed_format().expect("a picture");
        let mut decoder = reader.into_decoder().expect("a picture");
        let kept = decoder.exif_metadata().expect("it can be read").unwrap_or_default();
        assert!(
            kept.len() < 30 && !has(&kept, &52_u32.to_be_bytes()),
            "{media_type}: nothing but how it is to be turned: {kept:?}"
        );
        let turned = decoder.orientation().expect("it can be read") != image::metadata::Orientation::NoTransforms;
        assert_eq!(turned, size == (200, 400), "{media_type}");
    }
}
