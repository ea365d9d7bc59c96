//! Websites, as browsers tell them apart: by scheme, host and port.

use std::net::Ipv6Addr;

use axum::http::uri::Authority;

/// A website ([RFC 6454, section 4](https://www.rfc-editor.org/rfc/rfc6454#section-4)). Two texts are the same website
/// whatever their case, and whether or not they name the port that the scheme has anyway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Website {
    scheme: String,
    host: String,
    port: Option<u16>,
}

/// Websites whose scripts may call the API.
#[derive(Clone, Debug, Default)]
pub struct AllowedWebsites {
    any: bool,
    listed: Vec<Website>,
}

impl Website {
    /// Reads what a browser sends in `Origin`, or an operator writes: a scheme, a host, perhaps a port, and perhaps a
    /// slash. `None`: it is no website.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
        let scheme = is_scheme.then(|| scheme.to_ascii_lowercase())?;
        let (host, port) = host_and_port(rest.strip_suffix('/').unwrap_or(rest))?;
        let port = port.or_else(|| default_port(&scheme));
        Some(Self { scheme, host, port })
    }

    /// Whether a request with this `Host` went to this website.
    #[must_use]
    pub fn is_at(&self, host: &str) -> bool {
        host_and_port(host)
            .is_some_and(|(host, port)| host == self.host && port.or_else(|| default_port(&self.scheme)) == self.port)
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

fn host_and_port(text: &str) -> Option<(String, Option<u16>)> {
    if text.contains('@') {
        return None;
    }
    let authority: Authority = text.parse().ok()?;
    let host = authority.host().to_ascii_lowercase();
    let in_brackets = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host = match in_brackets {
        Some(address) => address.parse::<Ipv6Addr>().ok()?.to_string(),
        None => host,
    };
    let port = match text.rsplit_once(':').map(|(_, port)| port) {
        Some("") => None,
        Some(port) if !port.ends_with(']') => Some(port.parse().ok()?),
        _ => None,
    };
    (!host.is_empty()).then_some((host, port))
}

impl AllowedWebsites {
    /// Those that an operator has listed; `*` is any.
    #[must_use]
    pub fn new(listed: &[String]) -> Self {
        let any = listed.iter().any(|website| website == "*");
        Self { any, listed: listed.iter().filter_map(|website| Website::parse(website)).collect() }
    }

    /// Whether every website is allowed.
    #[must_use]
    pub fn are_any(&self) -> bool {
        self.any
    }

    /// Whether no website is allowed but the server's own.
    #[must_use]
    pub fn are_none(&self) -> bool {
        !self.any && self.listed.is_empty()
    }

    /// Whether the website is allowed that a browser names so in `Origin`.
    #[must_use]
    pub fn include(&self, origin: &str) -> bool {
        self.any || Website::parse(origin).is_some_and(|website| self.listed.contains(&website))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_website_is_the_same_however_it_is_written() {
        for (one, other) in [
            ("https://chat.example", "https://chat.example:443"),
            ("https://chat.example", "https://chat.example/"),
            ("https://chat.example", "HTTPS://Chat.Example"),
            ("http://chat.example:80/", "http://chat.example"),
            ("http://[::1]:4000", "http://[0:0:0:0:0:0:0:1]:4000"),
            ("https://chat.example", "https://chat.example:"),
        ] {
            assert_eq!(Website::parse(one), Website::parse(other), "{one} {other}");
            assert!(Website::parse(one).is_some(), "{one}");
        }
        for (one, other) in [
            ("https://chat.example", "http://chat.example"),
            ("https://chat.example", "https://chat.example:80"),
            ("https://chat.example", "https://chat.example.evil.example"),
            ("https://chat.example", "https://evil.example"),
            ("https://chat.example:4000", "https://chat.example"),
            ("https://example", "https://chat.example"),
            ("capacitor://localhost", "http://localhost"),
        ] {
            assert_ne!(Website::parse(one), Website::parse(other), "{one} {other}");
        }
    }

    #[test]
    fn what_is_no_website_is_none() {
        for text in [
            "",
            "null",
            "*",
            "chat.example",
            "://chat.example",
            "https://",
            "https:///",
            "https://:443",
            "https://chat.example/path",
            "https://chat.example//",
            "https://ann@chat.example",
            "https://chat.example:99999",
            "https://chat.example:x",
            "https://chat example",
            "https://[::1",
            "ht tp://chat.example",
        ] {
            assert_eq!(Website::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_host_is_compared_with_the_port_that_the_scheme_has() {
        for (origin, host, expected) in [
            ("https://chat.example", "chat.example", true),
            ("https://chat.example", "chat.example:443", true),
            ("https://chat.example:443", "Chat.Example", true),
            ("http://127.0.0.1:4000", "127.0.0.1:4000", true),
            ("http://[::1]:4000", "[::1]:4000", true),
            ("http://chat.example", "chat.example:80", true),
            ("http://chat.example", "chat.example:443", false),
            ("https://chat.example", "chat.example:4000", false),
            ("https://evil.example", "chat.example", false),
            ("https://chat.example.evil.example", "chat.example", false),
            ("https://chat.example", "", false),
            ("https://chat.example", "chat.example/", false),
        ] {
            assert_eq!(Website::parse(origin).is_some_and(|website| website.is_at(host)), expected, "{origin} {host}");
        }
    }

    #[test]
    fn only_what_is_listed_is_allowed() {
        let allowed = |listed: &[&str], origin: &str| {
            AllowedWebsites::new(&listed.iter().map(|&text| text.to_owned()).collect::<Vec<_>>()).include(origin)
        };
        assert!(allowed(&["https://a.example", "https://b.example:443/"], "https://b.example"));
        assert!(!allowed(&["https://a.example"], "https://b.example"));
        assert!(!allowed(&[], "https://a.example") && !allowed(&["https://a.example"], "null"));
        assert!(allowed(&["*"], "https://a.example") && allowed(&["*"], "null"));
    }
}
