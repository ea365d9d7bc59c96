//! What is here, for whoever opens the server's address: a page for people, JSON for programs.

use std::sync::LazyLock;

use axum::Json;
use axum::http::{HeaderMap, header};
use axum::response::{Html, IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::playground;

/// Where the documentation is.
const DOCUMENTATION: &str = env!("CARGO_PKG_REPOSITORY");

const STYLE: &str = "body{font:1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:4rem auto;padding:0 1rem}\
                     @media(prefers-color-scheme:dark){body{background:#111;color:#eee}a{color:#8cf}}";

static PAGE: LazyLock<String> = LazyLock::new(|| {
    format!(
        r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Parlor</title>
<style>{STYLE}</style>
<h1>Parlor</h1>
<p>This is a chat server. Its API is GraphQL with subscriptions.</p>
<ul>
<li><a href="/graphql">/graphql</a>: the API, and in a browser a playground for it
<li><a href="/livez">/livez</a>, <a href="/readyz">/readyz</a>: whether the server works
<li><a href="{DOCUMENTATION}">{DOCUMENTATION}</a>: the documentation
</ul>
</html>
"#
    )
});

/// Nothing but the page's own style: no scripts, no frames, nothing from elsewhere.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let style = STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
});

/// Answers `GET /`.
pub(crate) async fn show(headers: HeaderMap) -> Response {
    let vary = (header::VARY, "accept");
    if !playground::is_wanted(&headers) {
        let links = json!({ "name": "Parlor", "graphql": "/graphql", "documentation": DOCUMENTATION });
        return ([vary], Json(links)).into_response();
    }
    let headers = [vary, (header::CONTENT_SECURITY_POLICY, &**POLICY), (header::REFERRER_POLICY, "no-referrer")];
    (headers, Html(&**PAGE)).into_response()
}
