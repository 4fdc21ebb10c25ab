//! What the webhook costs: latency at 200 requests a second, memory over 100,000 requests (or as many as
//! the first argument says). Printed next to what it must reach; nothing is asserted.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a measurement that can't be made ends"
)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::json;
use stageset_controller::metrics::Metrics;
use stageset_controller::webhook::certificates::issue::issue;
use stageset_controller::webhook::{PATH, Server, Serving};
use stageset_core::time::Timestamp;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{MissedTickBehavior, interval};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const HOST: &str = "hook.system.svc";
const RATE: u32 = 200;
const AT_RATE: usize = 4_000;
const FLOOD: usize = 100_000;
const CONNECTIONS: usize = 8;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(measure());
}

async fn measure() {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap());
    let issued = issue(&[HOST.to_owned()], "bench", now, Duration::from_secs(3600)).unwrap();
    let serving = Serving::default();
    serving
        .serve(issued.chain.as_bytes(), issued.key.as_bytes())
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Server::new(listener, serving, Metrics::new()).unwrap();
    let address = server.address().unwrap();
    tokio::spawn(server.serve(std::future::pending()));

    for stages in [3, 50] {
        let request = Arc::new(request(stages));
        let mut took = at_rate(address, &issued.authority, &request).await;
        took.sort();
        let at = |part: usize| took[(took.len() - 1) * part / 1000];
        println!(
            "{stages} stages, {} bytes, {RATE} requests/s: p50 {:?}, p99 {:?}, max {:?} (p99 must stay below 5 ms)",
            request.len(),
            at(500),
            at(990),
            at(1000)
        );
    }

    let flooded = std::env::args().find_map(|word| word.parse().ok());
    let flooded = flooded.unwrap_or(FLOOD);
    let request = Arc::new(request(3));
    let began = Instant::now();
    println!("memory before: {} KiB", resident());
    for tenth in 1..=10 {
        flood(address, &issued.authority, &request, flooded / 10).await;
        println!(
            "memory after {} requests: {} KiB",
            tenth * flooded / 10,
            resident()
        );
    }
    let seconds = began.elapsed().as_secs_f64();
    println!("{flooded} requests in {seconds:.1} s (memory must stay flat)");
}

/// Requests at a steady rate over one connection; how long each took.
async fn at_rate(address: SocketAddr, authority: &[u8], request: &[u8]) -> Vec<Duration> {
    let mut stream = connect(address, authority).await;
    let mut tick = interval(Duration::from_secs(1) / RATE);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut took = Vec::with_capacity(AT_RATE);
    for _ in 0..AT_RATE {
        tick.tick().await;
        let began = Instant::now();
        exchange(&mut stream, request).await;
        took.push(began.elapsed());
    }
    took
}

/// So many requests, as fast as they are answered.
async fn flood(address: SocketAddr, authority: &[u8], request: &Arc<Vec<u8>>, count: usize) {
    let mut tasks = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut stream = connect(address, authority).await;
        let request = Arc::clone(request);
        tasks.push(tokio::spawn(async move {
            for _ in 0..count / CONNECTIONS {
                exchange(&mut stream, &request).await;
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

async fn connect(address: SocketAddr, authority: &[u8]) -> TlsStream<TcpStream> {
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
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    TlsConnector::from(Arc::new(client))
        .connect(ServerName::try_from(HOST).unwrap(), stream)
        .await
        .unwrap()
}

async fn exchange(stream: &mut TlsStream<TcpStream>, request: &[u8]) {
    stream.write_all(request).await.unwrap();
    stream.flush().await.unwrap();
    let mut answer = Vec::new();
    loop {
        let read = stream.read_buf(&mut answer).await.unwrap();
        assert!(read > 0, "the webhook hung up");
        if answer.windows(14).any(|part| part == b"\"allowed\":true") && answer.ends_with(b"}") {
            return;
        }
        assert!(answer.len() < 4096, "{}", String::from_utf8_lossy(&answer));
    }
}

fn request(stages: usize) -> Vec<u8> {
    let stages: Vec<_> = (0..stages)
        .map(|index| {
            json!({ "name": format!("stage-{index}"), "path": format!("./stage-{index}"),
                    "sourceRef": { "kind": "GitRepository", "name": "app" }, "timeout": "5m" })
        })
        .collect();
    let body = json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002", "operation": "CREATE",
            "name": "app", "namespace": "team",
            "kind": { "group": "stages.metio.wtf", "version": "v1", "kind": "StageSet" },
            "object": {
                "metadata": { "name": "app", "namespace": "team" },
                "spec": { "serviceAccountName": "deployer", "interval": "10m", "stages": stages },
            },
        },
    })
    .to_string();
    format!(
        "POST {PATH} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Resident memory of this process, client and server together, in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.and_then(|line| line.split_whitespace().nth(1))
        .and_then(|number| number.parse().ok())
        .expect("a number")
}
