//! A push service that opens what it is sent, as the browsers would.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hkdf::Hkdf;
use p256::elliptic_curve::sec1::ToSec1Point;
use p256::{PublicKey, SecretKey};
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::within;

const AUTH: [u8; 16] = *b"a browser's auth";

/// A push service on this machine.
pub struct PushService {
    address: String,
    shared: Arc<Shared>,
    /// Ends with the service.
    _serving: JoinSet<()>,
}

#[derive(Default)]
struct Shared {
    /// What each browser is told by.
    browsers: Mutex<HashMap<String, mpsc::UnboundedSender<(HeaderMap, Bytes)>>>,
    /// What each browser's pushes are answered with, the last for ever.
    answers: Mutex<HashMap<String, Vec<u16>>>,
}

/// A browser that is subscribed to the service.
pub struct Browser {
    name: String,
    endpoint: String,
    key: SecretKey,
    pushes: mpsc::UnboundedReceiver<(HeaderMap, Bytes)>,
}

/// What a browser was told.
#[derive(Debug)]
pub struct Pushed {
    /// The headers of the request.
    pub headers: HeaderMap,
    /// What it said.
    pub said: Value,
}

impl PushService {
    /// Starts one.
    pub async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port is free");
        let address = format!("http://{}", listener.local_addr().expect("it has an address"));
        let shared = Arc::<Shared>::default();
        let app = axum::Router::new().route("/push/{browser}", post(take)).with_state(shared.clone());
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, app).await.expect("it serves") });
        Self { address, shared, _serving: serving }
    }

    /// A new browser that has subscribed.
    pub fn browser(&self, name: &str) -> Browser {
        let (sender, pushes) = mpsc::unbounded_channel();
        self.shared.browsers.lock().expect("no panic").insert(name.to_owned(), sender);
        let mut seed = [7; 32];
        seed[..name.len().min(32)].copy_from_slice(&name.as_bytes()[..name.len().min(32)]);
        let key = SecretKey::from_slice(&seed).expect("a number below the curve's order");
        Browser { name: name.to_owned(), endpoint: format!("{}/push/{name}", self.address), key, pushes }
    }

    /// Answers a browser's pushes with these statuses one after the other, and then with the last.
    pub fn answer(&self, browser: &Browser, statuses: &[u16]) {
        let statuses = statuses.iter().rev().copied().collect();
        self.shared.answers.lock().expect("no panic").insert(browser.name.clone(), statuses);
    }
}

async fn take(
    State(shared): State<Arc<Shared>>,
    Path(browser): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let mut answers = shared.answers.lock().expect("no panic");
    let status = answers
        .get_mut(&browser)
        .map_or(201, |left| if left.len() > 1 { left.remove(left.len() - 1) } else { left[0] });
    drop(answers);
    if let Some(browser) = shared.browsers.lock().expect("no panic").get(&browser) {
        // A browser may be closed.
        let _ = browser.send((headers, body));
    }
    StatusCode::from_u16(status).expect("a status")
}

impl Browser {
    /// What to register it with.
    pub fn input(&self) -> Value {
        let point = self.key.public_key().to_sec1_point(false);
        let (p256dh, auth) = (URL_SAFE_NO_PAD.encode(point.as_bytes()), URL_SAFE_NO_PAD.encode(AUTH));
        json!({ "platform": "WEB_PUSH", "token": self.endpoint, "p256dh": p256dh, "auth": auth })
    }

    /// The next that it is told.
    pub async fn next(&mut self) -> Pushed {
        let (headers, body) = within("a push", self.pushes.recv()).await.expect("the service is there");
        let said = serde_json::from_slice(&self.open(&body)).expect("it says JSON");
        Pushed { headers, said }
    }

    /// What it was told and not yet asked for.
    pub fn waiting(&mut self) -> Vec<Value> {
        let waiting = std::iter::from_fn(|| self.pushes.try_recv().ok()).collect::<Vec<_>>();
        waiting.iter().map(|(_, body)| serde_json::from_slice(&self.open(body)).expect("it says JSON")).collect()
    }

    /// Decrypts as [RFC 8291](https://www.rfc-editor.org/rfc/rfc8291) says.
    fn open(&self, sealed: &[u8]) -> Vec<u8> {
        let (salt, key, text) = (&sealed[..16], &sealed[21..86], &sealed[86..]);
        assert_eq!((&sealed[16..20], sealed[20]), (&4_096_u32.to_be_bytes()[..], 65));
        let theirs = PublicKey::from_sec1_bytes(key).expect("a point");
        let secret = p256::ecdh::diffie_hellman(self.key.to_nonzero_scalar(), theirs.as_affine());
        let expand = |prk: &Hkdf<Sha256>, info: &[u8], bytes: usize| {
            let mut out = vec![0; bytes];
            prk.expand(info, &mut out).expect("it is short");
            out
        };
        let own = self.key.public_key().to_sec1_point(false);
        let info = [b"WebPush: info\0", own.as_bytes(), key].concat();
        let shared = expand(&Hkdf::new(Some(&AUTH), secret.raw_secret_bytes().as_ref()), &info, 32);
        let prk = Hkdf::<Sha256>::new(Some(salt), &shared);
        let (key, nonce) =
            (expand(&prk, b"Content-Encoding: aes128gcm\0", 16), expand(&prk, b"Content-Encoding: nonce\0", 12));
        let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).expect("a key"));
        let mut text = text.to_vec();
        let nonce = Nonce::try_assume_unique_for_key(&nonce).expect("a nonce");
        let plain = key.open_in_place(nonce, Aad::empty(), &mut text).expect("it is for this browser");
        let (last, plain) = plain.split_last().expect("it ends with its delimiter");
        assert_eq!(*last, 2);
        plain.to_vec()
    }
}
