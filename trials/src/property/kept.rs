//! I8, of what a policy says to leave alone (`KeepExisting`): an object that a process was shown isn't
//! written by it.

use std::collections::BTreeMap;

use stageset_core::object::ObjectKey;

use super::Property;
use crate::log::{Entry, What};
use crate::scene::Scene;

#[derive(Default)]
pub(super) struct Kept {
    /// The uid under which an object was last shown, by process and life.
    shown: BTreeMap<(usize, u32), BTreeMap<ObjectKey, String>>,
}

impl Property for Kept {
    fn name(&self) -> &'static str {
        "I8"
    }

    fn look(&mut self, entry: &Entry, scene: &dyn Scene) -> Result<(), String> {
        let Some(key) = entry.tenant_key() else {
            return Ok(());
        };
        if !scene.setup().is_kept(key) || scene.table().holders(key).is_empty() {
            return Ok(());
        }
        let shown = self.shown.entry((entry.process, entry.life)).or_default();
        let written = match &entry.what {
            What::Apply(_, before, _) | What::TakeOver(_, before, _) if entry.effect => before,
            _ => &None,
        };
        // One that came in between was never shown.
        if let Some(before) = written
            && shown.get(key) == Some(&before.uid)
        {
            return Err(format!("{}: it is to be left alone", entry.what));
        }
        let sight = match &entry.what {
            What::DryRun(_, sight) | What::Get(_, sight) | What::Apply(_, _, sight) => sight,
            _ => return Ok(()),
        };
        if let Some(sight) = sight.as_ref().filter(|_| entry.succeeded()) {
            shown.insert(key.clone(), sight.uid.clone());
        }
        Ok(())
    }
}
