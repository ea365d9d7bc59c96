//! Content codings: compressing answers, and reading compressed bodies.

use std::io::{Read, Write};

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use bytes::Bytes;
use flate2::Compression;
use flate2::bufread::{GzDecoder, ZlibDecoder};
use flate2::write::GzEncoder;
use tokio::sync::Semaphore;

/// Answers up to this length aren't compressed: they fit into one packet.
const WORTHWHILE: usize = 1_024;

/// Answers that are compressed at a time, each with up to 2 MiB of work space. While so many are, others are sent as they
/// are.
const AT_A_TIME: usize = 8;

/// Bytes that are compressed before other tasks of the thread may go on: less than a millisecond.
const STEP: usize = 16 * 1024;

/// Beyond these, an answer takes longer to compress than a client gains by it.
const BROTLI_QUALITY: u32 = 4;
const BROTLI_WINDOW_BITS: u32 = 18;
const GZIP_LEVEL: u32 = 4;

/// The codings in which a body is read, as the header `Accept-Encoding` names them.
pub(crate) const READ: &str = "gzip, deflate";

/// A coding in which answers are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    /// `br` ([RFC 7932](https://www.rfc-editor.org/rfc/rfc7932)).
    Brotli,
    /// `gzip` ([RFC 1952](https://www.rfc-editor.org/rfc/rfc1952)).
    Gzip,
}

/// A body can't be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Undecodable {
    /// It is in a coding that isn't read.
    Unknown,
    /// It is longer than it may be once it is decoded.
    TooLong,
    /// It isn't what its coding demands.
    Broken,
}

impl Coding {
    /// The coding that the client prefers of those that answers are sent in. `None`: it wants none, or prefers none
    /// ([RFC 9110, section 12.5.3](https://www.rfc-editor.org/rfc/rfc9110#section-12.5.3)).
    #[must_use]
    pub(crate) fn accepted(headers: &HeaderMap) -> Option<Self> {
        let codings: Vec<(String, f32)> = tokens(headers, &header::ACCEPT_ENCODING).map(|it| weighed(&it)).collect();
        let weight = |names: &[&str]| {
            let of = |name: &str| codings.iter().find(|(coding, _)| coding == name).map(|(_, weight)| *weight);
            names.iter().find_map(|name| of(name)).or_else(|| of("*")).unwrap_or(0.0)
        };
        let (brotli, gzip) = (weight(&["br"]), weight(&["gzip", "x-gzip"]));
        let identity = codings.iter().find(|(coding, _)| coding == "identity").map_or(0.0, |(_, weight)| *weight);
        match (brotli, gzip) {
            _ if brotli.max(gzip) <= 0.0 || identity > brotli.max(gzip) => None,
            _ if brotli >= gzip => Some(Self::Brotli),
            _ => Some(Self::Gzip),
        }
    }

    /// Its name in `Content-Encoding`.
    #[must_use]
    pub(crate) fn name(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        })
    }
}

/// Compresses answers, some at a time.
pub struct Compressor {
    turns: Semaphore,
}

impl Default for Compressor {
    fn default() -> Self {
        Self { turns: Semaphore::new(AT_A_TIME) }
    }
}

impl Compressor {
    /// The answer in this coding. `None` when it is too short to gain by it, or too many others are being compressed.
    pub(crate) async fn compress(&self, coding: Coding, plain: &[u8]) -> Option<Vec<u8>> {
        if !is_worthwhile(plain) {
            return None;
        }
        let _turn = self.turns.try_acquire().ok()?;
        let room = Vec::with_capacity(plain.len() / 4);
        let compressed = match coding {
            Coding::Brotli => {
                let encoder = brotli::CompressorWriter::new(room, 4_096, BROTLI_QUALITY, BROTLI_WINDOW_BITS);
                write_in_steps(encoder, plain).await?.into_inner()
            }
            Coding::Gzip => {
                let encoder = GzEncoder::new(room, Compression::new(GZIP_LEVEL));
                write_in_steps(encoder, plain).await?.finish().ok()?
            }
        };
        (compressed.len() < plain.len()).then_some(compressed)
    }
}

/// Whether an answer is long enough to be compressed.
#[must_use]
pub(crate) fn is_worthwhile(plain: &[u8]) -> bool {
    plain.len() > WORTHWHILE
}

async fn write_in_steps<W: Write>(mut encoder: W, plain: &[u8]) -> Option<W> {
    for step in plain.chunks(STEP) {
        encoder.write_all(step).ok()?;
        tokio::task::yield_now().await;
    }
    Some(encoder)
}

/// A body as it was before it was encoded, if it is no longer than this. A longer one is not decoded to its end.
///
/// # Errors
/// When it is longer, broken, or in another coding than [`READ`].
pub(crate) fn decode(headers: &HeaderMap, body: Bytes, max_bytes: usize) -> Result<Bytes, Undecodable> {
    let mut codings = tokens(headers, &header::CONTENT_ENCODING).filter(|coding| coding != "identity");
    let (coding, more) = (codings.next(), codings.next());
    match (coding.as_deref(), more) {
        (None, _) => Ok(body),
        (Some("gzip" | "x-gzip"), None) => {
            let mut encoded = GzDecoder::new(&*body);
            let plain = read(&mut encoded, max_bytes)?;
            if encoded.into_inner().is_empty() { Ok(plain) } else { Err(Undecodable::Broken) }
        }
        (Some("deflate"), None) => {
            let mut encoded = ZlibDecoder::new(&*body);
            let plain = read(&mut encoded, max_bytes)?;
            if encoded.into_inner().is_empty() { Ok(plain) } else { Err(Undecodable::Broken) }
        }
        (Some(_), _) => Err(Undecodable::Unknown),
    }
}

