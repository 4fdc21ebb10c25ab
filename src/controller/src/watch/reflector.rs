//! One list-and-watch loop.
//!
//! What there is comes as the first events of the watch (KEP-3157), which is one request and never a
//! whole list in memory; a server that doesn't do that is asked for a list in pages, and for a watch
//! from there. Bookmarks keep the place; it resumes there when the server ends the watch, and begins
//! anew when the server has forgotten that point (410). Each request to watch lasts less than five
//! minutes, so that a right that was taken away is noticed (K17). After every failure it tells its
//! sink that it vouches for nothing any more; when a watch stands, that it does again.

use std::sync::Arc;
use std::time::Duration;

use kube::core::params::{ListParams, WatchParams};
use kube::core::watch::BookmarkMeta;
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
/// Silence in the middle of the beginning of a stream after which a list is asked for instead.
const BEGINNING: Duration = Duration::from_secs(30);
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
    /// It started and ended within a second, or before all was told that there is.
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

/// Where a reflector goes on.
#[derive(Debug)]
enum Place {
    /// Nothing is known yet, or no longer.
    Nowhere,
    /// The same, and the server has just shown that it doesn't stream what there is.
    Unstreamed,
    /// All up to this version is known.
    At(String),
}

impl Place {
    /// `object` was told last. A beginning isn't a place before it is whole.
    fn advance(&mut self, object: &Value) {
        if let (Self::At(version), Some(newer)) =
            (self, text_field(object, "/metadata/resourceVersion"))
        {
            newer.clone_into(version);
        }
    }
}

/// What a stream has told so far of what there is.
#[derive(Debug)]
struct Beginning<T> {
    objects: Vec<T>,
    /// What has happened since; the server may tell that before it says that the beginning is over.
    since: Vec<News<T>>,
}

impl<T> Beginning<T> {
    fn take(&mut self, news: News<T>, added: bool) {
        match news {
            News::Changed(object) if added && self.since.is_empty() => self.objects.push(object),
            news => self.since.push(news),
        }
    }
}

/// Keeps one watch up, until it is dropped. `poke` ends a pause between two tries.
pub async fn reflect<S: Sink>(connection: Connection, on: WatchOn, poke: Arc<Notify>, mut sink: S) {
    let mut backoff = sink.backoff();
    let mut place = Place::Nowhere;
    loop {
        let begun = Instant::now();
        let error = match cycle(&connection, &on, &mut place, &mut sink).await {
            Ok(()) if matches!(place, Place::Unstreamed) => continue,
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

/// Watches once, from the beginning if nothing is known. Ok = the watch ended as agreed, or has to
/// begin anew.
async fn cycle<S: Sink>(
    connection: &Connection,
    on: &WatchOn,
    place: &mut Place,
    sink: &mut S,
) -> Result<(), WatchError> {
    // Held while a watch lasts and not while it pauses.
    let client = connection.watch_client(on.identity.clone())?;
    let mut beginning = None;
    let from = match place {
        Place::At(version) => version.clone(),
        Place::Nowhere => {
            beginning = Some(Beginning {
                objects: Vec::new(),
                since: Vec::new(),
            });
            String::new()
        }
        Place::Unstreamed => {
            let (objects, version) = list(&client, on, sink).await?;
            sink.take(News::Listed(objects));
            *place = Place::At(version.clone());
            version
        }
    };
    let streamed = beginning.is_some();
    let seconds = WATCH_SECONDS - u32::try_from(spread(&on.to_string()) % 60).unwrap_or(0);
    let mut events = match client.watch(request(on, &from, seconds, streamed)?).await {
        Ok(events) => events,
        Err(failure) if failure.status() == Some(410) => {
            *place = Place::Nowhere;
            return Ok(());
        }
        // So answers a server whose feature gate WatchList is off.
        Err(failure) if streamed && matches!(failure.status(), Some(400 | 422)) => {
            *place = Place::Unstreamed;
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    if beginning.is_none() {
        sink.take(News::Live);
    }
    let silence = Duration::from_secs(u64::from(seconds)) + OVERDUE;
    loop {
        let bound = beginning.as_ref().map_or(silence, |_| BEGINNING);
        let event = match timeout(bound, events.next()).await {
            Ok(event) => event?,
            // An API server of somebody's own that doesn't know the option passes over it.
            Err(_) if beginning.is_some() => {
                *place = Place::Unstreamed;
                return Ok(());
            }
            Err(_) => return Err(WatchError::Silent),
        };
        let added = matches!(event, Some(WatchEvent::Added(_)));
        let news = match event {
            None if beginning.is_some() => return Err(WatchError::TooShort),
            None => return Ok(()),
            Some(WatchEvent::Added(object) | WatchEvent::Modified(object)) => {
                place.advance(&object);
                sink.reduce(object).map(News::Changed)
            }
            Some(WatchEvent::Deleted(object)) => {
                place.advance(&object);
                sink.reduce(object).map(News::Deleted)
            }
            Some(WatchEvent::Bookmark(bookmark)) => {
                let whole = beginning.take_if(|_| ends_beginning(&bookmark.metadata));
                if beginning.is_none() {
                    *place = Place::At(bookmark.metadata.resource_version);
                }
                if let Some(Beginning { objects, since }) = whole {
                    sink.take(News::Listed(objects));
                    for news in since {
                        sink.take(news);
                    }
                    sink.take(News::Live);
                }
                None
            }
            Some(WatchEvent::Error(status)) if status.code == 410 => {
                *place = Place::Nowhere;
                return Ok(());
            }
            Some(WatchEvent::Error(status)) => {
                return Err(WatchError::Ended {
                    code: status.code,
                    message: status.message,
                });
            }
        };
        match (news, &mut beginning) {
            (Some(news), Some(beginning)) => beginning.take(news, added),
            (Some(news), None) => sink.take(news),
            (None, _) => {}
        }
    }
}

/// The request to watch from a version on, or from the beginning.
fn request(
    on: &WatchOn,
    from: &str,
    seconds: u32,
    streamed: bool,
) -> Result<http::Request<Vec<u8>>, WatchError> {
    let params = WatchParams {
        label_selector: on.selector.clone(),
        field_selector: None,
        timeout: Some(seconds),
        bookmarks: true,
        send_initial_events: streamed,
    };
    let request = Request::new(on.path());
    let request = if on.metadata_only {
        request.watch_metadata(&params, from)
    } else {
        request.watch(&params, from)
    };
    request.map_err(|error| WatchError::Invalid(error.to_string()))
}

/// Whether a bookmark says that all there is has been told.
fn ends_beginning(bookmark: &BookmarkMeta) -> bool {
    let told = bookmark.annotations.get("k8s.io/initial-events-end");
    told.is_some_and(|told| told == "true")
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

#[cfg(test)]
mod tests;
