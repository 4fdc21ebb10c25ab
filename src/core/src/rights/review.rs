//! The answer to a `SelfSubjectRulesReview`.

use serde_json::Value;

use super::Right;

/// One rule: any of the verbs on any of the resources of any of the groups.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Rule {
    /// Verbs; `*` = all.
    pub verbs: Vec<String>,
    /// API groups; `*` = all.
    pub groups: Vec<String>,
    /// Resources; `*` = all.
    pub resources: Vec<String>,
    /// Names; none = all.
    pub names: Vec<String>,
}

/// What an account may do in a namespace, and with cluster-scoped objects.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Rules {
    /// All rules.
    pub rules: Vec<Rule>,
    /// There is nothing else that it may do. Not so where an authorizer can't list its rules.
    pub complete: bool,
}

impl Rules {
    /// Reads a review's answer; a part that can't be read makes it incomplete.
    pub fn read(review: &Value) -> Self {
        let status = &review["status"];
        let rules = status["resourceRules"].as_array();
        let texts = |rule: &Value, field: &str| -> Vec<String> {
            let items = rule[field].as_array().into_iter().flatten();
            items
                .filter_map(|item| item.as_str().map(str::to_owned))
                .collect()
        };
        Self {
            rules: rules
                .into_iter()
                .flatten()
                .map(|rule| Rule {
                    verbs: texts(rule, "verbs"),
                    groups: texts(rule, "apiGroups"),
                    resources: texts(rule, "resources"),
                    names: texts(rule, "resourceNames"),
                })
                .collect(),
            complete: status["incomplete"] == false && rules.is_some(),
        }
    }

    /// Whether a rule allows it.
    pub fn allow(&self, right: &Right) -> bool {
        self.rules.iter().any(|rule| rule.allows(right))
    }

    /// Whether nothing is allowed but what the server's default roles allow every ServiceAccount:
    /// asking about itself (`system:basic-user`) and reading `ClusterTrustBundles`
    /// (`system:cluster-trust-bundle-discovery`, Kubernetes 1.37 on).
    pub fn are_nobodys(&self) -> bool {
        self.rules.iter().all(Rule::is_everybodys)
    }
}

impl Rule {
    fn is_everybodys(&self) -> bool {
        let all = |list: &[String], allowed: &[&str]| {
            list.iter().all(|item| allowed.contains(&item.as_str()))
        };
        all(
            &self.groups,
            &["authorization.k8s.io", "authentication.k8s.io"],
        ) || all(&self.groups, &["certificates.k8s.io"])
            && all(&self.resources, &["clustertrustbundles"])
            && all(&self.verbs, &["get", "list", "watch"])
    }

    fn allows(&self, right: &Right) -> bool {
        let has = |list: &[String], wanted: &str| {
            list.iter().any(|found| found == "*" || found == wanted)
        };
        // The group first: nearly every rule has one, and most have another.
        has(&self.groups, &right.group)
            && has(&self.resources, &right.resource)
            && has(&self.verbs, right.verb.as_str())
            && (self.names.is_empty() || self.names.contains(&right.name))
    }
}
