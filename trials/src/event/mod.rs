//! What can go wrong: a closed set of concrete events, each one line of a replay file.
//!
//! An event stands at a *boundary*, the number of a request. The first kind happens to the request
//! itself, the second to the world just before it.

mod text;

use std::fmt;

/// How a request fails before it takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failing {
    /// An HTTP status.
    Code(u16),
    /// No answer within the client's patience.
    Timeout,
    /// The connection breaks.
    Reset,
}

/// Everything that requests are failed with.
pub const FAILINGS: [Failing; 10] = [
    Failing::Code(401),
    Failing::Code(403),
    Failing::Code(409),
    Failing::Code(410),
    Failing::Code(422),
    Failing::Code(429),
    Failing::Code(500),
    Failing::Code(503),
    Failing::Timeout,
    Failing::Reset,
];

/// The verbs that rights are taken away for.
pub const VERBS: [&str; 4] = ["get", "create", "patch", "delete"];

/// What a source says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Offer {
    /// Ready, with this revision.
    Revision(u8),
    /// Not ready; the artifact of before is still there.
    NotReady,
    /// No such object.
    Absent,
    /// Ready, without an artifact.
    NoArtifact,
    /// Ready, and the download fails.
    Broken,
}

/// How the StageSet stands that this one depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Ready.
    Ready,
    /// Not ready.
    NotReady,
    /// Changed, and not looked at yet.
    Stale,
    /// Being deleted.
    Deleting,
    /// Not there.
    Absent,
}

impl Standing {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Ready,
        Self::NotReady,
        Self::Stale,
        Self::Deleting,
        Self::Absent,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::NotReady => "not-ready",
            Self::Stale => "stale",
            Self::Deleting => "deleting",
            Self::Absent => "absent",
        }
    }
}

/// What becomes of the next event of a watch (level wire).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Watch {
    /// It goes by while the connection is broken, and the server doesn't know it any more.
    Missed,
    /// It comes twice.
    Repeated,
    /// The one after it overtakes it.
    Reordered,
    /// The server has forgotten where the watch stood: 410.
    Expired,
    /// The connection ends after it.
    Closed,
}

impl Watch {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Missed,
        Self::Repeated,
        Self::Reordered,
        Self::Expired,
        Self::Closed,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Missed => "missed",
            Self::Repeated => "repeated",
            Self::Reordered => "reordered",
            Self::Expired => "expired",
            Self::Closed => "closed",
        }
    }
}

/// What becomes of the kubeconfig of the remote cluster (level wire).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// It stands in its Secret.
    Present,
    /// The Secret is gone.
    Absent,
    /// The Secret holds something else.
    Broken,
    /// The cluster that it names doesn't answer.
    Silent,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Present, Self::Absent, Self::Broken, Self::Silent];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::Absent => "absent",
            Self::Broken => "broken",
            Self::Silent => "silent",
        }
    }
}

/// What the user does to the spec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Edit {
    /// Takes a stage out.
    Drop(usize),
    /// Sets `prune: false` on a stage.
    Unprune(usize),
    /// Turns the order of the stages round.
    Reverse,
    /// Sets `suspend`.
    Suspend,
    /// Breaks a rule.
    Invalid,
    /// Has the release delivered as its other account.
    Successor,
    /// Gives the first stage another name, or its own back.
    Rename,
    /// Has the first two stages swap their names.
    Swap,
    /// Puts everything back.
    Plain,
}

/// What becomes of workloads of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Workload {
    /// Ready after so many seconds.
    Slow(u64),
    /// Never ready, and says nothing of it.
    Hang,
    /// Says that it has failed.
    Broken,
}

/// What becomes of another tenant's release (level wire).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Nearby {
    /// Its source offers this.
    Revision(u8),
    /// Its StageSet is deleted.
    Deleted,
    /// It is created anew.
    Created,
    /// Its account loses all rights.
    Revoked,
    /// It gets them back.
    Granted,
    /// Somebody changes an object of its.
    Edited,
}

impl Nearby {
    /// One of each.
    pub const ALL: [Self; 6] = [
        Self::Revision(2),
        Self::Deleted,
        Self::Created,
        Self::Revoked,
        Self::Granted,
        Self::Edited,
    ];
}

