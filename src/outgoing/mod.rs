//! Requests to servers elsewhere whose address somebody else has chosen: to receivers of webhooks.
//!
//! Whoever chooses an address mustn't reach through this server what only this server reaches. So each address is judged
//! when it is connected to, after its name was looked up; no redirect is followed; and neither time nor bytes are the
//! other side's to choose.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, RETRY_AFTER, USER_AGENT};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use ipnet::IpNet;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::failure::with_causes;

mod address;
mod location;
pub(crate) mod tls;

#[cfg(test)]
mod tests;

pub use address::is_public;
pub use location::Location;

/// How long a request may take, from looking up the name to the head of the answer.
const DEADLINE: Duration = Duration::from_secs(15);

/// The most bytes of the head of an answer that are held.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// The most bytes of an answer's body that are read, so that the other side isn't cut off in the middle of a short one.
/// Nobody looks at them.
const MAX_BODY_BYTES: usize = 4 * 1024;

/// How long they are waited for.
const BODY_DEADLINE: Duration = Duration::from_secs(1);

/// The most addresses of a name that are tried.
const MAX_ADDRESSES: usize = 4;

/// The client of such requests. Cheap to clone.
#[derive(Clone)]
pub struct Outgoing {
    tls: TlsConnector,
    /// Networks that may be reached though they aren't public, and without TLS.
    allowed: Arc<[IpNet]>,
    deadline: Duration,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The answer's status.
    pub status: u16,
    /// For how long the other side asks to be left alone.
    pub retry_after: Option<Duration>,
}

/// Why there is no answer. The text is for whoever has chosen the address: it tells nothing of this server's network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutgoingError {
    /// There is no connection: the name isn't found, or nobody is there, or TLS fails.
    #[error("{0}")]
    Unreachable(String),
    /// The address is none that this server may connect to.
    #[error("the address is not public")]
    Refused,
    /// The request was sent, and no answer came in time, or none that is one.
    #[error("{0}")]
    NoAnswer(String),
}

impl Outgoing {
    /// A client that may reach these networks beside public addresses.
    ///
    /// # Errors
    /// When TLS can't be set up.
    pub fn new(allowed: &[IpNet]) -> Result<Self, String> {
        Ok(Self { tls: TlsConnector::from(Arc::new(tls::config()?)), allowed: allowed.into(), deadline: DEADLINE })
    }

    /// Whether this address may be reached only because the operator allows it; such a one needs no TLS.
    fn allows(&self, address: IpAddr) -> bool {
        self.allowed.iter().any(|network| network.contains(&address))
    }

    /// Whether a connection to this address may be made.
    fn may_reach(&self, address: IpAddr, is_tls: bool) -> bool {
        let address = address.to_canonical();
        self.allows(address) || (is_tls && is_public(address))
    }

    /// The place of this URL, if requests to it can be sent.
    ///
    /// # Errors
    /// What is wrong with it; the text ends a sentence.
    pub fn locate(&self, url: &str) -> Result<Location, String> {
        let location = Location::parse(url)?;
        if !location.is_tls && self.allowed.is_empty() {
            return Err("must be an `https://` URL".to_owned());
        }
        match location.host.parse::<IpAddr>() {
            Ok(address) if !self.may_reach(address, location.is_tls) => {
                Err("must be of an address that is public".to_owned())
            }
            _ => Ok(location),
        }
    }

