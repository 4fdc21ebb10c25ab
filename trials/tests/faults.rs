//! Everything that the trials promise to do to the operator really happens to it, at the level that is
//! named here; and what doesn't is named as well, with the reason.

use std::collections::BTreeMap;

use stageset_trials::event::{Edit, Event, Failing, Offer, Standing, Watch, Way, Workload};
use stageset_trials::schedule::{Level, Schedule};
use stageset_trials::setup::Feature;
use stageset_trials::sweep::run;

/// Where a fault happens.
enum At {
    Both(fn(&Event) -> bool),
    Wire(fn(&Event) -> bool),
    Core(fn(&Event) -> bool),
    /// Not among the events: where it is tried instead.
    Elsewhere(&'static str),
}

/// The list of the project's plan (“Hostile”), in its order, and what was added since.
const FAULTS: &[(&str, At)] = &[
    (
        "crash before a request took effect",
        At::Both(|e| *e == Event::CrashBefore),
    ),
    ("crash after it did", At::Both(|e| *e == Event::CrashAfter)),
    ("lost response", At::Both(|e| *e == Event::Lose)),
    ("late response", At::Both(|e| matches!(e, Event::Late(_)))),
    (
        "stale read from a lagging server",
        At::Both(|e| *e == Event::Stale),
    ),
    (
        "cache behind own writes",
        At::Both(|e| matches!(e, Event::Lag(..))),
    ),
    (
        "missed watch events",
        At::Wire(|e| matches!(e, Event::Watch(_, Watch::Missed))),
    ),
    (
        "repeated watch events",
        At::Wire(|e| matches!(e, Event::Watch(_, Watch::Repeated))),
    ),
    (
        "reordered watch events",
        At::Wire(|e| matches!(e, Event::Watch(_, Watch::Reordered))),
    ),
    (
        "late watch events",
        At::Wire(|e| matches!(e, Event::Lag(..))),
    ),
    (
        "a watch that ends",
        At::Wire(|e| matches!(e, Event::Watch(_, Watch::Closed))),
    ),
    (
        "410 in a watch",
        At::Wire(|e| matches!(e, Event::Watch(_, Watch::Expired))),
    ),
    ("401", At::Both(|e| *e == Event::Fail(Failing::Code(401)))),
    ("403", At::Both(|e| *e == Event::Fail(Failing::Code(403)))),
    ("409", At::Both(|e| *e == Event::Fail(Failing::Code(409)))),
    ("410", At::Both(|e| *e == Event::Fail(Failing::Code(410)))),
    ("422", At::Both(|e| *e == Event::Fail(Failing::Code(422)))),
    ("429", At::Both(|e| *e == Event::Fail(Failing::Code(429)))),
    ("500", At::Both(|e| *e == Event::Fail(Failing::Code(500)))),
    ("503", At::Both(|e| *e == Event::Fail(Failing::Code(503)))),
    ("timeout", At::Both(|e| *e == Event::Fail(Failing::Timeout))),
    (
        "connection reset",
        At::Both(|e| *e == Event::Fail(Failing::Reset)),
    ),
    (
        "GOAWAY, stream limits and resets of real sockets",
        At::Elsewhere("src/cluster/tests/broken_connections.rs: level wire has no sockets"),
    ),
    (
        "a permission revoked",
        At::Both(|e| matches!(e, Event::Revoke(..))),
    ),
    ("a permission granted", At::Both(|e| *e == Event::Grant)),
    (
        "ServiceAccount deleted",
        At::Both(|e| matches!(e, Event::RemoveAccount(_))),
    ),
    (
        "ServiceAccount recreated",
        At::Both(|e| matches!(e, Event::RecreateAccount(_))),
    ),
    (
        "namespace deleted in mid-run",
        At::Both(|e| matches!(e, Event::RemoveNamespace(_))),
    ),
    (
        "CRD deleted in mid-run",
        At::Both(|e| matches!(e, Event::RemoveKind(_))),
    ),
    (
        "a webhook that denies only DELETE",
        At::Both(|e| *e == Event::DenyDeletes),
    ),
    (
        "admission that refuses a kind",
        At::Both(|e| matches!(e, Event::Reject(_))),
    ),
    (
        "another manager fighting for a field",
        At::Both(|e| matches!(e, Event::Fight(..))),
    ),
    (
        "somebody editing inventory: an entry less",
        At::Both(|e| matches!(e, Event::Forget(_))),
    ),
    (
        "somebody editing inventory: one more",
        At::Both(|e| matches!(e, Event::Plant(_))),
    ),
    (
        "somebody deleting inventory",
        At::Both(|e| matches!(e, Event::DropInventory(_))),
    ),
    (
        "somebody editing objects",
        At::Both(|e| matches!(e, Event::Edit(_))),
    ),
    (
        "somebody deleting objects",
        At::Both(|e| matches!(e, Event::Delete(_))),
    ),
    (
        "somebody replacing objects",
        At::Both(|e| matches!(e, Event::Replace(_))),
    ),
    (
        "somebody removing labels",
        At::Both(|e| matches!(e, Event::Unlabel(_))),
    ),
    (
        "somebody setting others' labels",
        At::Both(|e| matches!(e, Event::Steal(_))),
    ),
    (
        "somebody adding finalizers",
        At::Both(|e| matches!(e, Event::Hold(_))),
    ),
    (
        "somebody asking for an object to be kept",
        At::Both(|e| matches!(e, Event::Keep(_))),
    ),
    (
        "somebody editing owner references",
        At::Elsewhere("the controller reads none: labels alone say whose an object is (I8)"),
    ),
    (
        "source not ready",
        At::Both(|e| matches!(e, Event::Source(_, Offer::NotReady))),
    ),
    (
        "source absent",
        At::Both(|e| matches!(e, Event::Source(_, Offer::Absent))),
    ),
    (
        "source without an artifact",
        At::Both(|e| matches!(e, Event::Source(_, Offer::NoArtifact))),
    ),
    (
        "download that fails",
        At::Both(|e| matches!(e, Event::Source(_, Offer::Broken))),
    ),
    (
        "revision changing in mid-run",
        At::Both(|e| matches!(e, Event::Source(_, Offer::Revision(_)))),
    ),
    (
        "spec changing in mid-run",
        At::Both(|e| matches!(e, Event::Spec(Edit::Drop(_)))),
    ),
    (
        "order of stages changing",
        At::Both(|e| matches!(e, Event::Spec(Edit::Reverse))),
    ),
    (
        "suspended in mid-run",
        At::Both(|e| matches!(e, Event::Spec(Edit::Suspend))),
    ),
    (
        "prune turned off in mid-run",
        At::Both(|e| matches!(e, Event::Spec(Edit::Unprune(_)))),
    ),
    (
        "a spec that breaks a rule",
        At::Core(|e| matches!(e, Event::Spec(Edit::Invalid))),
    ),
    (
        "deleted in mid-run",
        At::Both(|e| *e == Event::DeleteStageSet),
    ),
    ("two leaders", At::Both(|e| *e == Event::SecondLeader)),
    ("skewed clocks", At::Both(|e| matches!(e, Event::Skew(..)))),
    ("clock jumps", At::Both(|e| matches!(e, Event::Jump(_)))),
    (
        "a process that stands still",
        At::Both(|e| matches!(e, Event::Pause(..))),
    ),
    (
        "slow workloads",
        At::Both(|e| matches!(e, Event::Workload(_, Workload::Slow(_)))),
    ),
    (
        "hanging workloads",
        At::Both(|e| matches!(e, Event::Workload(_, Workload::Hang))),
    ),
    (
        "failing workloads",
        At::Both(|e| matches!(e, Event::Workload(_, Workload::Broken))),
    ),
    (
        "a dependency that isn't ready",
        At::Both(|e| *e == Event::Dependency(Standing::NotReady)),
    ),
    (
        "a dependency that is gone",
        At::Both(|e| *e == Event::Dependency(Standing::Absent)),
    ),
    (
        "a variable that changes",
        At::Both(|e| matches!(e, Event::Variable(Some(_)))),
    ),
    (
        "variables that are gone",
        At::Both(|e| *e == Event::Variable(None)),
    ),
    (
        "a receiver of actions that refuses",
        At::Both(|e| matches!(e, Event::Deaf(_))),
    ),
    (
        "a witness that is replaced",
        At::Both(|e| *e == Event::Anchor),
    ),
    (
        "an object that a stage waits for goes",
        At::Both(|e| matches!(e, Event::Gate(_, false))),
    ),
    (
        "an object that a stage waits for comes back",
        At::Both(|e| matches!(e, Event::Gate(_, true))),
    ),
    (
        "an object of which an expression doesn't hold",
        At::Both(|e| matches!(e, Event::Close(_, true))),
    ),
    (
        "another tenant's release with the same names, and what becomes of that",
        At::Wire(|e| matches!(e, Event::Neighbour(_))),
    ),
    (
        "a kubeconfig that is gone",
        At::Wire(|e| *e == Event::Abroad(Way::Absent)),
    ),
    (
        "a kubeconfig that is broken",
        At::Wire(|e| *e == Event::Abroad(Way::Broken)),
    ),
    (
        "a remote cluster that is silent",
        At::Wire(|e| *e == Event::Abroad(Way::Silent)),
    ),
];

/// Level core is tried by running, and counts what really happened; level wire by drawing alone, since
/// a run of it costs a hundred times as much (`just sim wire` runs them).
#[test]
fn every_fault_happens_or_is_tried_elsewhere() {
    let mut happened: BTreeMap<&str, usize> = BTreeMap::new();
    let mut note = |level: Level, event: &Event| {
        for (name, at) in FAULTS {
            let hit = match (at, level) {
                (At::Both(is) | At::Core(is), Level::Core) | (At::Wire(is), Level::Wire) => {
                    is(event)
                }
                _ => false,
            };
            *happened.entry(name).or_default() += usize::from(hit);
        }
    };
    for seed in 0..900 {
        let outcome = run(&Schedule::draw(seed, Level::Core), Level::Core, true);
        for event in &outcome.happened {
            note(Level::Core, event);
        }
    }
    for seed in 0..2000 {
        for (_, event) in Schedule::draw(seed, Level::Wire).events {
            note(Level::Wire, &event);
        }
    }
    for (name, at) in FAULTS {
        if let At::Elsewhere(reason) = at {
            println!("{name}: {reason}");
        } else {
            let times = happened.get(name).copied().unwrap_or(0);
            println!("{name}: {times} times");
            assert!(times >= 3, "{name} happened {times} times");
        }
    }
}

#[test]
fn every_feature_is_drawn_and_converges_alone() {
    for feature in Feature::ALL {
        let level = if matches!(feature, Feature::Remote | Feature::Neighbour) {
            Level::Wire
        } else {
            Level::Core
        };
        let drawn = (0..400)
            .map(|seed| Schedule::draw(seed, level))
            .find(|schedule| schedule.setup.has(feature))
            .expect("400 seeds draw every feature");
        if level == Level::Wire && !cfg!(feature = "wire") {
            println!("{feature} is drawn, and not run: this was built without level wire");
            continue;
        }
        let mut quiet = drawn;
        quiet.events.clear();
        quiet.setup.features = [feature].into();
        let outcome = run(&quiet, level, false);
        assert!(
            outcome.violation.is_none(),
            "{feature}: {:?}",
            outcome.violation
        );
    }
}
