//! The real transport against HTTP/2 servers on loopback that go away (GOAWAY), allow few streams, or
//! reset connections with requests under way.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use stageset_cluster::Connection;
use stageset_cluster::fairness::Budget;
use stageset_cluster::requests::{Requests, Target};
use stageset_core::failure::{Failure, FailureClass};
use stageset_core::identity::{Identity, Target as Cluster, Tenancy};
use stageset_core::names::{Namespace, ServiceAccountName};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::world::TENANT;

/// What a server of these tests does to its clients.
#[derive(Clone, Copy)]
enum Habit {
    /// Says GOAWAY on a connection after so many requests, and answers those under way.
    GoesAwayAfter(usize),
    /// Allows so many streams on a connection, and keeps each busy for a moment.
    AllowsStreams(u32),
    /// Resets the connection on which a write arrives, for the first so many writes.
    Resets(usize),
}

#[derive(Default)]
struct Heard {
    /// Connection, method and name of the object, in order.
    requests: Vec<(usize, Method, String)>,
    strangers: usize,
    /// Requests under way, by connection, and the most there ever were.
    busy: Vec<usize>,
    busiest: usize,
}

type Log = Arc<Mutex<Heard>>;

async fn server(habit: Habit) -> (Connection, Log) {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let der = certified.cert.der().clone();
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let mut tls = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![der.clone()], key)
        .unwrap();
    tls.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let log = Log::default();
    let heard = Arc::clone(&log);
    tokio::spawn(async move {
        let mut connection = 0;
        while let Ok((stream, _)) = listener.accept().await {
            heard.lock().unwrap().busy.push(0);
            let (acceptor, heard) = (acceptor.clone(), Arc::clone(&heard));
            tokio::spawn(serve(connection, stream, acceptor, heard, habit));
            connection += 1;
        }
    });
    let mut config = kube::Config::new(format!("https://localhost:{port}").parse().unwrap());
    config.root_cert = Some(vec![der.to_vec()]);
    (Connection::from_config(&config).unwrap(), log)
}

async fn serve(
    connection: usize,
    stream: TcpStream,
    acceptor: TlsAcceptor,
    log: Log,
    habit: Habit,
) {
    if matches!(habit, Habit::Resets(_)) {
        // What is dropped is reset, not closed politely.
        stream.set_zero_linger().unwrap();
    }
    let Ok(stream) = acceptor.accept(stream).await else {
        return;
    };
    let (count, mut counted) = watch::channel(0_usize);
    let broken = Arc::new(Notify::new());
    let breaks = Arc::clone(&broken);
    let service = service_fn(move |request: Request<Incoming>| {
        count.send_modify(|count| *count += 1);
        answer(
            connection,
            request,
            Arc::clone(&log),
            habit,
            Arc::clone(&breaks),
        )
    });
    let mut builder = http2::Builder::new(TokioExecutor::new());
    if let Habit::AllowsStreams(most) = habit {
        builder.max_concurrent_streams(most);
    }
    let mut serving = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let enough = async {
        match habit {
            Habit::GoesAwayAfter(most) => {
                counted.wait_for(|count| *count >= most).await.unwrap();
            }
            _ => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = serving.as_mut() => return,
        () = broken.notified() => return,
        () = enough => {}
    }
    serving.as_mut().graceful_shutdown();
    let _ = serving.await;
}

async fn answer(
    connection: usize,
    request: Request<Incoming>,
    log: Log,
    habit: Habit,
    breaks: Arc<Notify>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let user = request.headers().get("impersonate-user").cloned();
    let name = path.rsplit('/').next().unwrap_or_default().to_owned();
    // A write counts once it has arrived.
    let _ = request.into_body().collect().await;
    let writes = {
        let mut heard = log.lock().unwrap();
        if user.is_none_or(|user| user.as_bytes() != TENANT.as_bytes()) {
            heard.strangers += 1;
        }
        heard
            .requests
            .push((connection, method.clone(), name.clone()));
        heard.busy[connection] += 1;
        heard.busiest = heard.busiest.max(heard.busy[connection]);
        let requests = heard.requests.iter();
        requests
            .filter(|(_, method, _)| *method == Method::PATCH)
            .count()
    };
    match habit {
        Habit::Resets(most) if method == Method::PATCH && writes <= most => {
            breaks.notify_one();
            std::future::pending::<()>().await;
        }
        // Long enough for others to come meanwhile; nothing is measured by it.
        Habit::AllowsStreams(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        _ => tokio::task::yield_now().await,
    }
    log.lock().unwrap().busy[connection] -= 1;
    let object = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": name, "namespace": "shop", "uid": "u", "resourceVersion": "1" },
    });
    Ok(Response::new(Full::new(object.to_string().into())))
}

