//! What can go wrong: a closed set of concrete events, each one line of a replay file.
//!
//! An event stands at a *boundary*, the number of a request. The first kind happens to the request
//! itself, the second to the world just before it.

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

    /// Reads a line of a replay file; the error says what is wrong with it.
    pub fn parse(line: &str) -> Result<Self, String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let text = |word: &str| word.to_owned();
        Ok(match words.as_slice() {
            ["fail", how] => Self::Fail(failing(how)?),
            ["lose-answer"] => Self::Lose,
            ["crash-before"] => Self::CrashBefore,
            ["crash-after"] => Self::CrashAfter,
            ["late", seconds] => Self::Late(number(seconds)?),
            ["stale"] => Self::Stale,
            ["revoke", account, verb, kind] => Self::Revoke(text(account), text(verb), text(kind)),
            ["grant"] => Self::Grant,
            ["remove-account", account] => Self::RemoveAccount(text(account)),
            ["recreate-account", account] => Self::RecreateAccount(text(account)),
            ["deny-deletes"] => Self::DenyDeletes,
            ["allow-deletes"] => Self::AllowDeletes,
            ["reject", kind] => Self::Reject(text(kind)),
            ["accept"] => Self::Accept,
            ["edit", object] => Self::Edit(text(object)),
            ["fight", object, times] => Self::Fight(text(object), number(times)?),
            ["delete", object] => Self::Delete(text(object)),
            ["replace", object] => Self::Replace(text(object)),
            ["unlabel", object] => Self::Unlabel(text(object)),
            ["steal", object] => Self::Steal(text(object)),
            ["hold", object] => Self::Hold(text(object)),
            ["release"] => Self::Release,
            ["keep", object] => Self::Keep(text(object)),
            ["unkeep", object] => Self::Unkeep(text(object)),
            ["forget", object] => Self::Forget(text(object)),
            ["plant", stage] => Self::Plant(number(stage)?),
            ["drop-inventory", stage] => Self::DropInventory(number(stage)?),
            ["source", source, "revision", revision] => {
                let revision: u8 = number(revision)?;
                if !(1..=crate::setup::REVISIONS).contains(&revision) {
                    return Err(format!("revision {revision}: there are 1 to 5"));
                }
                Self::Source(text(source), Offer::Revision(revision))
            }
            ["source", source, offer] => Self::Source(text(source), offered(offer)?),
            ["spec", "drop", stage] => Self::Spec(Edit::Drop(number(stage)?)),
            ["spec", "unprune", stage] => Self::Spec(Edit::Unprune(number(stage)?)),
            ["spec", edit] => Self::Spec(edited(edit)?),
            ["request"] => Self::Request,
            ["delete-stageset"] => Self::DeleteStageSet,
            ["dependency", standing] => Self::Dependency(word_of(
                "standing",
                standing,
                &Standing::ALL,
                Standing::as_str,
            )?),
            ["watch", process, fate] => Self::Watch(
                number(process)?,
                word_of("watch event", fate, &Watch::ALL, Watch::as_str)?,
            ),
            ["abroad", way] => Self::Abroad(word_of("way", way, &Way::ALL, Way::as_str)?),
            ["variable", "absent"] => Self::Variable(None),
            ["variable", value] => {
                let value: u8 = number(value)?;
                if value >= crate::setup::LEVELS {
                    return Err(format!("variable {value}: 0 to 2, or absent"));
                }
                Self::Variable(Some(value))
            }
            ["deaf", times] => Self::Deaf(number(times)?),
            ["replace-anchor"] => Self::Anchor,
            ["neighbour", "revision", revision] => {
                Self::Neighbour(Nearby::Revision(number(revision)?))
            }
            ["neighbour", what] => {
                let mut all = Nearby::ALL.into_iter();
                let found = all.find(|event| event.to_string() == *what);
                Self::Neighbour(found.ok_or_else(|| {
                    format!("unknown {what:?} of a neighbour: deleted, created, revoked, granted, edited, or revision N")
                })?)
            }
            ["close", object] => Self::Close(text(object), true),
            ["reopen", object] => Self::Close(text(object), false),
            ["gate", stage, "open"] => Self::Gate(number(stage)?, true),
            ["gate", stage, "closed"] => Self::Gate(number(stage)?, false),
            ["remove-kind", kind] => Self::RemoveKind(text(kind)),
            ["remove-namespace", namespace] => Self::RemoveNamespace(text(namespace)),
            ["workload", kind, "slow", seconds] => {
                Self::Workload(text(kind), Workload::Slow(number(seconds)?))
            }
            ["workload", kind, "hang"] => Self::Workload(text(kind), Workload::Hang),
            ["workload", kind, "broken"] => Self::Workload(text(kind), Workload::Broken),
            ["mend-workloads"] => Self::MendWorkloads,
            ["jump", seconds] => Self::Jump(number(seconds)?),
            ["skew", process, seconds] => Self::Skew(number(process)?, number(seconds)?),
            ["lag", process, seconds] => Self::Lag(number(process)?, number(seconds)?),
            ["pause", process, seconds] => Self::Pause(number(process)?, number(seconds)?),
            ["second-leader"] => Self::SecondLeader,
            _ => {
                return Err(format!(
                    "unknown event {line:?}, or the wrong number of words for it; docs/trials.md lists them"
                ));
            }
        })
    }
}

