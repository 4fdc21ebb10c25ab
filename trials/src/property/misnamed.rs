//! Entries of an inventory that hold the uid of another object than the one that stands, because two
//! leaders wrote the one and the other without being able to know of each other.
//!
//! Whoever goes by such an entry takes our object for a stranger's of the same name, and leaves it.

use std::collections::{BTreeMap, BTreeSet};

use stageset_core::object::ObjectKey;

use super::is_ours;
use crate::log::{Entry, Sight};
use crate::scene::Scene;

/// An entry: of which stage's inventory, and of which object.
type Place = (String, ObjectKey);

/// Who put a uid into an entry, and when. What was there before there were two leaders is nobody's.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Named {
    uid: Option<String>,
    by: Option<(usize, u64)>,
}

/// Watches for such entries; knows nothing while there is one leader.
#[derive(Debug, Default)]
pub(super) struct Misnamed {
    named: BTreeMap<Place, Named>,
    /// The uid of the object that stands where the entry holds another one.
    mistakes: BTreeMap<Place, String>,
}

impl Misnamed {
    /// Takes what no process has written for what every one can know: what stood before there were two
    /// leaders, and what others do to our inventories.
    pub(super) fn take_stock(&mut self, scene: &dyn Scene) {
        let mut stock = BTreeMap::new();
        for (stage, keys) in scene.inventories() {
            for key in keys {
                let uid = scene.recorded_uid(&stage, &key);
                let place = (stage.clone(), key);
                let known = self.named.get(&place);
                let by = known
                    .filter(|known| known.uid == uid)
                    .and_then(|known| known.by);
                stock.insert(place, Named { uid, by });
            }
        }
        self.mistakes
            .retain(|place, _| stock.get(place) == self.named.get(place));
        self.named = stock;
    }

    /// A process wrote an inventory. `overtaken` are the objects that another one has written since this
    /// one last looked at them, that look being younger than the inventory.
    pub(super) fn recorded(
        &mut self,
        entry: &Entry,
        scene: &dyn Scene,
        (stage, after): (&str, &[ObjectKey]),
        overtaken: impl Fn(&ObjectKey) -> bool,
    ) {
        let held: BTreeSet<&ObjectKey> = after.iter().collect();
        self.named
            .retain(|(of, key), _| of != stage || held.contains(key));
        self.mistakes
            .retain(|(of, key), _| of != stage || held.contains(key));
        for key in after {
            let place = (stage.to_owned(), key.clone());
            let uid = scene.recorded_uid(stage, key);
            if self.named.get(&place).is_some_and(|named| named.uid == uid) {
                continue;
            }
            self.mistakes.remove(&place);
            if let Some(recorded) = &uid
                && let Some(object) = scene.object(key)
                && is_ours(object.owner.as_deref())
                && object.uid != *recorded
                && overtaken(key)
            {
                self.mistakes.insert(place.clone(), object.uid);
            }
            let by = Some((entry.process, entry.number));
            self.named.insert(place, Named { uid, by });
        }
    }

    /// A process made an object ours, having last learned at `informed` what the inventories hold.
    pub(super) fn applied(
        &mut self,
        entry: &Entry,
        key: &ObjectKey,
        after: &Sight,
        informed: Option<u64>,
    ) {
        for (place, named) in self.named.iter().filter(|((_, held), _)| held == key) {
            let (Some(recorded), Some((by, at))) = (&named.uid, named.by) else {
                continue;
            };
            if *recorded != after.uid
                && by != entry.process
                && informed.is_some_and(|informed| at > informed)
            {
                self.mistakes.insert(place.clone(), after.uid.clone());
            }
        }
    }

    /// Whether the entry leads whoever goes by it to take the object that stands for a stranger's.
    pub(super) fn misleads(&self, stage: &str, key: &ObjectKey, object: &Sight) -> bool {
        let mistake = self.mistakes.get(&(stage.to_owned(), key.clone()));
        mistake == Some(&object.uid)
    }
}
