//! Real sockets and real TLS: each way to fail has its own sentence, and nothing of the kubeconfig
//! in it.

use std::net::SocketAddr;

use base64::Engine as _;
use futures::FutureExt as _;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rcgen::{CertificateParams, Issuer, KeyPair, date_time_ymd};
use stageset_core::identity::{Identity, Tenancy};
use stageset_core::names::{SecretName, ServiceAccountName};
use tokio::net::TcpListener;
use tower::service_fn;

use super::*;
use crate::artifacts::{AddressPolicy, Resolve};
use crate::requests::{Requests, Target as Object};

mod hostile;

const TOKEN: &str = "canary-token-5e7";

struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

fn authority() -> Authority {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let pem = params.self_signed(&key).unwrap().pem();
    Authority {
        pem,
        issuer: Issuer::new(params, key),
    }
}

/// A TLS server on loopback that answers everything with an empty object.
async fn server(authority: &Authority, host: &str, expired: bool) -> SocketAddr {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
    if expired {
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 1, 1);
    }
    let certificate = params.signed_by(&key, &authority.issuer).unwrap();
    let mut config = rustls::ServerConfig::builder_with_provider(Arc::new(
        rustls::crypto::ring::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .unwrap()
    .with_no_client_auth()
    .with_single_cert(
        vec![certificate.der().clone()],
        key.serialize_der().try_into().unwrap(),
    )
    .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else {
                    return;
                };
                let service = hyper::service::service_fn(
                    |request: http::Request<hyper::body::Incoming>| async move {
                        let token = request.headers().get("authorization").cloned();
                        let known = token.is_some_and(|token| token == format!("Bearer {TOKEN}"));
                        let user = request.headers().get("impersonate-user").cloned();
                        let body = serde_json::json!({
                            "metadata": { "name": user.map(|user| user.to_str().unwrap().to_owned()) },
                        });
                        http::Response::builder()
                            .status(if known { 200 } else { 401 })
                            .body(http_body_util::Full::new(bytes::Bytes::from(
                                body.to_string(),
                            )))
                    },
                );
                let _ = auto::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    });
    address
}

fn text(server: &str, ca: Option<&str>, token: &str) -> String {
    let ca = ca.map_or_else(String::new, |pem| {
        let ca = base64::engine::general_purpose::STANDARD.encode(pem);
        format!(", certificate-authority-data: {ca}")
    });
    format!(
        "{{contexts: [{{name: c, context: {{cluster: k, user: u}}}}], clusters: [{{name: k, cluster: \
         {{server: '{server}'{ca}}}}}], users: [{{name: u, user: {{token: {token}}}}}]}}"
    )
}

/// Names resolve as the table says; each lookup takes the next answer.
fn resolver(answers: Vec<Vec<&'static str>>) -> Resolve {
    let answers = Arc::new(Mutex::new(answers));
    Arc::new(move |_| {
        let mut answers = answers.lock().unwrap();
        let found = if answers.len() > 1 {
            answers.remove(0)
        } else {
            answers.first().cloned().unwrap_or_default()
        };
        async move {
            if found.is_empty() {
                // Its words are the C library's own, which nobody can know.
                return Err(std::io::Error::other("eu.example: HOST_NOT_FOUND"));
            }
            Ok(found
                .into_iter()
                .map(|ip| SocketAddr::new(ip.parse().unwrap(), 0))
                .collect())
        }
        .boxed()
    })
}

fn remotes(opened: &str, resolve: Resolve) -> Remotes {
    let policy = AddressPolicy::parse(opened).unwrap();
    Remotes::new(
        DialRemote::with_resolver(policy, resolve),
        Allowed::default(),
    )
}

fn open(remotes: &Remotes, revision: &str, text: &str) -> KubeconfigState {
    let reference = KubeconfigReference {
        name: SecretName::new("prod").unwrap(),
        key: "value".into(),
    };
    let namespace = Namespace::new("shop").unwrap();
    remotes.open(&namespace, &reference, revision.into(), text.as_bytes())
}

