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
