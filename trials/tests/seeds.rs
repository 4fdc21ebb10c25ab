//! Some seeds hold every promise, and bugs don't get through: many more are run by `just sim` and
//! `just saboteurs`.

use stageset_trials::saboteurs::{Saboteur, catch};
use stageset_trials::schedule::{Level, Schedule, read, shrink};
use stageset_trials::setup::{Accounts, Feature, Setup};
use stageset_trials::sweep::{Sweep, run};

fn sweep(level: Level, count: u64) {
    let sweep = Sweep {
        level,
        first: 0,
        count,
        time: None,
        threads: 1,
        failures: 1,
    };
    let swept = sweep.run(&|_, _| {});
    assert_eq!(swept.runs, count);
    assert!(swept.failures.is_empty(), "{:?}", swept.failures);
    assert!(swept.events > count, "things do go wrong: {}", swept.events);
}

#[test]
fn the_core_keeps_every_promise() {
    sweep(Level::Core, 150);
}

/// What new seeds have met in CI and in long runs (docs/ci.md), as they were drawn then.
#[test]
fn seeds_that_once_broke_a_promise_keep_it_now() {
    for seed in [
        4_129_592,
        11_773_505_354_537_863_131,
        4_147_184,
        4_495_477,
        4_714_010,
        4_746_897,
        5_655_014,
        5_726_857,
        5_924_311,
        5_958_693,
        6_025_362,
        16_156_878_068_390_989_725,
        10_140_612,
        10_152_354,
        10_155_827,
        10_172_634,
        10_255_002,
        9_803_990_313_065_855_310,
        11_625_360,
        11_788_515,
        14_190_098_017_072_470_409,
        14_190_098_017_073_041_346,
        14_190_098_017_073_041_897,
    ] {
        let schedule = Schedule::draw_early(seed, Level::Core);
        let violation = run(&schedule, Level::Core, false).violation;
        assert_eq!(violation, None, "seed {seed}");
    }
}

/// The same, since there are features that came late.
#[test]
fn seeds_of_late_features_that_once_broke_a_promise_keep_it_now() {
    for seed in [
        853_396_287_049_885_144,
        16_734_938_958_043_232_349,
        10_579_421_962_760_102_726,
        16_768_865_225_289_000_027,
        60_232_264,
        90_383_036,
    ] {
        let schedule = Schedule::draw(seed, Level::Core);
        let violation = run(&schedule, Level::Core, false).violation;
        assert_eq!(violation, None, "seed {seed}");
    }
}

/// In 28 a release goes to a remote cluster and has variables, which are read at home: the trials' accounts
/// had no rights there. In 66336 an action applies once more what is there, without the right to create.
/// In 72435 the answer to an http action came after more than an hour, and the trials' receiver let it be waited
/// for. In 74602 the process stood still before it sent one, and the receiver let it be sent all the same, after
/// its time. In 85425 the end of an object overtook its creation in a watch, and was forgotten for it.
/// In 108903 whatever moved in an object that its account may no longer read was read once more.
/// In 110473 a teardown went by what was remembered of the inventories. In 131665 the trials didn't let go of a
/// definition that the cluster had put a finalizer of its own on; in 134711 they let a list of inventories be old,
/// which no list of what is can be, and in 140894 a bookmark overtake what it says was told.
/// In 149806 a write whose answer was lost was taken for one that did nothing. In 306527 a watch lost its place,
/// and what came and went in between was told to nobody.
#[cfg(feature = "wire")]
#[test]
fn seeds_that_once_broke_a_promise_at_level_wire_keep_it_now() {
    for seed in [
        28, 66_336, 72_435, 74_602, 85_425, 108_903, 110_473, 131_665, 306_527,
    ] {
        let schedule = Schedule::draw_early(seed, Level::Wire);
        let violation = run(&schedule, Level::Wire, false).violation;
        assert_eq!(violation, None, "{seed}");
    }
}

