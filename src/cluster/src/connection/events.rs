//! The events of one watch: a line of JSON each, as they come.
//!
//! What has come of a line that isn't whole yet is all that is kept: most of the time nothing happens,
//! and there are thousands of watches.

use http_body_util::BodyExt as _;
use kube::core::WatchEvent;
use serde_json::Value;

use super::ResponseBody;
use super::watches::START_TIMEOUT;
use crate::requests::unsent;

/// Most bytes of one event: more than the largest object that etcd takes.
const EVENT_BYTES: usize = 16 * 1024 * 1024;

/// Why a watch, or a list that precedes it, came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum WatchFailure {
    /// The API server said no.
    #[error("the API server answers {code}: {message}")]
    Refused {
        /// HTTP status.
        code: u16,
        /// Its words.
        message: String,
    },
    /// No answer in time.
    #[error("the API server didn't begin to answer within {} s", START_TIMEOUT.as_secs())]
    NotStarted,
    /// The connection failed, at the start or later.
    #[error("{0}")]
    Lost(String),
    /// An answer or event that can't be read.
    #[error("the API server's answer isn't what was asked for: {0}")]
    NotJson(#[source] serde_json::Error),
    /// An event without an end.
    #[error("an event is longer than {} MiB", EVENT_BYTES >> 20)]
    TooLong,
}

impl WatchFailure {
    pub(super) fn lost(error: &(dyn std::error::Error + Send + Sync + 'static)) -> Self {
        Self::Lost(unsent(error).message)
    }

    /// The HTTP status of a refusal.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            Self::NotStarted | Self::Lost(_) | Self::NotJson(_) | Self::TooLong => None,
        }
    }
}

/// The events of one watch.
pub struct Events {
    body: ResponseBody,
    /// What has come and isn't an event yet.
    pending: Vec<u8>,
    /// How much of it is known to hold no end of a line.
    searched: usize,
}

impl Events {
    pub(super) fn of(body: ResponseBody) -> Self {
        Self {
            body,
            pending: Vec::new(),
            searched: 0,
        }
    }

    /// The next event; `None` when the server has ended the watch. Dropped while it waits, it loses
    /// nothing.
    ///
    /// # Errors
    /// [`WatchFailure`]; nothing more comes after one.
    pub async fn next(&mut self) -> Result<Option<WatchEvent<Value>>, WatchFailure> {
        loop {
            if let Some(line) = self.line()? {
                if line.iter().all(u8::is_ascii_whitespace) {
                    continue;
                }
                let event = serde_json::from_slice(&line).map_err(WatchFailure::NotJson)?;
                return Ok(Some(event));
            }
            match self.body.frame().await {
                // A line that was cut off is no event.
                None => return Ok(None),
                Some(Err(error)) => return Err(WatchFailure::lost(&*error)),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.pending.extend_from_slice(&data);
                    }
                }
            }
        }
    }

    /// Takes the first whole line out of what has come.
    fn line(&mut self) -> Result<Option<Vec<u8>>, WatchFailure> {
        let rest = &self.pending[self.searched..];
        let Some(at) = rest.iter().position(|byte| *byte == b'\n') else {
            if self.pending.len() > EVENT_BYTES {
                return Err(WatchFailure::TooLong);
            }
            self.searched = self.pending.len();
            return Ok(None);
        };
        let after = self.pending.split_off(self.searched + at + 1);
        self.searched = 0;
        Ok(Some(std::mem::replace(&mut self.pending, after)))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures::stream;
    use http_body::Frame;
    use http_body_util::StreamBody;
    use tower::BoxError;

    use super::*;

    fn events(chunks: &[&'static str], fails: bool) -> Events {
        let mut frames: Vec<Result<Frame<Bytes>, BoxError>> = chunks
            .iter()
            .map(|chunk| Ok(Frame::data(Bytes::from_static(chunk.as_bytes()))))
            .collect();
        if fails {
            frames.push(Err("connection reset".into()));
        }
        Events::of(StreamBody::new(stream::iter(frames)).boxed_unsync())
    }

    async fn names(mut events: Events) -> (Vec<String>, Option<WatchFailure>) {
        let mut names = Vec::new();
        loop {
            match events.next().await {
                Ok(Some(WatchEvent::Added(object))) => {
                    names.push(object["name"].as_str().unwrap().to_owned());
                }
                Ok(Some(other)) => panic!("{other:?}"),
                Ok(None) => return (names, None),
                Err(failure) => return (names, Some(failure)),
            }
        }
    }

    #[tokio::test]
    async fn events_are_lines_however_they_are_cut() {
        let text = r#"{"type":"ADDED","object":{"name":"ONE"}}"#;
        let two = format!("{text}\n{}\n", text.replace("ONE", "two\u{e4}"));
        for cut in 0..two.len() {
            let (a, b) = two.as_bytes().split_at(cut);
            let frames =
                [a, b].map(|part| Ok::<_, BoxError>(Frame::data(Bytes::copy_from_slice(part))));
            let events = Events::of(StreamBody::new(stream::iter(frames)).boxed_unsync());
            let (names, failure) = names(events).await;
            assert_eq!(names, ["ONE", "two\u{e4}"], "cut at {cut}");
            assert!(failure.is_none());
        }
    }

    #[tokio::test]
    async fn a_watch_ends_or_fails_as_it_does() {
        const ONE: &str = "{\"type\":\"ADDED\",\"object\":{\"name\":\"a\"}}\n";
        let (seen, failure) = names(events(&[ONE, "\n", "{\"type\":\"ADD"], false)).await;
        assert_eq!(
            (seen.len(), failure.is_none()),
            (1, true),
            "cut off at the end"
        );
        let (seen, failure) = names(events(&[ONE], true)).await;
        assert_eq!(seen.len(), 1);
        assert!(matches!(failure, Some(WatchFailure::Lost(said)) if said.contains("reset")));
        let (_, failure) = names(events(&["<html>\n", ONE], false)).await;
        assert!(
            matches!(failure, Some(WatchFailure::NotJson(_))),
            "{failure:?}"
        );
    }

    #[tokio::test]
    async fn an_event_without_an_end_is_not_read_for_ever() {
        let piece = Bytes::from(vec![b' '; 1 << 20]);
        let endless = stream::repeat_with(move || Ok::<_, BoxError>(Frame::data(piece.clone())));
        let mut events = Events::of(StreamBody::new(endless).boxed_unsync());
        let failure = events.next().await.unwrap_err();
        assert!(matches!(failure, WatchFailure::TooLong));
    }
}
