//! Spans as a collector receives them: a real OTLP receiver on loopback, a release on the simulated
//! cluster.
#![expect(clippy::unwrap_used, reason = "a test that can't be set up fails")]

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::{Buf as _, Bytes};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use prost::Message as _;
use serde_json::json;
use stageset_controller::Options;
use stageset_controller::flags::TracingOptions;
use stageset_controller::traces::Traces;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::harness::{World, config_map, stage_set};

const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

type Received = Arc<Mutex<Vec<ExportTraceServiceRequest>>>;

/// A collector: OTLP over gRPC without TLS.
async fn collector() -> (u16, Received) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let received = Received::default();
    let kept = Arc::clone(&received);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let kept = Arc::clone(&kept);
            let service = service_fn(move |request| export(request, Arc::clone(&kept)));
            tokio::spawn(async move {
                auto::Builder::new(TokioExecutor::new())
                    .http2_only()
                    .serve_connection(TokioIo::new(stream), service)
                    .await
            });
        }
    });
    (port, received)
}

/// One unary call: a length-prefixed message there and back, the status in the trailers.
async fn export(
    request: Request<Incoming>,
    kept: Received,
) -> Result<
    Response<
        StreamBody<futures::stream::Iter<std::vec::IntoIter<Result<Frame<Bytes>, Infallible>>>>,
    >,
    Infallible,
> {
    assert_eq!(request.uri().path(), EXPORT);
    let mut bytes = request.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(bytes.get_u8(), 0, "not compressed");
    let length = usize::try_from(bytes.get_u32()).unwrap();
    assert_eq!(length, bytes.len());
    let message = ExportTraceServiceRequest::decode(bytes).unwrap();
    kept.lock().unwrap().push(message);
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let frames = vec![
        Ok(Frame::data(Bytes::from_static(&[0; 5]))),
        Ok(Frame::trailers(trailers)),
    ];
    let response = Response::builder()
        .header("content-type", "application/grpc")
        .body(StreamBody::new(futures::stream::iter(frames)));
    Ok(response.unwrap())
}

/// A span, as far as it is looked at here.
#[derive(Debug, Clone)]
struct Seen {
    name: String,
    trace: Vec<u8>,
    id: Vec<u8>,
    parent: Vec<u8>,
    attributes: BTreeMap<String, String>,
}

impl Seen {
    fn has(&self, attribute: &str) -> &str {
        self.attributes.get(attribute).map_or("", |value| value)
    }
}

fn attributes(pairs: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |value: &any_value::Value| match value {
        any_value::Value::StringValue(text) => text.clone(),
        any_value::Value::IntValue(number) => number.to_string(),
        any_value::Value::BoolValue(is) => is.to_string(),
        other => format!("{other:?}"),
    };
    let pair = |pair: &KeyValue| {
        let value = pair.value.as_ref()?.value.as_ref()?;
        Some((pair.key.clone(), text(value)))
    };
    pairs.iter().filter_map(pair).collect()
}

fn spans(received: &Received) -> Vec<Seen> {
    let mut seen = Vec::new();
    for request in received.lock().unwrap().iter() {
        for of_resource in &request.resource_spans {
            let resource = attributes(&of_resource.resource.as_ref().unwrap().attributes);
            assert_eq!(resource["service.name"], "stageset-controller");
            assert_eq!(resource["service.instance.id"], "controller-0");
            let spans = of_resource
                .scope_spans
                .iter()
                .flat_map(|scope| &scope.spans);
            seen.extend(spans.map(|span| Seen {
                name: span.name.clone(),
                trace: span.trace_id.clone(),
                id: span.span_id.clone(),
                parent: span.parent_span_id.clone(),
                attributes: attributes(&span.attributes),
            }));
        }
    }
    seen
}

fn options(port: u16, ratio: &str) -> TracingOptions {
    let words = [
        "stageset-controller".to_owned(),
        format!("--tracing-endpoint=127.0.0.1:{port}"),
        "--tracing-insecure".to_owned(),
        format!("--tracing-sample-ratio={ratio}"),
    ];
    Options::parse(words, |_| None).unwrap().tracing.unwrap()
}

/// A clock that runs, for the connection to the collector: the cluster's is paused.
fn real() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

/// Delivers a release with an http action under traces, to its end; what the API server was asked as
/// the tenant, as `user path`.
fn delivered(traces: &Traces) -> Vec<String> {
    let subscriber = tracing_subscriber::registry().with(traces.layer());
    let cluster = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    tracing::subscriber::with_default(subscriber, || {
        cluster.block_on(async {
            let world = World::new().await;
            world.tenant("payments", &["*"]);
            world.source(
                "payments",
                "app",
                &[("a.yaml", &config_map("settings", "in-a-value"))],
            );
            world.put(&json!({
                "apiVersion": "v1", "kind": "Secret",
                "metadata": { "name": "chat", "namespace": "payments" },
                "data": { "Authorization": "aW4tYS1zZWNyZXQ=" },
            }));
            let mut set = stage_set("payments", "shop", &["app"]);
            set["spec"]["stages"][0]["actions"] = json!({ "pre": [{
                "name": "tell",
                "http": {
                    "url": "https://chat.example/rooms/in-a-path?token=in-a-query",
                    "body": "in-a-body",
                    "headersFrom": [{ "name": "chat", "key": "Authorization" }],
                },
            }] });
            world.put(&set);
            let controller = world.controller(Options::default());
            world
                .until_ready_says("payments", "shop", "True Succeeded")
                .await;
            controller.stop().await.unwrap();
            let requests = world.requests().into_iter();
            requests
                // Watches, and the lists that they begin with, are no part of a pass.
                .filter(|record| record.verb != "watch" && record.verb != "list")
                .filter_map(|record| Some(format!("{} {}", record.impersonated?, record.path)))
                .collect()
        })
    })
}