/// Seed 119 of level wire: nobody's rights are known of the user of a kubeconfig.
#[test]
fn no_release_goes_abroad_without_an_account() {
    let drawn = (0..2000).map(|seed| Schedule::draw(seed, Level::Wire).setup);
    let abroad: Vec<Setup> = drawn.filter(|setup| setup.has(Feature::Remote)).collect();
    assert!(abroad.len() > 50, "{}", abroad.len());
    assert!(abroad.iter().all(|setup| setup.accounts != Accounts::None));
}

/// One for each promise that can be broken within few seeds; `just saboteurs` runs them all.
#[test]
fn bugs_are_caught() {
    for (saboteur, property) in [
        (Saboteur::PruneAsController, "I1"),
        (Saboteur::NoAccountMeansController, "I1"),
        (Saboteur::HotRetry, "I4"),
        (Saboteur::UnreadableAccountIsFine, "I5"),
        (Saboteur::DeleteKept, "I8"),
        (Saboteur::TellSecrets, "I9"),
        (Saboteur::InventoryAfterApply, "D1"),
        (Saboteur::OverwriteRecords, "D3"),
        (Saboteur::IgnoreDeletion, "L3"),
        (Saboteur::NoWait, "L4"),
        (Saboteur::StatusEveryTime, "L1"),
        (Saboteur::HoldInThePast, "G13"),
    ] {
        let caught = catch(saboteur, 0, 300);
        let by = caught.as_ref().map(|caught| caught.property);
        assert_eq!(by, Some(property), "{saboteur}: {}", saboteur.what());
    }
}

/// Seed 2937 of level wire, shrunk: a StageSet is torn down because a read after a conflict showed its
/// deletion, while the watch of StageSets was cut off; its inventory goes with it, which another watch tells.
#[cfg(feature = "wire")]
const GONE_BEFORE_THE_WATCH: &str = "\
stageset-trials 3
level wire
seed 2937
property L1
setup stages 1
setup objects 5
setup accounts shared
setup one-source true
setup flavour platform
setup slow 5
setup obstinate false
setup boundaries 0
setup features none
setup alone true
at 24 plant 0
at 35 watch 0 missed
at 38 delete-stageset
";

#[cfg(feature = "wire")]
#[test]
fn what_is_gone_before_the_watch_tells_is_not_delivered_again() {
    let (schedule, level, _) = read(GONE_BEFORE_THE_WATCH).expect("a replay file");
    let outcome = run(&schedule, level, true);
    let mut after = outcome
        .log
        .iter()
        .map(ToString::to_string)
        .skip_while(|entry| !entry.contains("remove the finalizer [changed]"));
    assert!(after.next().is_some(), "it is torn down: {:?}", outcome.log);
    let written = after.find(|entry| entry.contains("[changed]"));
    assert_eq!((written, outcome.violation), (None, None));
}

/// Seed 1500714 of level wire, shrunk: the account is changed and changed back at once. The other one was shown
/// meanwhile that an object isn't ready any more, and the first one went on by what it had seen before.
#[cfg(feature = "wire")]
const CHANGED_BACK: &str = "\
stageset-trials 3
level wire
seed 1500714
property L4
setup stages 3
setup objects 2
setup accounts shared
setup one-source true
setup flavour plain
setup slow 0
setup obstinate false
setup boundaries 40
setup features takeover,successor
setup alone false
at 5 late 20
at 29 workload Deployment slow 7
at 49 mend-workloads
at 49 spec successor
at 51 spec successor
";

#[cfg(feature = "wire")]
#[test]
fn what_another_account_saw_not_to_be_ready_is_looked_at_again() {
    let (schedule, level, _) = read(CHANGED_BACK).expect("a replay file");
    let violation = run(&schedule, level, false).violation;
    assert_eq!(violation, None);
}

