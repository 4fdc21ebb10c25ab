//! The flags by which kubectl says which cluster, which namespace, and as whom.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use kube::config::{KubeConfigOptions, Kubeconfig};

use super::{Cluster, ClusterError, chain};
use crate::arguments::positive_duration;

/// Which cluster, which namespace, as whom.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Connection")]
pub struct ConnectionFlags {
    /// The kubeconfig (default: KUBECONFIG, then ~/.kube/config, then the pod's own account).
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig.
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// The namespace (default: the context's).
    #[arg(short = 'n', long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// Act as this user.
    #[arg(long = "as", value_name = "USER")]
    pub as_user: Option<String>,
    /// Act as a member of this group; with --as. May be given more than once.
    #[arg(long = "as-group", value_name = "GROUP", requires = "as_user")]
    pub as_group: Vec<String>,
    /// A bearer token instead of the kubeconfig's credentials.
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<String>,
    /// The API server's address instead of the kubeconfig's.
    #[arg(long, value_name = "URL")]
    pub server: Option<String>,
    /// Longest wait for one answer (default: none).
    #[arg(long, value_name = "DURATION", value_parser = positive_duration)]
    pub request_timeout: Option<Duration>,
}

impl ConnectionFlags {
    /// Connects. Nothing is sent yet.
    ///
    /// # Errors
    /// [`ClusterError::Config`].
    pub async fn connect(&self) -> Result<Cluster, ClusterError> {
        let unusable = |error: &dyn std::error::Error| ClusterError::Config(chain(error));
        let options = KubeConfigOptions {
            context: self.context.clone(),
            ..KubeConfigOptions::default()
        };
        let mut config = match &self.kubeconfig {
            Some(path) => {
                let file = Kubeconfig::read_from(path).map_err(|error| unusable(&error))?;
                let config = kube::Config::from_custom_kubeconfig(file, &options).await;
                config.map_err(|error| unusable(&error))?
            }
            None if self.context.is_some() => {
                let config = kube::Config::from_kubeconfig(&options).await;
                config.map_err(|error| unusable(&error))?
            }
            None => kube::Config::infer()
                .await
                .map_err(|error| unusable(&error))?,
        };
        if let Some(server) = &self.server {
            config.cluster_url = server
                .parse()
                .map_err(|_| ClusterError::Config(format!("--server {server:?} is no address")))?;
        }
        if let Some(token) = &self.token {
            config.auth_info = kube::config::AuthInfo {
                token: Some(token.clone().into()),
                ..kube::config::AuthInfo::default()
            };
        }
        if let Some(user) = &self.as_user {
            config.auth_info.impersonate = Some(user.clone());
            config.auth_info.impersonate_groups =
                (!self.as_group.is_empty()).then(|| self.as_group.clone());
        }
        if let Some(timeout) = self.request_timeout {
            config.read_timeout = Some(timeout);
            config.connect_timeout = Some(timeout);
        }
        let namespace = self
            .namespace
            .clone()
            .filter(|namespace| !namespace.is_empty())
            .unwrap_or_else(|| config.default_namespace.clone());
        let client = kube::Client::try_from(config).map_err(|error| unusable(&error))?;
        Ok(Cluster::new(client, namespace))
    }
}
