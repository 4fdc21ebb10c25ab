//! `stagesetctl reset-ledger`: actions that are to run again.

use clap::Args;
use serde_json::{Value, json};

use super::ledger::{self, ActionFlags, Part};
use crate::connection::{Cluster, ConnectionFlags};
use crate::error::CommandError;

/// `stagesetctl reset-ledger`.
#[derive(Debug, Args)]
pub struct ResetLedger {
    /// The StageSet.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// The action that is to run again.
    #[command(flatten)]
    pub action: ActionFlags,
    /// All Lifetime actions of the StageSet.
    #[arg(long, conflicts_with_all = ["stage", "action"])]
    pub all: bool,
    /// Which cluster.
    #[command(flatten)]
    pub connection: ConnectionFlags,
}

/// What the command prints; what is to be said beside it goes to `note`.
///
/// # Errors
/// [`CommandError`].
pub async fn reset_ledger(
    cluster: &Cluster,
    options: &ResetLedger,
    mut note: impl FnMut(String),
) -> Result<String, CommandError> {
    let name = &options.name;
    let only = options.action.place().filter(|_| !options.all);
    let chosen = |entry: &Value| only.is_none_or(|place| place.is_of(entry));
    // The assertion goes first: else the controller would record it anew at once.
    ledger::change(cluster, name, Part::Spec, |found| {
        without(ledger::baseline(found), chosen).map(|(left, _)| json!({ "baseline": left }))
    })
    .await?;
    let mut reset = 0;
    let mut known = Vec::new();
    ledger::change(cluster, name, Part::Status, |found| {
        let completed = ledger::completed(found);
        known = completed
            .iter()
            .filter_map(ledger::place)
            .map(|place| place.to_string())
            .collect();
        let (left, gone) = without(completed, chosen)?;
        reset = gone;
        Some(json!({ "completedActions": left }))
    })
    .await?;
    if reset == 0 {
        let has = if known.is_empty() {
            "nothing".to_owned()
        } else {
            known.join(", ")
        };
        note(format!("Note: it records {has} as done"));
    }
    Ok(format!(
        "Reset {reset} completion(s) in StageLedger {}/{name}\n",
        cluster.namespace
    ))
}

/// The entries that weren't chosen, and how many were; `None` if none was.
fn without(entries: Vec<Value>, chosen: impl Fn(&Value) -> bool) -> Option<(Vec<Value>, usize)> {
    let before = entries.len();
    let left: Vec<Value> = entries.into_iter().filter(|entry| !chosen(entry)).collect();
    let gone = before - left.len();
    (gone > 0).then_some((left, gone))
}
