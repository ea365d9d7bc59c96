//! The encryption of a message for one browser
//! ([RFC 8291](https://www.rfc-editor.org/rfc/rfc8291), by the coding of
//! [RFC 8188](https://www.rfc-editor.org/rfc/rfc8188)): a push service carries what it can't read.

use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::agreement::{self, ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey};
use ring::error::Unspecified;
use ring::hkdf::{HKDF_SHA256, KeyType, Salt};
use ring::rand::{SecureRandom, SystemRandom};

/// The size of a record, which holds the whole message.
const RECORD: u32 = 4_096;

/// The most bytes that fit in: a push service takes at most 4,096 of what is sealed
/// ([RFC 8030, section 7.2](https://www.rfc-editor.org/rfc/rfc8030#section-7.2)).
pub(super) const MAX_PLAIN: usize = 4_096 - HEADER - 16 - 1;

/// Salt, record size, length of the key, and the key.
const HEADER: usize = 16 + 4 + 1 + 65;

/// What ends the last record's text.
const LAST: u8 = 2;

/// So many bytes of output.
struct Bytes(usize);

impl KeyType for Bytes {
    fn len(&self) -> usize {
        self.0
    }
}

/// Encrypts a message for the browser with this public key and secret.
///
/// # Errors
/// When the key is no point of the curve, or the message is longer than [`MAX_PLAIN`].
pub(super) fn seal(plain: &[u8], p256dh: &[u8], auth: &[u8]) -> Result<Vec<u8>, Unspecified> {
    if plain.len() > MAX_PLAIN {
        return Err(Unspecified);
    }
    let random = SystemRandom::new();
    let own = EphemeralPrivateKey::generate(&ECDH_P256, &random)?;
    let public = own.compute_public_key()?;
    let mut salt = [0; 16];
    random.fill(&mut salt)?;
    let theirs = UnparsedPublicKey::new(&ECDH_P256, p256dh);
    let (key, nonce) =
        agreement::agree_ephemeral(own, &theirs, |secret| keys(secret, auth, &salt, p256dh, public.as_ref()))??;

    let mut text = Vec::with_capacity(plain.len() + 1 + 16);
    text.extend_from_slice(plain);
    text.push(LAST);
    let nonce = Nonce::assume_unique_for_key(nonce);
    LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key)?).seal_in_place_append_tag(nonce, Aad::empty(), &mut text)?;

    let mut sealed = Vec::with_capacity(HEADER + text.len());
    sealed.extend_from_slice(&salt);
    sealed.extend_from_slice(&RECORD.to_be_bytes());
    sealed.push(65);
    sealed.extend_from_slice(public.as_ref());
    sealed.extend_from_slice(&text);
    Ok(sealed)
}

/// The key and the nonce of a message, of which there is one for each pair of keys and salt.
fn keys(
    secret: &[u8],
    auth: &[u8],
    salt: &[u8],
    theirs: &[u8],
    ours: &[u8],
) -> Result<([u8; 16], [u8; 12]), Unspecified> {
    let mut shared = [0; 32];
    let info: [&[u8]; 3] = [b"WebPush: info\0", theirs, ours];
    Salt::new(HKDF_SHA256, auth).extract(secret).expand(&info, Bytes(32))?.fill(&mut shared)?;
    let prk = Salt::new(HKDF_SHA256, salt).extract(&shared);
    let (mut key, mut nonce) = ([0; 16], [0; 12]);
    prk.expand(&[b"Content-Encoding: aes128gcm\0"], Bytes(16))?.fill(&mut key)?;
    prk.expand(&[b"Content-Encoding: nonce\0"], Bytes(12))?.fill(&mut nonce)?;
    Ok((key, nonce))
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    fn decode(text: &str) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(text).expect("Base64")
    }

    /// Opens what the owner of these keys receives.
    fn open(sealed: &[u8], own: EphemeralPrivateKey, public: &[u8], auth: &[u8]) -> Vec<u8> {
        let (salt, ours) = (&sealed[..16], &sealed[21..86]);
        assert_eq!((&sealed[16..20], sealed[20]), (&4_096_u32.to_be_bytes()[..], 65));
        let theirs = UnparsedPublicKey::new(&ECDH_P256, ours);
        let keys = agreement::agree_ephemeral(own, &theirs, |secret| keys(secret, auth, salt, public, ours));
        let (key, nonce) = keys.expect("both are points").expect("there are keys");
        let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).expect("a key"));
        let mut text = sealed[86..].to_vec();
        let nonce = Nonce::assume_unique_for_key(nonce);
        let plain = key.open_in_place(nonce, Aad::empty(), &mut text).expect("it is for these keys");
        assert_eq!(plain.last(), Some(&LAST));
        plain[..plain.len() - 1].to_vec()
    }

    /// The values of [RFC 8291, appendix A](https://www.rfc-editor.org/rfc/rfc8291#appendix-A).
    #[test]
    fn the_keys_are_those_of_the_example_of_the_standard() {
        let secret = decode("kyrL1jIIOHEzg3sM2ZWRHDRB62YACZhhSlknJ672kSs");
        let auth = decode("BTBZMqHH6r4Tts7J_aSIgg");
        let salt = decode("DGv6ra1nlYgDCS1FRnbzlw");
        let theirs = decode("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4");
        let ours = decode("BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8");
        let (key, nonce) = keys(&secret, &auth, &salt, &theirs, &ours).expect("there are keys");
        assert_eq!((key.to_vec(), nonce.to_vec()), (decode("oIhVW04MRdy2XN9CiKLxTg"), decode("4h_95klXJ5E_qnoN")));
    }

    #[test]
    fn what_is_sealed_is_opened_by_its_owner_alone_and_never_twice_the_same() {
        let random = SystemRandom::new();
        let owner = || EphemeralPrivateKey::generate(&ECDH_P256, &random).expect("there is chance");
        for length in [0, 1, 500, MAX_PLAIN] {
            let (own, plain) = (owner(), vec![b'x'; length]);
            let public = own.compute_public_key().expect("a point");
            let sealed = seal(&plain, public.as_ref(), &[7; 16]).expect("it is sealed");
            assert!(sealed.len() <= 4_096);
            assert_ne!(sealed, seal(&plain, public.as_ref(), &[7; 16]).expect("it is sealed"));
            assert_eq!(open(&sealed, own, public.as_ref(), &[7; 16]), plain);
        }
        assert!(seal(&vec![0; MAX_PLAIN + 1], &[4; 65], &[7; 16]).is_err(), "it is too long");
        assert!(seal(b"x", &[4; 65], &[7; 16]).is_err(), "this is no point of the curve");
    }
}
