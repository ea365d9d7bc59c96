//! `/`: the sample app, or what is here, for whoever opens the server's address; JSON for programs.

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::{AppState, Pages, REMEDY, Shown, are_wanted, page, plain};
use crate::http::caller::Address;
use crate::http::{Rejection, graphql};

/// Where what the sample app loads is.
pub(super) const BASE: &str = "/";

/// The sample app may load from this server alone, and talk to it alone.
pub(super) const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; worker-src 'self'; font-src \
                                 'self'; img-src 'self' data:; manifest-src 'self'; connect-src 'self'; base-uri \
                                 'none'; form-action 'none'; frame-ancestors 'none'";

/// Where the documentation is.
const DOCUMENTATION: &str = env!("CARGO_PKG_REPOSITORY");

const OFF: &str = "Start the server with <code>PARLOR_SAMPLE_APP=on</code> to have a chat in the browser here.";

/// Answers `GET /`.
pub(in crate::http) async fn show(
    State(state): State<AppState>,
    Extension(address): Extension<Address>,
    headers: HeaderMap,
) -> Response {
    if let Err(exceeded) = graphql::charge_request(&state, address) {
        return Rejection::from(exceeded).into_response();
    }
    if !are_wanted(&headers) {
        let links = json!({ "name": "Parlor", "graphql": "/graphql", "documentation": DOCUMENTATION });
        return ([(header::VARY, "accept")], Json(links)).into_response();
    }
    match state.pages.sample_app() {
        Shown::Here(files) => page(files, &headers, POLICY),
        Shown::Off => plain::page("Parlor", &contents(OFF, state.pages)),
        Shown::Missing(reason) => plain::page("Parlor", &contents(&missing(reason), state.pages)),
    }
}

fn missing(reason: &str) -> String {
    format!("A chat in the browser would be here, but is not in this build: {}. {REMEDY}", plain::html(reason))
}

/// What is here, without the sample app. `chat`: how to get that.
fn contents(chat: &str, pages: Pages) -> String {
    let playground = match pages.playground() {
        Shown::Here(_) => ", and in a browser a playground for it",
        Shown::Off => "; with <code>PARLOR_PLAYGROUND=on</code>, in a browser a playground for it",
        Shown::Missing(_) => ", and in a browser how to get a playground for it",
    };
    format!(
        r#"<p>This is a chat server. Its API is GraphQL with subscriptions.</p>
<p>{chat}</p>
<ul>
<li><a href="/graphql">/graphql</a>: the API{playground}
<li><a href="/livez">/livez</a>, <a href="/readyz">/readyz</a>: whether the server works
<li><a href="{DOCUMENTATION}">{DOCUMENTATION}</a>: the documentation
</ul>"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_here_is_named_with_how_to_get_it() {
        let contents = |playground| contents(&missing("`npm` is no <npm>"), Pages { playground, sample_app: true });
        assert!(contents(false).contains("PARLOR_PLAYGROUND=on"));
        assert!(!contents(true).contains("PARLOR_PLAYGROUND"));
        assert!(contents(true).contains("<code>npm</code> is no &lt;npm&gt;. It takes <a"), "{}", contents(true));
    }
}
