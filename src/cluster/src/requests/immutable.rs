//! What an API server says of a field that can't be changed once it is set.
//!
//! Kubernetes has no reason or code for it: `422 Invalid` is also the answer to a plain mistake, and
//! deleting an object because of a mistake in its manifest would lose it. So each of the causes has to
//! say it in one of the ways that kube-apiserver 1.37 has (`pkg/apis/*/validation`), or in those of
//! definitions with CEL rules.

use serde_json::Value;

use super::classify::causes;

/// Texts of kube-apiserver's own validation, in lower case.
const SAID: &[&str] = &[
    "field is immutable",
    "is immutable",
    "immutable field",
    // StatefulSets; the list of the fields that may be updated follows.
    "updates to statefulset spec for fields other than",
    // Storage classes, CSI drivers, persistent volumes.
    "updates to parameters are forbidden",
    "updates to provisioner are forbidden",
    "updates to reclaimpolicy are forbidden",
    "spec.persistentvolumesource is immutable after creation",
    "is forbidden after creation",
    "may not be changed once set",
    // Service addresses.
    "may not change once set",
    "primary clusterip can not be unset",
    // Bindings.
    "cannot change roleref",
    // Pods; the list of the fields that may be updated follows.
    "pod updates may not change fields other than",
    // Priority classes.
    "may not be changed in an update",
    // Claims.
    "spec is immutable after creation except",
];

/// Whether a text says so.
pub(super) fn is_said(text: &str) -> bool {
    let text = text.to_lowercase();
    SAID.iter().any(|said| text.contains(said))
}

/// Whether every cause of an Invalid says so; one that doesn't is a mistake in the manifest.
pub(super) fn only(status: &Value) -> bool {
    let mut any = false;
    for cause in causes(status) {
        any = true;
        if !cause["message"].as_str().is_some_and(is_said) {
            return false;
        }
    }
    any
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn invalid(messages: &[&str]) -> Value {
        let causes: Vec<Value> = messages
            .iter()
            .map(|message| json!({ "reason": "FieldValueInvalid", "message": message }))
            .collect();
        json!({ "reason": "Invalid", "details": { "causes": causes } })
    }

    #[test]
    fn the_ways_in_which_a_server_says_it() {
        for message in [
            "Invalid value: {\"matchLabels\":{\"app\":\"b\"}}: field is immutable",
            "Forbidden: updates to statefulset spec for fields other than 'replicas', 'template' are forbidden",
            "Forbidden: updates to parameters are forbidden.",
            "Invalid value: \"10.0.0.2\": may not change once set",
            "Invalid value: {}: cannot change roleRef",
            "Forbidden: field is immutable when `immutable` is set",
            "Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims",
            "Invalid value: \"b\": Value is immutable",
        ] {
            assert!(only(&invalid(&[message])), "{message}");
        }
    }

    #[test]
    fn a_mistake_is_none_and_one_beside_it_spoils_it() {
        let immutable = "Invalid value: 1: field is immutable";
        for message in [
            "Required value",
            "Invalid value: -1: must be greater than or equal to 0",
            "Unsupported value: \"Sometimes\": supported values: \"Always\"",
            "Invalid value: {}: `selector` does not match template `labels`",
        ] {
            assert!(!only(&invalid(&[message])), "{message}");
            assert!(!only(&invalid(&[immutable, message])), "{message}");
        }
        assert!(!only(&json!({ "reason": "Invalid", "message": immutable })));
        assert!(!only(&json!(null)));
    }
}
