//! A plan as text: stage by stage, one operation a line, so that a change of behaviour is a small
//! diff.

use std::fmt::Write as _;

use super::view::{Do, Planned, StageSetPlan};
use crate::timeline::{words, wrap};

/// Reasons are wrapped so that lines end here.
const WIDTH: usize = 100;
/// Where reasons stand, below their operation.
const INDENT: usize = 12;

/// All plans.
pub(super) fn text(plans: &[StageSetPlan]) -> String {
    let mut out = String::new();
    for (index, plan) in plans.iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        one(&mut out, plan);
    }
    out
}

fn one(out: &mut String, plan: &StageSetPlan) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "StageSet {}", plan.stage_set);
    for (source, revision) in &plan.revisions {
        let _ = writeln!(out, "  with {source} at {revision}");
    }
    let mut stage: Option<&Option<String>> = None;
    for planned in &plan.operations {
        if stage != Some(&planned.stage) {
            stage = Some(&planned.stage);
            let title = match &planned.stage {
                Some(name) => format!("stage {name}"),
                None => "the StageSet".to_owned(),
            };
            let _ = writeln!(out, "\n  {title}");
        }
        operation(out, planned);
    }
    if plan.operations.is_empty() {
        out.push_str("\n  nothing to do\n");
    }
    out.push('\n');
    let mut lines = wrap(&format!("ends: {}", plan.ends), WIDTH - 8).into_iter();
    let _ = writeln!(out, "  {}", lines.next().unwrap_or_default());
    for line in lines {
        let _ = writeln!(out, "        {line}");
    }
}

fn operation(out: &mut String, planned: &Planned) {
    let verb = match planned.what {
        Do::Create => "create",
        Do::Change => "change",
        Do::Correct => "correct",
        Do::TakeOver => "take over",
        Do::Delete => "delete",
        Do::Act => "act",
        Do::Record => "record",
        Do::Wait => "wait",
        Do::Refused => "refused",
    };
    let subject = match (&planned.object, &planned.record) {
        (Some(object), _) => Some(words::object(object)),
        (None, record) => record.clone(),
    };
    let (first, why) = match subject {
        Some(subject) => {
            let user = planned
                .identity
                .as_deref()
                .map(words::user)
                .unwrap_or_default();
            (format!("{subject} as {user}"), planned.why.as_str())
        }
        None => (planned.why.clone(), ""),
    };
    let mut lines = wrap(&first, WIDTH - INDENT).into_iter();
    let _ = writeln!(out, "    {verb:7} {}", lines.next().unwrap_or_default());
    for line in lines {
        let _ = writeln!(out, "{:INDENT$}{line}", "");
    }
    // That an object is created because it doesn't exist goes without saying.
    if planned.what != Do::Create && !why.is_empty() {
        below(out, why, INDENT);
    }
}

fn below(out: &mut String, text: &str, indent: usize) {
    for line in wrap(text, WIDTH - indent) {
        let _ = writeln!(out, "{:indent$}{line}", "");
    }
}