fn tenant() -> Identity {
    let account = ServiceAccountName::new("deployer").unwrap();
    let namespace = Namespace::new("shop").unwrap();
    Identity::resolve(Tenancy::Multi, &namespace, Some(&account), &Cluster::Local).unwrap()
}

fn config_map(name: &str) -> Target {
    Target::collection("v1", "configmaps", Some("shop")).named(name)
}

async fn get(connection: &Connection, budget: &Budget, name: &str) -> Result<(), Failure> {
    let requests = Requests::as_tenant(connection, budget, "shop", &tenant());
    requests.get(&config_map(name)).await.map(drop)
}

async fn apply(connection: &Connection, name: &str) -> Result<(), Failure> {
    let budget = Budget::default();
    let requests = Requests::as_tenant(connection, &budget, "shop", &tenant());
    let body = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name } });
    requests.apply(&config_map(name), &body).await.map(drop)
}

#[tokio::test]
async fn a_server_that_goes_away_costs_a_new_connection_and_no_request() {
    let (connection, log) = server(Habit::GoesAwayAfter(5)).await;
    let budget = Budget::default();
    for number in 0..23 {
        let said = get(&connection, &budget, &format!("n{number}")).await;
        assert!(said.is_ok(), "request {number}: {said:?}");
    }
    let heard = log.lock().unwrap();
    assert_eq!(
        heard.strangers, 0,
        "each request says as whom, on whatever connection"
    );
    let connections: BTreeSet<usize> = heard.requests.iter().map(|(of, ..)| *of).collect();
    assert!(connections.len() > 1, "the server did go away");
    for number in 0..23 {
        let name = format!("n{number}");
        let times = heard.requests.iter().filter(|(.., of)| *of == name).count();
        assert_eq!(times, 1, "{name}");
    }
}

#[tokio::test]
async fn requests_wait_for_a_stream_where_a_server_allows_few() {
    let (connection, log) = server(Habit::AllowsStreams(4)).await;
    let budget = Budget::default();
    // The limit is known from the first answer on.
    get(&connection, &budget, "first").await.unwrap();
    let all = join_all((0..40).map(|number| {
        let (connection, budget) = (connection.clone(), budget.clone());
        async move { get(&connection, &budget, &format!("n{number}")).await }
    }))
    .await;
    for said in all {
        assert!(said.is_ok(), "{said:?}");
    }
    let heard = log.lock().unwrap();
    assert_eq!(heard.requests.len(), 41);
    assert!(heard.busiest <= 4, "{} streams at once", heard.busiest);
    assert!(heard.busiest > 1, "they did come at once");
    assert_eq!(heard.strangers, 0);
}

/// The most important of the three: nobody knows whether such a write took effect, so it isn't for the
/// transport to send it again.
#[tokio::test]
async fn a_write_whose_connection_is_reset_is_a_failure_and_is_not_sent_again_by_the_transport() {
    let (connection, log) = server(Habit::Resets(1)).await;
    let budget = Budget::default();
    get(&connection, &budget, "before").await.unwrap();
    let failure = apply(&connection, "lost").await.unwrap_err();
    assert!(
        matches!(failure.class, FailureClass::Transient { .. }),
        "{failure:?}"
    );
    let times = |name: &str| {
        let heard = log.lock().unwrap();
        heard.requests.iter().filter(|(.., of)| of == name).count()
    };
    assert_eq!(times("lost"), 1);
    // The next one has a connection of its own, and says as whom.
    apply(&connection, "lost").await.unwrap();
    get(&connection, &budget, "after").await.unwrap();
    assert_eq!(times("lost"), 2);
    let heard = log.lock().unwrap();
    assert_eq!(heard.strangers, 0);
    let (first, last) = (heard.requests.first(), heard.requests.last());
    assert_ne!(first.map(|heard| heard.0), last.map(|heard| heard.0));
}
