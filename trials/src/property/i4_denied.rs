//! I4: a 401 or 403 is never retried under another identity, and never in a hot loop.

use std::collections::{BTreeMap, BTreeSet};

use stageset_core::object::ObjectKey;

use super::Property;
use crate::event::Event;
use crate::log::{Entry, What, Who};
use crate::scene::Scene;
use crate::setup::{Feature, STAGES};

/// More denials of one request within [`WINDOW`] than this are a hot loop: first try, and one for
/// each reason to look again at once (a new revision, a new spec, a request).
const MOST: usize = 8;
/// Milliseconds.
const WINDOW: i64 = 10_000;

#[derive(Default)]
pub(super) struct Denied {
    /// By process, life, object and verb: who was denied last, and when.
    denied: BTreeMap<(usize, u32, ObjectKey, &'static str), (Who, Vec<i64>)>,
    /// Into the inventories of which stages somebody has ever planted what is of no release.
    planted: BTreeSet<usize>,
}

impl Property for Denied {
    fn name(&self) -> &'static str {
        "I4"
    }

    fn look(&mut self, entry: &Entry, scene: &dyn Scene) -> Result<(), String> {
        if let What::World(Event::Plant(stage)) = &entry.what {
            self.planted.insert(*stage % STAGES.len());
        }
        let Some(key) = entry.tenant_key() else {
            return Ok(());
        };
        let denied = entry.delivered && matches!(entry.code, 401 | 403);
        if !denied && self.denied.is_empty() {
            return Ok(());
        }
        let place = (entry.process, entry.life, key.clone(), entry.verb());
        if let Some((who, _)) = self.denied.get(&place)
            && *who != entry.who
            // Whose release it is is the user's to say, and which stage has which name.
            && !scene.setup().has(Feature::Successor)
            && !scene.setup().has(Feature::Renamed)
            // Actions of several stages may look at one object, each as its own account.
            && !matches!(entry.what, What::Look(_))
            && scene.table().holders(key).len() < 2
            // So may what somebody planted into the inventories of several, now or before.
            && inventories(key, scene) < 2
            && (self.planted.len() < 2 || !scene.table().holders(key).is_empty())
        {
            return Err(format!(
                "{} was denied to {who}, and then tried as {}",
                entry.what, entry.who
            ));
        }
        if !denied {
            self.denied.remove(&place);
            return Ok(());
        }
        let now = entry.at.as_millis();
        let (_, times) = self
            .denied
            .entry(place)
            .or_insert_with(|| (entry.who.clone(), Vec::new()));
        times.retain(|at| now - at < WINDOW);
        times.push(now);
        if times.len() > MOST {
            return Err(format!(
                "{} was denied {} times within {} s",
                entry.what,
                times.len(),
                WINDOW / 1000
            ));
        }
        Ok(())
    }
}

/// How many stages' inventories hold an object.
fn inventories(key: &ObjectKey, scene: &dyn Scene) -> usize {
    let recorded = scene.inventories().into_iter();
    recorded.filter(|(_, keys)| keys.contains(key)).count()
}