/// Seed 1529940 of level wire, shrunk: a stage leaves and comes back before the status says that it left, so that
/// its inventory, dropped with its objects, is taken for lost. What its actions had made was recorded with it.
#[cfg(feature = "wire")]
const BACK_AT_ONCE: &str = "\
stageset-trials 3
level wire
seed 1529940
property D2
setup stages 2
setup objects 4
setup accounts shared
setup one-source false
setup flavour plain
setup slow 0
setup obstinate false
setup boundaries 120
setup features actions,recreate,gates,kept,again
setup alone true
at 110 spec drop 1
at 122 spec drop 0
";

#[cfg(feature = "wire")]
#[test]
fn what_actions_made_is_not_pruned_with_an_inventory_that_was_lost() {
    let (schedule, level, _) = read(BACK_AT_ONCE).expect("a replay file");
    let violation = run(&schedule, level, false).violation;
    assert_eq!(violation, None);
}

#[test]
fn a_failing_schedule_is_shrunk_to_the_events_that_matter() {
    use stageset_trials::pure::sabotaged;

    let breaks = |schedule: &Schedule| {
        sabotaged(schedule, Saboteur::ShrinkEarly)
            .violation
            .is_some_and(|violation| violation.property == "D1")
    };
    let (drawn, short) = (0..2000)
        .map(|seed| Schedule::draw(seed, Level::Core))
        .find(|schedule| schedule.events.len() > 8 && breaks(schedule))
        .map(|drawn| {
            let short = shrink(&drawn, breaks);
            (drawn, short)
        })
        .expect("2,000 seeds catch it");
    assert!(breaks(&short));
    assert!(short.events.len() < drawn.events.len());
    assert!(
        short.events.len() <= 4,
        "an object that is held and a deletion are enough: {:?}",
        short.events
    );
    assert!(run(&short, Level::Core, false).violation.is_none());
}

/// Seed 4129592, shrunk: an inventory is made, the answer is lost, and before the next try its stage
/// leaves the spec.
const LOST_CREATION: &str = "\
stageset-trials 3
level core
seed 4129592
property L1
setup stages 2
setup objects 3
setup accounts each
setup one-source false
setup flavour plain
setup slow 5
setup obstinate false
setup boundaries 40
setup features none
at 10 spec reverse
at 21 source base not-ready
at 23 lose-answer
at 28 remove-account deployer
at 32 lose-answer
at 37 spec drop 0
";

#[test]
fn an_inventory_whose_creation_got_no_answer_goes_with_its_stage() {
    let (schedule, level, _) = read(LOST_CREATION).expect("a replay file");
    let outcome = run(&schedule, level, true);
    let made = |entry: &stageset_trials::log::Entry| {
        let what = entry.to_string();
        what.contains("inventory of base: 0 -> 3 objects [no answer] [changed]")
    };
    assert!(outcome.log.iter().any(made), "{:?}", outcome.log);
    assert_eq!(outcome.violation, None);
}

/// Seed 1902735 of level wire, shrunk: the StageSet seemed to be torn down, so its inventories were let go of; then
/// there was something to delete after all, and somebody deleted the inventory right after it had been read.
#[cfg(feature = "wire")]
const DROPPED_AFTER_THE_FAREWELL: &str = "\
stageset-trials 3
level wire
seed 1902735
property I8
setup stages 1
setup objects 4
setup accounts shared
setup one-source true
setup flavour plain
setup slow 0
setup obstinate true
setup boundaries 0
setup features dependency,expressions,paced,successor
setup alone true
at 23 delete-stageset
at 23 spec unprune 0
at 28 spec plain
at 31 drop-inventory 0
";

#[cfg(feature = "wire")]
#[test]
fn what_was_read_of_an_inventory_that_somebody_deletes_may_still_be_gone_by() {
    let (schedule, level, _) = read(DROPPED_AFTER_THE_FAREWELL).expect("a replay file");
    let violation = run(&schedule, level, false).violation;
    assert_eq!(violation, None);
}
