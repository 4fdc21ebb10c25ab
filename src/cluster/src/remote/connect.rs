//! From a kubeconfig to a connection: TLS by its own CA, its one credential, and only over addresses
//! that may be called (A18).

use std::net::IpAddr;
use std::sync::Arc;

use http::Uri;
use kube::config::AuthInfo;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use stageset_core::identity::Remote;
use stageset_core::kubeconfig::{Credential, Kubeconfig};

use super::Connect;
use crate::artifacts::{AddressPolicy, Resolve, odd_or_address, system_resolver};
use crate::connection::{Connection, Reach};

/// The production [`Connect`].
#[derive(Clone)]
pub struct DialRemote {
    policy: Arc<AddressPolicy>,
    resolve: Resolve,
}

impl DialRemote {
    /// With the machine's resolver.
    pub fn new(policy: AddressPolicy) -> Self {
        Self::with_resolver(policy, system_resolver())
    }

    /// With a resolver of the caller's.
    pub fn with_resolver(policy: AddressPolicy, resolve: Resolve) -> Self {
        Self {
            policy: Arc::new(policy),
            resolve,
        }
    }

    /// The dialler doesn't resolve what is an address already: such a host is judged here.
    fn check(&self, server: &Uri) -> Result<(), String> {
        let host = server.host().unwrap_or_default();
        let address: Option<IpAddr> = odd_or_address(host).map_err(|()| {
            "its server is a number and not an address in its usual form".to_owned()
        })?;
        let Some(address) = address else {
            return Ok(());
        };
        self.policy.check(address).map_err(|refused| {
            format!(
                "its server is {}, which isn't called (an operator can open the range with \
                 --allow-remote-addresses)",
                refused.what()
            )
        })
    }
}

impl Connect for DialRemote {
    fn connect(&self, kubeconfig: &Kubeconfig, remote: &Arc<Remote>) -> Result<Connection, String> {
        let server: Uri = kubeconfig
            .server()
            .parse()
            .map_err(|_| "its server isn't a URL".to_owned())?;
        self.check(&server)?;
        let mut config = kube::Config::new(server);
        config.accept_invalid_certs = kubeconfig.insecure();
        config.tls_server_name = kubeconfig.server_name().map(str::to_owned);
        if let Some(authority) = kubeconfig.authority() {
            let certificates: Result<Vec<Vec<u8>>, _> = CertificateDer::pem_slice_iter(authority)
                .map(|found| found.map(|certificate| certificate.to_vec()))
                .collect();
            let certificates = certificates
                .ok()
                .filter(|found| !found.is_empty())
                .ok_or("certificate-authority-data holds no certificate")?;
            config.root_cert = Some(certificates);
        }
        config.auth_info = user(kubeconfig.credential());
        let reach = Reach {
            policy: Arc::clone(&self.policy),
            resolve: Arc::clone(&self.resolve),
        };
        // What the library says of bad TLS material may quote it.
        Connection::to_remote(&config, reach, remote).map_err(|_| {
            "its certificates or key can't be used: they aren't PEM of a known form".to_owned()
        })
    }
}

fn user(credential: &Credential) -> AuthInfo {
    let mut user = AuthInfo::default();
    match credential {
        Credential::Token(token) => user.token = Some(token.clone().into()),
        Credential::Certificate { certificate, key } => {
            user.client_certificate_data = Some(base64(certificate));
            user.client_key_data = Some(base64(key).into());
        }
        Credential::Basic { username, password } => {
            user.username = Some(username.clone());
            user.password = Some(password.clone().into());
        }
    }
    user
}

fn base64(bytes: &[u8]) -> String {
    use ::base64::Engine as _;
    ::base64::engine::general_purpose::STANDARD.encode(bytes)
}
