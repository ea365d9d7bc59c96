//! From an HTTP request to a stream of WebSocket frames
//! ([RFC 6455, section 4.2](https://www.rfc-editor.org/rfc/rfc6455#section-4.2)).

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Version, header};
use axum::response::IntoResponse;
use base64::Engine;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use hyper::upgrade::OnUpgrade;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::http::Rejection;

/// The version of the WebSocket protocol.
const VERSION: &str = "13";

/// The length of a key before it is written in base64.
const KEY_BYTES: usize = 16;

/// Reads keys. The bits that say nothing are no matter.
const KEYS: GeneralPurpose =
    GeneralPurpose::new(&base64::alphabet::STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// The most bytes of a client's subprotocols in the log.
const MAX_SHOWN_BYTES: usize = 100;

/// A request that may become a WebSocket.
pub(in crate::http) struct Upgrade {
    accept: String,
    subprotocols: Vec<String>,
    /// The connection, once the answer was sent.
    pub(super) stream: OnUpgrade,
}

impl Upgrade {
    /// Whether a request asks for a WebSocket. Some clients offer HTTP/2 by the same header, which may be ignored.
    pub(in crate::http) fn is_asked_for(headers: &HeaderMap) -> bool {
        tokens(headers, &header::UPGRADE).any(|token| token.eq_ignore_ascii_case("websocket"))
            || headers.contains_key(header::SEC_WEBSOCKET_KEY)
    }

    /// The upgrade that this request asks for. Takes the connection out of the request.
    ///
    /// # Errors
    /// 400, with the version of the protocol, when it isn't a valid request for a WebSocket.
    pub(in crate::http) fn of(request: &mut Request) -> Result<Self, Box<Rejection>> {
        let bad = |message: &str| {
            Box::new(Rejection::bad_request(message).with_header(header::SEC_WEBSOCKET_VERSION, VERSION))
        };
        let headers = request.headers();
        let lists = |name: &HeaderName, token: &str| tokens(headers, name).any(|it| it.eq_ignore_ascii_case(token));
        if !lists(&header::UPGRADE, "websocket") {
            return Err(bad("`Upgrade` must be `websocket`"));
        }
        if !lists(&header::CONNECTION, "upgrade") {
            return Err(bad("`Connection` must name `upgrade`"));
        }
        if request.version() < Version::HTTP_11 {
            return Err(bad("a WebSocket needs HTTP/1.1"));
        }
        if single(headers, &header::SEC_WEBSOCKET_VERSION) != Some(VERSION) {
            return Err(bad("`Sec-WebSocket-Version` must be 13"));
        }
        let key = single(headers, &header::SEC_WEBSOCKET_KEY).filter(|key| is_key(key));
        let accept = key.map(|key| derive_accept_key(key.as_bytes()));
        let subprotocols = tokens(headers, &header::SEC_WEBSOCKET_PROTOCOL).map(str::to_owned).collect();
        let accept = accept.ok_or_else(|| bad("`Sec-WebSocket-Key` must be 16 bytes in base64"))?;
        let stream = request.extensions_mut().remove::<OnUpgrade>();
        let stream = stream.ok_or_else(|| bad("this connection can't become a WebSocket"))?;
        Ok(Self { accept, subprotocols, stream })
    }

    /// The subprotocols that the client speaks, the one that it likes best first.
    pub(super) fn subprotocols(&self) -> impl Iterator<Item = &str> {
        self.subprotocols.iter().map(String::as_str)
    }

    /// The same as one text, of no more than [`MAX_SHOWN_BYTES`].
    pub(super) fn offered(&self) -> String {
        let mut offered = self.subprotocols.join(", ");
        offered.truncate(offered.floor_char_boundary(MAX_SHOWN_BYTES));
        offered
    }

    /// The answer that makes the connection a WebSocket.
    pub(super) fn response(&self, subprotocol: Option<&'static str>) -> axum::response::Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        if let Ok(accept) = HeaderValue::from_str(&self.accept) {
            headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
        }
        if let Some(subprotocol) = subprotocol {
            headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(subprotocol));
        }
        response.into_response()
    }
}

fn is_key(text: &str) -> bool {
    KEYS.decode(text).is_ok_and(|key| key.len() == KEY_BYTES)
}

/// The items of a list, over all lines of the header.
fn tokens<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim)
}

/// The value of a header that must not come twice.
fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut lines = headers.get_all(name).iter();
    let line = lines.next()?.to_str().ok()?;
    lines.next().is_none().then_some(line.trim())
}
