//! The same seed, the same trace, byte for byte, in two processes: whatever differs between them (the
//! order of a hashed map, the wall clock, an address) would show.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that can't be set up fails"
)]

use std::process::Command;

fn trace(level: &str, seed: u64, hint: &str) -> Vec<u8> {
    let output = Command::new(env!("CARGO_BIN_EXE_stageset-trials"))
        .args(["trace", level, &seed.to_string()])
        // Another environment, so that nothing may rest on it.
        .env("TRIALS_HINT", hint)
        .output()
        .expect("the binary of this package starts");
    assert!(output.status.success());
    output.stdout
}

#[test]
fn two_processes_write_the_same_trace() {
    for seed in 0..12 {
        let (first, second) = (trace("core", seed, "a"), trace("core", seed, "bb"));
        assert!(first.len() > 1000, "seed {seed} does something");
        assert!(first == second, "seed {seed} differs between two processes");
    }
}

#[cfg(feature = "wire")]
#[test]
fn two_processes_write_the_same_trace_at_level_wire() {
    for seed in [1, 2, 3] {
        let (first, second) = (trace("wire", seed, "a"), trace("wire", seed, "bb"));
        assert!(first.len() > 1000, "seed {seed} does something");
        assert!(first == second, "seed {seed} differs between two processes");
    }
}

/// The clusters of its runs are forks of one: nothing of a run may reach the next.
#[cfg(feature = "wire")]
#[test]
fn a_run_at_level_wire_doesnt_depend_on_those_before_it() {
    use stageset_trials::schedule::{Level, Schedule};
    use stageset_trials::sweep::run;

    let lines = |seed| {
        let log = run(&Schedule::draw(seed, Level::Wire), Level::Wire, true).log;
        log.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let alone = lines(4);
    lines(5);
    assert_eq!(lines(4), alone);
}

#[cfg(feature = "wire")]
fn recorded(folder: &std::path::Path, hint: &str) -> Vec<u8> {
    let output = Command::new(env!("CARGO_BIN_EXE_stageset-trials"))
        .args(["record", "6..7", "--into"])
        .arg(folder)
        .env("TRIALS_HINT", hint)
        .output()
        .expect("the binary of this package starts");
    assert!(output.status.success(), "{output:?}");
    std::fs::read(folder.join("wire-6.history")).expect("a file for each seed")
}

#[cfg(feature = "wire")]
#[test]
fn two_processes_record_the_same_history() {
    let folder = std::env::temp_dir().join(format!("trials-record-{}", std::process::id()));
    let (first, second) = (folder.join("a"), folder.join("b"));
    let (first, second) = (recorded(&first, "a"), recorded(&second, "bb"));
    std::fs::remove_dir_all(&folder).expect("the folder of this test goes");
    assert!(first.len() > 100_000, "it holds a run");
    assert!(first == second, "it differs between two processes");
}

/// A recording shows the run that there is without one, and leaves nothing out: each revision of the
/// store since the first request, but for those of deletions, is in an answer or in a change.
#[cfg(feature = "wire")]
#[test]
fn a_recording_changes_nothing_and_tells_of_every_write() {
    use stageset_sim::{Answered, History, What};
    use stageset_trials::schedule::{Level, Schedule};
    use stageset_trials::{sweep, wire};

    for seed in [6, 25] {
        let lines = |outcome: &stageset_trials::Outcome| {
            let log = outcome.log.iter();
            log.map(ToString::to_string).collect::<Vec<_>>()
        };
        let plain = sweep::run(&Schedule::draw(seed, Level::Wire), Level::Wire, true);
        let (outcome, text) = wire::record(seed);
        assert_eq!(lines(&outcome), lines(&plain));

        let history = History::read(&text).expect("what was written is read");
        let mut told = std::collections::BTreeSet::new();
        let (mut deletions, mut events, mut before) = (0, 0, None);
        for step in history.steps.iter().filter(|step| step.cluster == "home") {
            let text = match &step.what {
                What::Change(change) => {
                    deletions += usize::from(change.after.is_none());
                    serde_json::to_string(&change.after).expect("a value is a text")
                }
                What::Request(exchange) => {
                    before = before.or_else(|| told.last().copied());
                    deletions += usize::from(exchange.method == "DELETE");
                    match &exchange.answer {
                        Answered::Whole(_, body) => String::from_utf8_lossy(body).into_owned(),
                        Answered::Watch(_) => String::new(),
                    }
                }
                What::Ended(_) => String::new(),
                What::Told(_) => {
                    events += 1;
                    String::new()
                }
            };
            told.extend(
                text.split("\"resourceVersion\":\"")
                    .skip(1)
                    .filter_map(|rest| {
                        let (version, _) = rest.split_once('"')?;
                        version.parse::<usize>().ok()
                    }),
            );
        }
        let last = told.last().copied().unwrap_or_default();
        let untold = (before.unwrap_or_default()..=last)
            .filter(|version| !told.contains(version))
            .count();
        assert!(last > 60, "seed {seed} writes");
        assert!(events > 20, "seed {seed} has watches, which tell {events}");
        assert!(
            untold <= deletions,
            "{untold} of {last} writes of seed {seed} aren't told"
        );
    }
}
