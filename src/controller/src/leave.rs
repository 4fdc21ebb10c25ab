//! What is done for a namespace that has left the list of a release: its claims there are given up, so
//! that the next release may have the StageSets (K24).
//!
//! Nothing else is sent for these namespaces (K25): a list of their StageSets and, for each that this
//! release claims, one patch that takes the claim away if it still stands. Only a leader does it, so
//! that no replica with the longer list can claim anew. Done once, it isn't done again.

use std::time::Duration;

use http::{Method, Request};
use kube::Client;
use serde_json::{Value, json};
use stageset_api::field::text_field;
use stageset_cluster::{Connection, RequestIdentity};
use stageset_core::names::Namespace;
use stageset_core::observation::ControllerRelease;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use crate::flags::{Leave, Options};

/// Longest wait for one answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// Pause after the first failure; it doubles.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// Longest pause: so soon a right that is granted heals it.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// StageSets in one answer.
const PAGE: usize = 200;

/// The task that gives up this release's claims, begun by a leader.
pub(crate) struct Leaving {
    todo: Option<Claims>,
    task: JoinSet<()>,
}

impl Leaving {
    /// Nothing is sent before [`Leaving::begin`].
    pub(crate) fn new(
        connection: &Connection,
        options: &Options,
        release: Option<&ControllerRelease>,
    ) -> Self {
        let places: Vec<Option<Namespace>> = match &options.leave {
            Leave::Nothing => Vec::new(),
            Leave::Namespaces(list) => list.iter().cloned().map(Some).collect(),
            Leave::AllOthers => vec![None],
        };
        let todo = release
            .filter(|_| !places.is_empty())
            .map(|release| Claims {
                client: connection.client(RequestIdentity::Controller),
                release: release.clone(),
                stays: options.watch_namespaces.clone(),
                places,
            });
        Self {
            todo,
            task: JoinSet::new(),
        }
    }

    /// This replica leads: begins, the first time.
    pub(crate) fn begin(&mut self) {
        if let Some(claims) = self.todo.take() {
            self.task.spawn(claims.give_up());
        }
    }

    /// Ends it where it stands; what remains is done after the next start.
    pub(crate) async fn stop(&mut self) {
        self.task.shutdown().await;
    }
}

/// Why a namespace isn't left yet.
#[derive(Debug, thiserror::Error)]
enum LeaveError {
    #[error("{0}")]
    Request(#[source] Box<kube::Error>),
    #[error("no answer from the API server within {} s", ANSWER_TIMEOUT.as_secs())]
    Timeout,
}

/// The claims of one release outside its list.
struct Claims {
    client: Client,
    release: ControllerRelease,
    /// What is listed, and so is kept.
    stays: Vec<Namespace>,
    /// Where claims are looked for; `None` = in all namespaces at once.
    places: Vec<Option<Namespace>>,
}

impl Claims {
    /// Goes on until every place is left.
    async fn give_up(mut self) {
        let mut pause = FIRST_PAUSE;
        let mut told = Vec::new();
        loop {
            let mut remaining = Vec::new();
            for place in std::mem::take(&mut self.places) {
                match self.leave(place.as_ref()).await {
                    Ok(cleared) => {
                        let namespace = shown(place.as_ref());
                        info!(
                            namespace,
                            cleared, "left: this release claims no StageSet there any more"
                        );
                    }
                    Err(error) => {
                        self.tell(place.as_ref(), &error, &mut told);
                        remaining.push(place);
                    }
                }
            }
            if remaining.is_empty() {
                return;
            }
            self.places = remaining;
            sleep(pause).await;
            pause = LONGEST_PAUSE.min(pause.saturating_mul(2));
        }
    }

    /// Says what went wrong, once for each text.
    fn tell(&self, place: Option<&Namespace>, error: &LeaveError, told: &mut Vec<String>) {
        let namespace = shown(place);
        let text = format!("{namespace}: {error}");
        if !told.contains(&text) {
            warn!(
                namespace,
                %error,
                "the claims of this release could not be given up; trying again. It takes `list` on \
                 stagesets and `patch` on stagesets/status there; or clear status.handledBy by hand \
                 (docs/tenancy.md)"
            );
            told.push(text);
        }
    }

    /// Clears every claim of ours in a place; how many there were.
    async fn leave(&self, place: Option<&Namespace>) -> Result<usize, LeaveError> {
        let base = "/apis/stages.metio.wtf/v1";
        let collection = match place {
            Some(namespace) => format!("{base}/namespaces/{namespace}/stagesets"),
            None => format!("{base}/stagesets"),
        };
        let (mut cleared, mut next) = (0, String::new());
        loop {
            let path = format!("{collection}?limit={PAGE}{next}");
            let page = self.send(Method::GET, &path, None).await?;
            for object in page["items"].as_array().into_iter().flatten() {
                if self.is_left(object) && self.clear(object).await? {
                    cleared += 1;
                }
            }
            match text_field(&page, "/metadata/continue") {
                // A token is base64 for URLs.
                Some(token) if !token.is_empty() => next = format!("&continue={token}"),
                _ => return Ok(cleared),
            }
        }
    }

    /// Whether a StageSet is claimed by us and in no namespace that stays.
    fn is_left(&self, object: &Value) -> bool {
        let listed = |namespace: &str| self.stays.iter().any(|stays| stays.as_str() == namespace);
        let claim = |name: &str| text_field(object, &format!("/status/handledBy/{name}"));
        text_field(object, "/metadata/namespace").is_some_and(|namespace| !listed(namespace))
            && claim("namespace") == Some(&self.release.namespace)
            && claim("name") == Some(&self.release.name)
    }

    /// Takes the claim away from the StageSet as it was seen; `false` = the StageSet is gone. One that
    /// has changed meanwhile is looked at again with the next try.
    async fn clear(&self, object: &Value) -> Result<bool, LeaveError> {
        let text = |pointer: &str| text_field(object, pointer).unwrap_or_default();
        let (namespace, name) = (text("/metadata/namespace"), text("/metadata/name"));
        let path =
            format!("/apis/stages.metio.wtf/v1/namespaces/{namespace}/stagesets/{name}/status");
        let patch = json!({
            "metadata": { "resourceVersion": text("/metadata/resourceVersion") },
            "status": { "handledBy": null },
        });
        match self.send(Method::PATCH, &path, Some(&patch)).await {
            Ok(_) => Ok(true),
            Err(LeaveError::Request(error)) if is_gone(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        patch: Option<&Value>,
    ) -> Result<Value, LeaveError> {
        let body = patch.map(|patch| patch.to_string().into_bytes());
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(http::header::CONTENT_TYPE, "application/merge-patch+json")
            .header(http::header::ACCEPT, "application/json")
            .body(body.unwrap_or_default())
            .map_err(kube::Error::HttpError);
        let answer = async { self.client.request::<Value>(request?).await };
        match timeout(ANSWER_TIMEOUT, answer).await {
            Ok(answer) => answer.map_err(|error| LeaveError::Request(Box::new(error))),
            Err(_) => Err(LeaveError::Timeout),
        }
    }
}

fn is_gone(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
}

fn shown(place: Option<&Namespace>) -> &str {
    place.map_or("*", Namespace::as_str)
}
