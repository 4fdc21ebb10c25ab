//! What single verbs of an action need.

use stageset_api::stageset::{PatchTarget, StageSetSpec, WaitAction};

use super::super::problems::{Problems, SCHEMA, set};
use super::{actions, selectors};

pub(super) fn check(spec: &StageSetSpec, problems: &mut Problems) {
    for found in actions::all(spec) {
        let at = found.field();
        if let Some(patch) = &found.action.patch {
            not_one_target(
                &format!("{at}.patch.target"),
                &found.who(),
                &patch.target,
                problems,
            );
        }
        if let Some(wait) = &found.action.wait {
            neither_pause_nor_expression(&format!("{at}.wait"), &found.who(), wait, problems);
        }
        if let Some(http) = &found.action.http {
            for (index, status) in http.expected_status.iter().enumerate() {
                if !(100..=599).contains(status) {
                    let message = format!("{status} is no HTTP status; 100 to 599 are");
                    problems.add(
                        SCHEMA,
                        format!("{at}.http.expectedStatus[{index}]"),
                        message,
                    );
                }
            }
        }
    }
}

/// G3: one object by name, or all that match a selector that says something.
fn not_one_target(at: &str, who: &str, target: &PatchTarget, problems: &mut Problems) {
    let named = set(target.name.as_ref()).is_some();
    match (&target.selector, named) {
        (Some(_), true) | (None, false) => {
            let message = format!("{who}: exactly one of name and selector is needed");
            problems.add("G3", at, message);
        }
        (Some(selector), false) => {
            for fault in selectors::faults(selector) {
                problems.add("G3", format!("{at}.selector"), format!("{who}: {fault}"));
            }
        }
        (None, true) => {}
    }
}

/// G4: exactly one of a duration, or a target with an expression. The expression is compiled where
/// the spec is converted.
fn neither_pause_nor_expression(at: &str, who: &str, wait: &WaitAction, problems: &mut Problems) {
    let expression = set(wait.expr.as_ref()).is_some();
    let watches = wait.target.is_some() || expression;
    let message = match (wait.duration.is_some(), watches) {
        (true, true) => "duration excludes target and expr; keep one of the two",
        (false, false) => "exactly one of duration, or target and expr, is needed",
        (false, true) if !(wait.target.is_some() && expression) => {
            "target and expr need each other"
        }
        _ => return,
    };
    problems.add("G4", at, format!("{who}: {message}"));
}
