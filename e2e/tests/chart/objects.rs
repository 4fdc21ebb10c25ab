//! What holds for the objects of every mode, and between releases.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use stageset_e2e::chart::Release;

use crate::modes::{label, modes, objects};

/// S21: however two releases are named, no cluster-scoped object of one is the other's, and no
/// namespaced one where they share a namespace.
#[test]
fn s21_no_two_releases_share_an_object() {
    let releases = [
        ("a", "x"),
        ("a-x", "y"),
        ("a", "x-y"),
        ("x", "a"),
        ("x.y", "a"),
        ("stageset-controller", "x"),
        ("stageset-controller", "y"),
        ("my-stageset-controller", "x"),
        ("b", "x"),
    ];
    let all = "controller.watchNamespaces={team}";
    let mut owners: BTreeMap<String, (&str, &str)> = BTreeMap::new();
    for (name, namespace) in releases {
        for object in objects(&Release::new(name, namespace, &[all])) {
            // A Role of the team's namespace is as much a meeting place as the cluster is.
            if let Some(other) = owners.insert(label(&object), (name, namespace)) {
                panic!(
                    "{} is of {other:?} and {:?}",
                    label(&object),
                    (name, namespace)
                );
            }
        }
    }
}

/// The controller's Services, budget and policy never select a cleanup pod.
#[test]
fn selectors_select_the_controllers_pods_alone() {
    for mode in modes() {
        let objects = objects(&mode.release);
        let pod = |kind: &str| {
            let found = objects.iter().find(|object| object["kind"] == kind);
            found.map(|object| object["spec"]["template"]["metadata"]["labels"].clone())
        };
        let controller = pod("Deployment").unwrap();
        let selectors = objects.iter().filter_map(|object| {
            let selector = match object["kind"].as_str().unwrap() {
                "Service" => &object["spec"]["selector"],
                "Deployment" | "PodDisruptionBudget" => &object["spec"]["selector"]["matchLabels"],
                "NetworkPolicy" => &object["spec"]["podSelector"]["matchLabels"],
                _ => return None,
            };
            Some((label(object), selector.as_object().unwrap()))
        });
        for (owner, selector) in selectors {
            let selects =
                |labels: &Value| selector.iter().all(|(key, value)| labels[key] == *value);
            assert!(
                !selector.is_empty() && selects(&controller),
                "{}: {owner}",
                mode.name
            );
            if let Some(cleanup) = pod("Job") {
                assert!(
                    !selects(&cleanup),
                    "{}: {owner} selects the cleanup",
                    mode.name
                );
            }
        }
    }
}

/// Every pod would be taken by a namespace at the level `restricted`.
#[test]
fn pods_are_restricted() {
    for mode in modes() {
        for object in objects(&mode.release) {
            let Some(pod) = object["spec"]["template"]["spec"].as_object() else {
                continue;
            };
            let security = &pod["securityContext"];
            assert_eq!(security["runAsNonRoot"], true, "{}", label(&object));
            assert_eq!(security["seccompProfile"]["type"], "RuntimeDefault");
            for container in pod["containers"].as_array().unwrap() {
                let security = &container["securityContext"];
                assert_eq!(security["allowPrivilegeEscalation"], false);
                assert_eq!(security["readOnlyRootFilesystem"], true);
                assert_eq!(security["capabilities"]["drop"][0], "ALL");
                assert!(container["resources"]["limits"]["memory"].is_string());
            }
        }
    }
}

/// A release for some namespaces judges the StageSets of these alone.
#[test]
fn a_scoped_release_judges_its_own_namespaces() {
    for (values, selected) in [
        (&[][..], BTreeSet::new()),
        (
            &["controller.watchNamespaces={a,b}"][..],
            BTreeSet::from(["a", "b"]),
        ),
        (
            &[
                "controller.watchNamespaces={a,b}",
                "webhook.namespaceSelector.matchExpressions[0].key=team",
                "webhook.namespaceSelector.matchExpressions[0].operator=Exists",
            ][..],
            BTreeSet::from(["a", "b"]),
        ),
    ] {
        let objects = objects(&Release::new("r", "n", values));
        let configuration = objects
            .iter()
            .find(|object| object["kind"] == "ValidatingWebhookConfiguration")
            .unwrap();
        let selector = &configuration["webhooks"][0]["namespaceSelector"]["matchExpressions"];
        let names = selector
            .as_array()
            .into_iter()
            .flatten()
            .find_map(|expression| {
                (expression["key"] == "kubernetes.io/metadata.name").then(|| {
                    assert_eq!(expression["operator"], "In");
                    let values = expression["values"].as_array().unwrap();
                    values
                        .iter()
                        .map(|value| value.as_str().unwrap())
                        .collect::<BTreeSet<_>>()
                })
            });
        assert_eq!(names.unwrap_or_default(), selected);
        if values.len() > 1 {
            assert_eq!(
                selector.as_array().unwrap().len(),
                2,
                "the user's own selector stays"
            );
        }
    }
}

/// What helm removes at the end: everything but the CRDs, which say so.
#[test]
fn only_the_crds_outlive_the_release() {
    let release = Release::new("stageset-controller", "stageset-system", &[]);
    let text = release.render(&[]).unwrap();
    assert!(!text.contains("resource-policy: keep\n") || text.contains("CustomResourceDefinition"));
    for object in objects(&release) {
        let policy = &object["metadata"]["annotations"]["helm.sh/resource-policy"];
        assert!(policy.is_null(), "{}", label(&object));
    }
    let definitions = text.matches("\nkind: CustomResourceDefinition\n").count();
    assert_eq!(
        text.matches("helm.sh/resource-policy: keep").count(),
        definitions
    );
    assert!(definitions >= 3);
}
