//! The rights that the default chart grants, as the API server sees them: impersonate and read, no
//! write on workloads. The chart's own tests compare every mode's rules with a table.

use anyhow::{Result, ensure};
use stageset_e2e::chart;

use crate::world::World;

pub(crate) fn run(world: &World) -> Result<()> {
    let kubectl = world.kubectl();
    for (verb, resource, expected) in [
        ("impersonate", "serviceaccounts", true),
        ("get", "secrets", true),
        ("list", "secrets", false),
        ("watch", "secrets", false),
        ("impersonate", "users", false),
        ("impersonate", "groups", false),
        ("create", "deployments.apps", false),
        ("patch", "configmaps", false),
        ("delete", "pods", false),
        ("create", "serviceaccounts/token", false),
        ("list", "pods", false),
        ("get", "configmaps", false),
    ] {
        let answer = kubectl
            .run(&["auth", "can-i", verb, resource, "-A", "--as", chart::USER])
            .unwrap_or_else(|error| error.to_string());
        ensure!(
            answer.lines().any(|line| line.trim() == "yes") == expected,
            "{verb} {resource}: expected {expected}, the API server says {answer}"
        );
    }
    Ok(())
}
