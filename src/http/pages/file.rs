//! One file of a page, as it is sent.

use std::io::{self, Read};

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use flate2::bufread::GzDecoder;
use futures_util::stream;

use crate::http::encoding::Coding;

/// Files below it have their content's hash in their names, so that no name ever stands for another content.
const HASHED: &str = "assets/";

/// Bytes that are decompressed before other tasks of the thread may go on.
const STEP: usize = 32 * 1024;

/// A file of a page. The tables in `OUT_DIR/pages.rs` are made of it.
#[derive(Debug)]
pub(crate) struct File {
    /// Its path below the page's.
    pub(super) path: &'static str,
    /// Its media type.
    pub(super) media_type: &'static str,
    /// A hash of its content.
    pub(super) tag: &'static str,
    pub(super) content: Content,
}

/// What a file holds. What gains by it is held in the two codings that browsers accept, and not as it is: nearly nobody
/// asks for that.
#[derive(Debug)]
#[cfg_attr(not(any(has_app, has_playground)), allow(dead_code, reason = "this build has no files"))]
pub(crate) enum Content {
    Plain(&'static [u8]),
    Compressed {
        /// Its bytes when it isn't compressed.
        length: usize,
        brotli: &'static [u8],
        gzip: &'static [u8],
    },
}

impl File {
    /// The answer to `GET`: the file in the coding that the client prefers, or that it has it already. `policy`: what a
    /// browser lets it load.
    pub(super) fn answer(&self, headers: &HeaderMap, policy: &'static str) -> Response {
        let coding = match self.content {
            Content::Plain(_) => None,
            Content::Compressed { .. } => Coding::accepted(headers),
        };
        let tag = self.tag(coding);
        let is_known = has(headers, &tag);
        let mut response = if is_known { StatusCode::NOT_MODIFIED.into_response() } else { self.whole(coding) };
        let answer = response.headers_mut();
        let caching = if self.is_hashed() { "public, max-age=31536000, immutable" } else { "no-cache" };
        answer.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
        if let Ok(tag) = HeaderValue::from_str(&tag) {
            answer.insert(header::ETAG, tag);
        }
        if matches!(self.content, Content::Compressed { .. }) {
            answer.insert(header::VARY, HeaderValue::from_name(header::ACCEPT_ENCODING));
        }
        answer.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
        answer.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        response
    }

    fn is_hashed(&self) -> bool {
        self.path.starts_with(HASHED)
    }

    /// The entity tag of the file in this coding.
    fn tag(&self, coding: Option<Coding>) -> String {
        match coding {
            None => format!("\"{}\"", self.tag),
            Some(Coding::Brotli) => format!("\"{}-br\"", self.tag),
            Some(Coding::Gzip) => format!("\"{}-gzip\"", self.tag),
        }
    }

    fn whole(&self, coding: Option<Coding>) -> Response {
        let (length, body) = match (&self.content, coding) {
            (Content::Plain(bytes), _)
            | (Content::Compressed { brotli: bytes, .. }, Some(Coding::Brotli))
            | (Content::Compressed { gzip: bytes, .. }, Some(Coding::Gzip)) => {
                (bytes.len(), Body::from(Bytes::from_static(bytes)))
            }
            (Content::Compressed { length, gzip, .. }, None) => (*length, decompressed(gzip)),
        };
        let mut response = ([(header::CONTENT_TYPE, self.media_type)], body).into_response();
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        if let Some(coding) = coding {
            response.headers_mut().insert(header::CONTENT_ENCODING, coding.name());
        }
        response
    }
}

/// What was compressed, as fast as the client takes it: however slow that is, no more than a step of it is held.
fn decompressed(gzip: &'static [u8]) -> Body {
    let mut decoder = GzDecoder::new(gzip);
    Body::from_stream(stream::iter(std::iter::from_fn(move || {
        let mut step = Vec::with_capacity(STEP);
        match decoder.by_ref().take(STEP as u64).read_to_end(&mut step) {
            Ok(0) => None,
            Ok(_) => Some(Ok(Bytes::from(step))),
            Err(error) => Some(Err::<_, io::Error>(error)),
        }
    })))
}

/// Whether the client says that it has what bears this tag ([RFC 9110, section
/// 13.1.2](https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2)). A proxy that compresses makes a tag weak.
fn has(headers: &HeaderMap, tag: &str) -> bool {
    let lines = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|line| line.to_str().ok());
    let mut tags = lines.flat_map(|line| line.split(',')).map(str::trim);
    tags.any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::LazyLock;

