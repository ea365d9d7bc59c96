//! Which tokens of issuers are refused, and that no others are.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use futures_util::FutureExt;
use serde_json::json;

use super::fetch::{Fetch, FetchError, Fetched};
use super::keys::KeySet;
use super::*;
use signing::TestKey;

#[path = "../../tests/keys/mod.rs"]
pub(super) mod signing;

const SECRET: &str = "a secret of the app's own backend, long enough";
const ISSUER: &str = "https://id.example";

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).expect("a date")
}

/// An issuer with these settings beside its name and audience, which publishes these keys if it has no secret.
fn issuer(more: Value, keys: &Value) -> Issuer {
    signatures::install();
    let mut settings = json!({ "issuer": ISSUER, "audience": ["chat", "chat-staging"] });
    let Value::Object(more) = more else { panic!("settings are an object") };
    settings.as_object_mut().expect("an object").extend(more);
    let settings: IssuerSettings = serde_json::from_value(settings).expect("settings");
    let document = json!({ "keys": keys }).to_string();
    let fetch: Fetch = Arc::new(move || {
        let keys = KeySet::parse(document.as_bytes()).map_err(FetchError);
        async { Ok(Fetched { keys: keys?, lifetime: TimeDelta::minutes(10) }) }.boxed()
    });
    let keys = match settings.keys() {
        Keys::Secret => IssuerKeys::Secret(secret(&settings).expect("a secret")),
        Keys::Published(_) => IssuerKeys::Published(KeyCache::new(ISSUER, fetch, Clock::default(), TaskTracker::new())),
    };
    Issuer { algorithms: settings.algorithms(), settings, keys }
}

fn with_secret(more: Value) -> Issuer {
    let mut settings = json!({ "secret": SECRET });
    let Value::Object(more) = more else { panic!("settings are an object") };
    settings.as_object_mut().expect("an object").extend(more);
    issuer(settings, &Value::Null)
}

fn with_keys(algorithms: &[&str], keys: &Value) -> Issuer {
    issuer(json!({ "jwks_url": "https://id.example/keys", "algorithms": algorithms }), keys)
}

/// Claims that are accepted.
fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": "chat", "sub": "42", "name": "Ann Lee",
        "iat": 1_799_999_990, "exp": 1_800_000_600,
    })
}

fn hs256(claims: &Value) -> String {
    TestKey::secret(SECRET.as_bytes()).sign(&json!({ "alg": "HS256", "typ": "JWT" }), claims)
}

/// The outcome for acceptable claims, except for this one, which may be left out.
async fn with(issuer: &Issuer, name: &str, value: Option<Value>) -> Result<HostToken, Refused> {
    let mut claims = claims();
    let object = claims.as_object_mut().expect("an object");
    match value {
        Some(value) => object.insert(name.to_owned(), value),
        None => object.remove(name),
    };
    issuer.verify(&hs256(&claims), now()).await
}

#[tokio::test]
async fn a_token_says_who_it_stands_for_and_for_how_long() {
    let token = with_secret(json!({ "prefix": "app:" })).verify(&hs256(&claims()), now()).await.expect("is valid");
    assert_eq!((token.external_id.as_str(), token.name.as_deref()), ("app:42", Some("Ann Lee")));
    assert_eq!(token.issued_at, now() - TimeDelta::seconds(10));
    assert_eq!(token.expires_at, now() + TimeDelta::seconds(660));
    assert_eq!(token.until, token.expires_at);

    let lasting = with_secret(json!({ "socket_ttl_secs": 3_600 }));
    let token = lasting.verify(&hs256(&claims()), now()).await.expect("is valid");
    assert_eq!((token.expires_at, token.until), (now() + TimeDelta::seconds(660), now() + TimeDelta::hours(1)));
    let brief = with_secret(json!({ "socket_ttl_secs": 30 }));
    assert_eq!(brief.verify(&hs256(&claims()), now()).await.expect("is valid").until, token.expires_at);
}

