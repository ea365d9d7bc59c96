//! Tokens by HTTP: one that isn't valid stops only what needs a viewer.

use reqwest::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use super::{GRAPHQL_JSON, JSON, post_request, send};
use crate::support::{TestApp, TestUser, documents};

/// What a request can carry in place of a valid token. The last ones are several headers.
async fn worthless(app: &TestApp) -> Vec<Vec<String>> {
    let [ann, bob] = app.users(["ann", "bob"]).await;
    bob.sign_out().await;
    let valid = format!("Bearer {}", ann.access_token);
    let lines = [
        vec![format!("Bearer {}", bob.access_token)],
        vec!["Bearer nonsense".to_owned()],
        vec!["Basic YTpi".to_owned()],
        vec!["Bearer".to_owned()],
        vec![String::new()],
        vec![format!("{valid} {valid}")],
        vec![format!("{valid}, {valid}")],
        vec![valid.clone(), valid.clone()],
        vec!["Bearer nonsense".to_owned(), valid],
    ];
    lines.into()
}

async fn answer(app: &TestApp, accept: &str, authorization: &[String], document: &str, variables: Value) -> Response {
    let body = json!({ "query": document, "variables": variables }).to_string();
    let lines = authorization.iter();
    send(lines.fold(post_request(app, accept, body), |request, line| request.header(AUTHORIZATION, line))).await
}

async fn body(response: Response) -> Value {
    response.json().await.expect("the body is JSON")
}

fn codes(body: &Value) -> Vec<(&Value, &Value)> {
    let errors = body["errors"].as_array().into_iter().flatten();
    errors.map(|error| (&error["extensions"]["code"], &error["path"][0])).collect()
}

#[tokio::test]
async fn a_token_that_is_not_valid_stops_nothing_that_needs_none() {
    let app = TestApp::start().await;
    let mut cay = app.user("cay").await;
    let sign_in = json!({ "input": { "username": "cay", "password": cay.password() } });
    for (n, token) in worthless(&app).await.iter().enumerate() {
        let name = format!("user{n}");
        let sign_up = json!({ "username": name, "password": "correct horse", "displayName": name });
        for (document, variables) in [
            ("{ __typename }", json!({})),
            ("{ __schema { queryType { name } } __type(name: \"User\") { kind } }", json!({})),
            (documents::SIGN_IN, sign_in.clone()),
            (documents::SIGN_UP, json!({ "input": sign_up })),
            (documents::REFRESH_SESSION, json!({ "token": cay.refresh_token })),
        ] {
            let response = answer(&app, GRAPHQL_JSON, token, document, variables).await;
            assert_eq!(response.status(), StatusCode::OK, "{token:?} {document}");
            let body = body(response).await;
            assert_eq!(codes(&body), [], "{token:?} {document}");
            if let Some(session) = body["data"].get("refreshSession") {
                cay = TestUser::from_session(app.endpoint().clone(), session);
            }
        }
    }
    assert!(app.refusals("unauthenticated").await >= 9.0, "they are counted");
}

#[tokio::test]
async fn what_needs_a_viewer_fails_field_by_field_as_without_a_token() {
    let app = TestApp::start().await;
    let unauthenticated = json!("UNAUTHENTICATED");
    for token in worthless(&app).await {
        for accept in [GRAPHQL_JSON, JSON] {
            for document in
                ["{ me { id } }", "{ users { nodes { id } } room(id: \"room_00000000000000000000000000\") { id } }"]
            {
                let bare = answer(&app, accept, &[], document, json!({})).await;
                let (status, challenge) = (bare.status(), bare.headers().get(WWW_AUTHENTICATE).cloned());
                let expected = if accept == JSON { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
                assert_eq!((status, challenge.is_some()), (expected, accept == GRAPHQL_JSON), "{document}");
                let response = answer(&app, accept, &token, document, json!({})).await;
                assert_eq!(response.status(), status, "{token:?} {document}");
                assert_eq!(response.headers().get(WWW_AUTHENTICATE), challenge.as_ref(), "{token:?} {document}");
                assert_eq!(body(response).await, body(bare).await, "{token:?} {document}");
            }
        }
        let response = answer(
            &app,
            GRAPHQL_JSON,
            &token,
            "{ __typename node(id: \"user_00000000000000000000000000\") { id } }",
            json!({}),
        )
        .await;
        assert_eq!(response.status(), StatusCode::OK, "something was answered");
        let body = body(response).await;
        assert_eq!(codes(&body), [(&unauthenticated, &json!("node"))], "{token:?} {body:#}");
        assert_eq!(body["data"], json!({ "__typename": "Query", "node": null }), "{token:?}");
    }
}

#[tokio::test]
async fn a_mutation_with_a_token_that_is_not_valid_does_nothing_in_its_bearers_name() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["dan", "eve"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let document = "mutation($room: ID!, $input: SignInInput!) {
        one: postMessage(roomId: $room, body: \"one\") { message { id } }
        signIn(input: $input) { sessionId }
        muteRoom(roomId: $room, muted: true) { room { id } }
    }";
    let input = json!({ "username": "dan", "password": ann.password() });
    for token in worthless(&app).await {
        let variables = json!({ "room": room.id, "input": input });
        let body = body(answer(&app, GRAPHQL_JSON, &token, document, variables).await).await;
        assert!(codes(&body).iter().all(|(code, _)| *code == "UNAUTHENTICATED"), "{token:?} {body:#}");
        assert!(codes(&body).iter().any(|(_, field)| *field == "one"), "{token:?} {body:#}");
        assert_eq!(ann.messages(&room).await, [], "{token:?}");
    }
}

#[tokio::test]
async fn a_wrong_password_asks_for_no_token() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    ann.sign_out().await;
    let wrong = json!({ "input": { "username": "ann", "password": "a wrong password" } });
    for (document, variables) in
        [(documents::SIGN_IN, wrong), (documents::REFRESH_SESSION, json!({ "token": ann.refresh_token }))]
    {
        for token in [vec![], vec!["Bearer nonsense".to_owned()]] {
            let response = answer(&app, GRAPHQL_JSON, &token, document, variables.clone()).await;
            assert_eq!(response.status(), StatusCode::OK, "a client that refreshes on 401 would do so for ever");
            assert_eq!(response.headers().get(WWW_AUTHENTICATE), None);
            assert_eq!(codes(&body(response).await)[0].0, "UNAUTHENTICATED");
        }
    }
}

#[tokio::test]
async fn a_token_that_nobody_can_look_up_is_an_outage_and_not_an_anonymous_request() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let _held = app.hold_reads().await;
    let token = [format!("Bearer {}", ann.access_token)];
    for accept in [GRAPHQL_JSON, JSON] {
        let response = answer(&app, accept, &token, "{ __typename }", json!({})).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(codes(&body(response).await)[0].0, "UNAVAILABLE");
    }
}
