//! Actions of a stage, parsed: the six verbs, how often each runs, and within which bounds.

mod convert;

pub(super) use convert::actions;

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::SourceReference;
use crate::judge::cel::Expression;

/// The steps around a stage; names are unique in a stage.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Actions {
    /// Before the stage is applied.
    pub pre: Vec<Action>,
    /// After the stage is verified.
    pub post: Vec<Action>,
    /// After the stage failed.
    pub on_failure: Vec<Action>,
}

impl Actions {
    /// The actions of a phase.
    pub fn of(&self, phase: ActionPhase) -> &[Action] {
        match phase {
            ActionPhase::Pre => &self.pre,
            ActionPhase::Post => &self.post,
            ActionPhase::OnFailure => &self.on_failure,
        }
    }

    /// All actions with their phases, in order.
    pub fn all(&self) -> impl Iterator<Item = (ActionPhase, &Action)> {
        ActionPhase::ALL
            .into_iter()
            .flat_map(|phase| self.of(phase).iter().map(move |action| (phase, action)))
    }

    /// The action of this name.
    pub fn named(&self, name: &str) -> Option<&Action> {
        self.all()
            .map(|(_, action)| action)
            .find(|action| action.name == name)
    }
}

/// When an action runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum ActionPhase {
    /// Before the stage is applied.
    Pre,
    /// After the stage is verified.
    Post,
    /// After the stage failed.
    OnFailure,
}

impl ActionPhase {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Pre, Self::Post, Self::OnFailure];

    /// As the spec has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pre => "pre",
            Self::Post => "post",
            Self::OnFailure => "onFailure",
        }
    }

    /// From the spec's word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.as_str() == text)
    }
}

impl fmt::Display for ActionPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Action {
    /// Key under which its completion is recorded.
    pub name: String,
    /// How often it runs.
    pub scope: ActionScope,
    /// Bound of all attempts together. Always positive.
    pub timeout: Option<Duration>,
    /// Further attempts after a failed one.
    pub retries: u32,
    /// What it does.
    pub verb: Verb,
}

/// How often an action runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum ActionScope {
    /// Once for each revision that its stage is pinned to.
    Revision,
    /// Once ever, as the StageLedger records it, unless the witness goes.
    Lifetime(Option<Anchor>),
}

impl ActionScope {
    /// As the spec and the metrics have it.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Revision => "Revision",
            Self::Lifetime(_) => "Lifetime",
        }
    }

    /// Whether it is recorded in the StageLedger.
    pub const fn is_lifetime(&self) -> bool {
        matches!(self, Self::Lifetime(_))
    }
}

/// Witness of a completion: an object in the StageSet's namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Anchor {
    /// Group and version.
    pub api_version: String,
    /// Kind.
    pub kind: String,
    /// Name.
    pub name: String,
}

/// An object that an action names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ObjectTarget {
    /// Group and version; `v1` when the spec has none.
    pub api_version: String,
    /// Kind.
    pub kind: String,
    /// Namespace; the StageSet's when the spec has none. Doesn't count for cluster-scoped kinds.
    pub namespace: String,
    /// Name.
    pub name: String,
}

/// What an action does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Verb {
    /// Changes live objects.
    Patch(Patch),
    /// Sends a request.
    Http(Http),
    /// Pauses.
    Pause(Duration),
    /// Waits for an object.
    Until(Until),
    /// Runs Jobs.
    Job(Manifests),
    /// Deletes an object.
    Delete(Delete),
    /// Applies transient manifests.
    Apply {
        /// Where they come from.
        manifests: Manifests,
        /// Whether to wait until they are ready.
        wait: bool,
    },
}

impl Verb {
    /// As the spec has it.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Patch(_) => "patch",
            Self::Http(_) => "http",
            Self::Pause(_) | Self::Until(_) => "wait",
            Self::Job(_) => "job",
            Self::Delete(_) => "delete",
            Self::Apply { .. } => "apply",
        }
    }

    /// Where its manifests come from, if it has some.
    pub const fn manifests(&self) -> Option<&Manifests> {
        match self {
            Self::Job(manifests) | Self::Apply { manifests, .. } => Some(manifests),
            Self::Patch(_) | Self::Http(_) | Self::Pause(_) | Self::Until(_) | Self::Delete(_) => {
                None
            }
        }
    }

    /// Whether doing it a second time leaves things as doing it once does; what may have been done
    /// is then simply done again.
    pub fn is_repeatable(&self) -> bool {
        match self {
            Self::Pause(_)
            | Self::Until(_)
            | Self::Job(_)
            | Self::Delete(_)
            | Self::Apply { .. } => true,
            Self::Patch(patch) => match patch.format {
                PatchFormat::Merge => true,
                PatchFormat::Json => only_sets_fields(&patch.body),
            },
            Self::Http(http) => http.method.is_idempotent(),
        }
    }
}

