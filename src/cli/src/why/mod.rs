//! `stagesetctl why`: what is in the way of a release, and the roles that its accounts lack, ready for
//! `kubectl apply`.
//!
//! What is in the way is a comment, so that the whole output can be applied as it is.

use std::fmt::Write as _;
use std::process::ExitCode;

use stageset_cluster::StageSetKey;
use stageset_core::Lacking;
use stageset_core::plan::{Operation, RecordOperation};

use crate::arguments::Why;
use crate::error::CommandError;
use crate::scenario::Scenario;
use crate::simulation::{self, Happening, Options};
use crate::timeline::print_out;

mod artifacts;
mod cluster;

pub use cluster::answer;

/// A Ready condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// In one word.
    pub reason: String,
    /// For people.
    pub message: String,
}

impl From<&stageset_core::observation::Condition> for Condition {
    fn from(condition: &stageset_core::observation::Condition) -> Self {
        Self {
            status: condition.status.as_str().to_owned(),
            reason: condition.reason.clone(),
            message: condition.message.clone(),
        }
    }
}

/// What is known of one StageSet.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Which one.
    pub stage_set: StageSetKey,
    /// Its Ready condition.
    pub ready: Option<Condition>,
    /// Why a pass as the person who asks would fail, where that is something else than lacking rights.
    pub now: Option<Condition>,
    /// What its accounts lack.
    pub lacking: Vec<Lacking>,
}

impl Answer {
    /// Whether nothing is in the way: what the exit code says.
    pub fn is_ready(&self) -> bool {
        self.ready
            .as_ref()
            .is_some_and(|ready| ready.status == "True")
            && self.lacking.is_empty()
    }
}

/// Prints why.
///
/// # Errors
/// [`CommandError`] if the folder or the cluster can't be used.
pub fn command(options: &Why) -> Result<ExitCode, CommandError> {
    let answers = if let Some(directory) = &options.dir {
        of_folder(&Scenario::load(directory)?)?
    } else {
        // The command line has one or the other.
        let names = options.name.iter();
        let asked = names.map(|name| cluster::ask(options, name));
        asked.collect::<Result<_, _>>()?
    };
    print_out(&text(&answers))?;
    Ok(if answers.iter().all(Answer::is_ready) {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}

/// Runs a folder to its end; the last word on each StageSet counts.
fn of_folder(scenario: &Scenario) -> Result<Vec<Answer>, CommandError> {
    let run = simulation::trace(scenario, &Options::default())?;
    let mut answers: Vec<Answer> = run
        .stage_sets
        .iter()
        .map(|key| Answer {
            stage_set: key.clone(),
            ready: None,
            now: None,
            lacking: Vec::new(),
        })
        .collect();
    for event in &run.events {
        let Some(answer) = answers
            .iter_mut()
            .find(|answer| Some(&answer.stage_set) == event.stage_set.as_ref())
        else {
            continue;
        };
        match &event.what {
            Happening::Lacking(lacking) => answer.lacking.clone_from(lacking),
            Happening::Performed(Operation::Record(RecordOperation::Status(status)), _) => {
                if let Some(ready) = status.condition("Ready") {
                    if ready.reason != "RBACDenied" {
                        answer.lacking.clear();
                    }
                    answer.ready = Some(ready.into());
                }
            }
            _ => {}
        }
    }
    Ok(answers)
}

/// Comments that say why, and YAML that cures it.
pub fn text(answers: &[Answer]) -> String {
    let mut text = String::new();
    for answer in answers {
        let key = &answer.stage_set;
        // Writing to a String cannot fail.
        let _ = match &answer.ready {
            Some(ready) => writeln!(
                text,
                "# StageSet {}/{}: Ready={} {}\n#   {}",
                key.namespace,
                key.name,
                in_a_line(&ready.status),
                in_a_line(&ready.reason),
                in_a_line(&ready.message)
            ),
            None => writeln!(
                text,
                "# StageSet {}/{}: nothing is said of it yet",
                key.namespace, key.name
            ),
        };
        if let Some(now) = answer
            .now
            .as_ref()
            .filter(|now| Some(*now) != answer.ready.as_ref())
        {
            let _ = writeln!(
                text,
                "# asked once more from here, as you: {}\n#   {}",
                in_a_line(&now.reason),
                in_a_line(&now.message)
            );
        }
        for lacking in &answer.lacking {
            let unbound = if lacking.unbound {
                ", which nothing binds"
            } else {
                ""
            };
            let _ = writeln!(
                text,
                "# stage {} acts as {}{unbound}; this allows exactly what it lacks:",
                lacking.stage, lacking.identity
            );
            for grant in lacking.grants(&key.name) {
                let _ = write!(text, "---\n{grant}");
            }
        }
    }
    text
}

/// In a comment: nothing that some reader of YAML takes for the end of a line, or what stands behind it
/// would be applied.
fn in_a_line(text: &str) -> String {
    let ends = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    text.replace(ends, " ")
}
