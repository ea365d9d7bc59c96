//! A user's own sessions: listing them, ending them, and changing the password.

use argon2::{Argon2, PasswordHasher};
use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{me, refresh};
use crate::support::{Answer, TestApp, TestUser, documents};

/// A new session of ann's on a device that calls itself so.
async fn sign_in_as(app: &TestApp, ann: &TestUser, client: &str) -> TestUser {
    let input = json!({ "username": ann.username, "password": ann.password(), "client": client });
    let answer = app.anonymous(documents::SIGN_IN, json!({ "input": input })).await;
    TestUser::from_session(app.endpoint().clone(), &answer["/signIn"])
}

async fn try_to_sign_in(app: &TestApp, password: &str) -> Answer {
    let input = json!({ "username": "ann", "password": password });
    app.anonymous(documents::SIGN_IN, json!({ "input": input })).await
}

/// The sessions as this device sees them, all that fit on a page.
async fn sessions(user: &TestUser) -> Vec<Value> {
    user.graphql(documents::SESSIONS, json!({ "first": 100 })).await.list("/sessions/nodes").to_vec()
}

/// The id of this device's session.
async fn own_id(user: &TestUser) -> String {
    let own = sessions(user).await.into_iter().find(|session| session["current"] == true);
    own.expect("one is current")["id"].as_str().expect("an id").to_owned()
}

async fn end(user: &TestUser, session: &str) -> Answer {
    user.graphql(documents::END_SESSION, json!({ "id": session })).await
}

async fn change_password(user: &TestUser, current: &str, new: &str) -> Answer {
    user.graphql(documents::CHANGE_PASSWORD, json!({ "current": current, "new": new })).await
}

#[tokio::test]
async fn a_user_sees_the_own_sessions_with_the_newest_first() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let phone = sign_in_as(&app, &ann, "  Ann's phone ").await;
    let tablet = sign_in_as(&app, &ann, " ").await;
    tablet.sign_in().await.sign_out().await;

    let seen = sessions(&phone).await;
    let shown: Vec<_> = seen.iter().map(|session| (&session["client"], session["current"] == true)).collect();
    assert_eq!(shown, [(&Value::Null, false), (&json!("Ann's phone"), true), (&Value::Null, false)]);
    for session in &seen {
        assert!(session["createdAt"].as_str() <= session["lastUsedAt"].as_str(), "{session}");
        assert!(session["lastUsedAt"].as_str() < session["expiresAt"].as_str(), "{session}");
    }
    assert_eq!(sessions(&bob).await.len(), 1);

    let (mut paged, mut after) = (Vec::new(), Value::Null);
    loop {
        let page = phone.graphql(documents::SESSIONS, json!({ "first": 2, "after": after })).await;
        paged.extend(page.list("/sessions/nodes").to_vec());
        after = page["/sessions/pageInfo/endCursor"].clone();
        if page["/sessions/pageInfo/hasNextPage"] == false {
            break;
        }
    }
    assert_eq!(paged, seen);
}

#[tokio::test]
async fn a_device_names_itself_in_one_line() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    for client in ["two\nlines".to_owned(), "two\u{2028}lines".to_owned(), "a\0".to_owned(), "x".repeat(201)] {
        let input = json!({ "username": "ann", "password": ann.password(), "client": client });
        let refused = app.anonymous(documents::SIGN_IN, json!({ "input": input })).await;
        assert_eq!((refused.error_code(), refused.error_field()), ("BAD_USER_INPUT", "client"), "{client:?}");
    }
}

#[tokio::test]
async fn a_session_that_is_ended_from_another_device_is_over_and_no_other_is() {
    let app = TestApp::start().await;
    let laptop = app.user("ann").await;
    let (lost, tablet) = (laptop.sign_in().await, laptop.sign_in().await);
    let (mut on_lost, mut on_tablet) = (lost.subscribe().await, tablet.subscribe().await);
    let lost_id = own_id(&lost).await;

    assert_eq!(end(&laptop, &lost_id).await.text("/endSession/sessionId"), lost_id);

    assert_eq!(on_lost.socket().until_close().await.0, 4403);
    assert_eq!(me(&lost).await.error_code(), "UNAUTHENTICATED");
    assert_eq!(refresh(&app, &lost.refresh_token).await.error_code(), "UNAUTHENTICATED");
    assert_eq!(sessions(&laptop).await.len(), 2);
    assert_eq!(me(&tablet).await.text("/me/id"), tablet.id);
    let room = laptop.initiate_chat([&app.user("bob").await]).await;
    assert_eq!(on_tablet.next_of("RoomJoined").await.room_id(), room.id);
    let again = end(&laptop, &lost_id).await;
    assert_eq!((again.error_code(), again.error_field()), ("NOT_FOUND", "sessionId"));
}

