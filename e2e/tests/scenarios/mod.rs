//! The scenarios, one file for each promise.

mod actions;
mod admission;
mod bad_artifacts;
mod bad_specs;
mod behaviours;
mod chart_rights;
mod deletion;
mod denials;
mod external_artifact;
mod git_release;
mod interference;
mod killed;
mod leader;
mod leaving;
mod missing_right;
mod modes;
mod no_account;
mod objects;
mod only_edit;
mod references;
mod remote_cluster;
mod side_by_side;
mod webhook;
mod wrong_kubeconfigs;

use anyhow::Result;

use crate::world::World;

/// One scenario.
#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&World) -> Result<()>,
    /// Whether it needs the controller for itself.
    pub(crate) alone: bool,
    /// Whether it can only run on the control plane that this process started.
    pub(crate) local_only: bool,
}

const fn shared(name: &'static str, run: fn(&World) -> Result<()>) -> Scenario {
    Scenario {
        name,
        run,
        alone: false,
        local_only: false,
    }
}

const fn alone(name: &'static str, run: fn(&World) -> Result<()>) -> Scenario {
    Scenario {
        name,
        run,
        alone: true,
        local_only: false,
    }
}

const fn local(name: &'static str, run: fn(&World) -> Result<()>) -> Scenario {
    Scenario {
        name,
        run,
        alone: false,
        local_only: true,
    }
}

const fn alone_and_local(name: &'static str, run: fn(&World) -> Result<()>) -> Scenario {
    Scenario {
        name,
        run,
        alone: true,
        local_only: true,
    }
}

/// All of them, the longest first.
pub(crate) const SCENARIOS: &[Scenario] = &[
    local(
        "s23_s24_s25_s26_s27_s29_s30_remote_cluster",
        remote_cluster::run,
    ),
    shared("s03_s07_missing_right", missing_right::run),
    shared("s03_s04_only_edit", only_edit::run),
    local("git_release", git_release::run),
    shared("s17_external_artifact", external_artifact::run),
    shared("s06_s08_no_account", no_account::run),
    shared("unreachable_server", bad_artifacts::unreachable_server),
    shared("wrong_digest", bad_artifacts::wrong_digest),
    shared("hostile_path_in_tar", bad_artifacts::hostile_path_in_tar),
    shared(
        "yaml_that_does_not_parse",
        bad_artifacts::yaml_that_does_not_parse,
    ),
    shared("object_without_name", bad_artifacts::object_without_name),
    shared("unknown_kind", bad_artifacts::unknown_kind),
    shared("foreign_namespace", bad_artifacts::foreign_namespace),
    shared("remote_kustomization", bad_artifacts::remote_kustomization),
    shared("action_of_every_verb", actions::all_verbs),
    local("action_with_failing_job", actions::failing_job),
    shared("action_refused", actions::refused_actions),
    shared("action_deleted_in_a_pause", actions::deleted_in_a_pause),
    shared(
        "account_without_any_binding",
        denials::account_without_any_binding,
    ),
    shared("escalation_prevented", denials::escalation_prevented),
    shared("quota_exceeded", denials::quota_exceeded),
    shared("object_denied_by_admission", objects::denied_by_admission),
    local("object_denied_by_a_webhook", admission::denied_by_a_webhook),
    shared("object_of_a_second_manager", objects::second_manager),
    shared("object_and_its_definition", objects::definition_and_object),
    shared(
        "dependency_across_namespaces",
        behaviours::dependency_across_namespaces,
    ),
    shared("immutable_field", behaviours::immutable_field),
    shared(
        "taken_over_from_kubectl",
        behaviours::taken_over_from_kubectl,
    ),
    shared("ready_check", behaviours::ready_check),
    shared("missing_source", bad_specs::missing_source),
    shared(
        "two_stages_claim_one_object",
        bad_specs::two_stages_claim_one_object,
    ),
    shared("five_rules_at_once", bad_specs::five_rules_at_once),
    shared(
        "account_that_does_not_exist",
        bad_specs::account_that_does_not_exist,
    ),
    shared("s10_s30_unsupported_field", bad_specs::unsupported_field),
    shared(
        "s09_account_of_somebody_else",
        bad_specs::account_of_somebody_else,
    ),
    shared("s28_config_map_ref", bad_specs::config_map_ref),
    shared("edited_in_mid_run", interference::edited_in_mid_run),
    shared(
        "status_written_by_somebody_else",
        interference::status_written_by_somebody_else,
    ),
    shared(
        "object_of_another_stage_set",
        interference::object_of_another_stage_set,
    ),
    shared("s10_deletion_while_waiting", deletion::while_waiting),
    shared("s02_s05_chart_rights", chart_rights::run),
    local("webhook", webhook::run),
    alone("leader_hands_over", leader::run),
    alone_and_local("constrained_impersonation", modes::constrained),
    alone_and_local("s18_s19_s20_s22_watch_namespaces", modes::watch_namespaces),
    alone_and_local("s11_s12_s14_s15_s16_cluster_admin", modes::cluster_admin),
    alone_and_local("s21_three_releases", side_by_side::three),
    alone_and_local("s21_overlapping_releases", side_by_side::overlapping),
    alone_and_local("k24_namespaces_leave_a_list", leaving::run),
    alone_and_local("s31_s32_s33_isolation_flag", references::isolated),
    alone_and_local("checked_references", references::checked),
    alone("killed_ten_times", killed::run),
];
