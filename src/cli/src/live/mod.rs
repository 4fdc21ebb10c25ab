//! Commands on StageSets of a cluster: `get`, `reconcile`, `suspend`, `resume`, and on what is recorded
//! of their Lifetime actions: `baseline`, `reset-ledger`.

mod baseline;
mod get;
mod ledger;
mod reconcile;
mod reset_ledger;
mod suspend;

use std::process::ExitCode;

use crate::connection::{Cluster, ConnectionFlags};
use crate::error::CommandError;

pub use baseline::{Baseline, baseline};
pub use get::{Get, get};
pub use ledger::ActionFlags;
pub use reconcile::{Reconcile, reconcile};
pub use reset_ledger::{ResetLedger, reset_ledger};
pub use suspend::{Resume, Suspend, resume, suspend};

/// `stagesetctl get`.
///
/// # Errors
/// [`CommandError`].
pub fn get_command(options: &Get) -> Result<ExitCode, CommandError> {
    on_a_cluster(&options.connection, async |cluster| {
        get(&cluster, options).await
    })
}

/// `stagesetctl reconcile`.
///
/// # Errors
/// [`CommandError`].
pub fn reconcile_command(options: &Reconcile) -> Result<ExitCode, CommandError> {
    let token = jiff::Timestamp::now().to_string();
    on_a_cluster(&options.connection, async |cluster| {
        reconcile(&cluster, options, &token, |warning| eprintln!("{warning}")).await
    })
}

/// `stagesetctl suspend`.
///
/// # Errors
/// [`CommandError`].
pub fn suspend_command(options: &Suspend) -> Result<ExitCode, CommandError> {
    on_a_cluster(&options.connection, async |cluster| {
        suspend(&cluster, &options.name).await
    })
}

/// `stagesetctl resume`.
///
/// # Errors
/// [`CommandError`].
pub fn resume_command(options: &Resume) -> Result<ExitCode, CommandError> {
    on_a_cluster(&options.connection, async |cluster| {
        resume(&cluster, &options.name).await
    })
}

/// `stagesetctl baseline`.
///
/// # Errors
/// [`CommandError`].
pub fn baseline_command(options: &Baseline) -> Result<ExitCode, CommandError> {
    on_a_cluster(&options.connection, async |cluster| {
        baseline(&cluster, options, |note| eprintln!("{note}")).await
    })
}

/// `stagesetctl reset-ledger`.
///
/// # Errors
/// [`CommandError`].
pub fn reset_ledger_command(options: &ResetLedger) -> Result<ExitCode, CommandError> {
    on_a_cluster(&options.connection, async |cluster| {
        reset_ledger(&cluster, options, |note| eprintln!("{note}")).await
    })
}

/// Does something on a cluster, in a runtime of its own, and prints what it says.
fn on_a_cluster(
    flags: &ConnectionFlags,
    act: impl AsyncFnOnce(Cluster) -> Result<String, CommandError>,
) -> Result<ExitCode, CommandError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let text = runtime.block_on(async { act(flags.connect().await?).await })?;
    crate::timeline::print_out(&text)?;
    Ok(ExitCode::SUCCESS)
}
