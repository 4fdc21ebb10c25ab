//! One object: is it as desired, and if not, what next?

use std::sync::Arc;
use std::time::Duration;

use crate::failure::{Failure, FailureClass};
use crate::identity::Identity;
use crate::object::Desired;
use crate::observation::{
    Correction, DryRun, Live, LiveState, ObjectFacts, Observation, StageInventory, Takeover,
};
use crate::plan::{ApplyReason, Need, Operation, Purpose, TenantOperation};
use crate::spec::{ConflictAnswer, ConflictPolicy};
use crate::time::Timestamp;

use super::conflicts;
use super::freshness::{object_is_fresh, retry_at};
use super::verify::in_words;

/// As whom, and by which rules, the objects of a stage are delivered.
pub(super) struct Delivery<'a> {
    pub observation: &'a Observation,
    pub identity: &'a Identity,
    pub policy: &'a ConflictPolicy,
    /// The stage's inventory.
    pub recorded: Option<&'a StageInventory>,
    /// Tells a correction of drift from new content.
    pub corrects: bool,
}

/// What to do about one object.
pub(super) enum Step<'a> {
    /// It is as desired.
    Settled(&'a Live),
    /// Something must be seen first.
    Ask(Need),
    /// It must be written.
    Write(Operation),
    /// Its former managers' fields must become ours before it is written (K14).
    TakeOver(Operation),
    /// It must be deleted, to be created anew.
    Recreate {
        delete: Operation,
        object: &'a Desired,
        uid: &'a str,
    },
    /// It is on its way out, to be created anew.
    Wait { said: String, until: Timestamp },
    /// It can't be, until then.
    Fail(ObjectFailure<'a>),
    /// Somebody changes it back each time; left as it is until then.
    Contested(&'a Live, ObjectFailure<'a>),
}

/// Why an object can't be written now.
pub(super) struct ObjectFailure<'a> {
    pub object: &'a Desired,
    pub cause: Cause<'a>,
    pub until: Timestamp,
}

/// What is in the way.
pub(super) enum Cause<'a> {
    /// The server refused, or couldn't be asked.
    Refused(&'a Failure),
    /// Our own word, the object's name included: another StageSet owns it (K13), a policy forbids it.
    Said(String),
}

/// Decides on one object of a stage, by what its identity knows of it.
pub(super) fn step<'a>(
    delivery: &Delivery<'a>,
    object: &'a Arc<Desired>,
    facts: Option<&'a ObjectFacts>,
) -> Step<'a> {
    let Delivery {
        observation,
        identity,
        ..
    } = *delivery;
    if delivery.keeps(object) {
        let seen = facts.and_then(|facts| facts.live.as_ref());
        let fresh = facts
            .zip(seen)
            .is_some_and(|(facts, seen)| object_is_fresh(observation, facts, seen.at));
        let seen = seen.map(|seen| (&seen.value, seen.at, seen.failures));
        if let Some(step) = conflicts::keep(delivery, object, seen, fresh) {
            return step;
        }
    }
    let Some(facts) = facts else {
        return ask_dry_run(identity, object);
    };
    if let Some((digest, fact)) = facts.write_failure.as_deref()
        && *digest == object.digest
    {
        let until = retry_at(fact.at, &fact.value, fact.failures);
        if observation.now < until {
            let cause = Cause::Refused(&fact.value);
            return Step::Fail(ObjectFailure {
                object,
                cause,
                until,
            });
        }
    }
    match settled(observation, facts, object) {
        Standing::Settled(live) => return Step::Settled(live),
        Standing::Stale => {
            return Step::Ask(Need::Read {
                identity: identity.clone(),
                object: object.reference.clone(),
                purpose: Purpose::Drift,
            });
        }
        Standing::Unsettled => {}
    }
    match facts.dry_run.as_deref() {
        Some((digest, fact)) if *digest == object.digest => {
            let tried = (&fact.value, fact.at, fact.failures);
            judge_dry_run(delivery, object, facts, tried)
        }
        _ => ask_dry_run(identity, object),
    }
}

