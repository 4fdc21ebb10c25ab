//! Steps around a stage: six verbs, what they work on and how often they run.

use serde::{Deserialize, Serialize};

use super::reference::{ObjectReference, SecretKeyReference, SourceReference};
use super::selector::LabelSelector;
use crate::choice::{Choice, words};
use crate::duration::DurationText;

words! {
    /// How often an action runs.
    Scope {
        /// Once for each pinned revision.
        Revision = "Revision",
        /// Once for each version.
        Version = "Version",
        /// Once ever.
        Lifetime = "Lifetime",
    }
}

/// Actions of a stage.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct StageActions {
    /// Before the stage is applied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pre: Vec<Action>,
    /// After the stage is verified.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub post: Vec<Action>,
    /// After the stage failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on_failure: Vec<Action>,
}

/// One step; exactly one of patch, http, wait, job, delete, apply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Action {
    /// Name, unique in the stage; the key under which its completion is recorded.
    pub name: String,
    /// How often it runs. Acts as Revision before and after a stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Choice<Scope>>,
    /// Bound on all attempts together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<DurationText>,
    /// Further attempts after a failure. Acts as 0 when unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "crd", schemars(range(min = 0, max = 100)))]
    pub retries: Option<i32>,
    /// Object whose loss makes a Lifetime action run again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion_anchor: Option<CompletionAnchor>,
    /// Change live objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch: Option<PatchAction>,
    /// Send an HTTP request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpAction>,
    /// Pause, or wait for an object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<WaitAction>,
    /// Run Jobs to completion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobAction>,
    /// Delete an object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete: Option<DeleteAction>,
    /// Apply transient manifests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apply: Option<ApplyAction>,
}

/// Witness of a Lifetime action, in the StageSet's namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct CompletionAnchor {
    /// Group and version.
    pub api_version: String,
    /// Kind.
    pub kind: String,
    /// Object name.
    pub name: String,
}

words! {
    /// Kinds of patches.
    PatchType {
        /// A merge patch.
        Merge = "merge",
        /// A JSON patch.
        Json6902 = "json6902",
    }
}

/// Changes live objects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PatchAction {
    /// The objects.
    pub target: PatchTarget,
    /// Kind of the patch. Acts as merge when unset.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub type_: Option<Choice<PatchType>>,
    /// The patch.
    pub patch: String,
}

/// One object by name, or all that match a selector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PatchTarget {
    /// Group and version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Kind.
    pub kind: String,
    /// Namespace. Defaults to the StageSet's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Object name. Excludes selector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Labels of the objects. Excludes name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
}

words! {
    /// Methods of an HTTP action.
    HttpMethod {
        /// GET
        Get = "GET",
        /// POST
        Post = "POST",
        /// PUT
        Put = "PUT",
        /// PATCH
        Patch = "PATCH",
        /// DELETE
        Delete = "DELETE",
        /// HEAD
        Head = "HEAD",
    }
}

/// Sends an HTTP request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct HttpAction {
    /// Address; http or https.
    pub url: String,
    /// Method. Acts as POST when unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<Choice<HttpMethod>>,
    /// Body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Secret key with the body; wins over body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_from: Option<SecretKeyReference>,
    /// Secret keys with headers: the key is the header's name, its value the header's value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers_from: Vec<SecretKeyReference>,
    /// Status codes that count as success. Unset: any 2xx.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "crd", schemars(inner(range(min = 100, max = 599))))]
    pub expected_status: Vec<i32>,
}

/// A pause of a fixed length, or until an expression about an object holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct WaitAction {
    /// Fixed pause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<DurationText>,
    /// Object that the expression is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<ObjectReference>,
    /// CEL expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expr: Option<String>,
    /// Bound on waiting for the expression. Acts as 5m when unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<DurationText>,
}

/// Renders Jobs, runs them, waits for them and deletes them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct JobAction {
    /// Source of the manifests.
    pub source_ref: SourceReference,
    /// Directory inside the artifact. Acts as ./ when unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

words! {
    /// What becomes of dependents of a deleted object.
    CascadePolicy {
        /// They go afterwards.
        Background = "Background",
        /// They go first.
        Foreground = "Foreground",
        /// They stay.
        Orphan = "Orphan",
    }
}

/// Deletes an object; its absence is success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct DeleteAction {
    /// The object.
    pub target: ObjectReference,
    /// What becomes of its dependents. Acts as Background when unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cascade: Option<Choice<CascadePolicy>>,
}

/// Applies transient manifests, which are never recorded and never pruned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ApplyAction {
    /// Source of the manifests.
    pub source_ref: SourceReference,
    /// Directory inside the artifact. Acts as ./ when unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Wait until the objects are ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<bool>,
}
