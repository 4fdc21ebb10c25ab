//! The watches of a history, open on the real server: what they tell is taken from them event by event,
//! as the history says that a client took it.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use http_body_util::BodyExt as _;
use hyper::body::{Bytes, Incoming};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// How long the real server may take to tell what it was written.
const PATIENCE: Duration = Duration::from_secs(10);

/// A watch on the real server.
pub(crate) struct Watch {
    /// What is watched.
    pub(crate) path: String,
    /// The request and who sent it, to be printed.
    pub(crate) what: String,
    events: mpsc::UnboundedReceiver<Result<Value>>,
    reader: JoinHandle<()>,
}

impl Watch {
    /// Reads the stream of a watch that has begun.
    pub(crate) fn of(path: &str, what: String, stream: Incoming) -> Self {
        let (told, events) = mpsc::unbounded_channel();
        let reader = tokio::spawn(async move {
            let ended = match read(stream, &told).await {
                Ok(()) => "the stream ended".to_owned(),
                Err(error) => format!("{error:#}"),
            };
            // Whoever asks for more is told why there is none; nobody does once the history is over.
            let _ = told.send(Err(anyhow::anyhow!(ended)));
        });
        Self {
            path: path.to_owned(),
            what,
            events,
            reader,
        }
    }

    /// The next event that isn't of the clock: the server sends bookmarks when it likes.
    pub(crate) async fn next(&mut self) -> Result<Value> {
        loop {
            let event = tokio::time::timeout(PATIENCE, self.events.recv());
            match event.await {
                Err(_) => bail!("nothing was told within {PATIENCE:?}"),
                Ok(None) => bail!("the reader is gone"),
                Ok(Some(event)) => {
                    let event = event?;
                    if !is_of_the_clock(&event) {
                        return Ok(event);
                    }
                }
            }
        }
    }
}

impl Watch {
    /// An event that has come already and wasn't asked for yet.
    pub(crate) fn more(&mut self) -> Option<Value> {
        while let Ok(event) = self.events.try_recv() {
            if let Ok(event) = event
                && !is_of_the_clock(&event)
            {
                return Some(event);
            }
        }
        None
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// A bookmark, but for the one that ends the initial events.
pub(crate) fn is_of_the_clock(event: &Value) -> bool {
    let annotations = &event["object"]["metadata"]["annotations"];
    event["type"] == "BOOKMARK" && annotations["k8s.io/initial-events-end"] != "true"
}

async fn read(mut stream: Incoming, told: &mpsc::UnboundedSender<Result<Value>>) -> Result<()> {
    let mut lines = Lines::default();
    while let Some(frame) = stream.frame().await {
        let frame = frame.context("reading the stream")?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        for line in lines.add(&data) {
            let event = serde_json::from_slice(&line).context("an event that is no JSON")?;
            if told.send(Ok(event)).is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// What came of a stream so far and isn't a whole line.
#[derive(Default)]
struct Lines(Vec<u8>);

impl Lines {
    /// The lines that are whole with this.
    fn add(&mut self, data: &Bytes) -> Vec<Vec<u8>> {
        self.0.extend_from_slice(data);
        let mut whole = Vec::new();
        while let Some(end) = self.0.iter().position(|byte| *byte == b'\n') {
            whole.push(self.0.drain(..=end).collect());
        }
        whole
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lines_are_whole_wherever_the_frames_end() {
        let mut lines = Lines::default();
        let mut add = |text: &'static str| lines.add(&Bytes::from_static(text.as_bytes()));
        assert_eq!(add("{\"a\":"), Vec::<Vec<u8>>::new());
        assert_eq!(
            add("1}\n{}\n{\"b"),
            [b"{\"a\":1}\n".to_vec(), b"{}\n".to_vec()]
        );
        assert_eq!(add("\":2}\n"), [b"{\"b\":2}\n".to_vec()]);
    }

    #[test]
    fn bookmarks_are_of_the_clock_but_for_the_first() {
        let bookmark = |annotations: Value| json!({ "type": "BOOKMARK", "object": { "metadata": { "annotations": annotations } } });
        assert!(is_of_the_clock(&bookmark(Value::Null)));
        let first = json!({ "k8s.io/initial-events-end": "true" });
        assert!(!is_of_the_clock(&bookmark(first)));
        assert!(!is_of_the_clock(&json!({ "type": "ADDED" })));
    }
}
