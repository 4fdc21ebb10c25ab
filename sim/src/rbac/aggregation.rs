//! Cluster roles whose rules are those of other cluster roles, chosen by label.

use std::{collections::BTreeSet, sync::Arc};

use serde_json::{Value, json};

use super::{GROUP, rule::Rule};
use crate::{kinds::StoreKey, object, selector::LabelSelector, server::Server};

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
        let selectors = role.pointer("/aggregationRule/clusterRoleSelectors");
        let Some(selectors) = selectors.and_then(Value::as_array) else {
            continue;
        };
        let selectors: Vec<LabelSelector> = selectors
            .iter()
            .filter_map(LabelSelector::from_object)
            .collect();
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
