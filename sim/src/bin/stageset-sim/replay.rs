//! `stageset-sim replay`: what is replayed is a run of the trials, which are built on the simulator. So it
//! is their program that does it, found as `git` and `cargo` find theirs: beside this one, or else on PATH.

use std::{
    io,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

const TRIALS: &str = "stageset-trials";

/// Why nothing could be replayed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplayError {
    /// The trials weren't built.
    #[error(
        "there is no program `{TRIALS}` beside this one ({}) nor on PATH: build it with \
         `cargo build --package {TRIALS}`, or run `just replay FILE`",
        .0.display()
    )]
    NotBuilt(PathBuf),
    /// It was found and didn't start.
    #[error("{}: {source}", .program.display())]
    NotStarted {
        /// What was started.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Replays a file; the exit code is that of the trials' program.
pub(crate) fn replay(file: &Path, options: &[String]) -> Result<ExitCode, ReplayError> {
    let name = format!("{TRIALS}{}", std::env::consts::EXE_SUFFIX);
    let own = std::env::current_exe().unwrap_or_default();
    let beside = own.with_file_name(&name);
    let found = beside.is_file();
    let program = if found { beside } else { PathBuf::from(name) };
    let mut command = Command::new(&program);
    match command.arg("replay").arg(file).args(options).status() {
        Ok(status) => {
            // Ended by a signal, it has no code.
            let code = status.code().and_then(|code| u8::try_from(code).ok());
            Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
        }
        Err(error) if !found && error.kind() == io::ErrorKind::NotFound => {
            Err(ReplayError::NotBuilt(own))
        }
        Err(source) => Err(ReplayError::NotStarted { program, source }),
    }
}
