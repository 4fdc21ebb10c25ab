//! Probes and metrics, served on every replica.
//!
//! `/healthz` says that the process runs; `/readyz` says whether the watches on our own kinds hold
//! a complete picture (K19: source kinds don't count), with what is missing otherwise; `/metrics`
//! is text. Plain HTTP, nothing else is served.

use std::io;
use std::net::SocketAddr;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::flags::BindAddress;
use crate::metrics::Metrics;

/// What is still missing before this replica is ready; empty = ready.
pub type Readiness = watch::Receiver<Vec<String>>;

/// The pages of the probe address; ready when nothing is missing anywhere.
pub fn probes(readiness: impl IntoIterator<Item = Readiness>) -> Router {
    let readiness: Vec<Readiness> = readiness.into_iter().collect();
    Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route(
            "/readyz",
            get(move || {
                let all = readiness.iter().map(|part| part.borrow().clone());
                let missing: Vec<String> = all.flatten().collect();
                async move {
                    if missing.is_empty() {
                        (StatusCode::OK, "ok".to_owned())
                    } else {
                        let text = format!("not ready, waiting for: {}", missing.join(", "));
                        (StatusCode::SERVICE_UNAVAILABLE, text)
                    }
                }
            }),
        )
}

/// The page of the metrics address.
pub fn metrics(metrics: Metrics) -> Router {
    Router::new().route(
        "/metrics",
        get(move || {
            let text = metrics.expose();
            async move {
                let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
                ([(header::CONTENT_TYPE, kind)], text)
            }
        }),
    )
}

/// An address that is listened on.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    /// What was bound, with the port that was found for 0.
    pub address: SocketAddr,
}

/// Listens on an address; `None` if it is switched off.
///
/// # Errors
/// When none of the address's candidates can be bound: the last one's error.
pub async fn bind(address: &BindAddress) -> io::Result<Option<Bound>> {
    let mut last = None;
    for (host, port) in address.candidates() {
        match TcpListener::bind((host.as_str(), port)).await {
            Ok(listener) => {
                let address = listener.local_addr()?;
                return Ok(Some(Bound { listener, address }));
            }
            Err(error) => last = Some(error),
        }
    }
    last.map_or(Ok(None), Err)
}

impl Bound {
    /// The socket, for a server of another kind.
    pub fn into_listener(self) -> TcpListener {
        self.listener
    }

    /// Serves until the future ends, and then lets open requests finish.
    ///
    /// # Errors
    /// When the listening socket fails.
    pub async fn serve(
        self,
        pages: Router,
        until: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        axum::serve(self.listener, pages)
            .with_graceful_shutdown(until)
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    async fn get(address: SocketAddr, path: &str) -> String {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn readiness_names_what_is_missing() {
        let (missing, readiness) = watch::channel(vec!["stagesets".to_owned()]);
        let bound = bind(&BindAddress::parse("127.0.0.1:0").unwrap())
            .await
            .unwrap()
            .unwrap();
        let address = bound.address;
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let server = tokio::spawn(bound.serve(probes([readiness]), async {
            let _ = stopped.await;
        }));
        assert!(get(address, "/healthz").await.starts_with("HTTP/1.1 200"));
        let answer = get(address, "/readyz").await;
        assert!(
            answer.starts_with("HTTP/1.1 503") && answer.contains("stagesets"),
            "{answer}"
        );
        missing.send_replace(Vec::new());
        assert!(get(address, "/readyz").await.starts_with("HTTP/1.1 200"));
        assert!(get(address, "/metrics").await.starts_with("HTTP/1.1 404"));
        stop.send(()).unwrap();
        server.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn metrics_are_text_and_an_address_can_be_off() {
        let bound = bind(&BindAddress::parse("127.0.0.1:0").unwrap())
            .await
            .unwrap()
            .unwrap();
        let address = bound.address;
        let server = tokio::spawn(bound.serve(metrics(Metrics::new()), std::future::pending()));
        let answer = get(address, "/metrics").await;
        assert!(answer.contains("application/openmetrics-text"), "{answer}");
        assert!(answer.contains("# TYPE workqueue_depth gauge"), "{answer}");
        server.abort();
        assert!(bind(&BindAddress::Off).await.unwrap().is_none());
    }
}
