//! The connection to the broker, through which nodes reach each other. It knows neither subjects nor the content of
//! messages.

use std::path::PathBuf;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, ConnectOptions, Subscriber};
use tokio_util::bytes::Bytes;

/// How long sending may take before it is given up. Nothing that nodes send each other is worth a longer wait.
const SEND_TIMEOUT: Duration = Duration::from_secs(1);

/// The longest pause between two attempts to reach a broker that is away.
const RECONNECT_DELAY: Duration = Duration::from_millis(500);

/// The broker's address, and how to authenticate.
#[derive(Clone, Default)]
pub struct BrokerSettings {
    /// `nats://` or `tls://`, optionally with a user and password, or a token, before the host.
    pub url: String,
    /// A credentials file, as `nsc` makes them.
    pub credentials: Option<PathBuf>,
    /// A file with certificates, in PEM form, of authorities to trust besides the system's.
    pub ca: Option<PathBuf>,
}

/// The broker can't be used, because the settings are wrong. A broker that is away is no error.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// The credentials file can't be read.
    #[error("the broker's credentials can't be used: {0}")]
    Credentials(#[from] std::io::Error),
    /// The address or the certificates are malformed.
    #[error("the broker's address or certificates can't be used: {0}")]
    Connect(#[from] async_nats::ConnectError),
    /// The subscription was refused.
    #[error("the broker can't be listened to: {0}")]
    Subscribe(#[from] async_nats::SubscribeError),
}

/// The state of the connection to the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrokerState {
    /// No broker is configured.
    None,
    /// The broker can be reached.
    Connected,
    /// The broker can't be reached: events of other nodes arrive only when the tail polls.
    Away,
}

/// A node's connection to the broker. Cheap to clone.
#[derive(Clone)]
pub enum Broker {
    /// No broker is configured: this is the only node, or the tail's poll alone finds what others commit.
    None,
    /// NATS.
    Nats(Client),
}

impl Broker {
    /// Connects. If the broker is away, the connection is retried in the background until it succeeds.
    ///
    /// # Errors
    /// When the settings can't be used.
    pub async fn connect(settings: Option<&BrokerSettings>) -> Result<Self, BrokerError> {
        let Some(BrokerSettings { url, credentials, ca }) = settings else { return Ok(Self::None) };
        let mut options =
            ConnectOptions::new().name("parlor").retry_on_initial_connect().reconnect_delay_callback(|attempts| {
                RECONNECT_DELAY.min(Duration::from_millis(10 * u64::try_from(attempts).unwrap_or(u64::MAX).min(1_000)))
            });
        if let Some(credentials) = credentials {
            options = options.credentials_file(credentials).await?;
        }
        if let Some(ca) = ca {
            options = options.add_root_certificates(ca.clone());
        }
        Ok(Self::Nats(options.connect(url.as_str()).await?))
    }

    /// The state of the connection to the broker.
    #[must_use]
    pub fn state(&self) -> BrokerState {
        match self {
            Self::None => BrokerState::None,
            Self::Nats(client) if client.connection_state() == State::Connected => BrokerState::Connected,
            Self::Nats(_) => BrokerState::Away,
        }
    }

    /// Subscribes to a subject. `None` if there is no broker.
    ///
    /// # Errors
    /// When the subscription is refused.
    pub async fn subscribe(&self, subject: &'static str) -> Result<Option<Subscriber>, BrokerError> {
        match self {
            Self::None => Ok(None),
            Self::Nats(client) => Ok(Some(client.subscribe(subject).await?)),
        }
    }

    /// Sends a message, without waiting until the broker has it. A message that can't be sent in time is lost, and
    /// logged at `debug`.
    pub async fn publish(&self, subject: &'static str, message: Bytes) {
        let Self::Nats(client) = self else { return };
        note(subject, async { client.publish(subject, message).await.map_err(|error| error.to_string()) }).await;
    }

    /// Waits until the broker has everything that was sent, but no longer than a second.
    pub async fn flush(&self, subject: &'static str) {
        let Self::Nats(client) = self else { return };
        note(subject, async { client.flush().await.map_err(|error| error.to_string()) }).await;
    }
}

async fn note(subject: &str, sending: impl Future<Output = Result<(), String>>) {
    match tokio::time::timeout(SEND_TIMEOUT, sending).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(subject, error, "a message could not be sent to the other nodes"),
        Err(_) => tracing::debug!(subject, "sending a message to the other nodes took too long"),
    }
}
