//! What will happen later: an agenda ordered by time, and by the order of asking within one
//! instant. The server has no clock of its own; whoever drives it says what time it is.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::{kinds::StoreKey, request::SubscriptionId};

/// Something the server does by itself at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Job {
    /// Look for objects whose owners are gone.
    CollectGarbage,
    /// Take the next step in a namespace's life.
    Namespace(String),
    /// Accept and establish a CRD.
    EstablishCrd(String),
    /// Delete the objects of a CRD that is going, then the CRD.
    FinalizeCrd(String),
    /// Count what a namespace's quotas limit.
    CountQuota(String),
    /// Recompute aggregated cluster roles.
    AggregateRoles,
    /// A workload's script is due; stale if the object changed its uid.
    Workload {
        table: StoreKey,
        key: String,
        uid: String,
    },
    /// A pod's grace period is over.
    RemovePod { key: String, uid: String },
    /// End of a watch's `timeoutSeconds`.
    CloseWatch(SubscriptionId),
    /// Send a bookmark.
    Bookmark(SubscriptionId),
}

/// The agenda.
#[derive(Clone, Debug, Default)]
pub(crate) struct Agenda {
    jobs: BTreeMap<(Timestamp, u64), Job>,
    asked: u64,
}

impl Agenda {
    /// The same without what concerns watches.
    pub(crate) fn unwatched(&self) -> Self {
        let mut agenda = self.clone();
        agenda
            .jobs
            .retain(|_, job| !matches!(job, Job::CloseWatch(_) | Job::Bookmark(_)));
        agenda
    }

    pub(crate) fn add(&mut self, at: Timestamp, job: Job) {
        self.asked += 1;
        self.jobs.insert((at, self.asked), job);
    }

    /// Adds a job unless the same one already waits.
    pub(crate) fn add_once(&mut self, at: Timestamp, job: Job) {
        if !self.jobs.values().any(|waiting| *waiting == job) {
            self.add(at, job);
        }
    }

    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.jobs.keys().next().map(|(at, _)| *at)
    }

    pub(crate) fn pop_due(&mut self, now: Timestamp) -> Option<(Timestamp, Job)> {
        let entry = self
            .jobs
            .first_entry()
            .filter(|entry| entry.key().0 <= now)?;
        let ((at, _), job) = entry.remove_entry();
        Some((at, job))
    }

    /// Takes off what has been done ahead of its time.
    pub(crate) fn done(&mut self, job: &Job) {
        self.jobs.retain(|_, waiting| waiting != job);
    }

    /// Forgets the jobs of a watch that ended.
    pub(crate) fn forget_watch(&mut self, id: SubscriptionId) {
        self.jobs
            .retain(|_, job| !matches!(job, Job::CloseWatch(i) | Job::Bookmark(i) if *i == id));
    }
}

/// How long the server's own controllers take. All in virtual time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// From the loss of an owner to the deletion of what it owned.
    pub garbage_collection: SignedDuration,
    /// Between the steps of a namespace's life.
    pub namespace: SignedDuration,
    /// From the creation of a CRD to `Established`, and between the steps of its deletion.
    pub crd: SignedDuration,
    /// From the deletion of a running pod to its end.
    pub pod_termination: SignedDuration,
    /// Between the bookmarks of a watch; zero sends none.
    pub bookmarks: SignedDuration,
    /// The longest life of a watch that doesn't say `timeoutSeconds`.
    pub watch: SignedDuration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            garbage_collection: SignedDuration::from_millis(50),
            namespace: SignedDuration::from_millis(50),
            crd: SignedDuration::from_millis(20),
            pod_termination: SignedDuration::from_secs(1),
            bookmarks: SignedDuration::from_secs(60),
            watch: SignedDuration::from_secs(2400),
        }
    }
}

/// Deterministic names and uids: the same seed and the same requests give the same ones.
#[derive(Debug)]
pub(crate) struct Ids {
    seed: u64,
    count: u64,
}

impl Ids {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, count: 0 }
    }

    /// Others from here on, that never meet those given so far.
    pub(crate) fn fork(&self, seed: u64) -> Self {
        Self {
            seed,
            count: self.count,
        }
    }

    fn next(&mut self) -> u64 {
        // SplitMix64: every counter value gives another number.
        self.count += 1;
        let mut z = self
            .seed
            .wrapping_add(self.count.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A UUID of version 4 by its shape.
    pub(crate) fn uid(&mut self) -> String {
        let (a, b) = (self.next(), self.next());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            a >> 32,
            (a >> 16) & 0xffff,
            a & 0xfff,
            0x8000 | ((b >> 48) & 0x3fff),
            b & 0xffff_ffff_ffff
        )
    }

    /// Five characters for `generateName`.
    pub(crate) fn suffix(&mut self) -> String {
        const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
        let mut n = self.next();
        let mut out = String::new();
        for _ in 0..5 {
            let index = usize::try_from(n % ALPHABET.len() as u64).unwrap_or_default();
            out.push(char::from(ALPHABET[index]));
            n /= ALPHABET.len() as u64;
        }
        out
    }

    /// A port in the range that nodes open, `30000-32767`.
    pub(crate) fn node_port(&mut self) -> u64 {
        30_000 + self.next() % 2_768
    }

    /// An address in the service range `10.96.0.0/12`.
    pub(crate) fn cluster_ip(&mut self) -> String {
        let n = self.next();
        format!(
            "10.{}.{}.{}",
            96 + (n & 0xf),
            (n >> 8) & 0xff,
            1 + ((n >> 16) % 254)
        )
    }
}
