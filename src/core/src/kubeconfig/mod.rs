//! A self-contained kubeconfig: a server, how to trust it, and one credential (S27, A17).
//!
//! The type is closed: what it has no place for (a program to run, a file to read, a proxy, an
//! identity of its own) can't be asked for. The parser refuses a kubeconfig that needs such a thing
//! by name, and never says what stands in it: a kubeconfig is a Secret.

mod parse;
mod problem;
#[cfg(test)]
mod tests;

use std::fmt;

use sha2::{Digest as _, Sha256};

pub use parse::parse;
pub use problem::KubeconfigProblem;

/// What an operator allows beyond the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Allowed {
    /// `--allow-insecure-kubeconfigs`: servers whose certificate isn't checked.
    pub insecure: bool,
}

/// A kubeconfig that can be used.
#[derive(Clone, PartialEq, Eq)]
pub struct Kubeconfig {
    server: String,
    server_name: Option<String>,
    authority: Option<Vec<u8>>,
    insecure: bool,
    credential: Credential,
}

/// Who we are there. Exactly one.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// A bearer token.
    Token(String),
    /// A client certificate and its key, PEM.
    Certificate {
        /// The certificate chain.
        certificate: Vec<u8>,
        /// The private key.
        key: Vec<u8>,
    },
    /// User name and password.
    Basic {
        /// The user's name.
        username: String,
        /// The password.
        password: String,
    },
}

impl Kubeconfig {
    /// An https URL with a host and no credentials, query or fragment.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The name that the server's certificate must have, if it isn't the URL's host.
    pub fn server_name(&self) -> Option<&str> {
        self.server_name.as_deref()
    }

    /// PEM certificates that the server is trusted by; `None` = the machine's own.
    pub fn authority(&self) -> Option<&[u8]> {
        self.authority.as_deref()
    }

    /// Whether the server's certificate isn't checked.
    pub fn insecure(&self) -> bool {
        self.insecure
    }

    /// Who we are there.
    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    /// Which cluster it is: a digest of its address and CA (K22).
    pub fn cluster(&self) -> String {
        use fmt::Write as _;
        let mut hash = Sha256::new();
        for part in [
            self.server.trim_end_matches('/').as_bytes(),
            self.authority.as_deref().unwrap_or_default(),
        ] {
            // Length first, so that no two pairs run together to one.
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let mut text = String::from("sha256:");
        for byte in hash.finalize() {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        text
    }

    /// Every text of it that must never be told: whoever passes on what a server said takes these
    /// out first (A21).
    pub fn secrets(&self) -> Vec<String> {
        let mut secrets = vec![self.server.clone()];
        let host = self.server.trim_start_matches("https://");
        let host = host.split('/').next().unwrap_or_default();
        secrets.push(host.to_owned());
        secrets.extend(host.rsplit_once(':').map(|(host, _)| host.to_owned()));
        secrets.extend(self.server_name.clone());
        match &self.credential {
            Credential::Token(token) => secrets.push(token.clone()),
            Credential::Certificate { certificate, key } => {
                for pem in [certificate, key] {
                    secrets.extend(String::from_utf8(pem.clone()));
                }
            }
            Credential::Basic { username, password } => {
                secrets.extend([username.clone(), password.clone()]);
            }
        }
        secrets
    }
}

impl fmt::Debug for Kubeconfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kubeconfig").finish_non_exhaustive()
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token(_) => "Token(…)",
            Self::Certificate { .. } => "Certificate(…)",
            Self::Basic { .. } => "Basic(…)",
        })
    }
}
