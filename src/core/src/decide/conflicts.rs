//! An object that the API server won't change because a field of it is immutable: reported, left as
//! it is, or deleted and created anew, as the stage's conflict policy says.
//!
//! Recreating takes all of: the policy's word for this object, an object that no other StageSet owns,
//! no data that would go with it unless a rule permits that, and that it wasn't done for this very
//! content before. The last is told by the inventory, which holds the content and the uid of the
//! object that is about to go before it goes.

use std::time::Duration;

use crate::failure::Failure;
use crate::object::{Desired, ObjectKey};
use crate::observation::{InventoryEntry, Live, LiveState, ObjectFacts};
use crate::plan::{DeleteReason, Need, Operation, Purpose, TenantOperation};
use crate::spec::{ConflictAnswer, ConflictPolicy};
use crate::time::Timestamp;

use super::freshness::{poll_at, retry_at};
use super::object::{Cause, Delivery, ObjectFailure, Step, ask_dry_run, foreign};
use super::removal::waits_to_delete;
use super::verify::in_words;

/// A deleted object that hasn't gone after this long is told as a failure.
const GONE_WITHIN: Duration = Duration::from_mins(5);
/// A refusal that only a person can lift is tried again this often.
const REFUSED_PAUSE: Duration = Duration::from_mins(1);

/// What to do about an object that can't be changed in place.
pub(super) fn immutable<'a>(
    delivery: &Delivery<'a>,
    object: &'a std::sync::Arc<Desired>,
    facts: &'a ObjectFacts,
    (failure, tried, failures): (&'a Failure, Timestamp, u32),
) -> Step<'a> {
    let now = delivery.observation.now;
    let answer = delivery.policy.answer(object);
    let wait = |cause, until| {
        Step::Fail(ObjectFailure {
            object,
            cause,
            until,
        })
    };
    let again = retry_at(tried, failure, failures);
    if answer.answer != ConflictAnswer::Recreate {
        return if now >= again {
            ask_dry_run(delivery.identity, object)
        } else {
            let said = format!(
                "{}: {failure}. To have it deleted and created anew, give the stage a conflictPolicy \
                 rule with action Recreate for it, or annotate it with stages.metio.wtf/force: \
                 \"true\"; or take the change back",
                object.reference.key
            );
            wait(Cause::Said(said), again)
        };
    }
    // What was seen before the refusal may be what has changed since: only a look that follows it counts.
    let Some(seen) = facts.live.as_ref().filter(|seen| seen.at >= tried) else {
        return read(delivery, object);
    };
    let live = match &seen.value {
        LiveState::Present(live) => live,
        LiveState::Absent => return ask_dry_run(delivery.identity, object),
        LiveState::Unreadable(unreadable) => {
            let until = retry_at(seen.at, unreadable, seen.failures);
            return if now >= until {
                read(delivery, object)
            } else {
                wait(Cause::Refused(unreadable), until)
            };
        }
    };
    if let Some(cause) = foreign(object, live) {
        let until = tried.plus(REFUSED_PAUSE);
        return if now >= until {
            ask_dry_run(delivery.identity, object)
        } else {
            wait(cause, until)
        };
    }
    if live.deleting {
        return going(delivery, object, live, seen.at);
    }
    if let Some(said) = refusal(delivery, object, live, failure, answer.allow_data_loss) {
        let until = tried.plus(REFUSED_PAUSE);
        return if now >= until {
            ask_dry_run(delivery.identity, object)
        } else {
            wait(Cause::Said(said), until)
        };
    }
    if let Some((failure, until)) = waits_to_delete(facts, now) {
        return wait(Cause::Refused(failure), until);
    }
    Step::Recreate {
        delete: Operation::Tenant(TenantOperation::Delete {
            identity: delivery.identity.clone(),
            object: object.reference.clone(),
            uid: live.uid.to_string(),
            version: live.resource_version.to_string(),
            stage: object.stage.clone(),
            why: DeleteReason::Recreated,
        }),
        object,
        uid: &live.uid,
    }
}

/// The object left alone as long as it is there: created if it isn't.
pub(super) fn keep<'a>(
    delivery: &Delivery<'a>,
    object: &'a std::sync::Arc<Desired>,
    seen: Option<(&'a LiveState, Timestamp, u32)>,
    fresh: bool,
) -> Option<Step<'a>> {
    match seen {
        Some((LiveState::Present(live), ..)) if fresh => Some(Step::Settled(live)),
        // What is tried next tells whether it still is.
        Some((LiveState::Absent, ..)) => None,
        Some((LiveState::Unreadable(failure), at, failures)) => {
            let until = retry_at(at, failure, failures);
            Some(if delivery.observation.now >= until {
                read(delivery, object)
            } else {
                Step::Fail(ObjectFailure {
                    object,
                    cause: Cause::Refused(failure),
                    until,
                })
            })
        }
        Some(_) | None => Some(read(delivery, object)),
    }
}

