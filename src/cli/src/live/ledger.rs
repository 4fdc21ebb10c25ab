//! A StageLedger as the command line reads and writes it: as it stands, so that nothing that somebody
//! else wrote into it is lost, and never over a change that it hasn't seen.

use clap::Args;
use serde_json::{Value, json};
use stageset_api::names::{API_VERSION, KIND_STAGE_LEDGER};

use crate::connection::{Cluster, ClusterError};
use crate::error::CommandError;

/// How often a change is tried anew after somebody else was faster.
const TRIES: usize = 5;

/// The flags that name an action.
#[derive(Debug, Args)]
pub struct ActionFlags {
    /// The stage of the action.
    #[arg(long, value_name = "STAGE", requires = "action")]
    pub stage: Option<String>,
    /// The action, one of scope Lifetime.
    #[arg(long, value_name = "ACTION", requires = "stage")]
    pub action: Option<String>,
}

impl ActionFlags {
    /// The action that is named; `None` = another flag says which.
    pub(super) fn place(&self) -> Option<Place<'_>> {
        let (stage, action) = (self.stage.as_deref()?, self.action.as_deref()?);
        Some(Place { stage, action })
    }
}

/// An action's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place<'a> {
    pub stage: &'a str,
    pub action: &'a str,
}

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.stage, self.action)
    }
}

impl Place<'_> {
    /// Whether an entry of a baseline, or a record of a completion, is about this action.
    pub(super) fn is_of(self, entry: &Value) -> bool {
        entry["stage"] == self.stage && entry["action"] == self.action
    }
}

/// The place that an entry names, if it names one.
pub(super) fn place(entry: &Value) -> Option<Place<'_>> {
    Some(Place {
        stage: entry["stage"].as_str()?,
        action: entry["action"].as_str()?,
    })
}

/// What people assert.
pub(super) fn baseline(ledger: &Value) -> Vec<Value> {
    list(&ledger["spec"]["baseline"])
}

/// What is recorded.
pub(super) fn completed(ledger: &Value) -> Vec<Value> {
    list(&ledger["status"]["completedActions"])
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

/// A ledger with nothing in it.
pub(super) fn empty(cluster: &Cluster, name: &str) -> Value {
    json!({
        "apiVersion": API_VERSION,
        "kind": KIND_STAGE_LEDGER,
        "metadata": { "namespace": cluster.namespace, "name": name },
    })
}

/// The ledger of a StageSet, if there is one.
pub(super) async fn read(cluster: &Cluster, name: &str) -> Result<Option<Value>, ClusterError> {
    let path = format!("{}/{name}", cluster.ledgers_path());
    cluster.get(&path).await
}

/// Which part of a ledger is written.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part {
    Spec,
    Status,
}

/// Changes a part of the ledger: `change` says what it becomes, or that it stays as it is. Tried anew
/// when somebody else was faster.
pub(super) async fn change(
    cluster: &Cluster,
    name: &str,
    part: Part,
    mut change: impl FnMut(&Value) -> Option<Value>,
) -> Result<(), CommandError> {
    let path = format!("{}/{name}", cluster.ledgers_path());
    let (field, path) = match part {
        Part::Spec => ("spec", path),
        Part::Status => ("status", format!("{path}/status")),
    };
    let mut last = None;
    for _ in 0..TRIES {
        let found = read(cluster, name).await?;
        let ledger = found.ok_or_else(|| {
            ClusterError::Absent(format!("StageLedger {}/{name}", cluster.namespace))
        })?;
        let Some(wanted) = change(&ledger) else {
            return Ok(());
        };
        let patch = json!({
            "metadata": { "resourceVersion": ledger["metadata"]["resourceVersion"] },
            field: wanted,
        });
        match cluster.patch(&path, &patch).await {
            Ok(_) => return Ok(()),
            Err(error @ ClusterError::Conflict { .. }) => last = Some(error),
            Err(error) => return Err(error.into()),
        }
    }
    Err(last.map_or_else(
        || CommandError::Refused("the ledger could not be written".to_owned()),
        Into::into,
    ))
}

/// The Lifetime actions of a StageSet.
pub(super) fn lifetime_actions(stage_set: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for stage in stage_set["spec"]["stages"].as_array().into_iter().flatten() {
        for phase in ["pre", "post", "onFailure"] {
            let actions = stage["actions"][phase].as_array();
            for action in actions.into_iter().flatten() {
                if let (Some(stage), Some(name)) = (stage["name"].as_str(), action["name"].as_str())
                    && action["scope"] == "Lifetime"
                {
                    found.push((stage.to_owned(), name.to_owned()));
                }
            }
        }
    }
    found
}
