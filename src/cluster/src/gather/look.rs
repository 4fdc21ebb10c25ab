//! What actions want to know of objects, as the tenant; and the ledger, as the controller.

use serde_json::Value;
use stageset_core::failure::Failure;
use stageset_core::identity::Identity;
use stageset_core::judge::{health, live};
use stageset_core::object::Reference;
use stageset_core::observation::{Answer, Health, Question};

use super::{Found, Gather, text};
use crate::records::ledger;
use crate::requests::Target;

/// As the controller. `None` if there is no ledger.
pub(super) async fn ledger(gather: Gather<'_>) -> Found {
    let target = Target::ledgers(&gather.key.namespace).named(&gather.key.name);
    Found::Ledger(gather.as_controller().get(&target).await)
}

/// As the tenant.
pub(super) async fn look(
    gather: Gather<'_>,
    identity: &Identity,
    object: &Reference,
    question: &Question,
) -> Found {
    let found = match gather.as_tenant(identity) {
        Ok(requests) => requests.get(&Target::object(object)).await,
        Err(failure) => Err(failure),
    };
    let answer = match found {
        Ok(Some(stands)) => answer(gather, &stands, question),
        Ok(None) => Answer::Absent,
        Err(failure) => Answer::Unreadable(failure),
    };
    Found::Look {
        identity: identity.clone(),
        key: object.key.clone(),
        question: question.clone(),
        answer,
    }
}

fn answer(gather: Gather<'_>, object: &Value, question: &Question) -> Answer {
    let Some(uid) = text(object, "/metadata/uid").map(str::to_owned) else {
        return Answer::Unreadable(super::without_uid(&"the object"));
    };
    if text(object, "/metadata/deletionTimestamp").is_some() {
        return Answer::Going;
    }
    match question {
        Question::Exists => Answer::Yes { uid },
        Question::Finished => {
            let owner = live::owner(&object["metadata"]);
            let ours = owner.is_some_and(|owner| {
                owner.namespace == gather.key.namespace && owner.name == gather.key.name
            });
            if ours {
                finished(object, uid)
            } else {
                Answer::Foreign
            }
        }
        Question::Ready => match health::judge(object) {
            Health::Current => Answer::Yes { uid },
            Health::InProgress(said) => Answer::No { uid, said },
            Health::Failed(said) => Answer::Never { uid, said },
            Health::Terminating => Answer::Going,
        },
        Question::Holds(expression) => match expression.evaluate(object) {
            Ok(true) => Answer::Yes { uid },
            Ok(false) => Answer::No {
                uid,
                said: "the expression doesn't hold yet".to_owned(),
            },
            Err(error) => Answer::No {
                uid,
                said: error.to_string(),
            },
        },
    }
}

/// A Job's end, by its conditions `Complete` and `Failed`.
fn finished(job: &Value, uid: String) -> Answer {
    let conditions = job.pointer("/status/conditions").and_then(Value::as_array);
    let stands = |kind: &str| {
        conditions
            .into_iter()
            .flatten()
            .find(|condition| condition["type"] == kind && condition["status"] == "True")
    };
    if stands("Complete").is_some() {
        return Answer::Yes { uid };
    }
    if let Some(failed) = stands("Failed") {
        let reason = failed["reason"].as_str().unwrap_or("Failed");
        let said = match failed["message"].as_str() {
            Some(message) if !message.is_empty() => format!("{reason}: {message}"),
            _ => reason.to_owned(),
        };
        let said = crate::requests::clean(&said);
        return Answer::Never { uid, said };
    }
    let count = |field: &str| {
        let at = job.pointer("/status").and_then(|status| status.get(field));
        at.and_then(Value::as_u64).unwrap_or(0)
    };
    let said = format!(
        "{} active, {} succeeded, {} failed",
        count("active"),
        count("succeeded"),
        count("failed")
    );
    Answer::No { uid, said }
}

/// The ledger as the core reads it.
pub(super) fn observed(
    found: &Result<Option<Value>, Failure>,
) -> Result<Option<stageset_core::observation::Ledger>, Failure> {
    match found {
        Ok(object) => Ok(object.as_ref().map(ledger::read)),
        Err(failure) => Err(failure.clone()),
    }
}
