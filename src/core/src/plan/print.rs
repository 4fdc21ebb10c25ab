//! Plans in words, one line an operation: what is done, to which object, as whom and why.

use std::fmt;

use crate::identity::Target;

use super::{
    ApplyReason, DeleteReason, Event, EventKind, Need, Next, Operation, Plan, Purpose,
    RecordOperation, TenantOperation,
};

impl fmt::Display for ApplyReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create => f.write_str("it doesn't exist"),
            Self::Change(fields) => write!(f, "changes {}", fields.join(", ")),
            Self::Drift { fields, .. } if fields.is_empty() => f.write_str("drift: it was deleted"),
            Self::Drift { fields, by } => {
                write!(f, "drift in {}", fields.join(", "))?;
                match by {
                    Some(by) => write!(f, ", by {by}"),
                    None => Ok(()),
                }
            }
        }
    }
}

impl fmt::Display for DeleteReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pruned => "it left the release",
            Self::StageRemoved => "its stage left the release",
            Self::Moved => "the StageSet points at another cluster now",
            Self::Teardown => "the StageSet is being deleted",
            Self::Recreated => "it is created anew, since a field of it can't be changed",
        })
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Health => "is it ready?",
            Self::Drift => "is it as we left it?",
            Self::Prune => "may it be deleted?",
            Self::Replace => "may it be replaced?",
            Self::Gone => "is it gone?",
            Self::Whereabouts => "is it in this cluster?",
        })
    }
}

impl fmt::Display for TenantOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Apply {
                identity,
                object,
                why,
                ..
            } => {
                let verb = if *why == ApplyReason::Create {
                    "create"
                } else {
                    "change"
                };
                write!(f, "{verb} {} as {identity}: {why}", object.reference.key)
            }
            Self::TakeOver {
                identity,
                object,
                from,
                ..
            } => write!(
                f,
                "take over {} as {identity}: its fields of {} become ours",
                object.reference.key,
                from.join(", ")
            ),
            Self::Delete {
                identity,
                object,
                why,
                ..
            } => {
                write!(f, "delete {} as {identity}: {why}", object.key)
            }
            Self::Act {
                identity,
                attempt,
                deed,
            } => write!(f, "{deed} as {identity}: {attempt}"),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            EventKind::Normal => "Normal",
            EventKind::Warning => "Warning",
        };
        write!(f, "{kind} {}: {}", self.reason, self.message)
    }
}

impl fmt::Display for RecordOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddFinalizer => f.write_str("add the finalizer, so that deletion can tear down"),
            Self::RemoveFinalizer => f.write_str("remove the finalizer"),
            Self::Status(status) => match status.condition("Ready") {
                Some(ready) => write!(
                    f,
                    "record status: Ready={} {}: {}",
                    ready.status.as_str(),
                    ready.reason,
                    ready.message
                ),
                None => f.write_str("record status"),
            },
            Self::Inventory {
                stage,
                inventory,
                why,
            } => write!(
                f,
                "record {} object(s) in the inventory of stage {stage}: {why}",
                inventory.entries.len()
            ),
            Self::DropInventory { stage } => write!(f, "drop the inventory of stage {stage}"),
            Self::ReleaseInventories => f.write_str("let the inventories go"),
            Self::Announce(event) => write!(f, "event {event}"),
            Self::Action { step, .. } => step.fmt(f),
            Self::CreateLedger => f.write_str("create an empty StageLedger"),
            Self::Ledger { why, .. } => write!(f, "record in the StageLedger: {why}"),
            Self::AnnounceOnLedger(event) => write!(f, "event on the StageLedger {event}"),
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record(operation) => operation.fmt(f),
            Self::Tenant(operation) => operation.fmt(f),
        }
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(name) => write!(f, "does ServiceAccount {name} exist?"),
            Self::Namespace => f.write_str("is the namespace going away?"),
            Self::Inventories => f.write_str("what do the inventories hold?"),
            Self::Source(source) => write!(f, "what does {source} offer?"),
            Self::Dependency(stage_set) => write!(f, "is StageSet {stage_set} ready?"),
            Self::Kubeconfig(reference) => write!(f, "which cluster does {reference} name?"),
            Self::Kind {
                target: Target::Local,
                gvk,
            } => write!(f, "does the target serve {gvk}?"),
            Self::Kind { target, gvk } => write!(f, "does {target} serve {gvk}?"),
            Self::Rules {
                identity,
                namespace,
            } => write!(f, "what may {identity} do in namespace {namespace}?"),
            Self::Access { identity, right } => write!(f, "may {identity} {right}?"),
            Self::Build { key, artifact, .. } => {
                write!(f, "build {:?} of {}", key.path, artifact.revision)
            }
            Self::Variables { identity, source } => {
                write!(f, "read the variables of {source} as {identity}")
            }
            Self::DryRun { identity, object } => {
                write!(f, "dry run of {} as {identity}", object.reference.key)
            }
            Self::Labelled { identity, search } => write!(
                f,
                "list {search} with the labels of stage {} as {identity}",
                search.stage
            ),
            Self::Read {
                identity,
                object,
                purpose,
            } => {
                write!(f, "read {} as {identity}: {purpose}", object.key)
            }
            Self::Ledger => f.write_str("what does the StageLedger hold?"),
            Self::Look {
                identity,
                object,
                question,
            } => write!(f, "read {} as {identity}: {}", object.key, question.text()),
        }
    }
}

impl fmt::Display for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Again => f.write_str("decide again"),
            Self::Hold {
                waiting_for, until, ..
            } => {
                write!(f, "wait for {waiting_for}; look again at {until}")
            }
            Self::Rest { waiting_for } => write!(f, "wait for {waiting_for}"),
            Self::Gone => f.write_str("done: the StageSet is gone"),
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for need in &self.needs {
            writeln!(f, "? {need}")?;
        }
        for operation in self.steps.iter().flatten() {
            writeln!(f, "- {operation}")?;
        }
        writeln!(f, "> {}", self.next)
    }
}
