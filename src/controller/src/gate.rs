//! `GET /gate/{namespace}/{stageset}/{stage}`: may others go on, because this stage is delivered?
//!
//! Unauthenticated and answered from the watch's store, on every replica. Ready means delivered as the
//! spec has it *now*: the status speaks of the current generation, the stage is in the spec, ready at
//! the revision that the current run is pinned to, and the StageSet is neither suspended nor being
//! deleted. A StageSet that doesn't exist and one that this controller may not see read alike (A22),
//! and no message of a status ever leaves through here.

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use serde_json::Value;
use stageset_api::names::{API_VERSION, KIND_STAGE_SET};
use stageset_api::stageset::FoundStageSet;
use stageset_api::status::StagePhase;
use stageset_cluster::{Watched, WatchedObjects};
use stageset_core::object::GroupVersionKind;

/// The store of StageSets, once the loop has one. Clones share it.
#[derive(Clone, Default)]
pub struct Gate {
    stage_sets: Arc<OnceLock<Arc<dyn WatchedObjects>>>,
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let known = self.stage_sets.get().is_some();
        f.debug_struct("Gate").field("known", &known).finish()
    }
}

/// What a gate says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// Whether others may go on.
    pub ready: bool,
    /// Namespace that was asked for.
    pub namespace: String,
    /// StageSet that was asked for.
    pub stageset: String,
    /// Stage that was asked for.
    pub stage: String,
    /// Where the stage stands, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<&'static str>,
    /// The revision whose objects were applied last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Why not, in words of ours.
    #[serde(skip)]
    says: &'static str,
}

const UNKNOWN: &str = "this StageSet isn't known here";
const NO_STAGE: &str = "this StageSet has no such stage";
const NOT_READY: &str = "not ready";
const READY: &str = "ready";

impl Gate {
    /// From now on the store answers.
    pub(crate) fn open(&self, stage_sets: Arc<dyn WatchedObjects>) {
        // A second loop of one process would be a defect; the first one's store stays.
        let _ = self.stage_sets.set(stage_sets);
    }

    /// What the gate of a stage says.
    pub fn ask(&self, namespace: &str, stageset: &str, stage: &str) -> Answer {
        let kind = GroupVersionKind::from_manifest(API_VERSION, KIND_STAGE_SET);
        let found = self
            .stage_sets
            .get()
            .map(|store| store.get(&kind, namespace, stageset));
        let object = match &found {
            Some(Watched::Synced(Some(object))) => Some(object.value()),
            Some(Watched::Synced(None) | Watched::NotWatched) | None => None,
        };
        answer(object.as_deref(), namespace, stageset, stage)
    }

    /// The pages of the gate's address.
    pub fn pages(self) -> Router {
        let page = move |Path((namespace, stageset, stage)): Path<(String, String, String)>,
                         headers: HeaderMap| {
            let answer = self.ask(&namespace, &stageset, &stage);
            async move { told(answer, &headers) }
        };
        Router::new()
            .route(
                "/gate/{namespace}/{stageset}/{stage}",
                get(page).fallback(|| async {
                    let allow = [(header::ALLOW, "GET")];
                    (StatusCode::METHOD_NOT_ALLOWED, allow, "only GET\n")
                }),
            )
            .fallback(|| async {
                let says = "the path is /gate/{namespace}/{stageset}/{stage}\n";
                (StatusCode::BAD_REQUEST, says)
            })
    }
}

/// JSON where it is asked for, always 200; otherwise a line, 200 or 403.
fn told(answer: Answer, headers: &HeaderMap) -> Response {
    let wants_json = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.contains("application/json"));
    if wants_json {
        let kind = [(header::CONTENT_TYPE, "application/json")];
        return match serde_json::to_string(&answer) {
            Ok(text) => (kind, text).into_response(),
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        };
    }
    let code = if answer.ready {
        StatusCode::OK
    } else {
        StatusCode::FORBIDDEN
    };
    (code, format!("{}\n", answer.says)).into_response()
}

