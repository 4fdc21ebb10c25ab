//! I3: what changed is a subset of what RBAC allowed the stage's account at that moment, object by
//! object and verb by verb, whoever the request says it came from.

use super::Property;
use crate::log::{Entry, What};
use crate::scene::Scene;

pub(super) struct OwnRights;

impl Property for OwnRights {
    fn name(&self) -> &'static str {
        "I3"
    }

    fn look(&mut self, entry: &Entry, scene: &dyn Scene) -> Result<(), String> {
        if !entry.effect {
            return Ok(());
        }
        let (key, verbs): (_, &[&str]) = match &entry.what {
            What::Apply(key, None, _) => (key, &["create", "patch"]),
            What::Apply(key, Some(_), _) => (key, &["patch"]),
            What::Delete(key, ..) => (key, &["delete"]),
            _ => return Ok(()),
        };
        let setup = scene.setup();
        let holders = scene.table().holders(key);
        let may = (0..setup.stages)
            .filter(|stage| holders.is_empty() || holders.contains(stage))
            .filter_map(|stage| setup.account(stage))
            .any(|account| verbs.iter().all(|verb| scene.allows(account, verb, key)));
        if may {
            Ok(())
        } else {
            Err(format!(
                "{}: no account of its stage may {}",
                entry.what,
                verbs.join(" and ")
            ))
        }
    }
}