impl Delivery<'_> {
    /// Whether the object is left alone once it exists.
    fn keeps(&self, object: &Desired) -> bool {
        self.policy.answer(object).answer == ConflictAnswer::KeepExisting
    }
}

enum Standing<'a> {
    Settled(&'a Live),
    Stale,
    Unsettled,
}

/// Whether the object is still as it was when it last agreed with this very content: same uid, and
/// our managed-fields entry as we left it (K18).
fn settled<'a>(
    observation: &Observation,
    facts: &'a ObjectFacts,
    object: &Desired,
) -> Standing<'a> {
    let Some(settled) = facts
        .settled
        .as_ref()
        .filter(|settled| settled.digest == object.digest)
    else {
        return Standing::Unsettled;
    };
    let Some(fact) = &facts.live else {
        return Standing::Stale;
    };
    if !object_is_fresh(observation, facts, fact.at) {
        return Standing::Stale;
    }
    match &fact.value {
        LiveState::Present(live)
            if live.uid == settled.uid
                && live.entry == settled.entry
                && live.owner.as_deref() == Some(&object.owner) =>
        {
            Standing::Settled(live)
        }
        LiveState::Present(_) | LiveState::Absent | LiveState::Unreadable(_) => Standing::Unsettled,
    }
}

pub(super) fn ask_dry_run<'a>(identity: &Identity, object: &Arc<Desired>) -> Step<'a> {
    Step::Ask(Need::DryRun {
        identity: identity.clone(),
        object: Arc::clone(object),
    })
}

fn judge_dry_run<'a>(
    delivery: &Delivery<'a>,
    object: &'a Arc<Desired>,
    facts: &'a ObjectFacts,
    (dry_run, at, failures): (&'a DryRun, Timestamp, u32),
) -> Step<'a> {
    let Delivery {
        observation,
        identity,
        corrects,
        ..
    } = *delivery;
    if let DryRun::Refused(failure) = dry_run {
        if failure.class == FailureClass::Immutable {
            return conflicts::immutable(delivery, object, facts, (failure, at, failures));
        }
        let until = retry_at(at, failure, failures);
        return if observation.now >= until {
            ask_dry_run(identity, object)
        } else {
            Step::Fail(ObjectFailure {
                object,
                cause: Cause::Refused(failure),
                until,
            })
        };
    }
    // What was tried before something newer was seen says nothing of the object as it stands now.
    let overtaken = facts.live.as_ref().is_some_and(|fact| fact.at > at);
    if overtaken || !object_is_fresh(observation, facts, at) {
        return ask_dry_run(identity, object);
    }
    let (fields, by, takeover, live) = match dry_run {
        DryRun::Refused(_) | DryRun::Create => {
            let why = if corrects {
                ApplyReason::Drift {
                    fields: Vec::new(),
                    by: None,
                }
            } else {
                ApplyReason::Create
            };
            return write(identity, object, None, why);
        }
        DryRun::Unchanged { live } => return Step::Settled(live),
        // Absent when it was looked at, there when it was tried: whoever holds both is told nothing else.
        DryRun::Change { live, .. } if delivery.keeps(object) => return Step::Settled(live),
        DryRun::Change {
            fields,
            by,
            takeover,
            live,
        } => (fields, by, takeover, live),
    };
    if let Some(cause) = foreign(object, live) {
        // Nobody tells us when another StageSet lets go.
        let until = at.plus(Duration::from_secs(60));
        return if observation.now >= until {
            ask_dry_run(identity, object)
        } else {
            Step::Fail(ObjectFailure {
                object,
                cause,
                until,
            })
        };
    }
    if let Some(takeover) = takeover {
        return take_over(identity, object, live, takeover);
    }
    if !corrects {
        return write(
            identity,
            object,
            Some(live.uid.to_string()),
            ApplyReason::Change(fields.clone()),
        );
    }
    if let Some((cause, until)) = contested(observation.now, object, facts, fields, by.as_deref()) {
        let failure = ObjectFailure {
            object,
            cause,
            until,
        };
        return Step::Contested(live, failure);
    }
    let why = ApplyReason::Drift {
        fields: fields.clone(),
        by: by.clone(),
    };
    write(identity, object, Some(live.uid.to_string()), why)
}

