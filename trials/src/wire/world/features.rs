//! What features of a release need of the simulated cluster, and what happens to that.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Value, json};
use stageset_core::object::{ObjectKey, sha256_hex};
use stageset_sim::{HelperError, Request, User};

use super::super::abroad::kubeconfig;
use super::{OURS, START, World};
use crate::event::{Event, Standing, Way, Workload};
use crate::scene::Scene as _;
use crate::setup::{
    ANCHOR, DEPENDENCY, Feature, GATE, KUBECONFIG, LEFTOVER, NAMESPACE, SETTINGS, STAGES, VARIABLE,
    actions, own,
};

/// The annotation that scripts a workload of the simulated cluster.
const SCRIPT: &str = "sim.stages.metio.wtf/workload";
/// What `kubectl apply` calls itself.
pub(in super::super) const KUBECTL: &str = "kubectl-client-side-apply";

impl World {
    /// Puts there what the features of the release need.
    pub(super) fn bring_features(&mut self) -> Result<(), HelperError> {
        if self.setup.has(Feature::Dependency) {
            self.depend(Standing::Ready)?;
        }
        if self.setup.has(Feature::Variables) {
            self.set_variable(Some(0))?;
        }
        if self.setup.has(Feature::Actions) {
            self.put_there(&config_map(ANCHOR))?;
            for stage in 1..self.setup.stages {
                self.put_there(&config_map(&own(LEFTOVER, stage)))?;
            }
        }
        if self.setup.has(Feature::Gates) {
            for stage in 0..self.setup.stages {
                self.gate(stage, true)?;
            }
        }
        if self.setup.has(Feature::Neighbour) {
            self.bring_neighbour()?;
        }
        if self.setup.has(Feature::Takeover) {
            for stage in 0..self.setup.stages {
                let first = self.setup.items(stage, 1).into_iter().next();
                if let Some(item) = first.filter(|item| item.kind == "ConfigMap") {
                    let mut object = item.manifest_with("kubectl's");
                    object["metadata"]["namespace"] = NAMESPACE.into();
                    self.apply_as_kubectl(&mut object);
                }
            }
        }
        Ok(())
    }

