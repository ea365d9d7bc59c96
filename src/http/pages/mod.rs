//! What browsers are shown: the sample app, the playground, and what is here. `build/` makes the files of the first two,
//! if the machine on which Parlor is built has Node.js.
//!
//! | File | Holds |
//! |---|---|
//! | [`file`](mod@file) | one file: its content codings, and what caches may do with it |
//! | [`home`] | `/`: the sample app, or what is here |
//! | [`playground`] | `/graphql` in a browser: GraphiQL |
//! | [`plain`] | a page in words alone |

use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};

use super::caller::Address;
use super::{AppState, Rejection, graphql};
use file::File;

mod file;
pub(super) mod home;
mod plain;
pub(super) mod playground;

/// A page with what it loads; or why this build is without it.
type Part = Result<&'static [File], &'static str>;

/// The parts of this build.
#[allow(unused_imports, clippy::unreadable_literal, reason = "it is generated, and may hold nothing")]
mod built {
    use super::Part;
    use super::file::{Content, File};

    include!(concat!(env!("OUT_DIR"), "/pages.rs"));
}

/// The file of a part that is the page itself.
const PAGE: &str = "index.html";

/// How a part comes into a build.
const REMEDY: &str = "It takes <a href=\"https://nodejs.org/\">Node.js</a> 20.19 or later, npm and its registry: with \
                      them, run <code>cargo clean --package parlor</code> and build Parlor again.";

/// Which pages are switched on.
#[derive(Clone, Copy, Debug)]
pub struct Pages {
    /// GraphiQL, at `/graphql`.
    pub playground: bool,
    /// The sample app, at `/`.
    pub sample_app: bool,
}

/// Whether a page is there.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shown {
    /// It is, with these files.
    Here(&'static [File]),
    /// It is switched off.
    Off,
    /// It is switched on, but not in this build, for this reason.
    Missing(&'static str),
}

impl Shown {
    fn of(part: Part, is_on: bool) -> Self {
        match part {
            _ if !is_on => Self::Off,
            Ok(files) => Self::Here(files),
            Err(reason) => Self::Missing(reason),
        }
    }
}

impl Pages {
    /// The sample app.
    pub(crate) fn sample_app(self) -> Shown {
        Shown::of(built::APP, self.sample_app)
    }

    /// The playground.
    pub(crate) fn playground(self) -> Shown {
        Shown::of(built::PLAYGROUND, self.playground)
    }

    /// A route for each file that the pages load, so that there is no path but those of files.
    pub(super) fn routes(self) -> impl Iterator<Item = (String, MethodRouter<AppState>)> {
        let parts =
            [(home::BASE, home::POLICY, self.sample_app()), (playground::BASE, playground::POLICY, self.playground())];
        parts.into_iter().flat_map(|(base, policy, shown)| {
            let files = if let Shown::Here(files) = shown { files } else { &[] };
            files.iter().filter(|file| file.path != PAGE).map(move |file| {
                let serve = move |state: State<AppState>, address: Extension<Address>, headers: HeaderMap| async move {
                    match graphql::charge_request(&state, *address) {
                        Ok(()) => file.answer(&headers, policy),
                        Err(exceeded) => Rejection::from(exceeded).into_response(),
                    }
                };
                (format!("{base}{}", file.path), get(serve))
            })
        })
    }
}

/// Whether the client would show a page: it accepts HTML.
#[must_use]
pub(super) fn are_wanted(headers: &HeaderMap) -> bool {
    let accept = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accept.flat_map(|value| value.split(',')).any(|range| range.trim().starts_with("text/html"))
}

/// The page of a part. What else is at the same address depends on what is accepted.
fn page(files: &'static [File], headers: &HeaderMap, policy: &'static str) -> Response {
    let Some(page) = files.iter().find(|file| file.path == PAGE) else { return Rejection::internal().into_response() };
    let mut response = page.answer(headers, policy);
    response.headers_mut().append(header::VARY, HeaderValue::from_name(header::ACCEPT));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_browser_gets_a_page() {
        let wanted = |accept: &'static str| {
            are_wanted(&HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]))
        };
        assert!(wanted("text/html,application/xhtml+xml,*/*;q=0.8"));
        assert!(!wanted("*/*") && !wanted("application/json"));
        assert!(!are_wanted(&HeaderMap::new()));
    }

    #[test]
    fn every_part_of_this_build_has_its_page_and_no_file_twice() {
        for files in [built::APP, built::PLAYGROUND].into_iter().flatten() {
            let mut paths: Vec<_> = files.iter().map(|file| file.path).collect();
            assert!(paths.contains(&PAGE), "{paths:?}");
            paths.sort_unstable();
            paths.dedup();
            assert_eq!(paths.len(), files.len());
        }
        assert_eq!((built::APP.is_ok(), built::PLAYGROUND.is_ok()), (cfg!(has_app), cfg!(has_playground)));
    }
}
