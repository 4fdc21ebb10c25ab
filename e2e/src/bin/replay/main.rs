//! `just sim-real`: what simulated API servers lived through in runs at level wire is lived through
//! again by real ones, and the answers are compared.
//!
//! | Idea | File |
//! |---|---|
//! | a history, step by step | `run` |
//! | one real server, and who asks it | `server` |
//! | what of the simulated one is what there | `mapping` |
//! | what the cluster did by itself | `change` |
//! | what a real server needs a moment for | `settle` |
//! | the watches, event by event | `watches` |
//! | what may differ, and why | `excluded` |
//! | what is printed | `report` |
//!
//! What it shows, and what it doesn't: `docs/trials.md`.

mod change;
mod excluded;
mod mapping;
mod report;
mod run;
mod server;
mod settle;
mod watches;

use std::process::ExitCode;

use anyhow::{Result, ensure};

use crate::report::Report;

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let files: Vec<String> = std::env::args().skip(1).collect();
    ensure!(
        !files.is_empty(),
        "found no file, wanted some that `stageset-trials record` wrote"
    );
    let mut sum = Report::new("in all");
    let mut good = true;
    for file in &files {
        let history = run::read(file)?;
        let mut report = Report::new(&history.of);
        if let Err(error) = run::run(&history, &mut report).await {
            println!("{} breaks off: {error:#}", history.of);
            good = false;
        }
        good &= report.finish();
        sum.absorb(report);
    }
    if files.len() > 1 {
        sum.finish();
    }
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
