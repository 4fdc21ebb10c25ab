//! What pods are given from outside: `PersistentVolumeClaim` and Service.

use super::Judgement;
use super::fields::{Fields, quoted};
use crate::observation::Health;

/// Current once bound. A claim whose class waits for the first pod stays in progress until that
/// pod is there.
pub(super) fn claim(object: &Fields<'_>) -> Judgement {
    Ok(match object.text("status.phase")? {
        Some("Bound") => Health::Current,
        Some(phase) => Health::InProgress(format!("its phase is {}, not Bound", quoted(phase))),
        None => Health::InProgress("it isn't bound: status.phase isn't there yet".into()),
    })
}

/// Current at once, but for a `LoadBalancer` without a cluster IP.
pub(super) fn service(object: &Fields<'_>) -> Judgement {
    let balanced = object.text("spec.type")? == Some("LoadBalancer");
    if balanced
        && object
            .text("spec.clusterIP")?
            .unwrap_or_default()
            .is_empty()
    {
        return Ok(Health::InProgress(
            "the LoadBalancer has no cluster IP yet".into(),
        ));
    }
    Ok(Health::Current)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::judge::health::judge;
    use crate::observation::Health;

    #[test]
    fn a_claim_must_be_bound() {
        let claim = |status: Value| {
            judge(&json!({
                "apiVersion": "v1", "kind": "PersistentVolumeClaim",
                "metadata": {"name": "data"}, "status": status,
            }))
        };
        assert_eq!(claim(json!({"phase": "Bound"})), Health::Current);
        for (status, message) in [
            (
                json!({"phase": "Pending"}),
                "its phase is Pending, not Bound",
            ),
            (json!({"phase": "Lost"}), "its phase is Lost, not Bound"),
            (json!({}), "it isn't bound: status.phase isn't there yet"),
            (json!(null), "it isn't bound: status.phase isn't there yet"),
            (
                json!({"phase": 1}),
                "its readiness can't be read: status.phase is a number that counts nothing, not a text",
            ),
        ] {
            assert_eq!(
                claim(status.clone()),
                Health::InProgress(message.into()),
                "{status}"
            );
        }
    }

    #[test]
    fn only_a_load_balancer_waits_for_its_address() {
        let service = |spec: Value| {
            judge(
                &json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": spec}),
            )
        };
        let pending = Health::InProgress("the LoadBalancer has no cluster IP yet".into());
        for (spec, expected) in [
            (json!({}), Health::Current),
            (json!({"type": "ClusterIP"}), Health::Current),
            (json!({"type": "ExternalName"}), Health::Current),
            (
                json!({"type": "ClusterIP", "clusterIP": "None"}),
                Health::Current,
            ),
            (json!({"type": "LoadBalancer"}), pending.clone()),
            (json!({"type": "LoadBalancer", "clusterIP": ""}), pending),
            (
                json!({"type": "LoadBalancer", "clusterIP": "10.0.0.7"}),
                Health::Current,
            ),
        ] {
            assert_eq!(service(spec.clone()), expected, "{spec}");
        }
    }
}