fn target(state: KubeconfigState) -> Target {
    match state {
        KubeconfigState::Usable(target) => target,
        other => panic!("{other:?}"),
    }
}

/// One request to a server by a kubeconfig: what came of it.
async fn ask(remotes: &Remotes, text: &str) -> Result<serde_json::Value, Failure> {
    let target = target(open(remotes, "1", text));
    let remote = target.remote().unwrap();
    let cluster = remotes.reach(remote).unwrap();
    let requests = Requests::discovering(cluster, "shop");
    let object = Object::collection("v1", "configmaps", Some("shop")).named("a");
    requests.get(&object).await.map(Option::unwrap)
}

fn local() -> Resolve {
    resolver(vec![vec!["127.0.0.1"]])
}

#[tokio::test]
async fn a_good_kubeconfig_is_answered() {
    let ca = authority();
    let address = server(&ca, "eu.example", false).await;
    let remotes = remotes("127.0.0.0/8", local());
    let server = format!("https://eu.example:{}", address.port());
    let found = ask(&remotes, &text(&server, Some(&ca.pem), TOKEN))
        .await
        .unwrap();
    assert_eq!(found["metadata"]["name"], serde_json::Value::Null);
}

#[tokio::test]
async fn each_way_to_fail_has_its_own_sentence_without_the_address() {
    let (ca, other) = (authority(), authority());
    let good = server(&ca, "eu.example", false).await.port();
    let expired = server(&ca, "eu.example", true).await.port();
    let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = {
        let unused = TcpListener::bind("127.0.0.1:0").await.unwrap();
        unused.local_addr().unwrap().port()
    };
    let plain_port = plain.local_addr().unwrap().port();
    tokio::spawn(async move {
        use tokio::io::AsyncWriteExt as _;
        while let Ok((mut stream, _)) = plain.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let nowhere = resolver(vec![vec![]]);
    for (host, port, ca, token, resolve, said) in [
        (
            "eu.example",
            good,
            &other,
            TOKEN,
            local(),
            "isn't signed by the kubeconfig's CA",
        ),
        (
            "us.example",
            good,
            &ca,
            TOKEN,
            local(),
            "certificate is for another name",
        ),
        (
            "eu.example",
            expired,
            &ca,
            TOKEN,
            local(),
            "certificate has expired",
        ),
        (
            "eu.example",
            good,
            &ca,
            "expired-token",
            local(),
            "doesn't accept the kubeconfig's credentials (401)",
        ),
        ("eu.example", closed, &ca, TOKEN, local(), "nobody listens"),
        (
            "eu.example",
            plain_port,
            &ca,
            TOKEN,
            local(),
            "doesn't speak TLS",
        ),
        (
            "eu.example",
            good,
            &ca,
            TOKEN,
            nowhere,
            "host name can't be resolved",
        ),
    ] {
        let remotes = remotes("127.0.0.0/8", resolve);
        let config = text(&format!("https://{host}:{port}"), Some(&ca.pem), token);
        let failure = ask(&remotes, &config).await.expect_err(said);
        assert!(failure.message.contains(said), "{said:?}: {failure:?}");
        assert!(failure.message.contains("Secret shop/prod"), "{failure:?}");
        for hidden in [host, "127.0.0.1", &port.to_string(), token] {
            assert!(!failure.message.contains(hidden), "{failure:?}");
        }
    }
}

#[tokio::test]
async fn attack_a18_special_addresses_are_not_called_however_they_are_written() {
    let ca = authority();
    let address = server(&ca, "eu.example", false).await;
    let closed = remotes("", local());
    // Addresses, in any spelling, are refused before anything is dialled.
    for host in [
        "127.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "169.254.169.254",
        "0.0.0.0",
        "224.0.0.1",
        "2130706433",
        "0x7f000001",
        "127.1",
        "[fe80::1]",
        "[::]",
        "[64:ff9b::7f00:1]",
    ] {
        let server = format!("https://{host}:{}", address.port());
        let KubeconfigState::Refused(said) =
            open(&closed, "1", &text(&server, Some(&ca.pem), TOKEN))
        else {
            panic!("{host} was accepted");
        };
        assert!(!said.contains(host.trim_matches(['[', ']'])), "{said}");
        assert!(
            said.contains("--allow-remote-addresses") || said.contains("usual form"),
            "{said}"
        );
    }
    // Names that resolve there, also only the second time.
    let server = format!("https://eu.example:{}", address.port());
    for answers in [
        vec![vec!["127.0.0.1"]],
        vec![vec!["::1"]],
        vec![vec!["10.0.0.1", "127.0.0.1"]],
        vec![vec!["::ffff:169.254.169.254"]],
    ] {
        let remotes = remotes("", resolver(answers));
        let failure = ask(&remotes, &text(&server, Some(&ca.pem), TOKEN))
            .await
            .unwrap_err();
        assert!(
            failure.message.contains("--allow-remote-addresses"),
            "{failure:?}"
        );
        assert!(!failure.message.contains("127.0.0.1"), "{failure:?}");
    }
    // An opened range is open, and no other.
    let opened = remotes("127.0.0.0/8", local());
    assert!(
        ask(&opened, &text(&server, Some(&ca.pem), TOKEN))
            .await
            .is_ok()
    );
    let other = remotes("169.254.0.0/16", local());
    assert!(
        ask(&other, &text(&server, Some(&ca.pem), TOKEN))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn one_state_of_a_secret_is_one_connection() {
    let remotes = remotes("127.0.0.0/8", local());
    let config = text("https://eu.example", None, TOKEN);
    let first = target(open(&remotes, "1", &config));
    assert_eq!(target(open(&remotes, "1", &config)), first);
    assert_eq!(remotes.numbers(), (1, 0));
    let second = target(open(&remotes, "2", &config));
    assert_ne!(second, first);
    assert_eq!(second.cluster(), first.cluster());
    assert_eq!(remotes.numbers(), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_nobody_uses_is_closed_and_never_replaced_by_another() {
    let remotes = remotes("127.0.0.0/8", local());
    let first = target(open(
        &remotes,
        "1",
        &text("https://eu.example", None, TOKEN),
    ));
    tokio::time::advance(Duration::from_secs(3601)).await;
    open(&remotes, "2", &text("https://us.example", None, TOKEN));
    let failure = remotes.reach(first.remote().unwrap()).unwrap_err();
    assert!(failure.message.contains("was closed"), "{failure:?}");
}

#[tokio::test]
async fn a_remote_identity_is_not_sent_to_the_local_cluster() {
    let remotes = remotes("127.0.0.0/8", local());
    let target = target(open(
        &remotes,
        "1",
        &text("https://eu.example", None, TOKEN),
    ));
    let account = ServiceAccountName::new("deployer").unwrap();
    let identity = Identity::resolve(
        Tenancy::Single,
        &Namespace::new("shop").unwrap(),
        Some(&account),
        &target,
    )
    .unwrap();
    let asked = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let here = Connection::from_service(service_fn(move |_: http::Request<kube::client::Body>| {
        counter.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        async { Ok::<_, tower::BoxError>(http::Response::new(kube::client::Body::empty())) }
    }));
    let budget = crate::fairness::Budget::default();
    let object = Object::collection("v1", "configmaps", Some("shop")).named("a");
    let requests = Requests::as_tenant(&here, &budget, "shop", &identity);
    let failure = requests.get(&object).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Denied);
    assert!(failure.message.contains("isn't sent"), "{failure:?}");
    assert_eq!(asked.load(std::sync::atomic::Ordering::SeqCst), 0);
}
