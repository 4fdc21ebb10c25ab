//! `stagesetctl suspend` and `resume`.

use clap::Args;
use serde_json::json;

use crate::connection::{Cluster, ConnectionFlags};
use crate::error::CommandError;

/// `stagesetctl suspend`.
#[derive(Debug, Args)]
pub struct Suspend {
    /// The StageSet.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Which cluster.
    #[command(flatten)]
    pub connection: ConnectionFlags,
}

/// `stagesetctl resume`.
#[derive(Debug, Args)]
pub struct Resume {
    /// The StageSet.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Which cluster.
    #[command(flatten)]
    pub connection: ConnectionFlags,
}

/// Stops delivery; what the command prints.
///
/// # Errors
/// [`CommandError`].
pub async fn suspend(cluster: &Cluster, name: &str) -> Result<String, CommandError> {
    set(cluster, name, true).await
}

/// Lets delivery go on; what the command prints.
///
/// # Errors
/// [`CommandError`].
pub async fn resume(cluster: &Cluster, name: &str) -> Result<String, CommandError> {
    set(cluster, name, false).await
}

async fn set(cluster: &Cluster, name: &str, wanted: bool) -> Result<String, CommandError> {
    let object = cluster.stage_set(name).await?;
    let namespace = &cluster.namespace;
    let word = if wanted { "suspended" } else { "resumed" };
    if (object["spec"]["suspend"] == true) == wanted {
        let is = if wanted { "suspended" } else { "not suspended" };
        return Ok(format!("StageSet {namespace}/{name} is {is} already\n"));
    }
    // Only what was looked at is changed: an edit in between bounces.
    let patch = json!({
        "metadata": { "resourceVersion": object["metadata"]["resourceVersion"] },
        "spec": { "suspend": wanted },
    });
    cluster.patch_stage_set(name, &patch).await?;
    Ok(format!("StageSet {namespace}/{name} {word}\n"))
}
