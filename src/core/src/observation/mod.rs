//! The picture of the cluster that a decision rests on: everything it may look at, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::failure::{Fact, Failure};
use crate::few::Few;
use crate::identity::{Identity, KubeconfigReference, Target, Tenancy};
use crate::names::{Namespace, ServiceAccountName, StageName};
use crate::object::{ObjectKey, Rendered};
use crate::spec::{Problem, SourceReference, Spec, StageSetReference, VariableSource};
use crate::time::Timestamp;

mod actions;
mod attempts;
mod dependency;
mod former;
mod kinds;
mod live;
mod objects;
mod record;
mod reviews;
mod variables;

pub use actions::{
    ActionRecord, Answer, Attempt, BaselineValid, Completed, Ledger, Question, ReconcileStage,
    Started, Witness, ledger_key,
};
pub use attempts::{ActionFacts, Failed, Progress};
pub use dependency::{Dependency, DependencyState, Readiness};
pub use kinds::Kinds;
pub use live::{
    Correction, DryRun, Health, Labelled, Live, LiveState, ObjectFacts, Settled, Takeover, Tracking,
};
pub use objects::{Known, Objects};
pub use record::{
    Condition, ConditionStatus, ControllerRelease, InventoryEntry, Phase, StageInventory,
    StageStatus, Status,
};
pub use reviews::{AccessState, Reviews, RulesState};

pub use variables::{BuildOverlay, Values, VariableState};

/// The controller's own settings, as far as decisions rest on them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Config {
    /// Whether a StageSet without an account is refused.
    pub tenancy: Tenancy,
    /// Steady cadence of StageSets that set none.
    pub default_interval: Duration,
    /// After this long a deletion is forced through.
    pub max_teardown_wait: Duration,
    /// Refuse every `sourceRef` and `dependsOn` into another namespace, unread (S31, S32).
    pub no_cross_namespace_refs: bool,
    /// Follow foreign references only for an account that may read what they lead to itself (K04).
    pub check_cross_namespace_refs: bool,
    /// The release that this process belongs to; `None` = it claims nothing and minds no claim.
    pub release: Option<ControllerRelease>,
    /// Take StageSets over that another release claims (`--take-over`).
    pub take_over: bool,
    /// The namespaces that this controller works in; empty = all. Bounds effects too: nothing is
    /// sent for a namespaced object outside (A14, K25).
    pub watch_namespaces: BTreeSet<Namespace>,
}

impl Config {
    /// The other release that handles a StageSet with this status, if one does (K24).
    pub fn handled_elsewhere<'s>(&self, status: &'s Status) -> Option<&'s ControllerRelease> {
        let claimed = status.handled_by.as_ref()?;
        self.is_another(claimed).then_some(claimed)
    }

    /// Whether a release is one that handles for itself what it claims (K24).
    pub fn is_another(&self, claimed: &ControllerRelease) -> bool {
        let ours = self.release.as_ref();
        ours.is_some_and(|ours| claimed != ours) && !self.take_over
    }

    /// Whether requests for objects of this namespace may be sent; cluster-scoped and remote objects
    /// follow the tenant's RBAC alone (K25).
    pub fn works_in(&self, target: &Target, namespace: Option<&str>) -> bool {
        self.watch_namespaces.is_empty()
            || target.remote().is_some()
            || namespace.is_none_or(|namespace| {
                self.watch_namespaces
                    .iter()
                    .any(|listed| listed.as_str() == namespace)
            })
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            tenancy: Tenancy::Multi,
            default_interval: Duration::from_secs(600),
            max_teardown_wait: Duration::from_secs(3600),
            no_cross_namespace_refs: false,
            check_cross_namespace_refs: false,
            release: None,
            take_over: false,
            watch_namespaces: BTreeSet::new(),
        }
    }
}

