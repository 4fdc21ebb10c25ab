//! What is excused to two leaders, and what isn't; and what a deletion is held against.
//! The logs are written by hand, as short as can be.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stageset_core::object::ObjectKey;
use stageset_core::time::Timestamp;

use super::Property;
use super::d1_nothing_lost::NothingLost;
use super::i8_owned_deletes::OwnedDeletes;
use super::l4_order::Order;
use crate::event::Event;
use crate::log::{Entry, Sight, What, Who};
use crate::scene::{Scene, StageSetSight};
use crate::schedule::Level;
use crate::setup::{Feature, Setup, Step, Variant};
use crate::table::Table;

struct Cluster {
    setup: Setup,
    table: Arc<Table>,
    variant: Variant,
    objects: BTreeMap<ObjectKey, Sight>,
    inventory: Vec<ObjectKey>,
    /// Whether every action of a revision is on record as done.
    done: bool,
    /// Whether every action that is done once for ever is.
    ledger: bool,
    number: u64,
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
        None
    }
    fn object(&self, key: &ObjectKey) -> Option<Sight> {
        self.objects.get(key).cloned()
    }
    fn objects(&self) -> Vec<(ObjectKey, Sight)> {
        self.objects.clone().into_iter().collect()
    }
    fn inventories(&self) -> Vec<(String, Vec<ObjectKey>)> {
        vec![("base".to_owned(), self.inventory.clone())]
    }
    fn recorded(&self, key: &ObjectKey) -> bool {
        self.inventory.contains(key)
    }
    fn allows(&self, _: &str, _: &str, _: &ObjectKey) -> bool {
        true
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
    fn begun(&self, _: usize, _: Step) -> bool {
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
            done: false,
            ledger: false,
            number: 0,
            property: Box::new(property),
        }
    }

    /// A request of a process that went well; what the property says of it.
    fn says(&mut self, process: usize, what: What) -> Result<(), String> {
        let absent = matches!(what, What::Get(_, None));
        self.answers(process, what, if absent { 404 } else { 200 })
    }

    fn answers(&mut self, process: usize, what: What, code: u16) -> Result<(), String> {
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
            who: Who::User("system:serviceaccount:payments:deployer".to_owned()),
            what,
            code,
            delivered: true,
            effect,
            abroad: false,
            versions: None,
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

    fn records(&mut self, process: usize, keys: &[&ObjectKey]) -> Result<(), String> {
        let after: Vec<ObjectKey> = keys.iter().map(|key| (*key).clone()).collect();
        let before = std::mem::replace(&mut self.inventory, after.clone());
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

/// Process 0 has seen the object go, process 1 makes it again, process 0 drops its entry.
fn raced(leaders: bool, recorded_again: bool) -> Result<(), String> {
    let mut cluster = Cluster::new(NothingLost::default());
    let key = secret();
    if leaders {
        cluster.says(0, What::World(Event::SecondLeader))?;
    }
    cluster.says(0, What::Finalizer(true))?;
    cluster.records(0, &[&key])?;
    cluster.makes(0, &key, "u1")?;
    cluster.objects.clear();
    cluster.says(0, What::Get(key.clone(), None))?;
    if recorded_again {
        cluster.records(1, &[&key])?;
    }
    cluster.makes(1, &key, "u2")?;
    cluster.records(0, &[])
}

#[test]
fn an_entry_dropped_by_what_no_request_could_have_told_is_excused() {
    assert_eq!(raced(true, false), Ok(()));
}

#[test]
fn an_entry_dropped_by_a_look_of_before_the_inventory_is_not() {
    assert!(raced(true, true).is_err());
}

#[test]
fn one_leader_has_no_such_excuse() {
    assert!(raced(false, false).is_err());
}

#[test]
fn one_leader_of_two_has_none_for_what_it_wrote_itself() {
    let mut cluster = Cluster::new(NothingLost::default());
    let key = secret();
    let both = cluster.says(0, What::World(Event::SecondLeader));
    assert_eq!(both, Ok(()));
    assert_eq!(cluster.says(0, What::Finalizer(true)), Ok(()));
    assert_eq!(cluster.records(0, &[&key]), Ok(()));
    assert_eq!(cluster.says(0, What::Get(key.clone(), None)), Ok(()));
    assert_eq!(cluster.makes(0, &key, "u1"), Ok(()));
    assert!(cluster.records(0, &[]).is_err());
}

#[test]
fn a_write_is_excused_only_while_its_process_could_not_know_that_the_entry_is_gone() {
    for listed in [false, true] {
        let mut cluster = Cluster::new(NothingLost::default());
        let key = secret();
        assert_eq!(cluster.says(0, What::World(Event::SecondLeader)), Ok(()));
        assert_eq!(cluster.says(0, What::Finalizer(true)), Ok(()));
        assert_eq!(cluster.records(1, &[&key]), Ok(()));
        assert_eq!(cluster.says(0, What::Get(key.clone(), None)), Ok(()));
        assert_eq!(cluster.records(0, &[]), Ok(()));
        if listed {
            assert_eq!(cluster.says(1, What::Inventories), Ok(()));
        }
        assert_eq!(cluster.makes(1, &key, "u1").is_err(), listed);
    }
}

/// The seed 701862 of level core: a source offered another revision than the one being delivered.
#[test]
fn what_is_created_anew_is_judged_by_the_revision_that_the_process_delivers() {
    for (revision, code, permitted) in [
        (2, 422, true),
        // Nobody has said that it can't be changed in place.
        (2, 200, false),
        // It is as this revision has it: nothing asks for another one.
        (1, 422, false),
        // This revision doesn't have it: what leaves the release must carry our labels.
        (5, 422, false),
    ] {
        let mut cluster = Cluster::new(OwnedDeletes::default());
        let key = secret();
        assert_eq!(cluster.records(0, &[&key]), Ok(()));
        let offered = What::Source("base".to_owned(), Some(revision));
        assert_eq!(cluster.says(0, offered), Ok(()));
        let unlabelled = Sight {
            owner: None,
            ..sight("u1")
        };
        let tried = What::DryRun(key.clone(), Some(unlabelled.clone()));
        assert_eq!(cluster.answers(0, tried, code), Ok(()));
        let delete = What::Delete(key, Some(unlabelled), Some("u1".to_owned()));
        let said = cluster.says(0, delete);
        assert_eq!(
            said.is_ok(),
            permitted,
            "revision {revision}, {code}: {said:?}"
        );
    }
}

/// The seed 3038287 of level core: one leader began another run, for which no action is on record as
/// done, while the other one was about to write what it had decided on before.
#[test]
fn of_two_leaders_each_may_go_by_the_actions_on_record_when_it_last_looked() {
    for (leaders, looked, permitted) in [
        (true, true, true),
        (true, false, false),
        (false, true, false),
    ] {
        let mut cluster = Cluster::new(Order::new(Level::Core));
        let key = secret();
        if leaders {
            assert_eq!(cluster.says(0, What::World(Event::SecondLeader)), Ok(()));
        }
        (cluster.done, cluster.ledger) = (looked, looked);
        assert_eq!(cluster.says(1, What::Get(key.clone(), None)), Ok(()));
        assert_eq!(cluster.says(1, What::Ledger), Ok(()));
        (cluster.done, cluster.ledger) = (false, false);
        let status = What::Status("another run".to_owned());
        assert_eq!(cluster.says(0, status), Ok(()));
        let said = cluster.makes(1, &key, "u1");
        assert_eq!(said.is_ok(), permitted, "{leaders} {looked}: {said:?}");
    }
}

/// The seed 4495477 of level core: one leader found the witness of an action to be another one and took
/// its completion out of the ledger. No watch tells the other one of that.
#[test]
fn of_two_leaders_each_may_go_by_the_ledger_that_it_last_read() {
    for (looks, permitted) in [(What::Inventories, true), (What::Ledger, false)] {
        let mut cluster = Cluster::new(Order::new(Level::Core));
        let key = secret();
        cluster.done = true;
        cluster.ledger = true;
        assert_eq!(cluster.says(0, What::Inventories), Ok(()));
        assert_eq!(cluster.says(0, What::World(Event::SecondLeader)), Ok(()));
        cluster.ledger = false;
        assert_eq!(cluster.says(1, What::LedgerWrite(String::new())), Ok(()));
        assert_eq!(cluster.says(0, looks.clone()), Ok(()));
        let said = cluster.makes(0, &key, "u1");
        assert_eq!(said.is_ok(), permitted, "{looks:?}: {said:?}");
    }
}
