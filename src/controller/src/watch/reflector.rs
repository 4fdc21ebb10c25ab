//! One list-and-watch loop.
//!
//! It lists in pages, watches from there with bookmarks, resumes where it was when the server ends
//! the watch, and lists again when the server has forgotten that point (410). Each request to watch
//! lasts less than five minutes, so that a right that was taken away is noticed (K17). After every
//! failure it tells its sink that it vouches for nothing any more; when a watch has started, that
//! it does again.

use std::sync::Arc;
use std::time::Duration;

use kube::core::params::{ListParams, WatchParams};
use kube::core::{Request, WatchEvent};
use serde_json::Value;
use stageset_api::field::text_field;
use stageset_cluster::Connection;
use stageset_cluster::connection::{WatchClient, WatchFailure};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use super::backoff::{Backoff, spread};
use super::resource::WatchOn;

/// Objects in one page of a list.
const PAGE: u32 = 500;
/// Longest time of one request to watch; the shortest is a minute less.
const WATCH_SECONDS: u32 = 290;
/// Silence beyond the agreed end of a watch after which the connection counts as dead.
const OVERDUE: Duration = Duration::from_secs(10);
/// A watch that lasts less counts as a failure, or a server that ends each at once would be asked
/// in a hot loop.
const SHORT: Duration = Duration::from_secs(1);

