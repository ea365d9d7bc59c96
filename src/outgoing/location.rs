//! Where a request goes.

use std::net::Ipv6Addr;

use hyper::Uri;

/// The most bytes of a URL.
const MAX_BYTES: usize = 2_048;

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    pub(super) is_tls: bool,
    /// A name or an address, without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) authority: String,
    pub(super) path: String,
}

impl Location {
    /// Reads an `https` or `http` URL.
    ///
    /// # Errors
    /// What is wrong with it; the text ends a sentence.
    pub(super) fn parse(url: &str) -> Result<Self, String> {
        let problem = || "must be an `https://` URL".to_owned();
        if url.len() > MAX_BYTES {
            return Err(format!("must have at most {MAX_BYTES} bytes"));
        }
        if url.contains('#') || url.contains(|c: char| c.is_control() || c.is_whitespace()) {
            return Err(problem());
        }
        let uri: Uri = url.parse().map_err(|_| problem())?;
        let authority = uri.authority().ok_or_else(problem)?;
        if authority.as_str().contains('@') {
            return Err("must hold no user and no password".to_owned());
        }
        let in_brackets = authority.host().strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        // Nothing else stands in brackets, such as an address with a zone.
        if in_brackets.is_some_and(|host| host.parse::<Ipv6Addr>().is_err()) {
            return Err(problem());
        }
        let host = in_brackets.unwrap_or(authority.host()).to_owned();
        let is_tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(problem()),
        };
        // A port that is none is left out, rather than refused, by `Uri`.
        let names_port = authority.as_str().len() > authority.host().len();
        if host.is_empty() || (names_port && authority.port_u16().is_none()) {
            return Err(problem());
        }
        let port = authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Ok(Self { is_tls, host, port, authority: authority.to_string(), path })
    }
}
