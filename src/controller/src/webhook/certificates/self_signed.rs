//! Publish, serve, renew: certificates of our own making.
//!
//! An authority is published before its certificate is served, with some seconds in between, since
//! API servers learn of it by a watch. Until the first one is served this replica isn't ready, so
//! that the Service sends nobody here. The authority's place in the bundle is looked after: whoever
//! overwrites the bundle finds it mended half a minute later.

use std::convert::Infallible;
use std::time::Duration;

use stageset_cluster::Clock;
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::{info, warn};

use super::super::tls::{Serving, Unusable};
use super::configuration::{Configuration, ConfigurationError};
use super::issue::{IssueError, Issued, issue};
use crate::metrics::Metrics;

/// How long API servers may take to learn of a change of the bundle.
const GUARD: Duration = Duration::from_secs(5);
/// How often the bundle is looked after.
const CHECK: Duration = Duration::from_secs(30);
/// First and longest pause after a failure.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// What a replica waits for until it serves a certificate.
pub const MISSING: &str = "the webhook's certificate";

/// Keeps a certificate valid and trusted.
#[derive(Debug)]
pub struct Keeper {
    /// Where the authority is published.
    pub configuration: Configuration,
    /// DNS names of the certificate.
    pub names: Vec<String>,
    /// How long a certificate is valid.
    pub validity: Duration,
    /// Who made it: shown to people who look into the bundle.
    pub owner: String,
    /// What time it is.
    pub clock: Clock,
    /// Failures are counted.
    pub metrics: Metrics,
    /// Where the certificate is served from.
    pub serving: Serving,
    /// What this replica waits for.
    pub missing: watch::Sender<Vec<String>>,
}

#[derive(Debug, thiserror::Error)]
enum KeepError {
    #[error("{0}")]
    Issue(#[from] IssueError),
    #[error("{0}")]
    Publish(#[from] ConfigurationError),
    #[error("{0}")]
    Serve(#[from] Unusable),
}

impl Keeper {
    /// Runs until it is dropped.
    pub async fn run(self) -> Infallible {
        let mut serving: Option<Issued> = None;
        let mut pause = RETRY.0;
        loop {
            match self.step(&mut serving).await {
                Ok(()) => {
                    pause = RETRY.0;
                    sleep(CHECK).await;
                }
                Err(error) => {
                    self.metrics.webhook_renewal_failed();
                    warn!(%error, retry_in = ?pause, "webhook: the certificate could not be seen to");
                    if serving.is_none() {
                        self.missing
                            .send_replace(vec![format!("{MISSING}: {error}")]);
                    }
                    sleep(pause).await;
                    pause = (pause * 2).min(RETRY.1);
                }
            }
        }
    }

    /// A certificate where one is due, else a look at the bundle.
    async fn step(&self, serving: &mut Option<Issued>) -> Result<(), KeepError> {
        let now = || self.clock.now();
        if let Some(current) = serving.as_ref().filter(|issued| now() < issued.renew_at) {
            if self
                .configuration
                .trust(&current.authority, None, now)
                .await?
            {
                info!("webhook: put the authority back into the configuration's caBundle");
            }
            return Ok(());
        }
        let next = issue(&self.names, &self.owner, now(), self.validity)?;
        self.configuration.trust(&next.authority, None, now).await?;
        sleep(GUARD).await;
        self.serving
            .serve(next.chain.as_bytes(), next.key.as_bytes())?;
        self.missing.send_replace(Vec::new());
        info!(names = ?self.names, renew_at = %next.renew_at, "webhook: serving a new certificate");
        let retired = serving.replace(next);
        if let (Some(retired), Some(current)) = (retired, serving.as_ref()) {
            // Handshakes that began with the old certificate are over by then.
            sleep(GUARD).await;
            let (ours, retired) = (&current.authority, Some(retired.authority.as_slice()));
            self.configuration.trust(ours, retired, now).await?;
        }
        Ok(())
    }
}