/// Why a watch doesn't stand.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// No place for it.
    #[error("no connection for a watch: {0}")]
    Connect(#[from] stageset_cluster::connection::ConnectError),
    /// The API server said no, or nothing.
    #[error("{0}")]
    Failed(#[from] WatchFailure),
    /// The watch reported a failure.
    #[error("the API server ended the watch: {message}")]
    Ended {
        /// HTTP status.
        code: u16,
        /// Its words.
        message: String,
    },
    /// The request could not be built.
    #[error("the request can't be built: {0}")]
    Invalid(String),
    /// No resourceVersion to watch from.
    #[error("the list has no resourceVersion")]
    NoVersion,
    /// Silence beyond the agreed end.
    #[error("the watch fell silent")]
    Silent,
    /// It started and ended within a second.
    #[error("the API server ends the watch at once")]
    TooShort,
}

impl WatchError {
    /// The HTTP status, if the server answered at all.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Failed(failure) => failure.status(),
            Self::Ended { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// Whether the kind doesn't exist or may not be seen: nothing that passes by itself.
    pub fn is_lasting(&self) -> bool {
        matches!(self.status(), Some(401 | 403 | 404 | 405 | 406))
    }
}

/// What a reflector tells.
#[derive(Debug)]
pub enum News<T> {
    /// All objects there are.
    Listed(Vec<T>),
    /// An object is there or has changed.
    Changed(T),
    /// An object is gone; as it last was.
    Deleted(T),
    /// From what was told so far, everything that follows will be told: the watch has started.
    Live,
    /// It no longer is so; another try follows after `pause`.
    Broken {
        /// Why.
        error: WatchError,
        /// How long until the next try.
        pause: Duration,
    },
}

/// Takes what a reflector tells.
pub trait Sink: Send + Sync + 'static {
    /// What is kept of an object.
    type Item: Send;

    /// Reduces an object on arrival; `None` if it can't be used (it has no name).
    fn reduce(&self, object: Value) -> Option<Self::Item>;

    /// Takes news. Answers quickly and doesn't block.
    fn take(&mut self, news: News<Self::Item>);

    /// The pauses between tries.
    fn backoff(&self) -> Backoff {
        Backoff::new(Duration::from_secs(1), Duration::from_secs(30))
    }
}

/// Keeps one watch up, until it is dropped. `poke` ends a pause between two tries.
pub async fn reflect<S: Sink>(connection: Connection, on: WatchOn, poke: Arc<Notify>, mut sink: S) {
    let mut backoff = sink.backoff();
    let mut version = None;
    loop {
        let begun = Instant::now();
        let error = match cycle(&connection, &on, &mut version, &mut sink).await {
            Ok(()) if begun.elapsed() >= SHORT => {
                backoff.reset();
                continue;
            }
            Ok(()) => WatchError::TooShort,
            Err(error) => {
                if begun.elapsed() >= Duration::from_secs(60) {
                    backoff.reset();
                }
                error
            }
        };
        let pause = backoff.pause();
        sink.take(News::Broken { error, pause });
        tokio::select! {
            biased;
            () = poke.notified() => backoff.reset(),
            () = sleep(pause) => {}
        }
    }
}

/// Lists if needed, then watches once. Ok = the watch ended as agreed, or has to list anew.
async fn cycle<S: Sink>(
    connection: &Connection,
    on: &WatchOn,
    version: &mut Option<String>,
    sink: &mut S,
) -> Result<(), WatchError> {
    // A place is held while a watch lasts and not while it pauses.
    let place = connection.watch_client(on.identity.clone())?;
    let from = if let Some(version) = version.clone() {
        version
    } else {
        let (objects, listed) = list(&place, on, sink).await?;
        sink.take(News::Listed(objects));
        *version = Some(listed.clone());
        listed
    };
    let seconds = WATCH_SECONDS - u32::try_from(spread(&on.to_string()) % 60).unwrap_or(0);
    let params = WatchParams {
        label_selector: on.selector.clone(),
        field_selector: None,
        timeout: Some(seconds),
        bookmarks: true,
        send_initial_events: false,
    };
    let request = Request::new(on.path());
    let request = if on.metadata_only {
        request.watch_metadata(&params, &from)
    } else {
        request.watch(&params, &from)
    };
    let request = request.map_err(|error| WatchError::Invalid(error.to_string()))?;
    let mut events = match place.watch(request).await {
        Ok(events) => events,
        Err(failure) if failure.status() == Some(410) => {
            *version = None;
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    sink.take(News::Live);
    let silence = Duration::from_secs(u64::from(seconds)) + OVERDUE;
    loop {
        let event = timeout(silence, events.next())
            .await
            .map_err(|_| WatchError::Silent)?;
        match event? {
            None => return Ok(()),
            Some(WatchEvent::Added(object) | WatchEvent::Modified(object)) => {
                advance(version, &object);
                if let Some(item) = sink.reduce(object) {
                    sink.take(News::Changed(item));
                }
            }
            Some(WatchEvent::Deleted(object)) => {
                advance(version, &object);
                if let Some(item) = sink.reduce(object) {
                    sink.take(News::Deleted(item));
                }
            }
            Some(WatchEvent::Bookmark(bookmark)) => {
                *version = Some(bookmark.metadata.resource_version);
            }
            Some(WatchEvent::Error(status)) if status.code == 410 => {
                *version = None;
                return Ok(());
            }
            Some(WatchEvent::Error(status)) => {
                return Err(WatchError::Ended {
                    code: status.code,
                    message: status.message,
                });
            }
        }
    }
}

/// All pages of a list, each object reduced on arrival, and the version to watch from.
async fn list<S: Sink>(
    client: &WatchClient,
    on: &WatchOn,
    sink: &S,
) -> Result<(Vec<S::Item>, String), WatchError> {
    let mut objects = Vec::new();
    let mut params = ListParams {
        label_selector: on.selector.clone(),
        ..ListParams::default()
    };
    params.limit = Some(PAGE);
    loop {
        let request = Request::new(on.path());
        let request = if on.metadata_only {
            request.list_metadata(&params)
        } else {
            request.list(&params)
        };
        let request = request.map_err(|error| WatchError::Invalid(error.to_string()))?;
        let mut page = client.list(request).await?;
        let items = page.get_mut("items").map(Value::take);
        if let Some(Value::Array(items)) = items {
            objects.extend(items.into_iter().filter_map(|object| sink.reduce(object)));
        }
        let text = |pointer| {
            page.pointer(pointer)
                .and_then(Value::as_str)
                .filter(|t| !t.is_empty())
                .map(str::to_owned)
        };
        if let Some(token) = text("/metadata/continue") {
            params.continue_token = Some(token);
        } else {
            let version = text("/metadata/resourceVersion").ok_or(WatchError::NoVersion)?;
            return Ok((objects, version));
        }
    }
}

fn advance(version: &mut Option<String>, object: &Value) {
    if let Some(newer) = text_field(object, "/metadata/resourceVersion") {
        *version = Some(newer.to_owned());
    }
}
