//! The caller: where a request comes from, and as whom.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName, header};
use ipnet::IpNet;

use super::{AppState, Rejection};
use crate::chat::{self, Viewer};
use crate::limits::{Limits, Meter, Network, Origin};

/// The header in which proxies name the addresses that they forward for.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Where a request or socket comes from, and as whom.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    /// The caller's address.
    pub address: Address,
    /// The user who is signed in. `None` if the request carries no token, or none that is valid.
    pub viewer: Option<Viewer>,
}

/// The address of a caller: that of the connection or, if that is a trusted proxy, the one that the proxy names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// The address, as far as it is believed.
    pub ip: IpAddr,
    /// Whose limits it is charged to.
    pub origin: Origin,
    /// Why it may not be the caller's.
    pub doubt: Option<Doubt>,
}

/// What makes it likely that an address is that of a proxy, behind which all users would be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// This machine itself, which names nobody else: somebody who develops, or a proxy that names no address.
    Loopback,
    /// A private address, or one that names somebody else, and no trusted proxy.
    Undeclared,
    /// A trusted proxy that doesn't name the address that it forwards for.
    Silent,
    /// A public address that names somebody else: a proxy, or somebody who would like to be taken for one. It is
    /// limited all the same.
    Public,
}

impl Address {
    /// The address of the caller behind this connection.
    ///
    /// Each proxy appends to `X-Forwarded-For` the address that called it, so the header is read from its end, for as
    /// long as the address that appended an entry is a trusted proxy. An entry that a client has forged is never
    /// reached that way.
    #[must_use]
    pub(crate) fn of(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> Self {
        let is_trusted = |address: IpAddr| trusted.iter().any(|net| net.contains(&address));
        let peer = peer.to_canonical();
        let mut ip = peer;
        let lines = headers.get_all(FORWARDED_FOR).iter().rev();
        let mut hops = lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(','));
        // The entry that isn't believed any more, if there is one.
        let unbelieved = loop {
            let Some(hop) = hops.next() else { break None };
            match parse(hop).filter(|_| is_trusted(ip)) {
                Some(next) => ip = next,
                None => break Some(hop),
            }
        };
        let doubt = if is_trusted(ip) {
            Some(Doubt::Silent)
        } else if is_private(ip) && (unbelieved.is_some() || !ip.is_loopback() && ip == peer) {
            Some(Doubt::Undeclared)
        } else if ip.is_loopback() {
            Some(Doubt::Loopback)
        } else {
            (ip == peer && unbelieved.is_some()).then_some(Doubt::Public)
        };
        let origin = match doubt {
            None | Some(Doubt::Public) => Origin { network: Some(ip.into()), claimed: ip.into() },
            // If it is a proxy, it has added this entry itself, and it is true.
            Some(_) => Origin { network: None, claimed: Network::from(unbelieved.and_then(parse).unwrap_or(ip)) },
        };
        Self { ip, origin, doubt }
    }
}

/// Addresses from which nobody on the internet calls, but a proxy in front may: those of this machine and of private
/// networks, carriers' included.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [first, second, ..] = v4.octets();
            v4.is_loopback() || v4.is_private() || v4.is_link_local() || (first == 100 && second & 0xC0 == 64)
        }
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

/// An address, perhaps with a port.
fn parse(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim();
    let address = hop.parse().ok().or_else(|| hop.parse::<std::net::SocketAddr>().ok().map(|socket| socket.ip()));
    address.map(|address| address.to_canonical())
}

impl Caller {
    /// Charges an operation of this caller, and refuses what exceeds a limit.
    #[must_use]
    pub(crate) fn meter(&self, limits: &Arc<Limits>) -> Meter {
        Meter::refusing(limits, self.address.origin, self.viewer.map(|viewer| viewer.user.0))
    }

