//! Sources, read as the controller (K04): Flux's own kinds directly, a producer through the
//! ExternalArtifact that names it.

use serde_json::Value;
use stageset_api::names::{DEFAULT_SOURCE_API_VERSION, DEFAULT_SOURCE_KIND};
use stageset_core::failure::{Failure, FailureClass};
use stageset_core::object::GroupVersionKind;
use stageset_core::observation::{Artifact, SourceState};
use stageset_core::spec::SourceReference;

use super::{Found, Gather, text};
use crate::ports::{Ports, Watched, WatchedList};
use crate::requests::{Target, clean};
use crate::stored::Stored;

/// As the controller, from the watch if there is one.
pub(super) async fn source(gather: Gather<'_>, source: &SourceReference) -> Found {
    let state = match watched(gather.ports, source) {
        Some(state) => state,
        None => read(gather, source)
            .await
            .unwrap_or_else(SourceState::Unreadable),
    };
    let state = if source.namespace.as_str() == gather.key.namespace {
        state
    } else {
        foreign(source, state)
    };
    Found::Source(source.clone(), state)
}

/// What a watch says of a source; `None` if none covers it.
pub(crate) fn watched(ports: &Ports, source: &SourceReference) -> Option<SourceState> {
    let namespace = source.namespace.as_str();
    if source.is_direct() {
        let kind = GroupVersionKind::from_manifest(&source.api_version, &source.kind);
        return match ports.watched.get(&kind, namespace, &source.name) {
            Watched::Synced(object) => {
                let state = |object: Stored| state_of(&object.value());
                Some(object.map_or(SourceState::Absent, state))
            }
            Watched::NotWatched => None,
        };
    }
    let kind = GroupVersionKind::from_manifest(DEFAULT_SOURCE_API_VERSION, DEFAULT_SOURCE_KIND);
    match ports.watched.list(&kind, namespace) {
        WatchedList::Synced(objects) => {
            let objects: Vec<_> = objects.iter().map(Stored::value).collect();
            Some(of_producer(source, objects.iter().map(AsRef::as_ref)))
        }
        WatchedList::NotWatched => None,
    }
}

async fn read(gather: Gather<'_>, source: &SourceReference) -> Result<SourceState, Failure> {
    let namespace = Some(source.namespace.as_str());
    let requests = gather.as_controller();
    if source.is_direct() {
        let plural = match source.kind.as_str() {
            "GitRepository" => "gitrepositories",
            "OCIRepository" => "ocirepositories",
            "Bucket" => "buckets",
            _ => "externalartifacts",
        };
        let target = Target::collection(&source.api_version, plural, namespace);
        let found = requests.get(&target.named(&source.name)).await?;
        return Ok(found.as_ref().map_or(SourceState::Absent, state_of));
    }
    let target = Target::collection(DEFAULT_SOURCE_API_VERSION, "externalartifacts", namespace);
    let listed = requests.list(&target, "").await?;
    Ok(of_producer(source, &listed))
}

/// The ExternalArtifact whose `spec.sourceRef` names the producer by group, kind and name.
fn of_producer<'v>(
    source: &SourceReference,
    artifacts: impl IntoIterator<Item = &'v Value>,
) -> SourceState {
    let group = |api_version: &str| GroupVersionKind::from_manifest(api_version, "").group;
    let matching: Vec<&Value> = artifacts
        .into_iter()
        .filter(|object| {
            let field = |name| text(object, &format!("/spec/sourceRef/{name}"));
            field("kind") == Some(source.kind.as_str())
                && field("name") == Some(source.name.as_str())
                && group(field("apiVersion").unwrap_or_default()) == group(&source.api_version)
        })
        .collect();
    match matching.as_slice() {
        [] => SourceState::Absent,
        [one] => state_of(one),
        several => {
            let names = several
                .iter()
                .filter_map(|object| text(object, "/metadata/name"));
            let mut candidates: Vec<String> = names.map(str::to_owned).collect();
            candidates.sort();
            SourceState::Ambiguous { candidates }
        }
    }
}

/// What a source object says of itself.
fn state_of(object: &Value) -> SourceState {
    let conditions = object
        .pointer("/status/conditions")
        .and_then(Value::as_array);
    let ready = conditions
        .into_iter()
        .flatten()
        .find(|condition| condition["type"] == "Ready");
    let artifact = artifact_of(object);
    match ready {
        Some(ready) if ready["status"] == "True" => {
            artifact.map_or(SourceState::NoArtifact, SourceState::Ready)
        }
        Some(ready) => SourceState::NotReady {
            message: clean(text(ready, "/message").unwrap_or("it doesn't say why")),
            artifact,
        },
        None => SourceState::NotReady {
            message: "it has no Ready condition yet".into(),
            artifact,
        },
    }
}

