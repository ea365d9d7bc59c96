//! GraphiQL, for trying the API in a browser. A token entered under "Headers" as `Authorization` is sent with requests
//! and, in `connection_init`, with subscriptions.

use std::sync::LazyLock;

use async_graphql::http::GraphiQLSource;
use axum::http::{HeaderMap, header};
use axum::response::{Html, IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// The version of GraphiQL that is loaded.
const VERSION: &str = "4.1.2";

/// Where it is loaded from.
const SCRIPTS: &str = "https://unpkg.com";

struct Page {
    html: String,
    policy: String,
}

static PAGE: LazyLock<Page> = LazyLock::new(|| {
    let html = GraphiQLSource::build()
        .endpoint("/graphql")
        .subscription_endpoint("/graphql")
        .version(VERSION)
        .title("Parlor playground")
        .finish();
    let policy = policy(&html);
    Page { html, policy }
});

/// Whether the client would show a page: it accepts HTML.
#[must_use]
pub(crate) fn is_wanted(headers: &HeaderMap) -> bool {
    let accept = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accept.flat_map(|value| value.split(',')).any(|range| range.trim().starts_with("text/html"))
}

/// The page. It may connect to this server only, and no other page may frame it.
#[must_use]
pub(crate) fn page() -> Response {
    let headers = [
        (header::CONTENT_SECURITY_POLICY, &*PAGE.policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::VARY, "accept"),
    ];
    (headers, Html(&*PAGE.html)).into_response()
}

/// The policy allows exactly the inline scripts that are in the page. GraphiQL sets styles as it runs, so those can't
/// be listed in advance.
fn policy(html: &str) -> String {
    let own = html.split("<script>").skip(1).filter_map(|rest| rest.split("</script>").next());
    let hashes: Vec<_> = own.map(|script| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(script)))).collect();
    [
        "default-src 'none'",
        &format!("script-src {SCRIPTS} {}", hashes.join(" ")),
        &format!("style-src {SCRIPTS} 'unsafe-inline'"),
        &format!("font-src {SCRIPTS} data:"),
        "img-src https://graphql.org data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
    .join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_allows_the_scripts_of_the_page_and_no_others() {
        assert_eq!(PAGE.html.matches("<script>").count(), 1);
        assert_eq!(PAGE.policy.matches("'sha256-").count(), 1);
        assert_eq!(PAGE.html.matches("<script\n").count(), PAGE.html.matches("src=\"https://unpkg.com/").count());
    }

    #[test]
    fn only_a_browser_gets_the_page() {
        let wanted = |accept: &'static str| {
            is_wanted(&HeaderMap::from_iter([(header::ACCEPT, header::HeaderValue::from_static(accept))]))
        };
        assert!(wanted("text/html,application/xhtml+xml,*/*;q=0.8"));
        assert!(!wanted("*/*") && !wanted("application/json"));
        assert!(!is_wanted(&HeaderMap::new()));
    }
}
