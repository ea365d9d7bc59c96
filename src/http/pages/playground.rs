//! GraphiQL, for trying the API in a browser. A token entered under "Headers" as `Authorization` is sent with requests
//! and, in `connection_init`, with subscriptions.

use axum::http::HeaderMap;
use axum::response::Response;

use super::{Pages, REMEDY, Shown, page, plain};

/// Where what it loads is. The page itself is at the address of the API.
pub(super) const BASE: &str = "/playground/";

/// It may load from this server alone, and talk to it alone. Monaco, its editor, writes styles as it runs.
pub(super) const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; worker-src \
                                 'self'; font-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; \
                                 form-action 'none'; frame-ancestors 'none'";

impl Pages {
    /// The playground, or how to get it. `None`: it is switched off.
    pub(in crate::http) fn show_playground(self, headers: &HeaderMap) -> Option<Response> {
        match self.playground() {
            Shown::Here(files) => Some(page(files, headers, POLICY)),
            Shown::Missing(reason) => Some(missing(reason)),
            Shown::Off => None,
        }
    }
}

fn missing(reason: &str) -> Response {
    let reason = plain::html(reason);
    let html = format!(
        "<p>GraphiQL, for trying the API in a browser, is not in this build: {reason}. {REMEDY}</p>\n<p>The API is here \
         all the same, for programs. <a href=\"/\">What else is here</a></p>"
    );
    plain::page("Parlor playground", &html)
}
