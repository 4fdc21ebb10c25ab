//! The same of a cluster: the production driver gathers and decides as the controller would, as the
//! person who asks, and performs nothing.

use std::sync::Arc;

use stageset_api::reason::Reason;
use stageset_cluster::artifacts::{AddressPolicy, HttpArtifacts};
use stageset_cluster::fairness::Budget;
use stageset_cluster::hooks::{AllowedHosts, HttpHooks};
use stageset_cluster::ports::NoWatches;
use stageset_cluster::remote::DialRemote;
use stageset_cluster::requests::{Requests, Target};
use stageset_cluster::{
    Clock, Connection, Discovery, Ports, Remotes, Renderer, Session, Settings, Silent, StageSetKey,
};
use stageset_core::kubeconfig::Allowed;
use stageset_core::observation::Config;
use stageset_core::plan::{Operation, RecordOperation};

use super::artifacts::PersonsArtifacts;
use super::{Answer, Condition};
use crate::arguments::Why;
use crate::error::CommandError;

/// Asks a cluster about one StageSet.
///
/// # Errors
/// [`CommandError::Refused`] if it can't be reached, or there is no such StageSet.
pub(super) fn ask(options: &Why, name: &str) -> Result<Answer, CommandError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| fault(&error))?;
    runtime.block_on(async {
        let config = kube::Config::infer().await.map_err(|error| fault(&error))?;
        let key = StageSetKey::new(
            options
                .namespace
                .as_deref()
                .unwrap_or(&config.default_namespace),
            name,
        );
        let connection = Connection::from_config(&config).map_err(|error| fault(&error))?;
        answer(connection, &options.allow_artifact_addresses, key).await
    })
}

/// The same over a connection that is there.
///
/// # Errors
/// [`CommandError::Refused`] if there is no such StageSet, or nothing can be asked.
pub async fn answer(
    connection: Connection,
    opened: &str,
    key: StageSetKey,
) -> Result<Answer, CommandError> {
    let opened = AddressPolicy::parse(opened)
        .map_err(|error| CommandError::Usage(format!("--allow-artifact-addresses: {error}")))?;
    let artifacts = PersonsArtifacts {
        connection: connection.clone(),
        direct: HttpArtifacts::new(opened).map_err(|error| fault(&error))?,
    };
    let policy = AddressPolicy::default();
    let remotes = Remotes::new(DialRemote::new(policy.clone()), Allowed::default());
    let ports = Ports {
        connection,
        budget: Budget::default(),
        artifacts: Arc::new(artifacts),
        // Nothing is performed, so nothing is ever sent by it.
        hooks: Arc::new(
            HttpHooks::new(AllowedHosts::default(), policy).map_err(|error| fault(&error))?,
        ),
        clock: Clock::system(),
        discovery: Arc::new(Discovery::new()),
        remotes: Arc::new(remotes),
        rules: Arc::default(),
        watched: Arc::new(NoWatches),
        observer: Arc::new(Silent),
        renderer: Renderer::Pooled,
        config: Arc::new(Config::default()),
        settings: Settings::default(),
    };
    let requests = Requests::as_controller(&ports.connection, &ports.budget, &key.namespace);
    let target = Target::stage_set(&key.namespace, &key.name);
    let object = requests
        .get(&target)
        .await
        .map_err(|failure| CommandError::Refused(failure.to_string()))?
        .ok_or_else(|| CommandError::Refused(format!("there is no StageSet {key}")))?;
    let ready = object["status"]["conditions"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|condition| condition["type"] == "Ready")
        .map(|ready| {
            let text = |field: &str| ready[field].as_str().unwrap_or_default().to_owned();
            Condition {
                status: text("status"),
                reason: text("reason"),
                message: text("message"),
            }
        });
    let (plan, lacking) = Session::inspect(&ports, key.clone(), Arc::new(object)).await;
    // What stops this very look: somebody who sees less than the controller should know. That it would
    // write, or wait, stops nothing.
    let stops = |ready: &Condition| {
        ready.status == "False" && ready.reason != Reason::StageProgressing.as_str()
    };
    let now = plan
        .steps
        .iter()
        .flatten()
        .find_map(|operation| match operation {
            Operation::Record(RecordOperation::Status(status)) => {
                status.condition("Ready").map(Condition::from).filter(stops)
            }
            _ => None,
        });
    Ok(Answer {
        stage_set: key,
        ready,
        now: now.filter(|_| lacking.is_empty()),
        lacking,
    })
}

fn fault(error: &dyn std::fmt::Display) -> CommandError {
    CommandError::Refused(format!("no access to a cluster: {error}"))
}
