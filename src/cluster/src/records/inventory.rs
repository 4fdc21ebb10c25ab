//! Inventories: shards on the wire, one record a stage for the core.
//!
//! Entries stay in the shard where they stand; new ones go where there is room. So a write touches
//! few shards, and the order "those that gain, then those that lose, then those that go" leaves no
//! moment in which an entry stands nowhere, wherever a crash comes (D1).

mod shard;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use stageset_api::inventory::{
    InventoryEntry as WireEntry, StageInventory as WireInventory, StageInventorySpec,
};
use stageset_api::names::LABEL_STAGE;
use stageset_core::few::Few;
use stageset_core::identity::KubeconfigReference;
use stageset_core::names::StageName;
use stageset_core::observation::StageInventory;

pub use self::shard::{Owner, Shard, created, released, replaced};
use self::shard::{belongs, id_of, key_of, merged, shard_of, wire_entry};

/// All inventories of one StageSet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inventories {
    shards: Few<StageName, Vec<Shard>>,
    /// Nobody listed them: a watch showed none.
    unlisted: bool,
}

/// One request that brings an inventory to its new content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShardWrite {
    /// A shard that doesn't exist yet.
    Create {
        /// Its index.
        index: u32,
        /// Its content.
        spec: StageInventorySpec,
        /// The way to the objects' cluster, if it isn't the local one.
        kubeconfig: Option<KubeconfigReference>,
    },
    /// New content of a shard.
    Replace {
        /// The shard as it stands.
        shard: Shard,
        /// Its content.
        spec: StageInventorySpec,
        /// The way to the objects' cluster, if it isn't the local one.
        kubeconfig: Option<KubeconfigReference>,
    },
    /// A shard that isn't needed any more: our finalizer goes, then the shard.
    Delete {
        /// The shard as it stands.
        shard: Shard,
    },
    /// Our finalizer goes; the shard itself is left to whoever deletes it.
    Release {
        /// The shard as it stands.
        shard: Shard,
    },
}

/// Entries that were left out because their ids can't be read, by stage.
pub type Skipped = BTreeMap<StageName, usize>;

impl Inventories {
    /// None, as a watch shows it. It may lag behind: should there be one after all, creating it anew
    /// bounces, and the watch tells of it in the end ([`Self::misses`]).
    pub fn none_watched() -> Self {
        Self {
            unlisted: true,
            ..Self::default()
        }
    }

    /// Whether a watch knows of inventories that were never read.
    pub fn misses(&self, watched: &BTreeSet<String>) -> bool {
        let known = |name: &String| {
            let mut shards = self.shards.values().flatten();
            shards.any(|shard| shard.name == *name)
        };
        self.unlisted && !watched.iter().all(known)
    }

