//! Others of the same names in the place of recorded objects: somebody made them anew, or this is another
//! cluster (K23).

use std::time::Duration;

use stageset_api::reason::Reason;

use crate::names::StageName;
use crate::observation::{Observation, StageInventory};
use crate::plan::Operation;

use super::super::Stop;
use super::super::report::{Report, Wait};
use super::super::stage::record_inventory;
use super::super::sweep::Sweep;
use super::{prunes, swept};

/// Lets go of what others made in the place of a stage's objects, if this is the cluster that those were
/// in: a recorded object is there, of this stage or of another one.
///
/// That is recorded before anything more is deleted. Once all of ours are gone, nothing would tell the
/// cluster from another one any more.
///
/// # Errors
/// The record; what has to be seen first; or that nothing recorded is there, so that nothing is deleted.
pub(super) fn let_go(
    observation: &Observation,
    (name, inventory): (&StageName, &StageInventory),
    sweep: &Sweep,
    stages: &[(&StageName, &StageInventory)],
) -> Result<(), Stop> {
    if sweep.replaced.is_empty() {
        return Ok(());
    }
    if !sweep.meets() && !meets_elsewhere(observation, (name, inventory), stages)? {
        return Err(another_target(observation, name));
    }
    Err(Stop::Act(vec![vec![without(name, inventory, sweep)]]))
}

/// Whether a recorded object of another stage is there, in what is recorded as the same cluster.
fn meets_elsewhere(
    observation: &Observation,
    (name, inventory): (&StageName, &StageInventory),
    stages: &[(&StageName, &StageInventory)],
) -> Result<bool, Stop> {
    let mut needs = Vec::new();
    let others = stages.iter().filter(|(other, recorded)| {
        *other != name && recorded.target == inventory.target && prunes(observation, other)
    });
    for (other, recorded) in others {
        match swept(observation, other, recorded) {
            Ok(sweep) if sweep.meets() => return Ok(true),
            Err(Stop::Ask(more)) => needs.extend(more),
            // What can't be looked at proves nothing.
            Ok(_) | Err(_) => {}
        }
    }
    if needs.is_empty() {
        Ok(false)
    } else {
        Err(Stop::Ask(needs))
    }
}

fn without(name: &StageName, inventory: &StageInventory, sweep: &Sweep) -> Operation {
    let mut left = inventory.clone();
    left.entries.retain(|key, _| !sweep.replaced.contains(key));
    record_inventory(name, left, "without what others made in the place of ours")
}

fn another_target(observation: &Observation, name: &StageName) -> Stop {
    Report::failed(
        observation,
        Reason::StageFailed,
        format!(
            "deleting stage {name}: none of the recorded objects exists here, only others of the \
             same names: this isn't the cluster that they were applied to, so nothing is deleted"
        ),
        Wait::For(Duration::from_secs(60)),
    )
    .into()
}
