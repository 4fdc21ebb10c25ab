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
    seen: BTreeMap<(usize, u32), BTreeMap<String, BTreeSet<ObjectKey>>>,
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
            if before.is_some_and(|before| before != *uid)
                && let Some(of_life) = self.seen.get_mut(&(process, life))
            {
                of_life.remove(&place.2);
            }
        }
        let Some(key) = entry.tenant_key() else {
            return Ok(());
        };
        let name = match &entry.who {
            Who::User(name) => name.as_str(),
            // Where one operator owns the cluster (S14); elsewhere I1 has something to say.
            Who::Controller => "",
            Who::Anonymous | Who::World => return Ok(()),
        };
        let of_life = self.seen.entry((process, life)).or_default();
        if !of_life.contains_key(name) {
            of_life.insert(name.to_owned(), BTreeSet::new());
        }
        let Some(seen) = of_life.get_mut(name) else {
            return Ok(());
        };
        if matches!(entry.what, What::Apply(..) | What::Delete(..)) && !seen.contains(key) {
            return Err(format!(
                "{} as {}, who was never shown it",
                entry.what, entry.who
            ));
        }
        // A 404 is a sight too: it shows that there is nothing.
        if entry.delivered && (entry.succeeded() || entry.code == 404) && !seen.contains(key) {
            seen.insert(key.clone());
        }
        Ok(())
    }
}
