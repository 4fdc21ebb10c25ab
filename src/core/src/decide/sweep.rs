//! Many recorded objects at once: what becomes of each, what to ask, what to delete, what is in the
//! way. Prune and teardown both go by it.

use std::collections::BTreeSet;

use stageset_api::reason::Reason;

use crate::failure::FailureClass;
use crate::identity::Identity;
use crate::names::StageName;
use crate::object::{ObjectKey, Reference};
use crate::observation::{InventoryEntry, Observation};
use crate::plan::{DeleteReason, Need, Operation, TenantOperation};
use crate::time::Timestamp;
use crate::waves::delete_order;

use super::Stop;
use super::removal::{Fate, Left, Removal};

/// The fates of many objects, summed up.
#[derive(Default)]
pub(super) struct Sweep {
    needs: Vec<Need>,
    deletes: Vec<(usize, Reference, Operation)>,
    /// Objects whose deletion was accepted but not yet seen.
    pub going: Vec<String>,
    /// When to look at these again.
    pub look: Option<Timestamp>,
    blocked: Vec<String>,
    blocked_until: Option<Timestamp>,
    denied: bool,
    /// Recorded objects that are gone while another one has their name (K23).
    pub replaced: Vec<ObjectKey>,
    /// Whether a recorded object was met that stays.
    left: bool,
}

/// Whose objects are swept, and why.
#[derive(Clone, Copy)]
pub(super) struct Of<'a> {
    pub observation: &'a Observation,
    pub identity: &'a Identity,
    pub stage: &'a StageName,
    /// The stage's recorded position: later stages go first.
    pub position: usize,
    pub why: DeleteReason,
}

impl Sweep {
    /// Decides on one object; whether its entry has to stay in the inventory.
    pub(super) fn add(&mut self, of: Of<'_>, key: &ObjectKey, entry: &InventoryEntry) -> bool {
        let Of {
            observation,
            identity,
            stage,
            position,
            why,
        } = of;
        match (Removal {
            observation,
            identity,
            stage,
            key,
            entry,
            why,
        })
        .fate()
        {
            Fate::Gone => return false,
            Fate::Left(left) => {
                match left {
                    Left::Replaced => self.replaced.push(key.clone()),
                    Left::Released | Left::Kept => self.left = true,
                }
                return false;
            }
            Fate::Ask(need) => self.needs.push(need),
            Fate::Delete(delete) => {
                let (operation, reference) = *delete;
                self.deletes.push((position, reference, operation));
            }
            Fate::Going(look) => {
                self.going.push(key.to_string());
                self.look = Some(self.look.map_or(look, |known| known.min(look)));
            }
            Fate::Blocked(failure, until) => {
                self.denied |= failure.class == FailureClass::Denied;
                self.blocked.push(format!("{key}: {failure}"));
                let known = self.blocked_until;
                self.blocked_until = Some(known.map_or(until, |known| known.min(until)));
            }
        }
        true
    }

    /// What is missing is asked for before anything is deleted.
    pub(super) fn ask(&mut self) -> Result<(), Stop> {
        if self.needs.is_empty() {
            Ok(())
        } else {
            Err(Stop::Ask(std::mem::take(&mut self.needs)))
        }
    }

    /// Whether any recorded object is there, whatever becomes of it.
    pub(super) fn meets(&self) -> bool {
        self.left || !self.deletes.is_empty() || !self.going.is_empty()
    }

    /// Deletions as steps: a later stage's before an earlier one's, and reverse kind order within.
    pub(super) fn delete(&mut self) -> Result<(), Stop> {
        let mut deletes = std::mem::take(&mut self.deletes);
        if deletes.is_empty() {
            return Ok(());
        }
        deletes.sort_by(|(stage_a, a, _), (stage_b, b, _)| {
            stage_b
                .cmp(stage_a)
                .then_with(|| delete_order(a).cmp(&delete_order(b)))
        });
        let mut steps: Vec<Vec<Operation>> = Vec::new();
        let mut last: Option<(usize, String)> = None;
        // What stands in the inventories of several stages (one may have been reconstructed) goes once.
        let mut going = BTreeSet::new();
        deletes.retain(|(_, reference, operation)| match operation {
            Operation::Tenant(TenantOperation::Delete { identity, .. }) => {
                going.insert((identity.target().clone(), reference.key.clone()))
            }
            _ => true,
        });
        for (stage, reference, operation) in deletes {
            let group = (stage, reference.key.kind);
            match steps.last_mut() {
                Some(step) if last.as_ref() == Some(&group) => step.push(operation),
                _ => steps.push(vec![operation]),
            }
            last = Some(group);
        }
        Err(Stop::Act(steps))
    }

    /// What is in the way of the rest, and when to try again.
    pub(super) fn obstacle(&self) -> Option<(Reason, String, Timestamp)> {
        let until = self.blocked_until?;
        let reason = if self.denied {
            Reason::RBACDenied
        } else {
            Reason::StageFailed
        };
        Some((reason, self.blocked.join("; "), until))
    }
}
