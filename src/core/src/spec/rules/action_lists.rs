//! Actions in their lists: names, verbs, scopes, anchors.

use std::collections::BTreeMap;

use stageset_api::choice::{Choice, allowed};
use stageset_api::stageset::{Scope, StageSetSpec};

use super::super::problems::{Problems, SCHEMA, show};
use super::actions::{Found, Place, VERBS, all};

/// Most retries of an action in a migration; elsewhere the schema allows 100.
const MIGRATION_RETRIES: i32 = 10;
const RETRIES: i32 = 100;

pub(super) fn check(spec: &StageSetSpec, problems: &mut Problems) {
    let found = all(spec);
    for action in &found {
        match action.place {
            Place::Stage { phase, .. } => {
                not_one_verb("V3", action, problems);
                no_name("V4", action, problems);
                unknown_scope(action, problems);
                if phase == "onFailure" {
                    scope_on_failure(action, problems);
                }
                version_scope_without_version(action, spec, problems);
                anchor_without_lifetime(action, problems);
                incomplete_anchor(action, problems);
                retries(SCHEMA, RETRIES, action, problems);
            }
            Place::OnRollback => {
                not_one_verb("V11", action, problems);
                no_name("V11", action, problems);
                scope_or_anchor("V11", action, problems);
                retries(SCHEMA, RETRIES, action, problems);
            }
            Place::Migration { .. } => {
                not_one_verb("V20", action, problems);
                no_name("V20", action, problems);
                scope_or_anchor("V20", action, problems);
                retries("V20", MIGRATION_RETRIES, action, problems);
            }
        }
    }
    same_name_twice(&found, problems);
}

/// V3, V11, V20: an action does exactly one thing.
fn not_one_verb(rule: &'static str, found: &Found<'_>, problems: &mut Problems) {
    let verbs = found.verbs();
    if verbs.len() != 1 {
        let list = if verbs.is_empty() {
            String::new()
        } else {
            format!(" ({})", verbs.join(", "))
        };
        let message = format!(
            "{} sets {} verbs{list}; exactly one of {VERBS} is needed",
            found.who(),
            verbs.len()
        );
        problems.add(rule, found.field(), message);
    }
}

/// V4, V11, V20: the name is the key under which completion is recorded.
fn no_name(rule: &'static str, found: &Found<'_>, problems: &mut Problems) {
    if found.action.name.is_empty() {
        let message = format!("{}: give the action a name", found.who());
        problems.add(rule, format!("{}.name", found.field()), message);
    }
}

/// V5, V11, V20: a name twice among the actions of a stage, of onRollback, of a direction.
fn same_name_twice(found: &[Found<'_>], problems: &mut Problems) {
    let mut first: BTreeMap<(u8, usize, &str, &str), &Found<'_>> = BTreeMap::new();
    for action in found.iter().filter(|f| !f.action.name.is_empty()) {
        let name = action.action.name.as_str();
        let (rule, key) = match action.place {
            Place::Stage { index, .. } => ("V5", (0, index, "", name)),
            Place::OnRollback => ("V11", (1, 0, "", name)),
            Place::Migration {
                index, direction, ..
            } => ("V20", (2, index, direction, name)),
        };
        let Some(other) = first.get(&key) else {
            first.insert(key, action);
            continue;
        };
        let message = format!(
            "{}: the name is taken by {} ({}); each needs its own",
            action.who(),
            other.field(),
            list_of(other)
        );
        problems.add(rule, format!("{}.name", action.field()), message);
    }
}

fn list_of(found: &Found<'_>) -> &'static str {
    match found.place {
        Place::Stage { phase, .. } => phase,
        Place::OnRollback => "onRollback",
        Place::Migration { direction, .. } => direction,
    }
}

/// V6: a scope that doesn't exist.
fn unknown_scope(found: &Found<'_>, problems: &mut Problems) {
    if let Some(Choice::Unknown(scope)) = &found.action.scope {
        let message = format!(
            "{}: scope {} is none of {}",
            found.who(),
            show(scope),
            allowed::<Scope>()
        );
        problems.add("V6", format!("{}.scope", found.field()), message);
    }
}

/// V7: what follows a failure runs once a revision, whatever the scope.
fn scope_on_failure(found: &Found<'_>, problems: &mut Problems) {
    if found.action.scope.is_some() {
        let message = format!(
            "{}: onFailure actions have no scope; remove it",
            found.who()
        );
        problems.add("V7", format!("{}.scope", found.field()), message);
    }
}

/// V8: without versions nothing runs once a version.
fn version_scope_without_version(found: &Found<'_>, spec: &StageSetSpec, problems: &mut Problems) {
    if found.action.scope == Some(Choice::Known(Scope::Version)) && spec.version.is_none() {
        let message = format!("{}: scope Version needs spec.version", found.who());
        problems.add("V8", format!("{}.scope", found.field()), message);
    }
}

/// V9: only Lifetime completions are tied to a witness.
fn anchor_without_lifetime(found: &Found<'_>, problems: &mut Problems) {
    let lifetime = found.action.scope == Some(Choice::Known(Scope::Lifetime));
    if found.action.completion_anchor.is_some() && !lifetime {
        let message = format!("{}: completionAnchor needs scope Lifetime", found.who());
        problems.add("V9", format!("{}.completionAnchor", found.field()), message);
    }
}

/// V10: a witness is one object.
fn incomplete_anchor(found: &Found<'_>, problems: &mut Problems) {
    let Some(anchor) = &found.action.completion_anchor else {
        return;
    };
    for (name, text) in [
        ("apiVersion", &anchor.api_version),
        ("kind", &anchor.kind),
        ("name", &anchor.name),
    ] {
        if text.is_empty() {
            let message = format!("{}: completionAnchor needs {name}", found.who());
            problems.add(
                "V10",
                format!("{}.completionAnchor.{name}", found.field()),
                message,
            );
        }
    }
}

/// V11, V20: neither rollbacks nor migrations have a scope of their own.
fn scope_or_anchor(rule: &'static str, found: &Found<'_>, problems: &mut Problems) {
    let action = found.action;
    for (name, set) in [
        ("scope", action.scope.is_some()),
        ("completionAnchor", action.completion_anchor.is_some()),
    ] {
        if set {
            let message = format!("{}: {name} has no meaning here; remove it", found.who());
            problems.add(rule, format!("{}.{name}", found.field()), message);
        }
    }
}

/// V20, and the schema's range elsewhere.
fn retries(rule: &'static str, most: i32, found: &Found<'_>, problems: &mut Problems) {
    if let Some(retries) = found.action.retries.filter(|r| !(0..=most).contains(r)) {
        let message = format!(
            "{}: {retries} retries; 0 to {most} are allowed",
            found.who()
        );
        problems.add(rule, format!("{}.retries", found.field()), message);
    }
}
