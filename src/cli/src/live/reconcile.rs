//! `stagesetctl reconcile`: look at a StageSet now.

use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use stageset_api::names::{
    ANNOTATION_REQUESTED_AT, DEFAULT_SOURCE_API_VERSION, DEFAULT_SOURCE_KIND,
};
use stageset_api::stageset::FoundStageSet;

use crate::arguments::positive_duration;
use crate::connection::{Cluster, ConnectionFlags};
use crate::error::CommandError;

/// `stagesetctl reconcile`.
#[derive(Debug, Args)]
pub struct Reconcile {
    /// The StageSet.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Run this stage's actions of scope Revision again, too.
    #[arg(long, value_name = "STAGE")]
    pub stage: Option<String>,
    /// Have the sources of the stages looked at, too.
    #[arg(long)]
    pub with_source: bool,
    /// Fail if a source can't be asked; without it that is a warning.
    #[arg(long, requires = "with_source")]
    pub strict: bool,
    /// Also if the StageSet is suspended: the wish is noted, and acted on once it is resumed.
    #[arg(long)]
    pub force: bool,
    /// Wait until it was acted on.
    #[arg(long)]
    pub wait: bool,
    /// Longest wait.
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = positive_duration)]
    pub timeout: Duration,
    /// Which cluster.
    #[command(flatten)]
    pub connection: ConnectionFlags,
}

/// Annotation `<stage>@<token>` that has a stage's actions run again.
const RECONCILE_STAGE: &str = "stages.metio.wtf/reconcile-stage";
/// Between two looks while it waits.
const LOOK: Duration = Duration::from_secs(1);

/// Asks, and waits if told so. `token` is the time in nanoseconds; what is to be said on the way goes
/// to `tell`.
///
/// # Errors
/// [`CommandError`]: also when a wait ends without the StageSet having been looked at.
pub async fn reconcile(
    cluster: &Cluster,
    options: &Reconcile,
    token: &str,
    mut warn: impl FnMut(String),
) -> Result<String, CommandError> {
    let name = &options.name;
    let object = cluster.stage_set(name).await?;
    let found = FoundStageSet::read(&object);
    let place = format!("{}/{name}", cluster.namespace);
    if found.spec["suspend"] == true && !options.force {
        return Err(CommandError::Refused(format!(
            "StageSet {place} is suspended; resume it first (stagesetctl resume {name}), or note the \
             wish with --force"
        )));
    }
    if let Some(stage) = &options.stage {
        let stages = found.spec["stages"].as_array();
        let names = stages
            .into_iter()
            .flatten()
            .filter_map(|each| each["name"].as_str());
        let names: Vec<&str> = names.collect();
        if !names.contains(&stage.as_str()) {
            return Err(CommandError::Refused(format!(
                "StageSet {place} has no stage {stage:?}; it has {}",
                names.join(", ")
            )));
        }
    }
    if options.with_source {
        for source in sources(&found, &cluster.namespace) {
            if let Err(error) = ask_source(cluster, &source, token).await {
                if options.strict {
                    return Err(error.into());
                }
                warn(format!("Warning: {source}: {error}"));
            }
        }
    }
    let mut annotations = json!({ ANNOTATION_REQUESTED_AT: token });
    if let Some(stage) = &options.stage {
        annotations[RECONCILE_STAGE] = format!("{stage}@{token}").into();
    }
    let patch = json!({ "metadata": { "annotations": annotations } });
    cluster.patch_stage_set(name, &patch).await?;
    let mut said = format!("Reconcile requested for {place} (token {token})\n");
    if options.wait {
        wait(cluster, options, token).await?;
        said.push_str("Reconciled\n");
    }
    Ok(said)
}

/// Waits until the token was handled.
async fn wait(cluster: &Cluster, options: &Reconcile, token: &str) -> Result<(), CommandError> {
    let looks = async {
        loop {
            let object = cluster.stage_set(&options.name).await?;
            let found = FoundStageSet::read(&object);
            let whole = found.status.last_handled_reconcile_at.as_deref();
            let handled = match &options.stage {
                None => whole == Some(token),
                Some(stage) => found
                    .status
                    .stage(stage)
                    .and_then(|stage| stage.last_handled_reconcile_at.as_deref())
                    .is_some_and(|handled| handled == token || handled.ends_with(token)),
            };
            let held =
                found.status.pending_update.is_some() || found.status.budget_freeze.is_some();
            if handled && !held {
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    let ended = tokio::time::timeout(options.timeout, looks).await;
    ended.unwrap_or_else(|_| {
        Err(CommandError::Refused(format!(
            "StageSet {}/{} was not looked at within {} s; does its controller run?",
            cluster.namespace,
            options.name,
            options.timeout.as_secs()
        )))
    })
}

/// A source that a stage names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Source {
    api_version: String,
    kind: String,
    namespace: String,
    name: String,
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

fn sources(found: &FoundStageSet, own: &str) -> std::collections::BTreeSet<Source> {
    let stages = found.spec["stages"].as_array();
    stages
        .into_iter()
        .flatten()
        .filter_map(|stage| source(&stage["sourceRef"], own))
        .collect()
}

fn source(reference: &Value, own: &str) -> Option<Source> {
    let text = |field: &str| {
        let text = reference[field].as_str();
        text.filter(|text| !text.is_empty()).map(str::to_owned)
    };
    Some(Source {
        api_version: text("apiVersion").unwrap_or_else(|| DEFAULT_SOURCE_API_VERSION.to_owned()),
        kind: text("kind").unwrap_or_else(|| DEFAULT_SOURCE_KIND.to_owned()),
        namespace: text("namespace").unwrap_or_else(|| own.to_owned()),
        name: text("name")?,
    })
}

/// Asks a source's controller to look at it; for an ExternalArtifact that is its producer's.
async fn ask_source(
    cluster: &Cluster,
    source: &Source,
    token: &str,
) -> Result<(), crate::connection::ClusterError> {
    let path = object_path(cluster, source).await?;
    let found = cluster
        .get(&path)
        .await?
        .ok_or_else(|| crate::connection::ClusterError::Absent(source.to_string()))?;
    let asked = match self::source(&found["spec"]["sourceRef"], &source.namespace) {
        Some(producer) if source.kind == DEFAULT_SOURCE_KIND => {
            object_path(cluster, &producer).await?
        }
        _ => path,
    };
    let patch = json!({ "metadata": { "annotations": { ANNOTATION_REQUESTED_AT: token } } });
    cluster.patch(&asked, &patch).await.map(drop)
}

/// The path of an object: its resource name is discovery's word.
async fn object_path(
    cluster: &Cluster,
    source: &Source,
) -> Result<String, crate::connection::ClusterError> {
    let root = if source.api_version.contains('/') {
        format!("/apis/{}", source.api_version)
    } else {
        format!("/api/{}", source.api_version)
    };
    let unknown = || {
        let kind = format!(
            "the kind {} ({}) in this cluster",
            source.kind, source.api_version
        );
        crate::connection::ClusterError::Absent(kind)
    };
    let list = cluster.get(&root).await?.ok_or_else(unknown)?;
    let resources = list["resources"].as_array();
    let plural = resources
        .into_iter()
        .flatten()
        .filter(|resource| resource["kind"] == source.kind.as_str())
        .filter_map(|resource| resource["name"].as_str())
        .find(|name| !name.contains('/'))
        .ok_or_else(unknown)?;
    Ok(format!(
        "{root}/namespaces/{}/{plural}/{}",
        source.namespace, source.name
    ))
}
