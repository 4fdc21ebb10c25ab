//! References to objects: names, kinds and namespaces become part of a request's path, or are compared
//! with an object's own. What can be none is refused before any request is made.

use stageset_api::stageset::StageSetSpec;

use super::super::problems::{Problems, SCHEMA, set, show};
use super::sources::{is_api_version, is_kind};
use crate::names::Namespace;

/// Longest key of a Secret.
const LONGEST_KEY: usize = 253;

pub(super) fn check(spec: &StageSetSpec, problems: &mut Problems) {
    for (index, dependency) in spec.depends_on.iter().enumerate() {
        name(
            &format!("spec.dependsOn[{index}]"),
            &dependency.name,
            problems,
        );
    }
    for (index, stage) in spec.stages.iter().enumerate() {
        let at = format!("spec.stages[{index}]");
        let checks = stage.ready_checks.as_ref();
        for (index, check) in checks.iter().flat_map(|c| c.checks.iter()).enumerate() {
            let at = format!("{at}.readyChecks.checks[{index}]");
            kind(&at, &check.kind, problems);
            name(&at, &check.name, problems);
            namespace(&at, check.namespace.as_ref(), problems);
        }
        for (index, expr) in checks.iter().flat_map(|c| c.exprs.iter()).enumerate() {
            kind(
                &format!("{at}.readyChecks.exprs[{index}]"),
                &expr.kind,
                problems,
            );
        }
        let policy = stage.conflict_policy.as_ref();
        for (index, rule) in policy.iter().flat_map(|p| p.rules.iter()).enumerate() {
            let at = format!("{at}.conflictPolicy.rules[{index}].target");
            let target = &rule.target;
            if let Some(found) = set(target.api_version.as_ref()).filter(|t| !is_api_version(t)) {
                let message = format!(
                    "{} is no apiVersion, which is version or group/version",
                    show(found)
                );
                problems.add(SCHEMA, format!("{at}.apiVersion"), message);
            }
            kind(&at, set(target.kind.as_ref()).unwrap_or_default(), problems);
            name(&at, set(target.name.as_ref()).unwrap_or_default(), problems);
            namespace(&at, target.namespace.as_ref(), problems);
        }
    }
}

/// What Kubernetes asks of every name; kinds are stricter each in their own way.
pub(in crate::spec) fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 253
        && !matches!(text, "." | "..")
        && !text.contains(['/', '%'])
        && !text.chars().any(|c| c.is_control() || c.is_whitespace())
}

/// Whether a Secret can have this key.
pub(in crate::spec) fn is_key(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= LONGEST_KEY
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
}

/// That it is missing is for others to say.
fn name(at: &str, found: &str, problems: &mut Problems) {
    if !found.is_empty() && !is_name(found) {
        let message = format!("{} names no object", show(found));
        problems.add(SCHEMA, format!("{at}.name"), message);
    }
}

fn kind(at: &str, found: &str, problems: &mut Problems) {
    if !found.is_empty() && !is_kind(found) {
        let message = format!("{} is no kind, which is a CamelCase word", show(found));
        problems.add(SCHEMA, format!("{at}.kind"), message);
    }
}

fn namespace(at: &str, found: Option<&String>, problems: &mut Problems) {
    if let Some(found) = set(found).filter(|found| Namespace::new(*found).is_err()) {
        let message = format!("{} is no namespace", show(found));
        problems.add(SCHEMA, format!("{at}.namespace"), message);
    }
}
