//! How watches stand: for readiness, log and metrics.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::reflector::WatchError;
use super::resource::WatchOn;
use crate::metrics::Metrics;

/// Least time between two lines about the same watch.
const LOG_PAUSE: Duration = Duration::from_secs(30);

/// What is missing before this replica is ready. Clones share it.
#[derive(Debug, Clone)]
pub struct Missing {
    labels: Arc<Mutex<BTreeSet<String>>>,
    told: watch::Sender<Vec<String>>,
}

impl Missing {
    /// Nothing is known to be missing; `told` gets every change.
    pub fn new(told: watch::Sender<Vec<String>>) -> Self {
        Self {
            labels: Arc::default(),
            told,
        }
    }

    pub(super) fn set(&self, label: &str, missing: bool) {
        let mut labels = self.labels.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = if missing {
            labels.insert(label.to_owned())
        } else {
            labels.remove(label)
        };
        if changed {
            self.told.send_replace(labels.iter().cloned().collect());
        }
    }
}

/// How a watch stands: for readiness, log and metrics.
#[derive(Debug)]
pub(super) struct Standing {
    pub(super) on: WatchOn,
    /// Where to report if readiness waits for it.
    pub(super) missing: Option<Missing>,
    /// Where to count failures, for kinds engaged on first use.
    pub(super) metrics: Option<Metrics>,
    pub(super) broken: bool,
    pub(super) logged: Option<Instant>,
}

impl Standing {
    pub(super) fn live(&mut self) {
        if let Some(missing) = &self.missing {
            missing.set(&self.on.to_string(), false);
        }
        if std::mem::take(&mut self.broken) {
            info!(watch = %self.on, "watching again");
        } else {
            debug!(watch = %self.on, "watching");
        }
        self.logged = None;
    }

    pub(super) fn broken(&mut self, error: &WatchError, pause: Duration) {
        self.broken = true;
        if error.is_lasting() {
            if let Some(missing) = &self.missing {
                missing.set(&self.on.to_string(), true);
            }
            if let Some(metrics) = &self.metrics {
                let gvk = &self.on.resource.gvk;
                metrics.watch_engagement_failed(&format!(
                    "{}, Kind={}",
                    gvk.api_version(),
                    gvk.kind
                ));
            }
        }
        if self
            .logged
            .is_none_or(|logged| logged.elapsed() >= LOG_PAUSE)
        {
            self.logged = Some(Instant::now());
            let what = match error.status() {
                Some(404) => "the API server doesn't serve this kind: install its definition",
                Some(401 | 403) => "the controller may not list and watch this kind: grant it",
                _ => "the watch doesn't stand",
            };
            warn!(watch = %self.on, %error, retry_in_seconds = pause.as_secs(), "{what}");
        }
    }
}
