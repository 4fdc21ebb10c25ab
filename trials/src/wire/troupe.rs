//! The processes: started, and started anew when they die, as a pod is.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use stageset_cluster::fairness::Budget;
use stageset_cluster::ports::NoWatches;
use stageset_cluster::remote::Remotes;
use stageset_cluster::{Clock, Connection, Discovery, Ports, Renderer, Settings, Silent};
use stageset_controller::gate::Gate;
use stageset_controller::leader::Term;
use stageset_controller::metrics::Metrics;
use stageset_controller::{Candidate, Options, Process};
use stageset_core::kubeconfig::Allowed;
use stageset_core::observation::Config;
use stageset_core::time::Timestamp;
use stageset_sim::{SimulatedCluster, User};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::abroad::Abroad;
use super::door::FaultyDoor;
use super::hooks::Receiver;
use super::passage::Passage;
use super::stage::Stage;
use super::world::Artifacts;
use crate::setup::MAX_TEARDOWN_SECONDS;

/// Twenty times production's terms: of a process whose lease is renewed as often as there, nine requests in
/// ten do that, and of terms five times as long still two in three.
pub(super) const TERM: Term = Term {
    lasts: Duration::from_secs(300),
    renewed_within: Duration::from_secs(200),
    tried_every: Duration::from_secs(40),
};

/// Starts processes, and starts them anew when they die.
pub(super) struct Troupe {
    pub(super) cluster: SimulatedCluster,
    pub(super) remote: Option<SimulatedCluster>,
    pub(super) artifacts: Artifacts,
    pub(super) stage: Arc<Mutex<Stage>>,
}

impl Troupe {
    pub(super) async fn direct(self, mut cast: mpsc::UnboundedReceiver<usize>) {
        let mut tasks: Vec<Option<(JoinHandle<()>, oneshot::Sender<()>)>> = vec![None, None];
        let (again, mut ended) = mpsc::unbounded_channel::<usize>();
        tasks[0] = Some(self.start(0, again.clone()));
        loop {
            // A process that ends by itself (a lost lease) is started anew, as a pod is.
            let process = tokio::select! {
                biased;
                process = cast.recv() => process,
                process = ended.recv() => process,
            };
            let Some(process) = process else { return };
            if let Some(place) = tasks.get_mut(process) {
                if let Some((task, _stop)) = place.take() {
                    task.abort();
                }
                sleep(Duration::from_secs(1)).await;
                *place = Some(self.start(process, again.clone()));
            }
        }
    }

    fn start(
        &self,
        process: usize,
        ended: mpsc::UnboundedSender<usize>,
    ) -> (JoinHandle<()>, oneshot::Sender<()>) {
        let (life, skew, alone, tenancy, shard) = {
            let stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
            let life = stage.lives.get(process).copied().unwrap_or(0);
            let skew = stage.skews.get(process).copied().unwrap_or(0);
            let setup = &stage.world.setup;
            (life, skew, setup.alone, setup.tenancy(), setup.shard())
        };
        let passage = Passage {
            stage: Arc::clone(&self.stage),
            process,
            life,
        };
        let user = User::new(format!("controller-{process}"), &["system:masters"]);
        let home = self.cluster.door(user);
        let door = FaultyDoor {
            inner: home.clone(),
            passage: passage.clone(),
            abroad: false,
            home: None,
        };
        let remotes = match &self.remote {
            None => Remotes::default(),
            Some(cluster) => {
                let abroad = Abroad {
                    cluster: cluster.clone(),
                    passage: passage.clone(),
                    home,
                };
                Remotes::new(abroad, Allowed::default())
            }
        };
        let now = self.cluster.now().as_millisecond() + skew * 1000;
        let connection = Connection::from_service(door);
        let ports = Ports {
            connection: connection.clone(),
            remotes: Arc::new(remotes),
            budget: Budget::default(),
            hooks: Arc::new(Receiver(passage)),
            artifacts: Arc::new(self.artifacts.clone()),
            clock: Clock::simulated(Timestamp::from_millis(now)),
            discovery: Arc::new(Discovery::new()),
            rules: Arc::default(),
            watched: Arc::new(NoWatches),
            observer: Arc::new(Silent),
            renderer: Renderer::Inline,
            config: Arc::new(Config::default()),
            settings: Settings::default(),
        };
        let options = Options {
            leader_elect: !alone,
            tenancy,
            watch_namespaces: shard,
            max_teardown_wait: Duration::from_secs(MAX_TEARDOWN_SECONDS),
            webhook: None,
            // Whoever has a release of its own leaves alone what another one claims.
            release_namespace: "default".to_owned(),
            ..Options::default()
        };
        let (missing, _) = watch::channel(Vec::new());
        let identity = Process {
            metrics: Metrics::new(),
            missing,
            gate: Gate::default(),
            candidate: options.leader_elect.then(|| Candidate {
                namespace: "default".to_owned(),
                identity: format!("controller-{process}-{life}"),
                term: TERM,
                connection,
                runtime: Handle::current(),
            }),
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            let shutdown = async {
                if stopped.await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            // However it ended: it is started anew.
            let _ = stageset_controller::run(&options, ports, identity, shutdown).await;
            let _ = ended.send(process);
        });
        (task, stop)
    }
}
