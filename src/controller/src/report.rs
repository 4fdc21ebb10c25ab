//! What is told of what happens: one log line for each change of state, metrics for everything.
//!
//! Operations are logged at debug, as their `Display` names them: objects and fields, never values
//! (I9).

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use stageset_cluster::{End, Observer, Outcome, Pass};
use stageset_core::Lacking;
use stageset_core::few::Few;
use stageset_core::observation::{ControllerRelease, Phase, Question, Status};
use stageset_core::plan::{
    ActionStep, ApplyReason, Need, Operation, Plan, RecordOperation, TenantOperation,
};
use stageset_core::spec::ActionPhase;
use stageset_core::time::Timestamp;
use tracing::{debug, error, info, warn};

use crate::metrics::Metrics;
use crate::queue::Key;

/// Reason of the event that a forced teardown leaves (`api.md` §11).
const TEARDOWN_FORCED: &str = "TeardownForced";
/// Event reason of a ledger that was taken over.
const LEDGER_ADOPTED: &str = "LedgerAdopted";

/// What was last told of a Ready condition. Messages are long and StageSets many, so of the message it is
/// only known whether another one is the same.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Ready {
    status: String,
    reason: String,
    message: u64,
}

impl Ready {
    fn of(status: &str, reason: &str, message: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        message.hash(&mut hasher);
        Self {
            status: status.to_owned(),
            reason: reason.to_owned(),
            message: hasher.finish(),
        }
    }
}

/// What was last told of a StageSet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Told {
    ready: Option<Ready>,
    /// Phase and run of each stage.
    stages: Few<String, (String, Option<String>)>,
    /// Whether it was us who recorded `ready` since this process started.
    ours: bool,
    /// Operations since the last pass ended.
    operations: usize,
    /// Another release of the controller that handles it.
    elsewhere: Option<ControllerRelease>,
}

/// Listens to sessions; passes everything on to another listener.
pub struct Report {
    metrics: Metrics,
    next: Arc<dyn Observer>,
    told: Mutex<BTreeMap<Key, Told>>,
}

impl Report {
    /// Counts in `metrics`, passes on to `next`.
    pub fn new(metrics: Metrics, next: Arc<dyn Observer>) -> Self {
        Self {
            metrics,
            next,
            told: Mutex::default(),
        }
    }

    /// A StageSet as the cluster has it: what it says was told by an earlier process.
    pub fn seen(&self, key: &Key, object: &Value) {
        self.with(key, |told| {
            if told.ready.is_none() {
                told.ready = ready_of(object);
                told.stages = stages_of(object);
                let stages = told
                    .stages
                    .iter()
                    .map(|(name, (phase, _))| (&**name, phase == "Ready"));
                self.metrics.stages(key, stages);
            }
        });
    }

    /// Whether the Ready condition in the cluster isn't the one that we recorded.
    pub fn disagrees(&self, key: &Key, object: &Value) -> bool {
        self.with(key, |told| told.ours && ready_of(object) != told.ready)
    }

    /// Whether it is ready in all its stages, as far as told.
    pub fn is_ready(&self, key: &Key) -> bool {
        self.with(key, |told| {
            told.ready
                .as_ref()
                .is_some_and(|ready| ready.status == "True")
                && told.stages.values().all(|(phase, _)| phase == "Ready")
        })
    }

