//! The ladder of migrations.

use std::collections::{BTreeMap, BTreeSet};

use stageset_api::stageset::{Migration, StageSetSpec};

use super::super::problems::{Problems, set, show};
use super::semantic_versions::{is_constraint, version};

/// Most migrations of a ladder.
const MIGRATIONS: usize = 200;
/// Most actions of a migration in one direction.
const ACTIONS: usize = 100;

pub(super) fn check(namespace: &str, spec: &StageSetSpec, problems: &mut Problems) {
    two_ladders(spec, problems);
    ladder_without_version(spec, problems);
    foreign_ladder(namespace, spec, problems);
    ambiguous_anchors(spec, problems);
    too_many_migrations(spec, problems);
    same_name_twice(spec, problems);
    let anchors: BTreeSet<&str> = spec
        .stages
        .iter()
        .flat_map(|stage| {
            [
                set(stage.migration_anchor.as_ref()),
                Some(stage.name.as_str()),
            ]
        })
        .flatten()
        .collect();
    for (index, migration) in spec.migrations.iter().enumerate() {
        let at = format!("spec.migrations[{index}]");
        incomplete(&at, migration, problems);
        bare_constraint(&at, migration, problems);
        too_many_actions(&at, migration, problems);
        unknown_anchor(&at, migration, &anchors, problems);
    }
}

fn has_ladder(spec: &StageSetSpec) -> bool {
    !spec.migrations.is_empty() || spec.migrations_source_ref.is_some()
}

/// V12: one ladder.
fn two_ladders(spec: &StageSetSpec, problems: &mut Problems) {
    if !spec.migrations.is_empty() && spec.migrations_source_ref.is_some() {
        let message = "spec.migrations and spec.migrationsSourceRef exclude each other; remove one";
        problems.add("V12", "spec.migrations", message);
    }
}

/// V13: migrations lie between versions.
fn ladder_without_version(spec: &StageSetSpec, problems: &mut Problems) {
    if has_ladder(spec) && spec.version.is_none() {
        let field = if spec.migrations.is_empty() {
            "migrationsSourceRef"
        } else {
            "migrations"
        };
        let message = "migrations need spec.version; say where the version comes from";
        problems.add("V13", format!("spec.{field}"), message);
    }
}

/// V14: whatever the flags, a ladder comes from the StageSet's own namespace.
fn foreign_ladder(namespace: &str, spec: &StageSetSpec, problems: &mut Problems) {
    let source = spec.migrations_source_ref.as_ref().map(|m| &m.source_ref);
    let found = source.and_then(|source| set(source.namespace.as_ref()));
    if let Some(found) = found.filter(|found| *found != namespace) {
        let message = format!(
            "spec.migrationsSourceRef must stay in namespace {}, found {}",
            show(namespace),
            show(found)
        );
        problems.add(
            "V14",
            "spec.migrationsSourceRef.sourceRef.namespace",
            message,
        );
    }
}

/// V15: an anchor names one stage.
fn ambiguous_anchors(spec: &StageSetSpec, problems: &mut Problems) {
    if !has_ladder(spec) {
        return;
    }
    // Two stages of one name are V1's.
    let mut owners: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, stage) in spec.stages.iter().enumerate() {
        owners.entry(&stage.name).or_insert(index);
    }
    for (index, stage) in spec.stages.iter().enumerate() {
        let Some(anchor) = set(stage.migration_anchor.as_ref()) else {
            continue;
        };
        if let Some(other) = owners.insert(anchor, index) {
            let message = format!(
                "stage {}: {} also names spec.stages[{other}]; migrations couldn't tell them apart",
                show(&stage.name),
                show(anchor)
            );
            problems.add(
                "V15",
                format!("spec.stages[{index}].migrationAnchor"),
                message,
            );
        }
    }
}

/// V16: the ladder is bounded.
fn too_many_migrations(spec: &StageSetSpec, problems: &mut Problems) {
    let count = spec.migrations.len();
    if count > MIGRATIONS {
        let message = format!("{count} migrations; at most {MIGRATIONS} are allowed");
        problems.add("V16", "spec.migrations", message);
    }
}

fn who(at: &str, migration: &Migration) -> String {
    if migration.name.is_empty() {
        format!("migration without a name ({at})")
    } else {
        format!("migration {}", show(&migration.name))
    }
}

/// V17: name, target and constraint make sense.
fn incomplete(at: &str, migration: &Migration, problems: &mut Problems) {
    let who = who(at, migration);
    if migration.name.is_empty() {
        problems.add(
            "V17",
            format!("{at}.name"),
            format!("{who}: give it a name"),
        );
    }
    if migration.to.is_empty() {
        let message = format!("{who}: say which version it leads to, such as 2.0.0");
        problems.add("V17", format!("{at}.to"), message);
    } else if version(&migration.to).is_none() {
        let message = format!(
            "{who}: {} is not a semantic version such as 2.0.0",
            show(&migration.to)
        );
        problems.add("V17", format!("{at}.to"), message);
    }
    if let Some(from) = set(migration.from.as_ref()).filter(|from| !is_constraint(from)) {
        let message = format!("{who}: {} is not a constraint such as >=1.2.0", show(from));
        problems.add("V17", format!("{at}.from"), message);
    }
}

/// V18: a bare version reads like a floor to some and like an exact match to others.
fn bare_constraint(at: &str, migration: &Migration, problems: &mut Problems) {
    let from = set(migration.from.as_ref()).map(str::trim);
    if let Some(from) = from.filter(|from| version(from).is_some()) {
        let message = format!(
            "{}: {} doesn't say whether later versions count; write {} or {}",
            who(at, migration),
            show(from),
            show(&format!(">={from}")),
            show(&format!("={from}"))
        );
        problems.add("V18", format!("{at}.from"), message);
    }
}

/// V19: a migration is bounded.
fn too_many_actions(at: &str, migration: &Migration, problems: &mut Problems) {
    for (field, actions) in [("actions", &migration.actions), ("down", &migration.down)] {
        let count = actions.len();
        if count > ACTIONS {
            let message = format!(
                "{}: {count} {field}; at most {ACTIONS} are allowed",
                who(at, migration)
            );
            problems.add("V19", format!("{at}.{field}"), message);
        }
    }
}

/// V21: names are keys of the ledger.
fn same_name_twice(spec: &StageSetSpec, problems: &mut Problems) {
    let mut names = BTreeSet::new();
    for (index, migration) in spec.migrations.iter().enumerate() {
        if !migration.name.is_empty() && !names.insert(migration.name.as_str()) {
            let message = format!(
                "migration name {} is taken; give each its own",
                show(&migration.name)
            );
            problems.add("V21", format!("spec.migrations[{index}].name"), message);
        }
    }
}

/// V22: an anchor names a stage.
fn unknown_anchor(
    at: &str,
    migration: &Migration,
    anchors: &BTreeSet<&str>,
    problems: &mut Problems,
) {
    if let Some(anchor) = set(migration.stage.as_ref()).filter(|a| !anchors.contains(a)) {
        let message = format!(
            "{}: {} is neither a stage's name nor its migrationAnchor",
            who(at, migration),
            show(anchor)
        );
        problems.add("V22", format!("{at}.stage"), message);
    }
}
