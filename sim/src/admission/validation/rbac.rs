//! Validation of roles and bindings.

use serde_json::{Value, json};

use super::{at, list};
use crate::{admission::names, rbac::GROUP, status::Cause};

/// Everything wrong with the rules of a role.
pub(super) fn role(new: &Value, namespaced: bool) -> Vec<Cause> {
    let mut causes = Vec::new();
    for (i, rule) in list(new, "rules").iter().enumerate() {
        let at = |field: &str| format!("rules[{i}].{field}");
        let empty = |field: &str| list(rule, field).is_empty();
        if empty("verbs") {
            causes.push(Cause::required(at("verbs"), ""));
        }
        if !empty("nonResourceURLs") {
            let urls = &rule["nonResourceURLs"];
            let mut refuse = |what| causes.push(Cause::invalid(at("nonResourceURLs"), urls, what));
            if namespaced {
                refuse("namespaced rules cannot apply to non-resource URLs");
            }
            if !(empty("apiGroups") && empty("resources") && empty("resourceNames")) {
                refuse("rules cannot apply to both regular resources and non-resource URLs");
            }
            continue;
        }
        if empty("apiGroups") {
            let what = "resource rules must supply at least one api group";
            causes.push(Cause::required(at("apiGroups"), what));
        }
        if empty("resources") {
            let what = "resource rules must supply at least one resource";
            causes.push(Cause::required(at("resources"), what));
        }
    }
    if new.get("aggregationRule").is_some_and(Value::is_object) {
        let selectors = list(&new["aggregationRule"], "clusterRoleSelectors");
        if selectors.is_empty() {
            let what = "at least one clusterRoleSelector required if aggregationRule is non-nil";
            let field = "aggregationRule.clusterRoleSelectors";
            causes.push(Cause::required(field, what));
        }
        for (i, selector) in selectors.iter().enumerate() {
            let path = format!("aggregationRule.clusterRoleSelectors[{i}]");
            super::selector(&path, selector, &mut causes);
        }
    }
    causes
}

/// Everything wrong with a binding.
pub(super) fn binding(new: &Value, namespaced: bool) -> Vec<Cause> {
    let mut causes = Vec::new();
    let reference = |field: &str| {
        at(new, &format!("roleRef.{field}"))
            .as_str()
            .unwrap_or_default()
    };
    let group = reference("apiGroup");
    if group != GROUP {
        let known = [GROUP.to_owned()];
        causes.push(Cause::unsupported(
            "roleRef.apiGroup",
            &json!(group),
            &known,
        ));
    }
    let known: &[&str] = if namespaced {
        &["Role", "ClusterRole"]
    } else {
        &["ClusterRole"]
    };
    let kind = reference("kind");
    if !known.contains(&kind) {
        let known: Vec<String> = known.iter().map(|k| (*k).to_owned()).collect();
        causes.push(Cause::unsupported("roleRef.kind", &json!(kind), &known));
    }
    let name = reference("name");
    if name.is_empty() {
        causes.push(Cause::required("roleRef.name", ""));
    } else {
        for problem in names::path_segment(name) {
            causes.push(Cause::invalid("roleRef.name", &json!(name), &problem));
        }
    }
    for (i, subject) in list(new, "subjects").iter().enumerate() {
        causes.extend(self::subject(subject, i, namespaced));
    }
    causes
}

fn subject(subject: &Value, i: usize, namespaced: bool) -> Vec<Cause> {
    let mut causes = Vec::new();
    let at = |field: &str| format!("subjects[{i}].{field}");
    let text = |field: &str| {
        subject
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    if text("name").is_empty() {
        causes.push(Cause::required(at("name"), ""));
    }
    let group = json!(text("apiGroup"));
    match text("kind") {
        "ServiceAccount" => {
            if !text("name").is_empty() {
                for problem in names::subdomain(text("name")) {
                    causes.push(Cause::invalid(at("name"), &json!(text("name")), &problem));
                }
            }
            if group != "" {
                let known = [String::new()];
                causes.push(Cause::unsupported(at("apiGroup"), &group, &known));
            }
            if !namespaced && text("namespace").is_empty() {
                causes.push(Cause::required(at("namespace"), ""));
            }
        }
        "User" | "Group" => {
            if group != GROUP {
                let known = [GROUP.to_owned()];
                causes.push(Cause::unsupported(at("apiGroup"), &group, &known));
            }
        }
        other => {
            let known = ["ServiceAccount", "User", "Group"].map(str::to_owned);
            causes.push(Cause::unsupported(at("kind"), &json!(other), &known));
        }
    }
    causes
}