    /// Whether another release of the controller handles it (K24): said in the log once, and counted.
    pub fn handled_elsewhere(&self, key: &Key, other: Option<ControllerRelease>) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = told.entry(key.clone()).or_default();
        if entry.elsewhere == other {
            return;
        }
        let (namespace, name) = (&key.namespace, &key.name);
        if let Some(release) = &other {
            warn!(
                namespace,
                name,
                %release,
                "another release of the controller handles this StageSet; doing nothing. Let the \
                 lists of --watch-namespaces not overlap. If that release is to give it up, name \
                 this namespace in its --leave-namespaces; if it is gone, run: kubectl patch \
                 stageset {name} --namespace {namespace} --subresource status --type merge \
                 --patch '{{\"status\":{{\"handledBy\":null}}}}', or start this one with \
                 --take-over"
            );
        } else {
            info!(
                namespace,
                name, "no other release handles this StageSet any more"
            );
        }
        entry.elsewhere = other;
        let count = told
            .values()
            .filter(|told| told.elsewhere.is_some())
            .count();
        self.metrics.handled_elsewhere(count);
    }

    /// A pass has ended.
    pub fn passed(&self, key: &Key, pass: &Pass, took: Duration) {
        let (reason, operations) = self.with(key, |told| {
            let reason = told.ready.as_ref().map(|ready| ready.reason.clone());
            (
                reason.unwrap_or_else(|| "Unknown".to_owned()),
                std::mem::take(&mut told.operations),
            )
        });
        self.metrics.passed(key, &reason, took);
        let milliseconds = took.as_millis();
        let (namespace, name) = (&key.namespace, &key.name);
        // What it waits for stands in the status, which was told when it changed.
        let next = match &pass.next {
            End::Hold { until, .. } => format!("look again at {until}"),
            End::Rest { .. } => "rest".to_owned(),
            End::Gone => "gone".to_owned(),
        };
        let turns = pass.turns;
        if operations == 0 {
            debug!(namespace, name, reason, turns, milliseconds, next, "pass");
        } else {
            info!(
                namespace,
                name, reason, turns, operations, milliseconds, next, "pass"
            );
        }
    }

    /// The StageSet is gone.
    pub fn forget(&self, key: &Key) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.remove(key);
        let count = told
            .values()
            .filter(|told| told.elsewhere.is_some())
            .count();
        drop(told);
        self.metrics.handled_elsewhere(count);
        self.metrics.forget(key);
    }

    fn with<R>(&self, key: &Key, change: impl FnOnce(&mut Told) -> R) -> R {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        change(told.entry(key.clone()).or_default())
    }

    fn recorded(&self, key: &Key, status: &Status) {
        let (namespace, name) = (&key.namespace, &key.name);
        let condition = status.condition("Ready");
        let ready = condition.map(|condition| {
            let status = condition.status.as_str();
            Ready::of(status, &condition.reason, &condition.message)
        });
        let stages: Few<_, _> = status
            .stages
            .iter()
            .map(|stage| {
                (
                    stage.name.to_string(),
                    (format!("{:?}", stage.phase), stage.run.clone()),
                )
            })
            .collect();
        let before = self.with(key, |told| {
            let before = told.clone();
            told.ready.clone_from(&ready);
            told.stages.clone_from(&stages);
            told.ours = true;
            before
        });
        for stage in &status.stages {
            let stage_name = stage.name.as_str();
            let now = (format!("{:?}", stage.phase), stage.run.clone());
            if before.stages.get(stage_name) == Some(&now) {
                continue;
            }
            if stage.phase == Phase::Ready {
                self.metrics.stage_applied(key, stage_name);
            }
            let says = stage.message.as_deref().unwrap_or_default();
            info!(
                namespace,
                name,
                stage = stage_name,
                phase = now.0,
                says,
                "stage"
            );
        }
        let ready_stages = status
            .stages
            .iter()
            .map(|stage| (stage.name.as_str(), stage.phase == Phase::Ready));
        self.metrics.stages(key, ready_stages);
        if let Some(condition) = condition
            && before.ready != ready
        {
            let (ready, reason) = (condition.status.as_str(), &condition.reason);
            let says = &condition.message;
            info!(namespace, name, ready, reason, says, "status");
        }
    }
}

impl Observer for Report {
    fn plan(&self, at: Timestamp, stage_set: &Key, plan: &Plan) {
        self.next.plan(at, stage_set, plan);
    }

