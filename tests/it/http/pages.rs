//! Pages for browsers, in a build with them and in one without: `build/` says which it is.

use std::collections::BTreeSet;
use std::io::Read;

use flate2::read::GzDecoder;
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderName,
    IF_NONE_MATCH, VARY,
};
use reqwest::{Method, Response};

use super::{BROWSER, JSON, code, media_type, request, send};
use crate::support::TestApp;

/// A page: where it is, where what it loads is, and whether this build has it.
struct Page {
    path: &'static str,
    base: &'static str,
    is_built: bool,
}

const CHAT: Page = Page { path: "/", base: "/", is_built: cfg!(has_app) };

const PLAYGROUND: Page = Page { path: "/graphql", base: "/playground/", is_built: cfg!(has_playground) };

async fn get(app: &TestApp, path: &str) -> Response {
    send(request(app, Method::GET, path).header(ACCEPT, BROWSER)).await
}

async fn get_with(app: &TestApp, path: &str, name: HeaderName, value: &str) -> Response {
    send(request(app, Method::GET, path).header(ACCEPT, BROWSER).header(name, value)).await
}

async fn text(response: Response) -> String {
    response.text().await.expect("it is text")
}

fn header(response: &Response, name: HeaderName) -> &str {
    response.headers().get(name).map_or("", |value| value.to_str().expect("ASCII"))
}

/// Paths of the files that this page, or a file that it loads, names as Vite does.
fn named(page: &Page, text: &str) -> BTreeSet<String> {
    let is_of_a_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let names = text.split("assets/").skip(1).map(|rest| rest.split(|c| !is_of_a_name(c)).next().unwrap_or_default());
    names.filter(|name| name.contains('.')).map(|name| format!("{}assets/{name}", page.base)).collect()
}

/// A file with its text, after everything about how it is sent was looked at.
async fn file(app: &TestApp, path: &str) -> String {
    let plain = get(app, path).await;
    assert_eq!(plain.status(), 200, "{path}");
    let expected = match path.rsplit('.').next().unwrap_or_default() {
        "js" => "text/javascript",
        "css" => "text/css",
        "svg" => "image/svg+xml",
        "ttf" => "font/ttf",
        "woff" => "font/woff",
        "woff2" => "font/woff2",
        other => panic!("{path}: say here what `{other}` is"),
    };
    assert_eq!(media_type(&plain), expected, "{path}");
    assert_eq!(header(&plain, CACHE_CONTROL), "public, max-age=31536000, immutable", "{path}");
    assert!(header(&plain, "content-security-policy".parse().expect("a name")).starts_with("default-src 'none'"));
    let tag = header(&plain, ETAG).to_owned();
    let length: usize = header(&plain, CONTENT_LENGTH).parse().expect("it is known");
    let plain = plain.bytes().await.expect("it is whole");
    assert_eq!(plain.len(), length, "{path}");

    let again = get_with(app, path, IF_NONE_MATCH, &tag).await;
    assert_eq!((again.status().as_u16(), header(&again, ETAG)), (304, &*tag), "{path}");
    let head = send(request(app, Method::HEAD, path)).await;
    assert_eq!((head.status().as_u16(), header(&head, ETAG)), (200, &*tag), "{path}");
    assert_eq!(header(&head, CONTENT_LENGTH), length.to_string(), "{path}");

    for coding in ["br", "gzip"] {
        let coded = get_with(app, path, ACCEPT_ENCODING, coding).await;
        if header(&coded, CONTENT_ENCODING).is_empty() {
            assert_eq!(header(&coded, ETAG), tag, "{path}");
            continue;
        }
        assert_eq!((header(&coded, CONTENT_ENCODING), header(&coded, VARY)), (coding, "accept-encoding"), "{path}");
        assert_ne!(header(&coded, ETAG), tag, "{path}: another content");
        let coded = coded.bytes().await.expect("it is whole");
        let mut decoded = Vec::new();
        match coding {
            "br" => brotli::Decompressor::new(&*coded, 4_096).read_to_end(&mut decoded).expect("it is brotli"),
            _ => GzDecoder::new(&*coded).read_to_end(&mut decoded).expect("it is gzip"),
        };
        assert!(decoded == plain && coded.len() < plain.len(), "{path}");
    }
    String::from_utf8_lossy(&plain).into_owned()
}

#[tokio::test]
async fn a_page_loads_from_this_server_alone_or_says_how_to_get_it() {
    let app = TestApp::start().await;
    for page in [CHAT, PLAYGROUND] {
        let shown = get(&app, page.path).await;
        assert_eq!((shown.status().as_u16(), media_type(&shown)), (200, "text/html"), "{}", page.path);
        assert_eq!(header(&shown, CACHE_CONTROL), "no-cache", "{}", page.path);
        assert!(shown.headers().get_all(VARY).iter().any(|line| line == "accept"), "{:?}", shown.headers());
        let policy = header(&shown, "content-security-policy".parse().expect("a name")).to_owned();
        assert!(policy.starts_with("default-src 'none'") && policy.ends_with("frame-ancestors 'none'"), "{policy}");
        assert!(!policy.contains("http") && !policy.contains('*') && !policy.contains("unsafe-eval"), "{policy}");
        let tag = header(&shown, ETAG).to_owned();
        let html = text(shown).await;

        if page.is_built {
            assert!(policy.contains("script-src 'self';"), "{policy}");
            assert_eq!(html.matches("<script").count(), html.matches("src=").count(), "none is inline: {html}");
            assert!(!html.contains("://") && !html.contains("<style"), "{html}");
            assert_eq!(get_with(&app, page.path, IF_NONE_MATCH, &tag).await.status(), 304, "{}", page.path);
        } else {
            assert!(html.contains("nodejs.org") && html.contains("cargo clean --package parlor"), "{html}");
            assert!(!html.contains("<script"), "{html}");
        }
    }
}

