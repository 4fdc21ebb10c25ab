//! Every flag of the controller has its place in the chart.

use std::collections::BTreeSet;

use stageset_controller::flags;
use stageset_e2e::tools;

/// Flags without a value, and why.
const WITHOUT: &[(&str, &str)] = &[
    ("webhook-host", "a pod listens on every address"),
    (
        "webhook-service-namespace",
        "the release's own, which is the default",
    ),
];

#[test]
fn every_flag_has_its_place_in_the_deployment() {
    let template =
        tools::repository_root().join("charts/stageset-controller/templates/deployment.yaml");
    let template = std::fs::read_to_string(template).unwrap();
    let set: BTreeSet<&str> = template
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- --"))
        .map(|flag| flag.split('=').next().unwrap_or(flag))
        .collect();
    let known: BTreeSet<String> = flags::names().collect();
    for (name, why) in WITHOUT {
        assert!(
            known.contains(*name),
            "--{name} ({why}) is no flag any more"
        );
    }
    let without: BTreeSet<&str> = WITHOUT.iter().map(|(name, _)| *name).collect();
    for name in &known {
        assert!(
            set.contains(name.as_str()) != without.contains(name.as_str()),
            "--{name}: give it a value in the chart (values.yaml, values.schema.json, \
             templates/deployment.yaml), or a reason here"
        );
    }
    for name in set {
        assert!(
            known.contains(name),
            "the chart sets --{name}, which the controller doesn't know"
        );
    }
}