    /// As `kubectl apply` creates an object: an update by its manager, with the last applied
    /// configuration.
    fn apply_as_kubectl(&self, object: &mut Value) {
        let last = object.to_string();
        object["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] =
            last.into();
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        let path = format!("/api/v1/namespaces/{NAMESPACE}/configmaps?fieldManager={KUBECTL}");
        let request = Request {
            method: Method::POST,
            uri: path.parse().unwrap_or_default(),
            headers,
            body: object.to_string().into(),
            user: User::admin(),
        };
        self.target().handle(&request);
    }

    pub(super) fn feature(&mut self, event: &Event) -> Result<(), HelperError> {
        match event {
            Event::Workload(kind, workload) => {
                self.workloads.insert(kind.clone(), *workload);
                Ok(())
            }
            Event::MendWorkloads => {
                self.workloads.clear();
                for (key, _) in self.objects() {
                    self.script_as(&key, "ready-after=0s");
                }
                for job in self.jobs() {
                    self.script_as(&job, "ready-after=0s");
                }
                Ok(())
            }
            Event::Dependency(standing) if self.setup.has(Feature::Dependency) => {
                self.depend(*standing)
            }
            Event::Variable(level) if self.setup.has(Feature::Variables) => {
                self.set_variable(*level)
            }
            Event::Deaf(times) => {
                self.deaf = *times;
                Ok(())
            }
            Event::Anchor if self.setup.has(Feature::Actions) => {
                let target = self.target();
                target.delete("v1", "ConfigMap", NAMESPACE, ANCHOR)?;
                self.put_there(&config_map(ANCHOR))
            }
            Event::Gate(stage, open) if self.setup.has(Feature::Gates) => self.gate(*stage, *open),
            Event::Abroad(way) if self.setup.has(Feature::Remote) => self.way(*way),
            _ => Ok(()),
        }
    }

    fn set_variable(&mut self, level: Option<u8>) -> Result<(), HelperError> {
        self.level = level;
        match level {
            None => self.cluster.delete("v1", "ConfigMap", NAMESPACE, SETTINGS),
            Some(level) => {
                let mut settings = config_map(SETTINGS);
                settings["data"] = json!({ VARIABLE: level.to_string() });
                self.put(&settings)
            }
        }
    }

    /// Puts the object there that a stage waits for, or takes it away.
    fn gate(&self, stage: usize, open: bool) -> Result<(), HelperError> {
        let name = own(GATE, stage);
        let target = self.target();
        match target.get("v1", "ConfigMap", NAMESPACE, &name) {
            None if open => self.put_there(&config_map(&name)),
            Some(_) if !open => target.delete("v1", "ConfigMap", NAMESPACE, &name),
            _ => Ok(()),
        }
    }

    /// The StageSet that the release depends on, claimed by another controller, so that ours leaves
    /// it alone.
    fn depend(&self, standing: Standing) -> Result<(), HelperError> {
        let get = || self.cluster.get(OURS, "StageSet", NAMESPACE, DEPENDENCY);
        let unhold = json!({ "metadata": { "finalizers": null } });
        if standing == Standing::Absent || get().is_some_and(|object| is_going(&object)) {
            if get().is_none() {
                return Ok(());
            }
            // It may be gone by now: that is as well.
            let _ = self.cluster.delete(OURS, "StageSet", NAMESPACE, DEPENDENCY);
            let _ = self
                .cluster
                .patch(OURS, "StageSet", NAMESPACE, DEPENDENCY, &unhold);
            if standing == Standing::Absent {
                return Ok(());
            }
        }
        if get().is_none() {
            self.put(&json!({
                "apiVersion": OURS, "kind": "StageSet",
                "metadata": {
                    "name": DEPENDENCY, "namespace": NAMESPACE,
                    "finalizers": ["example.org/others"],
                },
                "spec": {
                    "suspend": true, "interval": "1h", "serviceAccountName": "deployer",
                    "stages": [{ "name": "one", "sourceRef": { "name": "platforms" } }],
                },
                "status": { "handledBy": { "namespace": "others", "name": "theirs" } },
            }))?;
        }
        let generation = get().map_or(0, |object| {
            object["metadata"]["generation"].as_i64().unwrap_or(0)
        });
        let observed = if standing == Standing::Stale {
            generation - 1
        } else {
            generation
        };
        let ready = if standing == Standing::NotReady {
            "False"
        } else {
            "True"
        };
        let status = json!({
            "handledBy": { "namespace": "others", "name": "theirs" },
            "observedGeneration": observed,
            "conditions": [{
                "type": "Ready", "status": ready, "reason": "Trial", "message": "",
                "lastTransitionTime": START, "observedGeneration": observed,
            }],
        });
        self.cluster
            .patch_status(OURS, "StageSet", NAMESPACE, DEPENDENCY, &status)?;
        if standing == Standing::Deleting {
            self.cluster
                .delete(OURS, "StageSet", NAMESPACE, DEPENDENCY)?;
        }
        Ok(())
    }

    /// The way to the remote cluster.
    pub(super) fn way(&mut self, way: Way) -> Result<(), HelperError> {
        self.way = way;
        let text = match way {
            Way::Absent => {
                // It may not be there: that is as well.
                let _ = self.cluster.delete("v1", "Secret", NAMESPACE, KUBECONFIG);
                return Ok(());
            }
            Way::Broken => "apiVersion: v1\nkind: Config\nclusters: 5\n".to_owned(),
            Way::Present | Way::Silent => kubeconfig(),
        };
        self.put(&json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": { "name": KUBECONFIG, "namespace": NAMESPACE },
            "data": { "value": STANDARD.encode(text) },
        }))
    }

    /// Whether the remote cluster answers nobody.
    pub(in super::super) fn is_silent(&self) -> bool {
        self.way == Way::Silent
    }

    /// Whether a request of an http action is refused.
    pub(in super::super) fn refuses_hooks(&mut self) -> bool {
        let refuses = self.deaf > 0;
        self.deaf = self.deaf.saturating_sub(1);
        refuses
    }

    /// What the completion of an action is recorded for, by the revision that its stage is pinned to.
    pub(in super::super) fn completion_key(&self, stage: usize, action: &str) -> String {
        let mut steps = actions(&self.setup, stage).iter();
        if steps.any(|step| step.name == action && step.lifetime) {
            return "lifetime".to_owned();
        }
        let object = self
            .cluster
            .get(OURS, "StageSet", NAMESPACE, crate::setup::NAME)
            .unwrap_or_default();
        let source = format!("{NAMESPACE}/{}", self.setup.source(stage));
        let pinned = object["status"]["lastAttemptedRevisions"][&source].as_str();
        let digest = sha256_hex(pinned.unwrap_or_default().as_bytes());
        digest[..8].to_owned()
    }

    /// A workload that was just written does what the world says of its kind.
    pub(in super::super) fn script(&self, key: &ObjectKey) {
        if key.kind == "Deployment" {
            let script = self.script_of(&key.kind);
            self.script_as(key, &script);
        }
    }

    /// The same for the Jobs of actions, each once.
    pub(in super::super) fn script_jobs(&self) {
        for job in self.jobs() {
            let annotation = self
                .get(&job)
                .is_some_and(|job| job["metadata"]["annotations"][SCRIPT].is_string());
            if !annotation {
                let script = self.script_of("Job");
                self.script_as(&job, &script);
            }
        }
    }

    fn script_of(&self, kind: &str) -> String {
        match self.workloads.get(kind) {
            Some(Workload::Hang) => "never".to_owned(),
            Some(Workload::Broken) => "fail-after=0s".to_owned(),
            Some(Workload::Slow(seconds)) => format!("ready-after={seconds}s"),
            None if kind == "Job" => format!("ready-after={}s", self.setup.slow.min(30)),
            None => format!("ready-after={}s", self.setup.slow),
        }
    }

    fn script_as(&self, key: &ObjectKey, script: &str) {
        if !matches!(key.kind.as_str(), "Deployment" | "Job") {
            return;
        }
        let patch = json!({ "metadata": { "annotations": { SCRIPT: script } } });
        // What isn't there any more needs no script.
        let _ = self.patch(key, &patch);
    }

    fn jobs(&self) -> Vec<ObjectKey> {
        if !self.setup.has(Feature::Actions) {
            return Vec::new();
        }
        let jobs = self.target().list("batch/v1", "Job", NAMESPACE);
        let names = jobs
            .iter()
            .filter_map(|job| job["metadata"]["name"].as_str());
        names
            .map(|name| ObjectKey {
                name: name.to_owned(),
                kind: "Job".to_owned(),
                namespace: Some(NAMESPACE.to_owned()),
                group: "batch".to_owned(),
            })
            .collect()
    }
}

fn is_going(object: &Value) -> bool {
    object["metadata"]["deletionTimestamp"].is_string()
}

fn config_map(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": name, "namespace": NAMESPACE },
        "data": { "of": STAGES[0] },
    })
}
