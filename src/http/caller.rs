//! The caller: where a request comes from, and as whom.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName, header};
use ipnet::IpNet;

use super::{AppState, Rejection};
use crate::chat::{self, Viewer};

/// The header in which proxies name the addresses that they forward for.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Where a request or socket comes from, and as whom.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    /// The caller's address.
    pub address: Address,
    /// The user who is signed in. `None` if the request carries no token.
    pub viewer: Option<Viewer>,
}

/// The address of a caller: that of the connection or, if that is a trusted proxy, the one that the proxy names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Address(pub IpAddr);

impl Address {
    /// The address of the caller behind this connection.
    ///
    /// Each proxy appends to `X-Forwarded-For` the address that called it, so the header is read from its end, for as
    /// long as the address that appended an entry is a trusted proxy. An entry that a client has forged is never
    /// reached that way.
    #[must_use]
    pub(crate) fn of(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> Self {
        let is_trusted = |address: IpAddr| trusted.iter().any(|net| net.contains(&address));
        let mut address = peer.to_canonical();
        let lines = headers.get_all(FORWARDED_FOR).iter().rev();
        let hops = lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(','));
        for hop in hops {
            let Some(next) = parse(hop).filter(|_| is_trusted(address)) else { break };
            address = next;
        }
        Self(address)
    }
}

/// An address, perhaps with a port.
fn parse(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim();
    let address = hop.parse().ok().or_else(|| hop.parse::<std::net::SocketAddr>().ok().map(|socket| socket.ip()));
    address.map(|address| address.to_canonical())
}

impl Caller {
    /// The caller of a request with these headers from this address, without a viewer when it carries no
    /// `Authorization`.
    ///
    /// # Errors
    /// 401 when that is not of the form `Bearer …`, or its token isn't valid (any more): a request that claims a user
    /// is not served as an anonymous one. 503 when the database can't be reached.
    pub(crate) async fn of(state: &AppState, address: Address, headers: &HeaderMap) -> Result<Self, Rejection> {
        let mut given = headers.get_all(header::AUTHORIZATION).iter();
        let viewer = match (given.next(), given.next()) {
            (None, _) => return Ok(Self { address, viewer: None }),
            (Some(value), None) => match value.to_str().ok().and_then(bearer) {
                Some(token) => state.chat.authenticate(token).await,
                None => Err(chat::Error::Unauthenticated),
            },
            (Some(_), Some(_)) => Err(chat::Error::Unauthenticated),
        };
        if let Err(chat::Error::Unauthenticated) = viewer {
            state.metrics.refusals.with_label_values(&["unauthenticated"]).inc();
        }
        Ok(Self { address, viewer: Some(viewer?) })
    }
}

/// The token in `Bearer <token>`; the scheme is matched without regard to case
/// ([RFC 9110, section 11.1](https://www.rfc-editor.org/rfc/rfc9110#section-11.1)).
#[must_use]
pub(crate) fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.trim().split_once(' ')?;
    let token = token.trim_start();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && !token.contains(char::is_whitespace))
        .then_some(token)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_one_token_of_the_bearer_scheme_is_taken() {
        for authorization in ["Bearer abc", "bearer abc", "BEARER  abc "] {
            assert_eq!(bearer(authorization), Some("abc"), "{authorization}");
        }
        for authorization in ["", "abc", "Bearer", "Bearer ", "Basic abc", "Bearer a b", "Bearerabc"] {
            assert_eq!(bearer(authorization), None, "{authorization}");
        }
    }

    fn address(peer: &str, forwarded: &[&'static str]) -> String {
        let trusted: Vec<IpNet> =
            ["10.0.0.0/8", "fd00::/8", "127.0.0.1/32"].map(|net| net.parse().expect("a net")).into();
        let mut map = HeaderMap::new();
        for line in forwarded {
            map.append(FORWARDED_FOR, HeaderValue::from_static(line));
        }
        Address::of(peer.parse().expect("an address"), &map, &trusted).0.to_string()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed_and_only_about_who_called_it() {
        for (peer, forwarded, expected) in [
            ("203.0.113.9", &["198.51.100.7"][..], "203.0.113.9"),
            ("10.1.2.3", &["198.51.100.7"], "198.51.100.7"),
            ("10.1.2.3", &["192.0.2.1, 198.51.100.7"], "198.51.100.7"),
            ("10.1.2.3", &["192.0.2.1, 198.51.100.7, 10.9.9.9"], "198.51.100.7"),
            ("10.1.2.3", &["192.0.2.1", "198.51.100.7"], "198.51.100.7"),
            ("10.1.2.3", &["10.9.9.9"], "10.9.9.9"),
            ("10.1.2.3", &[], "10.1.2.3"),
            ("10.1.2.3", &["nonsense"], "10.1.2.3"),
            ("10.1.2.3", &["192.0.2.1, nonsense, 10.9.9.9"], "10.9.9.9"),
            ("10.1.2.3", &["198.51.100.7:4711"], "198.51.100.7"),
            ("fd00::1", &["[2001:db8::7]:4711"], "2001:db8::7"),
            ("::ffff:10.1.2.3", &["::ffff:198.51.100.7"], "198.51.100.7"),
        ] {
            assert_eq!(address(peer, forwarded), expected, "{peer} {forwarded:?}");
        }
    }
}
