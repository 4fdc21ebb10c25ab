//! Random configurations of webhooks that ask only about one namespace: the real server is shared.

use serde_json::{Value, json};

use super::endpoint::Endpoint;
use super::verdicts::{CHANGES, CONDITIONS, DENIALS, DENY, FAULTS, MISCHANGES};
use crate::random::Random;

/// Nobody listens on the first port.
const DEAD: &str = "https://127.0.0.1:1";

/// The group, the version and the plural of each kind that is written.
pub(crate) const RESOURCES: [(&str, &str, &str); 5] = [
    ("", "v1", "configmaps"),
    ("", "v1", "secrets"),
    ("", "v1", "services"),
    ("apps", "v1", "deployments"),
    ("conformance.example.com", "v1", "widgets"),
];

/// What a configuration can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    Mutating,
    Validating,
}

impl Sort {
    pub(crate) const ALL: [Self; 2] = [Self::Mutating, Self::Validating];

    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::Mutating => "MutatingWebhookConfiguration",
            Self::Validating => "ValidatingWebhookConfiguration",
        }
    }

    pub(crate) fn collection(self) -> &'static str {
        match self {
            Self::Mutating => "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
            Self::Validating => {
                "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
            }
        }
    }

    /// Where the names of its webhooks begin.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::Mutating => "m",
            Self::Validating => "v",
        }
    }
}

/// Makes the configurations of one round.
pub(crate) struct Configurator<'a> {
    pub(crate) endpoint: &'a Endpoint,
    pub(crate) namespace: &'a str,
    pub(crate) random: Random,
    /// Kinds that no validating webhook refuses yet: they are called at the same time, so that which
    /// of two refuses is a matter of luck.
    unrefused: Vec<(&'static str, &'static str, &'static str)>,
    /// The paths that something answers at.
    pub(crate) paths: Vec<String>,
}

impl<'a> Configurator<'a> {
    pub(crate) fn new(endpoint: &'a Endpoint, namespace: &'a str, random: Random) -> Self {
        Self {
            endpoint,
            namespace,
            random,
            unrefused: RESOURCES.to_vec(),
            paths: Vec::new(),
        }
    }

