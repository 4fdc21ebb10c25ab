//! What webhooks were asked, made comparable.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::endpoint::Question;

/// Who makes all the requests.
const ADMIN: &str = "e2e:admin";

/// The questions of one operation as one value.
///
/// Mutating webhooks are called one after the other, and stand in this order; validating ones are
/// called at the same time, and stand in the order of their paths.
pub(crate) fn comparable(questions: Vec<Question>, is_validating: impl Fn(&str) -> bool) -> Value {
    // The server itself writes as well, events for one.
    let ours = |question: &Question| question.review["request"]["userInfo"]["username"] == ADMIN;
    let questions = of_last_attempts(questions.into_iter().filter(ours).collect());
    let (mut validating, mutating): (Vec<_>, Vec<_>) = questions
        .into_iter()
        .partition(|question| is_validating(&question.path));
    validating.sort_by_key(|question| (subject(&question.review), question.path.clone()));
    let shown = |question: Question| {
        let mut review = question.review;
        // A certificate's fingerprint, and whatever else a server knows of its users.
        let user = &review["request"]["userInfo"];
        let user = json!({ "username": user["username"], "groups": user["groups"] });
        review["request"]["userInfo"] = user;
        simplify(&mut review["request"]);
        json!({ "path": question.path, "review": review })
    };
    mutating.into_iter().chain(validating).map(shown).collect()
}

/// Makes equal what is the same: Go writes lists and pointers that aren't there as null, a custom
/// resource may have metadata that is empty, and the version that a deletion demands has another
/// number on each server.
fn simplify(request: &mut Value) {
    for which in ["object", "oldObject"] {
        let object = &mut request[which];
        // What is null is owned where it was sent. Without a selector it isn't valid anyway.
        let is_deployment = object["kind"] == "Deployment";
        let unowned = is_deployment && object["spec"]["selector"].is_null();
        without_nulls(object);
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata
                .retain(|field, value| !(is_empty(value) || unowned && field == "managedFields"));
        }
        // They stand in the order of their seconds, and a refusal doesn't tell in which it was made.
        let owners = object.pointer_mut("/metadata/managedFields");
        if let Some(owners) = owners.and_then(Value::as_array_mut) {
            for owner in owners.iter_mut() {
                owner["time"] = Value::Null;
            }
            owners.sort_by_key(Value::to_string);
        }
    }
    let version = request["oldObject"]["metadata"]["resourceVersion"].clone();
    let demanded = request.pointer_mut("/options/preconditions/resourceVersion");
    if let Some(demanded) = demanded.filter(|demanded| **demanded == version) {
        *demanded = json!("that of the old object");
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        value => value == "",
    }
}

fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(without_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

/// The real server tries a write with what its cache holds, and again with what is stored if that
/// is something newer. Of each object the last attempt counts.
fn of_last_attempts(questions: Vec<Question>) -> Vec<Question> {
    let version = |question: &Question| {
        question.review["request"]["oldObject"]["metadata"]["resourceVersion"].clone()
    };
    let last: BTreeMap<String, Value> = questions
        .iter()
        .map(|question| (subject(&question.review), version(question)))
        .collect();
    questions
        .into_iter()
        .filter(|question| last.get(&subject(&question.review)) == Some(&version(question)))
        .collect()
}

/// The name of the object that a review is about.
fn subject(review: &Value) -> String {
    let request = &review["request"];
    let name = |which: &str| request[which]["metadata"]["name"].as_str();
    name("oldObject")
        .or_else(|| name("object"))
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(path: &str, version: &str) -> Question {
        let old = json!({ "metadata": {"name": "a", "resourceVersion": version} });
        Question {
            path: path.to_owned(),
            review: json!({ "request": {"oldObject": old, "userInfo": {"username": ADMIN}} }),
        }
    }

    fn paths(questions: Vec<Question>) -> Vec<String> {
        let value = comparable(questions, |path| path.starts_with("/v"));
        let path = |one: &Value| one["path"].as_str().unwrap().to_owned();
        value.as_array().unwrap().iter().map(path).collect()
    }

    #[test]
    fn what_was_asked_with_an_old_object_is_forgotten() {
        let all = vec![
            question("/m", "1"),
            question("/m", "2"),
            question("/n", "2"),
        ];
        assert_eq!(paths(all), ["/m", "/n"]);
    }

    #[test]
    fn only_validating_webhooks_are_sorted() {
        let all = ["/v2", "/m2", "/v1", "/m1"].map(|path| question(path, "1"));
        assert_eq!(paths(all.to_vec()), ["/m2", "/m1", "/v1", "/v2"]);
    }
}
