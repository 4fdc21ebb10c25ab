//! `stagesetctl simulate`: what happened, as a timeline for people or as data.

use std::io::Write as _;
use std::process::ExitCode;

use crate::arguments::{Output, Simulate};
use crate::error::CommandError;
use crate::scenario::Scenario;
use crate::simulation::{self, Options};

mod print;
pub mod record;
mod style;
mod tell;
pub(crate) mod words;

pub(crate) use print::wrap;
pub(crate) use tell::{records, user_of};

/// Runs a folder and prints its timeline.
///
/// # Errors
/// [`CommandError`] if the folder can't be used or the simulation can't go on.
pub fn command(options: &Simulate) -> Result<ExitCode, CommandError> {
    let scenario = Scenario::load(&options.directory)?;
    let report = simulation::run(
        &scenario,
        &Options {
            until: options.until,
            single_tenant: options.single_tenant,
        },
    )?;
    match options.output {
        Output::Text => print_out(&print::text(&report, style::Paint::new(options.color)))?,
        Output::Json => print_json(&report)?,
    }
    let good = report.outcomes.iter().all(|outcome| outcome.good);
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}

/// Writes to stdout; a reader that went away is no error.
///
/// # Errors
/// Whatever else the system says.
pub fn print_out(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Writes data to stdout, indented.
///
/// # Errors
/// As [`print_out`].
pub(crate) fn print_json(data: &impl serde::Serialize) -> std::io::Result<()> {
    let text = serde_json::to_string_pretty(data).map_err(std::io::Error::other)?;
    print_out(&(text + "\n"))
}
