//! Fields that a kind never changes once they are set.

use serde_json::Value;
use stageset_schema::Rule;

use super::{quantity::Quantity, typed::Decoded};
use crate::{kinds::Resource, status::Cause};

fn at<'a>(object: &'a Value, path: &str) -> &'a Value {
    path.split('.')
        .try_fold(object, |v, part| v.get(part))
        .unwrap_or(&Value::Null)
}

/// What an update changes though it may not.
pub(crate) fn check(
    resource: &Resource,
    old: &Value,
    new: &Value,
    decoded: &Decoded,
) -> Vec<Cause> {
    let mut causes = Vec::new();
    if resource.custom().is_some() {
        return causes;
    }
    let kind = resource.kind.as_str();
    let fixed = stageset_schema::immutable_fields(&resource.group, kind)
        .filter(|immutable| immutable.rule == Rule::Fixed);
    for path in fixed.map(|immutable| immutable.field) {
        // A job says itself what of its template may change while it is suspended.
        if at(old, path) == at(new, path) || (kind == "Job" && path == "spec.template") {
            continue;
        }
        causes.push(match path {
            "roleRef" => Cause::invalid(path, &role_reference(at(new, path)), "field is immutable"),
            _ if kind == "StorageClass" => Cause::invalid(path, &Value::Null, "field is immutable"),
            "value" if kind == "PriorityClass" => {
                Cause::forbidden(path, "may not be changed in an update.")
            }
            _ => Cause::invalid(path, at(new, path), "field is immutable"),
        });
    }
    if matches!(kind, "ConfigMap" | "Secret") && old.get("immutable") == Some(&Value::Bool(true)) {
        let what = "field is immutable when `immutable` is set";
        if new.get("immutable") != Some(&Value::Bool(true)) {
            causes.push(Cause::forbidden("immutable", what));
        }
        for field in ["data", "binaryData"] {
            // An empty map that was sent isn't the absent one that is stored; the texts of a ConfigMap
            // are compared member by member, where both are the same.
            let by_member = kind == "ConfigMap" && field == "data";
            let emptied = !by_member && old.get(field).is_none() && decoded.was_empty(field);
            if old.get(field) != new.get(field) || emptied {
                causes.push(Cause::forbidden(field, what));
            }
        }
    }
    if kind == "StatefulSet" {
        causes.extend(stateful_set(old, new));
    }
    if kind == "Job" {
        causes.extend(job(old, new));
    }
    if kind == "PersistentVolumeClaim" {
        causes.extend(claim(old, new));
    }
    causes
}

/// The number of completions (unless indexes share them), and the template, of which a suspended
/// job that has no pods may change where pods go and what they take.
fn job(old: &Value, new: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let (before, after) = (at(old, "spec.completions"), at(new, "spec.completions"));
    let elastic =
        at(new, "spec.completionMode") == "Indexed" && after == at(new, "spec.parallelism");
    if before != after && !elastic {
        causes.push(Cause::invalid(
            "spec.completions",
            after,
            "field is immutable",
        ));
    }
    let suspended = at(old, "spec.suspend") == true
        && at(old, "status.startTime").is_null()
        && at(old, "status.active").as_i64().unwrap_or(0) == 0;
    let template = |job: &Value| {
        let mut template = at(job, "spec.template").clone();
        if !suspended {
            return template;
        }
        let spec = crate::object::child(&mut template, "spec");
        for field in ["nodeSelector", "tolerations", "schedulingGates"] {
            spec.remove(field);
        }
        for list in ["containers", "initContainers"] {
            let entries = spec.get_mut(list).and_then(Value::as_array_mut);
            for entry in entries.into_iter().flatten() {
                crate::object::members(entry).remove("resources");
            }
        }
        Value::Object(spec.clone())
    };
    let (before, after) = (template(old), template(new));
    if before != after {
        let path = if suspended {
            "spec.template.spec"
        } else {
            "spec.template"
        };
        causes.push(Cause::invalid(path, &after, "field is immutable"));
    }
    causes
}

/// The real server shows its internal struct here.
fn role_reference(reference: &Value) -> Value {
    let field = |name: &str| reference.get(name).cloned().unwrap_or_default();
    serde_json::json!({ "APIGroup": field("apiGroup"), "Kind": field("kind"), "Name": field("name") })
}

fn stateful_set(old: &Value, new: &Value) -> Option<Cause> {
    // The rest is refused as a whole, these four by themselves.
    const FREE: [&str; 11] = [
        "serviceName",
        "selector",
        "podManagementPolicy",
        "volumeClaimTemplates",
        "replicas",
        "ordinals",
        "template",
        "updateStrategy",
        "persistentVolumeClaimRetentionPolicy",
        "minReadySeconds",
        "revisionHistoryLimit",
    ];
    let fixed = |object: &Value| {
        let mut spec = at(object, "spec").clone();
        for field in FREE {
            crate::object::members(&mut spec).remove(field);
        }
        spec
    };
    (fixed(old) != fixed(new)).then(|| {
        Cause::forbidden(
            "spec",
            "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', \
             'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and \
             'minReadySeconds' are forbidden",
        )
    })
}

/// Where a claim's class was kept before it was a field.
pub(crate) const BETA_CLASS: &str = "volume.beta.kubernetes.io/storage-class";

fn claim(old: &Value, new: &Value) -> Vec<Cause> {
    let bound = at(new, "status.phase") == "Bound";
    let fixed = |object: &Value| {
        let mut spec = at(object, "spec").clone();
        let map = crate::object::members(&mut spec);
        if at(old, "spec.volumeName").is_null() {
            map.remove("volumeName");
        }
        // A class may be given to a claim that has none.
        if at(old, "spec.storageClassName").is_null()
            && crate::object::annotation(old, BETA_CLASS).is_none()
        {
            map.remove("storageClassName");
        }
        if bound {
            map.remove("volumeAttributesClassName");
            if let Some(requests) = map.get_mut("resources").and_then(|r| r.get_mut("requests")) {
                crate::object::members(requests).remove("storage");
            }
        }
        spec
    };
    let mut causes = Vec::new();
    if fixed(old) != fixed(new) {
        let what = "spec is immutable after creation except resources.requests and \
                    volumeAttributesClassName for bound claims";
        causes.push(Cause::forbidden("spec", what));
    }
    let size = |object: &Value, path: &str| {
        let text = at(object, path).as_str().unwrap_or("0").to_owned();
        Quantity::parse(&text).unwrap_or(Quantity::whole(0))
    };
    let wanted = size(new, "spec.resources.requests.storage");
    let smaller = wanted < size(old, "spec.resources.requests.storage");
    if smaller && wanted <= size(old, "status.capacity.storage") {
        let what = "field can not be less than status.capacity";
        causes.push(Cause::forbidden("spec.resources.requests.storage", what));
    }
    causes
}
