//! What the log and people are told of a request.

use stageset_core::plan::Deed;

use super::call::Call;
use super::server::{Server, Trace};
use crate::log::{Act, Doing, Entry, What, Who};

/// What a deed of an action does, and to objects of which kind.
pub(super) fn doing(deed: &Deed) -> (Doing, &'static str) {
    match deed {
        Deed::Patch { .. } => (Doing::Patch, "ConfigMap"),
        Deed::Http { .. } => (Doing::Send, ""),
        Deed::Delete { .. } => (Doing::Delete, "ConfigMap"),
        Deed::Apply { .. } => (Doing::Apply, "ConfigMap"),
        Deed::CreateJobs { .. } => (Doing::CreateJobs, "Job"),
        Deed::DeleteJobs { .. } => (Doing::DeleteJobs, "Job"),
    }
}

/// A request that never got to the server.
pub(super) fn blank(call: &Call) -> Trace {
    let (who, what) = match call {
        Call::Account(name) => (Who::Controller, What::Account(name.clone(), None)),
        Call::Namespace => (Who::Controller, What::Namespace),
        Call::Inventories => (Who::Controller, What::Inventories),
        Call::Source(name) => (Who::Controller, What::Source(name.clone(), None)),
        Call::Kind(gvk) => (Who::Controller, What::Kind(gvk.kind.clone())),
        Call::Build(..) => (Who::Anonymous, What::Fetch),
        Call::Dependency => (Who::Controller, What::Dependency(false)),
        Call::Ledger => (Who::Controller, What::Ledger),
        Call::Variables(identity) => (as_whom(identity), What::Variables(None)),
        Call::Rules(identity, _) | Call::Access(identity, _) => (as_whom(identity), What::Review),
        Call::Look(identity, object, _) => (as_whom(identity), What::Look(object.key.clone())),
        Call::Act(identity, attempt, deed) => {
            let (doing, kind) = doing(deed);
            let act = Act {
                stage: attempt.stage.to_string(),
                action: attempt.action.clone(),
                key: attempt.key.clone(),
                doing,
                kind: kind.to_owned(),
            };
            (as_whom(identity), What::Act(act))
        }
        Call::TakeOver(identity, object, ..) => (
            as_whom(identity),
            What::TakeOver(object.reference.key.clone(), None, None),
        ),
        Call::CreateLedger | Call::WriteLedger(..) => {
            (Who::Controller, What::LedgerWrite(String::new()))
        }
        Call::DryRun(identity, object) => (
            as_whom(identity),
            What::DryRun(object.reference.key.clone(), None),
        ),
        Call::Labelled(identity, search) => (as_whom(identity), What::Kind(search.plural.clone())),
        Call::Get(identity, reference) => {
            (as_whom(identity), What::Get(reference.key.clone(), None))
        }
        Call::Apply(identity, object, _) => (
            as_whom(identity),
            What::Apply(object.reference.key.clone(), None, None),
        ),
        Call::Delete(identity, reference, uid, _) => (
            as_whom(identity),
            What::Delete(reference.key.clone(), None, Some(uid.clone())),
        ),
        Call::Finalizer(add, _) => (Who::Controller, What::Finalizer(*add)),
        Call::Status(..) => (Who::Controller, What::Status(String::new())),
        Call::ReleaseInventories(_) => (
            Who::Controller,
            What::Inventory("every stage".into(), Vec::new(), Vec::new()),
        ),
        Call::Inventory(stage, ..) | Call::DropInventory(stage, _) => (
            Who::Controller,
            What::Inventory(stage.to_string(), Vec::new(), Vec::new()),
        ),
        Call::Announce(reason, _) => (
            Who::Controller,
            What::Announce(reason.clone(), String::new()),
        ),
    };
    Trace {
        who,
        what,
        code: 0,
        effect: false,
        versions: None,
    }
}

fn as_whom(identity: &stageset_core::identity::Identity) -> Who {
    identity
        .impersonated_user()
        .map_or(Who::Controller, Who::User)
}

/// One step for a person: what happened, what was planned, what stands.
pub(super) fn picture(server: &Server, entry: &Entry, plan: &stageset_core::plan::Plan) -> String {
    use std::fmt::Write as _;
    let mut text = format!("{entry}\n  plan of the process:\n");
    for line in plan.to_string().lines() {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "    {line}");
    }
    text.push_str("  cluster:\n");
    if let Some(stage_set) = crate::scene::Scene::stage_set(server) {
        let _ = writeln!(
            text,
            "    StageSet generation {} Ready={}: {}",
            stage_set.generation, stage_set.ready, stage_set.message
        );
    }
    for (stage, keys) in crate::scene::Scene::inventories(server) {
        let names: Vec<String> = keys.iter().map(ToString::to_string).collect();
        let _ = writeln!(text, "    inventory {stage}: {}", names.join(", "));
    }
    for (key, sight) in crate::scene::Scene::objects(server) {
        let _ = writeln!(
            text,
            "    {key}: {} {} of {}{}{}",
            sight.uid,
            sight.content,
            sight.owner.as_deref().unwrap_or("nobody"),
            if sight.ready { "" } else { ", not ready" },
            if sight.deleting {
                ", being deleted"
            } else {
                ""
            },
        );
    }
    text
}
