//! I4: a 401 or 403 is never retried under another identity, and never in a hot loop.

use std::collections::BTreeMap;

use stageset_core::object::ObjectKey;

use super::Property;
use crate::log::{Entry, What, Who};
use crate::scene::Scene;

/// More denials of one request within [`WINDOW`] than this are a hot loop: first try, and one for
/// each reason to look again at once (a new revision, a new spec, a request).
const MOST: usize = 8;
/// Milliseconds.
const WINDOW: i64 = 10_000;

#[derive(Default)]
pub(super) struct Denied {
    /// By process, life, object and verb: who was denied last, and when.
    denied: BTreeMap<(usize, u32, ObjectKey, &'static str), (Who, Vec<i64>)>,
}

impl Property for Denied {
    fn name(&self) -> &'static str {
        "I4"
    }

    fn look(&mut self, entry: &Entry, scene: &dyn Scene) -> Result<(), String> {
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
            // Actions of several stages may look at one object, each as its own account.
            && !matches!(entry.what, What::Look(_))
            && scene.table().holders(key).len() < 2
            // So may what somebody planted into the inventories of several.
            && inventories(key, scene) < 2
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