#[tokio::test]
async fn ending_the_own_session_is_signing_out() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let own = own_id(&ann).await;

    end(&ann, &own).await.data();

    assert_eq!(me(&ann).await.error_code(), "UNAUTHENTICATED");
}

#[tokio::test]
async fn all_other_sessions_end_at_once_and_the_own_goes_on() {
    let app = TestApp::start().await;
    let phone = app.user("ann").await;
    let others = join_all((0..5).map(|_| phone.sign_in())).await;
    let mut on_others = join_all(others.iter().map(TestUser::subscribe)).await;
    let mut on_phone = phone.subscribe().await;

    let answer = phone.graphql(documents::END_OTHER_SESSIONS, json!({})).await;

    assert_eq!(answer.number("/endOtherSessions/endedSessionCount"), 5);
    for (other, feed) in others.iter().zip(&mut on_others) {
        assert_eq!(feed.socket().until_close().await.0, 4403);
        assert_eq!(me(other).await.error_code(), "UNAUTHENTICATED");
        assert_eq!(refresh(&app, &other.refresh_token).await.error_code(), "UNAUTHENTICATED");
    }
    phone.initiate_chat([&app.user("bob").await]).await;
    on_phone.next_of("RoomJoined").await;
    refresh(&app, &phone.refresh_token).await.data();
    let again = phone.graphql(documents::END_OTHER_SESSIONS, json!({})).await;
    assert_eq!(again.number("/endOtherSessions/endedSessionCount"), 0);
}

#[tokio::test]
async fn a_token_without_a_session_has_none_that_could_stay() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let minted = app.parlor(&["user", "token", "ann", "--ttl-secs", "3600"]).await;
    let token = String::from_utf8(minted.stdout).expect("a token is text");
    let passwords = json!({ "current": ann.password(), "new": "another horse battery" });

    for (document, variables) in [
        (documents::END_OTHER_SESSIONS, json!({})),
        (documents::CHANGE_PASSWORD, passwords),
        (documents::SIGN_OUT, json!({})),
    ] {
        assert_eq!(app.with_token(token.trim(), document, variables).await.error_code(), "FORBIDDEN", "{document}");
    }
    let seen = app.with_token(token.trim(), documents::SESSIONS, json!({})).await;
    let [session] = seen.list("/sessions/nodes") else { panic!("expected one session, got {seen:?}") };
    assert_eq!(session["current"], false);
    let ended = app.with_token(token.trim(), documents::END_SESSION, json!({ "id": session["id"] })).await;
    assert_eq!(ended["/endSession/sessionId"], session["id"]);
    assert_eq!(me(&ann).await.error_code(), "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_new_password_ends_all_other_sessions_and_is_the_only_one_from_then_on() {
    let app = TestApp::start().await;
    let phone = app.user("ann").await;
    let laptop = phone.sign_in().await;
    let (mut on_phone, mut on_laptop) = (phone.subscribe().await, laptop.subscribe().await);

    let answer = change_password(&phone, &phone.password(), "another horse battery").await;

    assert_eq!(answer.number("/changePassword/endedSessionCount"), 1);
    assert_eq!(on_laptop.socket().until_close().await.0, 4403);
    assert_eq!(refresh(&app, &laptop.refresh_token).await.error_code(), "UNAUTHENTICATED");
    assert_eq!(me(&phone).await.text("/me/id"), phone.id);
    refresh(&app, &phone.refresh_token).await.data();
    phone.initiate_chat([&app.user("bob").await]).await;
    on_phone.next_of("RoomJoined").await;
    assert_eq!(try_to_sign_in(&app, &phone.password()).await.error_code(), "UNAUTHENTICATED");
    assert_eq!(try_to_sign_in(&app, "another horse battery").await.text("/signIn/user/id"), phone.id);
}

