//! Requests to servers elsewhere whose address somebody else has chosen: to receivers of webhooks, and to push services.
//!
//! Whoever chooses an address mustn't reach through this server what only this server reaches. So each address is judged
//! when it is connected to, after its name was looked up; no redirect is followed; and neither time nor bytes are the
//! other side's to choose.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, RETRY_AFTER, USER_AGENT};
use hyper::{Request, StatusCode};
use ipnet::IpNet;
use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::failure::with_causes;

mod address;
mod location;
mod pool;
pub(crate) mod tls;

#[cfg(test)]
mod tests;

pub use address::is_public;
pub use location::Location;
use pool::{Connection, Pool};

/// How long a request may take, from looking up the name to the head of the answer.
const DEADLINE: Duration = Duration::from_secs(15);

/// The most bytes of the head of an answer that are held.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// The most bytes of an answer's body that are read, so that the other side isn't cut off in the middle of a short one.
const MAX_BODY_BYTES: usize = 8 * 1024;

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
    pool: Pool,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The answer's status.
    pub status: u16,
    /// For how long the other side asks to be left alone.
    pub retry_after: Option<RetryAfter>,
}

/// For how long the other side asks to be left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryAfter {
    /// For so long.
    For(Duration),
    /// Until then, by its clock.
    Until(DateTime<Utc>),
}

