//! A server that answers by script, and what a reflector tells of it.

use std::collections::VecDeque;
use std::sync::Mutex;

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http::{Request as Asked, Response};
use http_body::Frame;
use http_body_util::StreamBody;
use kube::client::Body;
use serde_json::json;
use tokio::sync::mpsc;
use tower::{BoxError, service_fn};

use super::super::resource::Resource;
use super::*;

/// One answer: a status, lines, and how long it stays open after them (`None` = for ever).
struct Answer(u16, Vec<Value>, Option<Duration>);

fn stays(lines: Vec<Value>) -> Answer {
    Answer(200, lines, None)
}

fn ends(lines: Vec<Value>) -> Answer {
    Answer(200, lines, Some(Duration::from_secs(2)))
}

fn event(kind: &str, name: &str, version: &str) -> Value {
    json!({ "type": kind, "object": { "metadata": { "name": name, "resourceVersion": version } } })
}

fn bookmark(version: &str, ends: bool) -> Value {
    let mut bookmark = json!({ "type": "BOOKMARK", "object": {
        "kind": "ConfigMap", "apiVersion": "v1", "metadata": { "resourceVersion": version } } });
    if ends {
        bookmark["object"]["metadata"]["annotations"] =
            json!({ "k8s.io/initial-events-end": "true" });
    }
    bookmark
}

/// Tells in words.
struct Teller(mpsc::UnboundedSender<String>);

impl Sink for Teller {
    type Item = String;

    fn reduce(&self, object: Value) -> Option<String> {
        text_field(&object, "/metadata/name").map(str::to_owned)
    }

    fn take(&mut self, news: News<String>) {
        let _ = self.0.send(match news {
            News::Listed(names) => format!("listed {}", names.join(" ")),
            News::Changed(name) => format!("changed {name}"),
            News::Deleted(name) => format!("deleted {name}"),
            News::Live => "live".to_owned(),
            News::Broken { error, .. } => format!("broken: {error}"),
        });
    }
}

/// What a reflector tells until it has told `count` things, and what it asked for until then.
async fn told(answers: Vec<Answer>, count: usize) -> (Vec<String>, Vec<String>) {
    let answers = Arc::new(Mutex::new(VecDeque::from(answers)));
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    let service = service_fn(move |request: Asked<Body>| {
        let query = request.uri().query().unwrap_or_default().to_owned();
        log.lock().unwrap().push(query);
        let next = answers.lock().unwrap().pop_front();
        async move {
            let Answer(status, lines, open) = next.expect("asked more often than the script knows");
            let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
            let rest = stream::once(async move {
                match open {
                    Some(open) => sleep(open).await,
                    None => std::future::pending().await,
                }
                Ok::<_, BoxError>(Frame::data(Bytes::new()))
            });
            let text = stream::iter([Ok(Frame::data(Bytes::from(text)))]);
            let body = StreamBody::new(Box::pin(text.chain(rest)));
            Ok::<_, BoxError>(Response::builder().status(status).body(body).unwrap())
        }
    });
    let on = WatchOn::metadata(Resource::new("", "v1", "ConfigMap", "configmaps"), None);
    let (sink, mut said) = mpsc::unbounded_channel();
    let connection = Connection::from_service(service);
    let reflector = tokio::spawn(reflect(connection, on, Arc::default(), Teller(sink)));
    let mut lines = Vec::new();
    for _ in 0..count {
        let line = timeout(Duration::from_secs(3600), said.recv()).await;
        lines.push(line.expect("it says nothing more").expect("it has ended"));
    }
    reflector.abort();
    let asked = asked.lock().unwrap().clone();
    (lines, asked)
}

const STREAMED: &str = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan";

