//! Drawing what happens: each run first draws its own mix, then its events from that (swarm), since
//! a run in which everything fails a little never gets to where something fails badly.

use super::Level;
use crate::event::{Edit, Event, FAILINGS, Nearby, Offer, Standing, VERBS, Watch, Way, Workload};
use crate::random::Random;
use crate::setup::{EXTRA, Feature, Flavour, LEVELS, REVISIONS, Setup};

/// Kinds of trouble that a mix weighs.
#[derive(Debug, Clone, Copy)]
enum Trouble {
    Failure,
    Crash,
    Answer,
    Rights,
    Admission,
    Meddling,
    Records,
    Release,
    Spec,
    Deletion,
    Platform,
    Workloads,
    Time,
    Leaders,
    Features,
    /// Level wire's alone: level core's processes watch nothing but their own records.
    Watches,
}

const TROUBLES: [Trouble; 16] = [
    Trouble::Failure,
    Trouble::Crash,
    Trouble::Answer,
    Trouble::Rights,
    Trouble::Admission,
    Trouble::Meddling,
    Trouble::Records,
    Trouble::Release,
    Trouble::Spec,
    Trouble::Deletion,
    Trouble::Platform,
    Trouble::Workloads,
    Trouble::Time,
    Trouble::Leaders,
    Trouble::Features,
    Trouble::Watches,
];

/// Everything that will happen to a run.
pub(super) fn events(setup: &Setup, random: &Random, level: Level) -> Vec<(u64, Event)> {
    let mut mix = random.child(2);
    let weights: Vec<u64> = TROUBLES
        .iter()
        .map(|trouble| {
            let weight = *mix.pick(&[0, 0, 0, 1, 3, 8]);
            let here = level == Level::Wire || !matches!(trouble, Trouble::Watches);
            if here { weight } else { 0 }
        })
        .collect();
    let total: u64 = weights.iter().sum();
    let often = *mix.pick(&[15, 40, 80, 150, 250]);
    let mut draws = random.child(3);
    let mut events = Vec::new();
    if total == 0 {
        return events;
    }
    for boundary in 0..setup.boundaries {
        while draws.per_mille(often) {
            let mut at = draws.below(total);
            let trouble = TROUBLES.iter().zip(&weights).find(|(_, weight)| {
                let found = at < **weight;
                at = at.saturating_sub(**weight);
                found
            });
            if let Some((trouble, _)) = trouble {
                events.push((boundary, event(*trouble, setup, &mut draws)));
            }
        }
    }
    events
}

fn event(trouble: Trouble, setup: &Setup, random: &mut Random) -> Event {
    match trouble {
        Trouble::Failure => Event::Fail(*random.pick(&FAILINGS)),
        Trouble::Crash => {
            if random.per_mille(500) {
                Event::CrashBefore
            } else {
                Event::CrashAfter
            }
        }
        Trouble::Answer => match random.below(3) {
            0 => Event::Lose,
            1 => Event::Late(*random.pick(&[1, 3, 20, 90])),
            _ => Event::Stale,
        },
        Trouble::Rights => rights(setup, random),
        Trouble::Admission => match random.below(4) {
            0 => Event::DenyDeletes,
            1 => Event::AllowDeletes,
            2 => Event::Reject(kind(setup, random)),
            _ => Event::Accept,
        },
        Trouble::Meddling => meddling(setup, random),
        Trouble::Records => match random.below(4) {
            0 | 1 => Event::Forget(object(setup, random)),
            2 => Event::Plant(stage(setup, random)),
            _ => Event::DropInventory(stage(setup, random)),
        },
        Trouble::Release => release(setup, random),
        Trouble::Spec => Event::Spec(match random.below(7) {
            0 => Edit::Drop(stage(setup, random)),
            1 => Edit::Unprune(stage(setup, random)),
            2 => Edit::Reverse,
            3 => Edit::Suspend,
            4 => Edit::Invalid,
            _ => Edit::Plain,
        }),
        Trouble::Deletion => {
            if random.per_mille(600) {
                Event::DeleteStageSet
            } else {
                Event::Hold(object(setup, random))
            }
        }
        Trouble::Platform => match (setup.flavour, random.below(3)) {
            (Flavour::Platform, 0) => Event::RemoveKind("Widget".into()),
            (Flavour::Platform, 1) => Event::RemoveNamespace(EXTRA.into()),
            _ => Event::Request,
        },
        Trouble::Workloads => match random.below(5) {
            0 => Event::Workload("Deployment".into(), Workload::Hang),
            1 => Event::Workload("Deployment".into(), Workload::Broken),
            2 | 3 => {
                let seconds = *random.pick(&[1, 7, 70, 1000]);
                Event::Workload("Deployment".into(), Workload::Slow(seconds))
            }
            _ => Event::MendWorkloads,
        },
        Trouble::Time => match random.below(4) {
            0 => Event::Jump(*random.pick(&[5, 60, 650, 4000])),
            1 => Event::Lag(process(random), *random.pick(&[1, 5, 60, 700])),
            2 => Event::Skew(process(random), *random.pick(&[-90, -5, 5, 90])),
            _ => Event::Pause(process(random), *random.pick(&[2, 20, 200])),
        },
        Trouble::Watches => Event::Watch(process(random), *random.pick(&Watch::ALL)),
        Trouble::Features => of_feature(setup, random),
        Trouble::Leaders => match random.below(3) {
            0 => Event::SecondLeader,
            1 => Event::Pause(process(random), *random.pick(&[2, 20, 200])),
            _ => Event::Skew(process(random), *random.pick(&[-30, 30])),
        },
    }
}