#[tokio::test]
async fn a_claim_that_is_missing_or_wrong_is_refused() {
    let issuer = with_secret(json!({}));
    for name in ["iss", "aud", "sub", "iat", "exp"] {
        assert_eq!(with(&issuer, name, None).await, Err(Refused::Invalid), "{name}");
        assert_eq!(with(&issuer, name, Some(Value::Null)).await, Err(Refused::Invalid), "{name}");
    }
    for (name, value) in [
        ("iss", json!("https://id.example/")),
        ("iss", json!("parlor")),
        ("iss", json!([ISSUER])),
        ("aud", json!("Chat")),
        ("aud", json!(["other"])),
        ("aud", json!([])),
        ("aud", json!({ "chat": "chat" })),
        ("sub", json!("")),
        ("sub", json!(42)),
        ("sub", json!("a\0b")),
        ("sub", json!(" 42")),
        ("sub", json!("x".repeat(129))),
        ("exp", json!("1800000600")),
        ("exp", json!(-1)),
        ("exp", json!(1e300)),
        ("iat", json!("soon")),
        ("iat", json!(1e300)),
        ("nbf", json!("soon")),
    ] {
        assert_eq!(with(&issuer, name, Some(value.clone())).await, Err(Refused::Invalid), "{name}: {value}");
    }
    for (name, value) in [
        ("aud", json!("chat-staging")),
        ("aud", json!(["other", "chat"])),
        ("sub", json!("x".repeat(128))),
        ("exp", json!(1_800_000_600.75)),
        ("name", json!(7)),
    ] {
        assert!(with(&issuer, name, Some(value.clone())).await.is_ok(), "{name}: {value}");
    }
}

#[tokio::test]
async fn two_clocks_may_differ_by_a_minute_and_a_token_lasts_for_a_day() {
    let issuer = with_secret(json!({}));
    for (name, seconds, is_valid) in [
        ("exp", -59, true),
        ("exp", -60, false),
        ("iat", 60, true),
        ("iat", 61, false),
        ("nbf", 60, true),
        ("nbf", 61, false),
        ("nbf", -3_600, true),
        ("exp", 86_390, true),
        ("exp", 86_391, false),
        ("iat", -85_800, true),
        ("iat", -85_801, false),
        // Issued after it expires.
        ("exp", -10, false),
    ] {
        let mut claims = claims();
        if (name, seconds) == ("exp", -59) {
            claims["iat"] = json!(1_799_999_000);
        }
        claims[name] = json!(1_800_000_000 + seconds);
        assert_eq!(issuer.verify(&hs256(&claims), now()).await.is_ok(), is_valid, "{name} {seconds}");
    }
}

#[tokio::test]
async fn another_claim_than_aud_may_say_whom_a_token_is_for() {
    let clerk = with_secret(json!({ "audience_claim": "azp", "audience": "https://app.example" }));
    assert!(with(&clerk, "azp", Some(json!("https://app.example"))).await.is_ok());
    assert!(with(&clerk, "azp", Some(json!("https://evil.example"))).await.is_err());
    assert!(with(&clerk, "azp", None).await.is_err(), "`aud` alone says nothing then");
}

