//! The loop that production and simulation both run.
//!
//! Watches, probes and metrics run on every replica, so that one that stands by is ready to take
//! over; passes run on the leader only. On a stop passes get half a minute to end and then the lease
//! is released; on the loss of the lease they are cut off at once.

use std::sync::Arc;
use std::time::Duration;

use stageset_api::names;
use stageset_cluster::connection::Count;
use stageset_cluster::{Connection, Ports, RequestIdentity};
use stageset_core::observation::{Config, ControllerRelease};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{info, warn};

use crate::flags::Options;
use crate::gate::Gate;
use crate::leader::{Campaign, Leadership, Leases, Term};
use crate::leave::Leaving;
use crate::metrics::Metrics;
use crate::report::Report;
use crate::watch::engaged::Engaged;
use crate::watch::standing::Missing;
use crate::watch::store::Stores;
use crate::watch::tenant::{Covered, Tenants};
use crate::work::Work;

/// How long passes may go on after a stop was asked for.
const DRAIN: Duration = Duration::from_secs(30);

/// A replica that takes part in an election.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Namespace of the Lease: the controller's own.
    pub namespace: String,
    /// A name that no other replica has.
    pub identity: String,
    /// How long a lease lasts, and how often it is renewed.
    pub term: Term,
    /// To the Lease's API server.
    pub connection: Connection,
    /// Where the campaign runs. In production neither this nor the connection is the loop's, so that
    /// the lease is renewed beside a decision that takes long.
    pub runtime: Handle,
}

impl Candidate {
    fn counted(mut self, count: &Count) -> Self {
        self.connection = self.connection.counted(count);
        self
    }
}

/// What the process around the loop gives it and reads from it.
#[derive(Debug, Clone)]
pub struct Process {
    /// Counts.
    pub metrics: Metrics,
    /// What is missing before this replica is ready; empty = ready.
    pub missing: watch::Sender<Vec<String>>,
    /// What the gates answer from.
    pub gate: Gate,
    /// With `--leader-elect`: who we are.
    pub candidate: Option<Candidate>,
}

/// Why the loop ended although nobody asked it to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// Another replica may act now. The process has to end, so that it begins anew.
    #[error("the lease was lost; ending, so that a restart begins anew as a candidate")]
    LeadershipLost,
}

/// Runs until `shutdown` ends.
///
/// `ports.watched`, `ports.config` and the flags' part of `ports.settings` are replaced by what
/// `options` and the watches say; `ports.observer` hears everything besides log and metrics.
///
/// # Errors
/// [`RunError::LeadershipLost`], after which nothing more is written.
pub async fn run(
    options: &Options,
    mut ports: Ports,
    process: Process,
    shutdown: impl Future<Output = ()>,
) -> Result<(), RunError> {
    let Process {
        metrics,
        missing,
        gate,
        candidate,
    } = process;
    let (signal, mut signals) = mpsc::unbounded_channel();
    let covered = Arc::new(Covered::default());
    let stores = Arc::new(Stores::new(Some(Arc::clone(&covered) as _)));
    gate.open(Arc::clone(&stores) as _);
    let report = Arc::new(Report::new(metrics.clone(), Arc::clone(&ports.observer)));
    ports.watched = Arc::clone(&stores) as _;
    ports.observer = Arc::clone(&report) as _;
    ports.config = Arc::new(config(options));
    ports.settings.inventory_shard_cap = options.inventory_shard_cap;

    let counts = metrics.clone();
    let count: Count = Arc::new(move |verb, plane| counts.requested(verb, plane));
    ports.connection = ports.connection.counted(&count);
    ports.remotes.counted(&count);

    let namespaces: Vec<String> = options
        .watch_namespaces
        .iter()
        .map(ToString::to_string)
        .collect();
    let connection = ports.connection.clone();
    let mut engaged = Engaged::new(
        connection.clone(),
        stores,
        signal.clone(),
        metrics.clone(),
        Missing::new(missing),
        &namespaces,
    );
    engaged.start();
    let tenants = Tenants::new(
        connection.clone(),
        covered,
        signal,
        metrics.clone(),
        options.max_tenant_watches,
    );
    let clock = ports.clock.clone();
    let mut leaving = Leaving::new(&connection, options, ports.config.release.as_ref());
    let mut work = Work::new(ports, report, metrics.clone(), engaged, tenants);
    let mut election = candidate.map(|candidate| {
        let wall = move || {
            let micros = clock.now().as_millis().saturating_mul(1_000);
            jiff::Timestamp::from_microsecond(micros)
                .map(|at| format!("{at:.6}"))
                .unwrap_or_default()
        };
        InOffice::start(candidate.counted(&count), &options.lease, wall)
    });

    let mut shutdown = std::pin::pin!(shutdown);
    let outcome = loop {
        let leads = match &election {
            None => true,
            Some(election) => match election.leadership() {
                Leadership::Standby => false,
                Leadership::Leading => true,
                Leadership::Lost => break Err(RunError::LeadershipLost),
            },
        };
        metrics.leader(leads);
        if leads {
            leaving.begin();
            work.start_due();
        }
        let deadline = if leads { work.deadline() } else { None };
        tokio::select! {
            biased;
            () = &mut shutdown => break Ok(()),
            () = changed(&mut election) => {}
            Some(signal) = signals.recv() => {
                work.signal(signal);
                // What has come together is looked at together.
                while let Ok(signal) = signals.try_recv() {
                    work.signal(signal);
                }
            }
            () = work.pass_ended() => {}
            () = at(deadline) => {}
        }
    };
    leaving.stop().await;
    match outcome {
        Ok(()) => {
            drain(&mut work, &mut election).await;
            if let Some(election) = election {
                election.release().await;
            }
            Ok(())
        }
        Err(error) => {
            work.abort().await;
            Err(error)
        }
    }
}

