//! The real transport against a TLS server on loopback: HTTP/2 where it is offered, HTTP/1.1 where
//! not, credentials and identity on every request, watches apart from requests.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::future::join_all;
use http::{Request, Response, Version};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use stageset_cluster::connection::ConnectError;
use stageset_cluster::fairness::Budget;
use stageset_cluster::requests::{Requests, Target};
use stageset_cluster::{Connection, RequestIdentity};
use stageset_core::identity::{Identity, Target as Cluster, Tenancy};
use stageset_core::names::{Namespace, ServiceAccountName};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::world::TENANT;

#[derive(Debug, Clone, PartialEq)]
struct Heard {
    connection: usize,
    version: Version,
    path: String,
    authorization: String,
    user: Option<String>,
}

type Log = Arc<Mutex<Vec<Heard>>>;

/// A TLS server that answers everything with an empty object; the configuration to reach it.
async fn server(protocols: &[&str]) -> (kube::Config, Log) {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let der = certified.cert.der().clone();
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let mut tls = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![der.clone()], key)
        .unwrap();
    tls.alpn_protocols = protocols
        .iter()
        .map(|name| name.as_bytes().to_vec())
        .collect();
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let log = Log::default();
    let heard = Arc::clone(&log);
    tokio::spawn(async move {
        let mut connection = 0;
        while let Ok((stream, _)) = listener.accept().await {
            connection += 1;
            let (acceptor, heard) = (acceptor.clone(), Arc::clone(&heard));
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else {
                    return;
                };
                let service = service_fn(move |request: Request<Incoming>| {
                    let header = |name: &str| {
                        let value = request.headers().get(name)?;
                        Some(value.to_str().unwrap().to_owned())
                    };
                    heard.lock().unwrap().push(Heard {
                        connection,
                        version: request.version(),
                        path: request.uri().path().to_owned(),
                        authorization: header("authorization").unwrap_or_default(),
                        user: header("impersonate-user"),
                    });
                    async { Ok::<_, Infallible>(Response::new(Full::new(Bytes::from("{}")))) }
                });
                let _ = auto::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    });
    let mut config = kube::Config::new(format!("https://localhost:{port}/below").parse().unwrap());
    config.root_cert = Some(vec![der.to_vec()]);
    config.auth_info.token = Some("controller-token".to_owned().into());
    (config, log)
}

fn tenant() -> Identity {
    let account = ServiceAccountName::new("deployer").unwrap();
    Identity::resolve(
        Tenancy::Multi,
        &Namespace::new("shop").unwrap(),
        Some(&account),
        &Cluster::Local,
    )
    .unwrap()
}

async fn get(connection: &Connection, name: &str) {
    let budget = Budget::default();
    let target = Target::collection("v1", "configmaps", Some("shop")).named(name);
    let requests = Requests::as_tenant(connection, &budget, "shop", &tenant());
    requests.get(&target).await.unwrap();
}

#[tokio::test]
async fn http2_is_used_where_it_is_offered_and_watches_go_apart() {
    let (config, log) = server(&["h2", "http/1.1"]).await;
    let connection = Connection::from_config(&config).unwrap();
    get(&connection, "first").await;
    join_all((0..60).map(|n| {
        let connection = connection.clone();
        async move { get(&connection, &format!("n{n}")).await }
    }))
    .await;
    let heard = log.lock().unwrap().clone();
    assert_eq!(heard.len(), 61);
    let connections: BTreeSet<usize> = heard.iter().map(|heard| heard.connection).collect();
    assert_eq!(connections.len(), 1, "one connection carries all requests");
    for heard in &heard {
        assert_eq!(heard.version, Version::HTTP_2);
        assert_eq!(heard.authorization, "Bearer controller-token");
        assert_eq!(heard.user.as_deref(), Some(TENANT));
        assert!(
            heard.path.starts_with("/below/api/v1/namespaces/shop/"),
            "{}",
            heard.path
        );
    }

    let watch = connection
        .watch_client(RequestIdentity::As(tenant()))
        .unwrap();
    let request = Request::get("/api/v1/pods?watch=true")
        .body(Vec::new())
        .unwrap();
    watch.watch(request).await.unwrap();
    let last = log.lock().unwrap().last().unwrap().clone();
    assert!(
        !connections.contains(&last.connection),
        "a watch has a connection of its own"
    );
    assert_eq!(last.user.as_deref(), Some(TENANT));
    assert_eq!(connection.watches_held(), 1);
    drop(watch);
    assert_eq!(connection.watches_held(), 0);
}

/// It holds a credential.
#[tokio::test]
async fn a_connection_shows_nothing_of_itself() {
    let (config, _) = server(&["h2"]).await;
    let connection = Connection::from_config(&config).unwrap();
    assert_eq!(format!("{connection:?}"), "Connection { .. }");
}

#[tokio::test]
async fn http1_serves_where_nothing_better_is_offered() {
    let (config, log) = server(&["http/1.1"]).await;
    let connection = Connection::from_config(&config).unwrap();
    get(&connection, "one").await;
    let heard = log.lock().unwrap();
    assert_eq!(heard[0].version, Version::HTTP_11);
    assert_eq!(heard[0].user.as_deref(), Some(TENANT));
}

#[tokio::test]
async fn a_server_with_another_certificate_is_not_spoken_to() {
    let (mut config, log) = server(&["h2"]).await;
    let (other, _) = server(&["h2"]).await;
    config.root_cert = other.root_cert;
    let connection = Connection::from_config(&config).unwrap();
    let budget = Budget::default();
    let target = Target::collection("v1", "configmaps", Some("shop")).named("a");
    let failure = Requests::as_controller(&connection, &budget, "shop")
        .get(&target)
        .await;
    let message = failure.unwrap_err().message;
    assert!(message.contains("certificate"), "{message}");
    assert!(!message.contains("controller-token"), "{message}");
    assert!(log.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_configuration_that_impersonates_or_goes_through_a_proxy_is_refused() {
    let plain = kube::Config::new("https://localhost".parse().unwrap());
    let mut impersonating = plain.clone();
    impersonating.auth_info.impersonate = Some("admin".into());
    let mut grouped = plain.clone();
    grouped.auth_info.impersonate_groups = Some(vec!["system:masters".into()]);
    let mut by_uid = plain.clone();
    by_uid.auth_info.impersonate_uid = Some("7".into());
    let mut with_extra = plain.clone();
    let extra = [("scopes".to_owned(), vec!["all".to_owned()])];
    with_extra.auth_info.impersonate_user_extra = Some(extra.into());
    for config in [impersonating, grouped, by_uid, with_extra] {
        let refused = Connection::from_config(&config).unwrap_err();
        assert!(
            matches!(refused, ConnectError::ImpersonatesItself),
            "{refused}"
        );
    }
    let mut empty = plain.clone();
    empty.auth_info.impersonate_groups = Some(Vec::new());
    empty.auth_info.impersonate_user_extra = Some([].into());
    assert!(Connection::from_config(&empty).is_ok(), "nobody is named");
    let mut proxied = plain;
    proxied.proxy_url = Some("http://proxy".parse().unwrap());
    assert!(matches!(
        Connection::from_config(&proxied),
        Err(ConnectError::Proxy)
    ));
}
