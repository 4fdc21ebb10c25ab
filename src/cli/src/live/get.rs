//! `stagesetctl get`: how StageSets stand.

use clap::{Args, ValueEnum};
use serde_json::Value;
use stageset_api::stageset::FoundStageSet;

use crate::connection::{Cluster, ConnectionFlags};
use crate::error::CommandError;

/// `stagesetctl get`.
#[derive(Debug, Args)]
pub struct Get {
    /// One StageSet; all of the namespace without it.
    #[arg(value_name = "NAME", conflicts_with = "all_namespaces")]
    pub name: Option<String>,
    /// StageSets of all namespaces.
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
    /// The objects themselves.
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub output: Option<Format>,
    /// Which cluster.
    #[command(flatten)]
    pub connection: ConnectionFlags,
}

/// A form of whole objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// YAML, which JSON is.
    Yaml,
    /// JSON.
    Json,
}

/// What the command prints.
///
/// # Errors
/// [`CommandError`].
pub async fn get(cluster: &Cluster, options: &Get) -> Result<String, CommandError> {
    if let Some(name) = &options.name {
        let object = cluster.stage_set(name).await?;
        return match options.output {
            Some(format) => written(&object, format),
            None => Ok(described(&object)),
        };
    }
    let objects = cluster.stage_sets(options.all_namespaces).await?;
    match options.output {
        Some(format) => {
            let list = serde_json::json!({ "apiVersion": "v1", "kind": "List", "items": objects });
            written(&list, format)
        }
        None => Ok(table(&objects, options.all_namespaces)),
    }
}

fn written(object: &Value, format: Format) -> Result<String, CommandError> {
    let text = match format {
        Format::Json => serde_json::to_string_pretty(object).map_err(|error| error.to_string()),
        Format::Yaml => serde_saphyr::to_string(object).map_err(|error| error.to_string()),
    };
    let text = text.map_err(std::io::Error::other)?;
    Ok(text.trim_end().to_owned() + "\n")
}

/// What a line says of one StageSet.
struct Line {
    namespace: String,
    name: String,
    ready: String,
    reason: String,
    message: String,
    stages: String,
    version: String,
    pending: String,
}

fn line(object: &Value) -> Line {
    let found = FoundStageSet::read(object);
    let status = &found.status;
    let mut conditions = status.conditions.iter();
    let ready = conditions.find(|condition| condition.type_ == "Ready");
    let total = found.spec["stages"].as_array().map_or(0, Vec::len);
    let done = status.stages.iter();
    let done = done
        .filter(|stage| phase_of(stage.phase) == "Ready")
        .count();
    let pending = match &status.pending_update {
        None => "-".to_owned(),
        Some(update) => match &update.next_window_opens {
            Some(at) => format!("held until {}", at.as_str()),
            None => "held".to_owned(),
        },
    };
    Line {
        namespace: found.metadata.namespace.clone(),
        name: found.metadata.name.clone(),
        ready: ready.map_or_else(|| "Unknown".to_owned(), |ready| word(&ready.status)),
        reason: ready.map_or_else(|| "-".to_owned(), |ready| ready.reason.clone()),
        message: ready.map_or_else(String::new, |ready| ready.message.clone()),
        stages: format!("{done}/{total}"),
        version: status.version.clone().unwrap_or_else(|| "-".to_owned()),
        pending,
    }
}

fn word<T: serde::Serialize>(value: &T) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or("Unknown").to_owned()
}

fn phase_of<T: serde::Serialize>(phase: Option<T>) -> String {
    phase.map_or_else(|| "-".to_owned(), |phase| word(&phase))
}

fn table(objects: &[Value], with_namespace: bool) -> String {
    if objects.is_empty() {
        return "No StageSets found.\n".to_owned();
    }
    let mut rows = vec![
        [
            "NAMESPACE",
            "NAME",
            "READY",
            "REASON",
            "STAGES",
            "VERSION",
            "PENDING",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    let mut lines: Vec<Line> = objects.iter().map(line).collect();
    lines.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
    for line in lines {
        rows.push(vec![
            line.namespace,
            line.name,
            line.ready,
            line.reason,
            line.stages,
            line.version,
            line.pending,
        ]);
    }
    if !with_namespace {
        for row in &mut rows {
            row.remove(0);
        }
    }
    columns(&rows)
}

fn described(object: &Value) -> String {
    let line = line(object);
    let found = FoundStageSet::read(object);
    let mut pairs = vec![
        vec!["Name:".to_owned(), line.name],
        vec!["Namespace:".to_owned(), line.namespace],
        vec!["Ready:".to_owned(), line.ready],
        vec!["Reason:".to_owned(), line.reason],
    ];
    if !line.message.is_empty() {
        pairs.push(vec!["Message:".to_owned(), line.message]);
    }
    if found.spec["suspend"] == true {
        pairs.push(vec!["Suspended:".to_owned(), "true".to_owned()]);
    }
    pairs.push(vec!["Stages:".to_owned(), line.stages]);
    pairs.push(vec!["Version:".to_owned(), line.version]);
    pairs.push(vec!["Pending:".to_owned(), line.pending]);
    let mut rows = vec![
        ["NAME", "PHASE", "REVISION", "ENTRIES"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for stage in &found.status.stages {
        rows.push(vec![
            stage.name.clone(),
            phase_of(stage.phase),
            stage
                .applied_revision
                .clone()
                .unwrap_or_else(|| "-".to_owned()),
            stage
                .entries_count
                .map_or_else(|| "-".to_owned(), |count| count.to_string()),
        ]);
    }
    format!("{}\n{}", columns(&pairs), columns(&rows))
}

/// Columns of equal width, three spaces apart.
fn columns(rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            line.push_str(cell);
            if column + 1 < row.len() {
                let gap = width(column) + 3 - cell.chars().count();
                line.extend(std::iter::repeat_n(' ', gap));
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
