//! The loop: take an input, change it, run the target, keep what led somewhere new.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::corpus;
use crate::mutate::mutate;
use crate::random::Random;
use crate::targets::Target;

/// An input that takes longer than this is a finding (A24): on the processor, where the system tells,
/// since the machine may be busy.
const SLOW: Duration = Duration::from_secs(5);
/// Inputs that are kept in memory.
const POOL: usize = 5_000;

/// What a run did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Inputs that were run.
    pub inputs: u64,
    /// Different things that the target was seen to do.
    pub sights: usize,
    /// Inputs that were added to the corpus.
    pub kept: usize,
    /// The longest that an input took.
    pub slowest: Duration,
}

/// Fuzzes one target until the time is over, and adds up to `keep` inputs that led somewhere new to
/// its corpus. Every input stands in the file `tried` before it runs, for whoever finds the process
/// dead.
///
/// # Errors
/// When an input broke the target; it is kept in the corpus, where the tests find it from then on.
pub fn fuzz(
    target: &Target,
    seed: u64,
    time: Duration,
    keep: usize,
    tried: &mut File,
) -> Result<Outcome> {
    let mut random = Random::new(seed);
    let mut seen = BTreeSet::new();
    let mut pool: Vec<Vec<u8>> = Vec::new();
    let mut slowest = Duration::ZERO;
    for (_, input) in corpus::inputs(target.name)? {
        let (sights, took) = timed(target, &input);
        slowest = slowest.max(took);
        seen.extend(sights.map_err(anyhow::Error::msg)?);
        pool.push(input);
    }
    let end = Instant::now() + time;
    let mut inputs = 0;
    while Instant::now() < end {
        let (Some(input), Some(other)) = (random.pick(&pool).cloned(), random.pick(&pool)) else {
            bail!("{} has no input to start from", target.name);
        };
        let input = mutate(&mut random, &input, other, target.words);
        inputs += 1;
        tried.set_len(0)?;
        tried.rewind()?;
        tried.write_all(&input)?;
        let (outcome, took) = timed(target, &input);
        slowest = slowest.max(took);
        match outcome {
            Ok(sights) => {
                let new = sights
                    .into_iter()
                    .filter(|sight| seen.insert(*sight))
                    .count();
                if new > 0 && pool.len() < POOL {
                    pool.push(input);
                }
            }
            Err(broken) => {
                let path = corpus::keep(target.name, seed, &input)?;
                bail!(
                    "{}: {broken}; the input is kept in {}",
                    target.name,
                    path.display()
                );
            }
        }
    }
    Ok(Outcome {
        inputs,
        sights: seen.len(),
        kept: keep_best(target, pool, keep)?,
        slowest,
    })
}

/// Adds to the corpus what shows most that it doesn't show yet, so many inputs at most, small ones
/// first.
fn keep_best(target: &Target, mut pool: Vec<Vec<u8>>, most: usize) -> Result<usize> {
    let mut shown = BTreeSet::new();
    for (_, input) in corpus::inputs(target.name)? {
        shown.extend(run(target, &input).map_err(anyhow::Error::msg)?);
    }
    pool.sort_by_key(Vec::len);
    let mut kept = 0;
    for input in pool {
        if kept == most {
            break;
        }
        let sights = run(target, &input).map_err(anyhow::Error::msg)?;
        let before = shown.len();
        shown.extend(sights);
        if shown.len() > before {
            corpus::add(target.name, &input)?;
            kept += 1;
        }
    }
    Ok(kept)
}

/// How long this thread has been on a processor, as Linux tells.
fn on_processor() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds = text.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}

/// Runs one input; what was seen, as numbers.
///
/// # Errors
/// What broke: a panic, a promise, or patience.
pub fn run(target: &Target, input: &[u8]) -> Result<Vec<u64>, String> {
    timed(target, input).0
}

/// The same, and how long it took.
fn timed(target: &Target, input: &[u8]) -> (Result<Vec<u64>, String>, Duration) {
    let (begun, worked) = (Instant::now(), on_processor());
    let outcome = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    let took = match (worked, on_processor()) {
        (Some(before), Some(after)) => after.saturating_sub(before),
        _ => begun.elapsed(),
    };
    let sights = match outcome {
        Err(panic) => {
            let text = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied());
            Err(format!("it panicked: {}", text.unwrap_or("without a word")))
        }
        Ok(Err(broken)) => Err(broken),
        Ok(Ok(_)) if took > SLOW => Err(format!("it took {took:?}")),
        Ok(Ok(sights)) => Ok(sights),
    };
    (sights, took)
}
