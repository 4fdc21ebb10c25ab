//! A simulated cluster, artifacts in memory, and controllers to run on them.
#![expect(clippy::unwrap_used, reason = "a test that can't be set up fails")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use stageset_cluster::artifacts::ArtifactSource;
use stageset_cluster::fairness::Budget;
use stageset_cluster::ports::NoWatches;
use stageset_cluster::{
    Clock, Connection, Discovery, Observer, Ports, Remotes, Renderer, Settings, Silent,
};
use stageset_controller::gate::Gate;
use stageset_controller::leader::Term;
use stageset_controller::metrics::Metrics;
use stageset_controller::{Candidate, Options, Process, RunError, run};
use stageset_core::failure::{Failure, FailureClass};
use stageset_core::observation::Config;
use stageset_core::time::Timestamp;
use stageset_render::{Tree, pack};
use stageset_sim::{AuditRecord, SimulatedCluster, User};
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

/// When every test begins.
const START: &str = "2026-11-23T21:00:00Z";

/// Artifacts by URL.
#[derive(Clone, Default)]
pub(crate) struct Artifacts(Arc<Mutex<BTreeMap<String, Bytes>>>);

impl ArtifactSource for Artifacts {
    fn fetch<'a>(&'a self, url: &'a str, _limit: u64) -> BoxFuture<'a, Result<Bytes, Failure>> {
        let found = self.0.lock().unwrap().get(url).cloned();
        Box::pin(async move {
            found.ok_or_else(|| {
                let class = FailureClass::Transient { retry_after: None };
                Failure::new(class, format!("GET {url}: 404"))
            })
        })
    }
}

/// A cluster and what stands around it.
pub(crate) struct World {
    pub(crate) cluster: SimulatedCluster,
    /// How long the API server takes for each answer.
    pub(crate) latency: Duration,
    /// Hears what its controllers do.
    pub(crate) observer: Arc<dyn Observer>,
    artifacts: Artifacts,
    clock: Clock,
    /// How remote clusters are reached; not at all, unless a test says so.
    pub(crate) remotes: Arc<Remotes>,
}

/// A controller that runs.
pub(crate) struct Replica {
    pub(crate) gate: Gate,
    pub(crate) metrics: Metrics,
    pub(crate) missing: watch::Receiver<Vec<String>>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<(), RunError>>,
}

impl Replica {
    /// Asks for a stop and waits for the end.
    pub(crate) async fn stop(mut self) -> Result<(), RunError> {
        let _ = self.stop.take().unwrap().send(());
        self.task.await.unwrap()
    }

    /// Waits for an end that nobody asked for.
    pub(crate) async fn ended(self) -> Result<(), RunError> {
        let _keep = self.stop;
        self.task.await.unwrap()
    }

    /// Ends it as SIGKILL would.
    pub(crate) async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.missing.borrow().is_empty()
    }
}

impl World {
    /// A world with one StageSet, `shop`, in each namespace.
    pub(crate) async fn with_shops(namespaces: &[&str]) -> Self {
        let world = Self::new().await;
        for namespace in namespaces {
            world.tenant(namespace, &["*"]);
            world.source(namespace, "app", &[("a.yaml", &config_map("a", "1"))]);
            world.stage_set(namespace, "shop", &["app"]);
        }
        world
    }

    /// A cluster without any definitions.
    pub(crate) fn bare() -> Self {
        let start: jiff::Timestamp = START.parse().unwrap();
        Self {
            cluster: SimulatedCluster::new(start, 1),
            latency: Duration::ZERO,
            observer: Arc::new(Silent),
            artifacts: Artifacts::default(),
            clock: Clock::simulated(Timestamp::parse(START).unwrap()),
            remotes: Arc::default(),
        }
    }

    /// A cluster with our definitions and Flux's.
    pub(crate) async fn new() -> Self {
        let world = Self::bare();
        world.install_ours();
        world.install_sources();
        world.until_established("stagesets.stages.metio.wtf").await;
        world
            .until_established("gitrepositories.source.toolkit.fluxcd.io")
            .await;
        world
    }

    pub(crate) fn install_ours(&self) {
        for definition in stageset_api::crd::definitions() {
            self.put(&definition.definition);
        }
    }

