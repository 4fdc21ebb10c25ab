//! I8: only objects that carry this StageSet's labels *and* stand in its inventory are deleted, and
//! only the very object that was looked at.

use std::collections::{BTreeMap, BTreeSet};

use stageset_core::object::ObjectKey;

use super::forgotten::Forgotten;
use super::races::Races;
use super::{Property, is_ours};
use crate::log::{Entry, What};
use crate::scene::Scene;
use crate::setup::{Feature, REVISIONS};

#[derive(Default)]
pub(super) struct OwnedDeletes {
    /// Everything that an inventory of ours has held.
    recorded: BTreeSet<ObjectKey>,
    /// What somebody took out of the inventories: a process that read them before may still go by them,
    /// since no precondition spans two objects. Labels are looked at in the very object that goes.
    forgotten: Forgotten,
    /// What another leader took out of them since this one read them.
    races: Races,
    /// What a process last saw a source offer, by process and life.
    pins: BTreeMap<(usize, u32, String), u8>,
    /// The value of the variable that a process last saw.
    levels: BTreeMap<(usize, u32), u8>,
    /// Objects whose last dry run by a process was refused.
    refused: BTreeMap<(usize, u32), BTreeSet<ObjectKey>>,
}

impl Property for OwnedDeletes {
    fn name(&self) -> &'static str {
        "I8"
    }

    fn look(&mut self, entry: &Entry, scene: &dyn Scene) -> Result<(), String> {
        self.forgotten.look(entry, scene);
        self.races.look(entry, scene);
        let life = (entry.process, entry.life);
        match &entry.what {
            What::Source(name, Some(revision)) if entry.succeeded() => {
                self.pins.insert((life.0, life.1, name.clone()), *revision);
            }
            What::Variables(Some(level)) if entry.succeeded() => {
                self.levels.insert(life, *level);
            }
            What::DryRun(key, _) if entry.delivered && entry.code == 422 => {
                self.refused.entry(life).or_default().insert(key.clone());
            }
            What::DryRun(key, _) if entry.succeeded() => {
                if let Some(refused) = self.refused.get_mut(&life) {
                    refused.remove(key);
                }
            }
            _ => {}
        }
        if !entry.effect {
            return Ok(());
        }
        let (key, before, uid) = match &entry.what {
            What::Inventory(_, _, after) => {
                self.recorded.extend(after.iter().cloned());
                return Ok(());
            }
            What::Delete(key, Some(before), uid) => (key, before, uid),
            _ => return Ok(()),
        };
        let recorded = scene.recorded(key)
            || (self.forgotten.has(key) && self.recorded.contains(key))
            || self.races.unaware(entry, key);
        // What the release wants with another content and, as the server has said, can't change in place
        // goes to be created anew, if its policy says so and no other StageSet owns it: the labels of what
        // leaves the release are another matter.
        let anew = before.owner.is_none()
            && scene.setup().has(Feature::Recreate)
            && self
                .refused
                .get(&life)
                .is_some_and(|refused| refused.contains(key))
            && self.changes(entry, scene, key, &before.content);
        let problem = if !is_ours(before.owner.as_deref()) && !anew {
            "its labels name another owner, or none"
        } else if before.keep {
            "it is to be kept (prune: disabled)"
        } else if !recorded {
            "no inventory holds it"
        } else if uid.as_ref() != Some(&before.uid) {
            "the request wasn't limited to the object that was looked at"
        } else {
            return Ok(());
        };
        Err(format!("{}: {problem}", entry.what))
    }
}

impl OwnedDeletes {
    /// Whether a stage gives the object another content at the revision that the process delivers: not
    /// the one on offer now, if that came in between.
    fn changes(&self, entry: &Entry, scene: &dyn Scene, key: &ObjectKey, content: &str) -> bool {
        scene.table().holders(key).iter().any(|stage| {
            let source = scene.setup().source(*stage).to_owned();
            let pin = self.pins.get(&(entry.process, entry.life, source));
            let revisions = pin.map_or(1..=REVISIONS, |revision| *revision..=*revision);
            let level = self.levels.get(&(entry.process, entry.life));
            let level = level.copied().unwrap_or(0);
            revisions
                .map(|revision| scene.table().contents(*stage, revision, level))
                .any(|contents| contents.get(key).is_some_and(|wanted| wanted != content))
        })
    }
}