/// Lets running passes end, within bounds, and while we lead.
async fn drain(work: &mut Work, election: &mut Option<InOffice>) {
    if work.running() > 0 {
        info!(
            passes = work.running(),
            "stopping: waiting for running passes"
        );
    }
    let drained = async {
        while work.running() > 0 {
            tokio::select! {
                biased;
                () = changed(election) => {
                    let lost = |office: &InOffice| office.leadership() == Leadership::Lost;
                    if election.as_ref().is_some_and(lost) {
                        return;
                    }
                }
                () = work.pass_ended() => {}
            }
        }
    };
    if timeout(DRAIN, drained).await.is_err() {
        warn!(
            passes = work.running(),
            "stopping: passes were cut off; they go on after the start"
        );
    }
    work.abort().await;
}

async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

async fn changed(election: &mut Option<InOffice>) {
    match election {
        Some(election) => election.changed().await,
        None => std::future::pending().await,
    }
}

/// An election that runs beside the loop.
struct InOffice {
    leadership: watch::Receiver<Leadership>,
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

impl InOffice {
    fn start(
        candidate: Candidate,
        lease: &str,
        wall: impl Fn() -> String + Send + Sync + 'static,
    ) -> Self {
        let client = candidate.connection.client(RequestIdentity::Controller);
        let leases = Leases::new(client, candidate.namespace, lease);
        let (told, leadership) = watch::channel(Leadership::Standby);
        let (stop, stopped) = oneshot::channel();
        let task = candidate.runtime.spawn(async move {
            let mut campaign = Campaign::new(leases, candidate.identity, candidate.term, wall);
            tokio::select! {
                biased;
                // A sender that was dropped means an end without release.
                asked = stopped => if asked.is_err() { return },
                () = campaign.run(&told) => return,
            }
            if let Err(error) = campaign.release().await {
                warn!(%error, "the lease could not be released; it runs out by itself");
            }
        });
        Self {
            leadership,
            stop,
            task,
        }
    }

    fn leadership(&self) -> Leadership {
        *self.leadership.borrow()
    }

    async fn changed(&mut self) {
        if self.leadership.changed().await.is_err() {
            // The campaign has ended; its last word stands.
            std::future::pending::<()>().await;
        }
    }

    async fn release(self) {
        if self.stop.send(()).is_ok() {
            let _ = self.task.await;
        }
    }
}

/// The release that this process belongs to.
fn release(options: &Options) -> Option<ControllerRelease> {
    // Each release has a lease of its own; its name says which release it is.
    let suffix = format!(".{}", names::GROUP);
    let name = options
        .lease
        .strip_suffix(&suffix)
        .unwrap_or(&options.lease);
    (!options.release_namespace.is_empty()).then(|| ControllerRelease {
        namespace: options.release_namespace.clone(),
        name: name.to_owned(),
    })
}

/// The flags, as far as decisions rest on them.
fn config(options: &Options) -> Config {
    Config {
        tenancy: options.tenancy,
        default_interval: options.default_interval,
        max_teardown_wait: options.max_teardown_wait,
        no_cross_namespace_refs: options.no_cross_namespace_refs,
        release: release(options),
        take_over: options.take_over,
        check_cross_namespace_refs: options.check_cross_namespace_refs,
        watch_namespaces: options.watch_namespaces.iter().cloned().collect(),
    }
}
