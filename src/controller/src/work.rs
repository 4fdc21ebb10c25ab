//! The loop's state: which StageSets there are, what each is woken for, which passes run.
//!
//! One task owns all of it; watches, timers and finished passes speak to it in turn. A StageSet that
//! waits is its session's memory, an entry in the queue and nothing else: no task, no lock, no place
//! among those that run.

mod news;

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use serde_json::Value;
use stageset_cluster::{End, Pass, Ports, Session, Stored, Wake};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::error;

use crate::abandoned::Abandoned;
use crate::interests::{Index, Kinds};
use crate::metrics::Metrics;
use crate::queue::{Key, Lane, Queue};
use crate::quiet::Quiet;
use crate::report::Report;
use crate::watch::engaged::Engaged;
use crate::watch::tenant::Tenants;

/// Passes in flight at once.
const PASSES: usize = 16;
/// After a pass that failed by a defect of ours.
const DEFECT: Duration = Duration::from_secs(60);

/// One StageSet.
#[derive(Debug)]
struct Entry {
    /// As last seen.
    object: Stored,
    /// This very StageSet is gone, or has nothing of ours left on it, although the watch hasn't said so.
    gone: bool,
    /// Its memory; away while a pass runs.
    session: Option<Box<Session>>,
    /// What its next pass is told.
    wake: Wake,
    /// When its interval ends.
    refresh_at: Option<Instant>,
    /// When its memory is put away, if nothing happens until then.
    quiet_at: Option<Instant>,
}

impl Entry {
    /// Makes its memory small.
    fn put_away(&mut self) {
        if let Some(session) = &mut self.session {
            session.put_away();
            self.object.put_away();
        }
    }
}

/// What a pass leaves behind.
struct Finished {
    key: Key,
    uid: Option<String>,
    took: Duration,
    /// Whether its memory had been put away when it began.
    was_away: bool,
    /// `None` if it failed by a defect of ours; the memory is lost with it.
    outcome: Option<(Box<Session>, Pass)>,
}

/// The state.
pub(crate) struct Work {
    ports: Ports,
    report: Arc<Report>,
    metrics: Metrics,
    engaged: Engaged,
    tenants: Tenants,
    queue: Queue<Instant>,
    quiet: Quiet,
    entries: BTreeMap<Key, Entry>,
    index: Index,
    passes: JoinSet<Finished>,
    abandoned: Abandoned,
}

impl Work {
    pub(crate) fn new(
        ports: Ports,
        report: Arc<Report>,
        metrics: Metrics,
        engaged: Engaged,
        tenants: Tenants,
    ) -> Self {
        Self {
            ports,
            report,
            metrics,
            engaged,
            tenants,
            queue: Queue::new(PASSES),
            quiet: Quiet::default(),
            entries: BTreeMap::new(),
            index: Index::default(),
            passes: JoinSet::new(),
            abandoned: Abandoned::default(),
        }
    }

