//! Firebase Cloud Messaging, by its [HTTP v1 API](https://firebase.google.com/docs/cloud-messaging/send/v1-api): it reaches
//! apps on Android and, through Apple's service, on iOS.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};
use url::form_urlencoded;

use super::TTL;
use crate::clock::Clock;
use crate::notify::notice::Notice;
use crate::outgoing::{Answer, Location, Outgoing, OutgoingError};

/// What the token is for.
const SCOPE: &str = "https://www.googleapis.com/auth/firebase.messaging";

/// How an account asks for a token ([RFC 7523, section 2.1](https://www.rfc-editor.org/rfc/rfc7523#section-2.1)).
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// How long what asks for a token is good: Google takes an hour at most.
const LIFETIME: TimeDelta = TimeDelta::hours(1);

/// A token that is good for less than this is asked for anew.
const LEFT_AT_LEAST: TimeDelta = TimeDelta::minutes(5);

/// How long a token is waited for. All notifications of apps wait for the same one.
const TOKEN_DEADLINE: Duration = Duration::from_secs(5);

/// The pause before it is asked for once more where the answer was that something is busy.
const TOKEN_PAUSE: Duration = Duration::from_secs(1);

/// After a failure no token is asked for in this time.
const NO_TOKEN_FOR: TimeDelta = TimeDelta::seconds(30);

/// The most bytes of a notice. A message may have 4,096, and holds its text twice.
const MAX_NOTICE: usize = 1_700;

/// What the title says where neither room nor author is to be shown.
const TITLE: &str = "New message";

/// An account with Firebase Cloud Messaging.
pub struct Fcm {
    outgoing: Outgoing,
    clock: Clock,
    account: Account,
    key: RsaKeyPair,
    token_place: Location,
    messages: Location,
    token: Mutex<Kept>,
}

/// What is known of the token.
#[derive(Default)]
struct Kept {
    /// The token, and until when it is good.
    token: Option<(String, DateTime<Utc>)>,
    /// When it was asked for and not given, the last time.
    failed_at: Option<DateTime<Utc>>,
}

/// The file that Google gives out for a service account.
#[derive(Deserialize)]
struct Account {
    project_id: String,
    client_email: String,
    private_key: String,
    private_key_id: Option<String>,
    #[serde(default = "token_uri")]
    token_uri: String,
}

fn token_uri() -> String {
    "https://oauth2.googleapis.com/token".to_owned()
}

#[derive(Deserialize)]
struct Token {
    access_token: String,
    expires_in: i64,
}

/// An account that can't be used. Says nothing of the key.
#[derive(Debug, thiserror::Error)]
#[error("the account with Firebase Cloud Messaging in {} can't be used: {problem}", path.display())]
pub struct FcmError {
    path: PathBuf,
    problem: String,
}

impl Fcm {
    /// The account in this file, at the service at this URL.
    ///
    /// # Errors
    /// When the file can't be read or holds something else, and when one of the URLs can't be asked.
    pub fn open(path: &Path, url: &str, outgoing: Outgoing, clock: Clock) -> Result<Self, FcmError> {
        let problem = |problem: String| FcmError { path: path.to_owned(), problem };
        let text = fs::read(path).map_err(|error| problem(error.to_string()))?;
        // What the parser says may show a part of the key.
        let account: Account = serde_json::from_slice(&text)
            .map_err(|error| problem(format!("it is not a service account's, at line {}", error.line())))?;
        let key = private_key(&account.private_key).ok_or_else(|| problem("`private_key` is no RSA key".into()))?;
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-.:_".contains(c);
        if account.project_id.is_empty() || !account.project_id.chars().all(is_name) {
            return Err(problem("`project_id` is none".into()));
        }
        let token_place =
            outgoing.locate(&account.token_uri).map_err(|error| problem(format!("`token_uri` {error}")))?;
        let messages = format!("{}/v1/projects/{}/messages:send", url.trim_end_matches('/'), account.project_id);
        let messages = outgoing.locate(&messages).map_err(|error| problem(format!("`PARLOR_FCM_URL` {error}")))?;
        Ok(Self { outgoing, clock, account, key, token_place, messages, token: Mutex::default() })
    }