#[tokio::test(start_paused = true)]
async fn a_streamed_beginning_is_told_when_it_is_whole_and_what_came_between_after_it() {
    let script = vec![
        event("ADDED", "one", "5"),
        event("ADDED", "two", "3"),
        bookmark("6", false),
        event("MODIFIED", "one", "7"),
        event("DELETED", "two", "8"),
        event("ADDED", "two", "9"),
        bookmark("9", true),
        event("ADDED", "three", "10"),
    ];
    let (lines, asked) = told(vec![stays(script)], 6).await;
    let between = ["changed one", "deleted two", "changed two"];
    assert_eq!(lines[0], "listed one two");
    assert_eq!(lines[1..4], between);
    assert_eq!(lines[4..], ["live", "changed three"]);
    assert_eq!(asked.len(), 1);
    assert!(asked[0].contains(STREAMED), "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn it_goes_on_where_it_was_and_begins_anew_only_when_that_is_forgotten() {
    let gone = json!({ "type": "ERROR", "object": {
        "status": "Failure", "message": "too old", "reason": "Expired", "code": 410 } });
    let answers = vec![
        ends(vec![bookmark("9", true)]),
        ends(vec![event("MODIFIED", "one", "11")]),
        ends(vec![bookmark("15", false)]),
        Answer(410, vec![], Some(Duration::ZERO)),
        stays(vec![
            event("ADDED", "one", "11"),
            bookmark("20", true),
            gone,
        ]),
        stays(vec![event("ADDED", "one", "21"), bookmark("21", true)]),
    ];
    let (lines, asked) = told(answers, 12).await;
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    let short = "broken: the API server ends the watch at once";
    let begun = ["listed one", "live"];
    assert_eq!(
        lines[..5],
        ["listed ", "live", "live", "changed one", "live"]
    );
    assert_eq!(lines[5], short);
    assert_eq!(lines[6..8], begun);
    assert_eq!(lines[8], short);
    assert_eq!(lines[9..11], begun);
    let from: Vec<_> = asked
        .iter()
        .map(|query| {
            let version = query
                .split('&')
                .find_map(|part| part.strip_prefix("resourceVersion="));
            (version.unwrap_or_default(), query.contains(STREAMED))
        })
        .collect();
    let resumed = [("9", false), ("11", false), ("15", false)];
    assert_eq!(from[0], ("", true));
    assert_eq!(from[1..4], resumed);
    assert_eq!(from[4..], [("", true), ("", true)]);
}

fn listed() -> Vec<Answer> {
    let page = |name: &str, more: &str| {
        let metadata = json!({ "resourceVersion": "30", "continue": more });
        let items = json!([{ "metadata": { "name": name, "resourceVersion": "4" } }]);
        ends(vec![json!({ "metadata": metadata, "items": items })])
    };
    vec![
        page("one", "next"),
        page("two", ""),
        stays(vec![event("DELETED", "one", "31")]),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_server_that_streams_no_beginning_is_asked_for_lists_in_pages() {
    let refuses = Answer(
        422,
        vec![json!({ "message": "forbidden" })],
        Some(Duration::ZERO),
    );
    let passes_over = stays(vec![event("ADDED", "one", "4")]);
    for first in [refuses, passes_over] {
        let answers = std::iter::once(first).chain(listed()).collect();
        let (lines, asked) = told(answers, 3).await;
        assert_eq!(lines, ["listed one two", "live", "deleted one"]);
        assert!(asked[0].contains(STREAMED), "{asked:?}");
        assert!(asked[1].contains("limit=500"), "{asked:?}");
        assert!(asked[2].contains("continue=next"), "{asked:?}");
        assert!(asked[3].contains("resourceVersion=30"), "{asked:?}");
        assert!(!asked[3].contains(STREAMED), "{asked:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_beginning_that_is_cut_off_or_refused_is_no_list() {
    let cut = ends(vec![event("ADDED", "one", "4")]);
    let refused = Answer(403, vec![json!({ "message": "no" })], Some(Duration::ZERO));
    let whole = stays(vec![event("ADDED", "two", "4"), bookmark("5", true)]);
    let (lines, asked) = told(vec![cut, refused, whole], 4).await;
    let broken = [
        "broken: the API server ends the watch at once",
        "broken: the API server answers 403: no",
    ];
    assert_eq!(lines[..2], broken);
    assert_eq!(lines[2..], ["listed two", "live"]);
    assert!(
        asked.iter().all(|query| query.contains(STREAMED)),
        "{asked:?}"
    );
}
