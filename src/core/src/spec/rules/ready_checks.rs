//! Explicit readiness checks, and expressions that have to compile (V29).

use stageset_api::stageset::StageSetSpec;

use super::super::problems::{Problems, set, show};
use super::sources::is_api_version;
use crate::judge::cel::Expression;

pub(super) fn check(spec: &StageSetSpec, problems: &mut Problems) {
    for (stage_index, stage) in spec.stages.iter().enumerate() {
        let Some(checks) = &stage.ready_checks else {
            continue;
        };
        let at = format!("spec.stages[{stage_index}].readyChecks");
        let stage = show(&stage.name);
        for (index, check) in checks.checks.iter().enumerate() {
            for (field, text) in [("kind", &check.kind), ("name", &check.name)] {
                if text.is_empty() {
                    let message = format!("stage {stage}: check {index} needs a {field}");
                    problems.add("V29", format!("{at}.checks[{index}].{field}"), message);
                }
            }
        }
        for (index, check) in checks.checks.iter().enumerate() {
            let found = set(check.api_version.as_ref());
            if let Some(found) = found.filter(|found| !is_api_version(found)) {
                let message = format!(
                    "stage {stage}: check {index} has apiVersion {}, which is neither version nor group/version",
                    show(found)
                );
                problems.add("V29", format!("{at}.checks[{index}].apiVersion"), message);
            }
        }
        for (index, expr) in checks.exprs.iter().enumerate() {
            if expr.kind.is_empty() {
                let message = format!("stage {stage}: expression {index} needs a kind");
                problems.add("V29", format!("{at}.exprs[{index}].kind"), message);
            }
            let texts = [
                ("current", &expr.current),
                ("inProgress", &expr.in_progress),
                ("failed", &expr.failed),
            ];
            for (field, text) in texts {
                let Some(text) = set(text.as_ref()) else {
                    continue;
                };
                if let Err(error) = Expression::compile(text) {
                    let message =
                        format!("stage {stage}: expression {index} {}: {error}", show(text));
                    problems.add("V29", format!("{at}.exprs[{index}].{field}"), message);
                }
            }
            if !is_api_version(&expr.api_version) {
                let message = format!(
                    "stage {stage}: expression {index} has apiVersion {}, which is neither version nor group/version",
                    show(&expr.api_version)
                );
                problems.add("V29", format!("{at}.exprs[{index}].apiVersion"), message);
            }
        }
    }
}
