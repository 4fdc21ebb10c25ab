//! Entries that another leader has dropped, objects that it has written, actions that it has recorded.

use super::{Cluster, secret, sight};
use crate::event::Event;
use crate::log::{Sight, What};
use crate::property::d1_nothing_lost::NothingLost;
use crate::property::i8_owned_deletes::OwnedDeletes;
use crate::property::l4_order::Order;
use crate::schedule::Level;
use crate::setup::Feature;

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

/// The seed 10683789 of level core: somebody took an entry out, one leader put it back in and pruned the
/// object later; the other, which had stood still since before all that, made the object.
#[test]
fn an_entry_that_was_put_back_is_no_news_to_whoever_knew_it_before() {
    for (listed_when_gone, listed_when_back, permitted) in [
        (false, false, true),
        (false, true, true),
        // It saw that there is none, and was told of none since.
        (true, false, false),
    ] {
        let mut cluster = Cluster::new(NothingLost::default());
        let key = secret();
        assert_eq!(cluster.says(0, What::World(Event::SecondLeader)), Ok(()));
        assert_eq!(cluster.says(0, What::Finalizer(true)), Ok(()));
        assert_eq!(cluster.records(0, &[&key]), Ok(()));
        assert_eq!(cluster.says(1, What::Inventories), Ok(()));
        cluster.inventory.clear();
        let forget = What::World(Event::Forget(format!("Secret/{}", key.name)));
        assert_eq!(cluster.says(0, forget), Ok(()));
        if listed_when_gone {
            assert_eq!(cluster.says(1, What::Inventories), Ok(()));
        }
        assert_eq!(cluster.records(0, &[&key]), Ok(()));
        if listed_when_back {
            assert_eq!(cluster.says(1, What::Inventories), Ok(()));
        }
        assert_eq!(cluster.says(0, What::Get(key.clone(), None)), Ok(()));
        assert_eq!(cluster.records(0, &[]), Ok(()));
        let said = cluster.makes(1, &key, "u1");
        let case = (listed_when_gone, listed_when_back);
        assert_eq!(said.is_ok(), permitted, "{case:?}: {said:?}");
    }
}

/// The seed 11341278 of level core: a stage had moved, so that two inventories held one object, and each
/// leader let one of the two entries go because of the other.
#[test]
fn of_two_entries_each_leader_may_let_one_go_while_it_could_not_know_that_the_other_is_gone() {
    for (leaders, dropped_by, listed, permitted) in [
        (true, Some(1), false, true),
        (true, Some(1), true, false),
        (true, Some(0), false, false),
        // Somebody else did.
        (true, None, false, false),
        (false, Some(1), false, false),
    ] {
        let mut cluster = Cluster::new(NothingLost::default());
        let key = secret();
        if leaders {
            assert_eq!(cluster.says(0, What::World(Event::SecondLeader)), Ok(()));
        }
        assert_eq!(cluster.says(0, What::Finalizer(true)), Ok(()));
        assert_eq!(cluster.records(0, &[&key]), Ok(()));
        assert_eq!(cluster.makes(0, &key, "u1"), Ok(()));
        assert_eq!(cluster.records_elsewhere(0, &[&key]), Ok(()));
        assert_eq!(cluster.says(0, What::Inventories), Ok(()));
        let dropped = if let Some(process) = dropped_by {
            cluster.records_elsewhere(process, &[])
        } else {
            cluster.elsewhere.clear();
            cluster.says(0, What::World(Event::DropInventory(1)))
        };
        assert_eq!(dropped, Ok(()));
        if listed {
            assert_eq!(cluster.says(0, What::Inventories), Ok(()));
        }
        let said = cluster.records(0, &[]);
        let case = (leaders, dropped_by, listed);
        assert_eq!(said.is_ok(), permitted, "{case:?}: {said:?}");
    }
}

/// The seed 6025362 of level core: while one leader tore a StageSet down, its stage became one that
/// doesn't prune, and the other leader let everything go.
#[test]
fn a_deletion_is_excused_only_while_its_process_could_not_know_that_the_entry_is_gone() {
    for (leaders, dropped_by, listed, heard, permitted) in [
        (true, 0, false, false, true),
        // It has listed them since.
        (true, 0, true, false, false),
        // Or could have: its watches had told it when its pass began.
        (true, 0, false, true, false),
        (true, 1, false, false, false),
        (false, 0, false, false, false),
    ] {
        let mut cluster = Cluster::new(OwnedDeletes::default());
        let key = secret();
        if leaders {
            assert_eq!(cluster.says(0, What::World(Event::SecondLeader)), Ok(()));
        }
        assert_eq!(cluster.records(0, &[&key]), Ok(()));
        assert_eq!(cluster.says(1, What::Inventories), Ok(()));
        cluster.objects.insert(key.clone(), sight("u1"));
        assert_eq!(cluster.records(dropped_by, &[]), Ok(()));
        if listed {
            assert_eq!(cluster.says(1, What::Inventories), Ok(()));
        }
        // Anyway it knows what was before this.
        cluster.heard = Some(if heard { cluster.number + 1 } else { 1 });
        let delete = What::Delete(key, Some(sight("u1")), Some("u1".to_owned()));
        let said = cluster.says(1, delete);
        assert_eq!(
            said.is_ok(),
            permitted,
            "{leaders} {dropped_by} {listed} {heard}: {said:?}"
        );
    }
}