    /// Sends a POST, and returns what was answered. The names of headers are in lower case; without a type among them, the
    /// body is JSON.
    ///
    /// # Errors
    /// When nothing was.
    pub async fn post(
        &self,
        to: &Location,
        headers: &[(&'static str, String)],
        body: Bytes,
    ) -> Result<Answer, OutgoingError> {
        let late = |sent| {
            let problem = format!("no answer within {} s", self.deadline.as_secs());
            if sent { OutgoingError::NoAnswer(problem) } else { OutgoingError::Unreachable(problem) }
        };
        let begun = tokio::time::Instant::now();
        let tcp = timeout(self.deadline, self.connect(to)).await.map_err(|_| late(false))??;
        let left = || self.deadline.saturating_sub(begun.elapsed());
        if !to.is_tls {
            return timeout(left(), exchange(tcp, to, headers, body)).await.map_err(|_| late(true))?;
        }
        let unreachable = |error: &dyn std::error::Error| OutgoingError::Unreachable(with_causes(error));
        let name = ServerName::try_from(to.host.clone()).map_err(|error| unreachable(&error))?;
        let connecting = timeout(left(), self.tls.connect(name, tcp)).await;
        let stream = connecting.map_err(|_| late(false))?.map_err(|error| unreachable(&error))?;
        timeout(left(), exchange(stream, to, headers, body)).await.map_err(|_| late(true))?
    }

    /// A connection to one of the addresses of that name that may be reached. What is judged is what is connected to:
    /// the name isn't looked up again.
    async fn connect(&self, to: &Location) -> Result<TcpStream, OutgoingError> {
        let unreachable = |error: &io::Error| OutgoingError::Unreachable(with_causes(error));
        let found: Vec<SocketAddr> =
            lookup_host((to.host.as_str(), to.port)).await.map_err(|error| unreachable(&error))?.collect();
        let mut last = OutgoingError::Refused;
        for address in found.into_iter().filter(|found| self.may_reach(found.ip(), to.is_tls)).take(MAX_ADDRESSES) {
            match TcpStream::connect(address).await {
                Ok(tcp) if tcp.peer_addr().is_ok_and(|peer| self.may_reach(peer.ip(), to.is_tls)) => return Ok(tcp),
                Ok(_) => last = OutgoingError::Refused,
                Err(error) => last = unreachable(&error),
            }
        }
        Err(last)
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin,
    to: &Location,
    headers: &[(&'static str, String)],
    body: Bytes,
) -> Result<Answer, OutgoingError> {
    let failed = |error: &dyn std::error::Error| OutgoingError::NoAnswer(with_causes(error));
    let mut request = Request::post(&to.path)
        .header(HOST, &to.authority)
        .header(USER_AGENT, concat!("parlor/", env!("CARGO_PKG_VERSION")))
        .header(CONTENT_LENGTH, body.len())
        .header(CONNECTION, "close");
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    if !headers.iter().any(|(name, _)| *name == CONTENT_TYPE) {
        request = request.header(CONTENT_TYPE, "application/json");
    }
    let request = request.body(Full::new(body)).map_err(|error| failed(&error))?;
    let mut client = hyper::client::conn::http1::Builder::new();
    let handshake = client.max_buf_size(MAX_HEAD_BYTES).handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| failed(&error))?;
    let exchange = async move {
        let (head, body) = sender.send_request(request).await.map_err(|error| failed(&error))?.into_parts();
        let _ = timeout(BODY_DEADLINE, drain(body)).await;
        Ok(Answer { status: head.status.as_u16(), retry_after: retry_after(head.status, &head.headers) })
    };
    let (mut exchange, connection) = (pin!(exchange), pin!(connection));
    // When the answer is there, the connection is dropped wherever it stands.
    tokio::select! {
        biased;
        answer = &mut exchange => answer,
        _ = connection => exchange.await,
    }
}

/// Reads the beginning of a body, and forgets it.
async fn drain(mut body: hyper::body::Incoming) {
    let mut read = 0;
    while let Some(Ok(frame)) = body.frame().await {
        read += frame.data_ref().map_or(0, Bytes::len);
        if read >= MAX_BODY_BYTES {
            return;
        }
    }
}

/// For how long the other side asks to be left alone, where that means anything
/// ([RFC 9110, section 10.2.3](https://www.rfc-editor.org/rfc/rfc9110#field.retry-after)); only in seconds.
fn retry_after(status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
    let asks = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].contains(&status);
    let seconds = headers.get(RETRY_AFTER).filter(|_| asks)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}
