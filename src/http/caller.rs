//! The caller: where a request comes from, and as whom.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName, header};
use ipnet::IpNet;
use uuid::Uuid;

use super::{AppState, Rejection};
use crate::chat::{self, Reason, ServerKey, Viewer, key};
use crate::limits::{Limits, Meter, Network, Origin, PerNetwork};

/// The header in which proxies name the addresses that they forward for.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The header in which a server key names the user for whom it acts: `user_…` or `ext:…`.
const ACTING_FOR: HeaderName = HeaderName::from_static("parlor-user");

/// Where a request or socket comes from, and as whom.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    /// The caller's address.
    pub address: Address,
    /// The user who is signed in. `None` if the request carries no token, or none that is valid.
    pub viewer: Option<Viewer>,
    /// The server key with which the app's own backend calls, by itself or for the viewer.
    pub key: Option<ServerKey>,
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
        match self.key {
            // The request was charged to the key, and an app's backend does what many users ask of it.
            Some(_) => Meter::refusing(limits, Origin { network: None, ..self.address.origin }, None),
            None => Meter::refusing(limits, self.address.origin, self.viewer.map(|viewer| viewer.user.0)),
        }
    }

    /// Whose turns and waiting answers are counted together: those of the user or, for a key by itself, of the key.
    /// `None`: of all who aren't known.
    #[must_use]
    pub(crate) fn whose(&self) -> Option<Uuid> {
        self.viewer.map(|viewer| viewer.user.0).or(self.key.map(|key| key.id.0))
    }

    /// The caller of a request with these headers from this address. There is no viewer when it carries no
    /// `Authorization`, and also when that is not of the form `Bearer …`, comes twice, or holds a token that isn't valid
    /// (any more): what needs a viewer then fails by itself, and what needs none, such as `refreshSession`, doesn't.
    ///
    /// With a server key in place of a token there is a viewer if the request names one in `parlor-user`.
    ///
    /// # Errors
    /// 503 when the database can't be reached, since the token may well be valid. For a server key: 400 and 403 when it
    /// can't act for the user whom the request names, 429 over its limit. 403 when anybody else wants to act for a user.
    pub(crate) async fn of(state: &AppState, address: Address, headers: &HeaderMap) -> Result<Self, Rejection> {
        let nobody = Self { address, viewer: None, key: None };
        let mut given = headers.get_all(header::AUTHORIZATION).iter();
        let token = match (given.next(), given.next()) {
            (None, _) => return Ok(nobody),
            (Some(value), None) => value.to_str().ok().and_then(bearer),
            (Some(_), Some(_)) => None,
        };
        let caller = match token {
            None => Err(chat::Error::Unauthenticated),
            Some(text) if key::is_key(text) => {
                state.chat.authenticate_key(text).await.map(|key| Self { key: Some(key), ..nobody })
            }
            Some(token) => state.chat.authenticate(token).await.map(|viewer| Self { viewer: Some(viewer), ..nobody }),
        };
        match caller {
            Ok(Self { key: Some(key), .. }) => Self::with_key(state, address, key, headers).await,
            Ok(_) if headers.contains_key(ACTING_FOR) => {
                Err(Rejection::refused(chat::Error::Refused(Reason::ServerKeyNeeded)))
            }
            Ok(caller) => Ok(caller),
            Err(chat::Error::Unauthenticated) => {
                state.metrics.refusals.with_label_values(&["unauthenticated"]).inc();
                Ok(nobody)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The app's own backend, which is limited by its key in place of its address.
    async fn with_key(
        state: &AppState,
        address: Address,
        key: ServerKey,
        headers: &HeaderMap,
    ) -> Result<Self, Rejection> {
        state.limits.give_back_network(address.origin, PerNetwork::Requests);
        state.limits.charge_key(key.id.0)?;
        let mut named = headers.get_all(ACTING_FOR).iter();
        let viewer = match (named.next(), named.next()) {
            (None, _) => None,
            (Some(user), None) => {
                let user = user.to_str().unwrap_or_default().parse();
                let user = user.map_err(|invalid| Rejection::bad_request(format!("`{ACTING_FOR}`: {invalid}")))?;
                Some(state.chat.acting_for(&key, &user).await.map_err(Rejection::refused)?)
            }
            (Some(_), Some(_)) => return Err(Rejection::bad_request(format!("`{ACTING_FOR}` must name one user"))),
        };
        Ok(Self { address, viewer, key: Some(key) })
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
