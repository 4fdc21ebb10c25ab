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

use serde_json::{Value, json};
use stageset_core::failure::{Fact, Failure, FailureClass};
use stageset_core::identity::{Identity, KubeconfigReference, Remote, Target, Tenancy};
use stageset_core::names::{Namespace, SecretName, ServiceAccountName, StageName};
use stageset_core::object::{GroupVersionKind, ObjectKey, Owner, Rendered};
use stageset_core::observation::{
    AccessState, AccountState, Artifact, BuildOverlay, BuildState, Config, Correction,
    DependencyState, DryRun, Facts, Health, KindState, KubeconfigState, Ledger, Live, LiveState,
    NamespaceState, ObjectFacts, Observation, ReconcileStage, RulesState, Settled, SourceState,
    StageInventory, StageSet, Status, Takeover, Tracking, VariableState,
};
use stageset_core::plan::{
    ApplyReason, Need, Next, Operation, Plan, RecordOperation, TenantOperation,
};
use stageset_core::reconcile;
use stageset_core::rights::{Rule, Rules};
use stageset_core::spec::{Actions, ConflictPolicy, Problem, SourceReference, Spec, Stage};
use stageset_core::time::Timestamp;

mod actions;

#[allow(
    unused_imports,
    reason = "shared by tests and benches; neither uses all of it"
)]
pub use actions::{Effects, JobScript};

/// What a build of (digest, path) gives.
type Artifacts = BTreeMap<(String, String), Result<Vec<Rendered>, Failure>>;

pub const NAMESPACE: &str = "payments";

/// An object as the cluster holds it.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    pub uid: String,
    pub version: u64,
    pub owner: Option<Owner>,
    pub stage: String,
    pub content: String,
    pub entry: String,
    pub prune_disabled: bool,
    pub deleting: bool,
    pub deleted_at: Option<Timestamp>,
    pub takes_claims_along: bool,
    /// The content that its managers' fields hold besides ours.
    pub former: Vec<String>,
    /// Its `status`, for expressions.
    pub status: Value,
    pub ready_at: Timestamp,
    pub finalizer: bool,
}

