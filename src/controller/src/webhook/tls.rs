//! The certificate that the webhook serves, and its replacement while connections go on.

use std::sync::{Arc, PoisonError, RwLock};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, version};

/// Why a certificate can't be served.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// No PEM of the kind that belongs there.
    #[error("{what} holds no {wanted} in PEM: {error}")]
    Pem {
        /// Where it should be.
        what: &'static str,
        /// What should be there.
        wanted: &'static str,
        /// Why.
        #[source]
        error: rustls::pki_types::pem::Error,
    },
    /// Certificate and key don't belong together, or are of an unknown sort.
    #[error("certificate and key can't be used together: {0}")]
    Pair(#[source] rustls::Error),
}

/// The certificate of the moment; clones share it. Without one, handshakes fail.
#[derive(Debug, Clone, Default)]
pub struct Serving(Arc<RwLock<Option<Arc<CertifiedKey>>>>);

impl Serving {
    /// Serves another certificate from the next handshake on; both in PEM, the chain leaf first.
    ///
    /// # Errors
    /// [`Unusable`]; what was served before stays.
    pub fn serve(&self, chain: &[u8], key: &[u8]) -> Result<(), Unusable> {
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<_, _>>()
            .and_then(|chain: Vec<_>| {
                if chain.is_empty() {
                    Err(rustls::pki_types::pem::Error::NoItemsFound)
                } else {
                    Ok(chain)
                }
            })
            .map_err(|error| Unusable::Pem {
                what: "tls.crt",
                wanted: "certificate",
                error,
            })?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| Unusable::Pem {
            what: "tls.key",
            wanted: "private key",
            error,
        })?;
        let certified = CertifiedKey::from_der(chain, key, &provider()).map_err(Unusable::Pair)?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(certified));
        Ok(())
    }

    /// Whether there is a certificate.
    pub fn is_ready(&self) -> bool {
        self.current().is_some()
    }

    fn current(&self) -> Option<Arc<CertifiedKey>> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl ResolvesServerCert for Serving {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.current()
    }
}

fn provider() -> CryptoProvider {
    rustls::crypto::ring::default_provider()
}

/// TLS 1.2 and 1.3, HTTP/1.1 only: nothing here needs more, and HTTP/2 is more to attack.
pub(super) fn server_config(serving: Serving) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider()))
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(serving));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
