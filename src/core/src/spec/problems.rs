//! What is wrong with a spec, in the order in which it is reported (K26).

use super::Problem;

/// Rule of a value of the wrong shape.
pub(super) const SCHEMA: &str = "schema";
/// Rule of a field that this version doesn't support.
pub(super) const UNSUPPORTED: &str = "unsupported";

/// Texts from a spec are cut to so many characters in messages.
const SHOWN: usize = 64;

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<Problem>);

impl Problems {
    /// Adds a problem of a rule.
    pub(super) fn add(
        &mut self,
        rule: &'static str,
        field: impl Into<String>,
        message: impl Into<String>,
    ) {
        self.0.push(Problem {
            rule,
            field: field.into(),
            message: message.into(),
        });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All problems: shape first, then V1 to V31, G1 to G10 and what isn't supported; within a rule
    /// as the fields stand in the spec. A field that a numbered rule speaks of isn't reported a
    /// second time for its shape.
    pub(super) fn into_sorted(self) -> Vec<Problem> {
        let numbered: std::collections::BTreeSet<String> = self
            .0
            .iter()
            .filter(|p| p.rule != SCHEMA && p.rule != UNSUPPORTED)
            .map(|p| p.field.clone())
            .collect();
        let mut problems = self.0;
        problems.retain(|p| p.rule != SCHEMA || !numbered.contains(&p.field));
        problems.sort_by_key(|p| rank(p.rule));
        problems.dedup();
        problems
    }
}

/// Place of a rule in the report.
fn rank(rule: &str) -> (u8, u32) {
    let number = |text: &str| text.parse().unwrap_or(u32::MAX);
    match rule.split_at_checked(1) {
        _ if rule == SCHEMA => (0, 0),
        _ if rule == UNSUPPORTED => (3, 0),
        Some(("V", text)) => (1, number(text)),
        _ => (2, number(rule.get(1..).unwrap_or_default())),
    }
}

/// A text from a spec as it is shown in a message: quoted, escaped and not too long.
pub(super) fn show(text: &str) -> String {
    if text.chars().count() <= SHOWN {
        return format!("{text:?}");
    }
    let start: String = text.chars().take(SHOWN).collect();
    format!("{start:?}… ({} bytes)", text.len())
}

/// The text of an optional field; the empty text counts as unset, as it does in Go.
pub(super) fn set(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !text.is_empty())
}
