//! The production controller, started on a simulated cluster.

use std::sync::Arc;

use stageset_cluster::fairness::Budget;
use stageset_cluster::ports::NoWatches;
use stageset_cluster::{Clock, Discovery, Ports, Renderer, Settings};
use stageset_controller::gate::Gate;
use stageset_controller::metrics::Metrics;
use stageset_controller::{Options as Flags, Process, RunError};
use stageset_core::identity::Tenancy;
use stageset_core::observation::Config;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use super::Options;
use super::artifacts::Artifacts;
use super::cluster::Cluster;
use super::receiver::Receiver;
use super::trace::Trace;

/// The controller, running beside the scenario.
pub(super) struct Controller {
    task: JoinHandle<Result<(), RunError>>,
    stop: oneshot::Sender<()>,
}

impl Controller {
    /// Starts the loop that production runs, with the flags of the default chart apart from leader
    /// election: there is only one.
    pub(super) fn start(
        cluster: &Cluster,
        clock: Clock,
        artifacts: Artifacts,
        trace: Trace,
        options: &Options,
    ) -> Self {
        let tenancy = if options.single_tenant {
            Tenancy::Single
        } else {
            Tenancy::Multi
        };
        let flags = Flags {
            tenancy,
            ..Flags::default()
        };
        let ports = Ports {
            connection: cluster.controller(),
            budget: Budget::default(),
            artifacts: Arc::new(artifacts),
            hooks: Arc::new(Receiver),
            clock,
            discovery: Arc::new(Discovery::new()),
            remotes: Arc::default(),
            // The loop brings its own watches and settings.
            rules: Arc::default(),
            watched: Arc::new(NoWatches),
            observer: Arc::new(trace),
            renderer: Renderer::Inline,
            config: Arc::new(Config::default()),
            settings: Settings::default(),
        };
        let (missing, _) = watch::channel(Vec::new());
        let process = Process {
            metrics: Metrics::new(),
            missing,
            gate: Gate::default(),
            candidate: None,
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            let shutdown = async {
                // A dropped sender is a stop as well.
                let _ = stopped.await;
            };
            stageset_controller::run(&flags, ports, process, shutdown).await
        });
        Self { task, stop }
    }

    /// Waits for an end that nobody asked for, and says why.
    pub(super) async fn ended(&mut self) -> String {
        match (&mut self.task).await {
            Ok(Ok(())) => "it stopped without being asked".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        }
    }

    /// Asks it to stop, and waits for that.
    pub(super) async fn stop(self) {
        if self.stop.send(()).is_ok() {
            // However it ended, everything that is told was recorded before.
            let _ = self.task.await;
        }
    }
}