    /// Sends a notification to the app with this registration token. A device that isn't known any more is 404. `None`: there
    /// is no token now, nor will be in some seconds.
    pub(super) async fn send(
        &self,
        device: &str,
        notice: &Notice,
        topic: &str,
    ) -> Result<Option<Answer>, OutgoingError> {
        let message: Bytes = message(device, notice, topic).to_string().into();
        let mut refused = None;
        loop {
            let Some(token) = self.token(refused.as_deref()).await else { return Ok(None) };
            let headers = [("authorization", format!("Bearer {token}"))];
            let (mut answer, body) = self.outgoing.ask(&self.messages, &headers, message.clone()).await?;
            if answer.status == 401 && refused.is_none() {
                // It was revoked, say, before its time.
                refused = Some(token);
                continue;
            }
            if is_unregistered(&body) {
                answer.status = 404;
            }
            return Ok(Some(answer));
        }
    }

    /// A token that is good for a while, and not the one that was refused. Who has to wait for it waits once: a failure is
    /// remembered, and is the answer to all who ask in the next seconds.
    async fn token(&self, refused: Option<&str>) -> Option<String> {
        let mut kept = self.token.lock().await;
        let now = self.clock.now();
        if let Some((token, until)) = &kept.token
            && refused != Some(token)
            && (LEFT_AT_LEAST..=LIFETIME + LIFETIME).contains(&(*until - now))
        {
            return Some(token.clone());
        }
        if kept.failed_at.is_some_and(|at| (TimeDelta::zero()..NO_TOKEN_FOR).contains(&(now - at))) {
            return None;
        }
        *kept = Kept::default();
        let asked = timeout(TOKEN_DEADLINE, self.ask_for_token(now)).await;
        let late = || Err(OutgoingError::NoAnswer(format!("no answer within {} s", TOKEN_DEADLINE.as_secs())));
        match asked.unwrap_or_else(|_| late()) {
            Ok(token) => {
                let lasts = TimeDelta::seconds(token.expires_in.clamp(0, LIFETIME.num_seconds()));
                // One that is good for a moment only is used all the same, once.
                kept.token = Some((token.access_token.clone(), now + lasts));
                Some(token.access_token)
            }
            Err(error) => {
                tracing::error!(%error, "the account with Firebase Cloud Messaging is given no token");
                kept.failed_at = Some(self.clock.now());
                None
            }
        }
    }

    async fn ask_for_token(&self, now: DateTime<Utc>) -> Result<Token, OutgoingError> {
        let assertion = self.assertion(now).ok_or(OutgoingError::Refused)?;
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", GRANT)
            .append_pair("assertion", &assertion)
            .finish();
        let form = Bytes::from(form);
        let headers = [("content-type", "application/x-www-form-urlencoded".to_owned())];
        let ask = || self.outgoing.ask(&self.token_place, &headers, form.clone());
        let (mut answer, mut body) = ask().await?;
        if matches!(answer.status, 429 | 500..=599) {
            sleep(TOKEN_PAUSE).await;
            (answer, body) = ask().await?;
        }
        match answer.status {
            200..=299 => serde_json::from_slice(&body)
                .map_err(|_| OutgoingError::NoAnswer("the answer holds no token".to_owned())),
            status => Err(OutgoingError::NoAnswer(format!("the answer is {status}"))),
        }
    }

    /// What asks for a token, signed by the account
    /// ([Google's form](https://developers.google.com/identity/protocols/oauth2/service-account#authorizingrequests)).
    fn assertion(&self, now: DateTime<Utc>) -> Option<String> {
        let header = json!({ "alg": "RS256", "typ": "JWT", "kid": self.account.private_key_id });
        let claims = json!({
            "iss": self.account.client_email,
            "scope": SCOPE,
            "aud": self.account.token_uri,
            "iat": now.timestamp(),
            "exp": (now + LIFETIME).timestamp(),
        });
        let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let signed = format!("{header}.{claims}");
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).ok()?;
        Some(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

fn private_key(pem: &str) -> Option<RsaKeyPair> {
    match PrivateKeyDer::from_pem_slice(pem.as_bytes()).ok()? {
        PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).ok(),
        PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()).ok(),
        _ => None,
    }
}

/// Whether an answer says that the app was uninstalled, or its token replaced.
fn is_unregistered(body: &[u8]) -> bool {
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return false };
    let details = body["error"]["details"].as_array();
    details.into_iter().flatten().any(|detail| detail["errorCode"] == "UNREGISTERED")
}

