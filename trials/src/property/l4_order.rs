//! L4: no new content of a stage is written before everything of the stages ahead of it was shown to
//! be ready at the content that the same run delivers. Putting back what was there already is drift
//! correction and free of this (K09).

use std::collections::{BTreeMap, BTreeSet};

use stageset_core::object::ObjectKey;

use super::Property;
use crate::event::Event;
use crate::log::{Entry, Sight, What, Who};
use crate::scene::Scene;
use crate::schedule::Level;
use crate::setup::{Feature, GATE, NAMESPACE, REVISIONS, Variant, actions, own};

/// So many specs may have come since the one that a step goes by, where nobody keeps what the process was
/// told when its pass began: a process looks between two steps, and a step is several requests.
const SPECS: usize = 6;

#[derive(Default)]
pub(super) struct Order {
    /// The content at which an object was last shown to be ready, by process and life: a restarted
    /// process must look again.
    ready: BTreeMap<(usize, u32), BTreeMap<ObjectKey, String>>,
    /// The content last written to an object by us, and by which process.
    written: BTreeMap<ObjectKey, (String, usize)>,
    /// What a process last saw a source offer.
    pins: BTreeMap<(usize, u32, String), u8>,
    /// Specs so far, and from which request on; a process may lag behind.
    variants: Vec<(u64, Variant)>,
    /// Of two leaders, each goes by the record that it wrote last, whatever the other one made of it
    /// since (docs/trials.md, known limits).
    two_leaders: bool,
    /// The actions that were on record as done with a status that a process wrote: stage, name, revision.
    recorded: BTreeMap<(usize, u32), BTreeSet<(usize, &'static str, u8)>>,
    /// Those that were on record when a process last looked at something: it decides right after that. What
    /// is done once for ever stands in the ledger, and a watch tells late of what another leader writes
    /// there: of that it is what stood there when the process last read the ledger, or wrote it.
    known: BTreeMap<(usize, u32), BTreeSet<(usize, &'static str, u8)>>,
    /// What was on record with two leaders, and from which request on: a watch that lags shows one of them
    /// what stood before.
    past: Vec<(u64, BTreeSet<(usize, &'static str, u8)>)>,
    /// What each of two leaders last saw of an object, ready or not.
    seen: BTreeMap<usize, BTreeMap<ObjectKey, String>>,
    /// The same when it last recorded something.
    standing: BTreeMap<usize, BTreeMap<ObjectKey, String>>,
    /// The life of the only leader, as long as there is but one.
    alone: (usize, u32),
    /// Whether every read of the dependency is a request that the log holds: no watch shows it.
    reads_all: bool,
    /// Whether the last read of the dependency showed it to be ready, by process and life.
    dependencies: BTreeMap<(usize, u32), bool>,
}

impl Order {
    pub(super) fn new(level: Level) -> Self {
        Self {
            reads_all: level == Level::Core,
            ..Self::default()
        }
    }

    /// The first action of a stage, of these phases, that isn't on record as done at a revision.
    fn undone(
        &self,
        entry: &Entry,
        scene: &dyn Scene,
        (stage, revision): (usize, u8),
        phases: &[&str],
    ) -> Option<&'static str> {
        let life = (entry.process, entry.life);
        let known = [self.recorded.get(&life), self.known.get(&life)];
        let mut actions = actions(scene.setup(), stage).iter();
        let found = actions.find(|action| {
            phases.contains(&action.phase)
                && !scene.done(stage, **action, revision)
                && !known
                    .into_iter()
                    .flatten()
                    .any(|done| done.contains(&(stage, action.name, revision)))
        });
        found.map(|action| action.name)
    }

    fn shown(&mut self, entry: &Entry, scene: &dyn Scene, key: &ObjectKey, sight: &Sight) {
        if self.two_leaders {
            let seen = self.seen.entry(entry.process).or_default();
            seen.insert(key.clone(), sight.content.clone());
        }
        let ready = self.ready.entry((entry.process, entry.life)).or_default();
        let unwaited =
            scene.setup().has(Feature::Unwaited) && scene.table().holders(key).first() == Some(&0);
        if unwaited || (sight.ready && !sight.deleting) {
            if ready.get(key) != Some(&sight.content) {
                ready.insert(key.clone(), sight.content.clone());
            }
        } else {
            ready.remove(key);
        }
    }

    /// The revisions that this process may be delivering from a source.
    fn revisions(&self, entry: &Entry, source: &str) -> Vec<u8> {
        let pin = self
            .pins
            .get(&(entry.process, entry.life, source.to_owned()));
        pin.map_or_else(|| (1..=REVISIONS).collect(), |revision| vec![*revision])
    }

    /// The first object ahead of `stage` that wasn't seen to be ready.
    fn unready(&self, entry: &Entry, scene: &dyn Scene, ahead: &[usize]) -> Option<String> {
        let ready = self.ready.get(&(entry.process, entry.life));
        ahead.iter().find_map(|stage| {
            let source = scene.setup().source(*stage);
            let mut missing = None;
            let levels = |revision| {
                let levels = scene.table().all_levels(*stage, revision).iter();
                levels.map(move |contents| (revision, contents))
            };
            let revisions = self.revisions(entry, source).into_iter();
            let complete = revisions.flat_map(levels).any(|(revision, contents)| {
                if let Some(action) =
                    self.undone(entry, scene, (*stage, revision), &["pre", "post"])
                {
                    missing = Some(format!("the action {action}"));
                    return false;
                }
                let first = contents.iter().find(|(key, content)| {
                    let shown = ready.and_then(|ready| ready.get(*key));
                    let kept = shown.is_some() && scene.setup().is_kept(key);
                    !kept && shown != Some(*content)
                });
                if let Some((key, content)) = first {
                    missing = Some(format!("{key} at {content}"));
                    return false;
                }
                let gate = scene.setup().has(Feature::Gates).then(|| gate(*stage));
                let closed = |gate: &ObjectKey| ready.is_none_or(|ready| !ready.contains_key(gate));
                missing = gate.filter(closed).map(|gate| gate.to_string());
                missing.is_none()
            });
            if complete { None } else { missing }
        })
    }
}

impl Property for Order {
    fn name(&self) -> &'static str {
        "L4"
    }

    fn look(&mut self, entry: &Entry, scene: &dyn Scene) -> Result<(), String> {
        if matches!(entry.what, What::Lease(_)) {
            return Ok(());
        }
        if self.variants.last().map(|(_, variant)| variant) != Some(scene.variant()) {
            let variant = (entry.number, scene.variant().clone());
            self.variants.push(variant);
        }
        if self.two_leaders && (entry.effect || entry.who == Who::World) {
            let stands = done(scene);
            if self.past.last().is_none_or(|(_, before)| *before != stands) {
                self.past.push((entry.number, stands));
            }
        }
        if self.two_leaders && entry.who != Who::World {
            let life = (entry.process, entry.life);
            // Where the StageSet is gone, nothing is on record but what the ledger holds; whoever hasn't heard
            // of that goes by what was.
            let gone = scene.stage_set().is_none();
            let for_ever = |(stage, name, _): &(usize, &'static str, u8)| {
                let mut actions = actions(scene.setup(), *stage).iter();
                actions.any(|action| action.name == *name && action.lifetime)
            };
            match &entry.what {
                What::Status(_) if entry.effect => {
                    self.recorded.insert(life, done(scene));
                    let seen = self.seen.get(&entry.process).cloned();
                    self.standing
                        .insert(entry.process, seen.unwrap_or_default());
                }
                What::Ledger | What::LedgerWrite(_) if entry.succeeded() => {
                    let known = self.known.entry(life).or_default();
                    known.retain(|done| gone && !for_ever(done));
                    known.extend(done(scene));
                }
                _ if !entry.effect && !gone => {
                    let known = self.known.entry(life).or_default();
                    known.retain(for_ever);
                    known.extend(done(scene).into_iter().filter(|done| !for_ever(done)));
                    let untold = untold(&self.past, entry.heard).flatten();
                    known.extend(untold.copied().filter(|done| !for_ever(done)));
                }
                _ => {}
            }
        } else if entry.who != Who::World {
            self.alone = (entry.process, entry.life);
        }
        match &entry.what {
            What::Source(name, Some(revision)) if entry.succeeded() => {
                let place = (entry.process, entry.life, name.clone());
                self.pins.insert(place, *revision);
            }
            What::World(Event::SecondLeader) if !self.two_leaders => {
                self.two_leaders = true;
                self.known.insert(self.alone, done(scene));
            }
            What::Dependency(ready) => {
                let ready = *ready && entry.succeeded();
                self.dependencies.insert((entry.process, entry.life), ready);
            }
            What::DryRun(key, Some(sight)) | What::Get(key, Some(sight)) if entry.succeeded() => {
                self.shown(entry, scene, key, sight);
            }
            What::Get(key, None) if entry.code == 404 && entry.delivered => {
                if let Some(ready) = self.ready.get_mut(&(entry.process, entry.life)) {
                    ready.remove(key);
                }
            }
            What::Apply(key, _, Some(after)) => {
                let new = entry.effect
                    // What is left alone is as old as it is: whatever it is put back as is another content.
                    && !(scene.setup().is_kept(key) && self.written.contains_key(key))
                    && self.written.get(key).map(|(content, _)| content) != Some(&after.content)
                    && !self.was_overwritten(key, &after.content);
                let result = if new {
                    self.judge(entry, scene, key)
                } else {
                    Ok(())
                };
                if entry.effect {
                    let written = (after.content.clone(), entry.process);
                    self.written.insert(key.clone(), written);
                }
                if entry.succeeded() {
                    self.shown(entry, scene, key, after);
                }
                return result;
            }
            _ => {}
        }
        Ok(())
    }
}

impl Order {
    /// Whether one of two leaders had last seen the object with this content when it last recorded
    /// something, and the other has written another one since: the record may say that it is written, and
    /// to put it back, whoever does, is no new content.
    fn was_overwritten(&self, key: &ObjectKey, content: &String) -> bool {
        let Some((_, writer)) = self.written.get(key) else {
            return false;
        };
        let mut others = (self.standing.iter()).filter(|(process, _)| *process != writer);
        others.any(|(_, stands)| stands.get(key) == Some(content))
    }

    fn judge(&self, entry: &Entry, scene: &dyn Scene, key: &ObjectKey) -> Result<(), String> {
        let holders = scene.table().holders(key);
        let mut missing = String::new();
        let place = (entry.process, entry.life);
        if scene.setup().has(Feature::Dependency) {
            let said = match self.dependencies.get(&place) {
                Some(false) => "while the dependency was last seen not to be ready",
                None if self.reads_all => "without a look at the dependency",
                None | Some(true) => "",
            };
            if !said.is_empty() {
                return Err(format!("{}, {said}", entry.what));
            }
        }
        let last = self.variants.iter().rev().take(SPECS);
        let mut specs = last
            .map(|(_, variant)| variant)
            .chain(untold(&self.variants, entry.heard));
        let in_order = specs.any(|variant| {
            let stages = variant.stages(scene.setup());
            holders.iter().any(|holder| {
                let Some(place) = stages.iter().position(|stage| stage == holder) else {
                    return false;
                };
                let source = scene.setup().source(*holder);
                let own = self.revisions(entry, source);
                let first =
                    |revision: &u8| self.undone(entry, scene, (*holder, *revision), &["pre"]);
                if own.iter().all(|revision| first(revision).is_some()) {
                    let action = own.first().and_then(first).unwrap_or_default();
                    missing = format!("the action {action}");
                    return false;
                }
                match self.unready(entry, scene, &stages[..place]) {
                    Some(object) => {
                        missing = object;
                        false
                    }
                    None => true,
                }
            })
        });
        if in_order {
            Ok(())
        } else {
            Err(format!(
                "{}, before {missing} (of an earlier stage, or ahead of it in its own) was seen to be \
                 ready",
                entry.what
            ))
        }
    }
}

/// The object that a stage waits for and that isn't its own.
fn gate(stage: usize) -> ObjectKey {
    ObjectKey {
        name: own(GATE, stage),
        kind: "ConfigMap".to_owned(),
        namespace: Some(NAMESPACE.to_owned()),
        group: String::new(),
    }
}

/// What stood at some time since all was told up to a request: each of them until the next.
fn untold<T>(past: &[(u64, T)], heard: Option<u64>) -> impl Iterator<Item = &T> {
    let ends = past.iter().skip(1).map(|(since, _)| *since);
    let ended = past.iter().zip(ends);
    ended
        .filter(move |(_, end)| heard.is_some_and(|heard| *end >= heard))
        .map(|((_, stood), _)| stood)
}

/// Everything that is on record as done: stage, action, revision.
fn done(scene: &dyn Scene) -> BTreeSet<(usize, &'static str, u8)> {
    let setup = scene.setup();
    let steps = (0..setup.stages).flat_map(|stage| {
        let actions = actions(setup, stage).iter();
        actions.map(move |action| (stage, *action))
    });
    steps
        .flat_map(|(stage, action)| {
            let revisions = (1..=REVISIONS).filter(move |r| scene.done(stage, action, *r));
            revisions.map(move |revision| (stage, action.name, revision))
        })
        .collect()
}
