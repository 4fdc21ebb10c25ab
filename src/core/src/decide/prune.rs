//! After the last stage: objects that left the release are deleted, and the inventories shrink to
//! what is left.

use std::collections::{BTreeMap, BTreeSet};

use stageset_api::reason::Reason;

use crate::identity::{Identity, KubeconfigReference, Target};
use crate::names::StageName;
use crate::object::ObjectKey;
use crate::observation::{InventoryEntry, LiveState, StageInventory};
use crate::plan::{DeleteReason, Need, Operation, Purpose, RecordOperation};
use crate::time::Timestamp;

use super::Stop;
use super::base;
use super::reconstruct;
use super::release::{Release, StageView};
use super::removal::recorded_since;
use super::report::{self, Report, Wait};
use super::stage::record_inventory;
use super::sweep::{Of, Sweep};

/// What is left to say after pruning.
pub(super) struct Pruned {
    /// Objects whose deletion was accepted but not yet seen.
    pub going: usize,
    /// When to look at them again.
    pub look: Option<Timestamp>,
    /// Objects that wait for the next pass, since their inventory was reconstructed in this one.
    pub deferred: usize,
}

/// Deletes what left the release, and records what stays.
///
/// Runs only after every stage was applied and ready. Deletions of the stages come in reverse stage
/// order and reverse kind order. An entry leaves the inventory only after its object was seen to be
/// gone, or isn't ours to delete, or belongs to another stage now.
pub(super) fn finish(release: &Release<'_>) -> Result<Pruned, Stop> {
    let mut sweep = Sweep::default();
    let mut stay = Stay::new();
    let deferred = reconstruct::just_now(release);
    for (name, inventory) in in_reverse(release.inventories) {
        let stage = release.stages.iter().find(|stage| stage.spec.name == *name);
        if deferred {
            let left = left_over(release, inventory, stage);
            let left = left.map(|(key, entry)| (key.clone(), entry.clone()));
            stay.insert(name.clone(), left.collect());
            continue;
        }
        let left = sweep_stage(release, name, inventory, stage, &mut sweep)?;
        if !left.is_empty() {
            stay.insert(name.clone(), left);
        }
    }
    sweep.ask()?;
    if let Err(stop) = sweep.delete() {
        let stages: Vec<&StageName> = release
            .stages
            .iter()
            .map(|stage| &stage.spec.name)
            .filter(|name| stay.contains_key(*name))
            .collect();
        return Err(match stop {
            Stop::Act(steps) => {
                let mut said = report::stages_prune(release, &stages);
                said.extend(steps);
                Stop::Act(said)
            }
            stop => stop,
        });
    }
    let records = records(release, &stay);
    if !records.is_empty() {
        uids_are_certain(release)?;
        return Err(Stop::Act(losses_last(release, records)));
    }
    if let Some((reason, said, until)) = sweep.obstacle() {
        let message = format!("pruning: {said}");
        let report = Report::failed(release.observation, reason, message, Wait::Until(until))
            .attempting(release.pins)
            .all_stages_ready(release)
            .still_pruning(release.observation);
        return Err(report.into());
    }
    Ok(Pruned {
        going: sweep.going.len(),
        look: sweep.look,
        deferred: stay.values().map(BTreeMap::len).sum::<usize>() * usize::from(deferred),
    })
}

/// Entries that stay in their inventory although they left the release.
type Stay = BTreeMap<StageName, BTreeMap<ObjectKey, InventoryEntry>>;

/// Inventories by descending recorded position; names break ties.
pub(super) fn in_reverse(
    inventories: &BTreeMap<StageName, StageInventory>,
) -> Vec<(&StageName, &StageInventory)> {
    let mut inventories: Vec<_> = inventories.iter().collect();
    inventories.sort_by(|(name_a, a), (name_b, b)| {
        b.position.cmp(&a.position).then_with(|| name_b.cmp(name_a))
    });
    inventories
}

/// What an inventory holds that the release doesn't have any more.
///
/// Its own stage, which nearly always claims all of it, is gone through side by side with it: both
/// are in the order of their keys, and this runs in every pass.
fn left_over<'a>(
    release: &Release<'_>,
    inventory: &'a StageInventory,
    stage: Option<&StageView<'_>>,
) -> impl Iterator<Item = (&'a ObjectKey, &'a InventoryEntry)> {
    let own = stage.map_or(&[][..], |stage| &stage.objects);
    let mut own = own.iter().map(|object| &object.reference.key).peekable();
    inventory.entries.iter().filter(move |(key, _)| {
        while own.next_if(|object| *object < *key).is_some() {}
        own.peek() != Some(key) && !release.claims(key)
    })
}

