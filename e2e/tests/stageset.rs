//! StageSets as the scenarios write them and look at them.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use stageset_e2e::Kubectl;
use stageset_e2e::fixtures::tenant::ACCOUNT;
use stageset_e2e::kubectl::condition;

/// How long anything may take that doesn't wait for a retry timer.
pub(crate) const SOON: Duration = Duration::from_mins(1);

/// How long a fix from outside may take to be noticed where only a timer can tell (at most a minute,
/// and some for a busy machine).
pub(crate) const NOTICED: Duration = Duration::from_secs(100);

/// A StageSet under test.
#[derive(Debug)]
pub(crate) struct StageSet<'a> {
    kubectl: &'a Kubectl,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl<'a> StageSet<'a> {
    /// Applies a StageSet with this spec.
    pub(crate) fn apply(
        kubectl: &'a Kubectl,
        namespace: &str,
        name: &str,
        spec: &Value,
    ) -> Result<Self> {
        kubectl.apply(&json!({
            "apiVersion": "stages.metio.wtf/v1",
            "kind": "StageSet",
            "metadata": {"namespace": namespace, "name": name},
            "spec": spec,
        }))?;
        Ok(Self {
            kubectl,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        })
    }

    /// The API path.
    pub(crate) fn path(&self) -> String {
        path(&self.namespace, &self.name)
    }

    /// Waits until the run of the present spec succeeded.
    pub(crate) fn wait_ready(&self) -> Result<Value> {
        self.wait_ready_within(SOON)
    }

    /// The same with another bound.
    pub(crate) fn wait_ready_within(&self, timeout: Duration) -> Result<Value> {
        self.kubectl
            .wait_for(&self.path(), "Ready", timeout, |set| {
                observed(set)
                    && condition(set, "Ready").is_some_and(|ready| ready["status"] == "True")
            })
    }

    /// Waits until `revision` of each source arrived.
    pub(crate) fn wait_revision(&self, revision: &str) -> Result<Value> {
        let what = format!("Ready at {revision}");
        self.kubectl.wait_for(&self.path(), &what, SOON, |set| {
            let applied = set["status"]["lastAppliedRevisions"].as_object();
            observed(set)
                && condition(set, "Ready").is_some_and(|ready| ready["status"] == "True")
                && applied.is_some_and(|applied| {
                    !applied.is_empty()
                        && applied
                            .values()
                            .all(|pin| pin.as_str().is_some_and(|pin| pin.contains(revision)))
                })
        })
    }

    /// Waits until the run is refused or failed with one of these reasons, and returns the message
    /// of the condition.
    pub(crate) fn wait_failed(&self, reasons: &[&str]) -> Result<String> {
        let what = format!("Ready=False with one of {reasons:?}");
        let set = self.kubectl.wait_for(&self.path(), &what, SOON, |set| {
            condition(set, "Ready").is_some_and(|ready| {
                ready["status"] == "False"
                    && reasons.iter().any(|reason| ready["reason"] == *reason)
            })
        })?;
        let ready = condition(&set, "Ready").cloned().unwrap_or_default();
        Ok(ready["message"].as_str().unwrap_or_default().to_owned())
    }

    /// The same, until the message contains all of `words`: what is first said of a wait isn't the last.
    pub(crate) fn wait_failed_saying(&self, reasons: &[&str], words: &[&str]) -> Result<()> {
        let what = format!("Ready=False with one of {reasons:?} that says {words:?}");
        self.kubectl.wait_for(&self.path(), &what, SOON, |set| {
            condition(set, "Ready").is_some_and(|ready| {
                let message = ready["message"].as_str().unwrap_or_default();
                ready["status"] == "False"
                    && reasons.iter().any(|reason| ready["reason"] == *reason)
                    && words.iter().all(|word| message.contains(word))
            })
        })?;
        Ok(())
    }

    /// Waits until a Warning event about this StageSet has this reason.
    pub(crate) fn wait_warning(&self, reasons: &[&str]) -> Result<()> {
        let path = format!("/api/v1/namespaces/{}/events", self.namespace);
        self.kubectl
            .wait_for(&path, &format!("a warning {reasons:?}"), SOON, |events| {
                events["items"].as_array().is_some_and(|events| {
                    events.iter().any(|event| {
                        event["type"] == "Warning"
                            && event["involvedObject"]["name"] == *self.name
                            && reasons.iter().any(|reason| event["reason"] == *reason)
                    })
                })
            })?;
        Ok(())
    }

    /// Changes the spec by a merge patch.
    pub(crate) fn patch_spec(&self, spec: &Value) -> Result<()> {
        let patch = json!({ "spec": spec }).to_string();
        self.kubectl.run(&[
            "-n",
            &self.namespace,
            "patch",
            "stagesets",
            &self.name,
            "--type=merge",
            "-p",
            &patch,
        ])?;
        Ok(())
    }

    /// Asks for a pass now, of which nothing else tells.
    pub(crate) fn request_reconcile(&self, token: &str) -> Result<()> {
        self.kubectl.run(&[
            "-n",
            &self.namespace,
            "annotate",
            "stagesets",
            &self.name,
            &format!("reconcile.fluxcd.io/requestedAt={token}"),
            "--overwrite",
        ])?;
        Ok(())
    }

    /// Asks for its deletion and waits until it is gone.
    pub(crate) fn delete(&self) -> Result<()> {
        self.request_deletion()?;
        self.kubectl.wait_until_gone(&self.path(), SOON)
    }

    /// Asks for its deletion.
    pub(crate) fn request_deletion(&self) -> Result<()> {
        self.kubectl.run(&[
            "-n",
            &self.namespace,
            "delete",
            "stagesets",
            &self.name,
            "--wait=false",
        ])?;
        Ok(())
    }

    /// `Kind/name` of every object that its inventories hold; cluster-scoped ones included.
    pub(crate) fn inventory(&self) -> Result<BTreeSet<String>> {
        let path = format!(
            "/apis/stages.metio.wtf/v1/namespaces/{}/stageinventories\
             ?labelSelector=stages.metio.wtf/stage-set={}",
            self.namespace, self.name
        );
        let list = self.kubectl.raw(&path)?.unwrap_or_default();
        let mut held = BTreeSet::new();
        for inventory in list["items"].as_array().into_iter().flatten() {
            for entry in inventory["spec"]["entries"]
                .as_array()
                .into_iter()
                .flatten()
            {
                // namespace_name_group_kind; none of the parts can hold an underscore.
                let id = entry["id"].as_str().unwrap_or_default();
                let parts: Vec<&str> = id.split('_').collect();
                ensure!(parts.len() == 4, "a malformed inventory id: {id}");
                held.insert(format!("{}/{}", parts[3], parts[1]));
            }
        }
        Ok(held)
    }

    /// `Kind/name` of the live objects that carry its ownership labels, of the kinds that the
    /// scenarios deploy.
    pub(crate) fn owned(&self) -> Result<BTreeSet<String>> {
        let selector = format!(
            "stages.metio.wtf/name={},stages.metio.wtf/namespace={}",
            self.name, self.namespace
        );
        let text = self.kubectl.run(&[
            "get",
            "configmaps,services,deployments,serviceaccounts,roles,rolebindings",
            "-n",
            &self.namespace,
            "-l",
            &selector,
            "-o",
            "json",
        ])?;
        let list: Value = serde_json::from_str(&text)?;
        Ok(list["items"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|object| {
                let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                format!(
                    "{}/{}",
                    word(&object["kind"]),
                    word(&object["metadata"]["name"])
                )
            })
            .collect())
    }
}