/// So many corrections of one field within [`FIGHT`] are a fight; those before are put right at once.
const ROUNDS: usize = 3;
/// Corrections further apart than this are no fight.
const FIGHT: Duration = Duration::from_secs(3600);
/// The first pause in a fight; it doubles with each round, up to [`LONGEST_TRUCE`].
const FIRST_TRUCE: Duration = Duration::from_secs(60);
/// The longest pause in a fight.
const LONGEST_TRUCE: Duration = Duration::from_secs(600);

/// Whether somebody else keeps writing what we put right, and until when it is left alone.
///
/// Two writers that each know better would go on for ever, at the cost of everybody's API server;
/// only people can decide who is right, so they are told who the other one is and which field it is
/// about.
fn contested<'a>(
    now: Timestamp,
    object: &Desired,
    facts: &ObjectFacts,
    fields: &[String],
    by: Option<&str>,
) -> Option<(Cause<'a>, Timestamp)> {
    let same = |correction: &&Correction| {
        now.since(correction.at) < FIGHT
            && correction.fields.iter().any(|field| fields.contains(field))
    };
    let rounds: Vec<&Correction> = facts.corrections.iter().filter(same).collect();
    let (first, last) = (rounds.first()?, rounds.last()?);
    let over = u32::try_from(rounds.len().checked_sub(ROUNDS)?).unwrap_or(u32::MAX);
    let pause = FIRST_TRUCE
        .saturating_mul(1_u32.checked_shl(over).unwrap_or(u32::MAX))
        .min(LONGEST_TRUCE);
    let until = last.at.plus(pause);
    if now >= until {
        return None;
    }
    let by = by.map_or("somebody".to_owned(), |by| format!("field manager {by}"));
    let said = format!(
        "{}: {} is also written by {by} and was put right {} times within {}; it is left as it is \
         until {until}: take the field out of the manifest, or stop the other writer",
        object.reference.key,
        fields.join(", "),
        rounds.len(),
        in_words(last.at.since(first.at)),
    );
    Some((Cause::Said(said), until))
}

fn take_over<'a>(
    identity: &Identity,
    object: &Arc<Desired>,
    live: &Live,
    takeover: &Takeover,
) -> Step<'a> {
    Step::TakeOver(Operation::Tenant(TenantOperation::TakeOver {
        identity: identity.clone(),
        object: Arc::clone(object),
        uid: live.uid.to_string(),
        resource_version: live.resource_version.to_string(),
        from: takeover.from.clone(),
        managed_fields: Arc::clone(&takeover.managed_fields),
    }))
}

pub(super) fn foreign<'a>(object: &Desired, live: &Live) -> Option<Cause<'a>> {
    let owner = live
        .owner
        .as_deref()
        .filter(|owner| **owner != object.owner)?;
    Some(Cause::Said(format!(
        "{} belongs to StageSet {owner}, as its labels say: take it out of that release (or remove \
         the labels stages.metio.wtf/name and stages.metio.wtf/namespace), then this one takes it",
        object.reference.key
    )))
}

fn write<'a>(
    identity: &Identity,
    object: &Arc<Desired>,
    uid: Option<String>,
    why: ApplyReason,
) -> Step<'a> {
    Step::Write(Operation::Tenant(TenantOperation::Apply {
        identity: identity.clone(),
        object: Arc::clone(object),
        uid,
        why,
    }))
}
