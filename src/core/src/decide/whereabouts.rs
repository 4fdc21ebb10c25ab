//! Where recorded objects are, when the StageSet doesn't point there any more.
//!
//! An inventory records the cluster that its objects were applied to (K22). When that isn't the
//! cluster of the release, then either it is the same one under another address or CA (a recorded
//! uid is met there: the record is brought up to date), or the release moves: its objects are
//! deleted where they are, as the recorded account and by the recorded kubeconfig, before the first
//! write to the new cluster. What can't be reached is neither forgotten nor looked for elsewhere:
//! the release waits and says what would help (A29, K23).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use stageset_api::reason::Reason;

use crate::failure::Failure;
use crate::identity::{Identity, Target};
use crate::names::{ServiceAccountName, StageName};
use crate::object::{ObjectKey, Reference};
use crate::observation::{InventoryEntry, LiveState, Observation, StageInventory};
use crate::plan::{DeleteReason, EventKind, Need, Purpose};
use crate::spec::Spec;
use crate::time::Timestamp;

use super::Stop;
use super::base;
use super::freshness::retry_at;
use super::prune::in_reverse;
use super::removal::{Fate, reference_of};
use super::report::{Report, Wait};
use super::stage::{announce, record_inventory};
use super::sweep::{Of, Sweep};
use super::target::{self, Known, Unusable};

/// What was seen of a recorded object elsewhere counts for this long.
const BELIEVED: Duration = Duration::from_secs(60);

/// Brings the records to the cluster of the release, or the objects away from another one.
pub(super) fn settle(
    observation: &Observation,
    spec: &Spec,
    current: &Target,
    inventories: &BTreeMap<StageName, StageInventory>,
) -> Result<(), Stop> {
    let mut sweep = Sweep::default();
    let mut records = Vec::new();
    let mut left = BTreeMap::new();
    for (name, inventory) in in_reverse(inventories) {
        if !is_elsewhere(inventory, current) {
            continue;
        }
        let here = identity(observation, spec, name, inventory, current)?;
        if met(observation, &here, inventory)? {
            let inventory = moved(inventory, current, inventory.entries.clone());
            let why = "the same cluster under another address or CA";
            records.push(record_inventory(name, inventory, why));
            continue;
        }
        let in_spec = spec.stages.iter().find(|stage| stage.name == *name);
        if in_spec.is_some_and(|stage| !stage.prune) {
            let said = format!(
                "stage {name}: {} object(s) stay in {} (prune is false), which the StageSet points \
                 at no more",
                inventory.entries.len(),
                place(inventory)
            );
            records.push(announce(EventKind::Warning, "TargetLeft", said));
            let why = "its objects stay where they are: prune is false";
            records.push(record_inventory(
                name,
                moved(inventory, current, BTreeMap::new()),
                why,
            ));
            continue;
        }
        let old = recorded_target(observation, name, inventory)?;
        let there = identity(observation, spec, name, inventory, &old)?;
        let mut needs = Vec::new();
        base::accounts(observation, std::slice::from_ref(&there), &mut needs)?;
        if !needs.is_empty() {
            return Err(Stop::Ask(needs));
        }
        let of = Of {
            observation,
            identity: &there,
            stage: name,
            position: inventory.position,
            why: DeleteReason::Moved,
        };
        let stay: BTreeMap<ObjectKey, InventoryEntry> = inventory
            .entries
            .iter()
            .filter(|(key, entry)| sweep.add(of, key, entry))
            .map(|(key, entry)| (key.clone(), entry.clone()))
            .collect();
        left.insert(name, (inventory, stay));
    }
    sweep.ask()?;
    if !records.is_empty() {
        return Err(Stop::Act(records.into_iter().map(|r| vec![r]).collect()));
    }
    sweep.delete()?;
    for (name, (inventory, stay)) in left {
        if stay.len() < inventory.entries.len() {
            let record = if stay.is_empty() {
                moved(inventory, current, stay)
            } else {
                StageInventory {
                    entries: stay,
                    ..inventory.clone()
                }
            };
            let why = "to what is left in the cluster that the StageSet pointed at before";
            records.push(record_inventory(name, record, why));
        }
    }
    if !records.is_empty() {
        return Err(Stop::Act(vec![records]));
    }
    resting(observation, &sweep, current)
}

