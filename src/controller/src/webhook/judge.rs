//! Which StageSets are let in: the reconciler's own parser, asked earlier (A08).

use serde_json::{Map, Value};
use stageset_api::names::GROUP;
use stageset_core::spec::{Problem, parse};

use super::review::AdmissionRequest;

/// The one field whose change alone is always let through.
const SUSPEND: &str = "suspend";

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Let in.
    Allowed,
    /// The object breaks these rules, all that it breaks; never empty.
    Invalid(Vec<Problem>),
    /// We were asked about something that isn't ours to judge.
    NotOurs(String),
}

/// Judges one request.
///
/// An update that changes nothing of the spec but `suspend` is let in whatever the spec says, as is
/// an object that is being deleted: a StageSet that was let in before a rule existed can still be
/// suspended, labelled and torn down. The reconciler refuses its spec all the same.
pub fn judge(request: &AdmissionRequest) -> Verdict {
    let kind = &request.kind;
    let ours = kind.group == GROUP && kind.version == "v1" && kind.kind == "StageSet";
    if !ours {
        let (group, version, kind) = (&kind.group, &kind.version, &kind.kind);
        let wanted = format!("StageSet of {GROUP}/v1");
        return Verdict::NotOurs(format!(
            "this webhook judges {wanted} and was asked about {kind} of {group}/{version}: correct \
             the rules of its ValidatingWebhookConfiguration"
        ));
    }
    // A subresource can't change the spec.
    let writes = matches!(request.operation.as_str(), "CREATE" | "UPDATE");
    if !writes || !request.sub_resource.is_empty() {
        return Verdict::Allowed;
    }
    let object = &request.object;
    if request.operation == "UPDATE" && (is_going(object) || same_spec(object, &request.old_object))
    {
        return Verdict::Allowed;
    }
    let of_metadata = |field: &str| {
        let found = object.get("metadata").and_then(|m| m.get(field));
        found
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    };
    let namespace = of_metadata("namespace").unwrap_or(&request.namespace);
    let name = of_metadata("name").unwrap_or(&request.name);
    let spec = object.get("spec").unwrap_or(&Value::Null);
    match parse(namespace, name, spec) {
        Ok(_) => Verdict::Allowed,
        Err(problems) => Verdict::Invalid(problems),
    }
}

fn is_going(object: &Value) -> bool {
    object
        .pointer("/metadata/deletionTimestamp")
        .is_some_and(Value::is_string)
}

/// Whether two objects have one spec, `suspend` apart.
fn same_spec(object: &Value, old: &Value) -> bool {
    let spec = |object| -> Option<&Map<String, Value>> { Value::get(object, "spec")?.as_object() };
    let (Some(new), Some(old)) = (spec(object), spec(old)) else {
        return false;
    };
    let counted = |spec: &Map<String, Value>| spec.len() - usize::from(spec.contains_key(SUSPEND));
    counted(new) == counted(old)
        && new
            .iter()
            .filter(|(field, _)| *field != SUSPEND)
            .all(|(field, value)| old.get(field) == Some(value))
}
