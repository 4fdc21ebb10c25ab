//! What a hostile remote server, or a hostile Secret, can take: time, memory and places (A27, A17).

use std::sync::atomic::{AtomicUsize, Ordering};

use http_body_util::StreamBody;
use kube::client::Body;

use super::*;

/// A remote cluster whose requests go to this service.
fn cluster_of<S, B>(service: S) -> Arc<RemoteCluster>
where
    S: tower::Service<http::Request<Body>, Response = http::Response<B>>
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send + 'static,
    S::Error: Into<tower::BoxError>,
    B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<tower::BoxError>,
{
    let remotes = remotes("127.0.0.0/8", local());
    let Target::Remote(remote) = target(open(
        &remotes,
        "1",
        &text("https://eu.example", None, TOKEN),
    )) else {
        panic!("it is remote");
    };
    let side = Target::Remote(Arc::clone(&remote));
    let connection = Connection::from_service_at(service, &side);
    Arc::new(RemoteCluster::new(remote, connection, Vec::new()))
}

/// A server that takes requests, counts them, and never answers.
fn silent(asked: &Arc<AtomicUsize>) -> Arc<RemoteCluster> {
    let counter = Arc::clone(asked);
    cluster_of(service_fn(move |_: http::Request<Body>| {
        counter.fetch_add(1, Ordering::SeqCst);
        std::future::pending::<Result<http::Response<Body>, tower::BoxError>>()
    }))
}

fn config_map() -> Object {
    Object::collection("v1", "configmaps", Some("shop")).named("a")
}

#[tokio::test(start_paused = true)]
async fn attack_a27_a_remote_answer_is_waited_for_thirty_seconds() {
    let asked = Arc::default();
    let requests = Requests::discovering(silent(&asked), "shop");
    let begun = Instant::now();
    let failure = requests.get(&config_map()).await.unwrap_err();
    assert_eq!(begun.elapsed(), Duration::from_secs(30));
    assert!(failure.message.contains("within 30 s"), "{failure:?}");
}

#[tokio::test(start_paused = true)]
async fn attack_a27_of_a_remote_answer_eight_mebibytes_are_read() {
    const CHUNK: usize = 64 * 1024;
    for (chunks, fits) in [(128, true), (129, false), (100_000, false)] {
        let read = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&read);
        let cluster = cluster_of(service_fn(move |_: http::Request<Body>| {
            let counter = Arc::clone(&counter);
            let frames = (0..chunks).map(move |chunk| {
                counter.fetch_add(1, Ordering::SeqCst);
                // A JSON text, as long as it is to be.
                let mut bytes = vec![b' '; CHUNK];
                if chunk == 0 {
                    bytes[..2].copy_from_slice(b"{}");
                }
                let frame = http_body::Frame::data(bytes::Bytes::from(bytes));
                Ok::<_, std::io::Error>(frame)
            });
            let body = StreamBody::new(futures::stream::iter(frames));
            std::future::ready(Ok::<_, tower::BoxError>(http::Response::new(body)))
        }));
        let requests = Requests::discovering(cluster, "shop");
        let answer = requests.get(&config_map()).await;
        assert_eq!(answer.is_ok(), fits, "{chunks} chunks: {answer:?}");
        let read = read.load(Ordering::SeqCst);
        assert!(read <= 129, "{read} of {chunks} chunks were read");
    }
}

#[tokio::test(start_paused = true)]
async fn attack_a27_eight_requests_to_one_remote_cluster_are_under_way_at_most() {
    let asked = Arc::default();
    let cluster = silent(&asked);
    let requests = Requests::discovering(Arc::clone(&cluster), "shop");
    let object = config_map();
    let all = futures::future::join_all((0..40).map(|_| requests.get(&object)));
    let mut all = Box::pin(all);
    assert!(all.as_mut().now_or_never().is_none());
    assert_eq!(asked.load(Ordering::SeqCst), 8);
    // When those have had no answer, the others aren't sent: they were let in before it fell silent.
    let begun = Instant::now();
    let answers = all.await;
    assert!(answers.iter().all(Result::is_err));
    assert_eq!(begun.elapsed(), Duration::from_secs(30));
    assert_eq!(asked.load(Ordering::SeqCst), 8);
}

/// Whoever comes while all places are held by requests to a silent server isn't made to wait for one.
#[tokio::test(start_paused = true)]
async fn attack_a27_nobody_waits_for_a_turn_at_a_cluster_that_fell_silent() {
    let asked = Arc::default();
    let cluster = silent(&asked);
    let requests = Requests::discovering(Arc::clone(&cluster), "shop");
    let object = config_map();
    let early = futures::future::join_all((0..3).map(|_| requests.get(&object)));
    let mut early = Box::pin(early);
    assert!(early.as_mut().now_or_never().is_none());
    tokio::time::advance(Duration::from_secs(10)).await;
    let late = futures::future::join_all((0..5).map(|_| requests.get(&object)));
    let mut late = Box::pin(late);
    assert!(late.as_mut().now_or_never().is_none());
    assert!(early.await.iter().all(Result::is_err));
    assert!(cluster.is_left_alone());
    // Three of the eight places are free again: taken by somebody else.
    let mut others = Vec::new();
    for _ in 0..3 {
        others.push(cluster.budget().acquire("shop").await);
    }
    let failure = requests.get(&object).now_or_never().expect("at once");
    let failure = failure.unwrap_err();
    assert!(failure.message.contains("left alone"), "{failure:?}");
}

#[test]
fn attack_a17_a_kubeconfig_larger_than_a_secret_is_not_read() {
    let config = text("https://eu.example", None, TOKEN);
    for (bytes, readable) in [(KUBECONFIG_BYTES, true), (KUBECONFIG_BYTES + 1, false)] {
        let text = format!("{config}\n{}", "#".repeat(bytes - config.len() - 1));
        assert_eq!(text.len(), bytes);
        let read = read(text.as_bytes(), Allowed::default());
        assert_eq!(read.is_ok(), readable, "{bytes} bytes: {read:?}");
    }
}