#[tokio::test]
async fn everything_that_a_page_names_is_there() {
    let app = TestApp::start_with(|config| config.limits.enabled = false).await;
    for page in [CHAT, PLAYGROUND] {
        let (mut seen, mut waiting) = (BTreeSet::new(), named(&page, &text(get(&app, page.path).await).await));
        while let Some(path) = waiting.pop_first() {
            if seen.insert(path.clone()) {
                waiting.extend(named(&page, &file(&app, &path).await));
            }
        }
        let kinds: BTreeSet<&str> = seen.iter().filter_map(|path| path.rsplit('.').next()).collect();
        assert_eq!(kinds.contains("js") && kinds.contains("css"), page.is_built, "{seen:?}");
    }
}

#[tokio::test]
async fn a_path_that_is_no_file_is_nothing() {
    let app = TestApp::start().await;
    for path in [
        "/playground",
        "/playground/",
        "/playground/index.html",
        "/playground/assets/",
        "/playground/assets/none.js",
        "/playground/..%2f..%2fCargo.toml",
        "/index.html",
        "/assets/",
        "/assets/none.js",
        "/assets/..%2findex.html",
    ] {
        let response = get(&app, path).await;
        assert_eq!((response.status().as_u16(), media_type(&response)), (404, JSON), "{path}");
        assert_eq!(code(response).await, "NOT_FOUND", "{path}");
    }
}

#[tokio::test]
async fn a_page_that_is_switched_off_is_not_there_and_its_setting_is_named() {
    let off = TestApp::start_with(|config| (config.playground, config.sample_app) = (Some(false), Some(false))).await;
    let home = get(&off, "/").await;
    assert_eq!((home.status().as_u16(), media_type(&home)), (200, "text/html"));
    let policy = header(&home, "content-security-policy".parse().expect("a name")).to_owned();
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    let home = text(home).await;
    for expected in ["href=\"/graphql\"", "PARLOR_SAMPLE_APP=on", "PARLOR_PLAYGROUND=on"] {
        assert!(home.contains(expected), "{home}");
    }
    assert!(!home.contains("<script"), "{home}");

    let (browser, program) =
        (get(&off, "/graphql").await, send(request(&off, Method::GET, "/graphql").header(ACCEPT, "*/*")).await);
    assert_eq!((browser.status().as_u16(), browser.status()), (400, program.status()));
    assert_eq!(text(browser).await, text(program).await);

    let on = TestApp::start().await;
    for (app, status) in [(&off, 404), (&on, if cfg!(has_playground) { 200 } else { 404 })] {
        assert_eq!(get(app, "/playground/favicon.svg").await.status(), status);
    }
}

#[tokio::test]
async fn pages_are_for_this_machine_alone_unless_they_are_switched_on() {
    let proxied = |config: &mut parlor::config::Config| {
        config.trusted_proxies = vec!["127.0.0.1/32".parse().expect("a network")];
    };
    let app = TestApp::start_with(proxied).await;
    assert_eq!(get(&app, "/graphql").await.status(), 400);
    assert!(text(get(&app, "/").await).await.contains("PARLOR_SAMPLE_APP=on"));
    let on = |config: &mut parlor::config::Config| {
        proxied(config);
        config.playground = Some(true);
    };
    assert_eq!(get(&TestApp::start_with(on).await, "/graphql").await.status(), 200);
}

#[tokio::test]
async fn a_program_is_told_what_is_here_whatever_a_browser_is_shown() {
    for shown in [false, true] {
        let app = TestApp::start_with(|config| config.sample_app = Some(shown)).await;
        for accept in [JSON, "*/*"] {
            let links = send(request(&app, Method::GET, "/").header(ACCEPT, accept)).await;
            assert_eq!((links.status().as_u16(), media_type(&links)), (200, JSON));
            assert_eq!(links.json::<serde_json::Value>().await.expect("it is JSON")["graphql"], "/graphql");
        }
    }
}

#[tokio::test]
async fn files_are_got_and_asked_for_and_no_more() {
    let app = TestApp::start().await;
    let path = "/playground/favicon.svg";
    let posted = send(request(&app, Method::POST, path).header(CONTENT_TYPE, JSON).body("{}")).await;
    let options = send(request(&app, Method::OPTIONS, path)).await;
    if cfg!(has_playground) {
        assert_eq!((posted.status().as_u16(), header(&posted, "allow".parse().expect("a name"))), (405, METHODS));
        assert_eq!((options.status().as_u16(), header(&options, "allow".parse().expect("a name"))), (204, METHODS));
        let icon = get(&app, path).await;
        assert_eq!((media_type(&icon), header(&icon, CACHE_CONTROL)), ("image/svg+xml", "no-cache"));
    } else {
        assert_eq!((posted.status().as_u16(), options.status().as_u16()), (404, 404));
    }
}

const METHODS: &str = "GET, HEAD, OPTIONS";
