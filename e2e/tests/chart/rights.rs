//! The rights that each mode grants, rule by rule, compared with the table in `docs/rights.md`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that can't be set up fails"
)]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use stageset_e2e::tools;

use crate::modes::{modes, objects};

/// One line of the table: account, where, what, verbs.
type Line = String;

/// What the bindings among these objects grant, one line a rule and resource.
pub(crate) fn granted(objects: &[Value]) -> BTreeSet<Line> {
    let of_kind = |kind: &'static str| objects.iter().filter(move |object| object["kind"] == kind);
    let key = |object: &Value| {
        (
            text(&object["kind"]),
            text(&object["metadata"]["namespace"]),
            text(&object["metadata"]["name"]),
        )
    };
    let roles: BTreeMap<_, &Value> = of_kind("ClusterRole")
        .chain(of_kind("Role"))
        .map(|role| (key(role), role))
        .collect();
    let mut lines = BTreeSet::new();
    for binding in of_kind("ClusterRoleBinding").chain(of_kind("RoleBinding")) {
        let namespace = text(&binding["metadata"]["namespace"]);
        let place = if namespace.is_empty() {
            "cluster"
        } else {
            &namespace
        };
        let role = &binding["roleRef"];
        let (kind, name) = (text(&role["kind"]), text(&role["name"]));
        let of = if kind == "Role" {
            namespace.clone()
        } else {
            String::new()
        };
        for subject in binding["subjects"].as_array().unwrap() {
            assert_eq!(subject["kind"], "ServiceAccount", "{binding}");
            let account = format!("{}/{}", text(&subject["namespace"]), text(&subject["name"]));
            match roles.get(&(kind.clone(), of.clone(), name.clone())) {
                Some(role) => {
                    for rule in role["rules"].as_array().unwrap() {
                        lines.extend(rule_lines(&account, place, rule));
                    }
                }
                // A built-in role.
                None => {
                    lines.insert(format!("{account} {place} {kind}={name}"));
                }
            }
        }
    }
    // Aggregated into a built-in role: nobody's binding is ours.
    for role in of_kind("ClusterRole") {
        let labels = role["metadata"]["labels"].as_object().unwrap();
        for label in labels
            .keys()
            .filter(|label| label.contains("/aggregate-to-"))
        {
            let (_, to) = label.split_once("/aggregate-to-").unwrap();
            for rule in role["rules"].as_array().unwrap() {
                lines.extend(rule_lines(&format!("role:{to}"), "cluster", rule));
            }
        }
    }
    lines
}

