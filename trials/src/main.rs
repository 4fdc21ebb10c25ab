//! The binary `stageset-trials`: run seeds, replay a failure, print the saboteurs' table.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use stageset_trials::bench;
use stageset_trials::property::Violation;
use stageset_trials::saboteurs::{Saboteur, catch};
use stageset_trials::schedule::{Level, Schedule, read, shrink, write};
use stageset_trials::sweep::{Sweep, Swept, run};
use stageset_trials::wire;

/// A run makes and drops thousands of small texts.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(about = "The operator against everything that can go wrong, from a seed")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs seeds and holds every promise against every step.
    Run {
        /// `core` or `wire`.
        #[arg(default_value = "core", value_parser = level)]
        level: Level,
        /// How many seeds, or `FIRST..END`.
        #[arg(default_value = "10000", value_parser = seeds)]
        seeds: (u64, u64),
        /// Stop after so many minutes.
        #[arg(long)]
        minutes: Option<f64>,
        /// Take the first seed from a commit's hash.
        #[arg(long)]
        commit: Option<String>,
        /// Threads.
        #[arg(long, default_value_t = 1)]
        threads: usize,
        /// Stop after so many failures.
        #[arg(long, default_value_t = 1)]
        failures: usize,
        /// Where failing runs are saved.
        #[arg(long, default_value = "target/trials")]
        save: PathBuf,
    },
    /// Runs a saved failure again, and shows it step by step: Enter goes on, `q` ends.
    Replay {
        /// The file.
        file: PathBuf,
        /// Show everything without asking.
        #[arg(long)]
        all: bool,
        /// Show only whether it still breaks.
        #[arg(long)]
        quiet: bool,
    },
    /// Prints which promise catches which deliberate bug, and how many seeds that takes.
    Saboteurs {
        /// Most seeds for each.
        #[arg(long, default_value_t = 2000)]
        seeds: u64,
        /// Those of one level only: `core` or `wire`.
        #[arg(long, value_parser = level)]
        level: Option<Level>,
    },
    /// Prints how many schedules a core runs in a second, at each level.
    Bench {
        /// `core` or `wire`; both if none is named.
        #[arg(value_parser = level)]
        level: Option<Level>,
        /// How long to measure, in seconds of CPU time.
        #[arg(long, default_value_t = 20)]
        seconds: u64,
    },
    /// Prints the trace of a seed: the same on every machine.
    Trace {
        /// `core` or `wire`.
        #[arg(value_parser = level)]
        level: Level,
        /// The seed.
        seed: u64,
    },
    /// Writes down what API servers are asked in runs at level wire, and what they answer; `just
    /// sim-real` replays that on a real one.
    Record {
        /// How many seeds, or `FIRST..END`.
        #[arg(value_parser = seeds)]
        seeds: (u64, u64),
        /// The folder for `wire-SEED.history`.
        #[arg(long, default_value = "target/trials")]
        into: PathBuf,
    },
}

fn level(text: &str) -> Result<Level, String> {
    match text {
        "core" => Ok(Level::Core),
        "wire" => Ok(Level::Wire),
        other => Err(format!("{other:?} is no level: core, wire")),
    }
}

fn seeds(text: &str) -> Result<(u64, u64), String> {
    let number = |text: &str| {
        text.replace('_', "")
            .parse::<u64>()
            .map_err(|error| format!("{text:?}: {error}"))
    };
    match text.split_once("..") {
        None => Ok((0, number(text)?)),
        Some((first, end)) => {
            let (first, end) = (number(first)?, number(end)?);
            let count = end.checked_sub(first).filter(|count| *count > 0);
            Ok((first, count.ok_or(format!("{text}: an empty range"))?))
        }
    }
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Run {
            level,
            seeds: (first, count),
            minutes,
            commit,
            threads,
            failures,
            save,
        } => {
            let first = match commit.as_deref().map(from_commit) {
                None => first,
                Some(Ok(seed)) => seed,
                Some(Err(said)) => {
                    eprintln!("{said}");
                    return ExitCode::from(2);
                }
            };
            let sweep = Sweep {
                level,
                first,
                count: if minutes.is_some() { u64::MAX } else { count },
                time: minutes.map(|minutes| Duration::from_secs_f64(minutes * 60.0)),
                threads,
                failures,
            };
            sweep_and_tell(&sweep, &save)
        }
        Command::Replay { file, all, quiet } => replay(&file, all, quiet),
        Command::Saboteurs { seeds, level } => saboteurs(seeds, level),
        Command::Bench { level, seconds } => {
            bench::print(level, seconds);
            ExitCode::SUCCESS
        }
        Command::Trace { level, seed } => {
            let outcome = run(&Schedule::draw(seed, level), level, true);
            for entry in &outcome.log {
                println!("{entry}");
            }
            if let Some(violation) = outcome.violation {
                println!("VIOLATED {violation}");
            }
            ExitCode::SUCCESS
        }
        Command::Record { seeds, into } => record(seeds, &into),
    }
}