fn number<T: std::str::FromStr>(word: &str) -> Result<T, String> {
    word.parse()
        .map_err(|_| format!("{word:?} isn't a number that fits here"))
}

fn failing(word: &str) -> Result<Failing, String> {
    FAILINGS
        .into_iter()
        .find(|failing| failing.to_string() == word)
        .ok_or_else(|| {
            let known: Vec<String> = FAILINGS.iter().map(ToString::to_string).collect();
            format!("unknown failure {word:?}: one of {}", known.join(", "))
        })
}

fn offered(word: &str) -> Result<Offer, String> {
    Ok(match word {
        "not-ready" => Offer::NotReady,
        "absent" => Offer::Absent,
        "no-artifact" => Offer::NoArtifact,
        "broken" => Offer::Broken,
        _ => {
            return Err(format!(
                "unknown offer {word:?}: revision N, not-ready, absent, no-artifact, broken"
            ));
        }
    })
}

fn word_of<T: Copy>(
    what: &str,
    word: &str,
    all: &[T],
    as_str: fn(T) -> &'static str,
) -> Result<T, String> {
    let found = all.iter().find(|each| as_str(**each) == word);
    found.copied().ok_or_else(|| {
        let known: Vec<&str> = all.iter().map(|each| as_str(*each)).collect();
        format!("unknown {what} {word:?}: one of {}", known.join(", "))
    })
}

fn edited(word: &str) -> Result<Edit, String> {
    Ok(match word {
        "reverse" => Edit::Reverse,
        "suspend" => Edit::Suspend,
        "invalid" => Edit::Invalid,
        "plain" => Edit::Plain,
        _ => {
            return Err(format!(
                "unknown edit {word:?}: drop N, unprune N, reverse, suspend, invalid, plain"
            ));
        }
    })
}

