//! A webhook that runs: its server and whoever sees to its certificate.

use stageset_cluster::{Clock, Connection, RequestIdentity};
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use super::certificates::configuration::Configuration;
use super::certificates::files::Files;
use super::certificates::issue::service_names;
use super::certificates::self_signed::{Keeper, MISSING};
use super::server::Server;
use super::tls::Serving;
use crate::flags::CertificateSource;
use crate::http::Readiness;
use crate::metrics::Metrics;

/// What a webhook needs of the process around it.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The cluster, for certificates of our own making.
    pub connection: Connection,
    /// What time it is.
    pub clock: Clock,
    /// Counts.
    pub metrics: Metrics,
    /// The controller's own namespace.
    pub namespace: String,
    /// This replica's name.
    pub instance: String,
}

/// A webhook that runs.
#[derive(Debug)]
pub struct Running {
    readiness: Readiness,
    stop: oneshot::Sender<()>,
    server: JoinHandle<()>,
    certificates: JoinHandle<()>,
}

impl Running {
    /// Serves on the socket as soon as there is a certificate.
    ///
    /// # Errors
    /// When the TLS library has none of our protocol versions.
    pub fn start(
        listener: TcpListener,
        certificate: &CertificateSource,
        surroundings: Surroundings,
    ) -> Result<Self, rustls::Error> {
        let Surroundings {
            connection,
            clock,
            metrics,
            namespace,
            instance,
        } = surroundings;
        let serving = Serving::default();
        let (missing, readiness) = watch::channel(vec![MISSING.to_owned()]);
        let server = Server::new(listener, serving.clone(), metrics.clone())?;
        let certificates = match certificate {
            CertificateSource::Files(folder) => {
                let files = Files {
                    folder: folder.clone(),
                    metrics,
                    serving,
                    missing,
                };
                tokio::spawn(async move { match files.run().await {} })
            }
            CertificateSource::SelfSigned(wanted) => {
                let of = wanted
                    .service_namespace
                    .as_ref()
                    .map_or(namespace.as_str(), |namespace| namespace.as_str());
                let client = connection.client(RequestIdentity::Controller);
                let keeper = Keeper {
                    configuration: Configuration::new(client, wanted.configuration.clone()),
                    names: service_names(&wanted.service_name, of),
                    validity: wanted.validity,
                    owner: instance,
                    clock,
                    metrics,
                    serving,
                    missing,
                };
                tokio::spawn(async move { match keeper.run().await {} })
            }
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let server = tokio::spawn(server.serve(async {
            // A dropped sender stops it as well.
            let _ = stopped.await;
        }));
        Ok(Self {
            readiness,
            stop,
            server,
            certificates,
        })
    }

    /// What is missing before it can be called; empty = nothing.
    pub fn readiness(&self) -> Readiness {
        self.readiness.clone()
    }

    /// Lets open requests finish, within bounds.
    pub async fn stop(self) {
        self.certificates.abort();
        if self.stop.send(()).is_ok() {
            // Its end is all that is waited for; a panic was reported by the runtime.
            let _ = self.server.await;
        }
    }
}