/// The release waits for the deletions elsewhere.
fn resting(observation: &Observation, sweep: &Sweep, current: &Target) -> Result<(), Stop> {
    if let Some((reason, said, until)) = sweep.obstacle() {
        let message = format!("moving to {current}: {said}");
        return Err(Report::failed(observation, reason, message, Wait::Until(until)).into());
    }
    let Some(look) = sweep.look else {
        return Ok(());
    };
    Err(Report::waiting(
        observation,
        Reason::StageProgressing,
        format!(
            "moving to {current}: waiting for {} to go from the former cluster",
            sweep.going.join(", ")
        ),
        Wait::Until(look),
    )
    .overdue(false)
    .into())
}

/// In teardown: the cluster of a stage's objects.
pub(super) fn of_teardown(
    observation: &Observation,
    name: &StageName,
    inventory: &StageInventory,
) -> Result<Target, Stop> {
    let spec = observation.stage_set.spec.as_ref().ok();
    let in_spec = spec.and_then(|spec| spec.kube_config.as_ref());
    let Some(reference) = in_spec else {
        return recorded_target(observation, name, inventory);
    };
    let current = match target::known(observation, reference) {
        Known::Ask(need) => return Err(Stop::Ask(vec![need])),
        Known::Target(current) if !is_elsewhere(inventory, current) => return Ok(current.clone()),
        Known::Target(current) => Some(current),
        Known::Unusable(unusable) => {
            if inventory.kubeconfig.as_ref() == Some(reference) || inventory.kubeconfig.is_none() {
                return if inventory.target.is_empty() && !is_foreign_record(inventory) {
                    Ok(Target::Local)
                } else {
                    Err(unreachable(observation, name, inventory, unusable))
                };
            }
            None
        }
    };
    if let (Some(current), Some(spec)) = (current, spec) {
        let here = identity(observation, spec, name, inventory, current)?;
        if met(observation, &here, inventory)? {
            let inventory = moved(inventory, current, inventory.entries.clone());
            let why = "the same cluster under another address or CA";
            return Err(Stop::Act(vec![vec![record_inventory(
                name, inventory, why,
            )]]));
        }
    }
    recorded_target(observation, name, inventory)
}

/// Whether recorded objects are in another cluster than this one. Inventories of a controller that
/// doesn't record clusters are taken to be where the StageSet points (K14, K22).
fn is_elsewhere(inventory: &StageInventory, current: &Target) -> bool {
    !inventory.entries.is_empty()
        && inventory.target != current.cluster()
        && !is_foreign_record(inventory)
}

/// Written by a controller that knows none of K22's fields.
fn is_foreign_record(inventory: &StageInventory) -> bool {
    inventory.target.is_empty()
        && inventory.service_account.is_none()
        && inventory.entries.values().all(|entry| entry.uid.is_none())
        && inventory
            .entries
            .values()
            .all(|entry| entry.digest.is_none())
}

/// The inventory as a record of another cluster.
fn moved(
    inventory: &StageInventory,
    target: &Target,
    entries: BTreeMap<ObjectKey, InventoryEntry>,
) -> StageInventory {
    StageInventory {
        target: target.cluster().to_owned(),
        kubeconfig: target.remote().map(|remote| remote.kubeconfig.clone()),
        entries,
        ..inventory.clone()
    }
}

/// The account that the record names, then the stage's, then the StageSet's (K06), at a cluster.
fn identity(
    observation: &Observation,
    spec: &Spec,
    name: &StageName,
    inventory: &StageInventory,
    target: &Target,
) -> Result<Identity, Stop> {
    let stage = spec.stages.iter().find(|stage| stage.name == *name);
    let account: Option<&ServiceAccountName> = inventory
        .service_account
        .as_ref()
        .or_else(|| stage.and_then(|stage| stage.service_account.as_ref()))
        .or(spec.service_account.as_ref());
    Identity::resolve(
        observation.config.tenancy,
        &observation.stage_set.namespace,
        account,
        target,
    )
    .map_err(|refusal| {
        Report::failed(
            observation,
            Reason::RBACDenied,
            format!("stage {name}, whose objects are in {target}: {refusal}"),
            Wait::For(Duration::from_secs(60)),
        )
        .into()
    })
}

