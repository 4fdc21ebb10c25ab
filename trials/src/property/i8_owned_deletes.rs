//! I8: only objects that carry this StageSet's labels *and* stand in its inventory are deleted, and
//! only the very object that was looked at.

use std::collections::BTreeSet;

use stageset_core::object::ObjectKey;

use super::{Property, is_ours};
use crate::log::{Entry, What};
use crate::scene::Scene;

#[derive(Default)]
pub(super) struct OwnedDeletes {
    /// Everything that an inventory of ours has held.
    recorded: BTreeSet<ObjectKey>,
    /// Whether somebody took entries away: a process that read them before may still go by them, since
    /// no precondition spans two objects. Labels are looked at in the very object that goes.
    tampered: bool,
}

impl Property for OwnedDeletes {
    fn name(&self) -> &'static str {
        "I8"
    }

    fn look(&mut self, entry: &Entry, scene: &dyn Scene) -> Result<(), String> {
        if let What::World(event) = &entry.what {
            use crate::event::Event;
            self.tampered |= matches!(event, Event::Forget(_));
        }
        if !entry.effect {
            return Ok(());
        }
        let (key, before, uid) = match &entry.what {
            What::Inventory(_, _, after) => {
                self.recorded.extend(after.iter().cloned());
                return Ok(());
            }
            What::Delete(key, Some(before), uid) => (key, before, uid),
            _ => return Ok(()),
        };
        let recorded = scene.recorded(key) || (self.tampered && self.recorded.contains(key));
        let problem = if !is_ours(before.owner.as_deref()) {
            "its labels name another owner, or none"
        } else if before.keep {
            "it is to be kept (prune: disabled)"
        } else if !recorded {
            "no inventory holds it"
        } else if uid.as_ref() != Some(&before.uid) {
            "the request wasn't limited to the object that was looked at"
        } else {
            return Ok(());
        };
        Err(format!("{}: {problem}", entry.what))
    }
}
