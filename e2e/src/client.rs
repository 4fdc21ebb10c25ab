//! A bare HTTP/2 client: nothing between a request and the wire. The measurements and the
//! conformance suite load an API server with it, for which kubectl is too slow.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;

use crate::ControlPlane;
use crate::pki::Pair;

/// What the client calls itself; without `fieldManager` a write is managed by what comes before
/// the slash.
pub const USER_AGENT: &str = "stageset-e2e/1";

/// One request.
#[derive(Clone, Debug)]
pub struct Call {
    /// The HTTP method.
    pub method: &'static str,
    /// Path and query.
    pub path: String,
    /// The body's media type.
    pub content_type: &'static str,
    /// The body; may be empty.
    pub body: Vec<u8>,
    /// Beside content type and user agent; an `accept` here replaces plain JSON.
    pub headers: Vec<(&'static str, String)>,
}

impl Call {
    /// A GET.
    pub fn get(path: impl Into<String>) -> Self {
        Self::new("GET", path, "application/json", Vec::new())
    }

    /// Server-side apply of an object at its path.
    pub fn apply(path: &str, object: &Value) -> Self {
        let path = format!("{path}?fieldManager=bench&force=true");
        Self::new(
            "PATCH",
            path,
            "application/apply-patch+yaml",
            object.to_string().into_bytes(),
        )
    }

    /// A JSON merge patch.
    pub fn merge(path: impl Into<String>, patch: &Value) -> Self {
        let body = patch.to_string().into_bytes();
        Self::new("PATCH", path, "application/merge-patch+json", body)
    }

    /// A DELETE.
    pub fn delete(path: impl Into<String>) -> Self {
        Self::new("DELETE", path, "application/json", Vec::new())
    }

    /// Any request, as oneself.
    pub fn new(
        method: &'static str,
        path: impl Into<String>,
        content_type: &'static str,
        body: Vec<u8>,
    ) -> Self {
        Self {
            method,
            path: path.into(),
            content_type,
            body,
            headers: Vec::new(),
        }
    }
}

/// The API server as the administrator.
#[derive(Clone, Debug)]
pub struct Api {
    http: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    url: String,
}

impl Api {
    /// A client with the administrator's certificate; it connects with the first request.
    ///
    /// # Errors
    /// When the certificate can't be read.
    pub fn new(plane: &ControlPlane) -> Result<Self> {
        let pki = plane.folder().join("pki");
        let (cert, key) = (pki.join("e2e-admin.crt"), pki.join("e2e-admin.key"));
        Self::with(plane, Some((&cert, &key)))
    }

    /// A client that shows no certificate; its requests bear a token.
    ///
    /// # Errors
    /// When the authority's certificate can't be read.
    pub fn without_certificate(plane: &ControlPlane) -> Result<Self> {
        Self::with(plane, None)
    }

    /// A client with a certificate of its own.
    ///
    /// # Errors
    /// When the certificate can't be read.
    pub fn with_certificate(plane: &ControlPlane, pair: &Pair) -> Result<Self> {
        Self::with(plane, Some((&pair.cert_file, &pair.key_file)))
    }

    fn with(plane: &ControlPlane, certificate: Option<(&Path, &Path)>) -> Result<Self> {
        let config = tls(&plane.folder().join("pki"), certificate)?;
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        // Or every request with a body waits 40 ms for an acknowledgement.
        tcp.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_only()
            .enable_http2()
            .wrap_connector(tcp);
        let http = Client::builder(TokioExecutor::new())
            .http2_only(true)
            .build(connector);
        Ok(Self {
            http,
            url: plane.server().url.clone(),
        })
    }

    /// Sends one request and returns the answer's status and body.
    pub async fn send(&self, call: &Call) -> Result<(u16, Bytes)> {
        let answer = self.http.request(self.request(call)?).await?;
        let status = answer.status().as_u16();
        Ok((status, answer.into_body().collect().await?.to_bytes()))
    }

    /// Sends a request as it is: all that is added is where the server is.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn forward(&self, request: Request<Bytes>) -> Result<(u16, Bytes)> {
        let answer = self.open(request).await?;
        let status = answer.status().as_u16();
        Ok((status, answer.into_body().collect().await?.to_bytes()))
    }

