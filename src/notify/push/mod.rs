//! Sending a notification to a device, by the service that reaches it.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::time::{Instant, sleep};
use url::Url;

use super::notice::Notice;
use crate::clock::Clock;
use crate::outgoing::{Answer, Outgoing, OutgoingError};
use crate::store::entity::device::{self, DevicePlatform};

mod fcm;
mod origins;
mod seal;
mod vapid;

pub use fcm::{Fcm, FcmError};
use origins::Origins;
pub use vapid::{Vapid, VapidError};

/// For how long a service keeps a notification for a device that it doesn't reach: three days, in seconds.
const TTL: &str = "259200";

/// The pauses between tries. A service that is away for longer loses the notification, not the message: it is unread.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];

/// The longest pause that a service may ask for.
const MAX_PAUSE: Duration = Duration::from_secs(10);

/// The one service that has no origin of its own for each device.
const FCM: &str = "Firebase Cloud Messaging";

/// What came of a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The service has taken it.
    Taken,
    /// The service doesn't know the device any more.
    Gone,
    /// The service is away, or doesn't take it.
    Failed,
}

impl Sent {
    /// What metrics call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Gone => "gone",
            Self::Failed => "failed",
        }
    }
}

/// Sends notifications.
pub struct Push {
    outgoing: Outgoing,
    vapid: Vapid,
    fcm: Option<Fcm>,
    clock: Clock,
    origins: Origins,
}

/// What metrics call a service.
#[must_use]
pub fn service(platform: DevicePlatform) -> &'static str {
    match platform {
        DevicePlatform::WebPush => "web_push",
        DevicePlatform::Fcm => "fcm",
    }
}

impl Push {
    /// Sends by this client, as whoever has this key, and this account.
    #[must_use]
    pub fn new(outgoing: Outgoing, vapid: Vapid, fcm: Option<Fcm>, clock: Clock) -> Self {
        Self { outgoing, vapid, fcm, clock, origins: Origins::default() }
    }

    /// The public key, as browsers take it: `applicationServerKey`.
    #[must_use]
    pub fn public_key(&self) -> Arc<str> {
        self.vapid.public_key()
    }

    /// Sends a notification to this device, which takes some seconds at most, and no time where its service is away.
    pub async fn send(&self, device: &device::Model, notice: &Notice) -> Sent {
        let origin = match device.platform {
            DevicePlatform::WebPush => origin(&device.token),
            DevicePlatform::Fcm => FCM.to_owned(),
        };
        let mut pauses = PAUSES.into_iter();
        while !self.origins.is_left_alone(&origin, self.clock.now()) {
            let begun = Instant::now();
            let answer = match (device.platform, &self.fcm) {
                (DevicePlatform::WebPush, _) => self.web_push(device, notice).await,
                (DevicePlatform::Fcm, Some(fcm)) => {
                    let answer = fcm.send(&device.token, notice, &topic(notice)).await;
                    let Some(answer) = answer.transpose() else { return Sent::Failed };
                    answer
                }
                (DevicePlatform::Fcm, None) => return Sent::Failed,
            };
            match &answer {
                Ok(_) => self.origins.answered(&origin),
                Err(OutgoingError::Unreachable(_) | OutgoingError::NoAnswer(_)) => {
                    self.origins.failed(&origin, begun.elapsed(), self.clock.now());
                }
                Err(OutgoingError::Refused) => {}
            }
            let asked = match &answer {
                Ok(Answer { status: 200..=299, .. }) => return Sent::Taken,
                Ok(Answer { status: 404 | 410, .. }) => return Sent::Gone,
                Ok(Answer { status: 429 | 500..=599, retry_after }) => {
                    retry_after.and_then(|asked| asked.wait(self.clock.now()))
                }
                Err(OutgoingError::Unreachable(_) | OutgoingError::NoAnswer(_)) => None,
                Ok(Answer { .. }) | Err(OutgoingError::Refused) => {
                    tracing::warn!(device = %device.id, ?answer, "a push service doesn't take a notification");
                    return Sent::Failed;
                }
            };
            let Some(pause) = pauses.next() else {
                tracing::warn!(device = %device.id, ?answer, "a push service is away; a notification is not sent");
                return Sent::Failed;
            };
            sleep(asked.unwrap_or(pause).clamp(pause, MAX_PAUSE)).await;
        }
        Sent::Failed
    }

    async fn web_push(&self, device: &device::Model, notice: &Notice) -> Result<Answer, OutgoingError> {
        let refused = |_| OutgoingError::Refused;
        let (Some(p256dh), Some(auth)) = (&device.p256dh, &device.auth) else { return Err(OutgoingError::Refused) };
        let to = self.outgoing.locate(&device.token).map_err(|_| OutgoingError::Refused)?;
        let sealed = seal::seal(notice.fitting(seal::MAX_PLAIN).as_bytes(), p256dh, auth).map_err(refused)?;
        let origin = origin(&device.token);
        let authorization = self.vapid.authorization(&origin, self.clock.now()).ok_or(OutgoingError::Refused)?;
        let headers = [
            ("authorization", authorization),
            ("content-type", "application/octet-stream".to_owned()),
            ("content-encoding", "aes128gcm".to_owned()),
            ("ttl", TTL.to_owned()),
            ("urgency", if notice.is_clear() { "normal" } else { "high" }.to_owned()),
            ("topic", topic(notice)),
        ];
        self.outgoing.post(&to, &headers, Bytes::from(sealed)).await
    }
}

/// Of what server the service is that a browser names.
fn origin(endpoint: &str) -> String {
    Url::parse(endpoint).map(|url| url.origin().ascii_serialization()).unwrap_or_default()
}

/// Of what has the same topic, a service keeps only the last for a device that it doesn't reach: 32 characters
/// ([RFC 8030, section 5.4](https://www.rfc-editor.org/rfc/rfc8030#section-5.4)).
fn topic(notice: &Notice) -> String {
    let digest = Sha256::digest(notice.room.to_string().as_bytes());
    URL_SAFE_NO_PAD.encode(&digest[..24])
}
