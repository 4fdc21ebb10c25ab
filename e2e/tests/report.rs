//! Results, printed the way `cargo test` prints them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Result, anyhow};

use crate::scenarios::Scenario;
use crate::world::World;

/// Outcomes so far.
#[derive(Debug)]
pub(crate) struct Report {
    started: Instant,
    outcomes: Mutex<Outcomes>,
}

#[derive(Debug, Default)]
struct Outcomes {
    passed: usize,
    left_out: usize,
    failures: Vec<(String, String)>,
}

impl Report {
    pub(crate) fn start(scenarios: usize) -> Self {
        println!("\nrunning {scenarios} scenarios");
        Self {
            started: Instant::now(),
            outcomes: Mutex::default(),
        }
    }

    /// Runs one scenario and prints its line.
    pub(crate) fn run(&self, scenario: &Scenario, world: &World) {
        if scenario.local_only && !world.is_local() {
            self.leave_out(scenario.name);
            return;
        }
        self.check(scenario.name, || (scenario.run)(world));
    }

    /// Prints that something can't be judged on this cluster.
    pub(crate) fn leave_out(&self, name: &str) {
        self.with(|outcomes| outcomes.left_out += 1);
        println!("test {name} ... ignored, it needs the local control plane");
    }

    /// Runs one check and prints its line.
    pub(crate) fn check(&self, name: &str, run: impl FnOnce() -> Result<()>) {
        let started = Instant::now();
        let result = catch_unwind(AssertUnwindSafe(run))
            .unwrap_or_else(|panic| Err(anyhow!("panicked: {:?}", panic.downcast_ref::<String>())));
        let seconds = started.elapsed().as_secs_f32();
        let word = if result.is_ok() { "ok" } else { "FAILED" };
        println!("test {name} ... {word} ({seconds:.1} s)");
        self.with(|outcomes| match result {
            Ok(()) => outcomes.passed += 1,
            Err(error) => outcomes
                .failures
                .push((name.to_owned(), format!("{error:#}"))),
        });
    }

    pub(crate) fn failed(&self) -> bool {
        self.with(|outcomes| !outcomes.failures.is_empty())
    }

    /// Prints the failures and the closing line.
    pub(crate) fn conclude(self) -> ExitCode {
        let seconds = self.started.elapsed().as_secs_f32();
        let outcomes = self
            .outcomes
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        if !outcomes.failures.is_empty() {
            println!("\nfailures:");
        }
        for (name, text) in &outcomes.failures {
            println!("\n---- {name} ----\n{text}");
        }
        let good = outcomes.failures.is_empty() && outcomes.passed > 0;
        println!(
            "\ntest result: {}. {} passed; {} failed; {} ignored; finished in {seconds:.1}s\n",
            if good { "ok" } else { "FAILED" },
            outcomes.passed,
            outcomes.failures.len(),
            outcomes.left_out,
        );
        if good {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }

    fn with<T>(&self, change: impl FnOnce(&mut Outcomes) -> T) -> T {
        change(&mut self.outcomes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