fn rule_lines(account: &str, place: &str, rule: &Value) -> Vec<Line> {
    let words = |field: &str| -> Vec<String> {
        let list = rule[field].as_array().cloned().unwrap_or_default();
        list.iter().map(text).collect()
    };
    let known = ["apiGroups", "resources", "resourceNames", "verbs"];
    for field in rule.as_object().unwrap().keys() {
        assert!(known.contains(&field.as_str()), "{field} of {rule}");
    }
    let (verbs, names) = (words("verbs").join(","), words("resourceNames").join(","));
    let named = if names.is_empty() {
        names
    } else {
        format!("[{names}]")
    };
    let mut lines = Vec::new();
    for group in words("apiGroups") {
        for resource in words("resources") {
            let group = if group.is_empty() { "core" } else { &group };
            lines.push(format!(
                "{account} {place} {group}/{resource}{named} {verbs}"
            ));
        }
    }
    lines
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The table of the page: a heading for each mode, a block of lines below it.
fn written() -> BTreeMap<String, BTreeSet<Line>> {
    let page = std::fs::read_to_string(tools::repository_root().join("docs/rights.md")).unwrap();
    let mut modes: BTreeMap<String, BTreeSet<Line>> = BTreeMap::new();
    let (mut mode, mut inside) = (String::new(), false);
    for line in page.lines() {
        match line.strip_prefix("## ") {
            Some(heading) => mode = heading.trim_matches('`').to_owned(),
            None if line == "```rights" => inside = true,
            None if line == "```" => inside = false,
            None if inside => {
                let words: Vec<&str> = line.split_whitespace().collect();
                modes
                    .entry(mode.clone())
                    .or_default()
                    .insert(words.join(" "));
            }
            None => {}
        }
    }
    modes
}

#[test]
fn every_mode_grants_what_the_table_says_and_nothing_else() {
    let written = written();
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for mode in modes() {
        seen.insert(mode.name.to_owned());
        let granted = granted(&objects(&mode.release));
        let table = written.get(mode.name).cloned().unwrap_or_default();
        for line in granted.difference(&table) {
            wrong.push(format!(
                "{}: granted and not in the table: {line}",
                mode.name
            ));
        }
        for line in table.difference(&granted) {
            wrong.push(format!(
                "{}: in the table and not granted: {line}",
                mode.name
            ));
        }
    }
    let strange: Vec<_> = written
        .keys()
        .filter(|mode| !seen.contains(*mode))
        .collect();
    assert!(
        strange.is_empty(),
        "modes of the table that nobody renders: {strange:?}"
    );
    assert!(wrong.is_empty(), "docs/rights.md:\n{}", wrong.join("\n"));
}

/// S5: no star, and no write on anything but its own records, events, leases and its own webhook.
/// Independent of the table, so that nobody writes a hole into both.
#[test]
fn s05_the_controller_writes_no_workload_and_holds_no_star() {
    let own = [
        "stages.metio.wtf/",
        "core/events ",
        "events.k8s.io/events ",
        "coordination.k8s.io/leases",
        "admissionregistration.k8s.io/validatingwebhookconfigurations[stageset-controller.",
    ];
    for mode in modes() {
        for line in granted(&objects(&mode.release)) {
            if mode.name == "clusterAdmin" && line.ends_with("ClusterRole=cluster-admin") {
                continue;
            }
            assert!(
                !line.contains('*') && !line.contains("cluster-admin"),
                "{}: {line}",
                mode.name
            );
            let words: Vec<&str> = line.split(' ').collect();
            let (what, verbs) = (words[2], words[3]);
            for verb in verbs.split(',') {
                let reads = ["get", "list", "watch"].contains(&verb);
                let acts_as = verb == "impersonate" && what == "core/serviceaccounts"
                    || verb == "impersonate:serviceaccount"
                        && what == "authentication.k8s.io/serviceaccounts"
                    || verb.starts_with("impersonate-on:serviceaccount:");
                let of_ours = own.iter().any(|own| format!("{what} ").starts_with(own));
                assert!(reads || acts_as || of_ours, "{}: {line}", mode.name);
                assert!(
                    what != "core/secrets" || verb == "get",
                    "S30: Secrets are read by name only: {}: {line}",
                    mode.name
                );
            }
        }
    }
}

/// S12: the binding to cluster-admin comes with the value and only with it.
#[test]
fn s11_s12_cluster_admin_is_bound_by_its_value_alone() {
    for mode in modes() {
        let bound = granted(&objects(&mode.release))
            .iter()
            .any(|line| line.contains("ClusterRole=cluster-admin"));
        assert_eq!(bound, mode.name == "clusterAdmin", "{}", mode.name);
    }
}

/// S20, S22: with a list, what belongs to tenants is granted in these namespaces and nowhere else.
#[test]
fn s20_s22_rights_on_tenants_end_at_the_list() {
    for mode in modes()
        .iter()
        .filter(|mode| mode.name.contains("watchNamespaces"))
    {
        for line in granted(&objects(&mode.release)) {
            let words: Vec<&str> = line.split(' ').collect();
            let everywhere = words[1] == "cluster";
            let harmless = [
                "core/namespaces",
                "apiextensions.k8s.io/customresourcedefinitions",
            ];
            assert!(
                !everywhere
                    || harmless.contains(&words[2])
                    || words[2].starts_with("admissionregistration.k8s.io/"),
                "{}: {line}",
                mode.name
            );
        }
    }
}

/// S2: in every way of installing, the controller acts for tenants by impersonation and makes no
/// tokens.
#[test]
fn s02_tenants_are_impersonated_and_no_token_is_made() {
    for mode in modes() {
        let granted = granted(&objects(&mode.release));
        assert!(
            !granted
                .iter()
                .any(|line| line.contains("serviceaccounts/token")),
            "{}",
            mode.name
        );
        assert!(
            granted.iter().any(|line| line.contains("impersonate")),
            "{}: {granted:#?}",
            mode.name
        );
    }
}

/// S13: the command of the user's document, with the same arguments: its name, its namespace, its
/// value.
#[test]
fn s13_the_install_command_renders_a_cluster_admin() {
    let chart = stageset_e2e::chart::folder().join("Chart.yaml");
    let chart = std::fs::read_to_string(chart).unwrap();
    assert!(
        chart
            .lines()
            .any(|line| line == "name: stageset-controller")
    );
    let release = stageset_e2e::chart::Release::new(
        "stageset-controller",
        "stageset-system",
        &["rbac.clusterAdmin=true"],
    );
    let text = release.render(&[]).unwrap();
    assert!(text.contains("- --single-tenant\n"));
    let granted = granted(&objects(&release));
    assert!(
        granted.contains("stageset-system/stageset-controller cluster ClusterRole=cluster-admin"),
        "{granted:#?}"
    );
}