    /// A configuration with some webhooks.
    pub(crate) fn configuration(&mut self, sort: Sort, name: &str) -> Value {
        let count = 2 + self.random.below(3);
        let hooks: Vec<Value> = (0..count)
            .map(|at| self.webhook(sort, &format!("{}{at}.{name}.example.com", sort.prefix())))
            .collect();
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": sort.kind(),
            "metadata": {"name": format!("{}-{name}", self.namespace)}, "webhooks": hooks,
        })
    }

    fn webhook(&mut self, sort: Sort, name: &str) -> Value {
        let policy = self.random.pick(&["Fail", "Fail", "Ignore", ""]);
        let (behaviour, may_refuse) = self.behaviour(sort, policy == "Ignore");
        let rules = if may_refuse && sort == Sort::Validating {
            self.refusing_rules()
        } else {
            let count = 1 + self.random.below(2);
            (0..count).map(|_| self.rule()).collect()
        };
        let random = &mut self.random;
        let mut hook = json!({
            "name": name, "rules": rules, "admissionReviewVersions": random.pick(&[
                &["v1"][..], &["v1", "v1beta1"], &["v2", "v1"],
            ]),
            "sideEffects": random.pick(&["None", "NoneOnDryRun"]),
            "namespaceSelector": self.namespace_selector(),
        });
        let random = &mut self.random;
        if let Some(selector) = object_selector(random) {
            hook["objectSelector"] = selector;
        }
        if random.percent(50) {
            // Nothing here is slow, but the machine may be.
            hook["timeoutSeconds"] = json!(random.pick(&[20, 29, 30]));
        }
        if random.percent(50) {
            hook["matchPolicy"] = json!(random.pick(&["Exact", "Equivalent"]));
        }
        if sort == Sort::Mutating && random.percent(60) {
            hook["reinvocationPolicy"] = json!(random.pick(&["Never", "IfNeeded", "IfNeeded"]));
        }
        if !policy.is_empty() {
            hook["failurePolicy"] = json!(policy);
        }
        hook["clientConfig"] = self.client(&behaviour, name);
        hook
    }

    /// What a webhook does, and whether a request may fail for it.
    fn behaviour(&mut self, sort: Sort, ignored: bool) -> (String, bool) {
        let random = &mut self.random;
        let roll = random.below(100);
        let (behaviour, may_refuse) = match sort {
            Sort::Mutating if roll < 50 => (random.pick(&CHANGES), false),
            Sort::Mutating if roll < 60 => (random.pick(&MISCHANGES), true),
            Sort::Validating if roll < 5 => ("label", !ignored),
            _ if roll < 70 => (DENY, true),
            _ if roll < 85 => (random.pick(&FAULTS), !ignored),
            _ if roll < 93 => ("nobody", !ignored),
            _ => ("allow", false),
        };
        (behaviour.to_owned(), may_refuse)
    }

    fn client(&mut self, behaviour: &str, name: &str) -> Value {
        // What fails always leaves nothing to compare.
        let condition = match behaviour {
            "nobody" => return self.nobody(),
            "allow" | "label" | "annotate" | "data" | "append" => "always",
            _ if self.random.percent(5) => "always",
            _ => self.random.pick(&CONDITIONS),
        };
        let detail = self.random.below(DENIALS);
        let path = format!("/{behaviour}/{condition}/{detail}/{name}");
        let url = self.endpoint.url(&path);
        self.paths.push(path);
        json!({ "url": url, "caBundle": self.endpoint.authority })
    }

    /// A client configuration that leads nowhere.
    fn nobody(&mut self) -> Value {
        let random = &mut self.random;
        let mut service = json!({ "namespace": self.namespace, "name": "nobody" });
        match random.below(4) {
            0 | 1 => return json!({ "url": format!("{DEAD}/{}", random.pick(&["", "a", "a/b"])) }),
            2 => service["path"] = json!("/admit"),
            _ => service["port"] = json!(8443),
        }
        json!({ "service": service })
    }

    /// Rules about a few kinds that no other one refuses; none when all are.
    fn refusing_rules(&mut self) -> Vec<Value> {
        let count = 1 + self.random.below(2);
        let mut rules = Vec::new();
        for _ in 0..count.min(self.unrefused.len()) {
            let at = self.random.below(self.unrefused.len());
            let (group, version, plural) = self.unrefused.swap_remove(at);
            let all = format!("{plural}/*");
            let status = format!("{plural}/status");
            let resources = one_of(
                &mut self.random,
                &[
                    vec![plural],
                    vec![plural, &status],
                    vec![&all],
                    vec![&status],
                ],
            );
            rules.push(json!({
                "operations": operations(&mut self.random), "apiGroups": [group],
                "apiVersions": [version], "resources": resources,
            }));
        }
        rules
    }

    /// Any rule. What is in no namespace falls under none: selectors of namespaces don't keep
    /// webhooks from it.
    fn rule(&mut self) -> Value {
        let random = &mut self.random;
        let (group, version, plural) = random.pick(&RESOURCES);
        let groups = one_of(
            random,
            &[
                vec![group],
                vec![group],
                vec!["*"],
                vec!["*"],
                vec!["", "apps"],
                vec!["other.example.com"],
            ],
        );
        let known = [vec![version], vec!["*"], vec!["v1", "v2"]];
        let versions = if random.percent(5) {
            vec!["v2"]
        } else {
            one_of(random, &known)
        };
        let (one, all, status) = (plural, format!("{plural}/*"), format!("{plural}/status"));
        let resources = one_of(
            random,
            &[
                vec![one],
                vec![one, &status],
                vec![&all],
                vec![&status],
                vec!["*"],
                vec!["*"],
                vec!["*/*"],
                vec!["*/status"],
                vec!["configmaps", "services", "deployments/*"],
            ],
        );
        let wide = groups.contains(&"*") || resources.iter().any(|one| one.starts_with('*'));
        let scopes = ["Namespaced", "", "*", "Cluster"];
        let scope = if wide {
            "Namespaced"
        } else {
            random.pick(&scopes)
        };
        let mut rule = json!({
            "operations": operations(random), "apiGroups": groups, "apiVersions": versions,
            "resources": resources,
        });
        if !scope.is_empty() {
            rule["scope"] = json!(scope);
        }
        rule
    }

    fn namespace_selector(&mut self) -> Value {
        let own = "kubernetes.io/metadata.name";
        let random = &mut self.random;
        let mut selector = if random.percent(70) {
            json!({ "matchLabels": {own: self.namespace} })
        } else {
            json!({ "matchExpressions": [
                {"key": own, "operator": "In", "values": ["nobody", self.namespace]},
            ] })
        };
        if random.percent(30) {
            let more = random.pick(&[
                ("team", "In", &["a", "b"][..]),
                ("team", "NotIn", &["a"]),
                ("team", "Exists", &[]),
                ("team", "DoesNotExist", &[]),
                ("none", "NotIn", &["a"]),
                ("none", "DoesNotExist", &[]),
            ]);
            let (key, operator, values) = more;
            let mut expression = json!({ "key": key, "operator": operator });
            if !values.is_empty() {
                expression["values"] = json!(values);
            }
            let before = selector["matchExpressions"].as_array().cloned();
            let mut all = before.unwrap_or_default();
            all.push(expression);
            selector["matchExpressions"] = json!(all);
        }
        selector
    }
}

fn one_of<T: Clone>(random: &mut Random, of: &[T]) -> T {
    of[random.below(of.len())].clone()
}

fn operations(random: &mut Random) -> Vec<&'static str> {
    if random.percent(50) {
        return vec!["*"];
    }
    random.few(&["CREATE", "UPDATE", "DELETE", "CONNECT"])
}

fn object_selector(random: &mut Random) -> Option<Value> {
    Some(match random.below(9) {
        0 => json!({}),
        1 => json!({ "matchLabels": {"a": "1"} }),
        2 => json!({ "matchExpressions": [{"key": "a", "operator": "In", "values": ["1", "2"]}] }),
        3 => json!({ "matchExpressions": [{"key": "b", "operator": "DoesNotExist"}] }),
        4 => json!({ "matchLabels": {"b": "1"},
                     "matchExpressions": [{"key": "a", "operator": "Exists"}] }),
        _ => return None,
    })
}
