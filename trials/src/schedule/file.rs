//! Replay files: one event a line, so that a person can read, cut and mend them.
//!
//! ```text
//! stageset-trials 3
//! level core
//! seed 4711
//! property D1
//! setup stages 2
//! at 12 crash-after
//! at 14 revoke deployer delete ConfigMap
//! ```
//!
//! Every line is understood or refused: a misread replay would tell of another run.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::event::Event;
use crate::schedule::{Level, Schedule};
use crate::setup::{Accounts, Feature, Flavour, Setup};

/// Version of the format and of what its words mean.
pub const VERSION: u32 = 3;

/// Why a replay file can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// It isn't one.
    #[error(
        "line 1: a replay file begins with `stageset-trials {VERSION}`, this one with {found:?}"
    )]
    Header {
        /// The first line.
        found: String,
    },
    /// Another version wrote it.
    #[error(
        "line 1: this file is of version {found}, this program reads version {VERSION}: replay it \
         with the commit that wrote it, or draw the seed anew"
    )]
    Version {
        /// The version.
        found: String,
    },
    /// A line that isn't understood.
    #[error("line {line}: {problem}")]
    Line {
        /// Its number, from 1.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
}

/// A replay file's text.
pub fn write(schedule: &Schedule, level: Level, property: &str) -> String {
    let Schedule {
        seed,
        setup,
        events,
    } = schedule;
    let Setup {
        stages,
        objects,
        accounts,
        one_source,
        flavour,
        slow,
        obstinate,
        boundaries,
        features,
        alone,
    } = setup;
    let features: Vec<&str> = features.iter().map(|feature| feature.as_str()).collect();
    let features = if features.is_empty() {
        "none".to_owned()
    } else {
        features.join(",")
    };
    let accounts = match accounts {
        Accounts::Shared => "shared",
        Accounts::Each => "each",
        Accounts::None => "none",
    };
    let flavour = match flavour {
        Flavour::Plain => "plain",
        Flavour::Platform => "platform",
    };
    let mut text = format!(
        "stageset-trials {VERSION}\nlevel {}\nseed {seed}\nproperty {property}\n\
         setup stages {stages}\nsetup objects {objects}\nsetup accounts {accounts}\n\
         setup one-source {one_source}\nsetup flavour {flavour}\nsetup slow {slow}\n\
         setup obstinate {obstinate}\nsetup boundaries {boundaries}\nsetup features {features}\n\
         setup alone {alone}\n",
        level.as_str()
    );
    for (boundary, event) in events {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "at {boundary} {event}");
    }
    text
}

/// Reads a replay file: its schedule, level, and the property that it broke.
///
/// # Errors
/// [`FileError`] with the line.
pub fn read(text: &str) -> Result<(Schedule, Level, String), FileError> {
    let first = text.lines().next().unwrap_or_default();
    match first.strip_prefix("stageset-trials ") {
        None => {
            return Err(FileError::Header {
                found: first.to_owned(),
            });
        }
        Some(version) if version.trim() != VERSION.to_string() => {
            return Err(FileError::Version {
                found: version.trim().to_owned(),
            });
        }
        Some(_) => {}
    }
    let mut schedule = Schedule {
        seed: 0,
        setup: Setup::plain(),
        events: Vec::new(),
    };
    let mut level = Level::Core;
    let mut property = String::new();
    for (index, line) in text.lines().enumerate().skip(1) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        one_line(line, &mut schedule, &mut level, &mut property).map_err(|problem| {
            FileError::Line {
                line: index + 1,
                problem,
            }
        })?;
    }
    Ok((schedule, level, property))
}

fn one_line(
    line: &str,
    schedule: &mut Schedule,
    level: &mut Level,
    property: &mut String,
) -> Result<(), String> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    match word {
        "level" => {
            *level = match rest {
                "core" => Level::Core,
                "wire" => Level::Wire,
                other => return Err(format!("unknown level {other:?}: core, wire")),
            };
        }
        "seed" => schedule.seed = number(rest)?,
        "property" => rest.clone_into(property),
        "setup" => setup(rest, &mut schedule.setup)?,
        "at" => {
            let (boundary, event) = rest
                .split_once(' ')
                .ok_or("`at` takes a boundary and an event")?;
            let boundary = number(boundary)?;
            if schedule.events.last().is_some_and(|(at, _)| *at > boundary) {
                return Err(format!("boundary {boundary} comes after a later one"));
            }
            schedule.events.push((boundary, Event::parse(event)?));
        }
        other => {
            return Err(format!(
                "unknown field {other:?}: level, seed, property, setup, at"
            ));
        }
    }
    Ok(())
}

fn setup(rest: &str, setup: &mut Setup) -> Result<(), String> {
    let (field, value) = rest
        .split_once(' ')
        .ok_or("`setup` takes a field and a value")?;
    match field {
        "stages" => {
            setup.stages = number(value)?;
            if !(1..=3).contains(&setup.stages) {
                return Err(format!("stages {value}: 1 to 3"));
            }
        }
        "objects" => {
            setup.objects = number(value)?;
            if !(2..=6).contains(&setup.objects) {
                return Err(format!("objects {value}: 2 to 6"));
            }
        }
        "accounts" => {
            setup.accounts = match value {
                "shared" => Accounts::Shared,
                "each" => Accounts::Each,
                "none" => Accounts::None,
                other => return Err(format!("unknown accounts {other:?}: shared, each, none")),
            };
        }
        "one-source" => setup.one_source = flag(value)?,
        "flavour" => {
            setup.flavour = match value {
                "plain" => Flavour::Plain,
                "platform" => Flavour::Platform,
                other => return Err(format!("unknown flavour {other:?}: plain, platform")),
            };
        }
        "slow" => setup.slow = number(value)?,
        "obstinate" => setup.obstinate = flag(value)?,
        "boundaries" => setup.boundaries = number(value)?,
        "features" => setup.features = features(value)?,
        "alone" => setup.alone = flag(value)?,
        other => {
            return Err(format!(
                "unknown setup field {other:?}: stages, objects, accounts, one-source, flavour, \
                 slow, obstinate, boundaries, features, alone"
            ));
        }
    }
    Ok(())
}

fn features(words: &str) -> Result<BTreeSet<Feature>, String> {
    if words == "none" {
        return Ok(BTreeSet::new());
    }
    let one = |word: &str| {
        let found = Feature::ALL
            .into_iter()
            .find(|feature| feature.as_str() == word);
        found.ok_or_else(|| {
            let known: Vec<&str> = Feature::ALL.iter().map(|each| each.as_str()).collect();
            format!(
                "unknown feature {word:?}: none, or some of {}",
                known.join(", ")
            )
        })
    };
    words.split(',').map(one).collect()
}

fn number<T: std::str::FromStr>(word: &str) -> Result<T, String> {
    word.parse()
        .map_err(|_| format!("{word:?} isn't a number that fits here"))
}

fn flag(word: &str) -> Result<bool, String> {
    word.parse()
        .map_err(|_| format!("{word:?} is neither true nor false"))
}