/// Whether a JSON patch only sets and tests fields that it names: list positions move.
fn only_sets_fields(patch: &str) -> bool {
    let Ok(serde_json::Value::Array(operations)) = serde_json::from_str(patch) else {
        return false;
    };
    operations.iter().all(|operation| {
        let path = operation["path"].as_str().unwrap_or_default();
        let last = path.rsplit('/').next().unwrap_or_default();
        let position = last == "-" || last.bytes().all(|byte| byte.is_ascii_digit());
        match operation["op"].as_str() {
            Some("replace" | "test") => true,
            Some("add") => !position,
            _ => false,
        }
    })
}

/// Changes live objects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Patch {
    /// Group and version; `v1` when the spec has none.
    pub api_version: String,
    /// Kind of the objects.
    pub kind: String,
    /// Namespace; the StageSet's when the spec has none.
    pub namespace: String,
    /// Which of them.
    pub objects: Selected,
    /// Kind of the patch.
    pub format: PatchFormat,
    /// The patch, in YAML or JSON.
    pub body: String,
}

/// One object by name, or all that a selector picks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Selected {
    /// The one of this name.
    Named(String),
    /// Those with such labels, as the API's query has it.
    Labelled(String),
}

/// Kinds of patches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum PatchFormat {
    /// Strategic where the kind has a strategy, else a JSON merge patch.
    Merge,
    /// RFC 6902.
    Json,
}

/// Deletes an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Delete {
    /// Which.
    pub target: ObjectTarget,
    /// What becomes of its dependents.
    pub cascade: Cascade,
}

/// What becomes of the dependents of a deleted object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Cascade {
    /// They go afterwards.
    Background,
    /// They go first.
    Foreground,
    /// They stay.
    Orphan,
}

impl Cascade {
    /// `propagationPolicy`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Background => "Background",
            Self::Foreground => "Foreground",
            Self::Orphan => "Orphan",
        }
    }
}

/// Waits until an expression about an object holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Until {
    /// Which object.
    pub target: ObjectTarget,
    /// What has to hold.
    pub expression: Expression,
    /// Bound of one attempt. Always positive.
    pub timeout: Duration,
}

/// Manifests of an action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Manifests {
    /// Source; resolved like a stage's.
    pub source: SourceReference,
    /// Directory inside the artifact, normalised.
    pub path: String,
}

/// Sends an HTTP request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Http {
    /// http or https.
    pub url: String,
    /// Method.
    pub method: Method,
    /// Body.
    pub body: Option<Body>,
    /// Secrets whose key names a header and whose value is the header's.
    pub headers: Vec<SecretKey>,
    /// What counts as success; empty = any 2xx.
    pub expected: Vec<u16>,
}

impl Http {
    /// Whether anything of it comes from a Secret: then it goes to no other host (A19).
    pub fn holds_secrets(&self) -> bool {
        !self.headers.is_empty() || matches!(self.body, Some(Body::Secret(_)))
    }
}

/// Body of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Body {
    /// As the spec has it.
    Text(String),
    /// From a Secret, read as the stage's account.
    Secret(SecretKey),
}

/// One value of a Secret of the StageSet's namespace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct SecretKey {
    /// Name of the Secret.
    pub name: String,
    /// Key in its data.
    pub key: String,
}

/// Methods of an HTTP action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Method {
    /// GET
    Get,
    /// POST
    Post,
    /// PUT
    Put,
    /// PATCH
    Patch,
    /// DELETE
    Delete,
    /// HEAD
    Head,
}

impl Method {
    /// As it is sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Head => "HEAD",
        }
    }

    /// Whether a second request of the kind asks for the same as the first (RFC 9110, 9.2.2).
    pub const fn is_idempotent(self) -> bool {
        !matches!(self, Self::Post | Self::Patch)
    }
}

#[cfg(test)]
mod tests {
    use super::only_sets_fields;

    #[test]
    fn a_patch_that_moves_list_positions_is_not_repeatable() {
        for (patch, repeatable) in [
            (
                r#"[{"op":"replace","path":"/spec/replicas","value":0}]"#,
                true,
            ),
            (
                r#"[{"op":"add","path":"/metadata/labels/a","value":"b"}]"#,
                true,
            ),
            (
                r#"[{"op":"test","path":"/spec/a","value":1},{"op":"replace","path":"/spec/a","value":2}]"#,
                true,
            ),
            (r#"[{"op":"add","path":"/spec/list/-","value":1}]"#, false),
            (r#"[{"op":"add","path":"/spec/list/0","value":1}]"#, false),
            (r#"[{"op":"remove","path":"/spec/a"}]"#, false),
            (
                r#"[{"op":"move","from":"/spec/a","path":"/spec/b"}]"#,
                false,
            ),
            ("- op: replace", false),
            ("", false),
        ] {
            assert_eq!(only_sets_fields(patch), repeatable, "{patch}");
        }
    }
}