/// Whether any recorded object, by its uid, is in this identity's cluster: then it is the same one.
/// Only absence of all of them says otherwise; what can't be read says nothing (K23, I5).
fn met(
    observation: &Observation,
    identity: &Identity,
    inventory: &StageInventory,
) -> Result<bool, Stop> {
    let mut needs = Vec::new();
    let mut unreadable: Option<(Cow<'_, Failure>, Timestamp)> = None;
    for (key, entry) in &inventory.entries {
        let Some(uid) = &entry.uid else { continue };
        let reference: Reference = match reference_of(observation, identity, key, entry) {
            Ok(reference) => reference,
            Err(Fate::Ask(need)) => {
                needs.push(need);
                continue;
            }
            Err(Fate::Blocked(failure, until)) => {
                unreadable = Some((failure, until));
                continue;
            }
            // Its kind isn't served: no object of it is there.
            Err(_) => continue,
        };
        let facts = observation.facts.objects.get(identity, key);
        let seen = facts.and_then(|facts| facts.live.as_ref());
        let read = |object| Need::Read {
            identity: identity.clone(),
            object,
            purpose: Purpose::Whereabouts,
        };
        match seen {
            Some(fact) => match &fact.value {
                LiveState::Present(live) if *live.uid == **uid => return Ok(true),
                LiveState::Unreadable(failure) => {
                    let until = retry_at(fact.at, failure, fact.failures);
                    if observation.now >= until {
                        needs.push(read(reference));
                    } else {
                        unreadable = Some((Cow::Borrowed(failure), until));
                    }
                }
                _ if observation.now.since(fact.at) > BELIEVED => needs.push(read(reference)),
                LiveState::Present(_) | LiveState::Absent => {}
            },
            None => needs.push(read(reference)),
        }
    }
    if !needs.is_empty() {
        return Err(Stop::Ask(needs));
    }
    match unreadable {
        None => Ok(false),
        Some((failure, until)) => Err(Report::failed(
            observation,
            Reason::StageFailed,
            format!(
                "it can't be told whether {} is the cluster that the recorded objects are in: \
                 {failure}",
                identity.target()
            ),
            Wait::Until(until),
        )
        .into()),
    }
}

/// The cluster that the inventory records, if it can be reached.
fn recorded_target(
    observation: &Observation,
    name: &StageName,
    inventory: &StageInventory,
) -> Result<Target, Stop> {
    if inventory.target.is_empty() {
        return Ok(Target::Local);
    }
    let unknown = |message: String| Unusable {
        reason: Reason::StageFailed,
        message,
        until: observation.now.plus(Duration::from_secs(60)),
    };
    let unusable = match &inventory.kubeconfig {
        None => unknown("no kubeconfig is recorded".to_owned()),
        Some(reference) => match target::known(observation, reference) {
            Known::Ask(need) => return Err(Stop::Ask(vec![need])),
            Known::Target(target) if target.cluster() == inventory.target => {
                return Ok(target.clone());
            }
            Known::Target(_) => unknown(format!("{reference} names another cluster by now")),
            Known::Unusable(unusable) => unusable,
        },
    };
    Err(unreachable(observation, name, inventory, unusable))
}

fn unreachable(
    observation: &Observation,
    name: &StageName,
    inventory: &StageInventory,
    unusable: Unusable,
) -> Stop {
    let Unusable {
        reason,
        message,
        until,
    } = unusable;
    let secret = inventory
        .kubeconfig
        .as_ref()
        .map_or_else(String::new, |reference| {
            format!(" in Secret {}", reference.name)
        });
    Report::failed(
        observation,
        reason,
        format!(
            "stage {name}: its {} object(s) are in {}, which can't be reached: {message}. Put its \
             kubeconfig back{secret}; or, to leave the objects behind, set prune: false on the stage",
            inventory.entries.len(),
            place(inventory),
        ),
        Wait::Until(until),
    )
    .into()
}

/// The cluster of an inventory, for people.
fn place(inventory: &StageInventory) -> String {
    match (&inventory.kubeconfig, inventory.target.is_empty()) {
        (_, true) => "the local cluster".to_owned(),
        (Some(reference), false) => format!("the cluster of Secret {}", reference.name),
        (None, false) => format!("the cluster {}", inventory.target),
    }
}

#[cfg(test)]
mod tests;
