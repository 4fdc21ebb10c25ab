//! `fuzz [TARGET…] [--seconds N] [--seed S] [--keep N]`: fuzzes the targets, all of them by
//! default and as many at once as there are processors; `--keep` adds as many inputs that led
//! somewhere new to the corpus of each.

use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use stageset_fuzz::fuzz::fuzz;
use stageset_fuzz::targets::{TARGETS, Target};

const USAGE: &str = "fuzz [TARGET…] [--seconds N] [--seed S] [--keep N]";

struct Wanted {
    targets: Vec<&'static Target>,
    time: Duration,
    seed: u64,
    keep: usize,
}

fn main() -> ExitCode {
    let wanted = match wanted(std::env::args().skip(1)) {
        Ok(wanted) => wanted,
        Err(error) => {
            eprintln!("{error}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    // A panic is reported by the run that met it.
    std::panic::set_hook(Box::new(|_| {}));
    let (next, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let processors = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..processors.min(wanted.targets.len()) {
            scope.spawn(|| {
                while let Some(target) = wanted.targets.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if !passes(target, &wanted) {
                        failed.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner();
    println!("{} passed, {failed} failed", wanted.targets.len() - failed);
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Fuzzes one target and says how it went.
fn passes(target: &Target, wanted: &Wanted) -> bool {
    match fuzz(target, wanted.seed, wanted.time, wanted.keep) {
        Ok(outcome) => {
            println!(
                "{}: {} inputs in {} s, the slowest in {:.1?}, seed {}, {} different sights, {} kept",
                target.name,
                outcome.inputs,
                wanted.time.as_secs(),
                outcome.slowest,
                wanted.seed,
                outcome.sights,
                outcome.kept
            );
            true
        }
        Err(error) => {
            println!("{error:#}");
            false
        }
    }
}

fn wanted(mut arguments: impl Iterator<Item = String>) -> Result<Wanted, String> {
    let mut wanted = Wanted {
        targets: Vec::new(),
        time: Duration::from_secs(30),
        seed: 1,
        keep: 0,
    };
    while let Some(argument) = arguments.next() {
        let mut number = || {
            let text = arguments.next().unwrap_or_default();
            text.parse::<u64>()
                .map_err(|_| format!("{argument} needs a number, not {text:?}"))
        };
        match argument.as_str() {
            "--seconds" => wanted.time = Duration::from_secs(number()?),
            "--seed" => wanted.seed = number()?,
            "--keep" => wanted.keep = usize::try_from(number()?).unwrap_or(usize::MAX),
            name => {
                let found = TARGETS.iter().find(|target| target.name == name);
                let known: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
                let unknown = || format!("{name:?} is none of {}", known.join(", "));
                wanted.targets.push(found.ok_or_else(unknown)?);
            }
        }
    }
    if wanted.targets.is_empty() {
        wanted.targets = TARGETS.iter().collect();
    }
    Ok(wanted)
}
