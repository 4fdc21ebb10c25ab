//! The request log: what was asked of the server, as whom, and what came of it. Written by the
//! server's side of each level; checkers read nothing else but this and the cluster itself.

use std::fmt;

use stageset_core::object::ObjectKey;
use stageset_core::time::Timestamp;

use crate::event::Event;

/// An object as it stands in the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sight {
    /// `metadata.uid`.
    pub uid: String,
    /// What its annotation [`crate::setup::CONTENT`] says.
    pub content: String,
    /// `namespace/name` of the StageSet that its labels name.
    pub owner: Option<String>,
    /// A deletion was asked for.
    pub deleting: bool,
    /// Whether it is ready by the kstatus rules.
    pub ready: bool,
    /// `stages.metio.wtf/prune: disabled`.
    pub keep: bool,
    /// Fields of a former manager (`kubectl apply`) are left that aren't ours.
    pub legacy: bool,
}

/// What an action does to the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// Sends a request.
    Send,
    /// Patches an object.
    Patch,
    /// Deletes an object.
    Delete,
    /// Applies transient objects.
    Apply,
    /// Creates Jobs.
    CreateJobs,
    /// Deletes Jobs that have had their say.
    DeleteJobs,
}

impl Doing {
    /// The verbs that RBAC knows it by. `new`: it makes something that wasn't there, for which an apply
    /// takes a right more.
    pub const fn verbs(self, new: bool) -> &'static [&'static str] {
        match self {
            Self::Send => &[],
            Self::Patch => &["patch"],
            Self::Apply if !new => &["patch"],
            Self::Delete | Self::DeleteJobs => &["delete"],
            Self::Apply => &["patch", "create"],
            Self::CreateJobs => &["create"],
        }
    }
}

/// Something that an action did, or tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// Whose action.
    pub stage: String,
    /// Which.
    pub action: String,
    /// What its completion is recorded for.
    pub key: String,
    /// What it does.
    pub doing: Doing,
    /// To objects of this kind.
    pub kind: String,
}

/// As whom.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// The controller as itself.
    Controller,
    /// An impersonated user.
    User(String),
    /// Nobody: a download without credentials.
    Anonymous,
    /// Something that the run did to the world.
    World,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// An account was read; its uid if it exists.
    Account(String, Option<String>),
    /// The StageSet's namespace was read.
    Namespace,
    /// The inventories were listed.
    Inventories,
    /// A source was read; the revision that it offered.
    Source(String, Option<u8>),
    /// The StageSet that this one depends on was read: whether it is ready.
    Dependency(bool),
    /// The StageLedger was read.
    Ledger,
    /// The ConfigMap with the variable was read: its value.
    Variables(Option<u8>),
    /// An account's rights were asked for.
    Review,
    /// An action looked at an object.
    Look(ObjectKey),
    /// An action did something.
    Act(Act),
    /// Fields of a former manager were taken over: before and after.
    TakeOver(ObjectKey, Option<Sight>, Option<Sight>),
    /// A write of the ledger: what is done, in words.
    LedgerWrite(String),
    /// The lease was written: who holds it then.
    Lease(String),
    /// Discovery.
    Kind(String),
    /// A download.
    Fetch,
    /// A dry run of an apply, and what it showed of the object as it stands.
    DryRun(ObjectKey, Option<Sight>),
    /// A read, and what it showed.
    Get(ObjectKey, Option<Sight>),
    /// An apply: before and after.
    Apply(ObjectKey, Option<Sight>, Option<Sight>),
    /// A deletion, with the uid that it was limited to.
    Delete(ObjectKey, Option<Sight>, Option<String>),
    /// Our finalizer was put on (true) or taken off.
    Finalizer(bool),
    /// A write of the status: all its texts.
    Status(String),
    /// A write of an inventory: the entries before and after.
    Inventory(String, Vec<ObjectKey>, Vec<ObjectKey>),
    /// An event told people something.
    Announce(String, String),
    /// A request about another tenant's release, or as one: method and path, and whether it is as it should be.
    Neighbour(String, bool),
    /// Another request of the controller: method and path.
    Other(String),
    /// Not a request: what the run did.
    World(Event),
    /// Not a request: faults end here, the second act begins.
    Healed,
}

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Which request boundary.
    pub number: u64,
    /// The true time.
    pub at: Timestamp,
    /// When the request set out: a process may stand still with one under way.
    pub began: Timestamp,
    /// Which process.
    pub process: usize,
    /// Which life of the process: a restarted one remembers nothing.
    pub life: u32,
    /// As whom.
    pub who: Who,
    /// What.
    pub what: What,
    /// HTTP status that the server answered with; 0 when it didn't get to answer.
    pub code: u16,
    /// Whether the process got the answer.
    pub delivered: bool,
    /// Whether something changed.
    pub effect: bool,
    /// Whether it was asked of the remote cluster.
    pub abroad: bool,
    /// For writes of our own records, and for deletions of objects at level core: the version that it was
    /// based on, and the one that stood.
    pub versions: Option<(Option<u64>, u64)>,
    /// What happened before this boundary, the process had been told by its watches when it began the
    /// pass that the request belongs to. At level wire nobody keeps that.
    pub heard: Option<u64>,
}

