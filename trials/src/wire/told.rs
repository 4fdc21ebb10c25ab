//! What a request asks for and what its answer shows, read anew here: not with the controller's own
//! code.

use std::cell::LazyCell;

use bytes::Bytes;
use http::Method;
use http::request::Parts;
use serde_json::Value;

use super::sight::{Asked, keys, sight, texts};
use super::stage::Stage;
use super::world::World;
use crate::log::{Act, Doing, Entry, What, Who};
use crate::scene::Scene as _;
use crate::setup::{
    ANCHOR, CLERK, Feature, LEFTOVER, NEIGHBOUR, PROBE, SETTINGS, STAGES, VARIABLE,
};

/// The entry of a request, before its answer is known. Whose process it is isn't known here.
pub(super) fn entry(
    world: &World,
    parts: &Parts,
    asked: &Asked,
    body: &Bytes,
    number: u64,
) -> Entry {
    let user = parts
        .headers
        .get("impersonate-user")
        .and_then(|user| user.to_str().ok());
    Entry {
        number,
        at: world.now(),
        began: world.now(),
        process: 0,
        life: 0,
        who: user.map_or(Who::Controller, |user| Who::User(user.to_owned())),
        what: what(world, parts, asked, body, user),
        code: 0,
        delivered: true,
        effect: false,
        abroad: false,
        versions: None,
        heard: None,
    }
}

/// What a request asks for, before its answer is known.
fn what(world: &World, parts: &Parts, asked: &Asked, body: &Bytes, user: Option<&str>) -> What {
    if let Some(fine) = is_neighbours(asked, &parts.method, user) {
        return What::Neighbour(format!("{} {}", parts.method, parts.uri.path()), fine);
    }
    let impersonates = user.is_some();
    let own = !impersonates && asked.is_own_business(&parts.method);
    if own {
        return own_business(&parts.method, asked, body);
    }
    // Whether this may be asked for a tenant: there the controller does so as itself if it is all there is.
    let acts = impersonates || world.setup.has(Feature::SingleTenant);
    if acts && asked.plural.starts_with("selfsubject") {
        return What::Review;
    }
    if asked.plural == "configmaps" && asked.name.as_deref() == Some(SETTINGS) {
        return What::Variables(None);
    }
    if let Some(what) = of_action(world, asked, &parts.method) {
        return what;
    }
    let Some(key) = asked.key() else {
        let path = format!("{} {}", parts.method, parts.uri.path());
        // A tenant's own lists and watches are its own business.
        return if acts && asked.tenant_kind().is_some() {
            What::Kind(asked.plural.clone())
        } else {
            What::Other(path)
        };
    };
    match parts.method {
        Method::PATCH if asked.dry_run => What::DryRun(key, None),
        Method::PATCH if takes_over(body) => What::TakeOver(key, None, None),
        Method::PATCH | Method::POST | Method::PUT => What::Apply(key, None, None),
        Method::DELETE => {
            let options: Value = serde_json::from_slice(body).unwrap_or_default();
            let uid = options["preconditions"]["uid"].as_str().map(str::to_owned);
            What::Delete(key, None, uid)
        }
        _ => What::Get(key, None),
    }
}

/// Whether a request is about another tenant's release, or as one; and if so, whether it is about the release of
/// whom it is as.
fn is_neighbours(asked: &Asked, method: &Method, user: Option<&str>) -> Option<bool> {
    let of_namespace = asked.plural == "namespaces" && asked.name.as_deref() == Some(NEIGHBOUR);
    let theirs = of_namespace || asked.namespace.as_deref() == Some(NEIGHBOUR);
    let account = user.and_then(|user| {
        let account = user.strip_prefix("system:serviceaccount:")?;
        account.strip_prefix(NEIGHBOUR)?.strip_prefix(':')
    });
    if !theirs && account.is_none() {
        return None;
    }
    Some(match (user, account) {
        (None, _) => asked.is_own_business(method) || (of_namespace && method == Method::GET),
        (Some(_), account) => {
            account == Some(CLERK) && (theirs || asked.plural.starts_with("selfsubject"))
        }
    })
}

fn own_business(method: &Method, asked: &Asked, body: &Bytes) -> What {
    let writes = method != Method::GET;
    match asked.plural.as_str() {
        "serviceaccounts" => match &asked.name {
            Some(name) => What::Account(name.clone(), None),
            None => What::Kind("serviceaccounts".into()),
        },
        "namespaces" => What::Namespace,
        "stageinventories" if writes => What::Inventory(String::new(), Vec::new(), Vec::new()),
        // Lists of a watch that can't be streamed are nobody's look at a release.
        "stageinventories" if asked.selects => What::Inventories,
        "stagesets" if writes && asked.subresource.as_deref() == Some("status") => {
            What::Status(String::new())
        }
        "stagesets" if writes => {
            let sent: Value = serde_json::from_slice(body).unwrap_or_default();
            let puts = sent["metadata"]["finalizers"]
                .as_array()
                .is_some_and(|list| !list.is_empty());
            What::Finalizer(puts)
        }
        "stageledgers" if writes => What::LedgerWrite(String::new()),
        "stageledgers" if asked.name.is_some() => What::Ledger,
        "leases" if writes => {
            let sent: Value = serde_json::from_slice(body).unwrap_or_default();
            let holder = sent["spec"]["holderIdentity"].as_str();
            What::Lease(holder.unwrap_or_default().to_owned())
        }
        "events" => {
            let sent: Value = serde_json::from_slice(body).unwrap_or_default();
            let text = |field: &str| sent[field].as_str().unwrap_or_default().to_owned();
            What::Announce(text("reason"), text("note"))
        }
        other => What::Kind(other.to_owned()),
    }
}

