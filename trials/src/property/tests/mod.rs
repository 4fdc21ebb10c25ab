//! What is excused to two leaders, and what isn't; and what a deletion is held against.
//! The logs are written by hand, as short as can be.

mod denied;
mod fails_closed;
mod judged;
mod leaders;
mod misnamed;
mod own_rights;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stageset_core::object::ObjectKey;
use stageset_core::time::Timestamp;

use super::Property;
use crate::log::{Entry, Sight, What, Who};
use crate::scene::{Scene, StageSetSight};
use crate::setup::{Feature, Setup, Step, Variant};
use crate::table::Table;

struct Cluster {
    setup: Setup,
    table: Arc<Table>,
    variant: Variant,
    objects: BTreeMap<ObjectKey, Sight>,
    inventory: Vec<ObjectKey>,
    /// What the inventory of another stage holds.
    elsewhere: Vec<ObjectKey>,
    /// The uids that it holds.
    uids: BTreeMap<ObjectKey, String>,
    /// The verbs that nobody may use.
    revoked: BTreeSet<&'static str>,
    /// Whether the StageSet has been torn down.
    gone: bool,
    /// Whether every action of a revision is on record as done.
    done: bool,
    /// Whether every action that is done once for ever is.
    ledger: bool,
    number: u64,
    /// Up to which of them the watches of the processes have told everything.
    heard: Option<u64>,
    property: Box<dyn Property>,
}

impl Scene for Cluster {
    fn setup(&self) -> &Setup {
        &self.setup
    }
    fn table(&self) -> &Table {
        &self.table
    }
    fn variant(&self) -> &Variant {
        &self.variant
    }
    fn now(&self) -> Timestamp {
        Timestamp::default()
    }
    fn stage_set(&self) -> Option<StageSetSight> {
        (!self.gone).then(StageSetSight::default)
    }
    fn object(&self, key: &ObjectKey) -> Option<Sight> {
        self.objects.get(key).cloned()
    }
    fn objects(&self) -> Vec<(ObjectKey, Sight)> {
        self.objects.clone().into_iter().collect()
    }
    fn inventories(&self) -> Vec<(String, Vec<ObjectKey>)> {
        vec![
            ("base".to_owned(), self.inventory.clone()),
            ("app".to_owned(), self.elsewhere.clone()),
        ]
    }
    fn recorded(&self, key: &ObjectKey) -> bool {
        self.inventory.contains(key) || self.elsewhere.contains(key)
    }
    fn recorded_uid(&self, _: &str, key: &ObjectKey) -> Option<String> {
        self.uids.get(key).cloned()
    }
    fn allows(&self, _: &str, verb: &str, _: &ObjectKey) -> bool {
        !self.revoked.contains(verb)
    }
    fn offered(&self, _: &str) -> Option<u8> {
        Some(5)
    }
    fn level(&self) -> Option<u8> {
        None
    }
    fn done(&self, _: usize, step: Step, _: u8) -> bool {
        if step.lifetime {
            self.ledger
        } else {
            self.done
        }
    }
    fn begun(&self, _: usize, _: Step, _: &str) -> bool {
        false
    }
}

impl Cluster {
    fn new(property: impl Property + 'static) -> Self {
        let setup = Setup {
            features: BTreeSet::from([Feature::Recreate, Feature::Actions]),
            ..Setup::plain()
        };
        Self {
            table: Table::of(&setup),
            setup,
            variant: Variant::default(),
            objects: BTreeMap::new(),
            inventory: Vec::new(),
            elsewhere: Vec::new(),
            uids: BTreeMap::new(),
            revoked: BTreeSet::new(),
            gone: false,
            done: false,
            ledger: false,
            number: 0,
            heard: None,
            property: Box::new(property),
        }
    }

    /// A request of a process that went well; what the property says of it.
    fn says(&mut self, process: usize, what: What) -> Result<(), String> {
        let absent = matches!(what, What::Get(_, None));
        self.answers(process, what, if absent { 404 } else { 200 })
    }

    /// Something that no process does.
    fn happens(&mut self, what: What) -> Result<(), String> {
        self.holds(usize::MAX, Who::World, what, 0)
    }

    fn answers(&mut self, process: usize, what: What, code: u16) -> Result<(), String> {
        let who = match &what {
            What::Account(..) => Who::Controller,
            _ => Who::User("system:serviceaccount:payments:deployer".to_owned()),
        };
        self.holds(process, who, what, code)
    }

    fn holds(&mut self, process: usize, who: Who, what: What, code: u16) -> Result<(), String> {
        self.number += 1;
        let effect = !matches!(
            what,
            What::Get(..) | What::DryRun(..) | What::Source(..) | What::Inventories | What::Ledger
        );
        let entry = Entry {
            number: self.number,
            at: Timestamp::default(),
            began: Timestamp::default(),
            process,
            life: 0,
            who,
            what,
            code,
            delivered: true,
            effect,
            abroad: false,
            versions: None,
            heard: self.heard,
        };
        let mut property =
            std::mem::replace(&mut self.property, Box::new(super::i9_secrets::Secrets));
        let said = property.look(&entry, self);
        self.property = property;
        said
    }

    fn makes(&mut self, process: usize, key: &ObjectKey, uid: &str) -> Result<(), String> {
        let before = self.objects.insert(key.clone(), sight(uid));
        self.says(process, What::Apply(key.clone(), before, Some(sight(uid))))
    }

    fn records_elsewhere(&mut self, process: usize, keys: &[&ObjectKey]) -> Result<(), String> {
        let after: Vec<ObjectKey> = keys.iter().map(|key| (*key).clone()).collect();
        let before = std::mem::replace(&mut self.elsewhere, after.clone());
        self.says(process, What::Inventory("app".to_owned(), before, after))
    }

    fn records(&mut self, process: usize, keys: &[&ObjectKey]) -> Result<(), String> {
        let after: Vec<ObjectKey> = keys.iter().map(|key| (*key).clone()).collect();
        let before = std::mem::replace(&mut self.inventory, after.clone());
        self.uids.retain(|key, _| after.contains(key));
        self.says(process, What::Inventory("base".to_owned(), before, after))
    }
}

fn secret() -> ObjectKey {
    Setup::plain()
        .all_items()
        .into_iter()
        .map(|(_, item)| item.key())
        .find(|key| key.kind == "Secret")
        .unwrap_or_else(|| panic!("the plain release has a Secret"))
}

fn sight(uid: &str) -> Sight {
    Sight {
        uid: uid.to_owned(),
        content: "base-3@1".to_owned(),
        owner: Some("payments/shop".to_owned()),
        deleting: false,
        ready: true,
        keep: false,
        legacy: false,
    }
}
