//! `stagesetctl plan --dir`: the plan of the next pass, for review.
//!
//! The production driver works on a simulated copy of the cluster; what it decides until the release
//! is through, or stands still, is the plan. If steps of the scenario change the world, everything
//! before the last of them is delivered silently first, so that the plan shows what that last change
//! leads to: an update, a teardown, a correction.

use std::process::ExitCode;

use crate::arguments::{Output, Plan};
use crate::error::CommandError;
use crate::scenario::Scenario;
use crate::simulation::{self, Options};
use crate::timeline::{print_json, print_out};

mod text;
mod view;

pub use view::{Do, Planned, StageSetPlan};

/// Prints the plan of a folder.
///
/// # Errors
/// [`CommandError`] if the folder can't be used or the simulation can't go on.
pub fn command(options: &Plan) -> Result<ExitCode, CommandError> {
    let Some(directory) = &options.dir else {
        return Err(CommandError::Usage(
            "plan needs --dir DIR, a scenario folder".to_owned(),
        ));
    };
    let scenario = Scenario::load(directory)?;
    let run = simulation::trace(
        &scenario,
        &Options {
            until: None,
            single_tenant: options.single_tenant,
        },
    )?;
    let plans = view::plans(&run);
    match options.output {
        Output::Text => print_out(&text::text(&plans))?,
        Output::Json => print_json(&plans)?,
    }
    Ok(ExitCode::SUCCESS)
}
