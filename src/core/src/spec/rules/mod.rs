//! The rules of the API contract, each a small function named after what it refuses.
//!
//! They see the spec as it was written, faulty fields read as blank, and don't depend on each
//! other's verdicts: whatever a spec breaks is reported in one go.

mod action_lists;
mod action_verbs;
mod actions;
mod budgets;
mod decryption;
mod dependencies;
mod durations;
mod kube_config;
mod metrics;
mod migrations;
mod names;
pub(super) mod objects;
mod promotion;
mod ready_checks;
mod selectors;
mod semantic_versions;
pub(super) mod sources;
mod stages;
mod timeouts;
mod versions;
mod windows;
mod words;

use stageset_api::stageset::StageSetSpec;

use super::problems::Problems;

/// Checks every rule. The order of calls doesn't matter: problems are sorted by rule.
pub(super) fn check(namespace: &str, name: &str, spec: &StageSetSpec, problems: &mut Problems) {
    names::check(namespace, name, problems);
    words::check(spec, problems);
    stages::check(spec, problems);
    sources::check(spec, problems);
    action_lists::check(spec, problems);
    action_verbs::check(spec, problems);
    versions::check(spec, problems);
    migrations::check(namespace, spec, problems);
    decryption::check(spec, problems);
    kube_config::check(spec, problems);
    budgets::check(spec, problems);
    promotion::check(spec, problems);
    ready_checks::check(spec, problems);
    timeouts::check(spec, problems);
    dependencies::check(spec, problems);
    objects::check(spec, problems);
    windows::check(spec, problems);
    durations::check(spec, problems);
}