/// What an action asks for or does: told by the names of what the trials' actions work on.
fn of_action(world: &World, asked: &Asked, method: &Method) -> Option<What> {
    if !world.setup.has(Feature::Actions) {
        return None;
    }
    let name = asked.name.as_deref().unwrap_or_default();
    let stage_of = |what: &str| {
        let stage = name.strip_prefix(what)?.strip_prefix('-')?;
        STAGES.iter().position(|known| *known == stage)
    };
    let (action, stage) = match asked.plural.as_str() {
        "jobs" => ("migrate", 0),
        "configmaps" if name == ANCHOR => ("tune", 0),
        "configmaps" => match (stage_of(LEFTOVER), stage_of(PROBE)) {
            (Some(stage), _) => ("clear", stage),
            (_, Some(stage)) => ("probe", stage),
            (None, None) => return None,
        },
        _ => return None,
    };
    let doing = match *method {
        Method::GET => return asked.key().map(What::Look),
        Method::POST => Doing::CreateJobs,
        Method::DELETE if asked.plural == "jobs" => Doing::DeleteJobs,
        Method::DELETE => Doing::Delete,
        _ if action == "probe" => Doing::Apply,
        _ => Doing::Patch,
    };
    let kind = if asked.plural == "jobs" {
        "Job"
    } else {
        "ConfigMap"
    };
    Some(What::Act(Act {
        stage: STAGES[stage].to_owned(),
        action: action.to_owned(),
        key: world.completion_key(stage, action),
        doing,
        kind: kind.to_owned(),
    }))
}

/// Whether a patch hands fields from one manager to another.
fn takes_over(body: &Bytes) -> bool {
    let sent: Value = serde_json::from_slice(body).unwrap_or_default();
    sent["metadata"]["managedFields"].is_array()
}

impl Stage {
    /// Fills in what the answer shows.
    pub(super) fn complete(
        &mut self,
        entry: &mut Entry,
        asked: &Asked,
        before: Option<&Value>,
        stood: Option<&Value>,
        sent: &[u8],
        told: &[u8],
    ) {
        // Of most requests nobody asks what exactly they said.
        let read = |body: &[u8]| serde_json::from_slice::<Value>(body).unwrap_or_default();
        let (sent, told) = (LazyCell::new(|| read(sent)), LazyCell::new(|| read(told)));
        let version = |object: &Value| -> Option<u64> {
            object["metadata"]["resourceVersion"].as_str()?.parse().ok()
        };
        let succeeded = (200..300).contains(&entry.code);
        match &mut entry.what {
            What::DryRun(_, shown) | What::Get(_, shown) => *shown = before.map(sight),
            What::Apply(key, was, is) | What::TakeOver(key, was, is) => {
                let after = self.world.get(key);
                entry.effect = after.as_ref().and_then(version) != before.and_then(version);
                *was = before.map(sight);
                *is = after.as_ref().map(sight);
            }
            What::Delete(key, was, _) => {
                let after = self.world.get(key);
                let marked = |object: &Value| !object["metadata"]["deletionTimestamp"].is_null();
                entry.effect = before.is_some_and(|before| !marked(before))
                    && after.as_ref().is_none_or(marked)
                    && succeeded;
                *was = before.map(sight);
            }
            What::Act(_) | What::Lease(_) => entry.effect = succeeded,
            What::Variables(level) => {
                let value = told["data"][VARIABLE].as_str();
                *level = value.and_then(|value| value.parse().ok());
            }
            What::LedgerWrite(text) => {
                *text = sent["status"]["completedActions"].to_string();
                entry.effect = succeeded;
            }
            What::Account(_, uid) => {
                *uid = told["metadata"]["uid"].as_str().map(str::to_owned);
            }
            What::Status(text) => *text = texts(&sent),
            What::Inventory(stage, was, is) => {
                let object = stood.unwrap_or_else(|| &told);
                *stage = object["metadata"]["labels"]["stages.metio.wtf/stage"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned();
                *was = stood.map(keys).unwrap_or_default();
                *is = self.record_before(asked).map_or_else(
                    || if succeeded { keys(&told) } else { Vec::new() },
                    |now| keys(&now),
                );
            }
            _ => {}
        }
        let record = matches!(
            entry.what,
            What::Status(_) | What::Inventory(..) | What::Finalizer(_)
        );
        if record {
            entry.effect = succeeded;
            if let (Some(stood), true) = (stood.and_then(version), succeeded) {
                let based = version(&sent).or_else(|| {
                    sent["preconditions"]["resourceVersion"]
                        .as_str()?
                        .parse()
                        .ok()
                });
                entry.versions = Some((based, stood));
            }
        }
    }
}
