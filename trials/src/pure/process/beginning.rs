//! What there is to decide on at first.

use std::sync::Arc;
use std::time::Duration;

use stageset_core::names::Namespace;
use stageset_core::observation::{Config, Facts, Observation, StageSet};
use stageset_core::time::Timestamp;

use super::super::server::StageSetRecord;
use crate::setup::{MAX_TEARDOWN_SECONDS, NAME, NAMESPACE, Setup};

/// The StageSet as the core sees it.
pub(super) fn stage_set(known: &StageSetRecord) -> StageSet {
    StageSet {
        namespace: namespace(),
        name: NAME.to_owned(),
        uid: "5e7".to_owned(),
        generation: known.generation,
        deletion_timestamp: known.deletion,
        has_finalizer: known.finalizer,
        requested_at: known.requested.clone(),
        reconcile_stage: known.again.clone(),
        spec: known.spec.clone(),
        suspend: known.suspended,
        status: known.status.clone(),
    }
}

/// What a process knows that has just begun.
pub(super) fn nothing(config: Arc<Config>) -> Observation {
    Observation {
        now: Timestamp::default(),
        refresh_before: Timestamp::default(),
        config,
        stage_set: stage_set(&StageSetRecord::new(Err(Vec::new()))),
        facts: Facts::default(),
    }
}

/// How the controller was started.
pub(in super::super) fn config(setup: &Setup) -> Arc<Config> {
    Arc::new(Config {
        max_teardown_wait: Duration::from_secs(MAX_TEARDOWN_SECONDS),
        tenancy: setup.tenancy(),
        watch_namespaces: setup.shard().into_iter().collect(),
        ..Config::default()
    })
}

#[expect(
    clippy::expect_used,
    reason = "a constant of the trials is a namespace, or nothing here works"
)]
fn namespace() -> Namespace {
    thread_local! {
        static NAMESPACE_OF_ALL: Namespace =
            Namespace::new(NAMESPACE).expect("the trials' namespace is one");
    }
    NAMESPACE_OF_ALL.with(Clone::clone)
}
