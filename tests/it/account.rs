//! Accounts: signing up, signing in, going away.

use argon2::{Argon2, PasswordHasher};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{TestApp, documents};

mod deletion;

#[tokio::test]
async fn signing_up_makes_a_consumer_who_is_signed_in() {
    let app = TestApp::start().await;

    let answer = app.sign_up("ann").await;

    insta::assert_json_snapshot!(answer.data(), {
        ".signUp.user.id" => insta::dynamic_redaction(|id, _| {
            assert!(id.as_str().is_some_and(|id| id.starts_with("user_")), "{id:?}");
            "[id]"
        }),
        ".signUp.accessToken" => "[token]",
        ".signUp.accessTokenExpiresAt" => "[in ten minutes]",
        ".signUp.refreshToken" => "[token]",
    }, @r#"
    {
      "signUp": {
        "accessToken": "[token]",
        "accessTokenExpiresAt": "[in ten minutes]",
        "refreshToken": "[token]",
        "user": {
          "displayName": "The ann",
          "id": "[id]",
          "type": "CONSUMER",
          "username": "ann"
        }
      }
    }
    "#);
    let token = answer.text("/signUp/accessToken");
    let me = app.with_token(token, "{ me { id username } }", json!({})).await;
    assert_eq!(me["/me/id"], answer["/signUp/user/id"]);
}

#[tokio::test]
async fn a_common_password_is_refused_to_those_who_choose_and_not_to_those_who_have_it() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    for password in ["password1", "PASSWORD1", "iloveyou", "1234567890"] {
        let input = json!({ "username": "bob", "password": password, "displayName": "Bob" });
        let refused = app.anonymous(documents::SIGN_UP, json!({ "input": input })).await;
        assert_eq!((refused.error_code(), refused.error_field()), ("BAD_USER_INPUT", "password"));
    }
    let refused =
        app.parlor_with_input(&["user", "add", "bob", "--type", "support", "--password-stdin"], "password1\n").await;
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("common"), "{refused:?}");

    let hash = Argon2::default().hash_password(b"password1").expect("hashes").to_string();
    app.execute(&format!(r#"UPDATE "user" SET password_hash = '{hash}' WHERE username = 'ann'"#)).await;
    let input = json!({ "username": "ann", "password": "password1" });
    let answer = app.anonymous(documents::SIGN_IN, json!({ "input": input })).await;
    assert_eq!(answer.text("/signIn/user/id"), ann.id);
}

#[tokio::test]
async fn a_username_means_the_same_in_capitals() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;

    let taken = app.sign_up("ANN").await;
    assert_eq!((taken.error_code(), taken.error_field()), ("CONFLICT", "username"));

    let input = json!({ "username": " Ann ", "password": ann.password() });
    let answer = app.anonymous(documents::SIGN_IN, json!({ "input": input })).await;
    assert_eq!(answer.text("/signIn/user/id"), ann.id);
}

#[tokio::test]
async fn of_many_who_ask_for_one_name_at_once_one_gets_it() {
    let app = TestApp::start().await;

    let answers = join_all((0..8).map(|_| app.sign_up("ann"))).await;

    let (made, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.body.get("errors").is_none());
    assert_eq!(made.len(), 1);
    for answer in refused {
        assert_eq!((answer.error_code(), answer.error_field()), ("CONFLICT", "username"));
    }
}

