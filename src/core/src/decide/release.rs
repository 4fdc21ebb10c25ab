//! The release: built objects with their scope, namespace and stage decided, and every claim checked
//! before the first write.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use stageset_api::reason::Reason;

use crate::failure::Failure;
use crate::identity::{Identity, Target};
use crate::names::StageName;
use crate::object::{DefinedKind, Desired, GroupVersionKind, ObjectKey, Owner, Rendered, hex};
use crate::observation::{
    BuildOverlay, KindState, Known, ObjectFacts, Observation, StageInventory, StageStatus,
};
use crate::plan::Need;
use crate::spec::{Spec, Stage};
use crate::time::Timestamp;

use super::Stop;
use super::base::Base;
use super::freshness::retry_at;
use super::report::{Report, Wait};
use super::sources::Pins;

/// Everything that a pass delivers.
pub(super) struct Release<'a> {
    pub observation: &'a Observation,
    pub spec: &'a Spec,
    pub target: &'a Target,
    pub pins: &'a Pins<'a>,
    pub inventories: &'a BTreeMap<StageName, StageInventory>,
    /// Names this run: changes with the content and what shapes it, and with nothing else (K07).
    pub run: String,
    pub stages: Vec<StageView<'a>>,
}

/// One stage of the release.
pub(super) struct StageView<'a> {
    pub index: usize,
    pub spec: &'a Stage,
    pub identity: &'a Identity,
    pub revision: &'a str,
    /// In the order of their keys.
    pub objects: Vec<Arc<Desired>>,
    /// Objects of kinds that the target doesn't serve, with what to say of them.
    pub unknown: Vec<UnknownObject<'a>>,
    pub recorded: Option<&'a StageStatus>,
    /// What its identity knows of objects.
    known: Option<&'a Known>,
}

/// An object that can't be placed yet.
pub(super) struct UnknownObject<'a> {
    pub rendered: &'a Rendered,
    /// Why, when it isn't simply that the kind isn't served.
    pub failure: Option<&'a Failure>,
    pub until: Timestamp,
}

impl Release<'_> {
    /// Whether the object belongs to this release.
    pub(super) fn claims(&self, key: &ObjectKey) -> bool {
        self.stages.iter().any(|stage| stage.claims(key))
    }
}

impl<'a> StageView<'a> {
    /// What is known of an object, as this stage's identity saw it.
    pub(super) fn facts(&self, key: &ObjectKey) -> Option<&'a ObjectFacts> {
        Some(self.known?.get(key)?)
    }

    /// Whether the object belongs to this stage.
    pub(super) fn claims(&self, key: &ObjectKey) -> bool {
        self.objects
            .binary_search_by(|object| object.reference.key.cmp(key))
            .is_ok()
    }

    /// The object of this stage that has this key.
    pub(super) fn object(&self, key: &ObjectKey) -> Option<&Arc<Desired>> {
        let place = self
            .objects
            .binary_search_by(|object| object.reference.key.cmp(key));
        self.objects.get(place.ok()?)
    }

    /// Whether all objects of this stage were written in this run.
    pub(super) fn applied_in(&self, run: &str) -> bool {
        self.recorded
            .is_some_and(|recorded| recorded.run.as_deref() == Some(run))
    }
}

/// Decides scope, namespace and ownership of every object.
///
/// Scope comes from the target's discovery, or, for a kind whose definition is part of the release,
/// from that definition (A11). An object of an unknown kind stops its own stage, not the release:
/// an earlier stage may be what installs the kind.
pub(super) fn assemble<'a>(
    observation: &'a Observation,
    spec: &'a Spec,
    target: &'a Target,
    identities: &'a [Identity],
    base: &'a Base<'a>,
    overlays: &[Arc<BuildOverlay>],
    built: &[&'a Arc<Vec<Rendered>>],
) -> Result<Release<'a>, Stop> {
    let owner = Owner {
        namespace: observation.stage_set.namespace.to_string(),
        name: observation.stage_set.name.clone(),
    };
    let defined: BTreeMap<(&str, &str), &DefinedKind> = built
        .iter()
        .flat_map(|objects| objects.iter())
        .filter_map(|object| object.defines.as_deref())
        .map(|kind| ((kind.group.as_str(), kind.kind.as_str()), kind))
        .collect();
    let mut scopes = Scopes {
        observation,
        target,
        defined,
        found: Vec::new(),
        needs: Vec::new(),
    };
    let mut stages = Vec::with_capacity(spec.stages.len());
    for (index, ((stage, identity), objects)) in
        spec.stages.iter().zip(identities).zip(built).enumerate()
    {
        let mut view = StageView {
            index,
            spec: stage,
            identity,
            revision: base.pins.of(index).map_or("", |pin| pin.revision.as_str()),
            objects: Vec::with_capacity(objects.len()),
            unknown: Vec::new(),
            recorded: observation.stage_set.status.stage(&stage.name),
            known: observation.facts.objects.of(identity),
        };
        for rendered in objects.iter() {
            match scopes.of(&rendered.gvk) {
                Scope::Known { plural, namespaced } => {
                    view.objects
                        .push(rendered.placed(plural, namespaced, &owner, &stage.name));
                }
                Scope::Asked => {}
                Scope::Unknown { failure, until } => {
                    view.unknown.push(UnknownObject {
                        rendered,
                        failure,
                        until,
                    });
                }
            }
        }
        view.objects
            .sort_by(|a, b| a.reference.key.cmp(&b.reference.key));
        stages.push(view);
    }
    if !scopes.needs.is_empty() {
        return Err(Stop::Ask(scopes.needs));
    }
    one_claim_each(observation, &stages)?;
    Ok(Release {
        observation,
        spec,
        target,
        pins: &base.pins,
        inventories: base.inventories,
        run: overlaid(run_of(spec, target, &base.pins), overlays),
        stages,
    })
}