    pub(crate) fn install_sources(&self) {
        for (kind, plural) in [
            ("ExternalArtifact", "externalartifacts"),
            ("GitRepository", "gitrepositories"),
        ] {
            self.put(&loose_definition("source.toolkit.fluxcd.io", kind, plural));
        }
    }

    pub(crate) async fn until_established(&self, definition: &str) {
        let established = || {
            let (api_version, kind) = ("apiextensions.k8s.io/v1", "CustomResourceDefinition");
            let found = self
                .cluster
                .get(api_version, kind, "", definition)
                .unwrap_or_default();
            let conditions = found["status"]["conditions"].as_array().cloned();
            conditions.unwrap_or_default().iter().any(|condition| {
                condition["type"] == "Established" && condition["status"] == "True"
            })
        };
        self.until(&format!("{definition} is established"), established)
            .await;
    }

    pub(crate) fn put(&self, object: &Value) {
        self.cluster.apply_yaml_value(object).unwrap();
    }

    /// A namespace with an account `deployer` that may do these verbs on everything in it.
    pub(crate) fn tenant(&self, namespace: &str, verbs: &[&str]) {
        self.put(
            &json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } }),
        );
        self.account(namespace);
        let metadata = json!({ "name": "deployer", "namespace": namespace });
        let rbac = "rbac.authorization.k8s.io";
        self.put(&json!({
            "apiVersion": format!("{rbac}/v1"), "kind": "Role", "metadata": metadata,
            "rules": [{ "apiGroups": ["*"], "resources": ["*"], "verbs": verbs }],
        }));
        self.put(&json!({
            "apiVersion": format!("{rbac}/v1"), "kind": "RoleBinding", "metadata": metadata,
            "roleRef": { "apiGroup": rbac, "kind": "Role", "name": "deployer" },
            "subjects": [{ "kind": "ServiceAccount", "name": "deployer", "namespace": namespace }],
        }));
    }

    pub(crate) fn account(&self, namespace: &str) {
        self.put(&json!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": { "name": "deployer", "namespace": namespace },
        }));
    }

    /// An ExternalArtifact that offers these files.
    pub(crate) fn source(&self, namespace: &str, name: &str, files: &[(&str, &str)]) {
        let files = files
            .iter()
            .map(|(path, text)| (*path, text.as_bytes().to_vec()));
        let (bytes, digest) = pack(&Tree::from_files(files).unwrap());
        let url = format!("http://artifacts.example/{namespace}/{name}/{digest}.tar.gz");
        self.artifacts
            .0
            .lock()
            .unwrap()
            .insert(url.clone(), bytes.into());
        self.put(&json!({
            "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "ExternalArtifact",
            "metadata": { "name": name, "namespace": namespace },
            "spec": {},
            "status": {
                "artifact": {
                    "url": url, "digest": digest.to_string(), "revision": format!("v1@{digest}"),
                    "path": "x", "lastUpdateTime": START,
                },
                "conditions": [{
                    "type": "Ready", "status": "True", "reason": "Succeeded", "message": "",
                    "lastTransitionTime": START,
                }],
            },
        }));
    }

    /// A StageSet with one stage for each source, acting as `deployer`.
    pub(crate) fn stage_set(&self, namespace: &str, name: &str, sources: &[&str]) {
        self.put(&stage_set(namespace, name, sources));
    }

    pub(crate) fn get_stage_set(&self, namespace: &str, name: &str) -> Option<Value> {
        self.cluster
            .get("stages.metio.wtf/v1", "StageSet", namespace, name)
    }

    /// Status and reason of the Ready condition, e.g. `True Succeeded`.
    pub(crate) fn ready(&self, namespace: &str, name: &str) -> String {
        let object = self.get_stage_set(namespace, name).unwrap_or_default();
        let conditions = object["status"]["conditions"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        conditions
            .iter()
            .find(|condition| condition["type"] == "Ready")
            .map(|ready| {
                format!(
                    "{} {}",
                    ready["status"].as_str().unwrap_or_default(),
                    ready["reason"].as_str().unwrap_or_default()
                )
            })
            .unwrap_or_default()
    }

    /// Waits for a StageSet's Ready condition to say this.
    pub(crate) async fn until_ready_says(&self, namespace: &str, name: &str, says: &str) {
        let what = format!("{namespace}/{name} says {says}");
        let mut last = String::new();
        let reached = within(Duration::from_secs(300), || {
            last = self.ready(namespace, name);
            last == says
        })
        .await;
        assert!(
            reached,
            "{what}: it says {last:?}; {:#}",
            self.dump(namespace, name)
        );
    }

    /// Waits for something to hold, for five minutes of the cluster's time at most.
    pub(crate) async fn until(&self, what: &str, holds: impl FnMut() -> bool) {
        assert!(
            within(Duration::from_secs(300), holds).await,
            "never came true: {what}"
        );
    }

    /// Starts a controller that isn't a candidate, as the administrator.
    pub(crate) fn controller(&self, options: Options) -> Replica {
        self.replica(options, replica_user("controller"), None)
    }

    /// Starts a controller.
    pub(crate) fn replica(&self, options: Options, user: User, identity: Option<&str>) -> Replica {
        let metrics = Metrics::new();
        let gate = Gate::default();
        let (told, missing) = watch::channel(Vec::new());
        let (door, latency) = (self.cluster.door(user), self.latency);
        let slow = tower::service_fn(move |request: http::Request<kube::client::Body>| {
            let mut door = door.clone();
            async move {
                if !latency.is_zero() {
                    sleep(latency).await;
                }
                tower::Service::call(&mut door, request).await
            }
        });
        let connection = Connection::from_service(slow);
        let candidate = identity.map(|identity| Candidate {
            namespace: "default".to_owned(),
            identity: identity.to_owned(),
            term: Term::STANDARD,
            connection: connection.clone(),
            runtime: Handle::current(),
        });
        let ports = Ports {
            connection,
            budget: Budget::default(),
            artifacts: Arc::new(self.artifacts.clone()),
            hooks: Arc::new(Deaf),
            clock: self.clock.clone(),
            discovery: Arc::new(Discovery::new()),
            remotes: Arc::clone(&self.remotes),
            rules: Arc::default(),
            watched: Arc::new(NoWatches),
            observer: Arc::clone(&self.observer),
            renderer: Renderer::Inline,
            config: Arc::new(Config::default()),
            settings: Settings::default(),
        };
        let process = Process {
            metrics: metrics.clone(),
            missing: told,
            gate: gate.clone(),
            candidate,
        };
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            run(&options, ports, process, async {
                // A dropped sender isn't a stop: the test has let go of the replica.
                if stopped.await.is_err() {
                    std::future::pending::<()>().await;
                }
            })
            .await
        });
        Replica {
            metrics,
            gate,
            missing,
            stop: Some(stop),
            task,
        }
    }

    /// Every request of controllers so far.
    pub(crate) fn requests(&self) -> Vec<AuditRecord> {
        let audit = self.cluster.audit().into_iter();
        audit
            .filter(|record| record.user != User::admin().name)
            .collect()
    }

    fn dump(&self, namespace: &str, name: &str) -> Value {
        self.get_stage_set(namespace, name)
            .map(|object| object["status"].clone())
            .unwrap_or_default()
    }
}

