//! The socket: connections counted, every wait bounded, a stop that lets open requests finish.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};

use super::answer::Desk;
use super::limits::{CONNECTIONS, CONNECTIONS_PER_PEER, DRAIN, HANDSHAKE, HEAD, HEAD_BYTES, LIFE};
use super::tls::{self, Serving};
use crate::metrics::Metrics;

/// Pause after an `accept` that failed, as it does when file descriptors run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The webhook's server.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    acceptor: Acceptor,
    desk: Arc<Desk>,
}

struct Acceptor(TlsAcceptor);

impl std::fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Acceptor")
    }
}

impl Server {
    /// Serves on this socket, with the certificate that `serving` holds at the time.
    ///
    /// # Errors
    /// When the TLS library has none of our protocol versions.
    pub fn new(
        listener: TcpListener,
        serving: Serving,
        metrics: Metrics,
    ) -> Result<Self, rustls::Error> {
        let config = tls::server_config(serving)?;
        Ok(Self {
            listener,
            acceptor: Acceptor(TlsAcceptor::from(Arc::new(config))),
            desk: Arc::new(Desk::new(metrics)),
        })
    }

    /// What is listened on.
    ///
    /// # Errors
    /// When the socket doesn't say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until the future ends; open requests then get some seconds to finish.
    pub async fn serve(self, until: impl Future<Output = ()>) {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        let peers = Peers::default();
        let (stop, stopped) = watch::channel(());
        let mut until = std::pin::pin!(until);
        loop {
            // A place first: whom we can't serve waits in the socket's backlog.
            let place = tokio::select! {
                biased;
                () = &mut until => break,
                Ok(place) = Arc::clone(&places).acquire_owned() => place,
            };
            let accepted = tokio::select! {
                biased;
                () = &mut until => break,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    if let Some(seat) = peers.enter(peer.ip()) {
                        let (acceptor, desk) = (self.acceptor.0.clone(), Arc::clone(&self.desk));
                        let stopped = stopped.clone();
                        if let Err(error) = stream.set_nodelay(true) {
                            debug!(%error, "webhook: a connection's options could not be set");
                        }
                        tokio::spawn(async move {
                            connection(stream, &acceptor, desk, stopped).await;
                            drop((place, seat));
                        });
                    } else {
                        debug!(%peer, "webhook: too many connections from one address");
                    }
                }
                Err(error) => {
                    warn!(%error, "webhook: a connection could not be accepted");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(self.listener);
        stop.send_replace(());
        drop(stopped);
        let gone = places.acquire_many(u32::try_from(CONNECTIONS).unwrap_or(u32::MAX));
        if timeout(DRAIN, gone).await.is_err() {
            debug!("webhook: open connections were cut off");
        }
    }
}

/// One connection, from its handshake to its end.
async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    acceptor: &TlsAcceptor,
    desk: Arc<Desk>,
    mut stopped: watch::Receiver<()>,
) {
    let stream = match timeout(HANDSHAKE, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return debug!(%error, "webhook: a TLS handshake failed"),
        Err(_) => return debug!("webhook: a TLS handshake took too long"),
    };
    let service = service_fn(move |request| {
        let desk = Arc::clone(&desk);
        async move { Ok::<_, Infallible>(desk.answer(request).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let mut served = std::pin::pin!(served);
    let ended = tokio::select! {
        ended = served.as_mut() => Some(ended),
        _ = stopped.changed() => None,
        () = sleep(LIFE) => None,
    };
    let ended = if let Some(ended) = ended {
        ended
    } else {
        served.as_mut().graceful_shutdown();
        match timeout(HEAD, served).await {
            Ok(ended) => ended,
            // It has had its time; whoever doesn't read an answer doesn't get it.
            Err(_) => return,
        }
    };
    if let Err(error) = ended {
        debug!(%error, "webhook: a connection ended");
    }
}

/// How many connections each address has.
#[derive(Debug, Clone, Default)]
struct Peers(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One connection of an address.
struct Seat {
    peers: Peers,
    address: IpAddr,
}

impl Peers {
    fn enter(&self, address: IpAddr) -> Option<Seat> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_default();
        if *count >= CONNECTIONS_PER_PEER {
            return None;
        }
        *count += 1;
        drop(counts);
        Some(Seat {
            peers: self.clone(),
            address,
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut counts = self.peers.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::CertificateDer;
    use rustls::{ClientConfig, RootCertStore};
    use stageset_core::time::Timestamp;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
    use tokio::time::Instant;
    use tokio_rustls::TlsConnector;
    use tokio_rustls::client::TlsStream;

    use super::super::certificates::issue::issue;
    use super::*;

    const NAME: &str = "hook.system.svc";

    /// Both ends of one connection; what the server's end returns is when it ended.
    fn connect() -> (DuplexStream, TlsConnector, tokio::task::JoinHandle<Instant>) {
        let now = Timestamp::from_millis(
            i64::try_from(
                std::time::SystemTime::now()
                    .duration_since(std::time::UNIX_EPOCH)
                    .unwrap()
                    .as_millis(),
            )
            .unwrap(),
        );
        let issued = issue(&[NAME.to_owned()], "test", now, Duration::from_secs(3600)).unwrap();
        let serving = Serving::default();
        serving
            .serve(issued.chain.as_bytes(), issued.key.as_bytes())
            .unwrap();
        let mut trusted = RootCertStore::empty();
        trusted.add(CertificateDer::from(issued.authority)).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(trusted)
            .with_no_client_auth();
        let (ours, theirs) = duplex(64 * 1024);
        let acceptor = TlsAcceptor::from(Arc::new(tls::server_config(serving).unwrap()));
        let task = tokio::spawn(async move {
            let (_stop, stopped) = watch::channel(());
            let desk = Arc::new(Desk::new(Metrics::new()));
            connection(theirs, &acceptor, desk, stopped).await;
            Instant::now()
        });
        (ours, TlsConnector::from(Arc::new(client)), task)
    }

    async fn handshake(stream: DuplexStream, tls: &TlsConnector) -> TlsStream<DuplexStream> {
        tls.connect(NAME.try_into().unwrap(), stream).await.unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn who_never_shakes_hands_is_let_go() {
        let begun = Instant::now();
        let (_silent, _, ended) = connect();
        assert_eq!(ended.await.unwrap() - begun, HANDSHAKE);
    }

    #[tokio::test(start_paused = true)]
    async fn who_never_ends_a_head_is_let_go() {
        for said in ["", "POST / HTTP/1.1\r\nHost: x\r\n"] {
            let begun = Instant::now();
            let (stream, tls, ended) = connect();
            let mut stream = handshake(stream, &tls).await;
            stream.write_all(said.as_bytes()).await.unwrap();
            stream.flush().await.unwrap();
            let took = ended.await.unwrap() - begun;
            assert!(took <= HEAD + Duration::from_secs(1), "{said:?}: {took:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_without_end_is_refused() {
        let (stream, tls, ended) = connect();
        let mut stream = handshake(stream, &tls).await;
        let head = format!("POST / HTTP/1.1\r\nHost: {}", "x".repeat(2 * HEAD_BYTES));
        // The server may hang up before all is written.
        let _ = stream.write_all(head.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
        ended.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn no_connection_lives_for_ever() {
        let begun = Instant::now();
        let (stream, tls, ended) = connect();
        let mut stream = handshake(stream, &tls).await;
        let client = tokio::spawn(async move {
            let mut answer = [0; 4096];
            while stream
                .write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                .await
                .is_ok()
                && stream.flush().await.is_ok()
                && stream.read(&mut answer).await.is_ok_and(|read| read > 0)
            {
                sleep(HEAD / 2).await;
            }
        });
        let lived = ended.await.unwrap() - begun;
        assert!(lived >= LIFE && lived <= LIFE + HEAD, "{lived:?}");
        client.await.unwrap();
    }

    #[test]
    fn one_address_leaves_room_for_others() {
        let peers = Peers::default();
        let (one, other) = ([127, 0, 0, 1].into(), [127, 0, 0, 2].into());
        let seats: Vec<_> = (0..CONNECTIONS_PER_PEER)
            .map(|_| peers.enter(one))
            .collect();
        assert!(seats.iter().all(Option::is_some));
        assert!(peers.enter(one).is_none());
        assert!(peers.enter(other).is_some());
        drop(seats);
        assert!(peers.enter(one).is_some());
        assert!(
            peers.0.lock().unwrap().len() <= 2,
            "addresses are forgotten"
        );
        const { assert!(CONNECTIONS_PER_PEER < CONNECTIONS) }
    }
}
