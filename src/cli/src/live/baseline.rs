//! `stagesetctl baseline`: actions that count as done without having run.

use clap::Args;
use serde_json::{Value, json};

use super::ledger::{self, ActionFlags, Part, Place};
use crate::connection::{Cluster, ClusterError, ConnectionFlags};
use crate::error::CommandError;

/// `stagesetctl baseline`.
#[derive(Debug, Args)]
pub struct Baseline {
    /// The StageSet.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// The action that counts as done.
    #[command(flatten)]
    pub action: ActionFlags,
    /// Change nothing; print a StageLedger that says of everything that is done here that it is done,
    /// to be applied in another cluster.
    #[arg(long, conflicts_with_all = ["stage", "action"])]
    pub export: bool,
    /// Which cluster.
    #[command(flatten)]
    pub connection: ConnectionFlags,
}

/// What the command prints; what is to be said beside it goes to `note`.
///
/// # Errors
/// [`CommandError`].
pub async fn baseline(
    cluster: &Cluster,
    options: &Baseline,
    note: impl FnMut(String),
) -> Result<String, CommandError> {
    match options.action.place() {
        Some(place) if !options.export => assert(cluster, &options.name, place, note).await,
        _ => export(cluster, &options.name).await,
    }
}

async fn assert(
    cluster: &Cluster,
    name: &str,
    place: Place<'_>,
    mut note: impl FnMut(String),
) -> Result<String, CommandError> {
    let at = format!("{}/{name}", cluster.namespace);
    match cluster.stage_set(name).await {
        Ok(stage_set) => {
            let known = ledger::lifetime_actions(&stage_set);
            if !known.iter().any(|(stage, action)| {
                (stage.as_str(), action.as_str()) == (place.stage, place.action)
            }) {
                let known: Vec<String> = known
                    .iter()
                    .map(|(stage, action)| format!("{stage}/{action}"))
                    .collect();
                let has = if known.is_empty() {
                    "none".to_owned()
                } else {
                    known.join(", ")
                };
                note(format!(
                    "Note: StageSet {at} has no action {place} of scope Lifetime (it has {has}); the \
                     entry is kept, and counts once it has"
                ));
            }
        }
        Err(absent @ ClusterError::Absent(_)) => {
            note(format!("Note: {absent}; the entry counts once it does"));
        }
        Err(error) => return Err(error.into()),
    }
    let entry = json!({ "stage": place.stage, "action": place.action });
    if ledger::read(cluster, name).await?.is_none() {
        let mut new = ledger::empty(cluster, name);
        new["spec"] = json!({ "baseline": [entry] });
        match cluster.create(&cluster.ledgers_path(), &new).await {
            Ok(_) => {
                return Ok(format!(
                    "Baseline of StageLedger {at}: {place} counts as done\n"
                ));
            }
            // Somebody else made it in this moment.
            Err(ClusterError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let mut stood = false;
    ledger::change(cluster, name, Part::Spec, |found| {
        let mut entries = ledger::baseline(found);
        stood = entries.iter().any(|entry| place.is_of(entry));
        entries.push(entry.clone());
        (!stood).then(|| json!({ "baseline": entries }))
    })
    .await?;
    let word = if stood {
        "counted as done already"
    } else {
        "counts as done"
    };
    Ok(format!("Baseline of StageLedger {at}: {place} {word}\n"))
}

/// A ledger whose baseline says what this one records.
async fn export(cluster: &Cluster, name: &str) -> Result<String, CommandError> {
    let found = ledger::read(cluster, name).await?.ok_or_else(|| {
        ClusterError::Absent(format!(
            "StageLedger {}/{name}: no Lifetime action of this StageSet ran, so it",
            cluster.namespace
        ))
    })?;
    let mut entries: Vec<Value> = Vec::new();
    for entry in ledger::completed(&found)
        .iter()
        .chain(&ledger::baseline(&found))
    {
        if let Some(place) = ledger::place(entry)
            && !entries.iter().any(|known| place.is_of(known))
        {
            entries.push(json!({ "stage": place.stage, "action": place.action }));
        }
    }
    entries.sort_by_key(std::string::ToString::to_string);
    let mut exported = ledger::empty(cluster, name);
    exported["spec"] = json!({ "baseline": entries });
    let text = serde_saphyr::to_string(&exported)
        .map_err(|error| std::io::Error::other(error.to_string()))?;
    Ok(text.trim_end().to_owned() + "\n")
}