fn answer(object: Option<&Value>, namespace: &str, stageset: &str, stage: &str) -> Answer {
    let mut answer = Answer {
        ready: false,
        namespace: namespace.to_owned(),
        stageset: stageset.to_owned(),
        stage: stage.to_owned(),
        phase: None,
        revision: None,
        says: UNKNOWN,
    };
    let Some(object) = object else { return answer };
    let found = FoundStageSet::read(object);
    let stages = found.spec.get("stages").and_then(Value::as_array);
    let mut stages = stages.into_iter().flatten();
    let Some(wanted) = stages.find(|each| each["name"] == stage) else {
        answer.says = NO_STAGE;
        return answer;
    };
    answer.says = NOT_READY;
    let Some(recorded) = found.status.stage(stage) else {
        return answer;
    };
    let phase = recorded.phase;
    answer.phase = phase.map(stageset_api::choice::Words::as_str);
    answer.revision.clone_from(&recorded.applied_revision);
    let source = &wanted["sourceRef"];
    let pin = format!(
        "{}/{}",
        source["namespace"]
            .as_str()
            .filter(|namespace| !namespace.is_empty())
            .unwrap_or(namespace),
        source["name"].as_str().unwrap_or_default()
    );
    let pinned = found.status.last_attempted_revisions.get(&pin);
    let current = found.status.observed_generation == found.metadata.generation
        && found.metadata.deletion_timestamp.is_none()
        && found.spec["suspend"] != true;
    answer.ready = current
        && phase == Some(StagePhase::Ready)
        && pinned.is_some()
        && pinned == recorded.applied_revision.as_ref();
    if answer.ready {
        answer.says = READY;
    }
    answer
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use serde_json::json;
    use stageset_cluster::ports::WatchedList;
    use stageset_core::identity::Identity;
    use stageset_core::object::ObjectKey;
    use tower::ServiceExt as _;

    use super::*;

    fn stage_set() -> Value {
        json!({
            "apiVersion": "stages.metio.wtf/v1", "kind": "StageSet",
            "metadata": { "name": "shop", "namespace": "payments", "generation": 3 },
            "spec": { "stages": [
                { "name": "db", "sourceRef": { "name": "shop" } },
                { "name": "app", "sourceRef": { "name": "shop", "namespace": "sources" } },
            ]},
            "status": {
                "observedGeneration": 3,
                "lastAttemptedRevisions": { "payments/shop": "r2", "sources/shop": "r7" },
                "stages": [
                    { "name": "db", "phase": "Ready", "appliedRevision": "r2", "message": "secret words" },
                    { "name": "app", "phase": "Verifying", "appliedRevision": "r7" },
                ],
            },
        })
    }

    fn ready(change: impl FnOnce(&mut Value)) -> bool {
        let mut object = stage_set();
        change(&mut object);
        answer(Some(&object), "payments", "shop", "db").ready
    }

    #[test]
    fn ready_means_delivered_as_the_spec_has_it_now() {
        assert!(ready(|_| {}));
        assert!(!ready(|object| object["metadata"]["generation"] = json!(4)));
        assert!(!ready(|object| object["spec"]["suspend"] = json!(true)));
        assert!(!ready(|object| {
            object["metadata"]["deletionTimestamp"] = json!("2026-11-23T20:00:00Z");
        }));
        assert!(!ready(|object| {
            object["status"]["lastAttemptedRevisions"]["payments/shop"] = json!("r3");
        }));
        assert!(!ready(
            |object| object["status"]["lastAttemptedRevisions"] = json!({})
        ));
        for phase in [
            "Pending",
            "Applying",
            "Verifying",
            "Failed",
            "Pruning",
            "odd",
        ] {
            assert!(
                !ready(|object| object["status"]["stages"][0]["phase"] = json!(phase)),
                "{phase}"
            );
        }
        assert!(
            !ready(|object| object["spec"]["stages"] = json!([])),
            "left the spec"
        );
        assert!(!ready(|object| object["status"] = json!("odd")));
        let app = answer(Some(&stage_set()), "payments", "shop", "app");
        assert_eq!((app.ready, app.phase), (false, Some("Verifying")));
    }

    struct One;
    impl WatchedObjects for One {
        fn get(&self, _: &GroupVersionKind, namespace: &str, name: &str) -> Watched {
            match (namespace, name) {
                ("payments", "shop") => Watched::Synced(Some(stage_set().into())),
                ("payments", _) => Watched::Synced(None),
                _ => Watched::NotWatched,
            }
        }
        fn list(&self, _: &GroupVersionKind, _: &str) -> WatchedList {
            WatchedList::NotWatched
        }
        fn covers(&self, _: &Identity, _: &ObjectKey, _: &str) -> bool {
            false
        }
    }

    async fn ask(method: &str, path: &str, accept: Option<&str>) -> (u16, HeaderMap, String) {
        let gate = Gate::default();
        gate.open(Arc::new(One));
        let mut request = Request::builder().method(method).uri(path);
        if let Some(accept) = accept {
            request = request.header(header::ACCEPT, accept);
        }
        let request = request.body(Body::empty()).unwrap();
        let answer = gate.pages().oneshot(request).await.unwrap();
        let (head, body) = answer.into_parts();
        let body = axum::body::to_bytes(body, 1 << 16).await.unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        (head.status.as_u16(), head.headers, text)
    }

    #[tokio::test]
    async fn text_and_json() {
        let (code, _, text) = ask("GET", "/gate/payments/shop/db", None).await;
        assert_eq!((code, text.as_str()), (200, "ready\n"));
        let (code, _, text) = ask("GET", "/gate/payments/shop/app", None).await;
        assert_eq!((code, text.as_str()), (403, "not ready\n"));
        let (code, _, text) = ask("GET", "/gate/payments/shop/none", None).await;
        assert_eq!(
            (code, text.as_str()),
            (403, "this StageSet has no such stage\n")
        );
        let json = Some("application/json");
        let (code, _, text) = ask("GET", "/gate/payments/shop/db", json).await;
        assert_eq!(code, 200);
        let told: Value = serde_json::from_str(&text).unwrap();
        let whole = json!({
            "ready": true, "namespace": "payments", "stageset": "shop", "stage": "db",
            "phase": "Ready", "revision": "r2",
        });
        assert_eq!(told, whole, "and no message of the status");
        let (code, _, text) = ask("GET", "/gate/payments/none/db", json).await;
        let told: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (code, &told["ready"], told.get("phase")),
            (200, &json!(false), None)
        );
    }

    #[tokio::test]
    async fn attack_a22_an_unknown_stageset_and_one_out_of_sight_read_alike() {
        let (unknown, ..) = ask("GET", "/gate/payments/none/db", None).await;
        let mut texts = std::collections::BTreeSet::new();
        for path in [
            "/gate/payments/none/db",
            "/gate/elsewhere/shop/db",
            "/gate/%2e%2e/x/y",
        ] {
            let (code, _, text) = ask("GET", path, None).await;
            assert_eq!(code, unknown);
            texts.insert(text);
        }
        assert_eq!(texts.len(), 1, "{texts:?}");
        // Before there is a store nothing else is said either.
        let early = Gate::default().ask("payments", "shop", "db");
        assert_eq!((early.ready, early.says), (false, UNKNOWN));
    }

    #[tokio::test]
    async fn other_methods_and_paths() {
        for method in ["POST", "PUT", "DELETE", "PATCH"] {
            let (code, headers, _) = ask(method, "/gate/payments/shop/db", None).await;
            assert_eq!(
                (code, headers[header::ALLOW].as_bytes()),
                (405, &b"GET"[..]),
                "{method}"
            );
        }
        for path in [
            "/",
            "/gate",
            "/gate/payments/shop",
            "/gate/payments/shop/db/more",
            "/metrics",
        ] {
            assert_eq!(ask("GET", path, None).await.0, 400, "{path}");
        }
    }
}
