//! A cluster in a map: carries out needs and operations at once, in memory, without a wire. Small
//! enough to be read whole; what it says of Kubernetes is what the core relies on.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "shared by tests and benches; neither uses all of it"
)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a harness stops where its own assumptions end"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use stageset_core::failure::{Fact, Failure, FailureClass};
use stageset_core::identity::{Identity, Remote, Target};
use stageset_core::names::{Namespace, ServiceAccountName, StageName};
use stageset_core::object::{ObjectKey, Rendered};
use stageset_core::observation::{
    Artifact, BuildOverlay, Config, DependencyState, Facts, KubeconfigState, Ledger, Observation,
    ReconcileStage, SourceState, StageInventory, StageSet, Status, VariableState,
};
use stageset_core::plan::{Need, Next, Plan};
use stageset_core::spec::{Problem, Spec, Stage};
use stageset_core::time::Timestamp;

mod actions;
mod gather;
mod perform;
mod releases;
mod stored;
mod turns;

#[allow(
    unused_imports,
    reason = "shared by tests and benches; neither uses all of it"
)]
pub use actions::{Effects, JobScript};
#[allow(
    unused_imports,
    reason = "shared by tests and benches; neither uses all of it"
)]
pub use releases::{kubeconfig, manifest, shop, single_tenant, stage};
pub use stored::Stored;

/// What a build of (digest, path) gives.
type Artifacts = BTreeMap<(String, String), Result<Vec<Rendered>, Failure>>;

pub const NAMESPACE: &str = "payments";

/// What happened, in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Done {
    pub at: Timestamp,
    pub what: String,
    pub identity: Option<String>,
}

pub struct World {
    pub now: Timestamp,
    pub config: Config,
    pub spec: Result<Arc<Spec>, Vec<Problem>>,
    pub suspend: bool,
    pub generation: i64,
    pub requested_at: Option<String>,
    pub deletion_timestamp: Option<Timestamp>,
    pub finalizer: bool,
    pub status: Status,
    pub inventories: BTreeMap<StageName, StageInventory>,
    pub accounts: BTreeSet<String>,
    pub namespace_terminating: bool,
    /// The StageSet is deleted with its dependents first.
    pub foreground: bool,
    pub sources: BTreeMap<String, SourceState>,
    /// Other StageSets, by `namespace/name`.
    pub dependencies: BTreeMap<String, DependencyState>,
    pub artifacts: Artifacts,
    pub kinds: BTreeMap<(String, String), (String, bool)>,
    pub objects: BTreeMap<ObjectKey, Stored>,
    /// What Secrets of kubeconfigs name; absent ones don't exist.
    pub kubeconfigs: BTreeMap<String, KubeconfigState>,
    /// Objects of remote clusters.
    pub remotes: BTreeMap<String, BTreeMap<ObjectKey, Stored>>,
    /// Remote clusters that don't answer.
    pub down: BTreeSet<String>,
    /// (user, verb, kind) that RBAC refuses.
    pub denied: BTreeSet<(String, String, String)>,
    /// Versions that aren't served, whatever their kind.
    pub retired: BTreeSet<String>,
    /// Whether the server answers reviews of rights; without, only dry runs tell.
    pub reviews: bool,
    /// Only what is allowed of Deployments can be listed; the rest is answered one by one.
    pub unlisted: bool,
    /// (user, resource, namespace) that access reviews allow.
    pub readable: BTreeSet<(String, String, String)>,
    /// How long a kind takes to become ready.
    pub slow: BTreeMap<String, Duration>,
    /// Objects (by name) whose deletion waits for a finalizer.
    pub sticky: BTreeSet<String>,
    /// Kinds whose content can't be changed once it is there.
    pub immutable: BTreeSet<String>,
    /// Who else writes, as the objects remember it.
    pub writer: Option<String>,
    /// Fails the request with this number.
    pub fault: Option<(u64, FailureClass)>,
    pub requests: u64,
    /// What an object on its way says of itself.
    pub chatter: Option<String>,
    pub done: Vec<Done>,
    pub events: Vec<(String, String)>,
    /// The phases of the stages, each time that they were recorded and had changed.
    pub phases: Vec<String>,
    pub gone: bool,
    /// `ConfigMaps` and Secrets with variables, as `Secret name`.
    pub variables: BTreeMap<String, VariableState>,
    /// What each build was given, in their order.
    pub overlays: Vec<BuildOverlay>,
    pub facts: Facts,
    pub refresh_before: Timestamp,
    pub last_plan: Option<Plan>,
    /// Annotation `stages.metio.wtf/reconcile-stage`.
    pub reconcile_stage: Option<String>,
    pub ledger: Option<Ledger>,
    /// What actions do and meet.
    pub effects: Effects,
    /// What a watch that lags behind shows of the status, until a write meets the newer version.
    pub shown: Option<Status>,
    /// The process dies right after the request with this number took effect.
    pub dies_after: Option<u64>,
    uids: u64,
    /// How many turns there were since the time below.
    turns: u32,
    turned_at: Timestamp,
}

