//! `readyChecks.checks`: further objects that have to be ready, each read as the tenant.

use crate::failure::{Failure, FailureClass};
use crate::object::{ObjectKey, Reference};
use crate::observation::{Health, KindState, LiveState, Tracking};
use crate::plan::{Need, Purpose};
use crate::spec::Check;
use crate::time::Timestamp;

use super::freshness::{object_is_fresh, poll_at, retry_at};
use super::release::{Release, StageView};
use super::report::DENIED_RETRY;
use super::verify::{Tally, last_written};

/// Looks at every check of the stage.
pub(super) fn tally(
    tally: &mut Tally,
    release: &Release<'_>,
    stage: &StageView<'_>,
    since: Timestamp,
) {
    if stage.spec.checks.is_empty() {
        return;
    }
    // What was seen before the stage was written says nothing of what it led to.
    let not_before = last_written(release, stage).max(release.observation.refresh_before);
    for check in &stage.spec.checks {
        tally.total += 1;
        if let Some(reference) = placed(tally, release, check) {
            look(tally, release, stage, &reference, not_before, since);
        }
    }
}

/// The object that a check names: scope and resource name are the target's word (A11).
fn placed(tally: &mut Tally, release: &Release<'_>, check: &Check) -> Option<Reference> {
    let observation = release.observation;
    let kind = || Need::Kind {
        target: release.target.clone(),
        gvk: check.gvk.clone(),
    };
    let Some(fact) = observation.facts.kinds.get(release.target, &check.gvk) else {
        tally.needs.push(kind());
        return None;
    };
    let (plural, namespaced) = match &fact.value {
        KindState::Served { plural, namespaced } => (plural, *namespaced),
        KindState::Unknown | KindState::OtherVersion { .. } => {
            let until = fact.at.plus(DENIED_RETRY);
            if observation.now >= until {
                tally.needs.push(kind());
            }
            let said = format!(
                "check {check}: the API server doesn't serve {}: correct its apiVersion, or install \
                 its CustomResourceDefinition",
                check.gvk
            );
            tally.deny(said, until);
            return None;
        }
        KindState::Unreadable(failure) => {
            let until = retry_at(fact.at, failure, fact.failures);
            if observation.now >= until {
                tally.needs.push(kind());
            }
            tally.slow(
                check.to_string(),
                format!("discovery failed: {failure}"),
                until,
            );
            return None;
        }
    };
    let own = &observation.stage_set.namespace;
    let namespace = namespaced.then(|| check.namespace.clone().unwrap_or_else(|| own.to_string()));
    if !observation
        .config
        .works_in(release.target, namespace.as_deref())
    {
        let said = format!(
            "check {check} is outside of the namespaces that this controller works in \
             (--watch-namespaces): take it out, or add its namespace to the list"
        );
        tally.deny(
            said,
            observation.now.plus(std::time::Duration::from_mins(1)),
        );
        return None;
    }
    Some(Reference {
        key: ObjectKey {
            group: check.gvk.group.clone(),
            kind: check.gvk.kind.clone(),
            namespace,
            name: check.name.clone(),
        },
        version: check.gvk.version.clone(),
        plural: plural.clone(),
    })
}

fn look(
    tally: &mut Tally,
    release: &Release<'_>,
    stage: &StageView<'_>,
    reference: &Reference,
    not_before: Timestamp,
    since: Timestamp,
) {
    let observation = release.observation;
    let ask = || Need::Read {
        identity: stage.identity.clone(),
        object: reference.clone(),
        purpose: Purpose::Health,
    };
    let known = observation
        .facts
        .objects
        .get(stage.identity, &reference.key);
    let Some((facts, seen)) = known.and_then(|facts| Some((facts, facts.live.as_ref()?))) else {
        tally.needs.push(ask());
        return;
    };
    let key = reference.key.to_string();
    let stale = !object_is_fresh(observation, facts, seen.at)
        || (facts.tracking != Tracking::Watched && seen.at < not_before)
        || facts.tracking == Tracking::Moved;
    if stale && !matches!(seen.value, LiveState::Unreadable(_)) {
        tally.needs.push(ask());
        return;
    }
    let due = match facts.tracking {
        Tracking::Watched => None,
        Tracking::Moved | Tracking::Polled => Some(poll_at(seen.at, since)),
    };
    let unready = |tally: &mut Tally, said: String| match due {
        Some(due) if due <= observation.now => tally.needs.push(ask()),
        due => tally.unready(key.clone(), said, due),
    };
    match &seen.value {
        LiveState::Unreadable(failure) => {
            let until = retry_at(seen.at, failure, seen.failures);
            if observation.now >= until {
                tally.needs.push(ask());
            } else {
                unreadable(tally, &key, failure, until);
            }
        }
        LiveState::Absent => unready(tally, "it doesn't exist".into()),
        LiveState::Present(live) => match &live.health {
            Health::Current => {}
            Health::InProgress(said) => unready(tally, said.clone()),
            Health::Terminating => unready(tally, "it is being deleted".into()),
            Health::Failed(said) => {
                if due.is_some_and(|due| due <= observation.now) {
                    tally.needs.push(ask());
                } else {
                    tally.fail(key, said.clone(), due);
                }
            }
        },
    }
}

/// A denied read is reported as that: waiting would end in a time-out that says nothing.
fn unreadable(tally: &mut Tally, key: &str, failure: &Failure, until: Timestamp) {
    match failure.class {
        FailureClass::Denied | FailureClass::UnknownKind => {
            tally.deny(format!("check {key} can't be read: {failure}"), until);
        }
        _ => tally.slow(key.to_owned(), format!("can't be read: {failure}"), until),
    }
}
