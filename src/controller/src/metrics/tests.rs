//! Names, types and labels, and that no series stays behind.

use super::*;

fn sorted(metrics: &Metrics) -> Vec<String> {
    let mut lines: Vec<_> = metrics
        .expose()
        .lines()
        .filter(|line| !line.contains("_bucket{") && !line.starts_with("# HELP"))
        .map(str::to_owned)
        .collect();
    lines.sort();
    lines
}

#[test]
fn names_types_and_labels_are_what_dashboards_know() {
    let metrics = Metrics::new();
    let key = Key::new("payments", "shop");
    metrics.passed(&key, "Succeeded", Duration::from_millis(30));
    metrics.stage_applied(&key, "app");
    metrics.drift_corrected(&key, "app", 2);
    metrics.watch_engagement_failed("source.toolkit.fluxcd.io/v1 Bucket");
    metrics.teardown_forced(&key, "timed_out");
    metrics.inventory_entries_skipped(&key, "app", 1);
    metrics.stages(&key, [("app", true), ("web", false)]);
    metrics.action_ran(&key, "Revision");
    metrics.action_ran(&key, "Lifetime");
    metrics.ledger_adopted(&key);
    metrics.anchor_unreadable(&key);
    metrics.requested("get", "tenant");
    metrics.queue_depth(3);
    metrics.tenant_watches(4);
    metrics.leader(true);
    metrics.webhook_answered("denied");
    metrics.webhook_renewal_failed();
    let expected = "\
# EOF
# TYPE controller_runtime_reconcile_time_seconds histogram
# TYPE stageset_action_runs counter
# TYPE stageset_api_requests counter
# TYPE stageset_drift_corrected counter
# TYPE stageset_handled_elsewhere gauge
# TYPE stageset_inventory_skipped_entries counter
# TYPE stageset_leader gauge
# TYPE stageset_ledger_adoptions counter
# TYPE stageset_ledger_anchor_errors counter
# TYPE stageset_reconcile counter
# TYPE stageset_stage_applied counter
# TYPE stageset_stage_ready gauge
# TYPE stageset_teardown_force_drop counter
# TYPE stageset_tenant_watches gauge
# TYPE stageset_watch_engagement_failures counter
# TYPE stageset_webhook_cert_renewal_failures counter
# TYPE stageset_webhook_requests counter
# TYPE workqueue_depth gauge
controller_runtime_reconcile_time_seconds_count{controller=\"stageset\"} 1
controller_runtime_reconcile_time_seconds_sum{controller=\"stageset\"} 0.03
stageset_action_runs_total{namespace=\"payments\",name=\"shop\",scope=\"Lifetime\"} 1
stageset_action_runs_total{namespace=\"payments\",name=\"shop\",scope=\"Revision\"} 1
stageset_api_requests_total{verb=\"get\",plane=\"tenant\"} 1
stageset_drift_corrected_total{namespace=\"payments\",name=\"shop\",stage=\"app\"} 2
stageset_handled_elsewhere 0
stageset_inventory_skipped_entries_total{namespace=\"payments\",stageset=\"shop\",stage=\"app\"} 1
stageset_leader 1
stageset_ledger_adoptions_total{namespace=\"payments\",name=\"shop\"} 1
stageset_ledger_anchor_errors_total{namespace=\"payments\",name=\"shop\"} 1
stageset_reconcile_total{namespace=\"payments\",name=\"shop\",reason=\"Succeeded\"} 1
stageset_stage_applied_total{namespace=\"payments\",name=\"shop\",stage=\"app\"} 1
stageset_stage_ready{namespace=\"payments\",stageset=\"shop\",stage=\"app\"} 1
stageset_stage_ready{namespace=\"payments\",stageset=\"shop\",stage=\"web\"} 0
stageset_teardown_force_drop_total{namespace=\"payments\",name=\"shop\",reason=\"timed_out\"} 1
stageset_tenant_watches 4
stageset_watch_engagement_failures_total{gvk=\"source.toolkit.fluxcd.io/v1 Bucket\"} 1
stageset_webhook_cert_renewal_failures_total 1
stageset_webhook_requests_total{outcome=\"denied\"} 1
workqueue_depth{controller=\"stageset\"} 3";
    assert_eq!(sorted(&metrics).join("\n"), expected);
}

#[test]
fn no_series_outlives_its_stage_set_or_stage() {
    let metrics = Metrics::new();
    let key = Key::new("payments", "shop");
    metrics.passed(&key, "StageFailed", Duration::ZERO);
    metrics.stages(&key, [("app", true), ("web", false)]);
    metrics.stage_applied(&key, "web");
    metrics.stages(&key, [("app", true)]);
    let gone = r#"stage="web""#;
    assert!(!metrics.expose().contains(gone), "{}", metrics.expose());
    metrics.teardown_forced(&key, "timed_out");
    metrics.action_ran(&key, "Lifetime");
    metrics.ledger_adopted(&key);
    metrics.anchor_unreadable(&key);
    metrics.drift_corrected(&key, "app", 1);
    metrics.inventory_entries_skipped(&key, "app", 1);
    metrics.forget(&key);
    assert!(!metrics.expose().contains("shop"), "{}", metrics.expose());
}
