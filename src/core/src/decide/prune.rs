//! After the last stage: objects that left the release are deleted, and the inventories shrink to
//! what is left.

use std::collections::{BTreeMap, BTreeSet};

use stageset_api::reason::Reason;

use crate::failure::FailureClass;
use crate::identity::Identity;
use crate::names::StageName;
use crate::object::{ObjectKey, Reference};
use crate::observation::{InventoryEntry, LiveState, StageInventory};
use crate::plan::{DeleteReason, Need, Operation, RecordOperation};
use crate::time::Timestamp;
use crate::waves::delete_order;

use super::Stop;
use super::base;
use super::release::{Release, StageView};
use super::removal::{Fate, Removal};
use super::report::{Report, Wait};
use super::stage::{record_inventory, seen};

/// What is left to say after pruning.
pub(super) struct Pruned {
    /// Objects whose deletion was accepted but not yet seen.
    pub going: usize,
    /// When to look at them again.
    pub look: Option<Timestamp>,
}

/// Deletes what left the release, and records what stays.
///
/// Runs only after every stage was applied and ready. Deletions of the stages come in reverse stage
/// order and reverse kind order. An entry leaves the inventory only after its object was seen to be
/// gone, or isn't ours to delete, or belongs to another stage now.
pub(super) fn finish(release: &Release<'_>) -> Result<Pruned, Stop> {
    let mut sweep = Sweep::default();
    for (name, inventory) in in_reverse(release) {
        let stage = release.stages.iter().find(|stage| stage.spec.name == *name);
        sweep_stage(release, name, inventory, stage, &mut sweep)?;
    }
    if !sweep.needs.is_empty() {
        return Err(Stop::Ask(sweep.needs));
    }
    if !sweep.deletes.is_empty() {
        return Err(Stop::Act(in_delete_order(sweep.deletes)));
    }
    let records = records(release, &sweep);
    if !records.is_empty() {
        return Err(Stop::Act(vec![records]));
    }
    if let Some(until) = sweep.blocked_until {
        let reason = if sweep.denied {
            Reason::RBACDenied
        } else {
            Reason::StageFailed
        };
        let report = Report::failed(
            release.observation,
            reason,
            format!("pruning: {}", sweep.blocked.join("; ")),
            Wait::Until(until),
        )
        .attempting(release.pins)
        .all_stages_ready(release);
        return Err(report.into());
    }
    Ok(Pruned {
        going: sweep.going,
        look: sweep.look,
    })
}

#[derive(Default)]
struct Sweep {
    needs: Vec<Need>,
    deletes: Vec<(usize, Reference, Operation)>,
    /// Entries that stay in their inventory although they left the release.
    stay: BTreeMap<StageName, BTreeMap<ObjectKey, InventoryEntry>>,
    going: usize,
    look: Option<Timestamp>,
    blocked: Vec<String>,
    blocked_until: Option<Timestamp>,
    denied: bool,
}

/// Inventories by descending recorded position; names break ties.
fn in_reverse<'a>(release: &Release<'a>) -> Vec<(&'a StageName, &'a StageInventory)> {
    let mut inventories: Vec<_> = release.inventories.iter().collect();
    inventories.sort_by(|(name_a, a), (name_b, b)| {
        b.position.cmp(&a.position).then_with(|| name_b.cmp(name_a))
    });
    inventories
}

fn sweep_stage(
    release: &Release<'_>,
    name: &StageName,
    inventory: &StageInventory,
    stage: Option<&StageView<'_>>,
    sweep: &mut Sweep,
) -> Result<(), Stop> {
    let leftovers: Vec<(&ObjectKey, &InventoryEntry)> = inventory
        .entries
        .iter()
        .filter(|(key, _)| !stage.is_some_and(|stage| stage.claims(key)) && !release.claims(key))
        .collect();
    if leftovers.is_empty() || stage.is_some_and(|stage| !stage.spec.prune) {
        return Ok(());
    }
    let identity = match stage {
        Some(stage) => stage.identity.clone(),
        None => removed_stage_identity(release, name, inventory)?,
    };
    let why = if stage.is_some() {
        DeleteReason::Pruned
    } else {
        DeleteReason::StageRemoved
    };
    for (key, entry) in leftovers {
        let removal = Removal {
            observation: release.observation,
            identity: &identity,
            stage: name,
            key,
            entry,
            why,
        };
        match removal.fate() {
            Fate::Gone | Fate::Left(_) => continue,
            Fate::Ask(need) => sweep.needs.push(need),
            Fate::Delete(delete) => {
                let (operation, reference) = *delete;
                sweep
                    .deletes
                    .push((inventory.position, reference, operation));
            }
            Fate::Going(look) => {
                sweep.going += 1;
                sweep.look = Some(sweep.look.map_or(look, |known| known.min(look)));
            }
            Fate::Blocked(failure, until) => {
                sweep.denied |= failure.class == FailureClass::Denied;
                sweep.blocked.push(format!("{key}: {failure}"));
                let known = sweep.blocked_until;
                sweep.blocked_until = Some(known.map_or(until, |known| known.min(until)));
            }
        }
        sweep
            .stay
            .entry(name.clone())
            .or_default()
            .insert(key.clone(), entry.clone());
    }
    Ok(())
}