    /// The same, with the answer's body still to come: a watch's never ends.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn open(&self, request: Request<Bytes>) -> Result<Response<Incoming>> {
        let (mut parts, body) = request.into_parts();
        parts.uri = format!("{}{}", self.url, parts.uri).parse()?;
        let request = Request::from_parts(parts, Full::new(body));
        Ok(self.http.request(request).await?)
    }

    fn request(&self, call: &Call) -> Result<Request<Full<Bytes>>> {
        let mut request = Request::builder()
            .method(call.method)
            .uri(format!("{}{}", self.url, call.path))
            .header("content-type", call.content_type)
            .header("user-agent", USER_AGENT);
        if call.headers.iter().all(|(name, _)| *name != "accept") {
            request = request.header("accept", "application/json");
        }
        for (name, value) in &call.headers {
            request = request.header(*name, value);
        }
        Ok(request.body(Full::new(Bytes::from(call.body.clone())))?)
    }

    /// Reads the events of a watch up to and with the first one that is the last, or all of an
    /// answer that is no stream.
    pub async fn watch(
        &self,
        call: &Call,
        mut is_last: impl FnMut(&Value) -> bool,
    ) -> Result<(u16, Vec<Value>)> {
        let answer = self.http.request(self.request(call)?).await?;
        let status = answer.status().as_u16();
        let mut body = answer.into_body();
        let (mut read, mut events) = (Vec::new(), Vec::new());
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame?.into_data() {
                read.extend_from_slice(&data);
            }
            while let Some(end) = read.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = read.drain(..=end).collect();
                let event = serde_json::from_slice(&line)?;
                let last = is_last(&event);
                events.push(event);
                if last {
                    return Ok((status, events));
                }
            }
        }
        if !read.is_empty() {
            events.push(serde_json::from_slice(&read)?);
        }
        Ok((status, events))
    }

    /// Sends one request that must succeed and parses the answer.
    pub async fn json(&self, call: &Call) -> Result<Value> {
        let (status, body) = self.send(call).await?;
        ensure!(
            status < 300,
            "{} {}: {status} {}",
            call.method,
            call.path,
            String::from_utf8_lossy(&body)
        );
        Ok(serde_json::from_slice(&body)?)
    }

    /// Sends many requests, `side_by_side` at a time, in about their order, and returns how long
    /// that took and how many were refused.
    pub async fn all(&self, calls: Vec<Call>, side_by_side: usize) -> Result<(Duration, usize)> {
        let started = Instant::now();
        let calls = Arc::new(calls);
        let next = Arc::new(AtomicUsize::new(0));
        let refused = Arc::new(AtomicUsize::new(0));
        let mut senders = Vec::new();
        for _ in 0..side_by_side {
            let (api, calls) = (self.clone(), Arc::clone(&calls));
            let (next, refused) = (Arc::clone(&next), Arc::clone(&refused));
            senders.push(tokio::spawn(async move {
                while let Some(call) = calls.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if api.send(call).await?.0 >= 300 {
                        refused.fetch_add(1, Ordering::Relaxed);
                    }
                }
                anyhow::Ok(())
            }));
        }
        for sender in senders {
            sender.await??;
        }
        Ok((started.elapsed(), refused.load(Ordering::Relaxed)))
    }

    /// Sends many requests that must all succeed.
    pub async fn all_good(&self, calls: Vec<Call>) -> Result<()> {
        let first = calls
            .first()
            .map(|call| call.path.clone())
            .unwrap_or_default();
        let (_, refused) = self.all(calls, 16).await?;
        if refused > 0 {
            bail!("{refused} requests like {first} were refused");
        }
        Ok(())
    }
}

fn tls(pki: &Path, certificate: Option<(&Path, &Path)>) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(pki.join("ca.crt"))?)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots);
    let Some((cert, key)) = certificate else {
        return Ok(config.with_no_client_auth());
    };
    let cert = CertificateDer::from_pem_file(cert)?;
    let key = PrivateKeyDer::from_pem_file(key)?;
    config
        .with_client_auth_cert(vec![cert], key)
        .context("the client's certificate")
}