#[tokio::test]
async fn forged_tokens_are_refused() {
    let (rsa, other) = (TestKey::rsa(0), TestKey::rsa(1));
    let public = with_keys(&["RS256"], &json!([rsa.jwk("a")]));
    let secret = with_secret(json!({}));
    let header = |more: Value| {
        let mut header = json!({ "alg": "RS256", "kid": "a" });
        let Value::Object(more) = more else { panic!("a header is an object") };
        header.as_object_mut().expect("an object").extend(more);
        header
    };
    let good = rsa.sign(&header(json!({})), &claims());
    assert!(public.verify(&good, now()).await.is_ok());
    // A token may say where its key is. Nobody looks there.
    let pointing = header(json!({ "jku": "https://evil.example/keys", "x5u": "https://evil.example/cert" }));
    assert!(public.verify(&rsa.sign(&pointing, &claims()), now()).await.is_ok());

    let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let unsigned = |alg: &str| format!("{}.{}.", part(&json!({ "alg": alg, "kid": "a" })), part(&claims()));
    let [head, _, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
    let elsewhere = {
        let mut claims = claims();
        claims["sub"] = json!("1");
        format!("{head}.{}.{signature}", part(&claims))
    };
    let by_public_key =
        |bytes: &[u8], kid: &Value| TestKey::secret(bytes).sign(&json!({ "alg": "HS256", "kid": kid }), &claims());
    let long = {
        let mut claims = claims();
        claims["note"] = json!("x".repeat(MAX_TOKEN_BYTES));
        rsa.sign(&header(json!({})), &claims)
    };
    assert!(long.len() > MAX_TOKEN_BYTES);
    let forged = [
        ("alg none", unsigned("none")),
        ("alg None", unsigned("None")),
        ("no alg", unsigned("")),
        ("HS256 by the public key in DER", by_public_key(&rsa.public_der(), &json!("a"))),
        ("HS256 by the public key in PEM", by_public_key(rsa.public_pem().as_bytes(), &json!("a"))),
        ("HS256 by the public key, without a key id", by_public_key(rsa.public_pem().as_bytes(), &Value::Null)),
        ("another key", other.sign(&header(json!({})), &claims())),
        ("another key, without a key id", other.sign(&json!({ "alg": "RS256" }), &claims())),
        ("an unknown key id", other.sign(&header(json!({ "kid": "b" })), &claims())),
        ("its own key", other.sign(&header(json!({ "jwk": other.jwk("a") })), &claims())),
        ("its own URL", other.sign(&header(json!({ "jku": "https://evil.example/keys" })), &claims())),
        ("an algorithm that isn't the issuer's", rsa.sign(&header(json!({ "alg": "RS512" })), &claims())),
        ("another algorithm of the same key", rsa.sign(&header(json!({ "alg": "PS256" })), &claims())),
        ("critical extensions", rsa.sign(&header(json!({ "crit": ["b64"], "b64": true })), &claims())),
        ("no critical extensions", rsa.sign(&header(json!({ "crit": [] })), &claims())),
        ("other claims", elsewhere),
        ("no signature", format!("{}.", &good[..good.rfind('.').expect("a dot")])),
        ("half a signature", good[..good.len() - 100].to_owned()),
        ("more of a signature", format!("{good}AAAA")),
        ("5 KiB", long),
        ("four parts", format!("{good}.e30")),
        ("nothing", String::new()),
        ("dots", "..".to_owned()),
        ("no JSON", "a.b.c".to_owned()),
    ];
    for (what, token) in &forged {
        assert_eq!(public.verify(token, now()).await, Err(Refused::Invalid), "{what}");
        assert_eq!(secret.verify(token, now()).await, Err(Refused::Invalid), "{what}, by secret");
    }
    assert_eq!(public.verify(&hs256(&claims()), now()).await, Err(Refused::Invalid));
    let hs384 = TestKey::secret(SECRET.as_bytes()).sign(&json!({ "alg": "HS384" }), &claims());
    assert_eq!(secret.verify(&hs384, now()).await, Err(Refused::Invalid));
}

#[tokio::test]
async fn each_algorithm_is_verified_by_keys_of_its_type_alone() {
    let keys = [
        ("rsa", TestKey::rsa(0), &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"][..]),
        ("p256", TestKey::p256(), &["ES256"]),
        ("p384", TestKey::p384(), &["ES384"]),
        ("ed", TestKey::ed25519(), &["EdDSA"]),
    ];
    let all: Vec<&str> = keys.iter().flat_map(|(_, _, algorithms)| algorithms.iter().copied()).collect();
    let set: Vec<Value> = keys.iter().map(|(id, key, _)| key.jwk(id)).collect();
    let issuer = with_keys(&all, &json!(set));
    for (id, key, algorithms) in &keys {
        for algorithm in *algorithms {
            let signed = |kid: &Value| key.sign(&json!({ "alg": algorithm, "kid": kid }), &claims());
            assert!(issuer.verify(&signed(&json!(id)), now()).await.is_ok(), "{algorithm}");
            assert!(issuer.verify(&signed(&Value::Null), now()).await.is_ok(), "{algorithm} without a key id");
            for (other, _, _) in keys.iter().filter(|(other, _, _)| other != id) {
                let token = signed(&json!(other));
                assert_eq!(issuer.verify(&token, now()).await, Err(Refused::Invalid), "{algorithm} by {other}");
            }
        }
    }
}

#[tokio::test]
async fn keys_for_something_else_verify_nothing() {
    let key = TestKey::rsa(0);
    let token = key.sign(&json!({ "alg": "RS256", "kid": "a" }), &claims());
    let outcome = async |more: Value| {
        let mut jwk = key.jwk("a");
        let Value::Object(more) = more else { panic!("members of an object") };
        jwk.as_object_mut().expect("an object").extend(more);
        with_keys(&["RS256", "PS256"], &json!([jwk, { "kty": "new" }, 7])).verify(&token, now()).await.is_ok()
    };
    for good in
        [json!({ "use": "sig" }), json!({ "alg": "RS256" }), json!({ "key_ops": ["verify"] }), json!({ "x5t": "x" })]
    {
        assert!(outcome(good.clone()).await, "{good}");
    }
    for bad in [
        json!({ "use": "enc" }),
        json!({ "alg": "PS256" }),
        json!({ "alg": "RSA-OAEP" }),
        json!({ "alg": "new" }),
        json!({ "key_ops": ["sign"] }),
        json!({ "n": "AQAB" }),
        json!({ "kid": "b" }),
        json!({ "kty": "EC" }),
    ] {
        assert!(!outcome(bad.clone()).await, "{bad}");
    }
    let Some(Value::String(n)) = key.jwk("a").get("n").cloned() else { panic!("a modulus") };
    let padded = [&[0][..], &URL_SAFE_NO_PAD.decode(n).expect("base64url")].concat();
    assert!(outcome(json!({ "n": URL_SAFE_NO_PAD.encode(padded) })).await, "zeros before a number mean nothing");
}

#[test]
fn a_token_is_of_the_issuer_that_it_names() {
    let settings = |name: &str| {
        let settings = json!({ "issuer": name, "audience": "chat", "secret": SECRET, "prefix": name });
        serde_json::from_value(settings).expect("settings")
    };
    let open = Issuers::open(&[settings("one"), settings("two")], &Clock::default(), &TaskTracker::new());
    let issuers = open.unwrap_or_else(|error| panic!("{error}"));
    let named =
        |iss: Value| issuers.named_by(&hs256(&json!({ "iss": iss }))).map(|issuer| issuer.settings.issuer.as_str());
    assert_eq!((named(json!("one")), named(json!("two"))), (Some("one"), Some("two")));
    for other in [json!("parlor"), json!("three"), json!("One"), json!(null), json!(["one"])] {
        assert_eq!(named(other.clone()), None, "{other}");
    }
    assert!(issuers.named_by("").is_none() && issuers.named_by("a.b.c").is_none());
}

#[test]
fn tokens_from_before_a_revocation_are_refused_and_the_next_is_not() {
    let token = |micros: i64| HostToken {
        external_id: "42".to_owned(),
        name: None,
        issued_at: now() + TimeDelta::microseconds(micros),
        expires_at: now() + TimeDelta::hours(1),
        until: now() + TimeDelta::hours(1),
    };
    let second = 1_000_000;
    // Revoked half a second after `now`; then the token is shown so many seconds after `now`.
    let revoked = |issued: i64, shown: i64| {
        token(issued).is_revoked(now() + TimeDelta::milliseconds(500), now() + TimeDelta::seconds(shown))
    };
    assert!(revoked(-1, 1) && revoked(-3_600 * second, 1));
    assert!(!revoked(0, 1), "a whole second says no more than that it may be the same one");
    assert!(!revoked(second, 1) && !revoked(6 * second, 1));
    assert!(revoked(40 * second, 1), "a host whose clock is ahead may have issued it before");
    assert!(!revoked(40 * second, 35));
    assert!(!revoked(120 * second, 62), "it can't be of before the revocation");
    assert!(!token(50 * second).is_revoked(DateTime::UNIX_EPOCH, now()), "nothing was revoked");
}

#[test]
fn a_secret_may_stand_in_a_file() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("secret");
    let open = || {
        let settings = json!({ "issuer": "app", "audience": "chat", "secret_file": path });
        let settings = serde_json::from_value(settings).expect("settings");
        Issuers::open(&[settings], &Clock::default(), &TaskTracker::new())
            .map(|_| ())
            .map_err(|error| error.to_string())
    };
    assert!(open().expect_err("no file").contains("`app`"));
    fs::write(&path, "too short\n").expect("writes");
    assert!(open().expect_err("too short").contains("at least 32 bytes"));
    fs::write(&path, format!("{SECRET}\n")).expect("writes");
    assert_eq!(open(), Ok(()));
}