impl RetryAfter {
    /// For how long from now on. `None`: it asks for nothing any more.
    #[must_use]
    pub fn wait(self, now: DateTime<Utc>) -> Option<Duration> {
        match self {
            Self::For(wait) => Some(wait),
            Self::Until(then) => (then - now).to_std().ok().filter(|wait| !wait.is_zero()),
        }
    }
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
        let tls = TlsConnector::from(Arc::new(tls::config()?));
        Ok(Self { tls, allowed: allowed.into(), deadline: DEADLINE, pool: Pool::default() })
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
        self.ask(to, headers, body).await.map(|(answer, _)| answer)
    }

    /// As [`Self::post`], with the answer's body, if it is a short one; otherwise with nothing.
    ///
    /// What was sent over a connection that had waited, and broke, is sent again over a new one: its other end may have
    /// closed it just then. So the other side may be told twice.
    ///
    /// # Errors
    /// When nothing was answered.
    pub async fn ask(
        &self,
        to: &Location,
        headers: &[(&'static str, String)],
        body: Bytes,
    ) -> Result<(Answer, Bytes), OutgoingError> {
        let begun = tokio::time::Instant::now();
        let left = || self.deadline.saturating_sub(begun.elapsed());
        if let Some(kept) = self.pool.take(to) {
            let exchange = self.exchange(kept, to, request(to, headers, body.clone())?);
            if let Ok(answer) = timeout(left(), exchange).await.map_err(|_| self.late(true))? {
                return Ok(answer);
            }
        }
        let connection = timeout(left(), self.open(to)).await.map_err(|_| self.late(false))??;
        let exchange = self.exchange(connection, to, request(to, headers, body)?);
        timeout(left(), exchange).await.map_err(|_| self.late(true))?
    }

    fn late(&self, is_sent: bool) -> OutgoingError {
        let problem = format!("no answer within {} s", self.deadline.as_secs());
        if is_sent { OutgoingError::NoAnswer(problem) } else { OutgoingError::Unreachable(problem) }
    }

    /// A new connection to this place.
    async fn open(&self, to: &Location) -> Result<Connection, OutgoingError> {
        let failed = |error: hyper::Error| OutgoingError::NoAnswer(with_causes(&error));
        let unreachable = |error: &dyn std::error::Error| OutgoingError::Unreachable(with_causes(error));
        let tcp = self.connect(to).await?;
        if !to.is_tls {
            return self.pool.open(tcp).await.map_err(failed);
        }
        let name = ServerName::try_from(to.host.clone()).map_err(|error| unreachable(&error))?;
        let stream = self.tls.connect(name, tcp).await.map_err(|error| unreachable(&error))?;
        self.pool.open(stream).await.map_err(failed)
    }

    async fn exchange(
        &self,
        mut connection: Connection,
        to: &Location,
        request: Request<Full<Bytes>>,
    ) -> Result<(Answer, Bytes), OutgoingError> {
        let answered = connection.sender.send_request(request).await;
        let (head, body) = answered.map_err(|error| OutgoingError::NoAnswer(with_causes(&error)))?.into_parts();
        let body = timeout(BODY_DEADLINE, read(body)).await.ok().flatten();
        if body.is_some() && matches!(timeout(BODY_DEADLINE, connection.sender.ready()).await, Ok(Ok(()))) {
            self.pool.put(to, connection);
        }
        let answer = Answer { status: head.status.as_u16(), retry_after: retry_after(head.status, &head.headers) };
        Ok((answer, body.unwrap_or_default()))
    }

    /// A connection to one of the addresses of that name. It isn't looked up again.
    async fn connect(&self, to: &Location) -> Result<TcpStream, OutgoingError> {
        let found = lookup_host((to.host.as_str(), to.port)).await;
        let found: Vec<SocketAddr> = found.map_err(|error| OutgoingError::Unreachable(with_causes(&error)))?.collect();
        self.connect_to(&found, to.is_tls).await
    }

    /// A connection to one of these addresses that may be reached. What is judged is what is connected to.
    async fn connect_to(&self, found: &[SocketAddr], is_tls: bool) -> Result<TcpStream, OutgoingError> {
        let mut last = OutgoingError::Refused;
        for address in found.iter().filter(|found| self.may_reach(found.ip(), is_tls)).take(MAX_ADDRESSES) {
            match TcpStream::connect(address).await {
                Ok(tcp) if tcp.peer_addr().is_ok_and(|peer| self.may_reach(peer.ip(), is_tls)) => return Ok(tcp),
                Ok(_) => last = OutgoingError::Refused,
                Err(error) => last = OutgoingError::Unreachable(with_causes(&error)),
            }
        }
        Err(last)
    }
}

fn request(
    to: &Location,
    headers: &[(&'static str, String)],
    body: Bytes,
) -> Result<Request<Full<Bytes>>, OutgoingError> {
    let mut request = Request::post(&to.path)
        .header(HOST, &to.authority)
        .header(USER_AGENT, concat!("parlor/", env!("CARGO_PKG_VERSION")))
        .header(CONTENT_LENGTH, body.len());
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    if !headers.iter().any(|(name, _)| *name == CONTENT_TYPE) {
        request = request.header(CONTENT_TYPE, "application/json");
    }
    request.body(Full::new(body)).map_err(|error| OutgoingError::NoAnswer(with_causes(&error)))
}

/// Reads a short body. `None`: it is a long one, or breaks off.
async fn read(mut body: hyper::body::Incoming) -> Option<Bytes> {
    let mut read = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.ok()?;
        let data = frame.data_ref().map_or(&[][..], |data| data);
        if read.len() + data.len() > MAX_BODY_BYTES {
            return None;
        }
        read.extend_from_slice(data);
    }
    Some(read.into())
}

/// For how long the other side asks to be left alone, where that means anything
/// ([RFC 9110, section 10.2.3](https://www.rfc-editor.org/rfc/rfc9110#field.retry-after)).
fn retry_after(status: StatusCode, headers: &HeaderMap) -> Option<RetryAfter> {
    let asks = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].contains(&status);
    let asked = headers.get(RETRY_AFTER).filter(|_| asks)?.to_str().ok()?.trim();
    if let Ok(seconds) = asked.parse() {
        return Some(RetryAfter::For(Duration::from_secs(seconds)));
    }
    Some(RetryAfter::Until(httpdate::parse_http_date(asked).ok()?.into()))
}
