//! I3: what changed is a subset of what RBAC allowed the stage's account at that moment, object by
//! object and verb by verb, whoever the request says it came from.

use stageset_core::object::ObjectKey;

use super::Property;
use crate::log::{Act, Entry, What};
use crate::scene::Scene;
use crate::setup::{Feature, STAGES};

pub(super) struct OwnRights;

impl Property for OwnRights {
    fn name(&self) -> &'static str {
        "I3"
    }

    fn look(&mut self, entry: &Entry, scene: &dyn Scene) -> Result<(), String> {
        if !entry.effect {
            return Ok(());
        }
        if let What::Act(act) = &entry.what {
            return action(act, entry, scene);
        }
        let (key, verbs): (_, &[&str]) = match &entry.what {
            What::Apply(key, None, _) => (key, &["create", "patch"]),
            What::Apply(key, Some(_), _) => (key, &["patch"]),
            What::Delete(key, ..) => (key, &["delete"]),
            What::TakeOver(key, ..) => (key, &["patch"]),
            _ => return Ok(()),
        };
        let setup = scene.setup();
        let holders = scene.table().holders(key);
        let may = (0..setup.stages)
            .filter(|stage| {
                holders.is_empty() || holders.contains(stage) || setup.has(Feature::Renamed)
            })
            .any(|stage| {
                let mut accounts = setup.accounts_of(stage);
                // The controller itself may do anything.
                setup.is_controllers(stage)
                    || accounts
                        .any(|account| verbs.iter().all(|verb| scene.allows(account, verb, key)))
            });
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

/// An action's rights are those of its own stage's account.
fn action(act: &Act, entry: &Entry, scene: &dyn Scene) -> Result<(), String> {
    let setup = scene.setup();
    let stage = STAGES.iter().position(|stage| *stage == act.stage);
    if stage.is_some_and(|stage| setup.is_controllers(stage)) {
        return Ok(());
    }
    let mut accounts = stage.into_iter().flat_map(|stage| setup.accounts_of(stage));
    let key = ObjectKey {
        name: String::new(),
        kind: act.kind.clone(),
        namespace: None,
        group: String::new(),
    };
    let verbs = act.doing.verbs(entry.code == 201);
    if accounts.any(|account| verbs.iter().all(|verb| scene.allows(account, verb, &key))) {
        Ok(())
    } else {
        Err(format!("{}: its stage's account may not", entry.what))
    }
}