    fn need(&self, at: Timestamp, stage_set: &Key, need: &Need, outcome: &Outcome) {
        let (namespace, name) = (&stage_set.namespace, &stage_set.name);
        match outcome {
            Outcome::Done => debug!(namespace, name, %need, "gathered"),
            Outcome::Failed(failure) => {
                debug!(namespace, name, %need, %failure, "not gathered");
                if let Need::Look {
                    question: Question::Exists,
                    ..
                } = need
                {
                    self.metrics.anchor_unreadable(stage_set);
                }
            }
        }
        self.next.need(at, stage_set, need, outcome);
    }

    fn operation(&self, at: Timestamp, stage_set: &Key, operation: &Operation, outcome: &Outcome) {
        let (namespace, name) = (&stage_set.namespace, &stage_set.name);
        self.with(stage_set, |told| told.operations += 1);
        match outcome {
            Outcome::Done => debug!(namespace, name, %operation, "done"),
            Outcome::Failed(failure) => warn!(namespace, name, %operation, %failure, "failed"),
        }
        if let Operation::Record(RecordOperation::Announce(event)) = operation
            && event.reason == TEARDOWN_FORCED
        {
            // Whether or not the event could be written: in a namespace that goes, none can.
            error!(namespace, name, said = event.message, "teardown forced");
            self.metrics.teardown_forced(stage_set, "timed_out");
        }
        if *outcome == Outcome::Done {
            match operation {
                Operation::Record(RecordOperation::Status(status)) => {
                    self.recorded(stage_set, status);
                }
                Operation::Record(RecordOperation::Action { status, step }) => {
                    self.recorded(stage_set, status);
                    if let ActionStep::Starts { attempt, scope, .. } = step
                        && attempt.phase != ActionPhase::OnFailure
                        && attempt.number == 1
                    {
                        self.metrics.action_ran(stage_set, scope);
                    }
                }
                Operation::Record(RecordOperation::Announce(event))
                    if event.reason == LEDGER_ADOPTED =>
                {
                    self.metrics.ledger_adopted(stage_set);
                }
                Operation::Tenant(TenantOperation::Apply {
                    object,
                    why: ApplyReason::Drift { .. },
                    ..
                }) => self
                    .metrics
                    .drift_corrected(stage_set, object.stage.as_str(), 1),
                _ => {}
            }
        }
        self.next.operation(at, stage_set, operation, outcome);
    }

    fn lacking(&self, at: Timestamp, stage_set: &Key, lacking: &[Lacking]) {
        self.next.lacking(at, stage_set, lacking);
    }

    fn skipped_entries(&self, at: Timestamp, stage_set: &Key, stage: &str, count: usize) {
        let (namespace, name) = (&stage_set.namespace, &stage_set.name);
        warn!(
            namespace,
            name, stage, count, "inventory entries that can't be read were left out"
        );
        let count_ = u64::try_from(count).unwrap_or(u64::MAX);
        self.metrics
            .inventory_entries_skipped(stage_set, stage, count_);
        self.next.skipped_entries(at, stage_set, stage, count);
    }

    fn defect(&self, at: Timestamp, stage_set: &Key, message: &str) {
        let (namespace, name) = (&stage_set.namespace, &stage_set.name);
        error!(
            namespace,
            name,
            says = message,
            "a decision failed by a defect of the controller; please report it"
        );
        self.next.defect(at, stage_set, message);
    }
}

fn ready_of(object: &Value) -> Option<Ready> {
    let conditions = object.pointer("/status/conditions")?.as_array()?;
    let ready = conditions
        .iter()
        .find(|condition| condition.get("type").and_then(Value::as_str) == Some("Ready"))?;
    let text = |key: &str| ready.get(key).and_then(Value::as_str).unwrap_or_default();
    Some(Ready::of(text("status"), text("reason"), text("message")))
}

fn stages_of(object: &Value) -> Few<String, (String, Option<String>)> {
    let stages = object.pointer("/status/stages").and_then(Value::as_array);
    stages
        .into_iter()
        .flatten()
        .filter_map(|stage| {
            let text = |key: &str| stage.get(key).and_then(Value::as_str).map(str::to_owned);
            Some((
                text("name")?,
                (text("phase").unwrap_or_default(), text("run")),
            ))
        })
        .collect()
}