impl World {
    pub fn new(stages: Vec<Stage>) -> Self {
        let start = Timestamp::parse("2026-11-23T12:00:00Z").unwrap();
        let kinds = [
            ("", "ConfigMap", "configmaps", true),
            ("", "Secret", "secrets", true),
            ("", "Service", "services", true),
            ("", "ServiceAccount", "serviceaccounts", true),
            ("", "Namespace", "namespaces", false),
            ("apps", "Deployment", "deployments", true),
            ("apps", "StatefulSet", "statefulsets", true),
            ("", "PersistentVolumeClaim", "persistentvolumeclaims", true),
            ("", "PersistentVolume", "persistentvolumes", false),
            ("batch", "Job", "jobs", true),
            ("networking.k8s.io", "Ingress", "ingresses", true),
            ("rbac.authorization.k8s.io", "Role", "roles", true),
            (
                "apiextensions.k8s.io",
                "CustomResourceDefinition",
                "customresourcedefinitions",
                false,
            ),
        ];
        Self {
            now: start,
            config: Config::default(),
            spec: Ok(Arc::new(Spec {
                interval: None,
                retry_interval: None,
                drift_detection_interval: None,
                timeout: None,
                suspend: false,
                service_account: Some(ServiceAccountName::new("deployer").unwrap()),
                kube_config: None,
                depends_on: Vec::new(),
                stages,
            })),
            suspend: false,
            generation: 1,
            requested_at: None,
            deletion_timestamp: None,
            finalizer: false,
            status: Status::default(),
            inventories: BTreeMap::new(),
            accounts: BTreeSet::from(["deployer".to_owned()]),
            namespace_terminating: false,
            foreground: false,
            sources: BTreeMap::new(),
            dependencies: BTreeMap::new(),
            artifacts: BTreeMap::new(),
            kinds: kinds
                .into_iter()
                .map(|(group, kind, plural, scoped)| {
                    (
                        (group.to_owned(), kind.to_owned()),
                        (plural.to_owned(), scoped),
                    )
                })
                .collect(),
            objects: BTreeMap::new(),
            kubeconfigs: BTreeMap::new(),
            remotes: BTreeMap::new(),
            down: BTreeSet::new(),
            denied: BTreeSet::new(),
            reviews: false,
            retired: BTreeSet::new(),
            unlisted: false,
            readable: BTreeSet::new(),
            slow: BTreeMap::new(),
            sticky: BTreeSet::new(),
            immutable: BTreeSet::new(),
            writer: None,
            fault: None,
            requests: 0,
            chatter: None,
            done: Vec::new(),
            events: Vec::new(),
            phases: Vec::new(),
            gone: false,
            variables: BTreeMap::new(),
            overlays: Vec::new(),
            facts: Facts::default(),
            refresh_before: start,
            last_plan: None,
            reconcile_stage: None,
            ledger: None,
            effects: Effects::default(),
            shown: None,
            dies_after: None,
            uids: 0,
            turns: 0,
            turned_at: start,
        }
    }

    pub fn edit_spec(&mut self, edit: impl FnOnce(&mut Spec)) {
        let mut spec = (**self.spec.as_ref().unwrap()).clone();
        edit(&mut spec);
        self.spec = Ok(Arc::new(spec));
        self.generation += 1;
    }

    /// Publishes a revision of a source; its manifests are `kind/name=content`.
    pub fn publish(&mut self, source: &str, revision: &str, manifests: &[&str]) {
        let objects = manifests.iter().map(|text| manifest(text)).collect();
        let digest = format!("sha256:{source}-{revision}");
        self.artifacts
            .insert((digest.clone(), String::new()), Ok(objects));
        self.sources.insert(
            source.into(),
            SourceState::Ready(Artifact {
                url: format!("http://source/{source}/{revision}.tar.gz"),
                digest,
                revision: revision.into(),
            }),
        );
        self.facts.sources.clear();
    }

    pub fn observation(&self) -> Observation {
        Observation {
            now: self.now,
            refresh_before: self.refresh_before,
            config: Arc::new(self.config.clone()),
            stage_set: StageSet {
                namespace: Namespace::new(NAMESPACE).unwrap(),
                name: "shop".into(),
                uid: "5e7".into(),
                generation: self.generation,
                deletion_timestamp: self.deletion_timestamp,
                has_finalizer: self.finalizer,
                requested_at: self.requested_at.clone(),
                reconcile_stage: self.reconcile_stage.as_deref().map(ReconcileStage::parse),
                spec: self.spec.clone(),
                suspend: self.suspend,
                status: self.shown.as_ref().unwrap_or(&self.status).clone(),
            },
            facts: self.facts.clone(),
        }
    }

