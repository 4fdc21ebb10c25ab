//! What a session doesn't keep.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use stageset_core::failure::Fact;
use stageset_core::few::Few;
use stageset_core::identity::Target;
use stageset_core::observation::{
    BuildKey, BuildState, DependencyState, Facts, KubeconfigState, SourceState, StageSet,
};
use stageset_core::spec::StageSetReference;
use stageset_core::time::Timestamp;

use super::Session;

/// What was seen of objects that no inventory holds is kept this long.
const KEEP_STRAYS: Duration = Duration::from_secs(3600);

impl Session {
    /// A clock that was set back makes every remembered time wrong: what was seen would seem to be of
    /// the future, and asking again would never make it fresh. So it is all had again.
    pub(super) fn follow_clock(&mut self, now: Timestamp) {
        if now < self.decided {
            self.facts = Facts::default();
            self.refresh_before = now;
        } else if self.decided == Timestamp::default() {
            // A first decision rests on nothing old, and the first interval begins with it.
            self.refresh_before = now;
        }
        self.decided = now;
    }

    /// What the StageSet itself makes of what is remembered.
    pub(super) fn follow_stage_set(&mut self, stage_set: &StageSet, now: Timestamp) {
        let requested = stage_set.requested_at.clone();
        if requested != stage_set.status.last_handled_reconcile_at && requested != self.requested {
            self.refresh_before = now;
        }
        self.requested = requested;
        let asked = stage_set.reconcile_stage.clone();
        if asked != self.stage_asked && asked.is_some() {
            self.refresh_before = now;
        }
        self.stage_asked = asked;
        if let Ok(spec) = &stage_set.spec {
            // An account that a stage comes back to would go by what it saw before it was changed, while another
            // one has seen what became of that.
            if self.accounts.follow(spec) {
                self.refresh_before = now;
            }
        }
        let deleting = stage_set.deletion_timestamp.is_some();
        if deleting && !std::mem::replace(&mut self.deletion_seen, true) {
            // What is torn down rests on what the inventories hold now: somebody else may have written to
            // them since we looked.
            self.facts.inventories = None;
        }
    }

    /// Drops what nothing asks for any more: builds of artifacts that no source offers, and objects
    /// that left all inventories.
    pub(super) fn forget(&mut self, now: Timestamp) {
        self.forget_dependencies();
        let refreshed = self.refresh_before;
        // Looked for once, when an inventory was lost.
        self.facts.labelled.retain(|_, fact| fact.at >= refreshed);
        let Facts {
            sources,
            builds,
            inventories,
            objects,
            kubeconfigs,
            kinds,
            reviews,
            ..
        } = &mut self.facts;
        // What was seen with a former state of a Secret answers nothing any more (A07).
        let named = |target: &Target| {
            *target == Target::Local
                || kubeconfigs
                    .values()
                    .any(|fact| fact.value == KubeconfigState::Usable(target.clone()))
        };
        kinds.retain(named);
        reviews.retain(|identity| named(identity.target()));
        objects.retain(|identity, _, _| named(identity.target()));
        let offered: Vec<&str> = sources
            .values()
            .filter_map(|fact| match &fact.value {
                SourceState::Ready(artifact)
                | SourceState::NotReady {
                    artifact: Some(artifact),
                    ..
                } => Some(&*artifact.digest),
                _ => None,
            })
            .collect();
        builds.retain(|key, _| offered.contains(&key.digest.as_str()));
        // A build of former patches or variables: as many are kept of each path as there are stages
        // that could want one.
        let stages = match self.read.as_ref().map(|read| &read.spec) {
            Some(Ok(spec)) => spec.stages.len(),
            _ => 1,
        };
        forget_former_overlays(builds, stages);
        if let Some(Fact {
            value: Ok(inventories),
            ..
        }) = inventories
        {
            objects.retain(|_, key, facts| {
                let seen = facts.live.as_ref().map(|fact| fact.at);
                let tried = facts.dry_run.as_ref().map(|tried| tried.1.at);
                seen.max(tried)
                    .is_some_and(|at| now.since(at) < KEEP_STRAYS)
                    || inventories
                        .values()
                        .any(|inventory| inventory.entries.contains_key(key))
            });
        }
        for (_, _, facts) in objects.iter_mut() {
            facts.settle();
        }
        self.references.retain_known(objects);
    }

    /// Keeps the StageSets that the spec leads to, and no others.
    fn forget_dependencies(&mut self) {
        if self.facts.dependencies.is_empty() {
            return;
        }
        let read = self.read.as_ref();
        let Some(spec) = read.and_then(|stage_set| stage_set.spec.as_ref().ok()) else {
            return;
        };
        let mut reached: BTreeSet<StageSetReference> = BTreeSet::new();
        let mut next: Vec<StageSetReference> = spec.depends_on.clone();
        while let Some(each) = next.pop() {
            if let Some(fact) = self.facts.dependencies.get(&each)
                && reached.insert(each)
                && let DependencyState::Found(found) = &fact.value
            {
                next.extend(found.depends_on.iter().cloned());
            }
        }
        let dependencies = &mut self.facts.dependencies;
        dependencies.retain(|stage_set, _| reached.contains(stage_set));
    }
}

/// Of each artifact and path the newest builds are kept.
fn forget_former_overlays(builds: &mut Few<BuildKey, Fact<BuildState>>, keep: usize) {
    let mut newest: BTreeMap<(String, String), Vec<Timestamp>> = BTreeMap::new();
    for (key, fact) in &*builds {
        let times = newest.entry((key.digest.clone(), key.path.clone()));
        times.or_default().push(fact.at);
    }
    for times in newest.values_mut() {
        times.sort_unstable();
    }
    builds.retain(|key, fact| {
        let times = newest.get(&(key.digest.clone(), key.path.clone()));
        let oldest = times.and_then(|times| times.get(times.len().saturating_sub(keep)));
        oldest.is_none_or(|oldest| fact.at >= *oldest)
    });
}

#[cfg(test)]
mod tests;