impl fmt::Display for Nearby {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Revision(revision) => write!(f, "revision {revision}"),
            Self::Deleted => f.write_str("deleted"),
            Self::Created => f.write_str("created"),
            Self::Revoked => f.write_str("revoked"),
            Self::Granted => f.write_str("granted"),
            Self::Edited => f.write_str("edited"),
        }
    }
}

/// Something that happens.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    // to the request at this boundary
    /// It fails without an effect.
    Fail(Failing),
    /// It takes effect; its answer is lost.
    Lose,
    /// The process dies before it takes effect.
    CrashBefore,
    /// The process dies after it took effect, before the answer.
    CrashAfter,
    /// Its answer comes so many seconds late; what follows at this boundary happens meanwhile.
    Late(u64),
    /// A read is answered from an earlier state.
    Stale,

    // to the world, before this boundary
    /// An account loses a right.
    Revoke(String, String, String),
    /// All rights are given back.
    Grant,
    /// An account is deleted.
    RemoveAccount(String),
    /// An account is deleted and created anew.
    RecreateAccount(String),
    /// An admission webhook denies every DELETE.
    DenyDeletes,
    /// It is gone again.
    AllowDeletes,
    /// Admission refuses writes of a kind.
    Reject(String),
    /// It accepts them again.
    Accept,
    /// Somebody changes a field of ours.
    Edit(String),
    /// Another manager changes a field of ours after each of our next writes, so many times.
    Fight(String, u64),
    /// Somebody deletes an object.
    Delete(String),
    /// Somebody deletes an object and creates one of his own in its place.
    Replace(String),
    /// Somebody takes our labels off.
    Unlabel(String),
    /// Another StageSet's labels appear on it.
    Steal(String),
    /// A foreign finalizer holds it.
    Hold(String),
    /// The foreign finalizers are gone.
    Release,
    /// Somebody asks for it to be kept (`prune: disabled`).
    Keep(String),
    /// And takes that back, as the condition says.
    Unkeep(String),
    /// Somebody takes its entry out of the inventory.
    Forget(String),
    /// Somebody writes the entry of a foreign object into the inventory of a stage.
    Plant(usize),
    /// Somebody deletes the inventory of a stage.
    DropInventory(usize),
    /// A source changes.
    Source(String, Offer),
    /// The user edits the spec.
    Spec(Edit),
    /// The user asks for a reconciliation.
    Request,
    /// The user deletes the StageSet.
    DeleteStageSet,
    /// The StageSet that this one depends on changes.
    Dependency(Standing),
    /// Something becomes of the next event of a process's watches.
    Watch(usize, Watch),
    /// Something becomes of the way to the remote cluster.
    Abroad(Way),
    /// The variable gets a value, or its ConfigMap goes.
    Variable(Option<u8>),
    /// Who gets the requests of actions refuses so many of them.
    Deaf(u64),
    /// Somebody replaces the object that witnesses a completion.
    Anchor,
    /// The user asks for the actions of a stage once more.
    Again(usize),
    /// The object that a stage waits for is there, or goes.
    Gate(usize, bool),
    /// Something becomes of another tenant's release.
    Neighbour(Nearby),
    /// Somebody says of an object what an expression waits for (or takes it back).
    Close(String, bool),
    /// A CustomResourceDefinition is deleted, and all its objects with it.
    RemoveKind(String),
    /// A namespace is deleted, and all that is in it.
    RemoveNamespace(String),
    /// Workloads of a kind behave like this from their next change on.
    Workload(String, Workload),
    /// All workloads get ready as usual.
    MendWorkloads,
    /// The wall clock jumps ahead by so many seconds.
    Jump(u64),
    /// The clock of a process is off by so many seconds from now on.
    Skew(usize, i64),
    /// The watches of a process tell nothing for so many seconds.
    Lag(usize, u64),
    /// A process stands still for so many seconds.
    Pause(usize, u64),
    /// Another process takes itself for the leader too.
    SecondLeader,
}

impl Event {
    /// Whether it happens to the request rather than to the world.
    pub fn is_of_request(&self) -> bool {
        matches!(
            self,
            Self::Fail(_)
                | Self::Lose
                | Self::CrashBefore
                | Self::CrashAfter
                | Self::Late(_)
                | Self::Stale
        )
    }
}
