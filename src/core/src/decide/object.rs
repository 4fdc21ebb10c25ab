//! One object: is it as desired, and if not, what next?

use std::sync::Arc;
use std::time::Duration;

use crate::failure::Failure;
use crate::identity::Identity;
use crate::object::Desired;
use crate::observation::{DryRun, Live, LiveState, ObjectFacts, Observation};
use crate::plan::{ApplyReason, Need, Operation, Purpose, TenantOperation};
use crate::time::Timestamp;

use super::freshness::{object_is_fresh, retry_at};

/// What to do about one object.
pub(super) enum Step<'a> {
    /// It is as desired.
    Settled(&'a Live),
    /// Something must be seen first.
    Ask(Need),
    /// It must be written.
    Write(Operation),
    /// It can't be, until then.
    Fail(ObjectFailure<'a>),
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
    /// Another StageSet owns the live object (K13).
    Foreign(String),
}

/// Decides on one object of a stage. `corrects` tells a correction of drift from new content.
pub(super) fn step<'a>(
    observation: &'a Observation,
    identity: &Identity,
    object: &'a Arc<Desired>,
    corrects: bool,
) -> Step<'a> {
    let Some(facts) = observation
        .facts
        .objects
        .get(identity, &object.reference.key)
    else {
        return ask_dry_run(identity, object);
    };
    if let Some((digest, fact)) = &facts.write_failure
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
    match &facts.dry_run {
        Some((digest, fact)) if *digest == object.digest => {
            let tried = (&fact.value, fact.at, fact.failures);
            judge_dry_run(observation, identity, object, facts, tried, corrects)
        }
        _ => ask_dry_run(identity, object),
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
                && live.owner.as_ref() == Some(&object.owner) =>
        {
            Standing::Settled(live)
        }
        LiveState::Present(_) | LiveState::Absent | LiveState::Unreadable(_) => Standing::Unsettled,
    }
}

fn ask_dry_run<'a>(identity: &Identity, object: &Arc<Desired>) -> Step<'a> {
    Step::Ask(Need::DryRun {
        identity: identity.clone(),
        object: Arc::clone(object),
    })
}

fn judge_dry_run<'a>(
    observation: &'a Observation,
    identity: &Identity,
    object: &'a Arc<Desired>,
    facts: &'a ObjectFacts,
    (dry_run, at, failures): (&'a DryRun, Timestamp, u32),
    corrects: bool,
) -> Step<'a> {
    if let DryRun::Refused(failure) = dry_run {
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
    let (fields, live) = match dry_run {
        DryRun::Refused(_) | DryRun::Create => {
            let why = if corrects {
                ApplyReason::Drift(Vec::new())
            } else {
                ApplyReason::Create
            };
            return write(identity, object, None, why);
        }
        DryRun::Unchanged { live } => return Step::Settled(live),
        DryRun::Change { fields, live } => (fields, live),
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
    let why = if corrects {
        ApplyReason::Drift(fields.clone())
    } else {
        ApplyReason::Change(fields.clone())
    };
    write(identity, object, Some(live.uid.clone()), why)
}

fn foreign<'a>(object: &Desired, live: &Live) -> Option<Cause<'a>> {
    let owner = live
        .owner
        .as_ref()
        .filter(|owner| **owner != object.owner)?;
    Some(Cause::Foreign(format!(
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
