//! Which webhooks a request falls under: rules, and selectors of namespaces and objects.

use serde_json::Value;

use super::{Asked, Operation, text};
use crate::{
    kinds::{Resource, StoreKey},
    object,
    selector::LabelSelector,
    server::Server,
};

const GROUP: &str = "admissionregistration.k8s.io";

/// One webhook of a configuration.
#[derive(Clone, Debug)]
pub(super) struct Hook {
    /// Its own among all.
    pub(super) id: String,
    pub(super) hook: Value,
}

/// All webhooks of a kind of configuration, in the order of the configurations' names. Their own
/// configurations they can't touch.
pub(super) fn hooks(server: &Server, resource: &Resource, plural: &str) -> Vec<Hook> {
    if resource.group == GROUP {
        return Vec::new();
    }
    server
        .store
        .list(&StoreKey::new(GROUP, plural), "")
        .flat_map(|(_, configuration)| {
            let hooks = configuration.get("webhooks").and_then(Value::as_array);
            let hooks = hooks.into_iter().flatten().enumerate();
            hooks.map(|(at, hook)| Hook {
                id: format!("{}/{at}", object::name(configuration)),
                hook: hook.clone(),
            })
        })
        .collect()
}

/// Whether a webhook is to be asked.
pub(super) fn concerns(
    server: &Server,
    hook: &Value,
    asked: Asked<'_>,
    new: Option<&Value>,
) -> bool {
    let rules = hook.get("rules").and_then(Value::as_array);
    let matched = rules.into_iter().flatten().any(|rule| covers(rule, asked));
    matched && namespace_fits(server, hook, asked, new) && object_fits(hook, asked.old, new)
}

fn covers(rule: &Value, asked: Asked<'_>) -> bool {
    let has = |field: &str, wanted: &str| {
        let list = rule.get(field).and_then(Value::as_array);
        list.into_iter()
            .flatten()
            .any(|item| item == "*" || item == wanted)
    };
    let resource = asked.resource;
    let scope = match text(rule, "scope") {
        "Cluster" => !resource.namespaced,
        "Namespaced" => resource.namespaced,
        _ => true,
    };
    let subresource = asked.call.info.subresource.as_str();
    let listed = rule.get("resources").and_then(Value::as_array);
    let resource_fits = listed
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .any(|wanted| {
            let (name, sub) = wanted.split_once('/').unwrap_or((wanted, ""));
            (name == "*" || name == resource.plural) && (sub == "*" || sub == subresource)
        });
    scope
        && has("operations", asked.operation.name())
        && has("apiGroups", &resource.group)
        && has("apiVersions", &resource.version)
        && resource_fits
}

fn namespace_fits(server: &Server, hook: &Value, asked: Asked<'_>, new: Option<&Value>) -> bool {
    let Some(selector) = hook.get("namespaceSelector") else {
        return true;
    };
    let selector = LabelSelector::from_object(selector);
    let fits = |namespace: &Value| selector.as_ref().is_some_and(|s| s.matches(namespace));
    if asked.resource.is("", "namespaces") {
        // A namespace that is written is judged by the labels that it is to have.
        let written =
            asked.operation != Operation::Delete && asked.call.info.subresource.is_empty();
        let namespace = if written { new } else { asked.old };
        return fits(namespace.unwrap_or(&Value::Null));
    }
    if !asked.resource.namespaced {
        return true;
    }
    let name = &asked.call.info.namespace;
    let namespace = server.find(&StoreKey::new("", "namespaces"), "", name);
    fits(namespace.map_or(&Value::Null, |namespace| namespace.as_ref()))
}

fn object_fits(hook: &Value, old: Option<&Value>, new: Option<&Value>) -> bool {
    let selector = hook.get("objectSelector");
    // One that selects everything selects what isn't there as well.
    let everything = |selector: &Value| selector.as_object().is_none_or(serde_json::Map::is_empty);
    if selector.is_none_or(everything) {
        return true;
    }
    let selector = selector.and_then(LabelSelector::from_object);
    let fits = |object: &Value| selector.as_ref().is_some_and(|s| s.matches(object));
    old.is_some_and(fits) || new.is_some_and(fits)
}
