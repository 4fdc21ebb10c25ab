//! The scenarios: the built controller, the chart's own rights, a real API server, its audit log.
//!
//! `just e2e` runs them all; words after it select scenarios whose name contains one of them. All
//! share one control plane and one controller, each has namespaces of its own. Those that need the
//! controller for themselves (because they kill it) run alone, after the others.
//!
//! With `STAGESET_E2E_CLUSTER=existing`, the cluster that `KUBECONFIG` names is used instead (kind,
//! for example). It then has no audit log to read, and the scenarios that need one, or the local
//! source-controller, are listed as left out.

mod checks;
mod report;
mod scenarios;
mod stageset;
mod world;

use std::process::ExitCode;

use anyhow::Result;

use crate::report::Report;
use crate::scenarios::{SCENARIOS, Scenario};
use crate::world::World;

/// How many scenarios run beside each other. They mostly wait; two cores carry this many.
const SIDE_BY_SIDE: usize = 4;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with('-'))
        .collect();
    match run(&words) {
        Ok(report) => report.conclude(),
        Err(error) => {
            println!("no scenario ran: {error:#}");
            println!("\ntest result: FAILED. 0 passed; 1 failed; 0 ignored");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[String]) -> Result<Report> {
    let chosen: Vec<&Scenario> = SCENARIOS
        .iter()
        .filter(|scenario| {
            words.is_empty() || words.iter().any(|word| scenario.name.contains(word))
        })
        .collect();
    let report = Report::start(chosen.len());
    if chosen.is_empty() {
        return Ok(report);
    }
    let mut world = World::start()?;
    let (alone, together): (Vec<_>, Vec<_>) =
        chosen.into_iter().partition(|scenario| scenario.alone);
    run_together(&together, &world, &report);
    for scenario in alone {
        report.run(scenario, &world);
    }
    report.check("s01_s02_audit_log_of_all_scenarios", || {
        checks::every_request(&world)
    });
    report.check("controller_still_runs", || world.controller().must_run());
    if report.failed() {
        world.keep();
    }
    Ok(report)
}

fn run_together(scenarios: &[&Scenario], world: &World, report: &Report) {
    let next = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    let Some(scenario) = scenarios.get(index) else {
                        return;
                    };
                    report.run(scenario, world);
                }
            });
        }
    });
}