    /// Has a fact, as a decision that asks for it would.
    pub fn ask(&mut self, need: &Need) {
        self.gather(need);
    }

    /// Somebody touched every object: what was seen of them doesn't hold.
    pub fn forget_what_was_seen(&mut self) {
        for (_, _, facts) in self.facts.objects.iter_mut() {
            facts.live = None;
            facts.dry_run = None;
        }
    }

    /// The key of a namespaced object of the core group.
    pub fn key(&self, kind: &str, name: &str) -> ObjectKey {
        ObjectKey {
            group: String::new(),
            kind: kind.into(),
            namespace: Some(NAMESPACE.into()),
            name: name.into(),
        }
    }

    /// The process dies: all that was only remembered is gone.
    pub fn crash(&mut self) {
        self.facts = Facts::default();
        self.refresh_before = self.now;
    }

    fn dies(&mut self) -> bool {
        let dies = self.dies_after == Some(self.requests);
        if dies {
            self.dies_after = None;
            self.crash();
        }
        dies
    }

    pub fn ready(&self) -> String {
        self.status
            .condition("Ready")
            .map_or_else(String::new, |c| {
                format!("{} {}", c.status.as_str(), c.reason)
            })
    }

    pub fn message(&self) -> &str {
        self.status
            .condition("Ready")
            .map_or("", |c| c.message.as_str())
    }

    pub fn object(&self, kind: &str, name: &str) -> Option<&Stored> {
        self.objects
            .iter()
            .find(|(key, _)| key.kind == kind && key.name == name)
            .map(|(_, o)| o)
    }

    pub fn done_with(&self, word: &str) -> Vec<&str> {
        self.done
            .iter()
            .map(|d| d.what.as_str())
            .filter(|what| what.starts_with(word))
            .collect()
    }

    fn note(&mut self, what: String, identity: Option<&Identity>) {
        let identity = identity.and_then(Identity::impersonated_user);
        self.done.push(Done {
            at: self.now,
            what,
            identity,
        });
    }

    /// Counts a request; answers with the failure that is due.
    fn request(&mut self) -> Option<Failure> {
        self.requests += 1;
        match &self.fault {
            Some((at, class)) if *at == self.requests => {
                Some(Failure::new(class.clone(), "injected fault"))
            }
            _ => None,
        }
    }

    fn refuses(&self, identity: &Identity, verb: &str, key: &ObjectKey) -> Option<Failure> {
        let user = identity.impersonated_user().unwrap_or_default();
        self.denied
            .contains(&(user.clone(), verb.to_owned(), key.kind.clone()))
            .then(|| {
                Failure::new(
                    FailureClass::Denied,
                    format!("User {user:?} cannot {verb} resource {:?}", key.kind),
                )
            })
    }

    /// Does something in a cluster: `objects` are that one's meanwhile.
    fn at<T>(&mut self, target: &Target, work: impl FnOnce(&mut Self) -> T) -> T {
        let Some(remote) = target.remote() else {
            return work(self);
        };
        let there = self.remotes.entry(remote.cluster.clone()).or_default();
        std::mem::swap(&mut self.objects, there);
        let fault = self.fault.clone();
        if self.down.contains(&remote.cluster) {
            let class = FailureClass::Transient { retry_after: None };
            self.fault = Some((self.requests + 1, class));
        }
        let done = work(self);
        self.fault = fault;
        let there = self.remotes.entry(remote.cluster.clone()).or_default();
        std::mem::swap(&mut self.objects, there);
        done
    }

    /// Lets a Secret name a cluster.
    pub fn point(&mut self, secret: &str, revision: &str, cluster: &str) {
        let target = Target::Remote(Arc::new(Remote {
            namespace: Namespace::new(NAMESPACE).unwrap(),
            kubeconfig: kubeconfig(secret),
            revision: revision.into(),
            cluster: cluster.into(),
        }));
        let state = KubeconfigState::Usable(target);
        self.kubeconfigs.insert(secret.into(), state);
    }
}

fn failures_after<T>(before: Option<&Fact<T>>, failed: bool) -> u32 {
    if failed {
        before.map_or(0, |fact| fact.failures) + 1
    } else {
        0
    }
}

/// What holds for every plan, whatever the observation.
fn check(plan: &Plan) {
    assert!(
        plan.needs.is_empty() || plan.steps.is_empty(),
        "a plan asks or acts:\n{plan}"
    );
    if plan.is_idle() {
        assert_ne!(
            plan.next,
            Next::Again,
            "an idle plan that wants another turn is a hot loop"
        );
    }
}
