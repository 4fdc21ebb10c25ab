//! From flags to a running controller on a real cluster.

use std::io;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use stageset_cluster::artifacts::{AddressPolicy, HttpArtifacts, NoTrust};
use stageset_cluster::connection::ConnectError;
use stageset_cluster::fairness::Budget;
use stageset_cluster::hooks::HttpHooks;
use stageset_cluster::ports::NoWatches;
use stageset_cluster::remote::DialRemote;
use stageset_cluster::{Clock, Connection, Discovery, Ports, Remotes, Renderer, Settings, Silent};
use stageset_core::kubeconfig::Allowed;
use stageset_core::observation::Config;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tracing::{error, info, warn};

use crate::flags::{BindAddress, Options};
use crate::gate::Gate;
use crate::http::{self, Bound};
use crate::leader::Term;
use crate::metrics::Metrics;
use crate::run::{Candidate, Process, RunError, run};
use crate::webhook;

/// Why the controller could not start, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Neither kubeconfig nor in-cluster configuration.
    #[error("no access to a cluster: {0}; set KUBECONFIG, or run in a pod with a ServiceAccount")]
    NoCluster(#[source] Box<kube::config::InferConfigError>),
    /// A configuration that can't be used.
    #[error("{0}")]
    Connect(#[from] ConnectError),
    /// No certificate authorities for downloads.
    #[error("{0}")]
    Artifacts(#[from] NoTrust),
    /// An address that can't be listened on.
    #[error("--{flag}={address} can't be listened on: {error}")]
    Bind {
        /// The flag.
        flag: &'static str,
        /// Its value.
        address: BindAddress,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// No TLS.
    #[error("the webhook can't speak TLS: {0}")]
    Webhook(#[source] rustls::Error),
    /// No signal handler.
    #[error("signals can't be listened for: {0}")]
    Signals(#[source] io::Error),
    /// No runtime for the loop.
    #[error("no runtime: {0}")]
    Runtime(#[source] io::Error),
    /// The loop panicked.
    #[error("the loop failed by a defect of the controller; please report it: {0}")]
    Defect(#[source] tokio::task::JoinError),
    /// The loop ended by itself.
    #[error("{0}")]
    Run(#[from] RunError),
}

/// Runs the controller until SIGTERM or SIGINT.
///
/// # Errors
/// [`StartError`]: the process should end with exit code 1.
pub async fn start(mut options: Options) -> Result<(), StartError> {
    let stop = signals().map_err(StartError::Signals)?;
    let config = kube::Config::infer()
        .await
        .map_err(|error| StartError::NoCluster(Box::new(error)))?;
    let connection = Connection::from_config(&config)?;
    let opened = options
        .allow_artifact_addresses
        .iter()
        .map(|range| (range.network, range.prefix));
    let artifacts = HttpArtifacts::new(AddressPolicy::opening(opened))?;
    let reachable = options
        .allow_remote_addresses
        .iter()
        .map(|range| (range.network, range.prefix));
    let allowed = Allowed {
        insecure: options.allow_insecure_kubeconfigs,
    };
    let remotes = Remotes::new(DialRemote::new(AddressPolicy::opening(reachable)), allowed);
    let opened = options
        .allow_action_addresses
        .iter()
        .map(|range| (range.network, range.prefix));
    let hooks = HttpHooks::new(
        options.allowed_action_hosts.clone(),
        AddressPolicy::opening(opened),
    )?;
    let metrics = Metrics::new();
    let (missing, readiness) = watch::channel(vec!["the first list of StageSets".to_owned()]);

    let health = listen(
        "health-probe-bind-address",
        &options.health_probe_bind_address,
    )
    .await?;
    let numbers = listen("metrics-bind-address", &options.metrics_bind_address).await?;
    let webhook = start_webhook(&options, &connection, &metrics, &config).await?;
    // Probes answer until the process ends, draining included.
    let readiness: Vec<_> = std::iter::once(readiness)
        .chain(webhook.as_ref().map(webhook::Running::readiness))
        .collect();
    if let Some(bound) = health {
        tokio::spawn(served(
            bound.serve(http::probes(readiness), std::future::pending()),
        ));
    }
    if let Some(bound) = numbers {
        tokio::spawn(served(
            bound.serve(http::metrics(metrics.clone()), std::future::pending()),
        ));
    }

    let gate = Gate::default();
    // Gates are a convenience for others: without them releases go on.
    match http::bind(&options.gate_bind_address).await {
        Ok(Some(bound)) => {
            info!(flag = "gate-bind-address", address = %bound.address, "listening");
            let pages = gate.clone().pages();
            tokio::spawn(served(bound.serve(pages, std::future::pending())));
        }
        Ok(None) => {}
        Err(error) => {
            let address = options.gate_bind_address.to_string();
            error!(flag = "gate-bind-address", address, %error, "can't be listened on");
        }
    }

    let instance = instance();
    options.release_namespace = own_namespace(&config);
    let candidate = options.leader_elect.then(|| Candidate {
        namespace: own_namespace(&config),
        identity: format!("{instance}_{}", unique()),
        term: Term::STANDARD,
        connection: connection.clone(),
        runtime: Handle::current(),
    });
    info!(
        version = env!("CARGO_PKG_VERSION"),
        instance,
        server = %config.cluster_url,
        leader_elect = options.leader_elect,
        single_tenant = matches!(options.tenancy, stageset_core::identity::Tenancy::Single),
        watch_namespaces = ?options.watch_namespaces.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "starting"
    );
    let ports = Ports {
        connection: Connection::from_config(&config)?,
        budget: Budget::default(),
        artifacts: Arc::new(artifacts),
        hooks: Arc::new(hooks),
        clock: Clock::system(),
        discovery: Arc::new(Discovery::new()),
        remotes: Arc::new(remotes),
        rules: Arc::default(),
        watched: Arc::new(NoWatches),
        observer: Arc::new(Silent),
        renderer: Renderer::Pooled,
        config: Arc::new(Config::default()),
        settings: Settings {
            instance,
            ..Settings::default()
        },
    };
    let process = Process {
        metrics,
        missing,
        gate,
        candidate,
    };
    let ended = alone(move || async move { run(&options, ports, process, stop).await }).await;
    if let Some(webhook) = webhook {
        webhook.stop().await;
    }
    ended??;
    info!("stopped");
    Ok(())
}

/// Runs the loop, its passes, watches and connections on one thread of their own: what they tell each
/// other costs no system call there, and one that decides for long keeps neither probes nor lease
/// waiting.
async fn alone<T: Send + 'static, F: Future<Output = T>>(
    work: impl FnOnce() -> F + Send + 'static,
) -> Result<T, StartError> {
    let thread = tokio::task::spawn_blocking(move || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build()?;
        Ok(runtime.block_on(work()))
    });
    match thread.await {
        Ok(ended) => ended.map_err(StartError::Runtime),
        Err(panicked) => Err(StartError::Defect(panicked)),
    }
}

async fn start_webhook(
    options: &Options,
    connection: &Connection,
    metrics: &Metrics,
    config: &kube::Config,
) -> Result<Option<webhook::Running>, StartError> {
    let Some(wanted) = &options.webhook else {
        return Ok(None);
    };
    let Some(bound) = listen("webhook-port", &wanted.address).await? else {
        return Ok(None);
    };
    let surroundings = webhook::Surroundings {
        connection: connection.clone(),
        clock: Clock::system(),
        metrics: metrics.clone(),
        namespace: own_namespace(config),
        instance: instance(),
    };
    webhook::Running::start(bound.into_listener(), &wanted.certificate, surroundings)
        .map(Some)
        .map_err(StartError::Webhook)
}

async fn listen(flag: &'static str, address: &BindAddress) -> Result<Option<Bound>, StartError> {
    let bound = http::bind(address)
        .await
        .map_err(|error| StartError::Bind {
            flag,
            address: address.clone(),
            error,
        })?;
    if let Some(bound) = &bound {
        info!(flag, address = %bound.address, "listening");
    }
    Ok(bound)
}

async fn served(server: impl Future<Output = io::Result<()>>) {
    if let Err(error) = server.await {
        warn!(%error, "a listening socket failed");
    }
}

/// Ends with the first SIGTERM or SIGINT.
fn signals() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        let name = tokio::select! {
            biased;
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        info!(signal = name, "stopping");
    })
}

/// The pod's name, for events and the lease.
pub fn instance() -> String {
    ["POD_NAME", "HOSTNAME"]
        .iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|name| !name.is_empty())
        .unwrap_or_else(|| "stageset-controller".to_owned())
}

/// What two processes never share, even in one pod or on one machine: two of the same name would
/// both take the lease for their own.
fn unique() -> String {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    format!("{}-{}", std::process::id(), since.as_nanos())
}

/// `POD_NAMESPACE`, else the ServiceAccount's or the kubeconfig context's.
fn own_namespace(config: &kube::Config) -> String {
    std::env::var("POD_NAMESPACE")
        .ok()
        .filter(|namespace| !namespace.is_empty())
        .unwrap_or_else(|| config.default_namespace.clone())
}
