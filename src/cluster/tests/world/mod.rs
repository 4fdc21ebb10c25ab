//! A simulated cluster with one tenant, and a driver for its StageSets.

mod artifacts;
mod clusters;
mod observer;
mod receiver;
mod stores;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use stageset_cluster::ports::NoWatches;
use stageset_cluster::requests::table::{Plane, listed};
use stageset_cluster::{
    Clock, Connection, Discovery, End, Pass, Ports, Remotes, Renderer, Session, Settings,
    StageSetKey, Wake, fairness::Budget,
};
use stageset_core::identity::Tenancy;
use stageset_core::kubeconfig::Allowed;
use stageset_core::observation::Config;
use stageset_core::time::Timestamp;
use stageset_sim::{AuditRecord, SimulatedCluster, User};

pub(crate) use artifacts::Artifacts;
pub(crate) use clusters::{Clusters, Server, kubeconfig};
pub(crate) use observer::Log;
pub(crate) use receiver::Receiver;
pub(crate) use stores::Stores;

pub(crate) const START: &str = "2026-11-23T12:00:00Z";
pub(crate) const CONTROLLER: &str = "system:serviceaccount:stageset-system:stageset-controller";
pub(crate) const TENANT: &str = "system:serviceaccount:shop:deployer";

pub(crate) struct World {
    pub(crate) cluster: SimulatedCluster,
    pub(crate) artifacts: Arc<Artifacts>,
    pub(crate) log: Arc<Log>,
    pub(crate) receiver: Arc<Receiver>,
    pub(crate) ports: Ports,
    pub(crate) sessions: BTreeMap<String, Session>,
}

impl World {
    /// Namespace `shop` with account `deployer`, who may do everything there, and the controller
    /// with the rights that the chart grants.
    pub(crate) async fn new() -> Self {
        Self::with(Arc::default()).await
    }

    /// The same, with remote clusters.
    pub(crate) async fn with_remotes(clusters: Clusters) -> Self {
        Self::with(Arc::new(Remotes::new(clusters, Allowed::default()))).await
    }

    async fn with(remotes: Arc<Remotes>) -> Self {
        let cluster = SimulatedCluster::new(START.parse().unwrap(), 7);
        let artifacts = Arc::new(Artifacts::default());
        let log = Arc::new(Log::default());
        let receiver = Arc::new(Receiver::default());
        let door = cluster.door(User::new(
            CONTROLLER,
            &[
                "system:serviceaccounts",
                "system:serviceaccounts:stageset-system",
            ],
        ));
        let ports = Ports {
            connection: Connection::from_service(door),
            budget: Budget::default(),
            artifacts: Arc::clone(&artifacts) as _,
            hooks: Arc::clone(&receiver) as _,
            clock: Clock::simulated(Timestamp::parse(START).unwrap()),
            discovery: Arc::new(Discovery::new()),
            remotes,
            rules: Arc::default(),
            watched: Arc::new(NoWatches),
            observer: Arc::clone(&log) as _,
            renderer: Renderer::Inline,
            config: Arc::new(Config::default()),
            settings: Settings::default(),
        };
        let world = Self {
            cluster,
            artifacts,
            log,
            receiver,
            ports,
            sessions: BTreeMap::new(),
        };
        world.furnish();
        // Definitions are established a moment later.
        tokio::time::sleep(Duration::from_secs(1)).await;
        world.cluster.settle();
        world
    }