#[tokio::test]
async fn an_account_that_breaks_a_rule_is_refused_by_field() {
    let app = TestApp::start().await;
    let good = json!({ "username": "ann", "password": "long enough", "displayName": "Ann" });
    let refusals = [
        ("username", "a".into()),
        ("username", "a".repeat(33)),
        ("username", "_ann".into()),
        ("username", "ann lee".into()),
        ("username", "änn".into()),
        ("password", "7 chars".into()),
        ("password", "x".repeat(257)),
        ("displayName", "  ".into()),
        ("displayName", "x".repeat(65)),
        ("displayName", "a\nb".into()),
    ];
    for (field, value) in refusals {
        let mut input = good.clone();
        input[field] = value.clone().into();
        let answer = app.anonymous(documents::SIGN_UP, json!({ "input": input })).await;
        assert_eq!((answer.error_code(), answer.error_field()), ("BAD_USER_INPUT", field), "{value:?}");
    }
    assert_eq!(app.anonymous(documents::SIGN_UP, json!({ "input": good })).await.text("/signUp/user/username"), "ann");
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_name_look_alike() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let sign_in = async |username: &str, password: &str| {
        let input = json!({ "username": username, "password": password });
        app.anonymous(documents::SIGN_IN, json!({ "input": input })).await
    };

    let wrong = sign_in("ann", "not the password").await;
    assert_eq!(wrong.error_code(), "UNAUTHENTICATED");
    for (username, password) in
        [("nobody", ann.password()), ("not a name", ann.password()), ("ann", String::new()), ("ann", "x".repeat(5_000))]
    {
        assert_eq!(sign_in(username, &password).await.body, wrong.body, "{username}");
    }
}

#[tokio::test]
async fn a_deleted_account_leaves_its_messages_without_an_author() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let kept = ann.post(&room, "so long").await;

    ann.delete_account().await;

    let messages = bob.messages(&room).await;
    assert_eq!((&messages[0].id, &*messages[0].body, &messages[0].author_id), (&kept.id, "so long", &None));
    let members = bob.graphql(documents::MEMBERS, json!({ "roomId": room.id })).await;
    let ids: Vec<&Value> = members.list("/room/members/nodes").iter().map(|member| &member["user"]["id"]).collect();
    assert_eq!(ids, [&bob.id]);
    let answer = bob.graphql(documents::ROOM, json!({ "roomId": room.id })).await;
    assert_eq!(answer["/room/initiator"], Value::Null);
}

#[tokio::test]
async fn a_deleted_account_ends_every_session_at_once() {
    let app = TestApp::start().await;
    let phone = app.user("ann").await;
    let laptop = phone.sign_in().await;
    let (mut on_phone, mut on_laptop) = (phone.subscribe().await, laptop.subscribe().await);

    phone.delete_account().await;

    for device in [&phone, &laptop] {
        let answer = device.graphql("{ me { id } }", json!({})).await;
        assert_eq!((answer.status, answer.error_code()), (401, "UNAUTHENTICATED"));
        let answer = app.anonymous(documents::REFRESH_SESSION, json!({ "token": device.refresh_token })).await;
        assert_eq!(answer.error_code(), "UNAUTHENTICATED");
    }
    for feed in [&mut on_phone, &mut on_laptop] {
        assert_eq!(feed.socket().until_close().await.0, 4403);
    }
    let input = json!({ "username": "ann", "password": phone.password() });
    let answer = app.anonymous(documents::SIGN_IN, json!({ "input": input })).await;
    assert_eq!(answer.error_code(), "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_deleted_user_is_gone_for_everybody() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    ann.delete_account().await;

    let answer =
        bob.graphql("query($id: ID!) { user(id: $id) { id } node(id: $id) { id } }", json!({ "id": ann.id })).await;
    assert_eq!(*answer.data(), json!({ "user": null, "node": null }));
    let found = bob.graphql(documents::USERS, json!({ "search": "ann" })).await;
    assert_eq!(found.list("/users/nodes").len(), 0);
    let variables = json!({ "userIds": [ann.id], "type": "CONSUMER_TO_CONSUMER" });
    let refused = bob.graphql(documents::INITIATE_CHAT, variables).await;
    assert_eq!((refused.error_code(), refused.error_field()), ("NOT_FOUND", "userIds"));
}

#[tokio::test]
async fn the_others_are_told_when_a_member_deletes_the_account() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let mut feed = bob.subscribe().await;

    ann.delete_account().await;

    let left = feed.next_of("MemberLeft").await;
    assert_eq!((left.room_id(), left.user_id()), (room.id, ann.id));
    assert_eq!(left.body["user"], Value::Null);
}
