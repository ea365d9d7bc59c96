//! From an HTTP request to a stream of WebSocket frames
//! ([RFC 6455, section 4.2](https://www.rfc-editor.org/rfc/rfc6455#section-4.2)).

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Version, header};
use axum::response::IntoResponse;
use hyper::upgrade::OnUpgrade;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::graphql::ErrorCode;
use crate::http::Rejection;

/// The version of the WebSocket protocol.
const VERSION: &str = "13";

/// The length of a key: 16 bytes in base64.
const KEY_BYTES: usize = 24;

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
    /// 400 when it isn't a valid request for a WebSocket; 426 when it is for another version of the protocol.
    pub(in crate::http) fn of(request: &mut Request) -> Result<Self, Box<Rejection>> {
        let bad = |message: &str| Box::new(Rejection::bad_request(message));
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
            let message = "`Sec-WebSocket-Version` must be 13";
            let rejection = Rejection::new(StatusCode::UPGRADE_REQUIRED, ErrorCode::BadUserInput, message);
            return Err(rejection.with_header(header::SEC_WEBSOCKET_VERSION, VERSION).into());
        }
        let key = single(headers, &header::SEC_WEBSOCKET_KEY).filter(|key| key.len() == KEY_BYTES);
        let accept = key.map(|key| derive_accept_key(key.as_bytes()));
        let subprotocols = tokens(headers, &header::SEC_WEBSOCKET_PROTOCOL).map(str::to_owned).collect();
        let accept = accept.ok_or_else(|| bad("`Sec-WebSocket-Key` must be 16 bytes in base64"))?;
        let stream = request.extensions_mut().remove::<OnUpgrade>();
        let stream = stream.ok_or_else(|| bad("this connection can't become a WebSocket"))?;
        Ok(Self { accept, subprotocols, stream })
    }

    /// Whether the client speaks this subprotocol.
    pub(super) fn offers(&self, subprotocol: &str) -> bool {
        self.subprotocols.iter().any(|offered| offered == subprotocol)
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
