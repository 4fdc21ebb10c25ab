//! The StageSets that must be ready first: refused, in a circle, waited for, or done.
//!
//! A dependency gates *new* content: what already stands of a run is kept as it should be meanwhile
//! (K09). It has to be ready at the very revisions that this StageSet pins (K08), or the two would be
//! delivered from different states of one source.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use stageset_api::reason::Reason;

use crate::failure::{Failure, FailureClass};
use crate::observation::{Dependency, DependencyState, Observation, Readiness};
use crate::plan::Need;
use crate::spec::{Spec, StageSetReference};
use crate::time::Timestamp;

use super::Stop;
use super::foreign::{self, Named, Reading};
use super::freshness::{Use, jittered, judge};
use super::report::{Report, Wait, retry_interval};
use super::sources::{Pins, pin_key};

/// Most StageSets that are looked through for a circle. A longer one isn't named, but it can't do
/// harm either: all in it wait.
const CIRCLE_MAX: usize = 256;

/// With `--no-cross-namespace-refs` a foreign dependency is refused, unread (S32, S33).
pub(super) fn allowed(observation: &Observation, spec: &Spec) -> Result<(), Stop> {
    for (index, dependency) in spec.depends_on.iter().enumerate() {
        foreign::is_allowed(
            observation,
            &format!("spec.dependsOn[{index}]"),
            Named::StageSet(dependency),
            Reason::DependencyNotReady,
        )?;
    }
    Ok(())
}

/// Whether the controller may read a StageSet for the one that waits: as its account, and not as
/// that of a stage.
fn may_read(
    observation: &Observation,
    spec: &Spec,
    stage_set: &StageSetReference,
    needs: &mut Vec<Need>,
) -> Reading {
    let account = spec.service_account.as_ref();
    let named = Named::StageSet(stage_set);
    foreign::may_read(observation, spec, account, named, needs)
}

/// Asks for the dependencies, and theirs in turn as far as they may be read; says so if they lead
/// back to this StageSet.
///
/// What can't be read, and what isn't there, leads nowhere.
pub(super) fn no_circle(
    observation: &Observation,
    spec: &Spec,
    needs: &mut Vec<Need>,
) -> Result<(), Stop> {
    if spec.depends_on.is_empty() {
        return Ok(());
    }
    let this = this(observation);
    let mut came_from: BTreeMap<&StageSetReference, &StageSetReference> = BTreeMap::new();
    let mut next: VecDeque<&StageSetReference> = VecDeque::new();
    for direct in &spec.depends_on {
        if *direct == this {
            return Err(circle(observation, &[&this, &this]));
        }
        if !came_from.contains_key(direct) {
            came_from.insert(direct, direct);
            next.push_back(direct);
        }
    }
    while let Some(each) = next.pop_front() {
        if may_read(observation, spec, each, needs) != Reading::Allowed {
            continue;
        }
        let fact = observation.facts.dependencies.get(each);
        let found = match judge(observation, fact, unreadable) {
            Use::Ask => {
                needs.push(Need::Dependency(each.clone()));
                continue;
            }
            Use::Rely(DependencyState::Found(found)) => found,
            Use::Rely(_) | Use::Wait(..) => continue,
        };
        for further in &found.depends_on {
            if *further == this {
                return Err(circle(observation, &path_to(each, &this, &came_from)));
            }
            let may_be_read = !observation.config.no_cross_namespace_refs
                || further.namespace == observation.stage_set.namespace;
            if may_be_read && came_from.len() < CIRCLE_MAX && !came_from.contains_key(further) {
                came_from.insert(further, each);
                next.push_back(further);
            }
        }
    }
    Ok(())
}

fn this(observation: &Observation) -> StageSetReference {
    StageSetReference {
        namespace: observation.stage_set.namespace.clone(),
        name: observation.stage_set.name.clone(),
    }
}

/// From this StageSet by `last` back to itself.
fn path_to<'a>(
    last: &'a StageSetReference,
    this: &'a StageSetReference,
    came_from: &BTreeMap<&'a StageSetReference, &'a StageSetReference>,
) -> Vec<&'a StageSetReference> {
    let mut path = vec![this, last];
    let mut at = last;
    while let Some(before) = came_from.get(at).filter(|before| **before != at) {
        path.push(before);
        at = before;
    }
    path.push(this);
    path.reverse();
    path
}