/// The StageSet, read and parsed.
#[derive(Debug, Clone, PartialEq)]
pub struct StageSet {
    /// Its namespace, which is also its tenant's.
    pub namespace: Namespace,
    /// Its name, as the API server accepted it; rule G2 is the parser's.
    pub name: String,
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.generation`.
    pub generation: i64,
    /// When deletion was asked for.
    pub deletion_timestamp: Option<Timestamp>,
    /// Whether our finalizer stands in `metadata.finalizers`.
    pub has_finalizer: bool,
    /// Annotation `reconcile.fluxcd.io/requestedAt`.
    pub requested_at: Option<String>,
    /// Annotation `stages.metio.wtf/reconcile-stage`.
    pub reconcile_stage: Option<ReconcileStage>,
    /// The parsed spec, or everything that is wrong with it.
    pub spec: Result<Arc<Spec>, Vec<Problem>>,
    /// `spec.suspend`, readable even when the rest of the spec isn't valid.
    pub suspend: bool,
    /// The status as recorded in the cluster.
    pub status: Status,
}

/// What is known of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountState {
    /// It exists, with this uid.
    Exists {
        /// `metadata.uid`: a recreated account is another one (A07).
        uid: String,
    },
    /// It doesn't.
    Absent,
    /// It could not be read; fails closed (I5).
    Unreadable(Failure),
}

/// Whether the StageSet's namespace is going away (K21).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamespaceState {
    /// It stays.
    Active,
    /// It is being deleted, and all that is in it with it.
    Terminating,
    /// It could not be read.
    Unreadable(Failure),
}

/// An artifact that a source offers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Artifact {
    /// Where to download it.
    pub url: String,
    /// What it must hash to, `sha256:…`.
    pub digest: String,
    /// Opaque revision.
    pub revision: String,
}

/// What a source says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceState {
    /// Ready, with an artifact.
    Ready(Artifact),
    /// It exists, but isn't Ready; holds its own message.
    NotReady {
        /// The message of its Ready condition, or why there is none.
        message: String,
        /// The artifact that it still offers, if any: a run that already pinned it goes on (K07).
        artifact: Option<Artifact>,
    },
    /// It is Ready but offers no usable artifact.
    NoArtifact,
    /// No such object.
    Absent,
    /// Several ExternalArtifacts name the producer; choosing one would be a guess.
    Ambiguous {
        /// Their names.
        candidates: Vec<String>,
    },
    /// It could not be read.
    Unreadable(Failure),
}

/// What the Secret of a kubeconfig says. Nothing of its content is in here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KubeconfigState {
    /// It names this cluster, and a connection can be made.
    Usable(Target),
    /// There is no such Secret.
    Absent,
    /// The Secret doesn't have the key, or nothing stands there.
    NoKey,
    /// It can't be used; says why, for the person who wrote it.
    Refused(String),
    /// The Secret could not be read; fails closed (I5).
    Unreadable(Failure),
}

/// What discovery of the target says of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KindState {
    /// The target serves it.
    Served {
        /// Resource name in URLs.
        plural: String,
        /// Scope; never taken from a manifest (A11).
        namespaced: bool,
    },
    /// The target serves the kind, but only at another version. Objects written at the recorded
    /// version still exist and are reached at this one.
    OtherVersion {
        /// The version that the target prefers.
        version: String,
        /// Resource name in URLs.
        plural: String,
        /// Scope.
        namespaced: bool,
    },
    /// The target doesn't serve it at any version.
    Unknown,
    /// Discovery failed.
    Unreadable(Failure),
}

/// Which build: content and everything that shapes it. Tenant-keyed by living in one StageSet's
/// facts (K05).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct BuildKey {
    /// The artifact's digest.
    pub digest: String,
    /// The path inside it.
    pub path: String,
    /// The digest of what is laid over it; empty for nothing.
    pub overlay: String,
}

/// What a build gave.
#[derive(Debug, Clone, PartialEq)]
pub enum BuildState {
    /// The objects; made by [`BuildState::built`].
    Built(Arc<Vec<Rendered>>),
    /// It failed; a terminal failure stays until revision or spec change.
    Failed(Failure),
}

impl BuildState {
    /// The outcome of a build, in the order in which decisions look at it: sorting what is sorted
    /// costs a decision next to nothing.
    pub fn built(mut objects: Vec<Rendered>) -> Self {
        objects.sort_by(|a, b| {
            (&a.name, &a.gvk.kind, &a.namespace, &a.gvk.group).cmp(&(
                &b.name,
                &b.gvk.kind,
                &b.namespace,
                &b.gvk.group,
            ))
        });
        objects.shrink_to_fit();
        Self::Built(Arc::new(objects))
    }

    /// Drops what decisions made of the objects.
    pub fn rest(&mut self) {
        if let Self::Built(objects) = self
            && let Some(objects) = Arc::get_mut(objects)
        {
            objects.iter_mut().for_each(Rendered::rest);
        }
    }
}

/// Everything that was seen of the cluster so far, kept between turns and dropped at will: each fact
/// can be had again, at the price of a request.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Facts {
    /// Accounts of the StageSet's namespace.
    pub accounts: Few<ServiceAccountName, Fact<AccountState>>,
    /// The StageSet's namespace; asked for in teardown only.
    pub namespace: Option<Fact<NamespaceState>>,
    /// The inventories of this StageSet by stage, or why they can't be read; seen when they were last
    /// listed. Our own writes keep them current ([`Facts::inventories_are`]).
    pub inventories: Option<Fact<Result<BTreeMap<StageName, StageInventory>, Failure>>>,
    /// Sources by reference.
    pub sources: Few<SourceReference, Fact<SourceState>>,
    /// StageSets that this one depends on, directly or not.
    pub dependencies: Few<StageSetReference, Fact<DependencyState>>,
    /// `ConfigMaps` and Secrets with variables, each as the identity that read it.
    pub variables: Few<(Identity, VariableSource), Fact<VariableState>>,
    /// Builds by content.
    pub builds: Few<BuildKey, Fact<BuildState>>,
    /// What Secrets say of remote clusters.
    pub kubeconfigs: Few<KubeconfigReference, Fact<KubeconfigState>>,
    /// What reviews say of identities' rights.
    pub reviews: Reviews,
    /// Kinds by target.
    pub kinds: Kinds,
    /// Objects with a stage's labels and their uids, by search; asked for when an inventory is lost.
    pub labelled: Few<(Identity, Labelled), Fact<Result<Vec<(ObjectKey, String)>, Failure>>>,
    /// Objects of the target, each as the identity that saw it.
    pub objects: Objects,
    /// The StageLedger, `None` in it if there is none; asked for when a Lifetime action stands in the
    /// spec.
    pub ledger: Option<Fact<Result<Option<Ledger>, Failure>>>,
    /// Actions under way.
    pub actions: ActionFacts,
    /// When this process last recorded the status.
    pub status_recorded: Option<Timestamp>,
    /// The last failure of a write to our own records, which holds everything else up.
    pub record_failure: Option<Fact<Failure>>,
}

impl Facts {
    /// What the inventories hold after a write of our own. When they were seen stays as it was: since
    /// then nobody else has changed them, or the write would have bounced.
    pub fn inventories_are(&mut self, inventories: BTreeMap<StageName, StageInventory>) {
        if let Some(fact) = &mut self.inventories {
            fact.value = Ok(inventories);
        }
    }
}

/// All that one decision rests on.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// The time.
    pub now: Timestamp,
    /// Facts older than this are looked at again, unless a watch vouches for them. Set to *now* by
    /// an interval tick or a fresh `requestedAt`.
    pub refresh_before: Timestamp,
    /// The controller's settings.
    pub config: Arc<Config>,
    /// The StageSet.
    pub stage_set: StageSet,
    /// What was seen so far.
    pub facts: Facts,
}