/// Decides on what left one stage; the entries that have to stay.
fn sweep_stage(
    release: &Release<'_>,
    name: &StageName,
    inventory: &StageInventory,
    stage: Option<&StageView<'_>>,
    sweep: &mut Sweep,
) -> Result<BTreeMap<ObjectKey, InventoryEntry>, Stop> {
    let leftovers: Vec<(&ObjectKey, &InventoryEntry)> =
        left_over(release, inventory, stage).collect();
    if leftovers.is_empty() || stage.is_some_and(|stage| !stage.spec.prune) {
        return Ok(BTreeMap::new());
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
    let of = Of {
        observation: release.observation,
        identity: &identity,
        stage: name,
        position: inventory.position,
        why,
    };
    Ok(leftovers
        .into_iter()
        .filter(|(key, entry)| sweep.add(of, key, entry))
        .map(|(key, entry)| (key.clone(), entry.clone()))
        .collect())
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
    let identity = Identity::resolve(
        observation.config.tenancy,
        namespace,
        account,
        release.target,
    )
    .map_err(|refusal| {
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

/// The inventory writes that bring the record to what is true now.
fn records(release: &Release<'_>, stay: &Stay) -> Vec<Operation> {
    let mut operations = Vec::new();
    for stage in &release.stages {
        let recorded = release.inventories.get(&stage.spec.name);
        if recorded.is_some_and(|recorded| is_current(release, stage, recorded, stay)) {
            continue;
        }
        operations.push(record_inventory(
            &stage.spec.name,
            inventory_of(release, stage, recorded, stay),
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
        match stay.get(name) {
            None => operations.push(Operation::Record(RecordOperation::DropInventory {
                stage: name.clone(),
            })),
            Some(left) if *left != recorded.entries || recorded.deleting => {
                let inventory = StageInventory {
                    entries: left.clone(),
                    deleting: false,
                    ..recorded.clone()
                };
                operations.push(record_inventory(name, inventory, "to what is left"));
            }
            Some(_) => {}
        }
    }
    operations
}

/// One after the other, those that take no entry out first: what one stage's inventory lets go of because
/// another's holds it must be held there (D1). Somebody may have taken it out of that one since it was
/// read; its write is refused then, and nothing is let go of. One that has nothing to be written is written
/// as it is.
///
/// None puts an entry in: that was recorded before the first write of its stage.
fn losses_last(release: &Release<'_>, records: Vec<Operation>) -> Vec<Vec<Operation>> {
    let (mut losses, mut others, mut lost) = (Vec::new(), Vec::new(), Vec::new());
    for record in records {
        match lets_go_of(release, &record) {
            Some(gone) => {
                lost.push(gone);
                losses.push(record);
            }
            None => others.push(record),
        }
    }
    let is_written = |stage: &StageName| {
        let mut written = others.iter().filter_map(inventory_in);
        written.any(|(name, _)| name == stage)
    };
    let keeps = |stage: &StageName, inventory: &StageInventory| {
        let mut others = lost.iter().filter(|(by, _)| *by != stage);
        others.any(|(_, keys)| keys.iter().any(|key| inventory.entries.contains_key(*key)))
    };
    let confirmed: Vec<Operation> = release
        .inventories
        .iter()
        .filter(|(stage, inventory)| keeps(stage, inventory) && !is_written(stage))
        .map(|(stage, inventory)| {
            let said = "as it is, since another stage's lets go of what it holds";
            record_inventory(stage, inventory.clone(), said)
        })
        .collect();
    let records = others.into_iter().chain(confirmed).chain(losses);
    records.map(|record| vec![record]).collect()
}

/// The stage whose inventory a record writes, and what that holds then; `None` if it is dropped.
fn inventory_in(record: &Operation) -> Option<(&StageName, Option<&StageInventory>)> {
    match record {
        Operation::Record(RecordOperation::Inventory {
            stage, inventory, ..
        }) => Some((stage, Some(inventory))),
        Operation::Record(RecordOperation::DropInventory { stage }) => Some((stage, None)),
        _ => None,
    }
}

/// What the inventory of a stage holds and won't any more, if a record takes anything out of it or drops it.
fn lets_go_of<'a>(
    release: &Release<'a>,
    record: &Operation,
) -> Option<(&'a StageName, Vec<&'a ObjectKey>)> {
    let (stage, kept) = inventory_in(record)?;
    let (stage, recorded) = release.inventories.get_key_value(stage)?;
    let entries = recorded.entries.keys();
    let gone = entries.filter(|key| kept.is_none_or(|kept| !kept.entries.contains_key(*key)));
    let gone: Vec<&ObjectKey> = gone.collect();
    (kept.is_none() || !gone.is_empty()).then_some((stage, gone))
}

/// Whether the recorded inventory says what [`inventory_of`] would, without building that: this runs
/// in every pass, and nearly always answers yes.
fn is_current(
    release: &Release<'_>,
    stage: &StageView<'_>,
    recorded: &StageInventory,
    stay: &Stay,
) -> bool {
    let stay = stay.get(&stage.spec.name);
    !recorded.deleting
        && recorded.position == stage.index
        && recorded.target == release.target.cluster()
        && recorded.kubeconfig == kubeconfig_of(release.target)
        && recorded.service_account.as_ref() == stage.identity.service_account()
        && recorded.entries.len() == stage.objects.len() + stay.map_or(0, BTreeMap::len)
        && stay.is_none_or(|stay| stay.keys().all(|key| recorded.entries.contains_key(key)))
        && holds_the_objects(stage, recorded)
}

/// Whether each object of the stage is recorded as it is: both are in the order of their keys.
fn holds_the_objects(stage: &StageView<'_>, recorded: &StageInventory) -> bool {
    let mut entries = recorded.entries.iter();
    stage.objects.iter().all(|object| {
        let key = &object.reference.key;
        let entry = entries.find(|(recorded, _)| *recorded >= key);
        entry.is_some_and(|(recorded, entry)| {
            recorded == key
                && entry.version == object.reference.version
                && entry.digest.as_ref() == Some(&object.digest)
                && seen_uid(stage, key).is_none_or(|uid| entry.uid.as_deref() == Some(uid))
        })
    })
}

/// What an inventory records of the way to its cluster.
pub(super) fn kubeconfig_of(target: &Target) -> Option<KubeconfigReference> {
    target.remote().map(|remote| remote.kubeconfig.clone())
}

/// A uid that differs from the recorded one is recorded only if it was seen since the inventories were:
/// another replica may have made the object anew and recorded that.
fn uids_are_certain(release: &Release<'_>) -> Result<(), Stop> {
    let mut needs = Vec::new();
    for stage in &release.stages {
        let Some(recorded) = release.inventories.get(&stage.spec.name) else {
            continue;
        };
        for object in &stage.objects {
            let key = &object.reference.key;
            let known = recorded.entries.get(key).map(|entry| entry.uid.as_deref());
            let live = stage.facts(key).and_then(|facts| facts.live.as_ref());
            if known.is_some_and(|known| known != seen_uid(stage, key))
                && live.is_some_and(|live| recorded_since(release.observation, live.at))
            {
                needs.push(Need::Read {
                    identity: stage.identity.clone(),
                    object: object.reference.clone(),
                    purpose: Purpose::Drift,
                });
            }
        }
    }
    if needs.is_empty() {
        Ok(())
    } else {
        Err(Stop::Ask(needs))
    }
}

fn seen_uid<'a>(stage: &StageView<'a>, key: &ObjectKey) -> Option<&'a str> {
    match &stage.facts(key)?.live.as_ref()?.value {
        LiveState::Present(live) => Some(&live.uid),
        LiveState::Absent | LiveState::Unreadable(_) => None,
    }
}

fn inventory_of(
    release: &Release<'_>,
    stage: &StageView<'_>,
    recorded: Option<&StageInventory>,
    stay: &Stay,
) -> StageInventory {
    let mut entries = stay.get(&stage.spec.name).cloned().unwrap_or_default();
    for object in &stage.objects {
        let key = &object.reference.key;
        let uid = seen_uid(stage, key).map(str::to_owned);
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
        target: release.target.cluster().to_owned(),
        kubeconfig: kubeconfig_of(release.target),
        deleting: false,
        entries,
    }
}
