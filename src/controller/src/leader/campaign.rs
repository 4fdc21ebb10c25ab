//! Carries an election out: tries, renews, gives up, releases.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::{debug, info, warn};

use super::Term;
use super::election::{Election, Move};
use super::lease::{LeaseError, Leases};

/// Longest wait for one answer, so that one lost request doesn't cost the lease.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);

/// Whether this replica may act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leadership {
    /// Not yet.
    Standby,
    /// Yes.
    Leading,
    /// It did, and may no more: nothing must be written from here on.
    Lost,
}

/// One candidate and its Lease.
#[derive(Debug)]
pub struct Campaign<W> {
    leases: Leases,
    election: Election,
    /// The wall clock as RFC 3339 with microseconds, for people who read the Lease.
    wall: W,
    epoch: Instant,
}

impl<W: Fn() -> String> Campaign<W> {
    /// A candidate of this name for this Lease.
    pub fn new(leases: Leases, identity: impl Into<String>, term: Term, wall: W) -> Self {
        Self {
            leases,
            election: Election::new(identity, term),
            wall,
            epoch: Instant::now(),
        }
    }

    /// Runs until the lease is lost; tells through `leadership` what holds. Dropping the future
    /// stops it without a release; see [`Campaign::release`].
    pub async fn run(&mut self, leadership: &watch::Sender<Leadership>) {
        let mut told: Option<String> = None;
        loop {
            let until = self.election.leads_until();
            let tried = match until {
                // While leading, the attempt itself must not outlast the right to act.
                Some(until) => {
                    let deadline = self.epoch + until;
                    tokio::select! {
                        biased;
                        () = sleep_until(deadline) => None,
                        tried = self.attempt() => Some(tried),
                    }
                }
                None => Some(self.attempt().await),
            };
            match tried {
                Some(Ok(None)) => {
                    told = None;
                    if leadership.send_if_modified(|now| {
                        std::mem::replace(now, Leadership::Leading) != Leadership::Leading
                    }) {
                        info!(identity = self.election.identity(), "leading");
                    }
                }
                Some(Ok(Some(holder))) => {
                    if self.election.leads_until().is_some() {
                        self.election.lost();
                        warn!(
                            holder,
                            "the lease was taken by another replica, which may have let it go"
                        );
                        leadership.send_replace(Leadership::Lost);
                        return;
                    }
                    if told.as_deref() != Some(&holder) {
                        info!(holder, "standing by: another replica leads");
                        told = Some(holder);
                    }
                }
                Some(Err(error)) => debug!(%error, "the lease could not be renewed or acquired"),
                None => {}
            }
            let now = self.epoch.elapsed();
            if self
                .election
                .leads_until()
                .is_some_and(|until| now >= until)
            {
                self.election.lost();
                warn!(
                    "the lease could not be renewed for {} s: stopping before another replica \
                     begins",
                    self.election.term().renewed_within.as_secs()
                );
                leadership.send_replace(Leadership::Lost);
                return;
            }
            let every = self.election.term().tried_every;
            let pause = match self.election.leads_until() {
                Some(until) => every.min(until.saturating_sub(now)),
                None => every,
            };
            sleep(pause).await;
        }
    }

    /// Lets the next replica in at once, if we hold the lease. To be called when nothing of ours
    /// writes any more.
    ///
    /// # Errors
    /// When the Lease could not be written; it then runs out by itself.
    pub async fn release(&mut self) -> Result<(), LeaseError> {
        if self.election.leads_until().is_none() {
            return Ok(());
        }
        self.election.lost();
        let Some(seen) = bounded(self.leases.get()).await? else {
            return Ok(());
        };
        if seen.record.holder == self.election.identity() {
            let record = self.election.released(&seen.record, &(self.wall)());
            bounded(self.leases.replace(&record, &seen.metadata)).await?;
            info!("lease released");
        }
        Ok(())
    }

    /// One try. `None` = we hold the lease; else who does.
    async fn attempt(&mut self) -> Result<Option<String>, LeaseError> {
        let seen = bounded(self.leases.get()).await?;
        let begun = self.epoch.elapsed();
        let written = match self.election.decide(seen, begun, &(self.wall)()) {
            Move::Wait { holder } => return Ok(Some(holder)),
            Move::Create(record) => bounded(self.leases.create(&record)).await?,
            Move::Replace(record, metadata) => {
                bounded(self.leases.replace(&record, &metadata)).await?
            }
        };
        debug!(
            resource_version = written.metadata["resourceVersion"].as_str(),
            "lease written"
        );
        self.election.succeeded(begun);
        Ok(None)
    }
}

async fn bounded<T>(request: impl Future<Output = Result<T, LeaseError>>) -> Result<T, LeaseError> {
    timeout(ANSWER_TIMEOUT, request)
        .await
        .unwrap_or(Err(LeaseError::Timeout(ANSWER_TIMEOUT)))
}
