//! The webhook at its socket, over TLS, as the API server and as strangers call it (A25).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that can't be set up fails"
)]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use stageset_cluster::{Clock, Connection};
use stageset_controller::flags::CertificateSource;
use stageset_controller::metrics::Metrics;
use stageset_controller::webhook::certificates::issue::{Issued, issue};
use stageset_controller::webhook::limits::{BODY_BYTES, CONNECTIONS_PER_PEER, HANDSHAKE, VALUES};
use stageset_controller::webhook::{PATH, Running, Surroundings};
use stageset_core::time::Timestamp;
use stageset_sim::SimulatedCluster;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::harness::replica_user;

const HOST: &str = "hook.system.svc";

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(30);

fn certificate() -> Issued {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap());
    issue(&[HOST.to_owned()], "test", now, Duration::from_secs(3600)).unwrap()
}

/// A folder as cert-manager's Secret is mounted; it goes when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("stageset-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, issued: &Issued) {
        std::fs::write(self.0.join("tls.crt"), &issued.chain).unwrap();
        std::fs::write(self.0.join("tls.key"), &issued.key).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn webhook(folder: &Path, metrics: &Metrics) -> (SocketAddr, Running) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let cluster = SimulatedCluster::new("2026-11-23T21:00:00Z".parse().unwrap(), 1);
    let surroundings = Surroundings {
        connection: Connection::from_service(cluster.door(replica_user("controller"))),
        clock: Clock::system(),
        metrics: metrics.clone(),
        namespace: "system".to_owned(),
        instance: "pod".to_owned(),
    };
    let source = CertificateSource::Files(folder.to_owned());
    let running = Running::start(listener, &source, surroundings).unwrap();
    (address, running)
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let reached = timeout(PATIENCE, async {
        while !holds() {
            sleep(Duration::from_millis(20)).await;
        }
    });
    assert!(reached.await.is_ok(), "never came true: {what}");
}

async fn connect(address: SocketAddr, authority: &[u8]) -> std::io::Result<TlsStream<TcpStream>> {
    let mut trusted = RootCertStore::empty();
    trusted
        .add(CertificateDer::from(authority.to_vec()))
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(trusted)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await?;
    TlsConnector::from(Arc::new(client))
        .connect(ServerName::try_from(HOST).unwrap(), stream)
        .await
}

/// What comes back for these bytes, until the server hangs up. It may do so before all is written.
async fn talk(address: SocketAddr, authority: &[u8], bytes: &[u8]) -> String {
    let exchange = async {
        let mut stream = connect(address, authority).await.unwrap();
        let _ = stream.write_all(bytes).await;
        let _ = stream.flush().await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    };
    timeout(PATIENCE, exchange).await.expect("no answer")
}

fn request(method: &str, path: &str, content_type: &str, body: &str) -> Vec<u8> {
    format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {content_type}\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn post(body: &str) -> Vec<u8> {
    request("POST", PATH, "application/json", body)
}

fn review(account: &str) -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "1", "operation": "CREATE", "name": "app", "namespace": "team",
            "kind": { "group": "stages.metio.wtf", "version": "v1", "kind": "StageSet" },
            "object": {
                "metadata": { "name": "app", "namespace": "team" },
                "spec": { "serviceAccountName": account,
                          "stages": [{ "name": "app", "sourceRef": { "name": "app" } }] },
            },
        },
    })
}