fn read(encoded: &mut impl Read, max_bytes: usize) -> Result<Bytes, Undecodable> {
    let mut plain = Vec::new();
    let read = encoded.by_ref().take(max_bytes as u64 + 1).read_to_end(&mut plain);
    if plain.len() > max_bytes {
        return Err(Undecodable::TooLong);
    }
    read.map_err(|_| Undecodable::Broken)?;
    Ok(plain.into())
}

/// The items of a list over all lines of the header, in lower case.
fn tokens<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = String> + use<'h> {
    let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    let items = lines.flat_map(|line| line.split(',')).map(|item| item.trim().to_ascii_lowercase());
    items.filter(|item| !item.is_empty())
}

/// A coding and its weight, which is 1 unless it is given.
fn weighed(item: &str) -> (String, f32) {
    let mut parts = item.split(';').map(str::trim);
    let coding = parts.next().unwrap_or_default().to_owned();
    let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(1.0, |weight| weight.parse().unwrap_or(0.0));
    (coding, weight)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn the_coding_is_the_one_that_the_client_prefers() {
        use Coding::{Brotli, Gzip};
        for (accept, expected) in [
            ("gzip", Some(Gzip)),
            ("GZIP", Some(Gzip)),
            ("x-gzip", Some(Gzip)),
            ("br", Some(Brotli)),
            ("gzip, deflate, br, zstd", Some(Brotli)),
            ("br;q=0.5, gzip", Some(Gzip)),
            ("*", Some(Brotli)),
            ("br;q=0, *", Some(Gzip)),
            ("gzip;q=0", None),
            ("*;q=0", None),
            ("identity", None),
            ("identity;q=0", None),
            ("gzip;q=0.5, identity", None),
            ("gzip, identity;q=0.5", Some(Gzip)),
            ("zstd", None),
            ("gzip;q=nonsense", None),
            ("", None),
        ] {
            assert_eq!(Coding::accepted(&headers(header::ACCEPT_ENCODING, accept)), expected, "{accept}");
        }
        assert_eq!(Coding::accepted(&HeaderMap::new()), None);
    }

    async fn gzipped(plain: &[u8]) -> Vec<u8> {
        Compressor::default().compress(Coding::Gzip, plain).await.expect("is worthwhile")
    }

    #[tokio::test]
    async fn what_is_compressed_is_read_again() {
        let plain = r#"{"body":"hello"},"#.repeat(10_000);
        let compressed = gzipped(plain.as_bytes()).await;
        assert!(compressed.len() < plain.len() / 10);
        let gzip = headers(header::CONTENT_ENCODING, "gzip");
        assert_eq!(decode(&gzip, compressed.into(), plain.len()).as_deref(), Ok(plain.as_bytes()));

        let compressed = Compressor::default().compress(Coding::Brotli, plain.as_bytes()).await.expect("worthwhile");
        let mut again = Vec::new();
        brotli::Decompressor::new(&*compressed, 4_096).read_to_end(&mut again).expect("is brotli");
        assert_eq!(again, plain.as_bytes());
    }

    #[tokio::test]
    async fn what_would_gain_nothing_stays_as_it_is() {
        let compressor = Compressor::default();
        for coding in [Coding::Brotli, Coding::Gzip] {
            assert_eq!(compressor.compress(coding, &[b'x'; WORTHWHILE]).await, None);
            let mut noise = vec![0; 4_096];
            getrandom::fill(&mut noise).expect("random bytes");
            assert_eq!(compressor.compress(coding, &noise).await, None);
            assert!(compressor.compress(coding, &[b'x'; WORTHWHILE + 1]).await.is_some());
        }
        let _all = compressor.turns.try_acquire_many(8).expect("none is taken");
        assert_eq!(compressor.compress(Coding::Gzip, &[b'x'; 10_000]).await, None, "others are sent as they are");
    }

    #[tokio::test]
    async fn a_body_is_decoded_to_its_limit_and_no_further() {
        let gzip = headers(header::CONTENT_ENCODING, "x-gzip");
        let bomb = Bytes::from(gzipped(&vec![b' '; 64 * 1024 * 1024]).await);
        assert_eq!(decode(&gzip, bomb.clone(), 256 * 1024), Err(Undecodable::TooLong));
        let exact = Bytes::from(gzipped(&[b' '; 2_000]).await);
        assert!(decode(&gzip, exact.clone(), 2_000).is_ok());
        assert_eq!(decode(&gzip, exact.clone(), 1_999), Err(Undecodable::TooLong));
        let cut = exact.slice(..exact.len() - 1);
        let twice = Bytes::from([&*exact, &*exact].concat());
        for broken in [cut, twice, Bytes::from_static(b"{}"), Bytes::new()] {
            assert_eq!(decode(&gzip, broken, 10_000), Err(Undecodable::Broken));
        }
    }

    #[test]
    fn a_body_in_another_coding_is_not_guessed_at() {
        let body = || Bytes::from_static(b"{}");
        for coding in ["br", "zstd", "gzip, gzip", "deflate, gzip", "nonsense"] {
            let decoded = decode(&headers(header::CONTENT_ENCODING, coding), body(), 10);
            assert_eq!(decoded, Err(Undecodable::Unknown), "{coding}");
        }
        for coding in ["", "identity", "Identity, identity"] {
            assert_eq!(decode(&headers(header::CONTENT_ENCODING, coding), body(), 10), Ok(body()), "{coding}");
        }
    }
}