fn artifact_of(object: &Value) -> Option<Artifact> {
    Some(Artifact {
        url: text(object, "/status/artifact/url")?.to_owned(),
        digest: text(object, "/status/artifact/digest")?.to_owned(),
        revision: text(object, "/status/artifact/revision")
            .unwrap_or_default()
            .to_owned(),
    })
}

/// Of a foreign namespace nothing is told but that the source can't be had (A09).
fn foreign(source: &SourceReference, state: SourceState) -> SourceState {
    let class = match state {
        SourceState::Ready(artifact) => return SourceState::Ready(artifact),
        // Kept, so that a run that pinned it goes on; its words aren't.
        SourceState::NotReady {
            artifact: Some(artifact),
            ..
        } => {
            return SourceState::NotReady {
                message: unavailable(source),
                artifact: Some(artifact),
            };
        }
        SourceState::Unreadable(failure) => failure.class,
        _ => FailureClass::Denied,
    };
    SourceState::Unreadable(Failure::new(class, unavailable(source)))
}

fn unavailable(source: &SourceReference) -> String {
    format!("{source} is not available to this StageSet")
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use stageset_core::names::Namespace;

    use super::*;

    fn reference(api_version: &str, kind: &str) -> SourceReference {
        SourceReference {
            api_version: api_version.into(),
            kind: kind.into(),
            namespace: Namespace::new("shop").unwrap(),
            name: "web".into(),
        }
    }

    fn object(name: &str, ready: Option<&str>, artifact: bool) -> Value {
        let mut object = json!({ "metadata": { "name": name }, "status": {}, "spec": { "sourceRef": {
            "apiVersion": "build.example.org/v2", "kind": "Image", "name": "web", "namespace": "x",
        }}});
        if let Some(status) = ready {
            object["status"]["conditions"] =
                json!([{ "type": "Ready", "status": status, "message": "because\n" }]);
        }
        if artifact {
            object["status"]["artifact"] =
                json!({ "url": "http://s/a.tar.gz", "digest": "sha256:0", "revision": "r1" });
        }
        object
    }

    fn artifact() -> Artifact {
        Artifact {
            url: "http://s/a.tar.gz".into(),
            digest: "sha256:0".into(),
            revision: "r1".into(),
        }
    }

    #[test]
    fn only_ready_sources_offer_their_artifact() {
        let not_ready = |message: &str, artifact| SourceState::NotReady {
            message: message.into(),
            artifact,
        };
        for (ready, has_artifact, state) in [
            (Some("True"), true, SourceState::Ready(artifact())),
            (Some("True"), false, SourceState::NoArtifact),
            (Some("False"), true, not_ready("because", Some(artifact()))),
            (Some("Unknown"), false, not_ready("because", None)),
            (
                None,
                true,
                not_ready("it has no Ready condition yet", Some(artifact())),
            ),
        ] {
            assert_eq!(
                state_of(&object("a", ready, has_artifact)),
                state,
                "{ready:?}"
            );
        }
    }

    #[test]
    fn producers_are_matched_by_group_kind_and_name() {
        let source = reference("build.example.org/v1", "Image");
        let one = object("a", Some("True"), true);
        assert_eq!(of_producer(&source, [&one]), SourceState::Ready(artifact()));
        let other_group = reference("other.example.org/v1", "Image");
        assert_eq!(of_producer(&other_group, [&one]), SourceState::Absent);
        let other_kind = reference("build.example.org/v1", "Chart");
        assert_eq!(of_producer(&other_kind, [&one]), SourceState::Absent);
        let two = object("b", Some("True"), true);
        assert_eq!(
            of_producer(&source, [&two, &one]),
            SourceState::Ambiguous {
                candidates: vec!["a".into(), "b".into()]
            }
        );
    }

    #[test]
    fn every_fault_of_a_foreign_source_reads_alike() {
        let source = reference("source.toolkit.fluxcd.io/v1", "Bucket");
        let mut texts = std::collections::BTreeSet::new();
        for state in [
            SourceState::Absent,
            SourceState::NoArtifact,
            SourceState::NotReady {
                message: "secret words".into(),
                artifact: None,
            },
            SourceState::Ambiguous {
                candidates: vec!["x".into()],
            },
            SourceState::Unreadable(Failure::new(FailureClass::Denied, "RBAC")),
            SourceState::Unreadable(Failure::new(FailureClass::UnknownKind, "no kind")),
        ] {
            let SourceState::Unreadable(failure) = foreign(&source, state) else {
                panic!()
            };
            texts.insert(failure.message);
        }
        assert_eq!(texts.len(), 1, "{texts:?}");
        assert_eq!(
            foreign(&source, SourceState::Ready(artifact())),
            SourceState::Ready(artifact())
        );
    }
}
