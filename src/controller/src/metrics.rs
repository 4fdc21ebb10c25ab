//! What the controller counts, under the names that dashboards and alerts know (`surface.md` §1.3).
//!
//! A series belongs to a StageSet or to none; [`Metrics::forget`] drops all series of a deleted one,
//! so that a label set never outlives its object. Counters are exposed with the suffix `_total`,
//! which the encoder adds.

mod labels;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use self::labels::{
    Names, OfController, OfKind, OfOutcome, OfRequest, OfScope, OfStage, OfStageSet,
    OfStageSetStage, Outcome, StageSetCalledSo,
};
use crate::queue::Key;

/// Value of the label `controller`: what the reference implementation's runtime calls this loop.
const CONTROLLER: &str = "stageset";

/// Upper bounds in seconds, those of controller-runtime, so that quantiles stay comparable.
const PASS_SECONDS: [f64; 35] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9,
    1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 30.0, 60.0,
];

/// Which series a StageSet has.
#[derive(Debug, Default)]
struct Owned {
    reasons: Names,
    stages: Names,
    scopes: Names,
}

/// All metrics. Cheap to clone; clones share the numbers.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    owned: Arc<Mutex<BTreeMap<Key, Owned>>>,
    reconcile: Family<Outcome, Counter>,
    stage_applied: Family<OfStage, Counter>,
    drift_corrected: Family<OfStage, Counter>,
    watch_engagement_failures: Family<OfKind, Counter>,
    teardown_force_drop: Family<Outcome, Counter>,
    inventory_skipped_entries: Family<OfStageSetStage, Counter>,
    stage_ready: Family<OfStageSetStage, Gauge>,
    action_runs: Family<OfScope, Counter>,
    ledger_adoptions: Family<OfStageSet, Counter>,
    ledger_anchor_errors: Family<OfStageSet, Counter>,
    requests: Family<OfRequest, Counter>,
    webhook_requests: Family<OfOutcome, Counter>,
    webhook_renewal_failures: Counter,
    tenant_watches: Gauge,
    handled_elsewhere: Gauge,
    leader: Gauge,
    queue_depth: Gauge,
    pass_seconds: Histogram,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// A fresh set, all at zero.
    pub fn new() -> Self {
        let mut registry = Registry::default();
        let reconcile = Family::default();
        registry.register(
            "stageset_reconcile",
            "Passes over a StageSet by the reason of its Ready condition",
            reconcile.clone(),
        );
        let stage_applied = Family::default();
        registry.register(
            "stageset_stage_applied",
            "Stages completed",
            stage_applied.clone(),
        );
        let drift_corrected = Family::default();
        registry.register(
            "stageset_drift_corrected",
            "Objects changed back at an unchanged revision",
            drift_corrected.clone(),
        );
        let watch_engagement_failures = Family::default();
        registry.register(
            "stageset_watch_engagement_failures",
            "Watches that could not be started or were lost, by kind",
            watch_engagement_failures.clone(),
        );
        let teardown_force_drop = Family::default();
        registry.register(
            "stageset_teardown_force_drop",
            "Finalizers removed although objects remained",
            teardown_force_drop.clone(),
        );
        let inventory_skipped_entries = Family::default();
        registry.register(
            "stageset_inventory_skipped_entries",
            "Inventory entries that could not be read",
            inventory_skipped_entries.clone(),
        );
        let stage_ready = Family::default();
        registry.register(
            "stageset_stage_ready",
            "1 while the stage's phase is Ready, else 0",
            stage_ready.clone(),
        );
        let action_runs = Family::default();
        registry.register(
            "stageset_action_runs",
            "Actions before and after stages that were begun, by scope",
            action_runs.clone(),
        );
        let ledger_adoptions = Family::default();
        registry.register(
            "stageset_ledger_adoptions",
            "Ledgers of an earlier StageSet of the same name that were taken over",
            ledger_adoptions.clone(),
        );
        let ledger_anchor_errors = Family::default();
        registry.register(
            "stageset_ledger_anchor_errors",
            "Completion anchors that could not be read",
            ledger_anchor_errors.clone(),
        );
        let requests = Family::default();
        registry.register(
            "stageset_api_requests",
            "Requests to API servers by verb and by whose rights they used",
            requests.clone(),
        );
        let webhook_requests = Family::default();
        registry.register(
            "stageset_webhook_requests",
            "Requests to the validating webhook: allowed, denied, or failed (no verdict)",
            webhook_requests.clone(),
        );
        let webhook_renewal_failures = Counter::default();
        registry.register(
            "stageset_webhook_cert_renewal_failures",
            "Failures to make, publish or load the webhook's certificate",
            webhook_renewal_failures.clone(),
        );
        let handled_elsewhere = Gauge::default();
        registry.register(
            "stageset_handled_elsewhere",
            "StageSets in sight that another release of the controller handles",
            handled_elsewhere.clone(),
        );
        let tenant_watches = Gauge::default();
        registry.register(
            "stageset_tenant_watches",
            "Metadata watches held as tenants",
            tenant_watches.clone(),
        );
        let leader = Gauge::default();
        registry.register(
            "stageset_leader",
            "1 while this replica reconciles, else 0",
            leader.clone(),
        );
        let of_controller = || OfController {
            controller: CONTROLLER,
        };
        let depth = Family::<OfController, Gauge>::default();
        registry.register(
            "workqueue_depth",
            "StageSets that are due and not running",
            depth.clone(),
        );
        let queue_depth = depth.get_or_create_owned(&of_controller());
        let seconds = Family::<OfController, Histogram>::new_with_constructor(|| {
            Histogram::new(PASS_SECONDS.iter().copied())
        });
        registry.register(
            "controller_runtime_reconcile_time_seconds",
            "Length of a pass",
            seconds.clone(),
        );
        let pass_seconds = seconds.get_or_create_owned(&of_controller());
        Self {
            registry: Arc::new(registry),
            owned: Arc::default(),
            reconcile,
            stage_applied,
            drift_corrected,
            watch_engagement_failures,
            teardown_force_drop,
            inventory_skipped_entries,
            stage_ready,
            action_runs,
            ledger_adoptions,
            ledger_anchor_errors,
            requests,
            webhook_requests,
            webhook_renewal_failures,
            tenant_watches,
            handled_elsewhere,
            leader,
            queue_depth,
            pass_seconds,
        }
    }

    /// A pass has ended with this reason of the Ready condition.
    pub fn passed(&self, key: &Key, reason: &str, took: Duration) {
        let reason = self.own(key, |owned| owned.reasons.share(reason));
        self.reconcile.get_or_create(&outcome(key, &reason)).inc();
        self.pass_seconds.observe(took.as_secs_f64());
    }

    /// A stage was completed for a run.
    pub fn stage_applied(&self, key: &Key, stage: &str) {
        let stage = self.own(key, |owned| owned.stages.share(stage));
        self.stage_applied
            .get_or_create(&of_stage(key, &stage))
            .inc();
    }

    /// So many objects of a stage were changed back.
    pub fn drift_corrected(&self, key: &Key, stage: &str, objects: u64) {
        let stage = self.own(key, |owned| owned.stages.share(stage));
        self.drift_corrected
            .get_or_create(&of_stage(key, &stage))
            .inc_by(objects);
    }

    /// An action before or after a stage was begun.
    pub fn action_ran(&self, key: &Key, scope: &str) {
        let scope = self.own(key, |owned| owned.scopes.share(scope));
        self.action_runs.get_or_create(&of_scope(key, &scope)).inc();
    }

    /// The ledger of an earlier StageSet of this name was taken over.
    pub fn ledger_adopted(&self, key: &Key) {
        self.own(key, |_| ());
        self.ledger_adoptions.get_or_create(&of(key)).inc();
    }

    /// A completion anchor could not be read.
    pub fn anchor_unreadable(&self, key: &Key) {
        self.own(key, |_| ());
        self.ledger_anchor_errors.get_or_create(&of(key)).inc();
    }

    /// A watch on this kind could not be started or was lost.
    pub fn watch_engagement_failed(&self, gvk: &str) {
        self.watch_engagement_failures
            .get_or_create(&OfKind {
                gvk: gvk.to_owned(),
            })
            .inc();
    }

    /// A finalizer was removed although objects remained: `timed_out`, `permanent` or
    /// `unauthorized`.
    pub fn teardown_forced(&self, key: &Key, reason: &str) {
        let reason = self.own(key, |owned| owned.reasons.share(reason));
        self.teardown_force_drop
            .get_or_create(&outcome(key, &reason))
            .inc();
    }

    /// So many entries of a stage's inventory could not be read.
    pub fn inventory_entries_skipped(&self, key: &Key, stage: &str, entries: u64) {
        let stage = self.own(key, |owned| owned.stages.share(stage));
        self.inventory_skipped_entries
            .get_or_create(&of_stage_set(key, &stage))
            .inc_by(entries);
    }

    /// The stages as the status has them now; gauges of stages that are gone are dropped.
    pub fn stages<'a>(&self, key: &Key, stages: impl IntoIterator<Item = (&'a str, bool)>) {
        let mut present = BTreeSet::new();
        for (stage, ready) in stages {
            present.insert(stage);
            let stage = self.own(key, |owned| owned.stages.share(stage));
            self.stage_ready
                .get_or_create(&of_stage_set(key, &stage))
                .set(i64::from(ready));
        }
        let gone = self.own(key, |owned| {
            owned.stages.take_unless(|stage| present.contains(stage))
        });
        for stage in gone {
            self.drop_stage(key, &stage);
        }
    }

    /// The StageSet is gone: none of its series stays.
    pub fn forget(&self, key: &Key) {
        let owned = self
            .owned
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(key);
        let Some(owned) = owned else { return };
        for reason in owned.reasons.iter() {
            self.reconcile.remove(&outcome(key, reason));
            self.teardown_force_drop.remove(&outcome(key, reason));
        }
        for stage in owned.stages.iter() {
            self.drop_stage(key, stage);
        }
        for scope in owned.scopes.iter() {
            self.action_runs.remove(&of_scope(key, scope));
        }
        self.ledger_adoptions.remove(&of(key));
        self.ledger_anchor_errors.remove(&of(key));
    }

    /// A request went to an API server: its verb, and whose rights it used (`controller`, `tenant`).
    pub fn requested(&self, verb: &'static str, plane: &'static str) {
        self.requests
            .get_or_create(&OfRequest { verb, plane })
            .inc();
    }

    /// The webhook has answered: `allowed`, `denied` or `failed`.
    pub fn webhook_answered(&self, outcome: &'static str) {
        self.webhook_requests
            .get_or_create(&OfOutcome { outcome })
            .inc();
    }

    /// The webhook's certificate could not be made, published or loaded.
    pub fn webhook_renewal_failed(&self) {
        self.webhook_renewal_failures.inc();
    }

    /// How many StageSets are due and not running.
    pub fn queue_depth(&self, depth: usize) {
        self.queue_depth
            .set(i64::try_from(depth).unwrap_or(i64::MAX));
    }

    /// How many watches are held as tenants.
    pub fn tenant_watches(&self, count: usize) {
        self.tenant_watches
            .set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// How many StageSets another release handles (K24).
    pub fn handled_elsewhere(&self, count: usize) {
        self.handled_elsewhere
            .set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Whether this replica reconciles.
    pub fn leader(&self, leads: bool) {
        self.leader.set(i64::from(leads));
    }

    /// All of it in the text format, `OpenMetrics` 1.0.
    pub fn expose(&self) -> String {
        let mut text = String::new();
        // Writing to a String can't fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }

    fn own<R>(&self, key: &Key, change: impl FnOnce(&mut Owned) -> R) -> R {
        let mut owned = self.owned.lock().unwrap_or_else(PoisonError::into_inner);
        change(owned.entry(key.clone()).or_default())
    }

    fn drop_stage(&self, key: &Key, stage: &Arc<str>) {
        self.stage_applied.remove(&of_stage(key, stage));
        self.drift_corrected.remove(&of_stage(key, stage));
        self.inventory_skipped_entries
            .remove(&of_stage_set(key, stage));
        self.stage_ready.remove(&of_stage_set(key, stage));
    }
}

fn outcome(key: &Key, reason: &Arc<str>) -> Outcome {
    Outcome {
        of: of(key),
        reason: Arc::clone(reason),
    }
}

fn of(key: &Key) -> OfStageSet {
    OfStageSet(key.clone())
}

fn of_scope(key: &Key, scope: &Arc<str>) -> OfScope {
    OfScope {
        of: of(key),
        scope: Arc::clone(scope),
    }
}

fn of_stage(key: &Key, stage: &Arc<str>) -> OfStage {
    OfStage {
        of: of(key),
        stage: Arc::clone(stage),
    }
}

fn of_stage_set(key: &Key, stage: &Arc<str>) -> OfStageSetStage {
    OfStageSetStage {
        of: StageSetCalledSo(key.clone()),
        stage: Arc::clone(stage),
    }
}

#[cfg(test)]
mod tests;
