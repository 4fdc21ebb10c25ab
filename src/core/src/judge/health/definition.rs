//! What other objects need before they can be tried: `CustomResourceDefinition`, `APIService`,
//! Namespace.

use super::Judgement;
use super::fields::{Fields, quoted};
use crate::observation::Health;

/// Established, with its names accepted.
pub(super) fn custom_resource_definition(object: &Fields<'_>) -> Judgement {
    let conditions = object.conditions()?;
    if conditions
        .iter()
        .any(|condition| condition.is("Terminating", "True"))
    {
        return Ok(Health::Terminating);
    }
    for condition in conditions {
        if condition.is("NamesAccepted", "False") {
            return Ok(Health::Failed(condition.to_string()));
        }
        if condition.is("Established", "True") {
            return Ok(Health::Current);
        }
        // `Installing` is the API server's way to say that all is well so far.
        if condition.is("Established", "False") && condition.reason != "Installing" {
            return Ok(Health::Failed(condition.to_string()));
        }
    }
    Ok(Health::InProgress("it isn't established yet".into()))
}

/// The API server reaches what serves the group.
pub(super) fn api_service(object: &Fields<'_>) -> Judgement {
    Ok(
        match object
            .conditions()?
            .iter()
            .find(|condition| condition.kind == "Available")
        {
            Some(condition) if condition.status == "True" => Health::Current,
            Some(condition) => Health::InProgress(condition.to_string()),
            None => Health::InProgress("condition Available isn't there yet".into()),
        },
    )
}

/// Active.
pub(super) fn namespace(object: &Fields<'_>) -> Judgement {
    Ok(match object.text("status.phase")? {
        Some("Active") => Health::Current,
        Some("Terminating") => Health::Terminating,
        Some(phase) => Health::InProgress(format!("its phase is {}, not Active", quoted(phase))),
        None => Health::InProgress("status.phase isn't there yet".into()),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::judge::health::judge;
    use crate::observation::Health;

    fn judged(api_version: &str, kind: &str, status: &Value) -> Health {
        judge(&json!({
            "apiVersion": api_version, "kind": kind, "metadata": {"name": "a"}, "status": status,
        }))
    }

    fn in_progress(message: &str) -> Health {
        Health::InProgress(message.into())
    }

    #[test]
    fn a_definition_must_be_established() {
        let condition = |kind: &str, status: &str, reason: &str| json!({"type": kind, "status": status, "reason": reason, "message": "m"});
        let names = condition("NamesAccepted", "True", "NoConflicts");
        let conflict = condition("NamesAccepted", "False", "ListKindConflict");
        let established = condition("Established", "True", "InitialNamesAccepted");
        for (conditions, expected) in [
            (json!([]), in_progress("it isn't established yet")),
            (json!(null), in_progress("it isn't established yet")),
            (json!([names]), in_progress("it isn't established yet")),
            (
                json!([names, condition("Established", "False", "Installing")]),
                in_progress("it isn't established yet"),
            ),
            (
                json!([names, condition("Established", "Unknown", "")]),
                in_progress("it isn't established yet"),
            ),
            (json!([names, established]), Health::Current),
            (
                json!([condition("Established", "False", "NotAccepted")]),
                Health::Failed("NotAccepted: m".into()),
            ),
            (
                json!([conflict, established]),
                Health::Failed("ListKindConflict: m".into()),
            ),
            (
                json!([
                    names,
                    established,
                    condition("Terminating", "True", "InstanceDeletionInProgress")
                ]),
                Health::Terminating,
            ),
            (
                json!([names, established, condition("Terminating", "False", "")]),
                Health::Current,
            ),
        ] {
            let health = judged(
                "apiextensions.k8s.io/v1",
                "CustomResourceDefinition",
                &json!({"conditions": conditions}),
            );
            assert_eq!(health, expected, "{conditions}");
        }
    }

    #[test]
    fn an_api_service_must_be_available() {
        for (status, expected) in [
            (
                json!({}),
                in_progress("condition Available isn't there yet"),
            ),
            (
                json!({"conditions": [{"type": "Available", "status": "True"}]}),
                Health::Current,
            ),
            (
                json!({"conditions": [{"type": "Available", "status": "False", "reason": "MissingEndpoints", "message": "none"}]}),
                in_progress("MissingEndpoints: none"),
            ),
        ] {
            assert_eq!(
                judged("apiregistration.k8s.io/v1", "APIService", &status),
                expected,
                "{status}"
            );
        }
    }

    #[test]
    fn a_namespace_must_be_active() {
        for (status, expected) in [
            (json!({"phase": "Active"}), Health::Current),
            (json!({"phase": "Terminating"}), Health::Terminating),
            (
                json!({"phase": "Odd"}),
                in_progress("its phase is Odd, not Active"),
            ),
            (json!({}), in_progress("status.phase isn't there yet")),
        ] {
            assert_eq!(judged("v1", "Namespace", &status), expected, "{status}");
            assert_eq!(
                judged("example.com/v1", "Namespace", &status),
                Health::Current
            );
        }
    }
}
