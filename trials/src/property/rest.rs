//! The end of a run: once inputs and faults stop changing, the StageSet gets to what is desired and
//! stays there (L1), at a bounded rate of requests (L2); a deletion always ends (L3).

use std::collections::BTreeSet;

use stageset_core::object::ObjectKey;

use super::forgotten::Forgotten;
use super::is_ours;
use super::races::Races;
use super::unpruned::Unpruned;
use crate::log::Entry;
use crate::scene::Scene;
use crate::setup::{Feature, Setup, actions};

/// Why a release may stand still although nothing is broken. A test lists them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Excuse {
    /// Nobody may act: no account is named (I2).
    NoAccount,
    /// Another StageSet's labels stand on an object of the release (K13).
    ForeignOwner(ObjectKey),
    /// An object is outside of the namespaces that the controller works in (A14).
    OutOfBounds(ObjectKey),
}

/// What is left because of what others did, or because two leaders raced: that isn't our fault.
#[derive(Debug, Default)]
pub struct Excused {
    forgotten: Forgotten,
    races: Races,
    unpruned: Unpruned,
}

impl Excused {
    /// Takes note of an entry.
    pub fn look(&mut self, entry: &Entry, scene: &dyn Scene) {
        self.forgotten.look(entry, scene);
        self.races.look(entry, scene);
        self.unpruned.look(entry);
    }

    fn covers(&self, key: &ObjectKey, scene: &dyn Scene) -> bool {
        self.forgotten.has(key) || self.races.lost(key) || self.unpruned.may_have_left(key, scene)
    }
}

/// The reason for which this release may legitimately stand still, if there is one.
pub fn excuse(scene: &dyn Scene) -> Option<Excuse> {
    if scene.setup().is_nobodys() {
        return Some(Excuse::NoAccount);
    }
    let setup = scene.setup();
    desired(scene).into_iter().find_map(|(key, _)| {
        if !setup.is_in_bounds(key) {
            return Some(Excuse::OutOfBounds(key.clone()));
        }
        // What is left alone may be anybody's.
        let anothers = !setup.is_kept(key) && scene.is_anothers(key);
        anothers.then(|| Excuse::ForeignOwner(key.clone()))
    })
}

/// Every object of the release as it should be now, with its content.
fn desired(scene: &dyn Scene) -> Vec<(&ObjectKey, &String)> {
    let (setup, table) = (scene.setup(), scene.table());
    let mut all = Vec::new();
    for stage in scene.variant().stages(setup) {
        if let Some(revision) = scene.offered(setup.source(stage)) {
            let contents = table.contents(stage, revision, scene.level().unwrap_or(0));
            all.extend(contents);
        }
    }
    all
}

/// What is still missing to the desired state, if anything (L1).
pub fn missing(scene: &dyn Scene, excused: &Excused) -> Result<(), String> {
    let Some(stage_set) = scene.stage_set() else {
        return gone(scene, excused, false);
    };
    if stage_set.observed_generation != stage_set.generation {
        return Err(format!(
            "the status speaks of generation {}, the spec is of {}",
            stage_set.observed_generation, stage_set.generation
        ));
    }
    if let Some(excuse) = excuse(scene) {
        return if stage_set.ready.starts_with("False") && !stage_set.message.is_empty() {
            Ok(())
        } else {
            Err(format!("{excuse:?}, but Ready is {}", stage_set.ready))
        };
    }
    if stage_set.ready != "True Succeeded" {
        return Err(format!(
            "Ready is {}: {}",
            stage_set.ready, stage_set.message
        ));
    }
    if let Some(stage) = stage_set.unanswered {
        let (setup, variant) = (scene.setup(), scene.variant());
        let mut stages = variant.stages(setup).into_iter();
        if stages.any(|known| variant.name(known) == stage) {
            return Err(format!("{stage} was asked for once more, and isn't done"));
        }
    }
    let desired = desired(scene);
    for (key, content) in &desired {
        match scene.object(key) {
            None => return Err(format!("{key} isn't there")),
            Some(object) if object.deleting => return Err(format!("{key} is being deleted")),
            Some(_) if scene.setup().is_kept(key) => {}
            Some(object) if object.content != **content => {
                return Err(format!("{key} is {:?}, not {content:?}", object.content));
            }
            Some(object) if !is_ours(object.owner.as_deref()) => {
                return Err(format!("{key} doesn't carry our labels"));
            }
            Some(object) if object.legacy => {
                return Err(format!("{key} still has fields of kubectl's"));
            }
            Some(object) if !object.ready => return Err(format!("{key} isn't ready")),
            Some(_) => {}
        }
        if !scene.recorded(key) {
            return Err(format!("no inventory holds {key}"));
        }
    }
    actions_are_done(scene)?;
    let wanted: BTreeSet<&ObjectKey> = desired.iter().map(|(key, _)| *key).collect();
    for (stage, keys) in scene.inventories() {
        if let Some(key) = keys.iter().find(|key| !wanted.contains(key)) {
            return Err(format!("the inventory of {stage} still holds {key}"));
        }
    }
    leftover(scene, excused, &wanted)
}

fn actions_are_done(scene: &dyn Scene) -> Result<(), String> {
    let setup = scene.setup();
    for stage in scene.variant().stages(setup) {
        let Some(revision) = scene.offered(setup.source(stage)) else {
            continue;
        };
        let mut steps = actions(setup, stage).iter();
        let undone =
            steps.find(|step| step.phase != "onFailure" && !scene.done(stage, **step, revision));
        if let Some(step) = undone {
            return Err(format!("the action {} isn't done", step.name));
        }
    }
    Ok(())
}

fn leftover(
    scene: &dyn Scene,
    excused: &Excused,
    wanted: &BTreeSet<&ObjectKey>,
) -> Result<(), String> {
    for (key, object) in scene.objects() {
        if is_ours(object.owner.as_deref())
            && !wanted.contains(&key)
            // What actions make is in no release.
            && !scene.table().holders(&key).is_empty()
            && !object.keep
            && !excused.covers(&key, scene)
        {
            return Err(format!("{key} left the release, and is still there"));
        }
    }
    Ok(())
}

/// Nothing of a deleted StageSet is left (L3), unless it was forced off.
pub fn gone(scene: &dyn Scene, excused: &Excused, forced: bool) -> Result<(), String> {
    if scene.stage_set().is_some() {
        return Err("the StageSet is still there".to_owned());
    }
    if forced {
        return Ok(());
    }
    leftover(scene, excused, &BTreeSet::new())
}

/// Most requests of one interval at rest where nothing is watched (L2): one look at each account,
/// source and object, one list; and where there are features, at what they rest on.
pub fn most_requests_at_rest(setup: &Setup, objects: usize) -> u64 {
    let features = 3 * setup.features.len();
    (setup.account_names().len() + setup.sources().len() + objects + features + 4) as u64
}

/// The same where watches tell of objects, accounts, sources and inventories: nothing but what no watch tells
/// of, which features bring along; abroad nothing is watched.
pub fn most_requests_where_watches_tell(setup: &Setup, objects: usize) -> u64 {
    let unwatched = if setup.has(Feature::Remote) {
        objects
    } else {
        0
    };
    (3 * setup.features.len() + unwatched + 2) as u64
}