impl Stored {
    /// An object that nobody of ours has touched.
    pub fn foreign(uid: &str, ready_at: Timestamp) -> Self {
        Self {
            uid: uid.into(),
            version: 0,
            owner: None,
            stage: String::new(),
            content: String::new(),
            entry: String::new(),
            prune_disabled: false,
            deleting: false,
            deleted_at: None,
            takes_claims_along: false,
            former: Vec::new(),
            status: json!({}),
            ready_at,
            finalizer: false,
        }
    }
}

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
    /// Whether the server answers reviews of rights; without, only dry runs tell.
    pub reviews: bool,
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

    /// One decision, carried out.
    pub fn turn(&mut self) -> Plan {
        // Lent, not copied: a driver owns its memory too.
        let facts = std::mem::take(&mut self.facts);
        let mut observation = self.observation();
        observation.facts = facts;
        let plan = reconcile(&observation);
        self.facts = observation.facts;
        check(&plan);
        for need in &plan.needs {
            let target = need.identity().map(Identity::target).cloned();
            self.at(&target.unwrap_or_default(), |world| world.gather(need));
            if self.dies() {
                return plan;
            }
        }
        'steps: for step in &plan.steps {
            let mut failed = false;
            for operation in step {
                failed |= !self.perform(operation);
                if self.dies() {
                    self.last_plan = Some(plan.clone());
                    return Plan {
                        next: Next::Again,
                        ..plan
                    };
                }
            }
            if failed {
                break 'steps;
            }
        }
        if plan.next == Next::Gone {
            self.gone = true;
        }
        self.last_plan = Some(plan.clone());
        plan
    }

    /// Turns until the plan rests; the rest is returned.
    pub fn pass(&mut self) -> Next {
        for _ in 0..500 {
            let plan = self.turn();
            if plan.next != Next::Again {
                return plan.next;
            }
        }
        panic!(
            "500 turns without a rest; last plan:\n{}",
            self.last_plan.as_ref().unwrap()
        );
    }

    /// Passes and waits until nothing is left to do before the next interval tick, or `bound` is over.
    pub fn settle(&mut self, bound: Duration) -> Next {
        let end = self.now.plus(bound);
        loop {
            let next = self.pass();
            match &next {
                Next::Hold { until, refresh, .. } if *until <= end => {
                    if *refresh && self.ready() == "True Succeeded" {
                        return next;
                    }
                    self.now = *until;
                    if *refresh {
                        self.refresh_before = self.now;
                    }
                }
                _ => return next,
            }
        }
    }

    /// Waits for the next interval tick, and for what comes of it.
    pub fn tick(&mut self) {
        self.now = self.now.plus(Duration::from_secs(1200));
        self.refresh_before = self.now;
        self.settle(Duration::from_secs(60));
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

    fn gather(&mut self, need: &Need) {
        let at = self.now;
        let fault = self.request();
        match need {
            Need::Ledger | Need::Look { .. } => self.gather_for_actions(need, fault),
            Need::Account(name) => {
                let value = match fault {
                    Some(failure) => AccountState::Unreadable(failure),
                    None if self.accounts.contains(name.as_str()) => {
                        AccountState::Exists { uid: "acc".into() }
                    }
                    None => AccountState::Absent,
                };
                let failures = failures_after(
                    self.facts.accounts.get(name),
                    matches!(value, AccountState::Unreadable(_)),
                );
                self.facts.accounts.insert(
                    name.clone(),
                    Fact {
                        value,
                        at,
                        failures,
                    },
                );
            }
            Need::Namespace => {
                let value = if self.namespace_terminating {
                    NamespaceState::Terminating
                } else {
                    NamespaceState::Active
                };
                self.facts.namespace = Some(Fact::seen(value, at));
            }
            Need::Inventories => {
                let failures = failures_after(self.facts.inventories.as_ref(), fault.is_some());
                let value = fault.map_or_else(|| Ok(self.inventories.clone()), Err);
                self.facts.inventories = Some(Fact {
                    value,
                    at,
                    failures,
                });
            }
            Need::Source(source) => {
                let value = match fault {
                    Some(failure) => SourceState::Unreadable(failure),
                    None => self
                        .sources
                        .get(&source.name)
                        .cloned()
                        .unwrap_or(SourceState::Absent),
                };
                let failures = failures_after(
                    self.facts.sources.get(source),
                    matches!(value, SourceState::Unreadable(_)),
                );
                self.facts.sources.insert(
                    source.clone(),
                    Fact {
                        value,
                        at,
                        failures,
                    },
                );
            }
            Need::Dependency(stage_set) => {
                let known = self.dependencies.get(&stage_set.to_string()).cloned();
                let value = match fault {
                    Some(failure) => DependencyState::Unreadable(failure),
                    None => known.unwrap_or(DependencyState::Absent),
                };
                let failed = matches!(value, DependencyState::Unreadable(_));
                let failures = failures_after(self.facts.dependencies.get(stage_set), failed);
                let fact = Fact {
                    value,
                    at,
                    failures,
                };
                self.facts.dependencies.insert(stage_set.clone(), fact);
            }
            Need::Kubeconfig(reference) => {
                let found = self.kubeconfigs.get(reference.name.as_str()).cloned();
                let value = match fault {
                    Some(failure) => KubeconfigState::Unreadable(failure),
                    None => found.unwrap_or(KubeconfigState::Absent),
                };
                let failures = failures_after(
                    self.facts.kubeconfigs.get(reference),
                    matches!(value, KubeconfigState::Unreadable(_)),
                );
                self.facts.kubeconfigs.insert(
                    reference.clone(),
                    Fact {
                        value,
                        at,
                        failures,
                    },
                );
            }
            Need::Kind { target, gvk } => {
                let value = match fault {
                    Some(failure) => KindState::Unreadable(failure),
                    None => self.kind(gvk),
                };
                let failures = failures_after(
                    self.facts.kinds.get(target, gvk),
                    matches!(value, KindState::Unreadable(_)),
                );
                self.facts.kinds.insert(
                    target,
                    gvk.clone(),
                    Fact {
                        value,
                        at,
                        failures,
                    },
                );
            }
            Need::Rules {
                identity,
                namespace,
            } => {
                let unanswered = || Failure::new(FailureClass::UnknownKind, "no reviews here");
                let failure = fault.or_else(|| (!self.reviews).then(unanswered));
                let value = match failure {
                    Some(failure) => RulesState::Unreadable(failure),
                    None => RulesState::Known(self.rules_of(identity)),
                };
                let fact = Fact::seen(value, at);
                let reviews = &mut self.facts.reviews;
                reviews.insert_rules(identity, namespace.clone(), fact);
            }
            Need::Access { identity, right } => {
                let asked = (
                    identity.impersonated_user().unwrap_or_default(),
                    right.resource.clone(),
                    right.namespace.clone().unwrap_or_default(),
                );
                let value = match fault {
                    Some(failure) => AccessState::Unreadable(failure),
                    None => AccessState::Answered(self.readable.contains(&asked)),
                };
                let fact = Fact::seen(value, at);
                let reviews = &mut self.facts.reviews;
                reviews.insert_access(identity, right.clone(), fact);
            }
            Need::Build { key, overlay, .. } => {
                self.overlays.push((**overlay).clone());
                let found = self
                    .artifacts
                    .get(&(key.digest.clone(), key.path.clone()))
                    .cloned();
                let value = match (fault, found) {
                    (Some(failure), _) | (None, Some(Err(failure))) => BuildState::Failed(failure),
                    (None, Some(Ok(objects))) => BuildState::built(objects),
                    (None, None) => BuildState::Failed(Failure::new(
                        FailureClass::Terminal,
                        "no such path in the artifact",
                    )),
                };
                let failures = failures_after(
                    self.facts.builds.get(key),
                    matches!(value, BuildState::Failed(_)),
                );
                self.facts.builds.insert(
                    key.clone(),
                    Fact {
                        value,
                        at,
                        failures,
                    },
                );
            }
            Need::Variables { identity, source } => {
                let user = identity.impersonated_user().unwrap_or_default();
                let kind = source.kind.as_str().to_owned();
                self.done.push(Done {
                    at,
                    what: format!("read {source}"),
                    identity: identity.impersonated_user(),
                });
                let value = if self.denied.contains(&(user, "get".into(), kind)) {
                    VariableState::Unusable(Failure::new(
                        FailureClass::Denied,
                        format!("may not get {source}"),
                    ))
                } else if let Some(failure) = fault {
                    VariableState::Unusable(failure)
                } else {
                    let found = self.variables.get(&source.to_string()).cloned();
                    found.unwrap_or(VariableState::Absent)
                };
                let key = (identity.clone(), source.clone());
                let failures = failures_after(
                    self.facts.variables.get(&key),
                    matches!(value, VariableState::Unusable(_)),
                );
                self.facts.variables.insert(
                    key,
                    Fact {
                        value,
                        at,
                        failures,
                    },
                );
            }
            Need::DryRun { identity, object } => {
                let key = &object.reference.key;
                let exists = self.objects.contains_key(key);
                let refusal = self
                    .refuses(identity, "patch", key)
                    .or_else(|| {
                        (!exists)
                            .then(|| self.refuses(identity, "create", key))
                            .flatten()
                    })
                    .or_else(|| self.missing_namespace(key))
                    .or_else(|| self.unknown(key));
                let value = match fault.or(refusal) {
                    Some(failure) => DryRun::Refused(failure),
                    None => match self.objects.get(key) {
                        None => DryRun::Create,
                        Some(stored) => {
                            let live = self.live(stored);
                            if stored.content == object.digest
                                && stored.owner.as_ref() == Some(&object.owner)
                            {
                                DryRun::Unchanged { live }
                            } else if self.immutable.contains(&key.kind) {
                                let said = "spec: Invalid value: field is immutable";
                                DryRun::Refused(Failure::new(FailureClass::Immutable, said))
                            } else {
                                DryRun::Change {
                                    fields: vec!["spec".into()],
                                    by: self.writer.clone(),
                                    takeover: (!stored.former.is_empty()).then(|| Takeover {
                                        from: stored.former.clone(),
                                        managed_fields: Value::Null.into(),
                                    }),
                                    live,
                                }
                            }
                        }
                    },
                };
                let facts = self.entry(identity, key);
                let failures = failures_after(
                    facts.dry_run.as_ref().map(|(_, fact)| fact),
                    matches!(value, DryRun::Refused(_)),
                );
                match &value {
                    DryRun::Refused(Failure {
                        class: FailureClass::Immutable,
                        ..
                    }) => facts.live = None,
                    DryRun::Unchanged { live } => {
                        facts.live = Some(Fact::seen(LiveState::Present(live.clone()), at));
                        facts.settled = Some(Settled {
                            digest: object.digest.clone(),
                            uid: live.uid.clone(),
                            entry: live.entry.clone(),
                            since: at,
                        });
                    }
                    DryRun::Change { live, .. } => {
                        facts.live = Some(Fact::seen(LiveState::Present(live.clone()), at));
                    }
                    DryRun::Create => facts.live = Some(Fact::seen(LiveState::Absent, at)),
                    DryRun::Refused(_) => {}
                }
                facts.dry_run = Some((
                    object.digest.clone(),
                    Fact {
                        value,
                        at,
                        failures,
                    },
                ));
            }
            Need::Labelled { identity, search } => {
                let asked = (identity.clone(), search.clone());
                let matches = |key: &ObjectKey, stored: &Stored| {
                    key.kind == search.kind
                        && key.namespace == search.namespace
                        && stored.stage == search.stage.as_str()
                        && stored
                            .owner
                            .as_ref()
                            .is_some_and(|owner| owner.name == "shop")
                };
                let user = identity.impersonated_user().unwrap_or_default();
                let denied = self
                    .denied
                    .contains(&(user, "list".into(), search.kind.clone()));
                let refusal = denied.then(|| Failure::new(FailureClass::Denied, "cannot list"));
                let found = self
                    .objects
                    .iter()
                    .filter(|(key, stored)| matches(key, stored));
                let value = match fault.or(refusal) {
                    Some(failure) => Err(failure),
                    None => Ok(found.map(|(key, o)| (key.clone(), o.uid.clone())).collect()),
                };
                let failures = failures_after(self.facts.labelled.get(&asked), value.is_err());
                let fact = Fact {
                    value,
                    at,
                    failures,
                };
                self.facts.labelled.insert(asked, fact);
            }
            Need::Read {
                identity, object, ..
            } => {
                let refusal = self.refuses(identity, "get", &object.key);
                let value = match fault.or(refusal) {
                    Some(failure) => LiveState::Unreadable(failure),
                    None => match self.objects.get(&object.key) {
                        Some(stored) => LiveState::Present(self.live(stored)),
                        None => LiveState::Absent,
                    },
                };
                let facts = self.entry(identity, &object.key);
                let failures = failures_after(
                    facts.live.as_ref(),
                    matches!(value, LiveState::Unreadable(_)),
                );
                facts.tracking = Tracking::Polled;
                facts.live = Some(Fact {
                    value,
                    at,
                    failures,
                });
            }
        }
    }

    fn entry(&mut self, identity: &Identity, key: &ObjectKey) -> &mut ObjectFacts {
        self.facts.objects.entry(identity, key)
    }

    /// Everything but what is denied: RBAC has no denials, so the rest is listed.
    fn rules_of(&self, identity: &Identity) -> Rules {
        let user = identity.impersonated_user().unwrap_or_default();
        let mut rules = Vec::new();
        for ((group, kind), (plural, _)) in &self.kinds {
            for verb in ["create", "delete", "get", "patch"] {
                let denied = (user.clone(), verb.to_owned(), kind.clone());
                if !self.denied.contains(&denied) {
                    rules.push(Rule {
                        verbs: vec![verb.into()],
                        groups: vec![group.clone()],
                        resources: vec![plural.clone()],
                        names: Vec::new(),
                    });
                }
            }
        }
        Rules {
            rules,
            complete: true,
        }
    }

    fn kind(&self, gvk: &GroupVersionKind) -> KindState {
        match self.kinds.get(&(gvk.group.clone(), gvk.kind.clone())) {
            Some((plural, namespaced)) => KindState::Served {
                plural: plural.clone(),
                namespaced: *namespaced,
            },
            None => KindState::Unknown,
        }
    }

    fn unknown(&self, key: &ObjectKey) -> Option<Failure> {
        (!self
            .kinds
            .contains_key(&(key.group.clone(), key.kind.clone())))
        .then(|| Failure::new(FailureClass::UnknownKind, "no such kind"))
    }

    fn missing_namespace(&self, key: &ObjectKey) -> Option<Failure> {
        let namespace = key.namespace.as_deref()?;
        (namespace != NAMESPACE && self.object("Namespace", namespace).is_none()).then(|| {
            Failure::new(
                FailureClass::Missing {
                    resource: "namespaces".into(),
                    name: namespace.into(),
                },
                format!("namespaces {namespace:?} not found"),
            )
        })
    }

    fn live(&self, stored: &Stored) -> Live {
        Live {
            uid: stored.uid.clone(),
            resource_version: stored.version.to_string(),
            generation: 1,
            owner: stored.owner.clone(),
            prune_disabled: stored.prune_disabled,
            deleting: stored.deleting,
            deletion_timestamp: stored.deleted_at,
            finalizers: Vec::new(),
            takes_claims_along: stored.takes_claims_along,
            entry: Some(stored.entry.clone()),
            body: Some(Arc::new(json!({
                "spec": { "content": stored.content }, "status": stored.status,
            }))),
            health: if stored.deleting {
                Health::Terminating
            } else if self.now >= stored.ready_at {
                Health::Current
            } else {
                Health::InProgress(
                    self.chatter
                        .clone()
                        .unwrap_or_else(|| "0 of 1 replicas available".into()),
                )
            },
        }
    }

    fn perform(&mut self, operation: &Operation) -> bool {
        let mut fault = self.request();
        if let Operation::Record(RecordOperation::Status(_) | RecordOperation::Action { .. }) =
            operation
            && self.shown.take().is_some()
        {
            fault = Some(Failure::new(FailureClass::Conflict, "a newer one stands"));
        }
        match operation {
            Operation::Record(operation) => {
                if let RecordOperation::Action { step, .. } = operation {
                    self.facts.actions.recording(step, self.now);
                }
                if let Some(failure) = fault {
                    let failures = failures_after(self.facts.record_failure.as_ref(), true);
                    self.facts.record_failure = Some(Fact {
                        value: failure,
                        at: self.now,
                        failures,
                    });
                    return false;
                }
                self.facts.record_failure = None;
                if !self.record_actions(operation) {
                    self.record(operation);
                }
                true
            }
            Operation::Tenant(operation) => {
                let (TenantOperation::Apply { identity, .. }
                | TenantOperation::TakeOver { identity, .. }
                | TenantOperation::Delete { identity, .. }
                | TenantOperation::Act { identity, .. }) = operation;
                self.at(identity.target(), |world| world.tenant(operation, fault))
            }
        }
    }

    fn record(&mut self, operation: &RecordOperation) {
        self.note(operation.to_string(), None);
        match operation {
            RecordOperation::AddFinalizer => self.finalizer = true,
            RecordOperation::RemoveFinalizer => {
                self.finalizer = false;
                self.gone = true;
            }
            RecordOperation::Status(status) => {
                self.status = (**status).clone();
                let stages = self.status.stages.iter();
                let phases: Vec<String> = stages
                    .map(|stage| format!("{} {:?}", stage.name, stage.phase))
                    .collect();
                let phases = phases.join(", ");
                if self.phases.last() != Some(&phases) {
                    self.phases.push(phases);
                }
                self.facts.status_recorded = Some(self.now);
            }
            RecordOperation::Inventory {
                stage, inventory, ..
            } => {
                self.inventories.insert(stage.clone(), inventory.clone());
            }
            RecordOperation::ReleaseInventories => {
                // Whoever asked for their deletion meanwhile has it now.
                if self.namespace_terminating || self.foreground {
                    self.inventories.clear();
                    self.facts.inventories = None;
                }
            }
            RecordOperation::DropInventory { stage } => {
                self.inventories.remove(stage);
            }
            RecordOperation::Action { .. }
            | RecordOperation::CreateLedger
            | RecordOperation::Ledger { .. } => panic!("recorded in world/actions.rs"),
            RecordOperation::Announce(event) | RecordOperation::AnnounceOnLedger(event) => {
                self.events
                    .push((event.reason.clone(), event.message.clone()));
            }
        }
        if let Some(fact) = &mut self.facts.inventories {
            *fact = Fact::seen(Ok(self.inventories.clone()), self.now);
        }
    }

    fn tenant(&mut self, operation: &TenantOperation, fault: Option<Failure>) -> bool {
        let at = self.now;
        match operation {
            TenantOperation::Act {
                identity,
                attempt,
                deed,
            } => self.act(identity, attempt, deed, fault),
            TenantOperation::Apply {
                identity,
                object,
                uid,
                why,
            } => {
                let key = &object.reference.key;
                let recorded = self
                    .inventories
                    .values()
                    .any(|i| i.entries.contains_key(key));
                assert!(
                    recorded,
                    "D1: {key} is written before any inventory holds it"
                );
                let exists = self.objects.contains_key(key);
                let moved = uid.as_ref().is_some_and(|uid| {
                    self.objects
                        .get(key)
                        .is_none_or(|stored| stored.uid != *uid)
                });
                let refusal = self
                    .refuses(identity, "patch", key)
                    .or_else(|| {
                        (!exists)
                            .then(|| self.refuses(identity, "create", key))
                            .flatten()
                    })
                    .or_else(|| self.missing_namespace(key))
                    .or_else(|| {
                        moved.then(|| Failure::new(FailureClass::Conflict, "uid mismatch"))
                    });
                if let Some(failure) = fault.or(refusal) {
                    let facts = self.entry(identity, key);
                    let failures =
                        failures_after(facts.write_failure.as_ref().map(|(_, fact)| fact), true);
                    facts.write_failure = Some((
                        object.digest.clone(),
                        Fact {
                            value: failure,
                            at,
                            failures,
                        },
                    ));
                    facts.dry_run = None;
                    facts.live = None;
                    return false;
                }
                self.note(operation.to_string(), Some(identity));
                self.uids += 1;
                let slow = self.slow.get(&key.kind).copied().unwrap_or_default();
                let prune_disabled = object
                    .body
                    .pointer("/metadata/annotations/stages.metio.wtf~1prune")
                    .is_some();
                let uids = self.uids;
                let ready_at = at.plus(slow);
                let fresh = || Stored {
                    prune_disabled,
                    ..Stored::foreign(&format!("uid-{uids}"), ready_at)
                };
                let stored = self.objects.entry(key.clone()).or_insert_with(fresh);
                stored.version += 1;
                stored.owner = Some(object.owner.clone());
                stored.stage = object.stage.to_string();
                stored.content.clone_from(&object.digest);
                stored.entry = format!("entry-{uids}");
                stored.ready_at = ready_at;
                if let Some(kind) = defined(&object.body) {
                    self.kinds.insert(kind.0, kind.1);
                }
                let live = self.live(&self.objects[key]);
                let facts = self.entry(identity, key);
                facts.settled = Some(Settled {
                    digest: object.digest.clone(),
                    uid: live.uid.clone(),
                    entry: live.entry.clone(),
                    since: at,
                });
                facts.live = Some(Fact::seen(LiveState::Present(live), at));
                facts.write_failure = None;
                if let ApplyReason::Drift { fields, .. } = why {
                    let fields = fields.clone();
                    facts.corrected(Correction { at, fields });
                }
                let (target, gvk) = (identity.target(), object.reference.gvk());
                let known = self.facts.kinds.get(target, &gvk);
                if known.is_some_and(|fact| fact.value == KindState::Unknown) {
                    self.facts.kinds.remove(target, &gvk);
                }
                true
            }
            TenantOperation::TakeOver {
                identity, object, ..
            } => {
                let key = &object.reference.key;
                if let Some(failure) = fault.or(self.refuses(identity, "patch", key)) {
                    let failed = Fact {
                        value: failure,
                        at,
                        failures: 1,
                    };
                    let facts = self.entry(identity, key);
                    facts.write_failure = Some((object.digest.clone(), failed));
                    return false;
                }
                self.note(operation.to_string(), Some(identity));
                if let Some(stored) = self.objects.get_mut(key) {
                    stored.former.clear();
                }
                let facts = self.entry(identity, key);
                facts.live = None;
                facts.dry_run = None;
                true
            }
            TenantOperation::Delete {
                identity,
                object,
                uid,
                version,
                ..
            } => {
                let moved = self
                    .objects
                    .get(&object.key)
                    .is_some_and(|stored| stored.version.to_string() != *version);
                let refusal = self.refuses(identity, "delete", &object.key).or_else(|| {
                    moved.then(|| Failure::new(FailureClass::Conflict, "version mismatch"))
                });
                if let Some(failure) = fault.or(refusal) {
                    let facts = self.entry(identity, &object.key);
                    if failure.class == FailureClass::Conflict {
                        facts.live = None;
                    }
                    let failures =
                        failures_after(facts.write_failure.as_ref().map(|(_, fact)| fact), true);
                    facts.write_failure = Some((
                        String::new(),
                        Fact {
                            value: failure,
                            at,
                            failures,
                        },
                    ));
                    return false;
                }
                self.note(operation.to_string(), Some(identity));
                if let Some(stored) = self.objects.get_mut(&object.key) {
                    let owner = Owner {
                        namespace: NAMESPACE.into(),
                        name: "shop".into(),
                    };
                    assert_eq!(stored.owner, Some(owner), "I8: {} isn't ours", object.key);
                    if stored.uid == *uid {
                        if self.sticky.contains(&object.key.name) {
                            stored.deleting = true;
                            stored.deleted_at = Some(at);
                        } else {
                            self.objects.remove(&object.key);
                        }
                    }
                }
                let facts = self.entry(identity, &object.key);
                facts.live = None;
                facts.dry_run = None;
                facts.settled = None;
                facts.write_failure = None;
                true
            }
        }
    }
}

