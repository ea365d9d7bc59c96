//! Creating users.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::endpoint::Endpoint;
use super::{Answer, TestApp, TestUser, documents};

/// Every test user's password begins with this and ends with the name.
pub const PASSWORD: &str = "correct horse battery ";

impl Endpoint {
    /// The answer to signing up under this name.
    pub async fn sign_up(&self, name: &str) -> Answer {
        let input = json!({
            "username": name,
            "password": format!("{PASSWORD}{name}"),
            "displayName": format!("The {name}"),
        });
        self.graphql(None, documents::SIGN_UP, json!({ "input": input })).await
    }

    /// Signs up one user.
    pub async fn user(&self, name: &str) -> TestUser {
        TestUser::from_session(self.clone(), &self.sign_up(name).await["/signUp"])
    }

    /// A new session of a user who has signed up.
    pub async fn sign_in(&self, name: &str) -> TestUser {
        let input = json!({ "username": name, "password": format!("{PASSWORD}{name}") });
        let answer = self.graphql(None, documents::SIGN_IN, json!({ "input": input })).await;
        TestUser::from_session(self.clone(), &answer["/signIn"])
    }
}

impl TestApp {
    /// Signs up users of these names.
    pub async fn users<const N: usize>(&self, names: [&str; N]) -> [TestUser; N] {
        let users = join_all(names.map(|name| self.user(name))).await;
        users.try_into().unwrap_or_else(|_| unreachable!("as many users as names"))
    }

    /// Signs up `count` users, named `prefix` and a number from 1.
    pub async fn crowd(&self, prefix: &str, count: usize) -> Vec<TestUser> {
        join_all((1..=count).map(|n| async move { self.user(&format!("{prefix}{n}")).await })).await
    }

    /// Signs up one user.
    pub async fn user(&self, name: &str) -> TestUser {
        self.endpoint().user(name).await
    }

    /// Signs up one user with this display name.
    pub async fn user_shown_as(&self, name: &str, display_name: &str) -> TestUser {
        let input = json!({ "username": name, "password": format!("{PASSWORD}{name}"), "displayName": display_name });
        let answer = self.anonymous(documents::SIGN_UP, json!({ "input": input })).await;
        TestUser::from_session(self.endpoint().clone(), &answer["/signUp"])
    }

    /// Makes a support user by the command line, and signs in.
    pub async fn support_user(&self, name: &str) -> TestUser {
        let password = format!("{PASSWORD}{name}\n");
        let arguments = ["user", "add", name, "--type", "support", "--password-stdin"];
        let made = self.parlor_with_input(&arguments, &password).await;
        assert!(made.status.success(), "expected a support user, got {made:?}");
        self.sign_in(name).await
    }

    /// A new session of a user who has signed up.
    pub async fn sign_in(&self, name: &str) -> TestUser {
        self.endpoint().sign_in(name).await
    }

    /// The answer to signing up under this name.
    pub async fn sign_up(&self, name: &str) -> Answer {
        self.endpoint().sign_up(name).await
    }

    /// The answer to a request without a token.
    pub async fn anonymous(&self, document: &str, variables: Value) -> Answer {
        self.endpoint().graphql(None, document, variables).await
    }

    /// The answer to a request with this token.
    pub async fn with_token(&self, token: &str, document: &str, variables: Value) -> Answer {
        self.endpoint().graphql(Some(token), document, variables).await
    }
}
