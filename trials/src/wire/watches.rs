//! Watches that don't tell everything: events that come late, twice or in another order, a connection
//! that ends, a server that has forgotten where the watch stood, and events that went by meanwhile.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, StreamBody};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use tower::BoxError;

use super::passage::Passage;
use crate::event::Watch;

/// An event that was overtaken waits no longer than this for the one that overtakes it.
const OVERTAKEN: Duration = Duration::from_secs(20);

struct Watching {
    body: UnsyncBoxBody<Bytes, BoxError>,
    passage: Passage,
    /// Where the watch was asked for: a server that has forgotten says so there.
    path: String,
    ready: VecDeque<Bytes>,
    /// The event that the next one overtakes.
    held: Option<Bytes>,
    over: bool,
}

/// The events of a watch, as far as this process is told of them.
pub(super) fn watched(
    body: UnsyncBoxBody<Bytes, BoxError>,
    passage: Passage,
    path: String,
) -> UnsyncBoxBody<Bytes, BoxError> {
    let watching = Watching {
        body,
        passage,
        path,
        ready: VecDeque::new(),
        held: None,
        over: false,
    };
    let events = stream::unfold(watching, |mut watching| async move {
        let next = watching.next().await?;
        Some((next.map(Frame::data), watching))
    });
    StreamBody::new(events).boxed_unsync()
}

impl Watching {
    async fn next(&mut self) -> Option<Result<Bytes, BoxError>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(Ok(event));
            }
            if self.over {
                return None;
            }
            match self.receive().await {
                Ok(Some(event)) => self.take(event).await,
                Ok(None) => {
                    self.ready.extend(self.held.take());
                    self.over = true;
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// The next event of the server; one that was held alone too long comes by itself.
    async fn receive(&mut self) -> Result<Option<Bytes>, BoxError> {
        loop {
            let frame = if self.held.is_some() {
                match timeout(OVERTAKEN, self.body.frame()).await {
                    Ok(frame) => frame,
                    Err(_) => return Ok(self.held.take()),
                }
            } else {
                self.body.frame().await
            };
            match frame {
                None => return Ok(None),
                Some(Err(error)) => return Err(error),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }

    async fn take(&mut self, event: Bytes) {
        loop {
            let lag = self.passage.stage().lag(self.passage.process);
            if lag.is_zero() {
                break;
            }
            sleep(lag).await;
        }
        if self.held.is_some() && is_bookmark(&event) {
            // It says that all before it was told: overtaken by it, an event would count as one of before.
            self.ready.extend(self.held.take());
        }
        let fault = self.passage.stage().watch_fault(self.passage.process);
        match fault {
            None => {
                self.ready.push_back(event);
                self.ready.extend(self.held.take());
            }
            Some(Watch::Repeated) => {
                self.ready.push_back(event.clone());
                self.ready.push_back(event);
            }
            Some(Watch::Reordered) => {
                self.ready.extend(self.held.replace(event));
            }
            Some(Watch::Closed) => {
                self.ready.push_back(event);
                // A server that goes on from here believes that the client has it.
                self.ready.extend(self.held.take());
                self.over = true;
            }
            Some(Watch::Expired) => {
                let said = json!({ "type": "ERROR", "object": {
                    "kind": "Status", "apiVersion": "v1", "status": "Failure",
                    "reason": "Expired", "code": 410, "message": "too old resource version",
                }});
                self.ready.push_back(format!("{said}\n").into());
                self.over = true;
            }
            // It went by while nobody was connected, and the server doesn't know it any more.
            Some(Watch::Missed) => {
                let mut stage = self.passage.stage();
                stage
                    .expired
                    .insert((self.passage.process, self.path.clone()));
                self.over = true;
            }
        }
    }
}

fn is_bookmark(event: &[u8]) -> bool {
    serde_json::from_slice::<Value>(event).is_ok_and(|event| event["type"] == "BOOKMARK")
}
