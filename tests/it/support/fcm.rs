//! Google, as far as Firebase Cloud Messaging needs it: what gives out tokens, and what takes messages.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rsa::PublicKeyComponents;
use ring::signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::within;

const KEY: &str = include_str!("../../keys/rsa-1.pem");
const OTHER_KEY: &str = include_str!("../../keys/rsa-2.pem");

/// The project, as the account says.
const PROJECT: &str = "parlor-test";

/// Google on this machine.
pub struct Google {
    pub url: String,
    shared: Arc<Shared>,
    messages: mpsc::UnboundedReceiver<Value>,
    _serving: JoinSet<()>,
    _files: tempfile::TempDir,
    files: PathBuf,
}

struct Shared {
    token_uri: String,
    sender: mpsc::UnboundedSender<Value>,
    /// What was found wrong with what asked for a token.
    wrong: Mutex<Vec<String>>,
    /// Whether what asks for a token gets no answer.
    hangs: Mutex<bool>,
    /// How often a token was asked for.
    asked: Mutex<u32>,
    /// How many tokens were given out; only the last is good.
    tokens: Mutex<u32>,
    /// For how long a token is good, in seconds.
    lasts: Mutex<i64>,
    /// What the next messages are answered, the first first: a status and a body.
    answers: Mutex<Vec<(u16, Value)>>,
    /// The second that it is, by the server's clock.
    now: Box<dyn Fn() -> i64 + Send + Sync>,
}

impl Google {
    /// Starts it, with this clock.
    pub async fn start(now: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port is free");
        let url = format!("http://{}", listener.local_addr().expect("it has an address"));
        let (sender, messages) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            token_uri: format!("{url}/token"),
            sender,
            wrong: Mutex::default(),
            hangs: Mutex::default(),
            asked: Mutex::default(),
            tokens: Mutex::default(),
            lasts: Mutex::new(3_599),
            answers: Mutex::default(),
            now: Box::new(now),
        });
        let app = axum::Router::new()
            .route("/token", post(give))
            .route("/v1/projects/{project}/{send}", post(take))
            .with_state(shared.clone());
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, app).await.expect("it serves") });
        let directory = tempfile::tempdir().expect("a directory can be made");
        let files = directory.path().to_owned();
        Self { url, shared, messages, _serving: serving, _files: directory, files }
    }

    /// The file of an account that is known, or of one whose key isn't.
    pub fn account(&self, is_known: bool) -> PathBuf {
        let path = self.files.join(format!("account-{is_known}.json"));
        let account = json!({
            "type": "service_account",
            "project_id": PROJECT,
            "private_key_id": "key-1",
            "private_key": if is_known { KEY } else { OTHER_KEY },
            "client_email": "parlor@parlor-test.iam.gserviceaccount.com",
            "token_uri": self.shared.token_uri,
        });
        std::fs::write(&path, account.to_string()).expect("a file can be written");
        path
    }

    /// Answers the next messages so; those after them are taken.
    pub fn answers(&self, answers: impl IntoIterator<Item = (u16, Value)>) {
        self.shared.answers.lock().expect("no panic").extend(answers);
    }

    /// From now on tokens are good for so many seconds.
    pub fn tokens_last(&self, seconds: i64) {
        *self.shared.lasts.lock().expect("no panic") = seconds;
    }

    /// Has whatever asks for a token wait for ever, from now on, or no longer.
    pub fn hangs(&self, hangs: bool) {
        *self.shared.hangs.lock().expect("no panic") = hangs;
    }

    /// How often a token was asked for.
    pub fn asked(&self) -> u32 {
        *self.shared.asked.lock().expect("no panic")
    }

    /// No token that was given out is good any more.
    pub fn revoke(&self) {
        *self.shared.tokens.lock().expect("no panic") += 100;
    }

    /// How many tokens were given out, if none was revoked.
    pub fn tokens(&self) -> u32 {
        *self.shared.tokens.lock().expect("no panic")
    }

    /// What was wrong with what asked for tokens.
    pub fn wrong(&self) -> Vec<String> {
        self.shared.wrong.lock().expect("no panic").clone()
    }

    /// The next message that comes.
    pub async fn next(&mut self) -> Value {
        within("a message", self.messages.recv()).await.expect("Google is there")
    }

    /// What has come and wasn't asked for.
    pub fn waiting(&mut self) -> Vec<Value> {
        std::iter::from_fn(|| self.messages.try_recv().ok()).collect()
    }
}