    /// The caller of a request with these headers from this address. There is no viewer when it carries no
    /// `Authorization`, and also when that is not of the form `Bearer …`, comes twice, or holds a token that isn't valid
    /// (any more): what needs a viewer then fails by itself, and what needs none, such as `refreshSession`, doesn't.
    ///
    /// # Errors
    /// 503 when the database can't be reached, since the token may well be valid.
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
        let viewer = match viewer {
            Ok(viewer) => Some(viewer),
            Err(chat::Error::Unauthenticated) => {
                state.metrics.refusals.with_label_values(&["unauthenticated"]).inc();
                None
            }
            Err(error) => return Err(error.into()),
        };
        Ok(Self { address, viewer })
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

    fn address(peer: &str, forwarded: &[&'static str]) -> Address {
        let trusted: Vec<IpNet> =
            ["10.0.0.0/8", "fd00::/8", "127.0.0.1/32"].map(|net| net.parse().expect("a net")).into();
        let mut map = HeaderMap::new();
        for line in forwarded {
            map.append(FORWARDED_FOR, HeaderValue::from_static(line));
        }
        Address::of(peer.parse().expect("an address"), &map, &trusted)
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
            assert_eq!(address(peer, forwarded).ip.to_string(), expected, "{peer} {forwarded:?}");
        }
    }

    #[test]
    fn an_address_that_may_be_a_proxys_is_not_limited_and_one_that_says_so_itself_is() {
        use Doubt::{Loopback, Public, Silent, Undeclared};
        for (peer, forwarded, limited, doubt) in [
            ("203.0.113.9", &[][..], Some("203.0.113.9"), None),
            ("203.0.113.9", &["198.51.100.7"], Some("203.0.113.9"), Some(Public)),
            ("2001:db8::1", &["198.51.100.7"], Some("2001:db8::1"), Some(Public)),
            ("10.1.2.3", &["198.51.100.7"], Some("198.51.100.7"), None),
            ("10.1.2.3", &["192.0.2.1, 198.51.100.7"], Some("198.51.100.7"), None),
            ("10.1.2.3", &["192.168.0.7"], Some("192.168.0.7"), None),
            ("10.1.2.3", &["198.51.100.7, 192.168.0.7"], None, Some(Undeclared)),
            ("10.1.2.3", &[], None, Some(Silent)),
            ("10.1.2.3", &["unknown"], None, Some(Silent)),
            ("192.168.0.1", &[], None, Some(Undeclared)),
            ("192.168.0.1", &["198.51.100.7"], None, Some(Undeclared)),
            ("100.64.0.1", &["198.51.100.7"], None, Some(Undeclared)),
            ("fe80::1", &["198.51.100.7"], None, Some(Undeclared)),
            ("127.0.0.2", &[], None, Some(Loopback)),
            ("::1", &[], None, Some(Loopback)),
            ("127.0.0.2", &["198.51.100.7"], None, Some(Undeclared)),
        ] {
            let address = address(peer, forwarded);
            let network = limited.map(|ip| ip.parse::<IpAddr>().expect("an address").into());
            assert_eq!((address.origin.network, address.doubt), (network, doubt), "{peer} {forwarded:?}");
        }
    }

    #[test]
    fn who_signs_in_through_an_undeclared_proxy_is_told_apart_by_what_it_names() {
        let claimed = |peer, forwarded: &[&'static str]| address(peer, forwarded).origin.claimed;
        let one = claimed("192.168.0.1", &["192.0.2.66, 198.51.100.7"]);
        assert_eq!(one, claimed("192.168.0.1", &["192.0.2.67, 198.51.100.7"]), "what the client sends is no matter");
        assert_ne!(one, claimed("192.168.0.1", &["198.51.100.8"]));
        assert_ne!(claimed("127.0.0.1", &[]), claimed("127.0.0.2", &[]));
        assert_eq!(claimed("203.0.113.9", &["192.0.2.1"]), claimed("203.0.113.9", &["192.0.2.2"]));
    }
}