/// What goes wrong with a feature of the release; a request by the user where it has none.
fn of_feature(setup: &Setup, random: &mut Random) -> Event {
    let features: Vec<Feature> = setup.features.iter().copied().collect();
    if features.is_empty() {
        return Event::Request;
    }
    match random.pick(&features) {
        Feature::Actions => match random.below(5) {
            0 => Event::Deaf(random.between(1, 4)),
            1 => Event::Anchor,
            2 => Event::Workload("Job".into(), Workload::Hang),
            3 => Event::Workload("Job".into(), Workload::Broken),
            _ => Event::Workload("Job".into(), Workload::Slow(*random.pick(&[1, 20, 900]))),
        },
        Feature::Dependency => Event::Dependency(*random.pick(&Standing::ALL)),
        Feature::Variables => match random.below(u64::from(LEVELS) + 1) {
            0 => Event::Variable(None),
            level => Event::Variable(u8::try_from(level - 1).ok()),
        },
        Feature::Remote => Event::Abroad(*random.pick(&Way::ALL)),
        Feature::Gates => Event::Gate(stage(setup, random), random.per_mille(500)),
        Feature::Expressions => closing(setup, random),
        Feature::Neighbour => Event::Neighbour(match *random.pick(&Nearby::ALL) {
            Nearby::Revision(_) => {
                let revision = random.between(1, u64::from(REVISIONS));
                Nearby::Revision(u8::try_from(revision).unwrap_or(1))
            }
            event => event,
        }),
        Feature::Again => Event::Again(stage(setup, random)),
        Feature::Successor => Event::Spec(Edit::Successor),
        Feature::Renamed => Event::Spec(*random.pick(&[Edit::Rename, Edit::Swap])),
        Feature::Reviews
        | Feature::Takeover
        | Feature::Recreate
        | Feature::Unwaited
        | Feature::Paced
        | Feature::SingleTenant
        | Feature::Kept
        | Feature::Sharded => Event::Request,
    }
}

fn rights(setup: &Setup, random: &mut Random) -> Event {
    let accounts = setup.account_names();
    if accounts.is_empty() {
        return Event::Grant;
    }
    let account = (*random.pick(&accounts)).to_owned();
    match random.below(8) {
        0..=3 => {
            let verb = (*random.pick(&VERBS)).to_owned();
            Event::Revoke(account, verb, kind(setup, random))
        }
        4 => Event::RemoveAccount(account),
        5 => Event::RecreateAccount(account),
        _ => Event::Grant,
    }
}

/// Somebody says of an object what an expression waits for, or takes it back: mostly of the first object of
/// the first stage, which others wait for.
fn closing(setup: &Setup, random: &mut Random) -> Event {
    let items = setup.all_items().into_iter();
    let mut names = items
        .filter(|(_, item)| item.kind == "ConfigMap")
        .map(|(_, item)| item.to_string());
    let first = names.next();
    let others: Vec<String> = names.collect();
    let name = match first {
        Some(first) if others.is_empty() || random.per_mille(700) => first,
        None if others.is_empty() => return Event::Request,
        _ => random.pick(&others).clone(),
    };
    Event::Close(name, random.per_mille(700))
}

fn meddling(setup: &Setup, random: &mut Random) -> Event {
    let object = object(setup, random);
    match random.below(11) {
        0 | 1 => Event::Edit(object),
        2 => Event::Fight(object, random.between(1, 4)),
        3 | 4 => Event::Delete(object),
        5 => Event::Replace(object),
        6 => Event::Unlabel(object),
        7 => Event::Steal(object),
        8 => Event::Hold(object),
        9 => Event::Keep(object),
        _ => Event::Release,
    }
}

fn release(setup: &Setup, random: &mut Random) -> Event {
    if setup.has(Feature::Expressions) && random.per_mille(400) {
        return closing(setup, random);
    }
    let source = (*random.pick(&setup.sources())).to_owned();
    let offer = match random.below(10) {
        0 => Offer::NotReady,
        1 => Offer::Absent,
        2 => Offer::NoArtifact,
        3 => Offer::Broken,
        _ => {
            let revision = random.between(1, u64::from(REVISIONS));
            Offer::Revision(u8::try_from(revision).unwrap_or(1))
        }
    };
    Event::Source(source, offer)
}

fn object(setup: &Setup, random: &mut Random) -> String {
    let items = setup.all_items();
    random.pick(&items).1.to_string()
}

fn kind(setup: &Setup, random: &mut Random) -> String {
    let items = setup.all_items();
    random.pick(&items).1.kind.to_owned()
}

fn stage(setup: &Setup, random: &mut Random) -> usize {
    usize::try_from(random.below(setup.stages as u64)).unwrap_or(0)
}

fn process(random: &mut Random) -> usize {
    usize::from(random.per_mille(300))
}