/// What is wrong with what asks for a token.
fn judge(shared: &Shared, form: &[(String, String)]) -> Result<(), String> {
    let field = |name: &str| form.iter().find(|(it, _)| it == name).map_or("", |(_, value)| value);
    if field("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" {
        return Err("the grant".to_owned());
    }
    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|error| error.to_string());
    let (signed, signature) = field("assertion").rsplit_once('.').ok_or("no token")?;
    let (header, claims) = signed.split_once('.').ok_or("no token")?;
    let base64: String = KEY.lines().filter(|line| !line.starts_with('-')).collect();
    let own = RsaKeyPair::from_pkcs8(&STANDARD.decode(base64).expect("base64")).expect("a key");
    let public = PublicKeyComponents::<Vec<u8>>::from(own.public_key());
    let verified = public.verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &decode(signature)?);
    verified.map_err(|_| "the signature".to_owned())?;
    let [header, claims]: [Value; 2] =
        [header, claims].map(|part| serde_json::from_slice(&decode(part).unwrap_or_default()).unwrap_or_default());
    if (&header["alg"], &header["typ"], &header["kid"]) != (&json!("RS256"), &json!("JWT"), &json!("key-1")) {
        return Err(format!("the header: {header}"));
    }
    if claims["iss"] != "parlor@parlor-test.iam.gserviceaccount.com" {
        return Err(format!("the issuer: {claims}"));
    }
    if claims["aud"] != *shared.token_uri || claims["scope"] != "https://www.googleapis.com/auth/firebase.messaging" {
        return Err(format!("the audience or the scope: {claims}"));
    }
    let (from, until, now) = (claims["iat"].as_i64(), claims["exp"].as_i64(), (shared.now)());
    match (from, until) {
        (Some(from), Some(until)) if from <= now + 5 && now < until && until - from <= 3_600 => Ok(()),
        _ => Err(format!("the times, at {now}: {claims}")),
    }
}

async fn give(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    *shared.asked.lock().expect("no panic") += 1;
    let hangs = *shared.hangs.lock().expect("no panic");
    if hangs {
        return std::future::pending().await;
    }
    let form: Vec<(String, String)> = url::form_urlencoded::parse(&body).into_owned().collect();
    if let Err(problem) = judge(&shared, &form) {
        shared.wrong.lock().expect("no panic").push(problem);
        return (StatusCode::BAD_REQUEST, axum::Json(json!({ "error": "invalid_grant" }))).into_response();
    }
    let mut tokens = shared.tokens.lock().expect("no panic");
    *tokens += 1;
    let lasts = *shared.lasts.lock().expect("no panic");
    let token = json!({ "access_token": format!("token-{tokens}"), "expires_in": lasts, "token_type": "Bearer" });
    axum::Json(token).into_response()
}

async fn take(
    State(shared): State<Arc<Shared>>,
    Path((project, send)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    assert_eq!((&*project, &*send), (PROJECT, "messages:send"));
    let good = format!("Bearer token-{}", shared.tokens.lock().expect("no panic"));
    if headers["authorization"] != *good {
        return (StatusCode::UNAUTHORIZED, "{}").into_response();
    }
    let message: Value = serde_json::from_slice(&body).expect("it is JSON");
    let mut answers = shared.answers.lock().expect("no panic");
    let (status, answer) =
        if answers.is_empty() { (200, json!({ "name": "projects/p/messages/1" })) } else { answers.remove(0) };
    let retry_after = if status == 429 { "1" } else { "" };
    let status = StatusCode::from_u16(status).expect("a status");
    // Whoever is no longer asked for isn't told.
    let _ = shared.sender.send(message["message"].clone());
    (status, [("retry-after", retry_after)], axum::Json(answer)).into_response()
}