struct Scopes<'a> {
    observation: &'a Observation,
    target: &'a Target,
    defined: BTreeMap<(&'a str, &'a str), &'a DefinedKind>,
    /// What was found so far: a release has many objects of few kinds.
    found: Vec<(&'a GroupVersionKind, Scope<'a>)>,
    needs: Vec<Need>,
}

#[derive(Clone, Copy)]
enum Scope<'a> {
    Known {
        plural: &'a str,
        namespaced: bool,
    },
    Asked,
    Unknown {
        failure: Option<&'a Failure>,
        until: Timestamp,
    },
}

impl<'a> Scopes<'a> {
    fn of(&mut self, gvk: &'a GroupVersionKind) -> Scope<'a> {
        let mut found = self.found.iter();
        if let Some((_, scope)) = found.find(|(known, _)| known.is_same(gvk)) {
            return *scope;
        }
        let scope = self.find(gvk);
        self.found.push((gvk, scope));
        scope
    }

    fn find(&mut self, gvk: &GroupVersionKind) -> Scope<'a> {
        let Some(fact) = self.observation.facts.kinds.get(self.target, gvk) else {
            self.ask(gvk);
            return Scope::Asked;
        };
        let (failure, until) = match &fact.value {
            KindState::Served { plural, namespaced } => {
                return Scope::Known {
                    plural,
                    namespaced: *namespaced,
                };
            }
            KindState::Unknown | KindState::OtherVersion { .. } => {
                (None, fact.at.plus(super::report::DENIED_RETRY))
            }
            KindState::Unreadable(failure) => {
                (Some(failure), retry_at(fact.at, failure, fact.failures))
            }
        };
        if let Some(kind) = self.defined.get(&(gvk.group.as_str(), gvk.kind.as_str())) {
            return Scope::Known {
                plural: &kind.plural,
                namespaced: kind.namespaced,
            };
        }
        if self.observation.now >= until {
            self.ask(gvk);
            return Scope::Asked;
        }
        Scope::Unknown { failure, until }
    }

    fn ask(&mut self, gvk: &GroupVersionKind) {
        self.needs.push(Need::Kind {
            target: self.target.clone(),
            gvk: gvk.clone(),
        });
    }
}

/// One object, one stage: two claims are found before the first write.
fn one_claim_each(observation: &Observation, stages: &[StageView<'_>]) -> Result<(), Stop> {
    let mut twice = Vec::new();
    for (index, stage) in stages.iter().enumerate() {
        for pair in stage.objects.windows(2) {
            if pair[0].reference.key == pair[1].reference.key {
                twice.push(claimed_twice((&pair[0], stage), (&pair[1], stage)));
            }
        }
        for earlier in &stages[..index] {
            for (first, second) in in_both(&earlier.objects, &stage.objects) {
                twice.push(claimed_twice((first, earlier), (second, stage)));
            }
        }
    }
    if twice.is_empty() {
        return Ok(());
    }
    Err(Report::stalled(
        observation,
        Reason::InvalidSpec,
        format!("{}: leave each object in one place", twice.join("; ")),
        Wait::For(std::time::Duration::from_secs(60)),
    )
    .into())
}

fn claimed_twice(
    (first, first_stage): (&Desired, &StageView<'_>),
    (second, second_stage): (&Desired, &StageView<'_>),
) -> String {
    format!(
        "{} is claimed by stage {} ({}) and by stage {} ({})",
        first.reference.key,
        first_stage.spec.name,
        first.origin,
        second_stage.spec.name,
        second.origin
    )
}

/// The objects that stand in two lists, both in the order of their keys.
fn in_both<'a>(a: &'a [Arc<Desired>], b: &'a [Arc<Desired>]) -> Vec<(&'a Desired, &'a Desired)> {
    let (mut at_a, mut at_b) = (0, 0);
    let mut found = Vec::new();
    while let (Some(first), Some(second)) = (a.get(at_a), b.get(at_b)) {
        match first.reference.key.cmp(&second.reference.key) {
            Ordering::Less => at_a += 1,
            Ordering::Greater => at_b += 1,
            Ordering::Equal => {
                found.push((first.as_ref(), second.as_ref()));
                at_b += 1;
            }
        }
    }
    found
}

/// The run's name: what is delivered, and everything that shapes it. Intervals and time-outs are left
/// out, so that changing them doesn't begin the release anew.
pub(super) fn run_of(spec: &Spec, target: &Target, pins: &Pins<'_>) -> String {
    let mut hash = Sha256::new();
    let mut add = |text: &str| {
        // Length first, so that no two lists of texts run together to one.
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    };
    if target.remote().is_some() {
        add(target.cluster());
    }
    for (index, stage) in spec.stages.iter().enumerate() {
        add(stage.name.as_str());
        add(&stage.path);
        let account = stage.account(spec);
        add(account.map_or("", |account| account.as_str()));
        match pins.of(index) {
            Some(pin) => {
                add(&pin.revision);
                add(&pin.digest);
            }
            None => add(""),
        }
    }
    hex(&hash.finalize()[..6])
}

/// The run with what is laid over its builds; the same where there is nothing. The name begins with
/// that of the run without.
fn overlaid(mut run: String, overlays: &[Arc<BuildOverlay>]) -> String {
    if overlays.iter().all(|overlay| overlay.digest.is_empty()) {
        return run;
    }
    let mut hash = Sha256::new();
    for overlay in overlays {
        hash.update(&overlay.digest);
        hash.update([0]);
    }
    run.push('.');
    run.push_str(&hex(&hash.finalize()[..6]));
    run
}
