//! `tls.crt` and `tls.key` in a folder, renewed by somebody else, such as cert-manager.
//!
//! Looked at every few seconds rather than watched: a mounted Secret changes by a swap of links, and
//! a folder that doesn't exist yet can't be watched.

use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use super::super::tls::{Serving, Unusable};
use super::self_signed::MISSING;
use crate::metrics::Metrics;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(5);
/// Least time between two lines that say the same.
const LOG_PAUSE: Duration = Duration::from_secs(30);

/// Serves what the files hold.
#[derive(Debug)]
pub struct Files {
    /// Where they are.
    pub folder: PathBuf,
    /// Failures are counted.
    pub metrics: Metrics,
    /// Where the certificate is served from.
    pub serving: Serving,
    /// What this replica waits for.
    pub missing: watch::Sender<Vec<String>>,
}

#[derive(Debug, thiserror::Error)]
enum FilesError {
    #[error("{} can't be read: {error}", file.display())]
    Read {
        file: PathBuf,
        #[source]
        error: io::Error,
    },
    #[error("{}: {error}", folder.display())]
    Use {
        folder: PathBuf,
        #[source]
        error: Unusable,
    },
}

impl Files {
    /// Runs until it is dropped.
    pub async fn run(self) -> Infallible {
        let mut served = None;
        let mut told: Option<(String, Instant)> = None;
        loop {
            match self.look(&mut served) {
                Ok(()) => told = None,
                Err(error) => {
                    let text = error.to_string();
                    let new = told
                        .as_ref()
                        .is_none_or(|(last, at)| *last != text || at.elapsed() >= LOG_PAUSE);
                    if new {
                        self.metrics.webhook_renewal_failed();
                        warn!(%error, "webhook: the certificate could not be loaded");
                        told = Some((text.clone(), Instant::now()));
                    }
                    if served.is_none() {
                        self.missing
                            .send_replace(vec![format!("{MISSING}: {text}")]);
                    }
                }
            }
            sleep(LOOK).await;
        }
    }

    fn look(&self, served: &mut Option<(Vec<u8>, Vec<u8>)>) -> Result<(), FilesError> {
        let pair = (
            read(&self.folder, "tls.crt")?,
            read(&self.folder, "tls.key")?,
        );
        if served.as_ref() == Some(&pair) {
            return Ok(());
        }
        // A pair that is only half exchanged is refused here and fits at the next look.
        self.serving
            .serve(&pair.0, &pair.1)
            .map_err(|error| FilesError::Use {
                folder: self.folder.clone(),
                error,
            })?;
        info!(folder = %self.folder.display(), "webhook: serving the certificate in the folder");
        *served = Some(pair);
        self.missing.send_replace(Vec::new());
        Ok(())
    }
}

fn read(folder: &Path, name: &str) -> Result<Vec<u8>, FilesError> {
    let file = folder.join(name);
    std::fs::read(&file).map_err(|error| FilesError::Read { file, error })
}
