//! Other StageSets, read as the controller (K04), from the watch where there is one.

use serde_json::Value;
use stageset_api::condition::{ConditionStatus, READY};
use stageset_api::names::{API_VERSION, KIND_STAGE_SET};
use stageset_api::stageset::FoundStageSet;
use stageset_core::object::GroupVersionKind;
use stageset_core::observation::{Dependency, DependencyState, Readiness};
use stageset_core::spec::{References, StageSetReference, references};

use super::{Found, Gather};
use crate::ports::{Ports, Watched};
use crate::requests::Target;
use crate::stored::Stored;

/// As the controller.
pub(super) async fn dependency(gather: Gather<'_>, stage_set: &StageSetReference) -> Found {
    let state = if let Some(state) = watched(gather.ports, stage_set) {
        state
    } else {
        let target = Target::stage_set(stage_set.namespace.as_str(), &stage_set.name);
        match gather.as_controller().get(&target).await {
            Ok(object) => object
                .as_ref()
                .map_or(DependencyState::Absent, dependency_state),
            Err(failure) => DependencyState::Unreadable(failure),
        }
    };
    Found::Dependency(stage_set.clone(), state)
}

/// What the watch on StageSets says; `None` if it doesn't cover this one.
pub(crate) fn watched(ports: &Ports, stage_set: &StageSetReference) -> Option<DependencyState> {
    let kind = GroupVersionKind::from_manifest(API_VERSION, KIND_STAGE_SET);
    let namespace = stage_set.namespace.as_str();
    match ports.watched.get(&kind, namespace, &stage_set.name) {
        Watched::Synced(object) => {
            let state = |object: Stored| dependency_state(&object.value());
            Some(object.map_or(DependencyState::Absent, state))
        }
        Watched::NotWatched => None,
    }
}

/// A StageSet as those see it that depend on it. Two objects of the same state are the same to them.
pub fn dependency_state(object: &Value) -> DependencyState {
    let found = FoundStageSet::read(object);
    let References {
        sources,
        depends_on,
    } = references(&found.metadata.namespace, &found.spec);
    DependencyState::Found(Dependency {
        readiness: readiness(&found),
        applied: found.status.last_applied_revisions,
        sources,
        depends_on,
    })
}

fn readiness(found: &FoundStageSet) -> Readiness {
    let status = &found.status;
    if found.metadata.deletion_timestamp.is_some() {
        return Readiness::Deleting;
    }
    let mut conditions = status.conditions.iter();
    let ready = conditions.find(|each| each.type_ == READY);
    let Some(ready) = ready else {
        return Readiness::NotReady("it has no Ready condition yet".into());
    };
    if ready.status != ConditionStatus::True {
        return Readiness::NotReady(ready.reason.clone());
    }
    let generation = found.metadata.generation.unwrap_or(0);
    let observed = status.observed_generation.unwrap_or(0);
    if observed != generation {
        return Readiness::Stale {
            generation,
            observed,
        };
    }
    let window_holds = status
        .pending_update
        .as_ref()
        .is_some_and(|update| !update.revisions.is_empty());
    let budget_holds = status
        .budget_freeze
        .as_ref()
        .is_some_and(|freeze| freeze.dry_run != Some(true));
    if window_holds || budget_holds {
        return Readiness::HoldsRevision;
    }
    Readiness::Ready
}