    use axum::body::to_bytes;
    use axum::http::HeaderName;
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    const POLICY: &str = "default-src 'none'";

    /// Longer than one step.
    static TEXT: LazyLock<Vec<u8>> = LazyLock::new(|| b"words, ".repeat(20_000));

    static SCRIPT: LazyLock<File> = LazyLock::new(|| {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(&TEXT).expect("it is in memory");
        let gzip = gzip.finish().expect("it is in memory").leak();
        let content = Content::Compressed { length: TEXT.len(), brotli: b"in brotli", gzip };
        File { path: "assets/a-1.js", media_type: "text/javascript", tag: "1", content }
    });

    static ICON: File =
        File { path: "icon.png", media_type: "image/png", tag: "2", content: Content::Plain(b"an image") };

    fn answer(file: &File, headers: &[(HeaderName, &'static str)]) -> Response {
        let headers = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
        file.answer(&headers.collect(), POLICY)
    }

    fn header(response: &Response, name: &HeaderName) -> String {
        response.headers().get(name).map_or_else(String::new, |value| value.to_str().expect("ASCII").to_owned())
    }

    async fn body(response: Response) -> Vec<u8> {
        to_bytes(response.into_body(), usize::MAX).await.expect("the body is whole").into()
    }

    #[tokio::test]
    async fn a_file_is_sent_in_the_coding_that_the_client_prefers() {
        for (accepted, coding, tag) in [
            ("br, gzip", "br", "\"1-br\""),
            ("gzip, deflate", "gzip", "\"1-gzip\""),
            ("br;q=0.1, gzip", "gzip", "\"1-gzip\""),
            ("zstd", "", "\"1\""),
            ("identity, br;q=0", "", "\"1\""),
        ] {
            let response = answer(&SCRIPT, &[(header::ACCEPT_ENCODING, accepted)]);
            assert_eq!(header(&response, &header::CONTENT_ENCODING), coding, "{accepted}");
            assert_eq!(header(&response, &header::ETAG), tag, "{accepted}");
            assert_eq!(header(&response, &header::VARY), "accept-encoding", "{accepted}");
            let length = header(&response, &header::CONTENT_LENGTH);
            let body = body(response).await;
            assert_eq!(length, body.len().to_string(), "{accepted}");
            let plain = match coding {
                "br" => b"in brotli".to_vec(),
                "gzip" => {
                    let mut plain = Vec::new();
                    GzDecoder::new(&*body).read_to_end(&mut plain).expect("it is gzip");
                    plain
                }
                _ => body,
            };
            assert!(coding == "br" || plain == *TEXT, "{accepted}");
        }
    }

    #[tokio::test]
    async fn what_gains_nothing_is_sent_as_it_is_whatever_is_accepted() {
        let response = answer(&ICON, &[(header::ACCEPT_ENCODING, "br, gzip")]);
        assert_eq!(header(&response, &header::CONTENT_ENCODING), "");
        assert_eq!(header(&response, &header::VARY), "");
        assert_eq!(header(&response, &header::CONTENT_TYPE), "image/png");
        assert_eq!(body(response).await, b"an image");
    }

    #[tokio::test]
    async fn a_client_that_has_it_is_sent_nothing() {
        for (known, accepted, expected) in [
            ("\"1-br\"", "br", 304),
            ("W/\"1-br\"", "br", 304),
            ("\"0\", \"1-br\"", "br", 304),
            ("*", "br", 304),
            ("\"1\"", "", 304),
            ("\"1\"", "br", 200),
            ("\"1-br\"", "gzip", 200),
            ("1-br", "br", 200),
            ("", "br", 200),
        ] {
            let response = answer(&SCRIPT, &[(header::IF_NONE_MATCH, known), (header::ACCEPT_ENCODING, accepted)]);
            assert_eq!(response.status(), expected, "{known} {accepted}");
            assert!(!header(&response, &header::ETAG).is_empty() && !header(&response, &header::VARY).is_empty());
            assert_eq!(body(response).await.is_empty(), expected == 304, "{known} {accepted}");
        }
    }

    #[test]
    fn only_a_name_that_has_a_hash_is_kept_without_asking() {
        for (file, expected) in [(&*SCRIPT, "public, max-age=31536000, immutable"), (&ICON, "no-cache")] {
            let response = answer(file, &[]);
            assert_eq!(header(&response, &header::CACHE_CONTROL), expected);
            assert_eq!(header(&response, &header::CONTENT_SECURITY_POLICY), POLICY);
            assert_eq!(header(&response, &header::REFERRER_POLICY), "no-referrer");
        }
    }
}
