//! A stage that was applied and whose inventory is gone: recorded anew from the release and from the
//! labels of what is there, and nothing is pruned before the next pass.
//!
//! Objects are looked for as the tenant, among the kinds and namespaces that the release has now: a
//! kind that it no longer has isn't found again, which is why this is told.

use std::collections::{BTreeMap, BTreeSet};

use stageset_api::reason::Reason;

use crate::failure::FailureClass;
use crate::object::ObjectKey;
use crate::observation::{InventoryEntry, Labelled, StageInventory};
use crate::plan::{EventKind, Need};

use super::Stop;
use super::freshness::{Use, judge};
use super::prune::kubeconfig_of;
use super::release::{Release, StageView};
use super::stage::{announce, plain_entry, record_inventory, stage_failure};

/// Records the lost inventories anew, stage by stage, before anything is written.
pub(super) fn lost_inventories(release: &Release<'_>) -> Result<(), Stop> {
    for stage in &release.stages {
        if let Some(revision) = lost(release, stage) {
            return Err(reconstruct(release, stage, revision));
        }
    }
    Ok(())
}

/// Whether an inventory was reconstructed since the last refresh: then nothing is deleted yet, so
/// that people have the time to see what was found.
pub(super) fn just_now(release: &Release<'_>) -> bool {
    let observation = release.observation;
    let mut facts = observation.facts.labelled.values();
    facts.any(|fact| fact.at >= observation.refresh_before)
}

/// The revision that the stage was applied at, if it was and nothing is recorded of it.
///
/// Not while kinds of it are unknown: nothing is written of such a stage, and what is looked for are
/// the kinds of the release.
fn lost<'a>(release: &Release<'_>, stage: &StageView<'a>) -> Option<&'a str> {
    if release.inventories.contains_key(&stage.spec.name) || !stage.unknown.is_empty() {
        return None;
    }
    stage.recorded?.applied_revision.as_deref()
}

fn reconstruct(release: &Release<'_>, stage: &StageView<'_>, revision: &str) -> Stop {
    let observation = release.observation;
    let mut needs = Vec::new();
    let mut found: BTreeMap<ObjectKey, InventoryEntry> = BTreeMap::new();
    let mut unread = Vec::new();
    for search in searches(stage) {
        let asked = (stage.identity.clone(), search);
        let fact = observation.facts.labelled.get(&asked);
        let (_, search) = &asked;
        match judge(observation, fact, |listed| listed.as_ref().err()) {
            Use::Ask => needs.push(Need::Labelled {
                identity: stage.identity.clone(),
                search: search.clone(),
            }),
            Use::Rely(Ok(listed)) => {
                for (key, uid) in listed {
                    if !release.claims(key) {
                        let entry = InventoryEntry {
                            version: search.version.clone(),
                            uid: Some(uid.clone()),
                            digest: None,
                        };
                        found.insert(key.clone(), entry);
                    }
                }
            }
            // A failure is never relied on, but told or waited out.
            Use::Rely(Err(_)) => {}
            Use::Wait(failure, until) => match failure.class {
                FailureClass::Denied | FailureClass::UnknownKind => {
                    unread.push(format!("{search}: {failure}"));
                }
                _ => {
                    let said = format!(
                        "its inventory is gone, and {search} can't be listed to record it anew: \
                         {failure}"
                    );
                    return stage_failure(release, stage, Reason::StageFailed, &said, until);
                }
            },
        }
    }
    if !needs.is_empty() {
        return Stop::Ask(needs);
    }
    let again = found.len();
    let mut entries = found;
    for object in &stage.objects {
        entries.insert(object.reference.key.clone(), plain_entry(object));
    }
    let mut said = format!(
        "stage {} was applied at {revision} and its inventory is gone: recorded anew with {} \
         object(s) of the release and {again} more that its labels name; nothing is pruned before \
         the next interval",
        stage.spec.name,
        stage.objects.len(),
    );
    if !unread.is_empty() {
        use std::fmt::Write as _;
        // Writing to a String cannot fail.
        let _ = write!(
            said,
            "; not looked through, so that objects may have been missed: {}",
            unread.join("; ")
        );
    }
    let inventory = StageInventory {
        position: stage.index,
        service_account: stage.identity.service_account().cloned(),
        entries,
        target: release.target.cluster().to_owned(),
        kubeconfig: kubeconfig_of(release.target),
        ..StageInventory::default()
    };
    let why = "anew, since it is gone";
    Stop::Act(vec![
        vec![record_inventory(&stage.spec.name, inventory, why)],
        vec![announce(EventKind::Warning, "InventoryReconstructed", said)],
    ])
}

/// Where to look: the kinds and namespaces of the release.
fn searches(stage: &StageView<'_>) -> BTreeSet<Labelled> {
    let search = |object: &std::sync::Arc<crate::object::Desired>| {
        let reference = &object.reference;
        Labelled {
            stage: stage.spec.name.clone(),
            group: reference.key.group.clone(),
            version: reference.version.clone(),
            kind: reference.key.kind.clone(),
            plural: reference.plural.clone(),
            namespace: reference.key.namespace.clone(),
        }
    };
    stage.objects.iter().map(search).collect()
}
