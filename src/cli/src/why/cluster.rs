//! The same of a cluster: the production driver gathers and decides as the controller would, as the
//! person who asks, and performs nothing.

use std::sync::Arc;

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

use super::Answer;
use crate::error::CommandError;

/// Asks a cluster about one StageSet.
///
/// # Errors
/// [`CommandError::Refused`] if it can't be reached, or there is no such StageSet.
pub(super) fn ask(namespace: Option<&str>, name: &str) -> Result<Answer, CommandError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| fault(&error))?;
    runtime.block_on(answer(namespace, name))
}

async fn answer(namespace: Option<&str>, name: &str) -> Result<Answer, CommandError> {
    let config = kube::Config::infer().await.map_err(|error| fault(&error))?;
    let key = StageSetKey {
        namespace: namespace.unwrap_or(&config.default_namespace).to_owned(),
        name: name.to_owned(),
    };
    let policy = AddressPolicy::default();
    let remotes = Remotes::new(DialRemote::new(policy.clone()), Allowed::default());
    let ports = Ports {
        connection: Connection::from_config(&config).map_err(|error| fault(&error))?,
        budget: Budget::default(),
        artifacts: Arc::new(HttpArtifacts::new(policy.clone()).map_err(|error| fault(&error))?),
        // Nothing is performed, so nothing is ever sent by it.
        hooks: Arc::new(
            HttpHooks::new(AllowedHosts::default(), policy).map_err(|error| fault(&error))?,
        ),
        clock: Clock::system(),
        discovery: Arc::new(Discovery::new()),
        remotes: Arc::new(remotes),
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
            (text("status"), text("reason"), text("message"))
        });
    let (_, lacking) = Session::new(key.clone())
        .inspect(&ports, Arc::new(object))
        .await;
    Ok(Answer {
        stage_set: key,
        ready,
        lacking,
    })
}

fn fault(error: &dyn std::fmt::Display) -> CommandError {
    CommandError::Refused(format!("no access to a cluster: {error}"))
}
