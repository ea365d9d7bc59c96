//! "The log has grown": rung across nodes, so that an event reaches them at once instead of at their next poll.
//!
//! It carries no content: whoever can ring it can make nodes look at the log, and nothing else. Nothing depends on it
//! arriving, arriving once, or in order; without it events come as late as the tail polls.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, ConnectOptions};
use futures_util::StreamExt;
use tokio::sync::{Notify, watch};
use tokio_util::bytes::Bytes;
use tokio_util::sync::CancellationToken;

use crate::position::Position;

/// The one subject on which nodes ring.
const SUBJECT: &str = "parlor.head";

/// How long ringing may take before it is given up; the poll of the others makes up for it.
const RING_TIMEOUT: Duration = Duration::from_secs(1);

/// Between two attempts to reach a broker that is away, at most.
const RECONNECT_DELAY: Duration = Duration::from_millis(500);

/// Where the broker is, and how to be let in.
#[derive(Clone, Default)]
pub struct Broker {
    /// `nats://` or `tls://`, perhaps with a user and password, or a token, before the host.
    pub url: String,
    /// A credentials file, as `nsc` makes them.
    pub credentials: Option<PathBuf>,
    /// Certificates, in PEM form, of authorities to trust besides the system's.
    pub ca: Option<PathBuf>,
}

/// A doorbell that can't be hung up: the settings are wrong. That the broker is away is no error.
#[derive(Debug, thiserror::Error)]
pub enum DoorbellError {
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

/// How the broker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrokerState {
    /// None is configured.
    None,
    /// It can be reached.
    Connected,
    /// It can't: events of other nodes come as late as the tail polls.
    Away,
}

/// A node's doorbell.
#[derive(Clone)]
pub enum Doorbell {
    /// One node alone: its tail hears of its commits anyway.
    Local,
    /// Rung through NATS.
    Nats(Client),
}

impl Doorbell {
    /// Hangs up the doorbell. A broker that is away is tried again and again in the background.
    ///
    /// # Errors
    /// When the settings can't be right.
    pub async fn open(broker: Option<&Broker>) -> Result<Self, DoorbellError> {
        let Some(Broker { url, credentials, ca }) = broker else { return Ok(Self::Local) };
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

    /// How the broker does.
    #[must_use]
    pub fn state(&self) -> BrokerState {
        match self {
            Self::Local => BrokerState::None,
            Self::Nats(client) if client.connection_state() == State::Connected => BrokerState::Connected,
            Self::Nats(_) => BrokerState::Away,
        }
    }

    /// Rings when `head` moves and passes on to `rung` when others ring, until cancelled.
    ///
    /// # Errors
    /// When the broker can't be listened to at all.
    pub async fn run(
        self,
        mut head: watch::Receiver<Position>,
        rung: Arc<Notify>,
        stop: CancellationToken,
    ) -> Result<(), DoorbellError> {
        let Self::Nats(client) = self else { return Ok(()) };
        let mut rings = client.subscribe(SUBJECT).await?;
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                ring_of_another = rings.next() => match ring_of_another {
                    Some(_) => rung.notify_one(),
                    None => return Ok(()),
                },
                moved = head.changed() => match moved {
                    Ok(()) => tell(&client).await,
                    Err(_) => return Ok(()),
                },
            }
        }
    }
}

/// Rings if the broker is there. What would wait for it to come back would only be late.
async fn tell(client: &Client) {
    if client.connection_state() != State::Connected {
        return;
    }
    let ringing = async {
        client.publish(SUBJECT, Bytes::new()).await.map_err(|error| error.to_string())?;
        client.flush().await.map_err(|error| error.to_string())
    };
    match tokio::time::timeout(RING_TIMEOUT, ringing).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(error, "the doorbell could not be rung"),
        Err(_) => tracing::debug!("ringing the doorbell took too long"),
    }
}
