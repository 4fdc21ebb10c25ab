//! What a webhook of the conformance suite answers: a function of its path and the review alone, so
//! that both servers hear the same.
//!
//! A path is `/BEHAVIOUR/CONDITION/DETAIL/NAME`: where the condition isn't met the answer is yes.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

/// An answer as it goes over the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) body: String,
}

/// What webhooks do beside saying yes.
pub(crate) const DENY: &str = "deny";
/// Changes, for which a mutating webhook is there.
pub(crate) const CHANGES: [&str; 6] = ["label", "annotate", "data", "append", "remove", "rename"];
/// Changes that can't be made, or make the object wrong.
pub(crate) const MISCHANGES: [&str; 7] = [
    "break", "misfit", "unknown", "status", "stubborn", "half-a", "half-b",
];
/// Answers that are none.
pub(crate) const FAULTS: [&str; 8] = [
    "uid", "silent", "text", "empty", "error", "failure", "busy", "version",
];

/// When a webhook does so.
pub(crate) const CONDITIONS: [&str; 6] =
    ["create", "update", "delete", "labelled", "named", "managed"];

/// What a server may answer that isn't up to it.
const CODES: [u16; 13] = [
    400, 401, 403, 404, 405, 406, 409, 415, 418, 422, 429, 503, 504,
];

/// How many ways there are to refuse.
pub(crate) const DENIALS: usize = 13;

/// The answer of the webhook at a path to a review.
pub(crate) fn verdict(path: &str, review: &Value) -> Verdict {
    let mut parts = path.trim_start_matches('/').split('/');
    let behaviour = parts.next().unwrap_or_default();
    let condition = parts.next().unwrap_or_default();
    let detail = parts.next().and_then(|text| text.parse().ok()).unwrap_or(0);
    let name = parts.next().unwrap_or_default();
    let request = &review["request"];
    let uid = &request["uid"];
    if behaviour == "allow" || !met(condition, request) {
        return answer(json!({ "uid": uid, "allowed": true }));
    }
    match behaviour {
        "deny" => {
            let mut response = json!({ "uid": uid, "allowed": false });
            if let Some(status) = denial(detail) {
                response["status"] = status;
            }
            answer(response)
        }
        "uid" => answer(json!({ "uid": "other", "allowed": true })),
        "silent" => raw(
            200,
            "application/json",
            review_with(&Value::Null).to_string(),
        ),
        "text" => raw(200, "text/plain", "nothing to see here".to_owned()),
        "empty" => raw(200, "application/json", String::new()),
        "error" => raw(500, "text/plain", "out \"of\" order\n".to_owned()),
        "failure" => {
            let status = json!({
                "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 503,
                "message": "not today", "reason": "ServiceUnavailable",
            });
            raw(503, "application/json", status.to_string())
        }
        "busy" => {
            let code = CODES[detail % CODES.len()];
            raw(code, "text/plain", "no such page\n".to_owned())
        }
        "version" => {
            let mut other = review_with(&json!({ "uid": uid, "allowed": true }));
            other["apiVersion"] = json!("admission.k8s.io/v1beta1");
            raw(200, "application/json", other.to_string())
        }
        _ => changed(behaviour, name, request),
    }
}

fn raw(status: u16, content_type: &'static str, body: String) -> Verdict {
    Verdict {
        status,
        content_type,
        body,
    }
}

fn review_with(response: &Value) -> Value {
    let mut review = json!({ "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview" });
    if !response.is_null() {
        review["response"] = response.clone();
    }
    review
}

fn answer(response: Value) -> Verdict {
    raw(200, "application/json", review_with(&response).to_string())
}

fn met(condition: &str, request: &Value) -> bool {
    let operation = request["operation"].as_str().unwrap_or_default();
    match condition {
        "create" | "update" | "delete" => operation.eq_ignore_ascii_case(condition),
        "labelled" => ["object", "oldObject"]
            .iter()
            .any(|which| request[which]["metadata"]["labels"]["a"].is_string()),
        "named" => request["name"] == "b",
        "managed" => request["options"]["fieldManager"] == "one",
        _ => true,
    }
}

