//! A page in words alone.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

const STYLE: &str = "body{font:1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:4rem auto;padding:0 1rem}\
                     @media(prefers-color-scheme:dark){body{background:#111;color:#eee}a{color:#8cf}}";

/// Nothing but the page's own style: no scripts, no frames, nothing from elsewhere.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let style = STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
});

/// A page with this title and this HTML.
pub(super) fn page(title: &str, html: &str) -> Response {
    let page = format!(
        r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>{STYLE}</style>
<h1>{title}</h1>
{html}
</html>
"#
    );
    let headers = [
        (header::VARY, "accept"),
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, &**POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (headers, Html(page)).into_response()
}

/// A text, with code between backticks, as HTML.
pub(super) fn html(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let is_code = |n: usize| n % 2 == 1;
    let parts = text.split('`').enumerate();
    parts.map(|(n, part)| if is_code(n) { format!("<code>{part}</code>") } else { part.to_owned() }).collect()
}