/// A removed stage is torn down as the account recorded with its inventory (K06).
fn removed_stage_identity(
    release: &Release<'_>,
    name: &StageName,
    inventory: &StageInventory,
) -> Result<Identity, Stop> {
    let observation = release.observation;
    let account = inventory
        .service_account
        .as_ref()
        .or(release.spec.service_account.as_ref());
    let namespace = &observation.stage_set.namespace;
    let identity =
        Identity::resolve(observation.config.tenancy, namespace, account).map_err(|refusal| {
            Stop::from(Report::failed(
                observation,
                Reason::RBACDenied,
                format!("removed stage {name}: {refusal}"),
                Wait::For(std::time::Duration::from_secs(60)),
            ))
        })?;
    let mut needs = Vec::new();
    base::accounts(observation, std::slice::from_ref(&identity), &mut needs)?;
    if needs.is_empty() {
        Ok(identity)
    } else {
        Err(Stop::Ask(needs))
    }
}

/// Deletions as steps: a later stage's before an earlier one's, and reverse kind order within.
fn in_delete_order(mut deletes: Vec<(usize, Reference, Operation)>) -> Vec<Vec<Operation>> {
    deletes.sort_by(|(stage_a, a, _), (stage_b, b, _)| {
        stage_b
            .cmp(stage_a)
            .then_with(|| delete_order(a).cmp(&delete_order(b)))
    });
    let mut steps: Vec<Vec<Operation>> = Vec::new();
    let mut last: Option<(usize, String)> = None;
    for (stage, reference, operation) in deletes {
        let group = (stage, reference.key.kind);
        match steps.last_mut() {
            Some(step) if last.as_ref() == Some(&group) => step.push(operation),
            _ => steps.push(vec![operation]),
        }
        last = Some(group);
    }
    steps
}

/// The inventory writes that bring the record to what is true now.
fn records(release: &Release<'_>, sweep: &Sweep) -> Vec<Operation> {
    let mut operations = Vec::new();
    for stage in &release.stages {
        let recorded = release.inventories.get(&stage.spec.name);
        if recorded.is_some_and(|recorded| is_current(release, stage, recorded, sweep)) {
            continue;
        }
        operations.push(record_inventory(
            &stage.spec.name,
            inventory_of(release, stage, recorded, sweep),
            "to what is left, with the uids that were seen",
        ));
    }
    let named: BTreeSet<&StageName> = release
        .stages
        .iter()
        .map(|stage| &stage.spec.name)
        .collect();
    for (name, recorded) in release.inventories {
        if named.contains(name) {
            continue;
        }
        match sweep.stay.get(name) {
            None => operations.push(Operation::Record(RecordOperation::DropInventory {
                stage: name.clone(),
            })),
            Some(stay) if *stay != recorded.entries => {
                let inventory = StageInventory {
                    entries: stay.clone(),
                    ..recorded.clone()
                };
                operations.push(record_inventory(name, inventory, "to what is left"));
            }
            Some(_) => {}
        }
    }
    operations
}

/// Whether the recorded inventory says what [`inventory_of`] would, without building that: this runs
/// in every pass, and nearly always answers yes.
fn is_current(
    release: &Release<'_>,
    stage: &StageView<'_>,
    recorded: &StageInventory,
    sweep: &Sweep,
) -> bool {
    let stay = sweep.stay.get(&stage.spec.name);
    recorded.position == stage.index
        && recorded.service_account.as_ref() == stage.identity.service_account()
        && recorded.entries.len() == stage.objects.len() + stay.map_or(0, BTreeMap::len)
        && stay.is_none_or(|stay| stay.keys().all(|key| recorded.entries.contains_key(key)))
        && stage.objects.iter().all(|object| {
            recorded
                .entries
                .get(&object.reference.key)
                .is_some_and(|entry| {
                    let seen = seen_uid(release, stage, &object.reference.key);
                    entry.version == object.reference.version
                        && entry.digest.as_ref() == Some(&object.digest)
                        && seen.is_none_or(|uid| entry.uid.as_deref() == Some(uid))
                })
        })
}

fn seen_uid<'a>(release: &Release<'a>, stage: &StageView<'_>, key: &ObjectKey) -> Option<&'a str> {
    match seen(release, stage, key)?.0 {
        LiveState::Present(live) => Some(&live.uid),
        LiveState::Absent | LiveState::Unreadable(_) => None,
    }
}

fn inventory_of(
    release: &Release<'_>,
    stage: &StageView<'_>,
    recorded: Option<&StageInventory>,
    sweep: &Sweep,
) -> StageInventory {
    let mut entries = sweep
        .stay
        .get(&stage.spec.name)
        .cloned()
        .unwrap_or_default();
    for object in &stage.objects {
        let key = &object.reference.key;
        let uid = seen_uid(release, stage, key).map(str::to_owned);
        let known = recorded.and_then(|inventory| inventory.entries.get(key));
        entries.insert(
            key.clone(),
            InventoryEntry {
                version: object.reference.version.clone(),
                uid: uid.or_else(|| known.and_then(|entry| entry.uid.clone())),
                digest: Some(object.digest.clone()),
            },
        );
    }
    StageInventory {
        position: stage.index,
        service_account: stage.identity.service_account().cloned(),
        target: recorded
            .map(|inventory| inventory.target.clone())
            .unwrap_or_default(),
        entries,
    }
}
