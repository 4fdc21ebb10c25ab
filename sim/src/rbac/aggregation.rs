//! Cluster roles whose rules are those of other cluster roles, chosen by label.

use std::{collections::BTreeSet, sync::Arc};

use serde_json::{Value, json};

use super::{GROUP, rule::Rule};
use crate::{kinds::StoreKey, object, selector::LabelSelector, server::Server, store::Change};

/// Whether a change of a cluster role can change the rules of an aggregated one: it is one, or one
/// chooses it, or chose it.
pub(crate) fn concerns(server: &Server, change: &Change) -> bool {
    let states = || {
        [Some(&change.object), change.previous.as_ref()]
            .into_iter()
            .flatten()
    };
    if states().any(|role| role.get("aggregationRule").is_some()) {
        return true;
    }
    let table = StoreKey::new(GROUP, "clusterroles");
    let mut roles = server.store.list(&table, "");
    roles.any(|(_, role)| {
        let selectors = selectors(role).unwrap_or_default();
        states().any(|role| selectors.iter().any(|chosen| chosen.matches(role)))
    })
}

/// What a cluster role chooses others by, if it is aggregated.
fn selectors(role: &Value) -> Option<Vec<LabelSelector>> {
    let selectors = role.pointer("/aggregationRule/clusterRoleSelectors")?;
    let selectors = selectors.as_array()?.iter();
    Some(selectors.filter_map(LabelSelector::from_object).collect())
}

/// Recomputes the rules of every aggregated cluster role.
pub(crate) fn aggregate(server: &mut Server) {
    let table = StoreKey::new(GROUP, "clusterroles");
    let all: Vec<Arc<Value>> = server
        .store
        .list(&table, "")
        .map(|(_, v)| Arc::clone(v))
        .collect();
    let Some(resource) = server.registry.any_version(GROUP, "clusterroles") else {
        return;
    };
    for role in &all {
        let Some(selectors) = selectors(role) else {
            continue;
        };
        let mut seen = BTreeSet::new();
        let mut rules = Vec::new();
        for source in &all {
            let chosen = object::name(source) != object::name(role)
                && selectors.iter().any(|s| s.matches(source));
            if !chosen {
                continue;
            }
            for rule in Rule::read_all(source) {
                if seen.insert(rule.clone()) {
                    rules.push(rule.to_value());
                }
            }
        }
        if Rule::read_all(role)
            .iter()
            .map(Rule::to_value)
            .collect::<Vec<_>>()
            != rules
        {
            let name = object::name(role).to_owned();
            server.control(
                &resource,
                &name,
                "clusterrole-aggregation-controller",
                "",
                |role| {
                    object::members(role).insert("rules".into(), json!(rules));
                },
            );
        }
    }
}
