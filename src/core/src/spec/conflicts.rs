//! Answers to immutable fields: what becomes of an object that the API server won't change.

use serde::Serialize;
use stageset_api::choice::Choice;
use stageset_api::stageset as api;

use super::problems::set;
use crate::object::Desired;

/// What to do with an object of which a field can't be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum ConflictAnswer {
    /// Report it.
    Fail,
    /// Delete the object and create it anew.
    Recreate,
    /// Create it if it is absent, leave it alone otherwise.
    KeepExisting,
}

/// `conflictPolicy` and `force` of a stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConflictPolicy {
    /// The answer for objects that no rule matches.
    pub default: ConflictAnswer,
    /// The first match wins.
    pub rules: Vec<ConflictRule>,
}

impl Default for ConflictPolicy {
    fn default() -> Self {
        Self {
            default: ConflictAnswer::Fail,
            rules: Vec::new(),
        }
    }
}

/// An answer for some objects; an unset member matches any.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConflictRule {
    /// Group and version.
    pub api_version: Option<String>,
    /// Kind.
    pub kind: Option<String>,
    /// Object name.
    pub name: Option<String>,
    /// Namespace, as the object has it in the cluster.
    pub namespace: Option<String>,
    /// The answer.
    pub answer: ConflictAnswer,
    /// Whether objects that hold data may be recreated too.
    pub allow_data_loss: bool,
}

impl ConflictRule {
    fn matches(&self, object: &Desired) -> bool {
        let key = &object.reference.key;
        let is = |wanted: &Option<String>, found: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == found)
        };
        is(&self.kind, &key.kind)
            && is(&self.name, &key.name)
            && is(
                &self.namespace,
                key.namespace.as_deref().unwrap_or_default(),
            )
            && self
                .api_version
                .as_deref()
                .is_none_or(|wanted| wanted == object.reference.gvk().api_version())
    }
}

/// The answer for one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// What to do.
    pub answer: ConflictAnswer,
    /// Whether the matching rule permits losing data. Nothing but a rule can: neither `force` nor an
    /// annotation says which objects it is meant for.
    pub allow_data_loss: bool,
}

impl ConflictPolicy {
    /// From the API's fields. The API server fills in `default: Fail` where a policy has none, so
    /// that a written `Fail` can't be told from none: `force` wins over it.
    pub(super) fn from_api(force: Option<bool>, policy: Option<&api::ConflictPolicy>) -> Self {
        let answer = |choice: &Choice<api::ConflictAction>| match choice {
            Choice::Known(api::ConflictAction::Recreate) => ConflictAnswer::Recreate,
            Choice::Known(api::ConflictAction::KeepExisting) => ConflictAnswer::KeepExisting,
            // An unknown word is reported as such and never gets here.
            Choice::Known(api::ConflictAction::Fail) | Choice::Unknown(_) => ConflictAnswer::Fail,
        };
        let stated = policy
            .and_then(|policy| policy.default.as_ref())
            .map_or(ConflictAnswer::Fail, answer);
        let default = if stated == ConflictAnswer::Fail && force == Some(true) {
            ConflictAnswer::Recreate
        } else {
            stated
        };
        let rules = policy.map_or(&[][..], |policy| &policy.rules);
        let text = |text: &Option<String>| set(text.as_ref()).map(str::to_owned);
        Self {
            default,
            rules: rules
                .iter()
                .map(|rule| ConflictRule {
                    api_version: text(&rule.target.api_version),
                    kind: text(&rule.target.kind),
                    name: text(&rule.target.name),
                    namespace: text(&rule.target.namespace),
                    answer: answer(&rule.action),
                    allow_data_loss: rule.allow_data_loss == Some(true),
                })
                .collect(),
        }
    }

    /// The answer for one object: its own annotations first, then the first rule that matches, then
    /// the default. `keep-existing` wins over `force`: it loses nothing.
    pub fn answer(&self, object: &Desired) -> Answer {
        let rule = self.rules.iter().find(|rule| rule.matches(object));
        let answer = if object.keep_existing {
            ConflictAnswer::KeepExisting
        } else if object.force {
            ConflictAnswer::Recreate
        } else {
            rule.map_or(self.default, |rule| rule.answer)
        };
        Answer {
            answer,
            allow_data_loss: rule.is_some_and(|rule| rule.allow_data_loss),
        }
    }
}