#[tokio::test]
async fn a_password_that_is_refused_changes_nothing() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let laptop = ann.sign_in().await;
    for (current, new, code, field) in [
        ("wrong horse battery", "another horse battery", "UNAUTHENTICATED", "currentPassword"),
        ("", "another horse battery", "UNAUTHENTICATED", "currentPassword"),
        (&*ann.password(), "short", "BAD_USER_INPUT", "newPassword"),
        (&*ann.password(), "password1", "BAD_USER_INPUT", "newPassword"),
    ] {
        let refused = change_password(&ann, current, new).await;
        assert_eq!((refused.error_code(), refused.error_field()), (code, field), "{current:?} {new:?}");
    }
    assert_eq!(me(&laptop).await.text("/me/id"), ann.id);
    try_to_sign_in(&app, &ann.password()).await.data();
}

#[tokio::test]
async fn nobody_who_signs_in_with_the_old_password_meanwhile_stays_signed_in() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let password = ann.password();

    let signing_in = join_all((0..12).map(|_| try_to_sign_in(&app, &password)));
    let (_, changed) = tokio::join!(signing_in, change_password(&ann, &password, "another horse battery"));

    changed.data();
    let left: Vec<bool> = sessions(&ann).await.iter().map(|session| session["current"] == true).collect();
    assert_eq!(left, [true]);
}

#[tokio::test]
async fn a_password_is_right_however_the_keyboard_composes_it() {
    let app = TestApp::start().await;
    let (composed, decomposed) = ("Passw\u{f6}rt\u{e9}", "Passwo\u{308}rte\u{301}");
    for (name, chosen) in [("ann", composed), ("bob", decomposed)] {
        let input = json!({ "username": name, "password": chosen, "displayName": name });
        app.anonymous(documents::SIGN_UP, json!({ "input": input })).await.data();
        for typed in [composed, decomposed, "\u{ff30}assw\u{f6}rt\u{e9}"] {
            let input = json!({ "username": name, "password": typed });
            app.anonymous(documents::SIGN_IN, json!({ "input": input })).await.data();
        }
        let input = json!({ "username": name, "password": "Passworte" });
        let refused = app.anonymous(documents::SIGN_IN, json!({ "input": input })).await;
        assert_eq!(refused.error_code(), "UNAUTHENTICATED");
    }
}

#[tokio::test]
async fn a_hash_from_before_still_works_and_is_made_anew_by_the_first_who_signs_in() {
    let app = TestApp::start().await;
    app.user("ann").await;
    let decomposed = "Passwo\u{308}rte\u{301}";
    let old = Argon2::default().hash_password(decomposed.as_bytes()).expect("hashes").to_string();
    app.execute(&format!(r#"UPDATE "user" SET password_hash = '{old}' WHERE username = 'ann'"#)).await;

    assert_eq!(try_to_sign_in(&app, "Passw\u{f6}rt\u{e9}").await.error_code(), "UNAUTHENTICATED");
    try_to_sign_in(&app, decomposed).await.data();
    for typed in ["Passw\u{f6}rt\u{e9}", decomposed] {
        try_to_sign_in(&app, typed).await.data();
    }
}

#[tokio::test]
async fn a_session_is_as_old_as_its_last_use_without_a_write_for_each_request() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let phone = ann.sign_in().await;
    let last_used = async |user: &TestUser| {
        let own = sessions(user).await.into_iter().find(|session| session["current"] == true);
        own.expect("one is current")["lastUsedAt"].as_str().expect("a time").to_owned()
    };
    let at_first = last_used(&ann).await;

    app.clock().advance(TimeDelta::minutes(3));
    me(&ann).await.data();
    app.write_uses().await;
    assert_eq!(last_used(&ann).await, at_first, "it was written a moment ago");

    app.clock().advance(TimeDelta::minutes(3));
    me(&ann).await.data();
    assert_eq!(last_used(&ann).await, at_first, "no request writes by itself");
    app.write_uses().await;
    assert!(last_used(&ann).await > at_first);

    let before = last_used(&phone).await;
    let _socket = phone.subscribe().await;
    app.clock().advance(TimeDelta::minutes(30));
    app.write_uses().await;
    let refreshed = refresh(&app, &phone.refresh_token).await;
    let phone = TestUser::from_session(app.endpoint().clone(), &refreshed["/refreshSession"]);
    let seen = sessions(&phone).await;
    assert!(seen[0]["lastUsedAt"].as_str() > Some(&before), "a socket that is open is a use: {seen:?}");
    assert_eq!(seen[1]["current"], false);
}
