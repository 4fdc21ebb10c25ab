//! What may differ between the two although neither is wrong: each with its reason, and each counted.

use serde_json::Value;
use stageset_e2e::answers::Answer;

/// Why a difference isn't one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Excluded {
    /// A definition is on its way in or out.
    DefinitionUnderWay,
    /// A definition that is watched.
    Definition,
    /// A watch that begins too far back.
    Forgotten,
}

impl Excluded {
    /// Whether a watch isn't followed, and why.
    pub(crate) fn watch(path: &str) -> Option<Self> {
        let definitions = path.ends_with("/customresourcedefinitions");
        definitions.then_some(Self::Definition)
    }

    /// Whether a watch isn't followed beyond an event, and why.
    pub(crate) fn event(simulated: &Value) -> Option<Self> {
        let forgotten = simulated["type"] == "ERROR" && simulated["object"]["code"] == 410;
        forgotten.then_some(Self::Forgotten)
    }

    /// The reason.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::DefinitionUnderWay => {
                "asked about a definition, or the kind it defines, between its creation or deletion and \
                 the end of that: the real server gets there when it likes"
            }
            Self::Definition => {
                "a watch of definitions: the real server says in several writes that one is established"
            }
            Self::Forgotten => {
                "a watch that begins at what the simulated server is told to have forgotten: the real one \
                 forgets after five minutes"
            }
        }
    }
}

/// Resources of the core group that the simulated server doesn't have; its users' rights never name
/// them.
const UNMODELLED: [&str; 2] = ["bindings", "componentstatuses"];

/// What the repair loop for the addresses of Services says that it does.
const REPAIR: &str = "ClusterIPAllocation";

/// Makes equal what tells the two apart in every answer, and nothing else:
///
/// - the order of managed fields. Servers keep the entries in the order of the seconds in which they
///   were written, and what takes minutes in the run takes one second here;
/// - in discovery the order of resources (that of a Go map), the hash of a storage version (it tells
///   clients whether that changed, and nothing else), and what is named in [`UNMODELLED`];
/// - the order of the rules that a review lists, which is that of a cache;
/// - in lists of events those of the real server's own repair loop, which now and then looks at a Service
///   before it has heard that its address is taken ([`REPAIR`]).
///
/// Times, the text of uids, and addresses are made equal before, as the conformance suite does.
pub(crate) fn equalise(answer: &mut Answer) {
    order(&mut answer.body);
    match answer.body["kind"].as_str() {
        Some("APIResourceList") => order_resources(&mut answer.body),
        Some("SelfSubjectRulesReview") => order_rules(&mut answer.body["status"]),
        Some("EventList") => {
            if let Some(events) = answer.body["items"].as_array_mut() {
                events.retain(|event| event["action"] != REPAIR);
            }
        }
        _ => {}
    }
}

fn order_rules(status: &mut Value) {
    for list in ["resourceRules", "nonResourceRules"] {
        if let Some(rules) = status.get_mut(list).and_then(Value::as_array_mut) {
            rules.sort_by_key(Value::to_string);
        }
    }
}

fn order_resources(list: &mut Value) {
    let core = list["groupVersion"] == "v1";
    let Some(resources) = list["resources"].as_array_mut() else {
        return;
    };
    let named = |resource: &Value| resource["name"].as_str().unwrap_or_default().to_owned();
    resources.retain(|resource| !core || !UNMODELLED.contains(&named(resource).as_str()));
    for resource in resources.iter_mut().filter_map(Value::as_object_mut) {
        resource.remove("storageVersionHash");
    }
    resources.sort_by_key(named);
}

fn order(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::Array(entries)) = fields.get_mut("managedFields") {
                let text = |entry: &Value, field: &str| entry[field].as_str().map(str::to_owned);
                entries.sort_by_key(|entry| {
                    ["operation", "manager", "apiVersion", "subresource"]
                        .map(|field| text(entry, field))
                });
            }
            fields.values_mut().for_each(order);
        }
        Value::Array(items) => items.iter_mut().for_each(order),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_managed_fields_are_ordered() {
        let mut answer = Answer {
            code: 200,
            body: json!({ "items": [{ "managedFields": [{ "manager": "b" }, { "manager": "a" }] }],
                          "finalizers": ["b", "a"] }),
        };
        equalise(&mut answer);
        let wanted = json!({ "items": [{ "managedFields": [{ "manager": "a" }, { "manager": "b" }] }],
                             "finalizers": ["b", "a"] });
        assert_eq!(answer.body, wanted);
    }

    #[test]
    fn discovery_is_ordered_and_a_missing_resource_is_still_seen() {
        let list = |resources: Value| Answer {
            code: 200,
            body: json!({ "kind": "APIResourceList", "groupVersion": "v1", "resources": resources }),
        };
        let mut real = list(json!([
            { "name": "pods", "storageVersionHash": "x" }, { "name": "bindings" }, { "name": "nodes" },
        ]));
        let mut simulated = list(json!([{ "name": "nodes" }, { "name": "pods" }]));
        let mut less = list(json!([{ "name": "nodes" }]));
        for answer in [&mut real, &mut simulated, &mut less] {
            equalise(answer);
        }
        assert_eq!(real, simulated);
        assert_ne!(real, less);
    }

    #[test]
    fn of_events_only_those_of_the_repair_loop_are_left_out() {
        let list = |actions: &[&str]| Answer {
            code: 200,
            body: json!({ "kind": "EventList",
                          "items": actions.iter().map(|action| json!({ "action": action })).collect::<Vec<_>>() }),
        };
        let (mut one, other) = (
            list(&["Reconcile", "ClusterIPAllocation"]),
            list(&["Reconcile"]),
        );
        equalise(&mut one);
        assert_eq!(one, other);
    }

    #[test]
    fn rules_are_ordered_and_a_missing_one_is_still_seen() {
        let review = |rules: Value| Answer {
            code: 201,
            body: json!({ "kind": "SelfSubjectRulesReview", "status": { "resourceRules": rules } }),
        };
        let mut one = review(json!([{ "verbs": ["get"] }, { "verbs": ["list"] }]));
        let mut other = review(json!([{ "verbs": ["list"] }, { "verbs": ["get"] }]));
        let mut less = review(json!([{ "verbs": ["list"] }]));
        for answer in [&mut one, &mut other, &mut less] {
            equalise(answer);
        }
        assert_eq!(one, other);
        assert_ne!(one, less);
    }
}