/// The seed 13523190365110343063 of level core: a write into the inventory of one stage tells nothing of those
/// of others, and the other leader had dropped the entry there since.
#[test]
fn of_two_leaders_one_learns_of_an_inventory_by_its_own_write_of_that_alone() {
    for (leaders, elsewhere, permitted) in [
        (true, true, true),
        (true, false, false),
        (false, true, false),
    ] {
        let mut cluster = Cluster::new(NothingLost::default());
        let key = secret();
        assert_eq!(cluster.says(0, What::Inventories), Ok(()));
        assert_eq!(cluster.says(0, What::Finalizer(true)), Ok(()));
        assert_eq!(cluster.records(0, &[&key]), Ok(()));
        if leaders {
            assert_eq!(cluster.says(0, What::World(Event::SecondLeader)), Ok(()));
        }
        assert_eq!(cluster.says(1, What::Inventories), Ok(()));
        assert_eq!(cluster.records(0, &[]), Ok(()));
        let recorded = if elsewhere {
            cluster.records_elsewhere(1, &[])
        } else {
            cluster.records(1, &[])
        };
        assert_eq!(recorded, Ok(()));
        let said = cluster.makes(1, &key, "u1");
        assert_eq!(said.is_ok(), permitted, "{leaders} {elsewhere}: {said:?}");
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

/// The seed 10435452 of level core: one leader tore the StageSet down, and with it went what was on record
/// as done; the other, whose watch lagged, went on.
#[test]
fn of_two_leaders_each_may_go_by_the_actions_on_record_before_the_stage_set_went() {
    for (looked, gone, permitted) in [
        (true, true, true),
        (true, false, false),
        (false, true, false),
    ] {
        let mut cluster = Cluster::new(Order::new(Level::Core));
        let key = secret();
        assert_eq!(cluster.says(0, What::World(Event::SecondLeader)), Ok(()));
        (cluster.done, cluster.ledger) = (looked, looked);
        assert_eq!(cluster.says(1, What::Get(key.clone(), None)), Ok(()));
        assert_eq!(cluster.says(1, What::Ledger), Ok(()));
        (cluster.done, cluster.gone) = (false, gone);
        assert_eq!(cluster.says(0, What::Finalizer(false)), Ok(()));
        assert_eq!(cluster.says(1, What::Inventories), Ok(()));
        let said = cluster.makes(1, &key, "u1");
        assert_eq!(said.is_ok(), permitted, "{looked} {gone}: {said:?}");
    }
}

/// The seed 853396287049885144 of level core: the same, and the one whose watch lagged read the ledger once more.
/// That tells of what is done once for ever, and of nothing else.
#[test]
fn what_was_on_record_before_the_stage_set_went_outlives_a_look_at_the_ledger() {
    for (looked, permitted) in [(true, true), (false, false)] {
        let mut cluster = Cluster::new(Order::new(Level::Core));
        let key = secret();
        (cluster.done, cluster.ledger) = (true, true);
        assert_eq!(cluster.says(0, What::World(Event::SecondLeader)), Ok(()));
        if looked {
            assert_eq!(cluster.says(1, What::Inventories), Ok(()));
        }
        (cluster.done, cluster.gone) = (false, true);
        assert_eq!(cluster.says(0, What::Finalizer(false)), Ok(()));
        assert_eq!(cluster.says(1, What::Ledger), Ok(()));
        let said = cluster.makes(1, &key, "u1");
        assert_eq!(said.is_ok(), permitted, "{said:?}");
    }
}

/// The seed 12203557 of level core: one leader's watch lagged, and showed it what was on record for the run
/// before the one that the other had begun since, also after a look at something else.
#[test]
fn of_two_leaders_each_may_go_by_what_was_on_record_as_far_as_its_watch_had_told() {
    for (leaders, lags, permitted) in [
        (true, true, true),
        (true, false, false),
        (false, true, false),
    ] {
        let mut cluster = Cluster::new(Order::new(Level::Core));
        let key = secret();
        if leaders {
            assert_eq!(cluster.says(0, What::World(Event::SecondLeader)), Ok(()));
        }
        cluster.ledger = true;
        cluster.done = true;
        assert_eq!(cluster.says(0, What::Status("one run".to_owned())), Ok(()));
        let heard = cluster.number + 1;
        cluster.done = false;
        assert_eq!(
            cluster.says(0, What::Status("another run".to_owned())),
            Ok(())
        );
        cluster.heard = Some(if lags { heard } else { cluster.number + 1 });
        assert_eq!(cluster.says(1, What::Ledger), Ok(()));
        assert_eq!(cluster.says(1, What::Get(key.clone(), None)), Ok(()));
        let said = cluster.makes(1, &key, "u1");
        assert_eq!(said.is_ok(), permitted, "{leaders} {lags}: {said:?}");
    }
}

/// The seed 90383036 of level core: a leader stood still in the middle of a step while the other one's spec
/// was changed six times. It goes on by what its watch had told it when its pass began.
#[test]
fn a_step_goes_by_the_spec_of_when_its_pass_began_however_many_have_come_since() {
    for (stood_still, permitted) in [(true, true), (false, false)] {
        let mut cluster = Cluster::new(Order::new(Level::Core));
        let key = secret();
        (cluster.done, cluster.ledger) = (true, true);
        assert_eq!(cluster.says(0, What::World(Event::SecondLeader)), Ok(()));
        let began = cluster.number + 1;
        for number in 0..20 {
            cluster.variant.dropped = Some(0);
            cluster.variant.suspended = number % 2 == 0;
            assert_eq!(cluster.happens(What::World(Event::Request)), Ok(()));
        }
        cluster.heard = Some(if stood_still { began } else { cluster.number });
        let said = cluster.makes(0, &key, "u1");
        assert_eq!(said.is_ok(), permitted, "{said:?}");
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
        // There are two already, and it makes no difference to say so again (seed 12231667).
        assert_eq!(cluster.says(0, What::World(Event::SecondLeader)), Ok(()));
        assert_eq!(cluster.says(0, looks.clone()), Ok(()));
        let said = cluster.makes(0, &key, "u1");
        assert_eq!(said.is_ok(), permitted, "{looks:?}: {said:?}");
    }
}

/// The seed 14190098017072470409 of level core: one leader had seen an object as its run wants it, and
/// recorded that run as written; then the other wrote the one before, late, and the object was put back
/// while the dependency wasn't ready any more.
#[test]
fn of_two_leaders_each_may_put_back_what_stood_before_the_other_wrote_late() {
    let status = || What::Status("this run is written".to_owned());
    for (leaders, recorded_by, late_by, seen_and_recorded, permitted) in [
        (true, 1, 0, false, true),
        (true, 1, 0, true, false),
        // Who wrote it knew better.
        (true, 1, 1, false, false),
        (false, 1, 0, false, false),
    ] {
        for put_back_by in [0, 1] {
            let mut cluster = Cluster::new(Order::new(Level::Core));
            cluster.setup.features.insert(Feature::Dependency);
            (cluster.done, cluster.ledger) = (true, true);
            let key = secret();
            let other = Sight {
                content: "base-3@4".to_owned(),
                ..sight("u1")
            };
            if leaders {
                assert_eq!(cluster.says(0, What::World(Event::SecondLeader)), Ok(()));
            }
            for process in [0, 1] {
                assert_eq!(cluster.says(process, What::Dependency(true)), Ok(()));
            }
            assert_eq!(cluster.makes(recorded_by, &key, "u1"), Ok(()));
            assert_eq!(cluster.says(recorded_by, status()), Ok(()));
            let late = What::Apply(key.clone(), Some(sight("u1")), Some(other.clone()));
            assert_eq!(cluster.says(late_by, late), Ok(()));
            if seen_and_recorded {
                let seen = What::Get(key.clone(), Some(other));
                assert_eq!(cluster.says(recorded_by, seen), Ok(()));
                assert_eq!(cluster.says(recorded_by, status()), Ok(()));
            }
            for process in [0, 1] {
                assert_eq!(cluster.says(process, What::Dependency(false)), Ok(()));
            }
            let said = cluster.makes(put_back_by, &key, "u1");
            let case = (
                leaders,
                recorded_by,
                late_by,
                seen_and_recorded,
                put_back_by,
            );
            assert_eq!(said.is_ok(), permitted, "{case:?}: {said:?}");
        }
    }
}
