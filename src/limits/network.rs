//! Addresses as limits see them.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// Who shares the limits of an address: an IPv4 address, or the /64 of an IPv6 address, which is what one customer has
/// ([RFC 6177, section 2](https://www.rfc-editor.org/rfc/rfc6177#section-2)). An IPv4 address within IPv6 is that
/// address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network(IpAddr);

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
            v4 @ IpAddr::V4(_) => v4,
        })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => address.fmt(f),
            IpAddr::V6(address) => write!(f, "{address}/64"),
        }
    }
}

/// Where a request comes from, as far as limits are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Whose limits per address it is charged to. `None`: it may come through a proxy that nobody declared, so that
    /// everybody would seem to be one.
    pub network: Option<Network>,
    /// What tells it from others who try to sign in to the same account. That need not be true of who lies about it.
    pub claimed: Network,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(address: &str) -> Network {
        address.parse::<IpAddr>().expect("an address").into()
    }

    #[test]
    fn ipv6_counts_by_64_bits_and_ipv4_by_all() {
        assert_eq!(network("2001:db8:1:2:aaaa::1"), network("2001:db8:1:2:bbbb:cccc::2"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_eq!(network("2001:db8:1:2:aaaa::1").to_string(), "2001:db8:1:2::/64");
    }
}
