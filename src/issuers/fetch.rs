//! The requests by which an issuer's keys are fetched: a connection each, over TLS, without redirects, within bounds.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::header::{ACCEPT, CACHE_CONTROL, CONNECTION, HOST, HeaderMap, USER_AGENT};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::keys::KeySet;

#[cfg(test)]
mod tests;

/// How long a fetch may take, from looking up the first address to the last byte.
const DEADLINE: Duration = Duration::from_secs(5);

/// The most bytes of an answer.
const MAX_BYTES: usize = 64 * 1024;

/// How long keys are kept if the issuer doesn't say.
const LIFETIME: TimeDelta = TimeDelta::minutes(10);

/// How long they are kept at least, and at most, whatever the issuer says.
const LIFETIMES: (TimeDelta, TimeDelta) = (TimeDelta::minutes(5), TimeDelta::hours(24));

/// The path of what an identity provider says about itself
/// ([OpenID Connect Discovery 1.0, section 4](https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig)).
const WELL_KNOWN: &str = "/.well-known/openid-configuration";

/// Where an issuer's keys are.
pub(super) enum Source {
    /// At this URL.
    KeySet(String),
    /// Where the issuer, which is a URL, says.
    Discovery {
        /// Its `iss`.
        issuer: String,
    },
}

/// Keys, and how long they may be kept.
pub(super) struct Fetched {
    pub keys: KeySet,
    pub lifetime: TimeDelta,
}

/// The keys could not be fetched; the text says what was asked and what came.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct FetchError(pub String);

/// Fetches an issuer's keys once.
pub(super) type Fetch = Arc<dyn Fn() -> BoxFuture<'static, Result<Fetched, FetchError>> + Send + Sync>;

/// What fetches the keys from there. The error says why TLS can't be set up.
pub(super) fn from(source: Source) -> Result<Fetch, String> {
    let tls = TlsConnector::from(Arc::new(crate::outgoing::tls::config()?));
    let source = Arc::new(source);
    Ok(Arc::new(move || fetch(source.clone(), tls.clone()).boxed()))
}

async fn fetch(source: Arc<Source>, tls: TlsConnector) -> Result<Fetched, FetchError> {
    let (Source::KeySet(begins) | Source::Discovery { issuer: begins }) = &*source;
    tokio::time::timeout(DEADLINE, fetch_from(&source, &tls))
        .await
        .unwrap_or_else(|_| Err(FetchError(format!("{begins}: no answer within {} s", DEADLINE.as_secs()))))
}

async fn fetch_from(source: &Source, tls: &TlsConnector) -> Result<Fetched, FetchError> {
    let url = match source {
        Source::KeySet(url) => url.clone(),
        Source::Discovery { issuer } => discover(issuer, tls).await?,
    };
    let answer = get(&url, tls).await?;
    let keys = KeySet::parse(&answer.body).map_err(|problem| FetchError(format!("{url} {problem}")))?;
    Ok(Fetched { keys, lifetime: answer.lifetime })
}

/// Where the issuer says that its keys are.
async fn discover(issuer: &str, tls: &TlsConnector) -> Result<String, FetchError> {
    #[derive(Deserialize)]
    struct Provider {
        issuer: String,
        jwks_uri: String,
    }
    let url = format!("{}{WELL_KNOWN}", issuer.trim_end_matches('/'));
    let body = get(&url, tls).await?.body;
    let provider: Provider =
        serde_json::from_slice(&body).map_err(|_| FetchError(format!("{url} names no `issuer` and `jwks_uri`")))?;
    if provider.issuer == issuer {
        Ok(provider.jwks_uri)
    } else {
        Err(FetchError(format!("{url} is of another issuer, `{}`", provider.issuer)))
    }
}

/// Where a request goes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Location {
    is_tls: bool,
    host: String,
    port: u16,
    authority: String,
    path: String,
}

impl Location {
    /// Reads an `https` URL, or an `http` one of this machine. The error ends a sentence.
    pub(super) fn parse(url: &str) -> Result<Self, &'static str> {
        const PROBLEM: &str = "must be an `https://` URL, or an `http://` one of this machine";
        let uri: Uri = url.parse().map_err(|_| PROBLEM)?;
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@')).ok_or(PROBLEM)?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let is_tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") if is_this_machine(&host) => false,
            _ => return Err(PROBLEM),
        };
        let port = authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Ok(Self { is_tls, host, port, authority: authority.to_string(), path })
    }
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

struct Answer {
    body: Bytes,
    lifetime: TimeDelta,
}

async fn get(url: &str, tls: &TlsConnector) -> Result<Answer, FetchError> {
    let failed = |problem: &str| FetchError(format!("{url}: {problem}"));
    let location = Location::parse(url).map_err(failed)?;
    location.get(tls).await.map_err(|problem| failed(&problem))
}

impl Location {
    async fn get(&self, tls: &TlsConnector) -> Result<Answer, String> {
        let text = |error: &dyn std::error::Error| crate::failure::with_causes(error);
        let tcp = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(|error| text(&error))?;
        if self.is_tls {
            let name = ServerName::try_from(self.host.clone()).map_err(|error| text(&error))?;
            let stream = tls.connect(name, tcp).await.map_err(|error| text(&error))?;
            return self.exchange(stream).await;
        }
        match tcp.peer_addr() {
            Ok(peer) if peer.ip().is_loopback() => self.exchange(tcp).await,
            _ => Err("this is not this machine, so it needs TLS".to_owned()),
        }
    }

    async fn exchange(&self, stream: impl AsyncRead + AsyncWrite + Send + Unpin) -> Result<Answer, String> {
        let text = |error: &dyn std::error::Error| crate::failure::with_causes(error);
        let request = Request::get(&self.path)
            .header(HOST, &self.authority)
            .header(USER_AGENT, concat!("parlor/", env!("CARGO_PKG_VERSION")))
            .header(ACCEPT, "application/json")
            .header(CONNECTION, "close")
            .body(Empty::<Bytes>::new())
            .map_err(|error| text(&error))?;
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(|error| text(&error))?;
        let exchange = async move {
            let (head, body) = sender.send_request(request).await.map_err(|error| text(&error))?.into_parts();
            if head.status != StatusCode::OK {
                return Err(format!("the answer is {}", head.status));
            }
            let body = Limited::new(body, MAX_BYTES).collect().await.map_err(|error| text(&*error))?;
            Ok(Answer { body: body.to_bytes(), lifetime: lifetime(&head.headers) })
        };
        let (answer, _) = tokio::join!(exchange, connection);
        answer
    }
}

/// How long the keys in an answer with these headers are kept.
fn lifetime(headers: &HeaderMap) -> TimeDelta {
    let lines = headers.get_all(CACHE_CONTROL).iter().filter_map(|line| line.to_str().ok());
    let directives = lines.flat_map(|line| line.split(',')).map(|directive| directive.trim().to_ascii_lowercase());
    let seconds = directives.filter_map(|directive| match directive.as_str() {
        "no-store" | "no-cache" => Some(0),
        directive => directive.strip_prefix("max-age=")?.trim_matches('"').parse::<u32>().ok(),
    });
    let (least, most) = LIFETIMES;
    seconds.min().map_or(LIFETIME, |seconds| TimeDelta::seconds(seconds.into()).clamp(least, most))
}
