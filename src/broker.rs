//! The connection to the broker, through which nodes reach each other. Knows no subject and no message.

use std::path::PathBuf;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, ConnectOptions, Subscriber};
use tokio_util::bytes::Bytes;

/// How long sending may take before it is given up: nothing that nodes send each other is worth more.
const SEND_TIMEOUT: Duration = Duration::from_secs(1);

/// Between two attempts to reach a broker that is away, at most.
const RECONNECT_DELAY: Duration = Duration::from_millis(500);

/// Where the broker is, and how to be let in.
#[derive(Clone, Default)]
pub struct BrokerSettings {
    /// `nats://` or `tls://`, perhaps with a user and password, or a token, before the host.
    pub url: String,
    /// A credentials file, as `nsc` makes them.
    pub credentials: Option<PathBuf>,
    /// Certificates, in PEM form, of authorities to trust besides the system's.
    pub ca: Option<PathBuf>,
}

/// The broker can't be used: the settings are wrong. That it is away is no error.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// The credentials file can't be read.
    #[error("the broker's credentials can't be used: {0}")]
    Credentials(#[from] std::io::Error),
    /// The address is not one, or the certificates are none.
    #[error("the broker's address or certificates can't be used: {0}")]
    Connect(#[from] async_nats::ConnectError),
    /// The subscription was refused.
    #[error("the broker can't be listened to: {0}")]
    Subscribe(#[from] async_nats::SubscribeError),
}

/// How the broker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrokerState {
    /// None is configured.
    None,
    /// It can be reached.
    Connected,
    /// It can't: events of other nodes come as late as the tail polls.
    Away,
}

/// A node's connection to the broker. Cheap to clone.
#[derive(Clone)]
pub enum Broker {
    /// One node alone.
    None,
    /// NATS.
    Nats(Client),
}

impl Broker {
    /// Connects. A broker that is away is tried again and again in the background.
    ///
    /// # Errors
    /// When the settings can't be right.
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

    /// How the broker is.
    #[must_use]
    pub fn state(&self) -> BrokerState {
        match self {
            Self::None => BrokerState::None,
            Self::Nats(client) if client.connection_state() == State::Connected => BrokerState::Connected,
            Self::Nats(_) => BrokerState::Away,
        }
    }

    /// Listens to a subject. None: there is no broker.
    ///
    /// # Errors
    /// When the subscription is refused.
    pub async fn subscribe(&self, subject: &'static str) -> Result<Option<Subscriber>, BrokerError> {
        match self {
            Self::None => Ok(None),
            Self::Nats(client) => Ok(Some(client.subscribe(subject).await?)),
        }
    }

    /// Sends a message, without waiting until the broker has it. What can't be sent in time is lost, and noted in the log
    /// at `debug`.
    pub async fn publish(&self, subject: &'static str, message: Bytes) {
        let Self::Nats(client) = self else { return };
        note(subject, async { client.publish(subject, message).await.map_err(|error| error.to_string()) }).await;
    }

    /// Waits until the broker has what was sent, but no longer than a second.
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