    /// Reads those of the objects that belong to the StageSet. Also says how many entries were left
    /// out because their ids can't be read.
    pub fn read<'v>(
        objects: impl IntoIterator<Item = &'v Value>,
        owner: Owner<'_>,
    ) -> (Self, Skipped) {
        let mut inventories = Self::default();
        let mut skipped = Skipped::new();
        for object in objects {
            let wire = WireInventory::read(object);
            if !belongs(&wire, owner) {
                continue;
            }
            let Some(stage) = wire
                .metadata
                .labels
                .get(LABEL_STAGE)
                .and_then(|stage| StageName::new(stage.as_str()).ok())
            else {
                continue;
            };
            let listed = object
                .pointer("/spec/entries")
                .and_then(Value::as_array)
                .map_or(0, Vec::len);
            let readable = wire
                .spec
                .entries
                .iter()
                .filter(|entry| key_of(entry).is_some())
                .count();
            let unreadable = listed.saturating_sub(readable);
            if unreadable > 0 {
                *skipped.entry(stage.clone()).or_default() += unreadable;
            }
            let shard = shard_of(wire, owner, &stage);
            inventories.shards.or_default(&stage).push(shard);
        }
        for shards in inventories.shards.values_mut() {
            shards.sort_by(|a, b| {
                (a.index.is_none(), a.index, &a.name).cmp(&(b.index.is_none(), b.index, &b.name))
            });
        }
        (inventories, skipped)
    }

    /// Gives back the room that nothing stands in.
    pub(crate) fn shrink(&mut self) {
        for shards in self.shards.values_mut() {
            shards.shrink_to_fit();
            for shard in shards {
                shard.spec.entries.shrink_to_fit();
            }
        }
    }

    /// The records as the core sees them.
    pub fn observed(&self) -> BTreeMap<StageName, StageInventory> {
        self.shards
            .iter()
            .map(|(stage, shards)| (stage.clone(), merged(shards)))
            .collect()
    }

    /// What has to be written so that the stage's inventory becomes `wanted`, in order.
    pub fn writes(
        &self,
        stage: &StageName,
        wanted: &StageInventory,
        cap: usize,
    ) -> Vec<ShardWrite> {
        let cap = cap.max(1);
        let none = Vec::new();
        let stands = self.shards.get(stage).unwrap_or(&none);
        let mut left: BTreeMap<String, WireEntry> = wanted
            .entries
            .iter()
            .map(|(key, entry)| {
                let id = id_of(key).to_string();
                (id.clone(), wire_entry(id, entry))
            })
            .collect();
        // A shard that is on its way out keeps nothing, and keeps its name until it is gone.
        let leaving: BTreeSet<u32> = stands
            .iter()
            .filter(|shard| shard.deleting)
            .filter_map(|shard| shard.index)
            .collect();
        let staying = stands.iter().filter(|shard| !shard.deleting);
        let first = staying
            .filter_map(|shard| shard.index)
            .min()
            .or_else(|| (0..u32::MAX).find(|index| !leaving.contains(index)))
            .unwrap_or(0);
        // Who stays where: first come, first kept, up to the cap.
        let mut places: BTreeMap<u32, BTreeMap<String, WireEntry>> = BTreeMap::new();
        places.insert(first, BTreeMap::new());
        for shard in stands.iter().filter(|shard| !shard.deleting) {
            let Some(index) = shard.index else { continue };
            let place = places.entry(index).or_default();
            for entry in &shard.spec.entries {
                if place.len() < cap
                    && let Some(entry) = left.remove(&entry.id)
                {
                    place.insert(entry.id.clone(), entry);
                }
            }
        }
        let mut index = 0;
        for (id, entry) in left {
            while leaving.contains(&index)
                || places.get(&index).is_some_and(|place| place.len() >= cap)
            {
                index += 1;
            }
            places.entry(index).or_default().insert(id, entry);
        }
        let spec = |entries: BTreeMap<String, WireEntry>| StageInventorySpec {
            stage_position: i32::try_from(wanted.position).ok(),
            target: (!wanted.target.is_empty()).then(|| wanted.target.clone()),
            service_account_name: wanted.service_account.as_ref().map(ToString::to_string),
            entries: entries.into_values().collect(),
        };
        let (mut gains, mut losses, mut gone) = (Vec::new(), Vec::new(), Vec::new());
        let mut kept = BTreeSet::new();
        let nothing = places.values().all(BTreeMap::is_empty);
        for (index, entries) in places {
            let stood = stands
                .iter()
                .find(|shard| shard.index == Some(index) && !shard.deleting);
            // An empty stage keeps its first shard.
            if entries.is_empty() && (index != first || (stood.is_none() && !nothing)) {
                continue;
            }
            kept.insert(index);
            let spec = spec(entries);
            match stood {
                None => gains.push(ShardWrite::Create {
                    index,
                    spec,
                    kubeconfig: wanted.kubeconfig.clone(),
                }),
                Some(shard) if shard.spec == spec && shard.kubeconfig == wanted.kubeconfig => {}
                Some(shard) => {
                    let had: BTreeSet<&str> = shard
                        .spec
                        .entries
                        .iter()
                        .map(|entry| entry.id.as_str())
                        .collect();
                    let gains_some = spec
                        .entries
                        .iter()
                        .any(|entry| !had.contains(entry.id.as_str()));
                    let write = ShardWrite::Replace {
                        shard: shard.clone(),
                        spec,
                        kubeconfig: wanted.kubeconfig.clone(),
                    };
                    if gains_some {
                        gains.push(write);
                    } else {
                        losses.push(write);
                    }
                }
            }
        }
        for shard in stands {
            if shard.deleting || shard.index.is_none_or(|index| !kept.contains(&index)) {
                gone.push(ShardWrite::Delete {
                    shard: shard.clone(),
                });
            }
        }
        gains.into_iter().chain(losses).chain(gone).collect()
    }

    /// Writes that change nothing: whether they are taken tells whether the inventory still is as it is known.
    pub fn confirms(&self, stage: &StageName) -> Vec<ShardWrite> {
        let stands = self.shards.get(stage).into_iter().flatten();
        let as_it_is = |shard: &Shard| ShardWrite::Replace {
            shard: shard.clone(),
            spec: shard.spec.clone(),
            kubeconfig: shard.kubeconfig.clone(),
        };
        stands.map(as_it_is).collect()
    }

    /// What has to be written so that the stage has no inventory.
    pub fn drops(&self, stage: &StageName) -> Vec<ShardWrite> {
        let shards = self.shards.get(stage).into_iter().flatten();
        shards
            .map(|shard| ShardWrite::Delete {
                shard: shard.clone(),
            })
            .collect()
    }

    /// What has to be written so that nothing holds the inventories any more: the last thing before
    /// a StageSet goes.
    pub fn releases(&self) -> Vec<(StageName, ShardWrite)> {
        let shards = self
            .shards
            .iter()
            .flat_map(|(stage, shards)| shards.iter().map(move |shard| (stage, shard)));
        shards
            .filter(|(_, shard)| shard.is_held())
            .map(|(stage, shard)| {
                let shard = shard.clone();
                (stage.clone(), ShardWrite::Release { shard })
            })
            .collect()
    }

    /// Takes over what a write's answer shows.
    pub fn written(&mut self, owner: Owner<'_>, stage: &StageName, object: &Value) {
        let shard = shard_of(WireInventory::read(object), owner, stage);
        let shards = self.shards.or_default(stage);
        shards.retain(|known| known.name != shard.name);
        shards.push(shard);
        shards.sort_by_key(|shard| (shard.index.is_none(), shard.index));
    }

    /// Forgets a shard that is gone.
    pub fn removed(&mut self, stage: &StageName, name: &str) {
        if let Some(shards) = self.shards.get_mut(stage) {
            shards.retain(|shard| shard.name != name);
            if shards.is_empty() {
                self.shards.remove(stage);
            }
        }
    }
}

#[cfg(test)]
mod tests;