    fn furnish(&self) {
        for definition in stageset_api::crd::definitions() {
            self.apply(&definition.definition);
        }
        self.apply(&source_definition("ExternalArtifact", "externalartifacts"));
        self.apply(&source_definition("GitRepository", "gitrepositories"));
        for namespace in ["shop", "stageset-system", "other"] {
            self.apply(&json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } }));
        }
        self.account("shop", "deployer");
        self.grant(
            "shop",
            "deployer",
            &json!([{ "apiGroups": ["*"], "resources": ["*"], "verbs": ["*"] }]),
        );
        self.apply(&json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": { "name": "stageset-controller" },
            "rules": [
                { "apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create", "patch"] },
                { "apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["get", "impersonate"] },
                { "apiGroups": [""], "resources": ["namespaces", "secrets"], "verbs": ["get"] },
                { "apiGroups": ["source.toolkit.fluxcd.io"], "resources": ["*"], "verbs": ["get", "list"] },
                { "apiGroups": ["stages.metio.wtf"], "resources": ["stagesets"], "verbs": ["get", "list", "patch"] },
                { "apiGroups": ["stages.metio.wtf"], "resources": ["stagesets/status"], "verbs": ["patch"] },
                { "apiGroups": ["stages.metio.wtf"], "resources": ["stagesets/finalizers"], "verbs": ["update"] },
                { "apiGroups": ["stages.metio.wtf"], "resources": ["stageledgers"], "verbs": ["create", "get"] },
                { "apiGroups": ["stages.metio.wtf"], "resources": ["stageledgers/status"], "verbs": ["patch"] },
                { "apiGroups": ["stages.metio.wtf"], "resources": ["stageinventories"],
                  "verbs": ["create", "delete", "get", "list", "patch"] },
            ],
        }));
        self.apply(&json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
            "metadata": { "name": "stageset-controller" },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "stageset-controller" },
            "subjects": [{ "kind": "ServiceAccount", "namespace": "stageset-system", "name": "stageset-controller" }],
        }));
    }

    pub(crate) fn account(&self, namespace: &str, name: &str) {
        self.apply(&json!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": { "namespace": namespace, "name": name },
        }));
    }

    /// Grants an account of a namespace these rules there, and nothing else.
    pub(crate) fn grant(&self, namespace: &str, account: &str, rules: &Value) {
        self.apply(&json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
            "metadata": { "namespace": namespace, "name": account }, "rules": rules,
        }));
        self.apply(&json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": { "namespace": namespace, "name": account },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": account },
            "subjects": [{ "kind": "ServiceAccount", "namespace": namespace, "name": account }],
        }));
    }

    pub(crate) fn apply(&self, object: &Value) -> Value {
        self.cluster.apply_yaml_value(object).unwrap()
    }

    /// Offers files as a revision of ExternalArtifact `name`.
    pub(crate) fn publish(&self, name: &str, revision: &str, files: &[(&str, &str)]) {
        let (url, digest) = self.artifacts.put(name, revision, files);
        self.apply(&json!({
            "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "ExternalArtifact",
            "metadata": { "namespace": "shop", "name": name },
            "spec": {},
            "status": {
                "conditions": [{ "type": "Ready", "status": "True", "message": "stored" }],
                "artifact": { "url": url, "digest": digest, "revision": revision },
            },
        }));
    }

    /// A StageSet of namespace `shop` run as `deployer`, with a stage for each source of its name.
    pub(crate) fn stage_set(&self, name: &str, stages: &[&str]) -> Value {
        let stages: Vec<Value> = stages
            .iter()
            .map(|stage| json!({ "name": stage, "sourceRef": { "name": stage } }))
            .collect();
        self.apply(&json!({
            "apiVersion": "stages.metio.wtf/v1", "kind": "StageSet",
            "metadata": { "namespace": "shop", "name": name },
            "spec": { "serviceAccountName": "deployer", "stages": stages },
        }))
    }

    pub(crate) fn object(&self, name: &str) -> Option<Value> {
        self.cluster
            .get("stages.metio.wtf/v1", "StageSet", "shop", name)
    }

    /// One pass of the StageSet as it stands.
    pub(crate) async fn pass(&mut self, name: &str, wake: Wake) -> Pass {
        let Some(object) = self.object(name) else {
            return Pass {
                next: End::Gone,
                turns: 0,
            };
        };
        let key = StageSetKey::new("shop", name);
        let session = self
            .sessions
            .entry(name.into())
            .or_insert_with(|| Session::new(key));
        session.pass(&self.ports, Arc::new(object), wake).await
    }

    /// One pass of StageSet `web` as if it were this object, whatever the API server holds.
    pub(crate) async fn pass_of(&mut self, object: Value) -> Pass {
        let key = StageSetKey::new("shop", "web");
        Session::new(key)
            .pass(&self.ports, Arc::new(object), Wake::default())
            .await
    }

    /// Passes and waits as its rests say, until `done` or `bound` is over.
    pub(crate) async fn run_until(
        &mut self,
        name: &str,
        bound: Duration,
        done: impl Fn(&Self) -> bool,
    ) -> End {
        let end = self.ports.clock.now().plus(bound);
        let mut wake = Wake::default();
        loop {
            let pass = self.pass(name, wake).await;
            if done(self) {
                return pass.next;
            }
            let now = self.ports.clock.now();
            assert!(
                now < end,
                "not done after {bound:?}: {:?}\n{}",
                pass.next,
                self.log.text()
            );
            match pass.next {
                End::Hold { until, refresh, .. } => {
                    tokio::time::sleep(until.since(now).max(Duration::from_millis(1))).await;
                    wake = Wake {
                        refresh,
                        hints: Vec::new(),
                    };
                }
                next => panic!("rests before it is done: {next:?}\n{}", self.log.text()),
            }
        }
    }

    pub(crate) async fn until_ready(&mut self, name: &str) -> End {
        let named = name.to_owned();
        self.run_until(name, Duration::from_secs(900), move |world| {
            world.ready(&named) == "True Succeeded"
        })
        .await
    }

    pub(crate) fn ready(&self, name: &str) -> String {
        let ready = self.condition(name, "Ready");
        let text = |field: &str| ready[field].as_str().unwrap_or_default().to_owned();
        format!("{} {}", text("status"), text("reason"))
    }

    pub(crate) fn message(&self, name: &str) -> String {
        self.condition(name, "Ready")["message"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    fn condition(&self, name: &str, kind: &str) -> Value {
        let object = self.object(name).unwrap_or_default();
        let conditions = object
            .pointer("/status/conditions")
            .and_then(Value::as_array);
        let mut conditions = conditions.into_iter().flatten();
        conditions
            .find(|condition| condition["type"] == kind)
            .cloned()
            .unwrap_or_default()
    }

    pub(crate) fn config_map(&self, name: &str) -> Option<Value> {
        self.cluster.get("v1", "ConfigMap", "shop", name)
    }

    pub(crate) fn inventories(&self) -> Vec<Value> {
        self.cluster
            .list("stages.metio.wtf/v1", "StageInventory", "shop")
    }

    /// Requests that the driver made, without the world's own; each is one of the table's (I1).
    pub(crate) fn requests(&self) -> Vec<AuditRecord> {
        let audit = self.cluster.audit().into_iter();
        let requests: Vec<_> = audit.filter(|record| record.user == CONTROLLER).collect();
        for record in &requests {
            assert!(
                self.is_listed(record),
                "not in the table of requests: {record:?}"
            );
        }
        requests
    }

    /// Whether the table of requests has it. In single-tenant mode what a StageSet without an account
    /// asks for is the controller's own (S14).
    fn is_listed(&self, record: &AuditRecord) -> bool {
        let planes: &[Plane] = match (&record.impersonated, self.ports.config.tenancy) {
            (Some(_), _) => &[Plane::Tenant],
            (None, Tenancy::Multi) => &[Plane::Record, Plane::Read],
            (None, Tenancy::Single) => &[Plane::Record, Plane::Read, Plane::Tenant],
        };
        let resource = match record.subresource.as_str() {
            "" => record.resource.clone(),
            subresource => format!("{}/{subresource}", record.resource),
        };
        listed(planes, &record.verb, &record.group, &resource).is_some()
    }

    /// Forgets everything in memory, as a crash does.
    pub(crate) fn crash(&mut self) {
        self.sessions.clear();
        self.ports.discovery = Arc::new(Discovery::new());
    }
}

pub(crate) fn config_map(name: &str, value: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  key: {value}\n")
}

pub(crate) fn deployment(name: &str, image: &str, script: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\n  annotations:\n    \
         {}: {script}\nspec:\n  replicas: 1\n  selector:\n    matchLabels: {{app: {name}}}\n  \
         template:\n    metadata:\n      labels: {{app: {name}}}\n    spec:\n      containers:\n      \
         - name: app\n        image: {image}\n",
        stageset_sim::WORKLOAD_ANNOTATION
    )
}

/// Who may write what: each tenant-plane request, as (user, verb, resource).
pub(crate) fn tenant_plane(requests: &[AuditRecord]) -> Vec<&AuditRecord> {
    requests
        .iter()
        .filter(|record| {
            let own = [
                "stages.metio.wtf",
                "events.k8s.io",
                "source.toolkit.fluxcd.io",
            ];
            let read_for_all = record.verb == "get"
                && record.impersonated.is_none()
                && ["serviceaccounts", "namespaces"].contains(&record.resource.as_str());
            let record_of_ours = own.contains(&record.group.as_str());
            !(record.resource.is_empty() || record_of_ours || read_for_all)
        })
        .collect()
}

fn source_definition(kind: &str, plural: &str) -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": format!("{plural}.source.toolkit.fluxcd.io") },
        "spec": {
            "group": "source.toolkit.fluxcd.io", "scope": "Namespaced",
            "names": { "kind": kind, "plural": plural, "singular": kind.to_lowercase(), "listKind": format!("{kind}List") },
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": { "status": {} },
                "schema": { "openAPIV3Schema": {
                    "type": "object", "x-kubernetes-preserve-unknown-fields": true,
                }},
            }],
        },
    })
}
