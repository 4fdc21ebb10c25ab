//! `fuzz [TARGET…] [--seconds N] [--seed S] [--keep N]`: fuzzes the targets, all of them by
//! default and as many at once as there are processors; `--keep` adds as many inputs that led
//! somewhere new to the corpus of each.
//!
//! Each target runs in a process of its own: a stack that overflows ends the whole process, and the
//! input that did it is to be found all the same.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use stageset_fuzz::corpus;
use stageset_fuzz::fuzz::fuzz;
use stageset_fuzz::targets::{TARGETS, Target};

/// The stack of a thread of the controller (tokio's default).
const STACK: usize = 2 * 1024 * 1024;

const USAGE: &str = "fuzz [TARGET…] [--seconds N] [--seed S] [--keep N]";

struct Wanted {
    targets: Vec<&'static Target>,
    time: Duration,
    seed: u64,
    keep: usize,
    /// Where the process that fuzzes one target writes down what it tries.
    tried: Option<PathBuf>,
}

fn main() -> ExitCode {
    let wanted = match wanted(std::env::args().skip(1)) {
        Ok(wanted) => wanted,
        Err(error) => {
            eprintln!("{error}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let failed = match &wanted.tried {
        Some(tried) => wanted
            .targets
            .iter()
            .filter(|target| !says(here(target, &wanted, tried)))
            .count(),
        None => each_apart(&wanted),
    };
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Fuzzes every target in a process of its own; how many failed.
fn each_apart(wanted: &Wanted) -> usize {
    let (next, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let processors = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..processors.min(wanted.targets.len()) {
            scope.spawn(|| {
                while let Some(target) = wanted.targets.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if !says(apart(target, wanted)) {
                        failed.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner();
    println!("{} passed, {failed} failed", wanted.targets.len() - failed);
    failed
}

/// Prints how it went; whether it went well.
fn says(outcome: Result<String>) -> bool {
    let ok = outcome.is_ok();
    let text = outcome.unwrap_or_else(|error| format!("{error:#}"));
    if !text.is_empty() {
        println!("{text}");
    }
    ok
}

/// Fuzzes one target in another process, which prints how it went unless it dies.
fn apart(target: &Target, wanted: &Wanted) -> Result<String> {
    let tried = std::env::temp_dir().join(format!(
        "stageset-fuzz-{}-{}",
        std::process::id(),
        target.name
    ));
    let status = Command::new(std::env::current_exe()?)
        .arg(target.name)
        .args(["--seconds", &wanted.time.as_secs().to_string()])
        .args(["--seed", &wanted.seed.to_string()])
        .args(["--keep", &wanted.keep.to_string()])
        .arg("--tried")
        .arg(&tried)
        .status();
    let input = std::fs::read(&tried);
    let removed = std::fs::remove_file(&tried);
    let status = status?;
    match status.code() {
        Some(0) => {
            removed.with_context(|| tried.display().to_string())?;
            Ok(String::new())
        }
        Some(_) => bail!("{}: failed, as it says above", target.name),
        None => {
            let input = input.with_context(|| format!("{}: {status}", tried.display()))?;
            let path = corpus::keep(target.name, wanted.seed, &input)?;
            bail!(
                "{}: the process died ({status}); the input is kept in {}",
                target.name,
                path.display()
            )
        }
    }
}

/// Fuzzes one target in this process.
fn here(target: &Target, wanted: &Wanted, tried: &Path) -> Result<String> {
    // A panic is reported by the run that met it.
    std::panic::set_hook(Box::new(|_| {}));
    let mut tried = File::create(tried).with_context(|| tried.display().to_string())?;
    let outcome = thread::scope(|scope| {
        let fuzzes = || fuzz(target, wanted.seed, wanted.time, wanted.keep, &mut tried);
        let thread = thread::Builder::new().stack_size(STACK);
        let thread = thread.spawn_scoped(scope, fuzzes)?;
        thread.join().map_err(|_| anyhow!("it panicked"))?
    })?;
    Ok(format!(
        "{}: {} inputs in {} s, the slowest in {:.1?}, seed {}, {} different sights, {} kept",
        target.name,
        outcome.inputs,
        wanted.time.as_secs(),
        outcome.slowest,
        wanted.seed,
        outcome.sights,
        outcome.kept
    ))
}

fn wanted(mut arguments: impl Iterator<Item = String>) -> Result<Wanted, String> {
    let mut wanted = Wanted {
        targets: Vec::new(),
        time: Duration::from_secs(30),
        seed: 1,
        keep: 0,
        tried: None,
    };
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().unwrap_or_default();
        let number = |text: String| {
            text.parse::<u64>()
                .map_err(|_| format!("{argument} needs a number, not {text:?}"))
        };
        match argument.as_str() {
            "--seconds" => wanted.time = Duration::from_secs(number(value())?),
            "--seed" => wanted.seed = number(value())?,
            "--keep" => wanted.keep = usize::try_from(number(value())?).unwrap_or(usize::MAX),
            "--tried" => wanted.tried = Some(PathBuf::from(value())),
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