#[test]
fn a_release_is_seen_in_its_spans_and_nothing_of_its_content_is() {
    let real = real();
    let (port, received) = real.block_on(collector());
    let traces = {
        let _within = real.enter();
        Traces::start(&options(port, "1.0"), "controller-0").unwrap()
    };
    let mut asked = delivered(&traces);
    traces.stop();

    let spans = spans(&received);
    let named = |name: &str| {
        spans
            .iter()
            .filter(|span| span.name == name)
            .collect::<Vec<_>>()
    };
    let parent = |span: &Seen| spans.iter().find(|other| other.id == span.parent).cloned();
    let passes = named("StageSet.Reconcile");
    assert!(!passes.is_empty(), "{spans:#?}");
    for pass in &passes {
        assert!(pass.parent.is_empty(), "{pass:?}");
        assert_eq!(
            (pass.has("stageset.namespace"), pass.has("stageset.name")),
            ("payments", "shop")
        );
        assert!(
            pass.has("stageset.turns")
                .parse::<u32>()
                .is_ok_and(|turns| turns > 0)
        );
        assert!(!pass.has("stageset.next").is_empty());
    }
    // Every other span belongs to a pass, by way of spans that arrived too.
    for span in &spans {
        let mut up = span.clone();
        while let Some(above) = parent(&up) {
            assert_eq!(above.trace, span.trace);
            up = above;
        }
        assert_eq!(up.name, "StageSet.Reconcile", "{span:?}");
    }
    for name in ["stage.fetch", "stage.build", "stage.dryRun", "stage.apply"] {
        let found = named(name);
        assert!(!found.is_empty(), "{name}: {spans:#?}");
        assert!(
            found
                .iter()
                .all(|span| parent(span).unwrap().name == "StageSet.Reconcile")
        );
    }
    assert_eq!(named("stage.apply")[0].has("stageset.stage"), "app");
    let action = named("stage.action");
    assert_eq!(action.len(), 1);
    assert_eq!(
        (
            action[0].has("stageset.stage"),
            action[0].has("stageset.action")
        ),
        ("app", "tell")
    );
    let called = named("http.request");
    assert_eq!(called.len(), 1);
    assert_eq!(called[0].has("server.address"), "chat.example");
    assert_eq!(parent(called[0]).unwrap().name, "stage.action");

    // Each request of the tenant is there, under its name.
    let requests = named("kubernetes.request");
    let mut traced: Vec<String> = requests
        .iter()
        .filter(|span| span.has("enduser.id") != "the controller")
        .map(|span| format!("{} {}", span.has("enduser.id"), span.has("url.path")))
        .collect();
    traced.sort();
    asked.sort();
    assert_eq!(traced, asked);
    assert!(!asked.is_empty());
    assert!(
        requests
            .iter()
            .any(|span| span.has("enduser.id") == "the controller")
    );
    let written = requests
        .iter()
        .find(|span| {
            span.has("url.path").ends_with("configmaps/settings")
                && parent(span).unwrap().name == "stage.apply"
        })
        .unwrap();
    assert_eq!(written.has("http.request.method"), "PATCH");
    assert_eq!(written.has("http.response.status_code"), "201");
    assert_eq!(written.has("kubernetes.dry_run"), "false");

    let everything = format!("{:?}", received.lock().unwrap());
    for kept in [
        "in-a-value",
        "in-a-secret",
        "aW4tYS1zZWNyZXQ",
        "in-a-path",
        "in-a-query",
        "in-a-body",
    ] {
        assert!(
            !everything.contains(kept),
            "{kept} was sent to the collector"
        );
    }
}

#[test]
fn of_a_ratio_of_zero_nothing_is_sent() {
    let real = real();
    let (port, received) = real.block_on(collector());
    let traces = {
        let _within = real.enter();
        Traces::start(&options(port, "0"), "controller-0").unwrap()
    };
    delivered(&traces);
    traces.stop();
    assert_eq!(received.lock().unwrap().len(), 0);
}

/// One that refuses, and one that takes connections and never says a word: releases go on, and so does
/// the stop.
#[test]
fn a_collector_that_does_not_answer_stops_nothing() {
    let real = real();
    let closed = real.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let closed = closed.local_addr().unwrap().port();
    let silent = real.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    for port in [closed, silent.local_addr().unwrap().port()] {
        let traces = {
            let _within = real.enter();
            Traces::start(&options(port, "1"), "controller-0").unwrap()
        };
        assert!(!delivered(&traces).is_empty());
        traces.stop();
    }
}
