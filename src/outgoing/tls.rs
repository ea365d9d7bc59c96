//! TLS with servers elsewhere.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};

/// TLS that trusts the system's certificate authorities, which `SSL_CERT_FILE` and `SSL_CERT_DIR` may name. Where the
/// system has none, as in a small container, it trusts Mozilla's.
///
/// # Errors
/// When there is no cryptography for it.
pub(crate) fn config() -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| error.to_string())?;
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
