//! Readiness by the kstatus rules.
//!
//! Where kstatus, as Flux uses it, has a rule for a kind, it is followed, surprises included (a Pod
//! that ended in failure is *Current*; a `LoadBalancer` needs a cluster IP but no ingress address);
//! for a Job that is Flux's own reader, to which a running Job is still in progress. Kinds that
//! kstatus takes for ready at once, though they say otherwise themselves, have a rule of ours:
//! `ReplicationController`, Namespace, `APIService`.
//!
//! One file a family: [`custom`] (what holds for every kind, and all there is for custom
//! resources), [`workload`], [`pod`], [`attached`] (claims and services), [`definition`]
//! (definitions, API services, namespaces); [`fields`] reads what others wrote.
//!
//! Nothing here knows the time: the one rule of kstatus that does, a Pod that was unschedulable for
//! 15 s, is *in progress* here until the stage's timeout ends it.

use serde_json::Value;

use crate::object::{GroupVersionKind, ObjectKey};
use crate::observation::Health;

mod attached;
mod custom;
mod definition;
mod fields;
mod pod;
mod workload;

use fields::{Fields, Malformed};

/// What a rule gives; `Err` becomes [`Health::InProgress`] with what is wrong.
type Judgement = Result<Health, Malformed>;

/// Judges how ready a live object is.
///
/// Never fails: an object whose status can't be read as its kind has it (a text where a number
/// belongs, a negative count) is [`Health::InProgress`], and the message says what is wrong with
/// which field. A field that is `null` counts as absent, as the API server has it.
pub fn judge(object: &Value) -> Health {
    let fields = Fields::of(object);
    judgement(&fields).unwrap_or_else(|malformed| Health::InProgress(malformed.to_string()))
}

/// Whether an object that was ready can stop being so while nobody changes what is wanted of it: not
/// the kinds that are nothing but their content.
pub fn can_regress(key: &ObjectKey) -> bool {
    !matches!(
        (key.group.as_str(), key.kind.as_str()),
        (
            "",
            "ConfigMap" | "Secret" | "ServiceAccount" | "LimitRange" | "Endpoints" | "Event"
        ) | ("batch", "CronJob")
            | ("policy", "PodDisruptionBudget")
            | ("discovery.k8s.io", "EndpointSlice")
            | (
                "coordination.k8s.io"
                    | "rbac.authorization.k8s.io"
                    | "storage.k8s.io"
                    | "scheduling.k8s.io"
                    | "node.k8s.io",
                _
            )
    )
}

fn judgement(object: &Fields<'_>) -> Judgement {
    if let Some(health) = custom::common(object)? {
        return Ok(health);
    }
    let api_version = object.text("apiVersion")?.unwrap_or_default();
    let gvk =
        GroupVersionKind::from_manifest(api_version, object.text("kind")?.unwrap_or_default());
    match (gvk.group.as_str(), gvk.kind.as_str()) {
        ("apps" | "extensions", "Deployment") => workload::deployment(object),
        ("apps" | "extensions", "ReplicaSet") | ("", "ReplicationController") => {
            workload::replica_set(object)
        }
        ("apps", "StatefulSet") => workload::stateful_set(object),
        ("apps" | "extensions", "DaemonSet") => workload::daemon_set(object),
        ("", "Pod") => pod::pod(object),
        ("batch", "Job") => pod::job(object),
        ("", "PersistentVolumeClaim") => attached::claim(object),
        ("", "Service") => attached::service(object),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => {
            definition::custom_resource_definition(object)
        }
        ("apiregistration.k8s.io", "APIService") => definition::api_service(object),
        ("", "Namespace") => definition::namespace(object),
        // As good as they get once they are stored (and their generation observed).
        ("", "ConfigMap" | "Secret") | ("batch", "CronJob") | ("policy", "PodDisruptionBudget") => {
            Ok(Health::Current)
        }
        _ => custom::ready_condition(object),
    }
}

#[cfg(test)]
#[path = "mod_tests.rs"]
mod tests;
