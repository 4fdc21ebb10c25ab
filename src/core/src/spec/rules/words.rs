//! Words that the schema's enums demand and that no numbered rule speaks of.

use stageset_api::choice::{Choice, Words, allowed};
use stageset_api::stageset::StageSetSpec;

use super::super::problems::{Problems, SCHEMA, show};
use super::actions;

pub(super) fn check(spec: &StageSetSpec, problems: &mut Problems) {
    word(
        "spec.windowScope".to_owned(),
        spec.window_scope.as_ref(),
        problems,
    );
    if let Some(version) = &spec.version {
        word(
            "spec.version.approvalMode".to_owned(),
            version.approval_mode.as_ref(),
            problems,
        );
    }
    for (index, stage) in spec.stages.iter().enumerate() {
        let at = format!("spec.stages[{index}]");
        if let Some(policy) = &stage.conflict_policy {
            word(
                format!("{at}.conflictPolicy.default"),
                policy.default.as_ref(),
                problems,
            );
            for (rule, found) in policy.rules.iter().enumerate() {
                let field = format!("{at}.conflictPolicy.rules[{rule}].action");
                word(field, Some(&found.action), problems);
            }
        }
        if let Some(post_build) = &stage.post_build {
            for (from, found) in post_build.substitute_from.iter().enumerate() {
                let field = format!("{at}.postBuild.substituteFrom[{from}].kind");
                word(field, Some(&found.kind), problems);
            }
        }
    }
    for found in actions::all(spec) {
        let (at, action) = (found.field(), found.action);
        if let Some(patch) = &action.patch {
            word(format!("{at}.patch.type"), patch.type_.as_ref(), problems);
        }
        if let Some(http) = &action.http {
            word(format!("{at}.http.method"), http.method.as_ref(), problems);
        }
        if let Some(delete) = &action.delete {
            word(
                format!("{at}.delete.cascade"),
                delete.cascade.as_ref(),
                problems,
            );
        }
    }
}

fn word<W: Words>(field: String, choice: Option<&Choice<W>>, problems: &mut Problems) {
    if let Some(Choice::Unknown(found)) = choice {
        let message = format!("{} is none of {}", show(found), allowed::<W>());
        problems.add(SCHEMA, field, message);
    }
}