#[tokio::test]
async fn attack_a25_strangers_get_a_status_and_the_next_caller_an_answer() {
    let (folder, issued, metrics) = (Folder::new("strangers"), certificate(), Metrics::new());
    folder.write(&issued);
    let (address, running) = webhook(&folder.0, &metrics).await;
    let readiness = running.readiness();
    until("ready", || readiness.borrow().is_empty()).await;

    let good = post(&review("deployer").to_string());
    let says = async |bytes: &[u8]| talk(address, &issued.authority, bytes).await;
    let huge_by_chunks = {
        let mut bytes = b"POST /validate-stages-metio-wtf-v1-stageset HTTP/1.1\r\nHost: x\r\n\
            Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
            .to_vec();
        for _ in 0..=(BODY_BYTES / 65536) {
            bytes.extend(b"10000\r\n");
            bytes.extend(vec![b' '; 65536]);
            bytes.extend(b"\r\n");
        }
        bytes
    };
    let truncated = &good[..good.len() - 40];
    let flood = format!("[{}0]", "0,".repeat(VALUES));
    let strange: Vec<(&str, Vec<u8>, &str)> = vec![
        (
            "another path",
            request("POST", "/", "application/json", "{}"),
            "404",
        ),
        (
            "another method",
            request("GET", PATH, "application/json", ""),
            "405",
        ),
        (
            "another content type",
            request("POST", PATH, "text/yaml", "{}"),
            "415",
        ),
        ("an empty body", post(""), "400"),
        ("no JSON", post("}{"), "400"),
        ("no review", post("{}"), "400"),
        ("deeply nested", post(&"[".repeat(100_000)), "400"),
        ("a flood of values", post(&flood), "413"),
        (
            "a huge length",
            format!(
                "POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
                 Content-Length: {}\r\n\r\n",
                BODY_BYTES + 1
            )
            .into_bytes(),
            "413",
        ),
        ("a huge body in chunks", huge_by_chunks, "413"),
        (
            "no HTTP",
            b"\x16\x03\x01\x00\x00GARBAGE\r\n\r\n".to_vec(),
            "400",
        ),
    ];
    for (what, bytes, status) in strange {
        let answer = says(&bytes).await;
        let begins = format!("HTTP/1.1 {status} ");
        assert!(answer.starts_with(&begins), "{what}: {answer}");
        assert!(
            says(&good).await.contains(r#""allowed":true"#),
            "after {what}"
        );
    }
    // A body that never comes whole: the client hangs up, and nobody minds.
    let mut stream = connect(address, &issued.authority).await.unwrap();
    stream.write_all(truncated).await.unwrap();
    drop(stream);
    // No TLS at all.
    let mut plain = TcpStream::connect(address).await.unwrap();
    plain.write_all(&good).await.unwrap();
    let mut nothing = Vec::new();
    let _ = timeout(PATIENCE, plain.read_to_end(&mut nothing))
        .await
        .unwrap();
    assert!(!String::from_utf8_lossy(&nothing).contains("HTTP"));

    let answer = says(&post(&review("a:b").to_string())).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains(r#""allowed":false"#));
    assert!(answer.contains("spec.serviceAccountName"), "{answer}");
    let text = metrics.expose();
    assert!(
        text.contains(r#"stageset_webhook_requests_total{outcome="denied"} 1"#),
        "{text}"
    );
    running.stop().await;
    assert!(
        TcpStream::connect(address).await.is_err(),
        "it still listens"
    );
}

#[tokio::test]
async fn attack_a25_one_address_can_not_take_all_places() {
    let (folder, issued) = (Folder::new("places"), certificate());
    folder.write(&issued);
    let (address, running) = webhook(&folder.0, &Metrics::new()).await;
    let readiness = running.readiness();
    until("ready", || readiness.borrow().is_empty()).await;
    let mut silent = Vec::new();
    for _ in 0..CONNECTIONS_PER_PEER {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    // One more of the same address is hung up on at once, and not for never shaking hands; another
    // address is served.
    let mut surplus = TcpStream::connect(address).await.unwrap();
    let read = timeout(HANDSHAKE / 2, surplus.read(&mut [0; 1]))
        .await
        .unwrap();
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let stream = socket.connect(address).await.unwrap();
    let mut trusted = RootCertStore::empty();
    trusted
        .add(CertificateDer::from(issued.authority.clone()))
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(trusted)
        .with_no_client_auth();
    let other =
        TlsConnector::from(Arc::new(client)).connect(ServerName::try_from(HOST).unwrap(), stream);
    assert!(timeout(PATIENCE, other).await.unwrap().is_ok());
    drop(silent);
    running.stop().await;
}

#[tokio::test]
async fn files_are_waited_for_and_loaded_anew_when_they_change() {
    let (folder, metrics) = (Folder::new("files"), Metrics::new());
    let (address, running) = webhook(&folder.0, &metrics).await;
    let readiness = running.readiness();
    until("it says which file is missing", || {
        readiness
            .borrow()
            .iter()
            .any(|line| line.contains("tls.crt"))
    })
    .await;
    let first = certificate();
    assert!(connect(address, &first.authority).await.is_err());
    folder.write(&first);
    until("the first certificate is served", || {
        readiness.borrow().is_empty()
    })
    .await;
    assert!(connect(address, &first.authority).await.is_ok());

    // Half of a change: the pair doesn't fit, so the old one goes on.
    let second = certificate();
    std::fs::write(folder.0.join("tls.crt"), &second.chain).unwrap();
    let failed = "stageset_webhook_cert_renewal_failures_total 2";
    until("the half change was seen", || {
        metrics.expose().contains(failed)
    })
    .await;
    assert!(connect(address, &first.authority).await.is_ok());
    assert!(
        readiness.borrow().is_empty(),
        "a served certificate is ready"
    );

    folder.write(&second);
    let changed = timeout(PATIENCE, async {
        while connect(address, &second.authority).await.is_err() {
            sleep(Duration::from_millis(50)).await;
        }
    });
    assert!(
        changed.await.is_ok(),
        "the second certificate was never served"
    );
    assert!(connect(address, &first.authority).await.is_err());
    running.stop().await;
}