/// The status of a refusal; some have none.
fn denial(detail: usize) -> Option<Value> {
    Some(match detail % DENIALS {
        0 => return None,
        1 => json!({}),
        2 => json!({ "message": "not <here> & \"now\"" }),
        3 => json!({ "message": "no", "code": 403, "reason": "Forbidden" }),
        4 => json!({ "reason": "Invalid", "code": 422 }),
        5 => json!({ "message": "teapot", "code": 418, "reason": "Teapot" }),
        6 => json!({ "message": "fine", "code": 200, "status": "Success" }),
        7 => json!({ "message": "conflict", "code": 409, "reason": "Conflict" }),
        8 => json!({
            "message": "see below", "code": 400, "reason": "BadRequest",
            "details": {"name": "n", "group": "g", "kind": "k", "uid": "u", "causes": [
                {"reason": "FieldValueInvalid", "message": "odd", "field": "spec.a"},
                {"message": "alone"},
            ]},
        }),
        9 => json!({ "message": "slow down", "code": 429, "reason": "TooManyRequests",
                     "details": {"retryAfterSeconds": 3} }),
        10 => json!({ "message": "broken", "code": 500, "reason": "InternalError" }),
        11 => json!({ "message": "gone", "code": 404, "reason": "NotFound" }),
        _ => json!({ "message": "odd", "details": {} }),
    })
}

/// An answer with a patch. Only the stubborn patch what isn't there.
fn changed(behaviour: &str, name: &str, request: &Value) -> Verdict {
    let uid = &request["uid"];
    let object = &request["object"];
    let yes = json!({ "uid": uid, "allowed": true });
    if object.is_null() && behaviour != "stubborn" {
        return answer(yes);
    }
    let metadata = &object["metadata"];
    // A map has to be there before something is added to it.
    let add = |field: &str, key: &str, value: &str| {
        if metadata[field].is_object() {
            json!([{ "op": "add", "path": format!("/metadata/{field}/{key}"), "value": value }])
        } else {
            json!([{ "op": "add", "path": format!("/metadata/{field}"), "value": {key: value} }])
        }
    };
    let patch = match behaviour {
        "label" => add("labels", "a", "1"),
        "annotate" => add("annotations", "webhook", name),
        "append" => {
            let before = metadata["annotations"]["trace"]
                .as_str()
                .unwrap_or_default();
            add("annotations", "trace", &format!("{before}{name},"))
        }
        "data" => json!([
            { "op": "test", "path": "/metadata/name", "value": metadata["name"] },
            { "op": "add", "path": "/data", "value": {"webhook": "d2ViaG9vaw=="} },
        ]),
        "remove" if !metadata["labels"].is_object() => json!([]),
        "remove" => json!([{ "op": "remove", "path": "/metadata/labels" }]),
        "rename" => json!([{ "op": "replace", "path": "/metadata/namespace", "value": "other" }]),
        "break" => json!([{ "op": "add", "path": "/metadata/labels", "value": {"-a": "!"} }]),
        "misfit" => json!([{ "op": "remove", "path": "/metadata/nothing/here" }]),
        "unknown" => json!([{ "op": "add", "path": "/unheard", "value": {"of": 1} }]),
        "status" => json!([{ "op": "add", "path": "/status", "value": {"observedGeneration": 7} }]),
        _ => json!([{ "op": "add", "path": "/metadata/annotations", "value": {"stubborn": "1"} }]),
    };
    let mut response = yes;
    if behaviour != "half-b" {
        response["patch"] = json!(STANDARD.encode(patch.to_string()));
    }
    if behaviour != "half-a" {
        response["patchType"] = json!("JSONPatch");
    }
    answer(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(path: &str, operation: &str) -> Value {
        let review = json!({"request": {
            "uid": "u", "operation": operation, "object": {"metadata": {"name": "a"}},
        }});
        let verdict = verdict(path, &review);
        serde_json::from_str::<Value>(&verdict.body).unwrap()["response"].clone()
    }

    #[test]
    fn only_where_its_condition_is_met_a_webhook_refuses() {
        assert_eq!(response("/deny/delete/3/n", "DELETE")["allowed"], false);
        assert_eq!(response("/deny/delete/3/n", "CREATE")["allowed"], true);
        assert_eq!(response("/deny/named/3/n", "CREATE")["allowed"], true);
    }

    #[test]
    fn a_change_comes_as_a_patch_of_what_is_there() {
        let patch = response("/label/always/0/n", "CREATE")["patch"].clone();
        let patch = STANDARD.decode(patch.as_str().unwrap()).unwrap();
        let patch: Value = serde_json::from_slice(&patch).unwrap();
        assert_eq!(patch[0]["path"], "/metadata/labels");
    }
}
