//! I7: what one identity was shown answers no other, and a recreated account is another identity. So
//! every write rests on something that this very account was shown of the object, by this process.

use std::collections::{BTreeMap, BTreeSet};

use stageset_core::object::ObjectKey;

use super::Property;
use crate::log::{Entry, What, Who};
use crate::scene::Scene;
use crate::setup::user;

#[derive(Default)]
pub(super) struct OwnSight {
    seen: BTreeMap<(usize, u32, String), BTreeSet<ObjectKey>>,
    accounts: BTreeMap<(usize, u32, String), String>,
}

impl Property for OwnSight {
    fn name(&self) -> &'static str {
        "I7"
    }

    fn look(&mut self, entry: &Entry, _: &dyn Scene) -> Result<(), String> {
        let (process, life) = (entry.process, entry.life);
        if let What::Account(name, Some(uid)) = &entry.what
            && entry.succeeded()
        {
            let place = (process, life, user(name));
            let before = self.accounts.insert(place.clone(), uid.clone());
            if before.is_some_and(|before| before != *uid) {
                self.seen.remove(&place);
            }
        }
        let (Some(key), Who::User(name)) = (entry.tenant_key(), &entry.who) else {
            return Ok(());
        };
        let seen = self.seen.entry((process, life, name.clone())).or_default();
        if matches!(entry.what, What::Apply(..) | What::Delete(..)) && !seen.contains(key) {
            return Err(format!(
                "{} as {}, who was never shown it",
                entry.what, entry.who
            ));
        }
        // A 404 is a sight too: it shows that there is nothing.
        if entry.delivered && (entry.succeeded() || entry.code == 404) {
            seen.insert(key.clone());
        }
        Ok(())
    }
}