pub fn kubeconfig(secret: &str) -> KubeconfigReference {
    KubeconfigReference {
        name: SecretName::new(secret).unwrap(),
        key: "value".into(),
    }
}

fn failures_after<T>(before: Option<&Fact<T>>, failed: bool) -> u32 {
    if failed {
        before.map_or(0, |fact| fact.failures) + 1
    } else {
        0
    }
}

fn defined(body: &Value) -> Option<((String, String), (String, bool))> {
    if body["kind"] != "CustomResourceDefinition" {
        return None;
    }
    let text = |pointer: &str| body.pointer(pointer)?.as_str().map(str::to_owned);
    Some((
        (text("/spec/group")?, text("/spec/names/kind")?),
        (
            text("/spec/names/plural")?,
            text("/spec/scope")? == "Namespaced",
        ),
    ))
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

/// `kind/name=content`, with `ns:` before the kind for a foreign namespace.
pub fn manifest(text: &str) -> Rendered {
    let (head, content) = text.split_once('=').unwrap_or((text, ""));
    let (namespace, head) = match head.split_once(':') {
        Some((namespace, head)) => (Some(namespace), head),
        None => (None, head),
    };
    let (kind, name) = head.split_once('/').expect("kind/name");
    let api_version = match kind {
        "Deployment" => "apps/v1",
        "Ingress" => "networking.k8s.io/v1",
        "Job" => "batch/v1",
        "Role" => "rbac.authorization.k8s.io/v1",
        "CustomResourceDefinition" => "apiextensions.k8s.io/v1",
        "StatefulSet" => "apps/v1",
        "Widget" => "example.org/v1",
        _ => "v1",
    };
    let mut body = json!({
        "apiVersion": api_version, "kind": kind,
        "metadata": {"name": name}, "spec": {"content": content},
    });
    if kind == "CustomResourceDefinition" {
        body["spec"] = json!({
            "group": "example.org", "names": {"kind": "Widget", "plural": "widgets"},
            "scope": "Namespaced",
        });
    }
    if let Some(namespace) = namespace {
        body["metadata"]["namespace"] = namespace.into();
    }
    if let Some(annotation) = content.strip_prefix('@').and_then(|c| c.split(' ').next()) {
        body["metadata"]["annotations"] = json!({format!("stages.metio.wtf/{annotation}"): "true"});
    }
    if content == "keep" {
        body["metadata"]["annotations"] = json!({"stages.metio.wtf/prune": "disabled"});
    }
    Rendered::new(body, format!("{kind}-{name}.yaml:1")).expect("a manifest")
}

pub fn stage(name: &str, source: &str) -> Stage {
    Stage {
        name: StageName::new(name).unwrap(),
        source: SourceReference {
            api_version: "source.toolkit.fluxcd.io/v1".into(),
            kind: "ExternalArtifact".into(),
            namespace: Namespace::new(NAMESPACE).unwrap(),
            name: source.into(),
        },
        path: String::new(),
        service_account: None,
        overlay: stageset_core::spec::Overlay::default(),
        prune: true,
        timeout: None,
        disable_wait: false,
        checks: Vec::new(),
        expressions: Vec::new(),
        conflicts: ConflictPolicy::default(),
        actions: Actions::default(),
    }
}

/// The release that most tests begin with: two stages, two objects each, Deployments take 5 s.
pub fn shop() -> World {
    let mut world = World::new(vec![stage("config", "config"), stage("app", "app")]);
    world
        .slow
        .insert("Deployment".into(), Duration::from_secs(5));
    world.publish(
        "config",
        "r1",
        &["ConfigMap/settings=1", "Deployment/cache=1"],
    );
    world.publish("app", "r1", &["Deployment/web=1", "Service/web=1"]);
    world
}

pub fn single_tenant(world: &mut World) {
    world.config.tenancy = Tenancy::Single;
}