/// The API path of a StageSet.
pub(crate) fn path(namespace: &str, name: &str) -> String {
    format!("/apis/stages.metio.wtf/v1/namespaces/{namespace}/stagesets/{name}")
}

/// A spec with the tenant's account and one stage for each pair of stage name and path, all from
/// the same source.
pub(crate) fn spec(kind: &str, source: &str, stages: &[(&str, &str)]) -> Value {
    let stages: Vec<Value> = stages
        .iter()
        .map(|(name, path)| {
            json!({"name": name, "path": path, "sourceRef": {"kind": kind, "name": source}})
        })
        .collect();
    json!({"serviceAccountName": ACCOUNT, "retryInterval": "2s", "stages": stages})
}

fn observed(set: &Value) -> bool {
    set["status"]["observedGeneration"] == set["metadata"]["generation"]
}

/// A ConfigMap manifest.
pub(crate) fn config_map(name: &str, value: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  value: \"{value}\"\n"
    )
}

/// A Deployment manifest with `replicas` pods, which kwok makes ready.
pub(crate) fn deployment(name: &str, replicas: u32, node_selector: Option<&str>) -> String {
    let selector = node_selector.map_or(String::new(), |label| {
        format!("      nodeSelector:\n        {label}\n")
    });
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\nspec:\n  \
         replicas: {replicas}\n  selector:\n    matchLabels:\n      app: {name}\n  template:\n    \
         metadata:\n      labels:\n        app: {name}\n    spec:\n{selector}      containers:\n      \
         - name: main\n        image: example.invalid/app:1\n"
    )
}

/// A Service manifest.
pub(crate) fn service(name: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\nspec:\n  selector:\n    \
         app: {name}\n  ports:\n  - port: 80\n"
    )
}
