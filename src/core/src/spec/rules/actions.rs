//! Where actions stand in a spec, and how messages speak of them.

use stageset_api::stageset::{Action, StageSetSpec};

use super::super::problems::show;

/// The six verbs, in the order of the API contract.
pub(super) const VERBS: &str = "patch, http, wait, job, delete, apply";

/// A list that holds actions.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    /// Of a stage.
    Stage {
        index: usize,
        stage: &'a str,
        phase: &'static str,
    },
    /// `spec.onRollback`.
    OnRollback,
    /// Of a migration.
    Migration {
        index: usize,
        migration: &'a str,
        direction: &'static str,
    },
}

/// An action and where it was found.
#[derive(Clone, Copy)]
pub(super) struct Found<'a> {
    pub(super) action: &'a Action,
    pub(super) place: Place<'a>,
    position: usize,
}

impl Found<'_> {
    /// Path of the action.
    pub(super) fn field(&self) -> String {
        let position = self.position;
        match self.place {
            Place::Stage { index, phase, .. } => {
                format!("spec.stages[{index}].actions.{phase}[{position}]")
            }
            Place::OnRollback => format!("spec.onRollback[{position}]"),
            Place::Migration {
                index, direction, ..
            } => {
                format!("spec.migrations[{index}].{direction}[{position}]")
            }
        }
    }

    /// The action in words: its list's owner, its list and its name.
    pub(super) fn who(&self) -> String {
        let name = if self.action.name.is_empty() {
            format!("without a name (at {})", self.position)
        } else {
            show(&self.action.name)
        };
        match self.place {
            Place::Stage { stage, phase, .. } => {
                format!("stage {}: {phase} action {name}", show(stage))
            }
            Place::OnRollback => format!("onRollback action {name}"),
            Place::Migration {
                migration,
                direction,
                ..
            } => {
                format!("migration {}: {direction} action {name}", show(migration))
            }
        }
    }

    /// The verbs that the action sets.
    pub(super) fn verbs(&self) -> Vec<&'static str> {
        let action = self.action;
        [
            ("patch", action.patch.is_some()),
            ("http", action.http.is_some()),
            ("wait", action.wait.is_some()),
            ("job", action.job.is_some()),
            ("delete", action.delete.is_some()),
            ("apply", action.apply.is_some()),
        ]
        .into_iter()
        .filter_map(|(verb, set)| set.then_some(verb))
        .collect()
    }
}

/// The actions of one list.
fn list<'a>(actions: &'a [Action], place: Place<'a>) -> impl Iterator<Item = Found<'a>> {
    actions
        .iter()
        .enumerate()
        .map(move |(position, action)| Found {
            action,
            place,
            position,
        })
}

/// All actions of a spec.
pub(super) fn all(spec: &StageSetSpec) -> Vec<Found<'_>> {
    let mut found = Vec::new();
    for (index, stage) in spec.stages.iter().enumerate() {
        let Some(actions) = &stage.actions else {
            continue;
        };
        for (phase, phase_actions) in [
            ("pre", &actions.pre),
            ("post", &actions.post),
            ("onFailure", &actions.on_failure),
        ] {
            found.extend(list(
                phase_actions,
                Place::Stage {
                    index,
                    stage: &stage.name,
                    phase,
                },
            ));
        }
    }
    found.extend(list(&spec.on_rollback, Place::OnRollback));
    for (index, migration) in spec.migrations.iter().enumerate() {
        for (direction, actions) in [("actions", &migration.actions), ("down", &migration.down)] {
            let migration = migration.name.as_str();
            found.extend(list(
                actions,
                Place::Migration {
                    index,
                    migration,
                    direction,
                },
            ));
        }
    }
    found
}