/// The message for one device. What is told is in its data; what is shown if the app isn't running stands beside it. What
/// takes a notification away shows nothing, so that the app is woken to do it.
fn message(device: &str, notice: &Notice, topic: &str) -> Value {
    let said: Map<String, Value> = serde_json::from_str(&notice.fitting(MAX_NOTICE)).unwrap_or_default();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let data: Map<String, Value> = said.iter().map(|(name, value)| (name.clone(), text(value).into())).collect();
    let ttl = format!("{TTL}s");
    if notice.is_clear() {
        return json!({ "message": {
            "token": device,
            "data": data,
            "android": { "collapse_key": topic, "priority": "NORMAL", "ttl": ttl },
            "apns": {
                "headers": { "apns-push-type": "background", "apns-priority": "5", "apns-collapse-id": topic },
                "payload": { "aps": { "content-available": 1, "badge": notice.badge } },
            },
        } });
    }
    let [room, author, body] = ["room", "author", "body"].map(|name| said.get(name).and_then(Value::as_str));
    let title = room.or(author).unwrap_or(TITLE);
    let body = match (room, author, body) {
        (Some(_), Some(author), Some(body)) => Some(format!("{author}: {body}")),
        (Some(_), Some(author), None) => Some(author.to_owned()),
        (_, _, body) => body.map(str::to_owned),
    };
    let tag = notice.room.to_string();
    json!({ "message": {
        "token": device,
        "data": data,
        "notification": { "title": title, "body": body },
        "android": {
            "collapse_key": topic, "priority": "HIGH", "ttl": ttl,
            "notification": { "tag": tag, "notification_count": notice.badge },
        },
        "apns": {
            "headers": { "apns-priority": "10", "apns-collapse-id": topic },
            "payload": { "aps": { "badge": notice.badge, "thread-id": tag, "sound": "default" } },
        },
    } })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{MessageId, RoomId};
    use crate::notify::notice::Message;

    fn notice(room: Option<&str>, author: Option<&str>, body: Option<String>) -> Notice {
        let [room, author] = [room, author].map(|text| text.map(str::to_owned));
        let message = Message { id: MessageId::generate(), seq: 7, room, author, body };
        Notice { room: RoomId::generate(), badge: 3, message: Some(message.into()) }
    }

    #[test]
    fn a_message_says_its_data_as_texts_and_fits_whatever_it_holds() {
        for fill in ["x", "𝄞", "\"", "\u{1}"] {
            let message = message("token", &notice(Some("Trip"), Some("Ann"), Some(fill.repeat(9_000))), "topic");
            let data = message["message"]["data"].as_object().expect("an object");
            assert!(data.values().all(Value::is_string), "{data:?}");
            assert_eq!((&data["type"], &data["badge"], &data["seq"]), (&json!("MESSAGE"), &json!("3"), &json!("7")));
            assert!(message.to_string().len() <= 4_096, "{fill:?}: {}", message.to_string().len());
        }
    }

    #[test]
    fn what_is_shown_is_what_may_be() {
        let shown = |notice: &Notice| message("token", notice, "topic")["message"]["notification"].clone();
        let body = || Some("hello".to_owned());
        assert_eq!(shown(&notice(Some("Trip"), Some("Ann"), body())), json!({ "title": "Trip", "body": "Ann: hello" }));
        assert_eq!(shown(&notice(None, Some("Ann"), body())), json!({ "title": "Ann", "body": "hello" }));
        assert_eq!(shown(&notice(None, Some("Ann"), None)), json!({ "title": "Ann", "body": null }));
        assert_eq!(shown(&notice(None, None, None)), json!({ "title": TITLE, "body": null }));
        let clear = Notice { message: None, ..notice(None, None, None) };
        assert_eq!(shown(&clear), Value::Null, "it is data alone");
    }

    #[test]
    fn only_what_says_so_is_a_device_that_is_gone() {
        let of = |code: &str| json!({ "error": { "details": [{}, { "errorCode": code }] } }).to_string();
        assert!(is_unregistered(of("UNREGISTERED").as_bytes()));
        for body in [of("INVALID_ARGUMENT"), "[]".to_owned(), String::new(), "{\"error\":1}".to_owned()] {
            assert!(!is_unregistered(body.as_bytes()), "{body}");
        }
    }
}