/// A user for a replica, whom RBAC never refuses; its tenants are another matter.
pub(crate) fn replica_user(name: &str) -> User {
    User::new(name, &["system:masters"])
}

/// Whether something comes to hold within a span of the cluster's time.
pub(crate) async fn within(span: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let begun = Instant::now();
    loop {
        if holds() {
            return true;
        }
        if begun.elapsed() >= span {
            return false;
        }
        sleep(Duration::from_millis(50)).await;
    }
}

/// A StageSet with one stage for each source, acting as `deployer`.
pub(crate) fn stage_set(namespace: &str, name: &str, sources: &[&str]) -> Value {
    let stages: Vec<Value> = sources
        .iter()
        .map(|source| json!({ "name": source, "sourceRef": { "name": source } }))
        .collect();
    json!({
        "apiVersion": "stages.metio.wtf/v1", "kind": "StageSet",
        "metadata": { "name": name, "namespace": namespace },
        "spec": { "serviceAccountName": "deployer", "interval": "10m", "stages": stages },
    })
}

/// A ConfigMap's manifest.
pub(crate) fn config_map(name: &str, value: &str) -> String {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name },
            "data": { "key": value } })
    .to_string()
}

/// A Deployment's manifest; `script` says when the simulated cluster makes it ready.
pub(crate) fn deployment(name: &str, script: &str) -> String {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": name, "annotations": { stageset_sim::WORKLOAD_ANNOTATION: script } },
        "spec": {
            "replicas": 1,
            "selector": { "matchLabels": { "app": name } },
            "template": {
                "metadata": { "labels": { "app": name } },
                "spec": { "containers": [{ "name": "main", "image": "registry.example/app:1" }] },
            },
        },
    })
    .to_string()
}

