//! Compressed answers and bodies.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::{GzEncoder, ZlibEncoder};
use reqwest::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, VARY};
use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

use super::{JSON, code, post_request, send};
use crate::support::{SUBPROTOCOL, Socket, TestApp, TestUser, documents};

const SCHEMA: &str = "{ __schema { types { name kind description fields { name description } } } }";

fn ask(app: &TestApp, user: Option<&TestUser>, document: &str, variables: &Value) -> RequestBuilder {
    let request = post_request(app, JSON, json!({ "query": document, "variables": variables }).to_string());
    match user {
        Some(user) => request.bearer_auth(&user.access_token),
        None => request,
    }
}

async fn read(response: Response) -> Value {
    let coding = response.headers().get(CONTENT_ENCODING).map(|coding| coding.to_str().expect("ASCII").to_owned());
    let body = response.bytes().await.expect("a body");
    let mut plain = Vec::new();
    match coding.as_deref() {
        Some("gzip") => GzDecoder::new(&*body).read_to_end(&mut plain).expect("is gzip"),
        Some("br") => brotli::Decompressor::new(&*body, 4_096).read_to_end(&mut plain).expect("is brotli"),
        other => {
            assert_eq!(other, None);
            plain.write(&body).expect("memory")
        }
    };
    serde_json::from_slice(&plain).expect("the body is JSON")
}

#[tokio::test]
async fn long_answers_are_compressed_for_those_who_accept_it() {
    let app = TestApp::start().await;
    let plain = send(ask(&app, None, SCHEMA, &json!({}))).await;
    assert_eq!(plain.headers().get(CONTENT_ENCODING), None);
    assert!(plain.headers().get_all(VARY).iter().any(|vary| vary == "accept-encoding"), "caches must know");
    let bytes = plain.content_length().expect("is known");
    let plain = read(plain).await;
    for (accept, expected) in [
        ("gzip", Some("gzip")),
        ("br", Some("br")),
        ("gzip, deflate, br, zstd", Some("br")),
        ("br;q=0.1, gzip;q=0.2", Some("gzip")),
        ("zstd", None),
        ("identity;q=0", None),
        ("*;q=0", None),
    ] {
        let response = send(ask(&app, None, SCHEMA, &json!({})).header(ACCEPT_ENCODING, accept)).await;
        assert_eq!(response.status(), StatusCode::OK, "{accept}");
        let coding = response.headers().get(CONTENT_ENCODING).map(|coding| coding.to_str().expect("ASCII"));
        assert_eq!(coding, expected, "{accept}");
        let length = response.content_length().expect("is known");
        assert!(if expected.is_some() { length < bytes / 3 } else { length == bytes }, "{accept}: {length}");
        assert_eq!(read(response).await, plain, "{accept}");
    }
    let short = send(ask(&app, None, "{ __typename }", &json!({})).header(ACCEPT_ENCODING, "gzip")).await;
    assert_eq!(short.headers().get(CONTENT_ENCODING), None);
}

#[tokio::test]
async fn an_answer_with_a_token_is_never_compressed() {
    let app = TestApp::start().await;
    let name = "n".repeat(64);
    let input = json!({ "username": "ann", "password": "correct horse", "displayName": name });
    let names = (0..30).map(|n| format!("a{n}: displayName")).collect::<Vec<_>>().join(" ");
    let payload = format!("accessToken refreshToken user {{ {names} }}");
    let document = format!("mutation($input: SignUpInput!) {{ signUp(input: $input) {{ {payload} }} }}");
    let response =
        send(ask(&app, None, &document, &json!({ "input": input })).header(ACCEPT_ENCODING, "gzip, br")).await;
    assert_eq!(response.headers().get(CONTENT_ENCODING), None);
    assert!(response.content_length().is_some_and(|length| length > 1_024));
    assert_eq!(read(response).await["data"]["signUp"]["user"]["a29"], name);
}

#[tokio::test]
async fn what_a_mutation_has_done_is_told_whatever_coding_is_asked_for() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    for accept in ["gzip", "identity;q=0", "*;q=0", "nonsense"] {
        let body = "hello ".repeat(1_000);
        let variables = json!({ "roomId": room.id, "body": body });
        let request = ask(&app, Some(&ann), documents::POST_MESSAGE, &variables);
        let response = send(request.header(ACCEPT_ENCODING, accept)).await;
        assert_eq!(response.status(), StatusCode::OK, "{accept}");
        assert_eq!(read(response).await["data"]["postMessage"]["message"]["body"], body.trim(), "{accept}");
    }
    assert_eq!(ann.messages(&room).await.len(), 4);
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).expect("memory");
    encoder.finish().expect("memory")
}

fn zlib(plain: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).expect("memory");
    encoder.finish().expect("memory")
}

#[tokio::test]
async fn a_compressed_body_is_read_up_to_its_length_when_it_is_not() {
    let app = TestApp::start().await;
    let operation = |bytes: usize| {
        let empty = json!({ "query": "{ __typename }", "extensions": { "x": "" } }).to_string();
        json!({ "query": "{ __typename }", "extensions": { "x": "x".repeat(bytes - empty.len()) } }).to_string()
    };
    let short = r#"{"query":"{ __typename }"}"#;
    let bomb = gzip(&vec![b' '; 100 * 1024 * 1024]);
    for (coding, body, status) in [
        ("gzip", gzip(short.as_bytes()), 200),
        ("GZip", gzip(short.as_bytes()), 200),
        ("x-gzip", gzip(short.as_bytes()), 200),
        ("deflate", zlib(short.as_bytes()), 200),
        ("identity", short.as_bytes().to_vec(), 200),
        ("gzip", gzip(operation(256 * 1024).as_bytes()), 200),
        ("gzip", gzip(operation(256 * 1024 + 1).as_bytes()), 413),
        ("deflate", zlib(operation(256 * 1024 + 1).as_bytes()), 413),
        ("gzip", bomb, 413),
        ("gzip", short.as_bytes().to_vec(), 400),
        ("gzip", gzip(short.as_bytes())[..20].to_vec(), 400),
        ("gzip", [gzip(short.as_bytes()), b"more".to_vec()].concat(), 400),
        ("gzip", gzip(b"{"), 400),
        ("gzip", Vec::new(), 400),
        ("br", short.as_bytes().to_vec(), 415),
        ("gzip, gzip", gzip(&gzip(short.as_bytes())), 415),
    ] {
        let request = post_request(&app, JSON, body).header(CONTENT_ENCODING, coding);
        let response = send(request).await;
        assert_eq!(response.status().as_u16(), status, "{coding}: {response:?}");
        let told = response.headers().get(ACCEPT_ENCODING).map(|told| told.to_str().expect("ASCII").to_owned());
        assert_eq!(told.as_deref(), (status == 415).then_some("gzip, deflate"), "{coding}");
        if status != 200 {
            assert_eq!(code(response).await, "BAD_USER_INPUT", "{coding}");
        }
    }
    let request = post_request(&app, JSON, gzip(short.as_bytes())).header(CONTENT_LENGTH, "300000");
    assert_eq!(send(request.header(CONTENT_ENCODING, "gzip")).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_socket_is_opened_whatever_codings_the_client_accepts() {
    let app = TestApp::start().await;
    for accept in ["gzip, br", "*;q=0", "identity;q=0"] {
        let opened = Socket::handshake(app.endpoint(), Some(SUBPROTOCOL), &[("accept-encoding", accept)]).await;
        assert!(opened.is_ok(), "{accept}");
    }
}
