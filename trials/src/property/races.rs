//! What two leaders do behind each other's back.
//!
//! No precondition spans an object and its inventory. Where two processes take themselves for the
//! leader, one may drop the entry of an object that the other has written again since the look which the
//! dropping rests on; and one may write an object whose entry the other has dropped since it last read
//! the inventories, or after the other has ended the StageSet (docs/trials.md, known limits). This tells
//! precisely which objects that befell: anything else that gets lost is a defect, two leaders or not.

use std::collections::{BTreeMap, BTreeSet};

use stageset_core::object::ObjectKey;

use super::is_ours;
use crate::event::Event;
use crate::log::{Entry, Sight, What};
use crate::scene::Scene;

/// A process in one of its lives.
type Life = (usize, u32);

/// Watches for such races; looks at every entry.
#[derive(Debug, Default)]
pub(super) struct Races {
    two_leaders: bool,
    /// Objects that a process last saw gone, not ours, or to be kept, with the number of that look.
    let_go: BTreeMap<Life, BTreeMap<ObjectKey, u64>>,
    /// Who wrote an object last, and when.
    written: BTreeMap<ObjectKey, (usize, u64)>,
    /// When a process last learned what the inventories hold.
    informed: BTreeMap<Life, u64>,
    /// When an inventory last changed, by stage.
    changed: BTreeMap<String, u64>,
    /// Who took the last entry of an object out, and when.
    dropped: BTreeMap<ObjectKey, (usize, u64)>,
    /// Who took our finalizer off, so that the StageSet went.
    ended: Option<usize>,
    lost: BTreeSet<ObjectKey>,
}

impl Races {
    /// Takes note of an entry.
    pub(super) fn look(&mut self, entry: &Entry, scene: &dyn Scene) {
        match &entry.what {
            What::World(Event::SecondLeader) => self.two_leaders = true,
            What::DryRun(key, sight) | What::Get(key, sight) if entry.delivered => {
                self.saw(entry, key, sight.as_ref());
            }
            What::Inventories if entry.succeeded() => {
                self.informed.insert(life(entry), entry.number);
            }
            What::Inventory(stage, before, after) if entry.effect => {
                self.recorded(entry, scene, (stage, before, after));
            }
            What::Apply(key, ..) if entry.effect && self.two_leaders => {
                if !scene.recorded(key) && self.unaware(entry, key) {
                    self.lost.insert(key.clone());
                }
                self.written
                    .insert(key.clone(), (entry.process, entry.number));
            }
            What::Finalizer(false) if entry.effect && self.two_leaders => {
                self.ended = Some(entry.process);
                // The inventories go with the StageSet.
                for (stage, keys) in scene.inventories() {
                    for key in keys {
                        if self.overtaken(entry, &stage, &key) {
                            self.lost.insert(key.clone());
                        }
                        self.dropped.insert(key, (entry.process, entry.number));
                    }
                }
            }
            _ => {}
        }
    }

    /// Whether nobody looks after this object any more, since two leaders raced for it.
    pub(super) fn lost(&self, key: &ObjectKey) -> bool {
        self.lost.contains(key)
    }

    fn saw(&mut self, entry: &Entry, key: &ObjectKey, sight: Option<&Sight>) {
        let answered = entry.succeeded() || (entry.code == 404 && sight.is_none());
        let off =
            sight.is_none_or(|sight| sight.keep || !is_ours(sight.owner.as_deref())) && answered;
        if off {
            let seen = self.let_go.entry(life(entry)).or_default();
            seen.insert(key.clone(), entry.number);
        } else if answered && let Some(seen) = self.let_go.get_mut(&life(entry)) {
            seen.remove(key);
        }
    }

    fn recorded(
        &mut self,
        entry: &Entry,
        scene: &dyn Scene,
        (stage, before, after): (&str, &[ObjectKey], &[ObjectKey]),
    ) {
        for key in after {
            self.lost.remove(key);
        }
        // One that still has what it saw of a StageSet records and writes for it after the other one has
        // ended it: nothing spans an inventory and its StageSet either.
        if scene.stage_set().is_none() && self.ended.is_some_and(|by| by != entry.process) {
            self.lost.extend(after.iter().cloned());
        }
        if self.two_leaders {
            for key in before.iter().filter(|key| !scene.recorded(key)) {
                let owner = scene.object(key).and_then(|object| object.owner);
                if is_ours(owner.as_deref()) && self.overtaken(entry, stage, key) {
                    self.lost.insert(key.clone());
                }
                self.dropped
                    .insert(key.clone(), (entry.process, entry.number));
            }
        }
        self.changed.insert(stage.to_owned(), entry.number);
        self.informed.insert(life(entry), entry.number);
    }

    /// Whether another process has written the object since this one last looked at it, the look being
    /// younger than what the inventory holds: no request could have told it.
    fn overtaken(&self, entry: &Entry, stage: &str, key: &ObjectKey) -> bool {
        let looks = self.let_go.get(&life(entry));
        let Some(look) = looks.and_then(|looks| looks.get(key)) else {
            return false;
        };
        let since = |(by, at): &(usize, u64)| *by != entry.process && at > look;
        self.written.get(key).is_some_and(since)
            && self.changed.get(stage).is_none_or(|at| at < look)
    }

    /// Whether another process has dropped the object's entry since this one learned of it.
    fn unaware(&self, entry: &Entry, key: &ObjectKey) -> bool {
        let informed = self.informed.get(&life(entry));
        self.dropped.get(key).is_some_and(|(by, at)| {
            *by != entry.process && informed.is_some_and(|informed| at > informed)
        })
    }
}

fn life(entry: &Entry) -> Life {
    (entry.process, entry.life)
}
