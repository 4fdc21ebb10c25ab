//! An `AdmissionReview` as it comes in at the webhook's socket (A08, A25).

use serde_json::Value;
use stageset_controller::webhook::review::answer;
use stageset_core::spec::parse;

use super::{Target, sight, stage_set};

pub(super) const TARGET: Target = Target {
    name: "admission_review",
    words: stage_set::WORDS,
    run,
};

fn run(input: &[u8]) -> Result<Vec<u64>, String> {
    let answered = match answer(input) {
        Ok(answered) => answered,
        Err(bad) => return Ok(vec![sight(&bad.to_string())]),
    };
    let body: Value = serde_json::from_slice(&answered.body)
        .map_err(|error| format!("the answer is no JSON: {error}"))?;
    let asked: Value = serde_json::from_slice(input)
        .map_err(|error| format!("an answer to what is no JSON: {error}"))?;
    let (request, response) = (&asked["request"], &body["response"]);
    if response["uid"] != request["uid"] || response["allowed"] != answered.allowed {
        return Err("the answer is to another question".to_owned());
    }
    let message = response["status"]["message"].as_str().unwrap_or_default();
    if !answered.allowed && message.is_empty() {
        return Err("refused without a reason".to_owned());
    }
    // A08: what is created anew passes the reconciler's parser, or it doesn't pass here.
    if answered.allowed && request["operation"] == "CREATE" && is_whole(request) {
        let object = &request["object"];
        let text = |field: &str| {
            let own = object["metadata"][field]
                .as_str()
                .filter(|text| !text.is_empty());
            own.or(request[field].as_str())
                .unwrap_or_default()
                .to_owned()
        };
        if parse(&text("namespace"), &text("name"), &object["spec"]).is_err() {
            return Err("let in what the reconciler refuses".to_owned());
        }
    }
    Ok(vec![sight(message), u64::from(answered.allowed)])
}

/// Whether the request is about the object and not a part of it.
fn is_whole(request: &Value) -> bool {
    request["subResource"].as_str().is_none_or(str::is_empty)
}