impl fmt::Display for Failing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "{code}"),
            Self::Timeout => f.write_str("timeout"),
            Self::Reset => f.write_str("reset"),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fail(how) => write!(f, "fail {how}"),
            Self::Lose => f.write_str("lose-answer"),
            Self::CrashBefore => f.write_str("crash-before"),
            Self::CrashAfter => f.write_str("crash-after"),
            Self::Late(seconds) => write!(f, "late {seconds}"),
            Self::Stale => f.write_str("stale"),
            Self::Revoke(account, verb, kind) => write!(f, "revoke {account} {verb} {kind}"),
            Self::Grant => f.write_str("grant"),
            Self::RemoveAccount(account) => write!(f, "remove-account {account}"),
            Self::RecreateAccount(account) => write!(f, "recreate-account {account}"),
            Self::DenyDeletes => f.write_str("deny-deletes"),
            Self::AllowDeletes => f.write_str("allow-deletes"),
            Self::Reject(kind) => write!(f, "reject {kind}"),
            Self::Accept => f.write_str("accept"),
            Self::Edit(object) => write!(f, "edit {object}"),
            Self::Fight(object, times) => write!(f, "fight {object} {times}"),
            Self::Delete(object) => write!(f, "delete {object}"),
            Self::Replace(object) => write!(f, "replace {object}"),
            Self::Unlabel(object) => write!(f, "unlabel {object}"),
            Self::Steal(object) => write!(f, "steal {object}"),
            Self::Hold(object) => write!(f, "hold {object}"),
            Self::Release => f.write_str("release"),
            Self::Keep(object) => write!(f, "keep {object}"),
            Self::Unkeep(object) => write!(f, "unkeep {object}"),
            Self::Forget(object) => write!(f, "forget {object}"),
            Self::Plant(stage) => write!(f, "plant {stage}"),
            Self::DropInventory(stage) => write!(f, "drop-inventory {stage}"),
            Self::Source(source, offer) => match offer {
                Offer::Revision(revision) => write!(f, "source {source} revision {revision}"),
                Offer::NotReady => write!(f, "source {source} not-ready"),
                Offer::Absent => write!(f, "source {source} absent"),
                Offer::NoArtifact => write!(f, "source {source} no-artifact"),
                Offer::Broken => write!(f, "source {source} broken"),
            },
            Self::Spec(edit) => match edit {
                Edit::Drop(stage) => write!(f, "spec drop {stage}"),
                Edit::Unprune(stage) => write!(f, "spec unprune {stage}"),
                Edit::Reverse => f.write_str("spec reverse"),
                Edit::Suspend => f.write_str("spec suspend"),
                Edit::Invalid => f.write_str("spec invalid"),
                Edit::Plain => f.write_str("spec plain"),
            },
            Self::Request => f.write_str("request"),
            Self::DeleteStageSet => f.write_str("delete-stageset"),
            Self::Dependency(standing) => write!(f, "dependency {}", standing.as_str()),
            Self::Watch(process, fate) => write!(f, "watch {process} {}", fate.as_str()),
            Self::Abroad(way) => write!(f, "abroad {}", way.as_str()),
            Self::Variable(None) => f.write_str("variable absent"),
            Self::Variable(Some(value)) => write!(f, "variable {value}"),
            Self::Deaf(times) => write!(f, "deaf {times}"),
            Self::Anchor => f.write_str("replace-anchor"),
            Self::Neighbour(event) => write!(f, "neighbour {event}"),
            Self::Close(object, true) => write!(f, "close {object}"),
            Self::Close(object, false) => write!(f, "reopen {object}"),
            Self::Gate(stage, true) => write!(f, "gate {stage} open"),
            Self::Gate(stage, false) => write!(f, "gate {stage} closed"),
            Self::RemoveKind(kind) => write!(f, "remove-kind {kind}"),
            Self::RemoveNamespace(namespace) => write!(f, "remove-namespace {namespace}"),
            Self::Workload(kind, workload) => match workload {
                Workload::Slow(seconds) => write!(f, "workload {kind} slow {seconds}"),
                Workload::Hang => write!(f, "workload {kind} hang"),
                Workload::Broken => write!(f, "workload {kind} broken"),
            },
            Self::MendWorkloads => f.write_str("mend-workloads"),
            Self::Jump(seconds) => write!(f, "jump {seconds}"),
            Self::Skew(process, seconds) => write!(f, "skew {process} {seconds}"),
            Self::Lag(process, seconds) => write!(f, "lag {process} {seconds}"),
            Self::Pause(process, seconds) => write!(f, "pause {process} {seconds}"),
            Self::SecondLeader => f.write_str("second-leader"),
        }
    }
}
