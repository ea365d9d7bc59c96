//! Refreshing: once in the usual case, again for a minute if the answer was lost, and never again after that.

use chrono::TimeDelta;
use futures_util::future::join_all;

use super::{me, refresh};
use crate::support::{TestApp, TestUser};

/// The refresh token that is answered to this one.
async fn next(app: &TestApp, token: &str) -> String {
    refresh(app, token).await.text("/refreshSession/refreshToken").to_owned()
}

async fn is_refused(app: &TestApp, token: &str) {
    assert_eq!(refresh(app, token).await.error_code(), "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_refresh_token_is_exchanged_for_the_next_pair() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;

    let answer = refresh(&app, &ann.refresh_token).await;
    let ann = TestUser::from_session(app.endpoint().clone(), &answer["/refreshSession"]);

    assert_eq!(me(&ann).await.text("/me/id"), ann.id);
    refresh(&app, &ann.refresh_token).await.data();
}

#[tokio::test]
async fn a_lost_answer_is_given_again_for_a_minute() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let lost = refresh(&app, &ann.refresh_token).await;
    app.clock().advance(TimeDelta::seconds(55));

    let again = refresh(&app, &ann.refresh_token).await;

    let payload = "/refreshSession";
    for same in ["/refreshToken", "/user/id"] {
        assert_eq!(again[&format!("{payload}{same}")], lost[&format!("{payload}{same}")], "{same}");
    }
    let [first, second] =
        [&lost, &again].map(|answer| TestUser::from_session(app.endpoint().clone(), &answer[payload]));
    assert_ne!(first.access_token, second.access_token, "a new one, which is valid for its full time");
    app.clock().advance(TimeDelta::minutes(9));
    assert_eq!(me(&second).await.text("/me/id"), ann.id);
    next(&app, &second.refresh_token).await;
}

#[tokio::test]
async fn a_refresh_token_that_was_replaced_more_than_a_minute_ago_ends_the_session() {
    let app = TestApp::start().await;
    let phone = app.user("ann").await;
    let laptop = phone.sign_in().await;
    let mut feed = phone.subscribe().await;
    let answer = refresh(&app, &phone.refresh_token).await;
    let newest = TestUser::from_session(app.endpoint().clone(), &answer["/refreshSession"]);
    app.clock().advance(TimeDelta::seconds(61));

    is_refused(&app, &phone.refresh_token).await;

    is_refused(&app, &newest.refresh_token).await;
    assert_eq!(me(&newest).await.error_code(), "UNAUTHENTICATED");
    assert_eq!(feed.socket().until_close().await.0, 4403);
    assert_eq!(me(&laptop).await.text("/me/id"), laptop.id, "the other session goes on");
}

#[tokio::test]
async fn asking_again_does_not_prolong_the_minute() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let newest = next(&app, &ann.refresh_token).await;
    for _ in 0..2 {
        app.clock().advance(TimeDelta::seconds(27));
        assert_eq!(next(&app, &ann.refresh_token).await, newest);
    }
    app.clock().advance(TimeDelta::seconds(7));
    is_refused(&app, &ann.refresh_token).await;
}

#[tokio::test]
async fn a_refresh_token_before_the_last_ends_the_session_however_young_it_is() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let second = next(&app, &ann.refresh_token).await;
    let third = next(&app, &second).await;

    is_refused(&app, &ann.refresh_token).await;

    for newer in [second, third] {
        is_refused(&app, &newer).await;
    }
}

#[tokio::test]
async fn tabs_that_refresh_together_go_on_with_the_same_token() {
    let app = TestApp::start().await;
    let mut token = app.user("ann").await.refresh_token;
    for _ in 0..5 {
        let answers = join_all((0..8).map(|_| next(&app, &token))).await;
        assert!(answers.iter().all(|answer| *answer == answers[0] && *answer != token), "{answers:?}");
        token.clone_from(&answers[0]);
    }
}

#[tokio::test]
async fn a_thief_shows_at_the_next_exchange() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let own = next(&app, &ann.refresh_token).await;
    let stolen = next(&app, &ann.refresh_token).await;
    assert_eq!(own, stolen, "the thief has the token that was replaced, and is given the same");

    // Whichever of the two is first.
    app.clock().advance(TimeDelta::minutes(9));
    let newest = next(&app, &own).await;
    app.clock().advance(TimeDelta::seconds(61));
    is_refused(&app, &stolen).await;

    is_refused(&app, &newest).await;
    assert_eq!(me(&ann).await.error_code(), "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_new_token_secret_ends_no_session() {
    let mut app = TestApp::start().await;
    let ann = app.user("ann").await;
    let newest = next(&app, &ann.refresh_token).await;
    app.stop().await;
    app.configure(|config| config.token_secret = Some("another secret of at least 32 bytes".to_owned()));
    app.resume().await;

    // What was answered under the other secret can't be derived any more.
    is_refused(&app, &ann.refresh_token).await;

    let after = next(&app, &newest).await;
    assert_eq!(next(&app, &newest).await, after);
}

#[tokio::test]
async fn sessions_from_before_the_upgrade_go_on() {
    let mut app = TestApp::start().await;
    let ann = app.user("ann").await;
    app.stop().await;
    for undone in [
        "ALTER TABLE session DROP COLUMN previous_hash",
        "ALTER TABLE session DROP COLUMN replaced_at",
        "DELETE FROM seaql_migrations WHERE version = 'm0005_replaced_tokens'",
    ] {
        app.execute(undone).await;
    }
    app.resume().await;

    let second = next(&app, &ann.refresh_token).await;
    assert_eq!(next(&app, &ann.refresh_token).await, second);
}