/// The circle in words. A foreign StageSet that only another foreign one names isn't told (A09).
fn circle(observation: &Observation, path: &[&StageSetReference]) -> Stop {
    let own = &observation.stage_set.namespace;
    let mut words: Vec<String> = Vec::with_capacity(path.len());
    for (index, each) in path.iter().enumerate() {
        let named_here = index == 0 || path[index - 1].namespace == *own;
        if each.namespace == *own || named_here {
            words.push(each.to_string());
        } else if words.last().is_none_or(|last| last != "…") {
            words.push("…".to_owned());
        }
    }
    Report::stalled(
        observation,
        Reason::Stalled,
        format!(
            "spec.dependsOn leads in a circle: {}: take one of them out",
            words.join(" → ")
        ),
        Wait::For(Duration::from_secs(60)),
    )
    .into()
}

fn unreadable(state: &DependencyState) -> Option<&Failure> {
    match state {
        DependencyState::Unreadable(failure) => Some(failure),
        DependencyState::Found(_) | DependencyState::Absent => None,
    }
}

/// What is waited for, if anything: every dependency that isn't ready, in one report.
///
/// Called when all facts are there. Without pins (a source isn't usable) revisions aren't compared.
pub(super) fn unmet(
    observation: &Observation,
    spec: &Spec,
    pins: Option<&Pins<'_>>,
) -> Result<Option<Box<Report>>, Stop> {
    let mut said = Vec::new();
    let mut seen = BTreeSet::new();
    let mut first: Option<Timestamp> = None;
    let mut needs = Vec::new();
    let mut reason = Reason::DependencyNotReady;
    let pause = jittered(
        retry_interval(observation, spec),
        &observation.stage_set.uid,
    );
    for (index, dependency) in spec.depends_on.iter().enumerate() {
        let readable = may_read(observation, spec, dependency, &mut needs);
        let fact = observation.facts.dependencies.get(dependency);
        let (obstacle, look) = match (readable, fact) {
            (Reading::Refused(until), _) => (String::new(), until),
            (Reading::Allowed, Some(fact)) => match obstacle(&fact.value, pins) {
                Some(obstacle) => (obstacle, fact.at.plus(pause)),
                None => continue,
            },
            (Reading::Asked, _) | (Reading::Allowed, None) => continue,
        };
        if !seen.insert(dependency) {
            continue;
        }
        let own = dependency.namespace == observation.stage_set.namespace;
        if let (true, Some(failure)) = (own, fact.and_then(|fact| unreadable(&fact.value))) {
            reason = match failure.class {
                FailureClass::Denied | FailureClass::UnknownKind => Reason::RBACDenied,
                _ => Reason::ResolveFailed,
            };
        }
        said.push(if own {
            format!("StageSet {dependency} (spec.dependsOn[{index}]) {obstacle}")
        } else {
            // One text for everything, so that it doesn't tell what exists elsewhere (A09).
            format!("StageSet {dependency} (spec.dependsOn[{index}]) is not ready for this one")
        });
        if observation.now >= look {
            needs.push(Need::Dependency(dependency.clone()));
        }
        first = Some(first.map_or(look, |first| first.min(look)));
    }
    if !needs.is_empty() {
        return Err(Stop::Ask(needs));
    }
    Ok(first.map(|first| {
        let wait = Wait::Until(first);
        let report = Report::waiting(observation, reason, said.join("; "), wait);
        Box::new(match reason {
            Reason::DependencyNotReady => report.quietly(),
            // That nobody may read it isn't a wait like others.
            _ => report,
        })
    }))
}

/// Why a dependency isn't good enough, in words that follow its name.
fn obstacle(state: &DependencyState, pins: Option<&Pins<'_>>) -> Option<String> {
    let found = match state {
        DependencyState::Found(found) => found,
        DependencyState::Absent => {
            return Some("doesn't exist: create it, or correct its name".into());
        }
        DependencyState::Unreadable(failure) => return Some(format!("can't be read: {failure}")),
    };
    match &found.readiness {
        Readiness::Ready => other_revision(found, pins?),
        Readiness::NotReady(reason) => Some(format!("isn't ready ({reason})")),
        Readiness::Stale {
            generation,
            observed,
        } => Some(format!(
            "was changed and not looked at yet (generation {generation}, observed {observed})"
        )),
        Readiness::HoldsRevision => Some("holds back a new revision".into()),
        Readiness::Deleting => Some("is being deleted".into()),
    }
}

/// A source that both deliver, and that the dependency has delivered at another revision (K08).
fn other_revision(found: &Dependency, pins: &Pins<'_>) -> Option<String> {
    pins.iter()
        .filter(|(source, _)| found.sources.contains(*source))
        .find_map(|(source, pin)| {
            let applied = found.applied.get(&pin_key(source));
            (applied != Some(&pin.revision)).then(|| {
                format!(
                    "is ready at {} of {source}, this one delivers {}",
                    applied.map_or("no revision", String::as_str),
                    pin.revision
                )
            })
        })
}
