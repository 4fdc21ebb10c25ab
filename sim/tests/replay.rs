//! `stageset-sim replay` hands over to the trials' program. This crate can't build that one, so a shell
//! stands in for it, which runs the file `replay` of the folder; `trials/tests/files.rs` replays for real.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::{Path, PathBuf};
use std::process::Command;

/// The binary in an empty folder.
fn alone(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("replay-{name}"));
    if folder.exists() {
        std::fs::remove_dir_all(&folder).unwrap();
    }
    std::fs::create_dir_all(&folder).unwrap();
    let binary = env!("CARGO_BIN_EXE_stageset-sim");
    std::fs::hard_link(binary, folder.join("stageset-sim")).unwrap();
    folder
}

/// Exit code and both outputs, with nothing else on PATH than the system's own.
fn replayed(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(folder.join("stageset-sim"))
        .arg("replay")
        .args(arguments)
        .env("PATH", "/usr/bin:/bin")
        .current_dir(folder)
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    (output.status.code(), said)
}

#[test]
fn a_replay_is_the_trials_own_and_so_is_its_exit_code() {
    let folder = alone("with");
    std::os::unix::fs::symlink("/bin/sh", folder.join("stageset-trials")).unwrap();
    let script = "echo \"asked for $@\"\nexit 3\n";
    std::fs::write(folder.join("replay"), script).unwrap();
    let (code, said) = replayed(&folder, &["core-1.trial", "--all"]);
    let wanted = "asked for core-1.trial --all\n";
    assert_eq!((code, said.as_str()), (Some(3), wanted));
}

#[test]
fn without_the_trials_it_says_how_to_build_them() {
    let (code, said) = replayed(&alone("without"), &["core-1.trial"]);
    assert_eq!(code, Some(1), "{said}");
    let how = "cargo build --package stageset-trials";
    assert!(said.contains(how), "{said}");
}
