//! How files are given to browsers.

use reqwest::StatusCode;
use serde_json::json;

use super::picture;
use crate::support::TestApp;

wherever_files_are! {
    a_file_runs_nothing_whatever_it_is_and_calls_itself,
    players_are_given_parts_and_who_has_it_nothing,
    a_file_of_several_parts_is_whole_and_given_across_them,
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