/// A definition without a schema to speak of.
pub(crate) fn loose_definition(group: &str, kind: &str, plural: &str) -> Value {
    let open = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": format!("{plural}.{group}") },
        "spec": {
            "group": group, "scope": "Namespaced",
            "names": {
                "kind": kind, "plural": plural, "singular": kind.to_lowercase(),
                "listKind": format!("{kind}List"),
            },
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": { "status": {} },
                "schema": { "openAPIV3Schema": {
                    "type": "object", "properties": { "spec": open, "status": open },
                }},
            }],
        },
    })
}

/// Nobody listens to http actions here.
#[derive(Debug, Clone, Copy)]
struct Deaf;

impl stageset_cluster::hooks::Hooks for Deaf {
    fn send(
        &self,
        _call: stageset_cluster::hooks::HookCall,
    ) -> futures::future::BoxFuture<'_, Result<(), stageset_core::failure::Failure>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// A StageSet whose one stage delivers the source `app` under a name of its own: `${NAME}` in it.
pub(crate) fn named(namespace: &str, name: &str) -> Value {
    let mut object = stage_set(namespace, name, &["app"]);
    object["spec"]["stages"][0]["postBuild"] = json!({ "substitute": { "NAME": name } });
    object
}

/// How long, in the cluster's time, a tenant's single change takes while another tenant's `many`
/// StageSets all have a new revision to deliver. Each answer of the API server takes 20 ms.
pub(crate) async fn crowd(mut world: World, many: usize) -> Duration {
    world.latency = Duration::from_millis(20);
    let value = |value: &str| config_map("of-${NAME}", value);
    for namespace in ["crowd", "single"] {
        world.tenant(namespace, &["*"]);
        world.source(namespace, "app", &[("a.yaml", &value("1"))]);
    }
    for index in 0..many {
        world.put(&named("crowd", &format!("shop-{index:05}")));
    }
    world.put(&named("single", "shop"));
    let controller = world.controller(Options::default());
    let all_ready = || {
        world
            .cluster
            .with_server(|server| drop(server.take_audit()));
        let sets = world.cluster.list("stages.metio.wtf/v1", "StageSet", "");
        sets.iter()
            .all(|set| set["status"]["stages"][0]["phase"] == "Ready")
    };
    let begun = Instant::now();
    while !all_ready() {
        assert!(
            begun.elapsed() < Duration::from_secs(3600),
            "they never become ready"
        );
        sleep(Duration::from_secs(5)).await;
    }
    let arrived = |namespace: &str, name: &str| {
        let found = world.cluster.get("v1", "ConfigMap", namespace, name);
        found.unwrap_or_default()["data"]["key"] == "2"
    };
    world.source("crowd", "app", &[("a.yaml", &value("2"))]);
    // The crowd is under way, and its last one far from done.
    assert!(
        within(Duration::from_secs(60), || arrived(
            "crowd",
            "of-shop-00000"
        ))
        .await
    );
    let asked = Instant::now();
    world.source("single", "app", &[("a.yaml", &value("2"))]);
    assert!(within(Duration::from_secs(600), || arrived("single", "of-shop")).await);
    let took = asked.elapsed();
    let last = format!("of-shop-{:05}", many - 1);
    assert!(
        !arrived("crowd", &last),
        "the crowd was done before: nothing was measured"
    );
    controller.stop().await.unwrap();
    took
}
