//! The StageSet: an ordered release, and everything that may be said about how it is delivered.
//!
//! The types say what the schema says; which combinations make sense is judged by the parser of
//! the core, so they hold names, durations and choices as they were written. One file a topic.

mod action;
mod budget;
mod conflict;
mod dependency;
mod kube_config;
mod post_build;
mod promotion;
mod ready_checks;
mod reference;
mod selector;
mod stage;
mod version;
mod window;

pub use action::{
    Action, ApplyAction, CascadePolicy, CompletionAnchor, DeleteAction, HttpAction, HttpMethod,
    JobAction, PatchAction, PatchTarget, PatchType, Scope, StageActions, WaitAction,
};
pub use budget::{
    BudgetSourceError, ErrorBudget, MetricSource, PrometheusSource, Threshold, WebhookSource,
};
pub use conflict::{ConflictAction, ConflictPolicy, ConflictRule, ConflictTarget};
pub use dependency::Dependency;
pub use kube_config::{KUBE_CONFIG_MESSAGE, KubeConfig, KubeConfigSecret};
pub use post_build::{Patch, PatchSelector, PostBuild, SubstituteKind, SubstituteReference};
pub use promotion::{
    Analysis, AnalysisCheck, EventCheck, EventGate, FastTrack, GateFailure, RestartCheck,
    RestartGate, StagePromotion,
};
pub use ready_checks::{ReadyChecks, ReadyExpression};
pub use reference::{LocalReference, ObjectReference, SecretKeyReference, SourceReference};
pub use selector::{LabelSelector, LabelSelectorRequirement, SelectorOperator};
pub use stage::{OnTimeout, Stage};
pub use version::{
    ApprovalMode, Migration, MigrationsSource, VersionFromArtifact, VersionFromObject,
    VersionSource,
};
pub use window::{UpdateWindow, WindowScope, WindowType};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::choice::{Choice, words};
use crate::duration::DurationText;
use crate::object_meta::ObjectMeta;
use crate::read::{Fault, strict};
use crate::status::StageSetStatus;

/// Desired state of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct StageSetSpec {
    /// Steady reconcile cadence; zero and less count as unset. Defaults to the controller's --default-interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<DurationText>,
    /// Cadence of waits and holds; zero and less count as unset. Defaults to the interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_interval: Option<DurationText>,
    /// Steady cadence for finding drift, where positive and shorter than the interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift_detection_interval: Option<DurationText>,
    /// How long the objects of a stage may take to become ready, for all stages. Defaults to 15m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<DurationText>,
    /// What a timeout means while objects are still progressing. Acts as Hold when unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_timeout: Option<Choice<OnTimeout>>,
    /// Stop reconciling. Deletion still tears down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,
    /// StageSets that must be usable first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<Dependency>,
    /// Account in the StageSet's own namespace that every operation is carried out as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "crd",
        schemars(
            length(max = 253),
            regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
        )
    )]
    pub service_account_name: Option<String>,
    /// Remote cluster that the objects are delivered to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kube_config: Option<KubeConfig>,
    /// How encrypted files are decrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decryption: Option<Decryption>,
    /// Where the version comes from. Unset: no version tracking, no migrations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<VersionSource>,
    /// Steps between versions. Excludes migrationsSourceRef.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub migrations: Vec<Migration>,
    /// Artifact that the migrations are read from. Excludes migrations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migrations_source_ref: Option<MigrationsSource>,
    /// Restore the last good revisions when a run fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback_on_failure: Option<bool>,
    /// Actions that run after a rollback restored something.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on_rollback: Vec<Action>,
    /// When new revisions may be delivered. Unset: always.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub update_windows: Vec<UpdateWindow>,
    /// What a closed window holds back: new revisions, or drift correction too. Acts as Updates when unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_scope: Option<Choice<WindowScope>>,
    /// Freezes the rollout of new revisions while the budget is used up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_budget: Option<ErrorBudget>,
    /// The stages, in order.
    #[cfg_attr(feature = "crd", schemars(length(min = 1)))]
    pub stages: Vec<Stage>,
}

impl StageSetSpec {
    /// Reads a spec: the types, with faulty fields blank, and every fault of its shape. The value
    /// is `None` only if there are more than [`MOST_FAULTS`](crate::read::MOST_FAULTS) faults.
    pub fn read(spec: &Value) -> (Option<Self>, Vec<Fault>) {
        strict(spec)
    }
}

words! {
    /// Backends of decryption.
    DecryptionProvider {
        /// Mozilla SOPS.
        Sops = "sops",
    }
}

/// How encrypted files are decrypted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Decryption {
    /// Backend.
    pub provider: Choice<DecryptionProvider>,
    /// Secret with the keys: *.agekey holds age identities, *.asc armored PGP private keys. Omit for KMS only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalReference>,
}

/// A StageSet as it is written: the typed spec.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StageSet {
    /// [`API_VERSION`](crate::names::API_VERSION).
    pub api_version: String,
    /// [`KIND_STAGE_SET`](crate::names::KIND_STAGE_SET).
    pub kind: String,
    /// Metadata.
    pub metadata: ObjectMeta,
    /// Desired state.
    pub spec: StageSetSpec,
    /// Recorded state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<StageSetStatus>,
}

/// A StageSet as it was found: whatever anybody wrote into it, this can be read.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundStageSet {
    /// Metadata; odd fields left out.
    pub metadata: ObjectMeta,
    /// The spec as it stands, for the parser; `null` if there is none.
    pub spec: Value,
    /// Status; odd fields left out.
    pub status: StageSetStatus,
}

impl FoundStageSet {
    /// Reads a StageSet object.
    pub fn read(object: &Value) -> Self {
        Self {
            metadata: ObjectMeta::read(&object["metadata"]),
            spec: object["spec"].clone(),
            status: StageSetStatus::read(&object["status"]),
        }
    }
}