impl Entry {
    /// A request of a process that went well and was answered.
    pub fn succeeded(&self) -> bool {
        self.delivered && (200..300).contains(&self.code)
    }

    /// The object of a request to the tenant's world.
    pub fn tenant_key(&self) -> Option<&ObjectKey> {
        match &self.what {
            What::DryRun(key, _)
            | What::Get(key, _)
            | What::Look(key)
            | What::TakeOver(key, ..)
            | What::Apply(key, ..)
            | What::Delete(key, ..) => Some(key),
            _ => None,
        }
    }

    /// Whether it is a request to the tenant's world, or one that only a tenant may make.
    pub fn is_tenants(&self) -> bool {
        self.tenant_key().is_some()
            || matches!(self.what, What::Act(_) | What::Variables(_) | What::Review)
            || matches!((&self.who, &self.what), (Who::User(_), What::Kind(_)))
    }

    /// The verb that RBAC knows it by.
    pub fn verb(&self) -> &'static str {
        match &self.what {
            What::DryRun(..) | What::Apply(..) | What::TakeOver(..) => "patch",
            What::Delete(..) => "delete",
            _ => "get",
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Controller => "controller",
            Self::User(user) => user.rsplit(':').next().unwrap_or(user),
            Self::Anonymous => "anonymous",
            Self::World => "world",
        })
    }
}

struct Seen<'a>(&'a Option<Sight>);

impl fmt::Display for Seen<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(sight) = self.0 else {
            return f.write_str("nothing");
        };
        write!(f, "{} {}", sight.uid, sight.content)?;
        if let Some(owner) = &sight.owner {
            write!(f, " of {owner}")?;
        }
        for (says, word) in [
            (sight.ready, " ready"),
            (sight.deleting, " deleting"),
            (sight.keep, " keep"),
            (sight.legacy, " legacy"),
        ] {
            if says {
                f.write_str(word)?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(name, Some(uid)) => write!(f, "read account {name}: {uid}"),
            Self::Account(name, None) => write!(f, "read account {name}: absent"),
            Self::Namespace => f.write_str("read the namespace"),
            Self::Inventories => f.write_str("list inventories"),
            Self::Source(name, Some(revision)) => write!(f, "read source {name}: {revision}"),
            Self::Source(name, None) => write!(f, "read source {name}: nothing usable"),
            Self::Dependency(ready) => write!(f, "read the dependency: ready {ready}"),
            Self::Ledger => f.write_str("read the ledger"),
            Self::Variables(Some(level)) => write!(f, "read the variables: {level}"),
            Self::Variables(None) => f.write_str("read the variables: nothing"),
            Self::Review => f.write_str("review rights"),
            Self::Look(key) => write!(f, "look at {key}"),
            Self::Act(act) => write!(
                f,
                "action {}/{} for {}: {:?} {}",
                act.stage, act.action, act.key, act.doing, act.kind
            ),
            Self::TakeOver(key, before, after) => {
                write!(f, "take over {key}: {} -> {}", Seen(before), Seen(after))
            }
            Self::Lease(holder) => write!(f, "lease: {holder}"),
            Self::LedgerWrite(text) => write!(f, "ledger: {text}"),
            Self::Kind(kind) => write!(f, "discover {kind}"),
            Self::Fetch => f.write_str("download"),
            Self::DryRun(key, sight) => write!(f, "dry run of {key}; it is {}", Seen(sight)),
            Self::Get(key, sight) => write!(f, "get {key}: {}", Seen(sight)),
            Self::Apply(key, before, after) => {
                write!(f, "apply {key}: {} -> {}", Seen(before), Seen(after))
            }
            Self::Delete(key, before, uid) => write!(
                f,
                "delete {key} (uid {}): it was {}",
                uid.as_deref().unwrap_or("any"),
                Seen(before)
            ),
            Self::Finalizer(true) => f.write_str("add the finalizer"),
            Self::Finalizer(false) => f.write_str("remove the finalizer"),
            Self::Status(text) => write!(f, "status: {text}"),
            Self::Inventory(stage, before, after) => write!(
                f,
                "inventory of {stage}: {} -> {} objects",
                before.len(),
                after.len()
            ),
            Self::Announce(reason, message) => write!(f, "event {reason}: {message}"),
            Self::Neighbour(path, true) => write!(f, "the neighbour's: {path}"),
            Self::Neighbour(path, false) => write!(f, "the neighbour's, mixed up: {path}"),
            Self::Other(path) => f.write_str(path),
            Self::World(event) => write!(f, "{event}"),
            Self::Healed => f.write_str("all faults end; from here on it must converge"),
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:>4} {}",
            self.number,
            self.at.as_millis() % 1_000_000_000
        )?;
        if self.who == Who::World {
            return write!(f, " *** {}", self.what);
        }
        write!(
            f,
            " p{}.{} {:<10} {} {}",
            self.process, self.life, self.who, self.code, self.what
        )?;
        if !self.delivered {
            f.write_str(" [no answer]")?;
        }
        if self.effect {
            f.write_str(" [changed]")?;
        }
        Ok(())
    }
}
