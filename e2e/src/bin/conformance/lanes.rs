//! Rounds side by side. Each round has a namespace (and names) of its own, each lane a simulator of
//! its own, so that all that lanes share is the real server: what one waits for, another uses.
//!
//! A round's requests follow from the seed and the round's number alone, whatever else runs.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use tokio::task::JoinSet;

use crate::generator::{Generator, Mix};
use crate::kinds::{APPLIED, KINDS};
use crate::known::Known;
use crate::pair::Pair;
use crate::report::Report;
use crate::{access, lives, quota, rbac, set_up, watches, webhooks};

/// How many rounds run at a time.
const LANES: usize = 8;

/// After so many operations the watches of some kinds are compared: the real server forgets events
/// after a while.
const WATCHED: usize = 60;

/// What a round asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Objects,
    Apply,
    Rbac,
    Access,
    Quota,
    Webhooks,
    Lives,
}

impl Mode {
    pub(crate) const ALL: [Self; 7] = [
        Self::Objects,
        Self::Apply,
        Self::Rbac,
        Self::Access,
        Self::Quota,
        Self::Webhooks,
        Self::Lives,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Objects => "objects",
            Self::Apply => "apply",
            Self::Rbac => "rbac",
            Self::Access => "access",
            Self::Quota => "quota",
            Self::Webhooks => "webhooks",
            Self::Lives => "lives",
        }
    }

    /// After so many operations a new round begins.
    fn length(self) -> usize {
        match self {
            Self::Objects | Self::Apply => 1000,
            Self::Rbac | Self::Access | Self::Quota => 200,
            Self::Webhooks => 50,
            Self::Lives => 40,
        }
    }
}

/// Runs so many operations and prints what differed; true when nothing unlisted did.
pub(crate) async fn run(
    mode: Mode,
    mut new_pair: impl FnMut() -> Result<Pair>,
    seed: u64,
    operations: usize,
    known: &[Known],
) -> Result<bool> {
    let started = Instant::now();
    let limit = limit()?;
    let rounds = operations.div_ceil(mode.length());
    let mut lanes = JoinSet::new();
    let mut sum = Report::new(known.to_vec());
    for lane in 0..LANES.min(rounds) {
        let mut pair = new_pair()?;
        let mut report = Report::new(known.to_vec());
        set_up::server(&mut pair, mode, lane == 0, &mut sum).await?;
        lanes.spawn(async move {
            for number in (lane..rounds).step_by(LANES) {
                if limit.is_some_and(|limit| started.elapsed() >= limit) {
                    break;
                }
                let left = operations - number * mode.length();
                let count = left.min(mode.length());
                round(&mut pair, mode, seed, number, count, &mut report)
                    .await
                    .with_context(|| format!("round {number} of {}", mode.name()))?;
                let seconds = started.elapsed().as_secs();
                eprintln!("round {number} of {rounds} done after {seconds} s");
            }
            anyhow::Ok(report)
        });
    }
    while let Some(report) = lanes.join_next().await {
        sum.absorb(report??);
    }
    Ok(sum.finish(mode.name(), seed))
}

/// With `CONFORMANCE_MINUTES` set no round begins after so many minutes; the sums say how many
/// operations there were.
fn limit() -> Result<Option<Duration>> {
    let Some(minutes) = std::env::var_os("CONFORMANCE_MINUTES") else {
        return Ok(None);
    };
    let minutes = minutes.to_string_lossy().into_owned();
    let minutes: u64 = minutes
        .parse()
        .with_context(|| format!("CONFORMANCE_MINUTES: found `{minutes}`, wanted a number"))?;
    Ok(Some(Duration::from_mins(minutes)))
}

async fn round(
    pair: &mut Pair,
    mode: Mode,
    seed: u64,
    number: usize,
    count: usize,
    report: &mut Report,
) -> Result<()> {
    let seed = seed.wrapping_add(u64::try_from(number)?);
    let mix = match mode {
        Mode::Objects => Mix::objects(KINDS),
        Mode::Apply => Mix::apply(APPLIED),
        Mode::Rbac => return rbac::run(pair, seed, number, count, report).await,
        Mode::Quota => return quota::run(pair, seed, number, count, report).await,
        Mode::Lives => return lives::run(pair, seed, number, count, report).await,
        Mode::Webhooks => return webhooks::run(pair, seed, number, count, report).await,
        Mode::Access => return access::run(pair, seed, number, count, report).await,
    };
    let namespace = format!("conformance-{}-{number}", mode.name());
    set_up::namespace(pair, &namespace).await?;
    let mut generator = Generator::new(seed, &namespace, mix);
    let mut left = count;
    for part in 0.. {
        if left == 0 {
            break;
        }
        let kinds = watches::some(mix.kinds(), number + part);
        let start = watches::start(pair, kinds, &namespace).await?;
        for _ in 0..left.min(WATCHED) {
            pair.step(&generator.next(), report, |_| ()).await?;
        }
        if !pair.take_healed() {
            watches::compare(pair, &start, &namespace, report).await?;
        }
        left -= left.min(WATCHED);
    }
    Ok(())
}
