//! Events on the StageSet, as `events.k8s.io/v1` has them.

use serde_json::{Value, json};
use stageset_api::names::{API_VERSION, EVENT_REPORTER, KIND_STAGE_SET};
use stageset_api::reason::Reason;
use stageset_core::object::sha256_hex;
use stageset_core::plan::{Event, EventKind};
use stageset_core::time::Timestamp;

use crate::records::inventory::Owner;

/// Longest `note` that the API takes, in bytes.
const NOTE: usize = 1024;
/// Longest object name.
const NAME: usize = 253;

/// The StageSet, as what an event is about.
pub(super) fn regarding(owner: Owner<'_>) -> Value {
    json!({
        "apiVersion": API_VERSION,
        "kind": KIND_STAGE_SET,
        "namespace": owner.namespace,
        "name": owner.name,
        "uid": owner.uid,
    })
}

/// Equal for events that say the same of the same object.
pub(super) fn mark(regarding: &Value, event: &Event) -> String {
    let said = format!(
        "{}\n{}\n{}",
        regarding["uid"].as_str().unwrap_or_default(),
        event.reason,
        event.message,
    );
    sha256_hex(said.as_bytes())
}

/// The object that tells people.
pub(super) fn object(regarding: &Value, event: &Event, at: Timestamp, instance: &str) -> Value {
    let told = format!("{}\n{}", mark(regarding, event), at.as_millis());
    let mut name = regarding["name"].as_str().unwrap_or_default().to_owned();
    cut(&mut name, NAME - 17);
    let mark = sha256_hex(told.as_bytes());
    let note = note(event);
    json!({
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {
            "name": format!("{name}.{}", mark.get(..16).unwrap_or_default()),
            "namespace": regarding["namespace"],
        },
        "eventTime": micro_time(at),
        "reportingController": EVENT_REPORTER,
        "reportingInstance": instance,
        "action": "Reconcile",
        "reason": event.reason,
        "type": match event.kind {
            EventKind::Normal => "Normal",
            EventKind::Warning => "Warning",
        },
        "regarding": regarding,
        "note": note,
    })
}

/// What it says, with the address of the runbook where its reason has one: a long message is cut,
/// the address isn't.
fn note(event: &Event) -> String {
    let reason = Reason::ALL
        .iter()
        .find(|reason| reason.as_str() == event.reason);
    let whole = |message: &str| {
        reason.map_or_else(|| message.to_owned(), |reason| reason.with_runbook(message))
    };
    let beside = whole("").len();
    if beside + event.message.len() <= NOTE {
        return whole(&event.message);
    }
    let mut message = event.message.clone();
    cut(&mut message, NOTE - beside - '…'.len_utf8());
    message.push('…');
    whole(&message)
}

/// RFC 3339 with microseconds, which is what `metav1.MicroTime` wants.
pub(super) fn micro_time(at: Timestamp) -> String {
    let micros = at.as_millis().rem_euclid(1000) * 1000;
    let seconds = at.to_string();
    format!("{}.{micros:06}Z", seconds.trim_end_matches('Z'))
}

fn cut(text: &mut String, most: usize) {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_cut_and_times_have_microseconds() {
        let owner = Owner {
            namespace: "n",
            name: "web",
            uid: "u",
        };
        let event = Event {
            kind: EventKind::Warning,
            reason: "StageFailed".into(),
            message: "ä".repeat(2000),
        };
        let at = Timestamp::from_millis(1_700_000_000_042);
        let object = object(&regarding(owner), &event, at, "pod-0");
        assert_eq!(object["eventTime"], "2023-11-14T22:13:20.042000Z");
        let note = object["note"].as_str().unwrap();
        assert!(note.len() <= NOTE);
        // However much is said, what to do about it can be read.
        let runbook = format!("… (runbook: {})", Reason::StageFailed.runbook());
        assert!(note.ends_with(&runbook), "{note}");
        assert!(
            object["metadata"]["name"]
                .as_str()
                .unwrap()
                .starts_with("web.")
        );
        assert_eq!(object["type"], "Warning");
    }

    #[test]
    fn notes_link_the_runbook_of_their_reason_as_conditions_do() {
        let said = |reason: &str| {
            note(&Event {
                kind: EventKind::Warning,
                reason: reason.into(),
                message: "it isn't so".into(),
            })
        };
        assert_eq!(
            said("RBACDenied"),
            Reason::RBACDenied.with_runbook("it isn't so")
        );
        assert!(said("RBACDenied").contains("/rbacdenied/"));
        // Success needs no runbook, and what is no state of a StageSet has none.
        assert_eq!(said("Succeeded"), "it isn't so");
        assert_eq!(said("DriftCorrected"), "it isn't so");
    }
}