fn read<'a>(delivery: &Delivery<'_>, object: &Desired) -> Step<'a> {
    Step::Ask(Need::Read {
        identity: delivery.identity.clone(),
        object: object.reference.clone(),
        purpose: Purpose::Replace,
    })
}

/// Its deletion was asked for: wait until it is gone.
fn going<'a>(
    delivery: &Delivery<'_>,
    object: &'a Desired,
    live: &Live,
    seen: Timestamp,
) -> Step<'a> {
    let now = delivery.observation.now;
    let since = live.deletion_timestamp.unwrap_or(seen);
    let waited = now.since(since);
    let due = poll_at(seen, since);
    if now >= due {
        return read(delivery, object);
    }
    let key = &object.reference.key;
    let held = if live.finalizers.is_empty() {
        String::new()
    } else {
        format!(" (finalizers {} hold it)", live.finalizers.join(", "))
    };
    if waited < GONE_WITHIN {
        let said = format!("{key} to go before it is created anew{held}");
        return Step::Wait { said, until: due };
    }
    let said = format!(
        "{key} was deleted {} ago to be created anew and is still there{held}",
        in_words(waited)
    );
    Step::Fail(ObjectFailure {
        object,
        cause: Cause::Said(said),
        until: due,
    })
}

/// What the inventory holds as the content of an object that is recreated for this content.
pub(super) fn recreated(object: &Desired) -> String {
    format!("recreated/{}", object.digest)
}

/// Whether an object that may be recreated is recorded with another content than this: with one that was
/// delivered, or that it was deleted for. That content may be tried again once this one is applied.
pub(super) fn records_another(
    entry: &InventoryEntry,
    object: &Desired,
    policy: &ConflictPolicy,
) -> bool {
    let another = entry
        .digest
        .as_ref()
        .is_some_and(|digest| *digest != object.digest && *digest != recreated(object));
    another && policy.answer(object).answer == ConflictAnswer::Recreate
}

/// Why an object isn't recreated although the policy says so.
fn refusal(
    delivery: &Delivery<'_>,
    object: &Desired,
    live: &Live,
    failure: &Failure,
    allow_data_loss: bool,
) -> Option<String> {
    let key = &object.reference.key;
    if live.prune_disabled {
        return Some(format!(
            "{key} is annotated stages.metio.wtf/prune: disabled and so isn't deleted to be created \
             anew: {failure}. Take the annotation off it to permit that, or take the change back"
        ));
    }
    if !allow_data_loss && let Some(data) = lost_data(key, live) {
        return Some(format!(
            "{key} isn't deleted to be created anew, since {data} would go with it: {failure}. A \
             conflictPolicy rule that matches it and has allowDataLoss: true permits that"
        ));
    }
    let entry = delivery
        .recorded
        .and_then(|inventory| inventory.entries.get(key));
    let done = entry.is_some_and(|entry| {
        let this_one = entry.uid.as_deref() == Some(&*live.uid);
        match &entry.digest {
            // Recorded, and not deleted yet if this is still the object that was to go.
            Some(digest) if *digest == recreated(object) => !this_one,
            // Delivered with this very content, and refused nevertheless.
            Some(digest) if *digest == object.digest => this_one || entry.uid.is_none(),
            _ => false,
        }
    });
    done.then(|| {
        format!(
            "{key} was delivered anew with this very content before, and is refused again: \
             {failure}. Something changes it on its way (an admission webhook?); delete it yourself \
             to have it tried once more"
        )
    })
}

/// What would be lost with an object.
fn lost_data(key: &ObjectKey, live: &Live) -> Option<&'static str> {
    match (key.group.as_str(), key.kind.as_str()) {
        ("", "PersistentVolumeClaim" | "PersistentVolume") => Some("the data of its volume"),
        ("", "Namespace") => Some("everything in it"),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => Some("every object of its kind"),
        _ if live.takes_claims_along => Some(
            "the volumes of its pods (spec.persistentVolumeClaimRetentionPolicy.whenDeleted: Delete)",
        ),
        _ => None,
    }
}
