//! L4: no new content of a stage is written before everything of the stages ahead of it was shown to
//! be ready at the content that the same run delivers. Putting back what was there already is drift
//! correction and free of this (K09).

use std::collections::BTreeMap;

use stageset_core::object::ObjectKey;

use super::Property;
use crate::log::{Entry, Sight, What};
use crate::scene::Scene;
use crate::setup::{REVISIONS, Variant};

#[derive(Default)]
pub(super) struct Order {
    /// The content at which an object was last shown to be ready, by process and life: a restarted
    /// process must look again.
    ready: BTreeMap<(usize, u32), BTreeMap<ObjectKey, String>>,
    /// The content last written to an object by us.
    written: BTreeMap<ObjectKey, String>,
    /// What a process last saw a source offer.
    pins: BTreeMap<(usize, u32, String), u8>,
    /// Specs so far; a process may lag behind.
    variants: Vec<Variant>,
}

impl Order {
    fn shown(&mut self, entry: &Entry, key: &ObjectKey, sight: &Sight) {
        let ready = self.ready.entry((entry.process, entry.life)).or_default();
        if sight.ready && !sight.deleting {
            ready.insert(key.clone(), sight.content.clone());
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
            let complete = self.revisions(entry, source).into_iter().any(|revision| {
                let contents = scene.table().contents(*stage, revision);
                let first = contents.iter().find(|(key, content)| {
                    ready.and_then(|ready| ready.get(*key)) != Some(*content)
                });
                if let Some((key, content)) = first {
                    missing = Some(format!("{key} at {content}"));
                }
                first.is_none()
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
        if self.variants.last() != Some(scene.variant()) {
            self.variants.push(scene.variant().clone());
        }
        match &entry.what {
            What::Source(name, Some(revision)) if entry.succeeded() => {
                let place = (entry.process, entry.life, name.clone());
                self.pins.insert(place, *revision);
            }
            What::DryRun(key, Some(sight)) | What::Get(key, Some(sight)) if entry.succeeded() => {
                self.shown(entry, key, sight);
            }
            What::Apply(key, _, Some(after)) => {
                let new = entry.effect && self.written.get(key) != Some(&after.content);
                let result = if new {
                    self.judge(entry, scene, key)
                } else {
                    Ok(())
                };
                if entry.effect {
                    self.written.insert(key.clone(), after.content.clone());
                }
                if entry.succeeded() {
                    self.shown(entry, key, after);
                }
                return result;
            }
            _ => {}
        }
        Ok(())
    }
}

impl Order {
    fn judge(&self, entry: &Entry, scene: &dyn Scene, key: &ObjectKey) -> Result<(), String> {
        let holders = scene.table().holders(key);
        let mut missing = String::new();
        let in_order = self.variants.iter().rev().take(3).any(|variant| {
            let stages = variant.stages(scene.setup());
            holders.iter().any(|holder| {
                let Some(place) = stages.iter().position(|stage| stage == holder) else {
                    return false;
                };
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
                "{}, before {missing} of an earlier stage was seen to be ready",
                entry.what
            ))
        }
    }
}
