//! Which tokens are refused, and that no others are.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::*;

const SECRET: &[u8; 32] = b"a secret of thirty-two bytes, ok";

fn tokens() -> Tokens {
    Tokens::new(&Secret::new(SECRET).expect("it is long enough"))
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp_micros(1_800_000_000_123_457).expect("is a date")
}

/// Claims as [`Tokens::issue`] would make them, issued now.
fn claims() -> Value {
    json!({
        "iss": "parlor", "aud": "parlor", "sub": UserId::generate().to_string(),
        "sid": SessionId::generate().to_string(), "jti": "1",
        "iat": 1_800_000_000, "exp": 1_800_000_600,
    })
}

fn sign(header: &Header, claims: &Value, secret: &[u8]) -> String {
    signatures::install();
    encode(header, claims, &EncodingKey::from_secret(secret)).expect("signs")
}

fn verify(token: &str) -> Result<Claims, Invalid> {
    tokens().verify(token, now())
}

/// The outcome for valid claims, except for this one.
fn with(name: &str, value: Value) -> Result<Claims, Invalid> {
    let mut claims = claims();
    claims[name] = value;
    verify(&sign(&Header::new(Algorithm::HS256), &claims, SECRET))
}

#[test]
fn an_issued_token_says_what_was_put_into_it_to_the_microsecond() {
    let tokens = tokens();
    let (user, session) = (UserId::generate(), SessionId::generate());
    for session in [Some(session), None] {
        for micros in 0..1_000 {
            let now = now() + TimeDelta::microseconds(micros * 1_001);
            let (token, expires_at) = tokens.issue(user, session, now, ACCESS_LIFETIME);
            assert_eq!(
                tokens.verify(&token, now),
                Ok(Claims { user, session, issued_by: None, issued_at: now, expires_at })
            );
        }
    }
}

#[test]
fn a_token_expires_at_the_exact_second() {
    let tokens = tokens();
    let (token, expires_at) = tokens.issue(UserId::generate(), None, now(), ACCESS_LIFETIME);
    assert_eq!(expires_at, DateTime::from_timestamp(1_800_000_600, 0).expect("is a date"));
    assert!(tokens.verify(&token, expires_at - TimeDelta::microseconds(1)).is_ok());
    assert_eq!(tokens.verify(&token, expires_at), Err(Invalid));
}

#[test]
fn only_hs256_with_the_very_secret_is_taken() {
    assert!(verify(&sign(&Header::new(Algorithm::HS256), &claims(), SECRET)).is_ok());
    assert!(verify(&sign(&Header::new(Algorithm::HS256), &claims(), b"a secret of thirty-two bytes, no")).is_err());
    assert!(verify(&sign(&Header::new(Algorithm::HS384), &claims(), SECRET)).is_err());
    assert!(verify(&sign(&Header::new(Algorithm::HS512), &claims(), SECRET)).is_err());

    let part = |json: Value| URL_SAFE_NO_PAD.encode(json.to_string());
    for alg in ["none", "None", "NONE", ""] {
        let unsigned = format!("{}.{}.", part(json!({ "alg": alg, "typ": "JWT" })), part(claims()));
        assert!(verify(&unsigned).is_err(), "{alg}");
    }
}

#[test]
fn a_token_with_extensions_that_must_be_understood_is_refused() {
    for crit in [vec![], vec!["exp"], vec!["b64"], vec!["http://example.com/unknown"]] {
        let crit = Some(crit.into_iter().map(str::to_owned).collect());
        assert!(verify(&sign(&Header { crit, ..Header::new(Algorithm::HS256) }, &claims(), SECRET)).is_err());
    }
}

#[test]
fn a_changed_payload_or_signature_is_refused() {
    let token = sign(&Header::new(Algorithm::HS256), &claims(), SECRET);
    let [header, _, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
    let other = URL_SAFE_NO_PAD.encode(claims().to_string());
    assert!(verify(&format!("{header}.{other}.{signature}")).is_err());
    assert!(verify(&format!("{header}.{other}.")).is_err());
    assert!(verify(&token[..token.len() - 1]).is_err());
    assert!(verify(&format!("{token}A")).is_err());
}

#[test]
fn every_claim_but_the_session_is_required() {
    for name in ["iss", "aud", "sub", "jti", "iat", "exp"] {
        let mut claims = claims();
        claims.as_object_mut().expect("is an object").remove(name);
        assert!(verify(&sign(&Header::new(Algorithm::HS256), &claims, SECRET)).is_err(), "{name}");
        assert!(with(name, Value::Null).is_err(), "{name}");
    }
    assert_eq!(with("sid", Value::Null).expect("is valid").session, None);
}

#[test]
fn a_claim_with_another_value_is_refused() {
    assert!(with("iss", json!("else")).is_err());
    assert!(with("aud", json!("else")).is_err());
    assert!(with("sub", json!("room_01h455vb4pex5vsknk084sn02q")).is_err());
    assert!(with("sid", json!("room_01h455vb4pex5vsknk084sn02q")).is_err());
    assert!(with("exp", json!(1_800_000_000)).is_err());
    assert!(with("exp", json!(-1)).is_err());
    assert!(with("exp", json!(1e300)).is_err());
    assert!(with("iat", json!(1e300)).is_err());
}

#[test]
fn a_token_of_the_future_is_refused() {
    assert!(with("iat", json!(1_800_000_060)).is_ok());
    assert!(with("iat", json!(1_800_000_061)).is_err());
    assert!(with("nbf", json!(1_800_000_000)).is_ok());
    assert!(with("nbf", json!(1_800_000_001)).is_err());
    assert!(with("nbf", json!("soon")).is_err());
}

#[test]
fn garbage_is_refused() {
    for text in ["", ".", "..", "...", "a.b.c", "ключ.от.двери", "\u{0}.\u{0}.\u{0}", "🗝.🗝.🗝"] {
        assert_eq!(verify(text), Err(Invalid), "{text:?}");
    }
    let mut long = claims();
    long["note"] = json!("x".repeat(MAX_TOKEN_BYTES));
    assert!(verify(&sign(&Header::new(Algorithm::HS256), &long, SECRET)).is_err());
}
