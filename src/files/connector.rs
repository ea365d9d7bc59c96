//! Requests to S3-compatible storage, which the operator has chosen: unlike those of webhooks, they may go anywhere.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{HOST, HeaderValue};
use hyper::{Uri, client::conn::http1};
use hyper_util::rt::TokioIo;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_util::task::TaskTracker;

use crate::outgoing::tls;

/// How long it may take until there is a connection.
const CONNECTING: Duration = Duration::from_secs(10);

/// How long it may take until the head of the answer is there.
const ANSWERING: Duration = Duration::from_mins(1);

/// How long it may take until more of the answer is there.
const READING: Duration = Duration::from_secs(30);

/// Makes the client of a storage. Each request has a connection of its own.
#[derive(Clone)]
pub(super) struct Connector {
    tls: TlsConnector,
    tasks: TaskTracker,
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector").finish_non_exhaustive()
    }
}

impl Connector {
    /// A client whose connections are these tasks.
    pub(super) fn new(tasks: &TaskTracker) -> Result<Self, String> {
        Ok(Self { tls: TlsConnector::from(Arc::new(tls::config()?)), tasks: tasks.clone() })
    }

    async fn exchange(
        &self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        request: HttpRequest,
    ) -> Result<HttpResponse, HttpError> {
        let failed = |error: hyper::Error| HttpError::new(HttpErrorKind::Request, error);
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
        // It ends when the answer was read, or nobody reads it any more.
        self.tasks.spawn(async move { drop(connection.await) });
        let answer = timeout(ANSWERING, sender.send_request(request)).await;
        let answer = answer.map_err(|late| HttpError::new(HttpErrorKind::Timeout, late))?.map_err(failed)?;
        Ok(answer.map(|body| HttpResponseBody::new(StreamBody::new(steady(body)))))
    }
}

/// The bytes of an answer, which fails where they stop coming.
fn steady(body: Incoming) -> impl Stream<Item = Result<Frame<Bytes>, HttpError>> + Send + Sync {
    stream::unfold(Some(body.into_data_stream()), |body| async {
        let mut body = body?;
        match timeout(READING, body.next()).await {
            Ok(Some(Ok(bytes))) => Some((Ok(Frame::data(bytes)), Some(body))),
            Ok(Some(Err(error))) => Some((Err(HttpError::new(HttpErrorKind::Interrupted, error)), None)),
            Ok(None) => None,
            Err(late) => Some((Err(HttpError::new(HttpErrorKind::Timeout, late)), None)),
        }
    })
}

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for Connector {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let uri = request.uri().clone();
        let unreachable = |problem: String| HttpError::new(HttpErrorKind::Connect, std::io::Error::other(problem));
        let authority = uri.authority().ok_or_else(|| unreachable("no host".to_owned()))?;
        let is_tls = uri.scheme_str() != Some("http");
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let named = HeaderValue::from_str(authority.as_str()).map_err(|error| unreachable(error.to_string()))?;
        request.headers_mut().entry(HOST).or_insert(named);
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        *request.uri_mut() = path.parse::<Uri>().map_err(|error| unreachable(error.to_string()))?;
        let connecting = timeout(CONNECTING, TcpStream::connect((host.as_str(), port))).await;
        let connecting = connecting.map_err(|late| HttpError::new(HttpErrorKind::Connect, late))?;
        let tcp = connecting.map_err(|error| HttpError::new(HttpErrorKind::Connect, error))?;
        if !is_tls {
            return self.exchange(tcp, request).await;
        }
        let name = ServerName::try_from(host).map_err(|error| unreachable(error.to_string()))?;
        let connecting = timeout(CONNECTING, self.tls.connect(name, tcp)).await;
        let connecting = connecting.map_err(|late| HttpError::new(HttpErrorKind::Connect, late))?;
        let tls = connecting.map_err(|error| HttpError::new(HttpErrorKind::Connect, error))?;
        self.exchange(tls, request).await
    }
}
