//! Self-contained kubeconfig files: nothing in them refers to another file or program.

use std::fs;
use std::path::Path;

use anyhow::Result;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::pki::Pair;

/// Who the kubeconfig makes its holder.
#[derive(Clone, Copy, Debug)]
pub enum User<'a> {
    /// A client certificate.
    Certificate(&'a Pair),
    /// A bearer token.
    Token(&'a str),
}

/// Where an API server is and how to trust it.
#[derive(Clone, Debug)]
pub struct Server {
    /// Its URL.
    pub url: String,
    /// Its authority's certificate, PEM.
    pub ca: String,
}

impl Server {
    /// Writes a kubeconfig for `user`. JSON is YAML, so it is written as JSON.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn write_kubeconfig(&self, user: User<'_>, file: &Path) -> Result<()> {
        let credentials = match user {
            User::Certificate(pair) => json!({
                "client-certificate-data": STANDARD.encode(&pair.cert),
                "client-key-data": STANDARD.encode(&pair.key),
            }),
            User::Token(token) => json!({ "token": token }),
        };
        fs::write(
            file,
            serde_json::to_vec_pretty(&self.document(&credentials))?,
        )?;
        Ok(())
    }

    fn document(&self, credentials: &Value) -> Value {
        json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "e2e",
            "clusters": [{"name": "e2e", "cluster": {
                "server": self.url,
                "certificate-authority-data": STANDARD.encode(&self.ca),
            }}],
            "users": [{"name": "e2e", "user": credentials}],
            "contexts": [{"name": "e2e", "context": {"cluster": "e2e", "user": "e2e"}}],
        })
    }
}