/// What breaks a promise isn't worth a replay.
fn record((first, count): (u64, u64), folder: &Path) -> ExitCode {
    for seed in (first..).take(usize::try_from(count).unwrap_or(usize::MAX)) {
        let (outcome, history) = wire::record(seed);
        if let Some(violation) = outcome.violation {
            eprintln!("seed {seed} breaks {violation}");
            return ExitCode::FAILURE;
        }
        let file = folder.join(format!("wire-{seed}.history"));
        let written =
            std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&file, &history));
        if let Err(error) = written {
            eprintln!("{}: {error}", file.display());
            return ExitCode::from(2);
        }
        println!(
            "{}: {} requests, {} events",
            file.display(),
            outcome.requests,
            outcome.events
        );
    }
    ExitCode::SUCCESS
}

/// The first 12 hex digits of a commit as a seed: another one for each commit, always the same.
fn from_commit(commit: &str) -> Result<u64, String> {
    let digits: String = commit.chars().take(12).collect();
    u64::from_str_radix(&digits, 16)
        .map(|seed| seed << 16)
        .map_err(|_| format!("--commit {commit:?}: a hash in hexadecimal is wanted"))
}

fn sweep_and_tell(sweep: &Sweep, save: &Path) -> ExitCode {
    println!(
        "level {}, seeds from {}, {} thread(s)",
        sweep.level.as_str(),
        sweep.first,
        sweep.threads
    );
    let swept = sweep.run(&|seed, violation| println!("seed {seed} breaks {violation}"));
    tell(&swept, sweep);
    for (seed, violation) in &swept.failures {
        if let Err(error) = save_failure(sweep.level, *seed, violation, save) {
            eprintln!("seed {seed}: {error}");
        }
    }
    if swept.failures.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

#[expect(clippy::cast_precision_loss, reason = "printed with one digit")]
fn tell(swept: &Swept, sweep: &Sweep) {
    let seconds = swept.took.as_secs_f64();
    println!(
        "{} runs (seeds {}..{}), {} requests, {} events in {seconds:.1} s: {:.0} runs/s and thread; \
         {} broken",
        swept.runs,
        sweep.first,
        sweep.first.wrapping_add(swept.runs),
        swept.requests,
        swept.events,
        swept.runs as f64 / seconds / sweep.threads.max(1) as f64,
        swept.failures.len(),
    );
}

fn save_failure(
    level: Level,
    seed: u64,
    violation: &Violation,
    folder: &Path,
) -> std::io::Result<()> {
    let drawn = Schedule::draw(seed, level);
    let property = violation.property;
    let short = shrink(&drawn, |tried| {
        run(tried, level, false)
            .violation
            .is_some_and(|found| found.property == property)
    });
    std::fs::create_dir_all(folder)?;
    let file = folder.join(format!("{}-{seed}.trial", level.as_str()));
    std::fs::write(&file, write(&short, level, property))?;
    let said = run(&short, level, false).violation;
    println!(
        "\nseed {seed}: {} of {} events are enough to break {}",
        short.events.len(),
        drawn.events.len(),
        said.map_or_else(|| property.to_owned(), |said| said.to_string()),
    );
    for (boundary, event) in &short.events {
        println!("  at {boundary} {event}");
    }
    println!("replay: just replay {}", file.display());
    Ok(())
}

fn replay(file: &Path, all: bool, quiet: bool) -> ExitCode {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => {
            eprintln!("{}: {error}", file.display());
            return ExitCode::from(2);
        }
    };
    let (schedule, level, property) = match read(&text) {
        Ok(read) => read,
        Err(error) => {
            eprintln!("{}: {error}", file.display());
            return ExitCode::from(2);
        }
    };
    let outcome = run(&schedule, level, true);
    if !quiet {
        for picture in &outcome.pictures {
            println!("{picture}");
            if !all && !go_on() {
                break;
            }
        }
    }
    if let Some(violation) = outcome.violation {
        println!("it breaks {violation}");
        ExitCode::FAILURE
    } else {
        println!("it breaks nothing any more (it was saved for {property})");
        ExitCode::SUCCESS
    }
}

fn saboteurs(most: u64, only: Option<Level>) -> ExitCode {
    let began = bench::cpu_time();
    println!(
        "{:<30} {:<5} {:<8} {:>5}  it …",
        "saboteur", "level", "caught", "seeds"
    );
    let mut free = 0;
    let all = Saboteur::ALL.iter();
    let asked = all.filter(|saboteur| only.is_none_or(|only| saboteur.level() == only));
    let mut count = 0;
    for saboteur in asked {
        count += 1;
        let (property, seeds) = if let Some(caught) = catch(*saboteur, 0, most) {
            (caught.property, caught.seeds)
        } else {
            free += 1;
            ("NOT", most)
        };
        println!(
            "{:<30} {:<5} {property:<8} {seeds:>5}  {}",
            saboteur.to_string(),
            saboteur.level().as_str(),
            saboteur.what()
        );
    }
    println!(
        "{count} saboteurs, {free} not caught within {most} seeds; {:.1} s of CPU time",
        bench::cpu_time().saturating_sub(began).as_secs_f64()
    );
    if free == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn go_on() -> bool {
    let mut line = String::new();
    match std::io::stdin().read_line(&mut line) {
        Ok(0) | Err(_) => false,
        Ok(_) => line.trim() != "q",
    }
}