    /// When something is to be done although nothing happens.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let deadlines = [self.queue.deadline(), self.quiet.deadline()];
        deadlines.into_iter().flatten().min()
    }

    /// How many passes run.
    pub(crate) fn running(&self) -> usize {
        self.passes.len()
    }

    /// Starts what is due, as far as there are places.
    pub(crate) fn start_due(&mut self) {
        let now = Instant::now();
        for key in self.queue.expire(now) {
            if let Some(entry) = self.entries.get_mut(&key)
                && entry.refresh_at.is_some_and(|at| at <= now)
            {
                entry.wake.refresh = true;
            }
        }
        while let Some(key) = self.queue.start() {
            self.start(key);
        }
        self.put_away(now);
        self.metrics.queue_depth(self.queue.depth());
        let entries = &self.entries;
        self.abandoned.start(&self.ports, |held| {
            let entry = entries.get(&held.key);
            entry.is_some_and(|entry| entry.object.uid() == Some(&*held.owner))
        });
    }

    /// What hasn't been looked at for a while takes less room.
    fn put_away(&mut self, now: Instant) {
        while let Some((at, key)) = self.quiet.ended(now) {
            if let Some(entry) = self.entries.get_mut(&key)
                && entry.quiet_at == Some(at)
            {
                entry.put_away();
            }
        }
    }

    /// The end of the pass that ends next; pends for ever while none runs.
    pub(crate) async fn pass_ended(&mut self) {
        match self.passes.join_next().await {
            Some(Ok(finished)) => self.finish(finished),
            // Passes catch their panics; an aborted one is one that nobody waits for.
            Some(Err(error)) => error!(%error, "a pass was lost"),
            None => std::future::pending().await,
        }
    }

    /// Stops every pass where it stands.
    pub(crate) async fn abort(&mut self) {
        self.passes.shutdown().await;
        self.abandoned.abort().await;
    }

    /// Releases to remote clusters run on places of their own.
    fn assign(&mut self, key: &Key, object: &Value) {
        let remote = object
            .pointer("/spec/kubeConfig")
            .is_some_and(|config| !config.is_null());
        let lane = if remote { Lane::Remote } else { Lane::Local };
        self.queue.set_lane(key, lane);
    }

    fn start(&mut self, key: Key) {
        let entry = self.entries.get_mut(&key);
        let Some(entry) = entry.filter(|entry| !entry.gone) else {
            // Of one that is gone, going by what the watch still shows would deliver it again.
            self.queue.finish(&key);
            return;
        };
        let mut session = entry
            .session
            .take()
            .unwrap_or_else(|| Box::new(Session::new(key.clone())));
        let object = entry.object.clone();
        let wake = std::mem::take(&mut entry.wake);
        entry.quiet_at = None;
        if wake.refresh {
            entry.refresh_at = None;
        }
        let uid = object.uid().map(str::to_owned);
        let was_away = session.is_put_away();
        let ports = self.ports.clone();
        self.passes.spawn(async move {
            let begun = Instant::now();
            let pass = AssertUnwindSafe(session.pass(&ports, object, wake))
                .catch_unwind()
                .await;
            Finished {
                key,
                uid,
                took: begun.elapsed(),
                was_away,
                outcome: pass.ok().map(|pass| (session, pass)),
            }
        });
    }

    fn finish(&mut self, finished: Finished) {
        let Finished {
            key,
            uid: uid_then,
            took,
            was_away,
            outcome,
        } = finished;
        let again = self.queue.finish(&key);
        let Some(entry) = self.entries.get_mut(&key) else {
            return;
        };
        let now = Instant::now();
        let Some((mut session, pass)) = outcome else {
            error!(
                namespace = key.namespace,
                name = key.name,
                "a pass failed by a defect of the controller; please report it"
            );
            entry.wake.refresh = true;
            self.queue.wake_at(&key, now + DEFECT);
            return;
        };
        if entry.object.uid() != uid_then.as_deref() {
            // It was replaced by another of its name meanwhile, which is due already.
            return;
        }
        self.report.passed(&key, &pass, took);
        let claimed = session.handled_elsewhere(&self.ports.config);
        self.report.handled_elsewhere(&key, claimed);
        let interests = session.interests();
        session.share(&entry.object);
        session.rest();
        entry.session = Some(session);
        if was_away && !again {
            // It was looked at for nothing, as at every tick, or its own writes would have woken it again: of
            // thousands, few are in the open at a time.
            entry.put_away();
        } else {
            entry.quiet_at = Some(self.quiet.rested(&key, now));
        }
        match &pass.next {
            End::Hold { until, refresh, .. } => {
                let at = now + until.since(self.ports.clock.now());
                entry.refresh_at = refresh.then_some(at);
                if !again {
                    self.queue.wake_at(&key, at);
                }
            }
            End::Rest { .. } => entry.refresh_at = None,
            End::Gone => {
                entry.refresh_at = None;
                entry.gone = true;
                if let Some(known) = entry.session.take().and_then(|session| session.newest()) {
                    entry.object = known;
                }
            }
        }
        self.tenants.set(&key, &interests.objects);
        let kinds = self.index.set(&key, &interests);
        self.engage(&kinds);
    }

    fn engage(&mut self, kinds: &Kinds) {
        for kind in &kinds.engage {
            self.engaged.engage(kind);
        }
        for kind in &kinds.release {
            self.engaged.release(kind);
        }
    }
}
