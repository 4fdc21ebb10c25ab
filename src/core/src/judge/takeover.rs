//! Taking over an object that `kubectl apply` or Helm made (K14): their fields become ours, so that
//! what the manifests don't have any more goes with the next apply.

use serde_json::{Map, Value, json};

use super::managed::ApplyEntries;
use crate::observation::Takeover;

/// Those whose fields are taken over, each with how it writes; `None` = either way.
const FORMER: &[(&str, Option<&str>)] = &[
    ("kubectl-client-side-apply", None),
    ("kubectl", Some("Apply")),
    ("kubectl-create", Some("Update")),
    // What an object had before anybody applied to it on the server's side.
    ("before-first-apply", Some("Update")),
    ("helm", None),
    ("helm-controller", None),
];

/// What has to be written into `metadata.managedFields` before the first apply; `None` if there is
/// nothing to take over, or we have applied to the object before.
pub fn plan(object: &Value, field_manager: &str) -> Option<Takeover> {
    let metadata = object.get("metadata")?;
    if ApplyEntries::of(metadata, field_manager).is_some() {
        return None;
    }
    let api_version = object.get("apiVersion")?.as_str()?;
    let entries = metadata.get("managedFields")?.as_array()?;
    let (theirs, others): (Vec<&Value>, Vec<&Value>) = entries
        .iter()
        .partition(|entry| is_former(entry, api_version));
    if theirs.is_empty() {
        return None;
    }
    let mut from: Vec<String> = Vec::new();
    let mut fields = Map::new();
    let mut time = None;
    for entry in &theirs {
        from.extend(entry["manager"].as_str().map(str::to_owned));
        if let Some(set) = entry["fieldsV1"].as_object() {
            unite(&mut fields, set);
        }
        time = time.max(entry["time"].as_str());
    }
    from.sort();
    from.dedup();
    let mut ours = json!({
        "manager": field_manager, "operation": "Apply", "apiVersion": api_version,
        "fieldsType": "FieldsV1", "fieldsV1": fields,
    });
    if let Some(time) = time {
        ours["time"] = time.into();
    }
    let mut entries: Vec<Value> = others.into_iter().cloned().collect();
    entries.push(ours);
    Some(Takeover {
        from,
        managed_fields: Value::Array(entries).into(),
    })
}

fn is_former(entry: &Value, api_version: &str) -> bool {
    let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default();
    // Fields are named by their version: those of another one can't be joined with ours.
    text("apiVersion") == api_version
        && text("subresource").is_empty()
        && FORMER.iter().any(|(manager, operation)| {
            text("manager") == *manager
                && operation.is_none_or(|operation| text("operation") == operation)
        })
}

/// The union of two field sets.
fn unite(into: &mut Map<String, Value>, other: &Map<String, Value>) {
    for (key, below) in other {
        let place = into
            .entry(key.clone())
            .or_insert_with(|| Value::Object(Map::new()));
        if let (Some(place), Some(below)) = (place.as_object_mut(), below.as_object()) {
            unite(place, below);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "stageset-controller";

    fn entry(manager: &str, operation: &str, fields: &Value) -> Value {
        json!({
            "manager": manager, "operation": operation, "apiVersion": "v1",
            "time": "2026-11-23T20:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": fields,
        })
    }

    fn object(entries: &[Value]) -> Value {
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "managedFields": entries }})
    }

    #[test]
    fn k14_the_fields_of_kubectl_and_helm_become_ours_and_nobody_else_s_do() {
        let controller = entry(
            "kube-controller-manager",
            "Update",
            &json!({"f:status": {}}),
        );
        let edit = entry(
            "kubectl-edit",
            "Update",
            &json!({"f:data": {"f:edited": {}}}),
        );
        let plan = plan(
            &object(&[
                entry(
                    "kubectl-client-side-apply",
                    "Update",
                    &json!({"f:data": {".": {}, "f:a": {}}}),
                ),
                entry(
                    "helm",
                    "Apply",
                    &json!({"f:data": {"f:b": {}}, "f:immutable": {}}),
                ),
                controller.clone(),
                edit.clone(),
            ]),
            OURS,
        )
        .unwrap();
        assert_eq!(plan.from, ["helm", "kubectl-client-side-apply"]);
        let fields = json!({"f:data": {".": {}, "f:a": {}, "f:b": {}}, "f:immutable": {}});
        assert_eq!(
            *plan.managed_fields,
            json!([controller, edit, entry(OURS, "Apply", &fields)])
        );
    }

    #[test]
    fn k14_what_we_applied_to_before_is_left_as_it_is() {
        let ours = entry(OURS, "Apply", &json!({"f:data": {"f:a": {}}}));
        let theirs = entry(
            "kubectl-client-side-apply",
            "Update",
            &json!({"f:data": {"f:b": {}}}),
        );
        assert_eq!(plan(&object(&[ours, theirs]), OURS), None);
    }

    #[test]
    fn k14_another_version_s_fields_a_subresource_and_live_controllers_are_not_taken() {
        let mut old = entry("helm", "Update", &json!({"f:data": {}}));
        old["apiVersion"] = json!("v1beta1");
        let mut scaled = entry("kubectl", "Apply", &json!({"f:spec": {}}));
        scaled["subresource"] = json!("scale");
        let flux = entry("kustomize-controller", "Apply", &json!({"f:data": {}}));
        for left in [old, scaled, flux, json!("odd"), json!({})] {
            assert_eq!(
                plan(&object(std::slice::from_ref(&left)), OURS),
                None,
                "{left}"
            );
        }
        for odd in [
            json!({}),
            json!({"metadata": {}}),
            json!({"metadata": {"managedFields": 3}}),
        ] {
            assert_eq!(plan(&odd, OURS), None);
        }
    }
}
