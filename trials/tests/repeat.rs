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
