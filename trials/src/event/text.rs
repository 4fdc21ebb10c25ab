//! Events as replay files write them: one line each.

use std::fmt;

use super::{Edit, Event, FAILINGS, Failing, Nearby, Offer, Standing, Watch, Way, Workload};

impl Event {
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
            ["again", stage] => Self::Again(number(stage)?),
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
        "successor" => Edit::Successor,
        "rename" => Edit::Rename,
        "swap" => Edit::Swap,
        "plain" => Edit::Plain,
        _ => {
            return Err(format!(
                "unknown edit {word:?}: drop N, unprune N, reverse, suspend, invalid, successor, rename, \
                 swap, plain"
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
                Edit::Successor => f.write_str("spec successor"),
                Edit::Rename => f.write_str("spec rename"),
                Edit::Swap => f.write_str("spec swap"),
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
            Self::Again(stage) => write!(f, "again {stage}"),
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
