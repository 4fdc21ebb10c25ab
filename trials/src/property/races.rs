//! What two leaders do behind each other's back.
//!
//! No precondition spans an object and its inventory. Where two processes take themselves for the
//! leader, one may drop the entry of an object that the other has written again since the look which the
//! dropping rests on; one may write or delete an object whose entry the other has dropped since it last
//! read the inventories, or after the other has ended the StageSet; one may end the StageSet while the
//! other records what it is about to write; and one may make an object while the other records the uid of
//! the one before it; and of two entries of one object, in two inventories, each may let one go because of
//! the other (docs/trials.md, known limits). This tells precisely which objects that befell:
//! anything else that gets lost is a defect, two leaders or not.

use std::collections::{BTreeMap, BTreeSet};

use stageset_core::object::ObjectKey;

use super::held::Held;
use super::is_ours;
use super::misnamed::Misnamed;
use crate::event::Event;
use crate::log::{Entry, Sight, What};
use crate::scene::Scene;

/// A process in one of its lives.
type Life = (usize, u32);

#[derive(Debug, Clone, Copy)]
struct Look {
    at: u64,
    let_go: bool,
}

/// Watches for such races; looks at every entry.
#[derive(Debug, Default)]
pub(super) struct Races {
    two_leaders: bool,
    /// When a process last looked at an object, and whether that was gone, not ours, or to be kept.
    looks: BTreeMap<Life, BTreeMap<ObjectKey, Look>>,
    /// Who wrote an object last, and when.
    written: BTreeMap<ObjectKey, (usize, u64)>,
    /// When a process last learned what the inventories hold.
    informed: BTreeMap<Life, u64>,
    /// The same of one stage's inventory: lists tell of all, a write of that alone.
    informed_of: BTreeMap<(Life, String), u64>,
    /// When a process last listed the inventories.
    listed: BTreeMap<Life, u64>,
    /// When each process last changed an inventory, by stage.
    changed: BTreeMap<String, BTreeMap<usize, u64>>,
    /// When the inventories held what.
    held: Held,
    /// Who put an object that no inventory held into one, and when.
    added: BTreeMap<ObjectKey, (usize, u64)>,
    /// Entries whose uid is another object's.
    misnamed: Misnamed,
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
            What::World(Event::SecondLeader) if !self.two_leaders => {
                self.two_leaders = true;
                self.misnamed.take_stock(scene);
                self.held.begin(scene);
            }
            What::World(Event::Forget(_) | Event::DropInventory(_) | Event::Plant(_))
                if self.two_leaders =>
            {
                self.misnamed.take_stock(scene);
                self.held.take_stock(entry.number, scene);
            }
            What::DryRun(key, sight) | What::Get(key, sight) if entry.delivered => {
                self.saw(entry, key, sight.as_ref());
            }
            What::Inventories if entry.succeeded() => {
                self.informed.insert(life(entry), entry.number);
                self.listed.insert(life(entry), entry.number);
            }
            What::Inventory(stage, before, after) if entry.effect => {
                self.recorded(entry, scene, (stage, before, after));
            }
            What::Apply(key, before, after) => {
                if entry.effect && self.two_leaders {
                    self.applied(entry, scene, key, (before.as_ref(), after.as_ref()));
                }
                if entry.succeeded() {
                    self.saw(entry, key, after.as_ref());
                }
            }
            What::Finalizer(false) if entry.effect && self.two_leaders => {
                self.ended = Some(entry.process);
                // The inventories go with the StageSet.
                for (stage, keys) in scene.inventories() {
                    for key in keys {
                        if self.let_go_unaware(entry, scene, &stage, &key)
                            || self.recorded_unseen(entry, &key)
                        {
                            self.lost.insert(key.clone());
                        }
                        self.dropped.insert(key, (entry.process, entry.number));
                    }
                    self.held.recorded(entry, &stage, &[]);
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
        if !(entry.succeeded() || (entry.code == 404 && sight.is_none())) {
            return;
        }
        let look = Look {
            at: entry.number,
            let_go: sight.is_none_or(|sight| sight.keep || !is_ours(sight.owner.as_deref())),
        };
        let looks = self.looks.entry(life(entry)).or_default();
        match looks.get_mut(key) {
            Some(last) => *last = look,
            None => {
                looks.insert(key.clone(), look);
            }
        }
    }

    fn applied(
        &mut self,
        entry: &Entry,
        scene: &dyn Scene,
        key: &ObjectKey,
        (before, after): (Option<&Sight>, Option<&Sight>),
    ) {
        if !scene.recorded(key) && self.unaware(entry, key) {
            self.lost.insert(key.clone());
        }
        let becomes_ours = before.is_none_or(|before| !is_ours(before.owner.as_deref()));
        if becomes_ours && let Some(after) = after {
            let informed = self.informed(entry);
            self.misnamed.applied(entry, key, after, informed);
        }
        self.written
            .insert(key.clone(), (entry.process, entry.number));
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
                if self.let_go_unaware(entry, scene, stage, key) {
                    self.lost.insert(key.clone());
                }
                self.dropped
                    .insert(key.clone(), (entry.process, entry.number));
            }
            for key in after.iter().filter(|key| !self.held.now(key)) {
                self.added
                    .insert(key.clone(), (entry.process, entry.number));
            }
            self.held.recorded(entry, stage, after);
            let mut misnamed = std::mem::take(&mut self.misnamed);
            misnamed.recorded(entry, scene, (stage, after), |key| {
                self.overtaken(entry, stage, key, false)
            });
            self.misnamed = misnamed;
        }
        let changed = self.changed.entry(stage.to_owned()).or_default();
        changed.insert(entry.process, entry.number);
        self.informed.insert(life(entry), entry.number);
        let place = (life(entry), stage.to_owned());
        self.informed_of.insert(place, entry.number);
    }

    /// Whether the process lets go of an object that is ours, since no request could have told it of that.
    fn let_go_unaware(
        &self,
        entry: &Entry,
        scene: &dyn Scene,
        stage: &str,
        key: &ObjectKey,
    ) -> bool {
        scene.object(key).is_some_and(|object| {
            is_ours(object.owner.as_deref())
                && (self.overtaken(entry, stage, key, true)
                    || self.misnamed.misleads(stage, key, &object)
                    || self.held_elsewhere(entry, stage, key))
        })
    }

    /// Whether the process lets go of the entry because of one in another stage's inventory, which another
    /// process has taken out since this one learned of it.
    fn held_elsewhere(&self, entry: &Entry, stage: &str, key: &ObjectKey) -> bool {
        let informed = self.informed(entry);
        informed.is_some_and(|then| self.held.left_elsewhere(stage, key, then))
    }

    /// Whether another process has written the object since this one last looked at it (and saw that it
    /// may be let go), the look being younger than what others have written into the inventory: no request
    /// could have told it.
    fn overtaken(&self, entry: &Entry, stage: &str, key: &ObjectKey, let_go: bool) -> bool {
        let looks = self.looks.get(&life(entry));
        let look = looks.and_then(|looks| looks.get(key));
        let Some(look) = look.filter(|look| look.let_go || !let_go) else {
            return false;
        };
        let since = |(by, at): &(usize, u64)| *by != entry.process && *at > look.at;
        self.written.get(key).is_some_and(since)
            && self.changed.get(stage).is_none_or(|changed| {
                let mut others = changed.iter().filter(|(by, _)| **by != entry.process);
                others.all(|(_, at)| *at < look.at)
            })
    }

    /// Whether another process has dropped the object's entry since this one learned of it: nothing could
    /// have told this one.
    pub(super) fn unaware(&self, entry: &Entry, key: &ObjectKey) -> bool {
        let dropped = self.dropped.get(key);
        let Some((_, dropped)) = dropped.filter(|(by, _)| *by != entry.process) else {
            return false;
        };
        self.held.stages(key).any(|stage| {
            let informed = self.informed_of(entry, stage);
            informed.is_some_and(|then| self.held.in_stage_at(key, stage, then) && *dropped > then)
        })
    }

    /// Up to when the process knows what the inventory of a stage holds.
    fn informed_of(&self, entry: &Entry, stage: &str) -> Option<u64> {
        let place = (life(entry), stage.to_owned());
        let known = [self.listed.get(&life(entry)), self.informed_of.get(&place)];
        let Some(known) = known.into_iter().flatten().max().copied() else {
            return self.informed(entry);
        };
        Some(told_to(entry).map_or(known, |told| told.max(known)))
    }

    /// Whether another process has recorded the object since this one learned what the inventories hold.
    fn recorded_unseen(&self, entry: &Entry, key: &ObjectKey) -> bool {
        let Some(informed) = self.informed(entry) else {
            return false;
        };
        let added = self.added.get(key);
        !self.held.at(key, informed)
            && added.is_some_and(|(by, at)| *by != entry.process && *at > informed)
    }

    /// Up to when the process knows what the inventories hold: when it last listed or wrote them, or when
    /// it began its pass with all that its watches had told it of them, whether it then listed them or not.
    fn informed(&self, entry: &Entry) -> Option<u64> {
        let informed = *self.informed.get(&life(entry))?;
        Some(told_to(entry).map_or(informed, |told| told.max(informed)))
    }
}

/// Up to when its watches had told the process everything as its pass began.
fn told_to(entry: &Entry) -> Option<u64> {
    // At the boundary itself things may have happened since.
    entry.heard.and_then(|heard| heard.checked_sub(1))
}

fn life(entry: &Entry) -> Life {
    (entry.process, entry.life)
}
