//! `delete` and `deletecollection`: preconditions, propagation, finalizers, grace.

use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{
    Call,
    list::{Selection, scope},
    stored,
};
use crate::{
    admission::webhooks::{self, Asked, Operation},
    clock::Job,
    kinds::Resource,
    object::{self, rfc3339},
    request::{Reply, Response},
    server::Server,
    status::{self, ApiError, Cause},
};

/// Options of a deletion, from its body and its query.
#[derive(Clone, Debug, Default)]
struct Options {
    uid: Option<String>,
    resource_version: Option<String>,
    propagation: Option<String>,
    grace: Option<i64>,
    /// `orphanDependents`, the oldest words for it.
    orphans: Option<bool>,
    dry_run: bool,
}

impl Options {
    /// As webhooks see them.
    fn shown(&self) -> Value {
        let mut shown = json!({ "kind": "DeleteOptions", "apiVersion": "meta.k8s.io/v1" });
        let map = object::members(&mut shown);
        if let Some(grace) = self.grace {
            map.insert("gracePeriodSeconds".into(), grace.into());
        }
        let mut preconditions = serde_json::Map::new();
        for (field, value) in [
            ("uid", &self.uid),
            ("resourceVersion", &self.resource_version),
        ] {
            if let Some(value) = value {
                preconditions.insert(field.into(), value.clone().into());
            }
        }
        if !preconditions.is_empty() {
            map.insert("preconditions".into(), preconditions.into());
        }
        match (&self.propagation, self.orphans) {
            (_, Some(orphans)) => map.insert("orphanDependents".into(), orphans.into()),
            (Some(policy), None) => map.insert("propagationPolicy".into(), policy.clone().into()),
            (None, None) => None,
        };
        if self.dry_run {
            map.insert("dryRun".into(), json!(["All"]));
        }
        shown
    }
}

fn options(call: &Call) -> Result<Options, ApiError> {
    let body = if call.body.is_empty() {
        json!({})
    } else {
        crate::body::decode(&call.content_type, &call.body, "DeleteOptions")?
    };
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let propagation = text(body.get("propagationPolicy"))
        .or_else(|| call.info.query.get("propagationPolicy").map(str::to_owned));
    let orphan = body.get("orphanDependents").and_then(Value::as_bool);
    let propagation = propagation.or(match orphan {
        Some(true) => Some("Orphan".to_owned()),
        Some(false) => Some("Background".to_owned()),
        None => None,
    });
    if let Some(policy) = &propagation
        && !matches!(policy.as_str(), "Orphan" | "Background" | "Foreground")
    {
        let known = ["Foreground", "Background", "Orphan", "nil"].map(str::to_owned);
        let cause = Cause::unsupported("propagationPolicy", &json!(policy), &known);
        return Err(ApiError::invalid(
            "DeleteOptions",
            "meta.k8s.io",
            "",
            &[cause],
        ));
    }
    let grace = body
        .get("gracePeriodSeconds")
        .and_then(Value::as_i64)
        .or_else(|| {
            call.info
                .query
                .get("gracePeriodSeconds")
                .and_then(|v| v.parse().ok())
        });
    let dry_run = call.dry_run
        || body
            .get("dryRun")
            .and_then(Value::as_array)
            .is_some_and(|l| !l.is_empty());
    Ok(Options {
        uid: text(body.pointer("/preconditions/uid")),
        resource_version: text(body.pointer("/preconditions/resourceVersion")),
        propagation,
        grace,
        orphans: orphan,
        dry_run,
    })
}

pub(crate) fn delete(server: &mut Server, call: &Call) -> Result<Reply, ApiError> {
    let options = options(call)?;
    let old = stored(server, call)?;
    let (left, gone) = remove(server, call, &old, &options)?;
    let shows_object = matches!(
        call.resource.plural.as_str(),
        "pods"
            | "namespaces"
            | "persistentvolumes"
            | "persistentvolumeclaims"
            | "services"
            | "serviceaccounts"
            | "resourcequotas"
            | "podtemplates"
            | "storageclasses"
            | "csidrivers"
            | "csinodes"
            | "volumeattachments"
            | "volumeattributesclasses"
    ) && call.resource.custom().is_none();
    if gone && !shows_object {
        let mut details =
            status::details(&call.info.name, &call.resource.group, &call.resource.plural);
        object::members(&mut details).insert("uid".into(), object::uid(&old).into());
        let body = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
            "details": details,
        });
        return Ok(Reply::Response(Response::json(200, &body)));
    }
    if !gone {
        // What stays is shown as it is stored. Who asks in the oldest words is told that it takes time.
        let code = if options.orphans == Some(false) {
            202
        } else {
            200
        };
        let shown = call.show_stored(&left);
        return Ok(Reply::Response(Response::json(code, &shown)));
    }
    Ok(call.respond(200, &left))
}

pub(crate) fn collection(server: &mut Server, call: &Call) -> Result<Reply, ApiError> {
    if call.resource.is("", "namespaces")
        || call.resource.is("", "services") && scope(call).is_empty()
    {
        return Err(ApiError::method_not_allowed());
    }
    let options = options(call)?;
    let selection = Selection::read(&call.resource, &call.info.query, |_| Ok(()))?;
    let objects: Vec<Arc<Value>> = server
        .store
        .list(&call.resource.store, scope(call))
        .map(|(_, v)| Arc::clone(v))
        .filter(|object| selection.matches(object))
        .collect();
    let mut items = Vec::new();
    for object in objects {
        match remove(server, call, &object, &options) {
            // Somebody else deleted it, or a webhook says so.
            Err(error) if error.is_not_found() => {}
            removed => drop(removed?),
        }
        // The answer is the list as it was before.
        items.push(super::list::item(call, &object));
    }
    let mut meta = json!({ "resourceVersion": server.store.revision().to_string() });
    if call.resource.custom().is_some() {
        object::members(&mut meta).insert("continue".into(), "".into());
    }
    let body = json!({
        "kind": call.resource.list_kind(), "apiVersion": call.resource.api_version(),
        "metadata": meta,
        "items": items,
    });
    Ok(Reply::Response(Response::json(200, &body)))
}

/// Deletes an object or marks it; says what is left of it and whether it is gone.
fn remove(
    server: &mut Server,
    call: &Call,
    old: &Arc<Value>,
    options: &Options,
) -> Result<(Arc<Value>, bool), ApiError> {
    let (resource, name) = (call.resource.as_ref(), object::name(old));
    check_preconditions(resource, old, options)?;
    admit(server, call, old, options)?;
    if resource.is("", "namespaces") {
        return crate::namespaces::delete(
            server,
            old,
            |namespace| {
                set_propagation(namespace, options.propagation.as_deref());
            },
            options.dry_run,
        );
    }
    if resource.is(crate::crd::GROUP, crate::crd::PLURAL) {
        return Ok(crate::crd::lifecycle::delete(server, old, options.dry_run));
    }
    let mut new = old.as_ref().clone();
    // Jobs let go of what they made unless somebody says otherwise, or has said so before.
    let said = object::finalizers(old)
        .iter()
        .any(|f| matches!(*f, "orphan" | "foregroundDeletion"));
    let lets_go = resource.is("batch", "jobs") || resource.is("", "replicationcontrollers");
    let policy = options
        .propagation
        .as_deref()
        .or((lets_go && !said).then_some("Orphan"));
    set_propagation(&mut new, policy);
    let waits = !object::finalizers(&new).is_empty();
    let grace = if resource.is("", "pods") {
        pod_grace(old, options.grace)
    } else {
        0
    };
    if options.resource_version.is_some()
        && !waits
        && !object::finalizers(old).is_empty()
        && !resource.is("", "pods")
    {
        // The real server forgets the version it was given when it takes a finalizer away.
        let why = format!(
            "StorageError: invalid object, Code: 4, Key: {}, ResourceVersion: 0, \
             AdditionalErrorMsg: Precondition failed: ResourceVersion in precondition: , \
             ResourceVersion in object meta: {}",
            resource.storage_key(
                &crate::store::object_key(object::namespace(old), name),
                options.dry_run
            ),
            object::resource_version(old)
        );
        return Err(ApiError::conflict(resource, name, &why));
    }
    let finalizers_change = object::finalizers(&new) != object::finalizers(old);
    if !waits && finalizers_change && !options.dry_run {
        // The real server tries to write the finalizers before it deletes, and asks each time.
        admit(server, call, old, options)?;
    }
    if !waits && grace == 0 {
        if resource.is("", "pods") && !object::is_deleting(old) {
            // A pod is marked first, and shown as it was when it went.
            mark(server, &mut new, 0);
            if options.dry_run {
                return Ok((Arc::new(new), true));
            }
            let key = crate::store::object_key(object::namespace(old), name);
            let marked = server.commit(&resource.store, new);
            let last = server.erase(&resource.store, &key);
            return Ok((last.unwrap_or(marked), true));
        }
        if !options.dry_run {
            let key = crate::store::object_key(object::namespace(old), name);
            if let Some(last) = server.erase(&resource.store, &key) {
                return Ok((last, true));
            }
        }
        return Ok((Arc::clone(old), true));
    }
    if !object::is_deleting(old) {
        mark(server, &mut new, grace);
    }
    // Whatever isn't read as it is stored is written even so.
    let same = new == **old && !server.unsettled.contains_key(object::uid(old));
    if same || options.dry_run {
        return Ok((Arc::new(new), false));
    }
    if grace > 0 {
        let key = crate::store::object_key(object::namespace(old), name);
        let at = server
            .now
            .checked_add(server.timing.pod_termination)
            .unwrap_or(server.now);
        server.agenda.add_once(
            at,
            Job::RemovePod {
                key,
                uid: object::uid(old).to_owned(),
            },
        );
    }
    Ok((server.commit(&resource.store, new), false))
}

/// Lets webhooks refuse a deletion.
fn admit(server: &mut Server, call: &Call, old: &Value, options: &Options) -> Result<(), ApiError> {
    let shown = options.shown();
    let asked = Asked {
        call,
        resource: &call.resource,
        operation: Operation::Delete,
        old: Some(old),
        dry_run: options.dry_run,
        options: Some(&shown),
    };
    webhooks::mutate(server, asked, false, &mut Value::Null)?;
    webhooks::validate(server, asked, None)
}

/// Marks an object as going.
fn mark(server: &Server, object: &mut Value, grace: i64) {
    let at = server
        .now
        .checked_add(SignedDuration::from_secs(grace))
        .unwrap_or(server.now);
    object::set_meta(object, "deletionTimestamp", rfc3339(at));
    object::set_meta(object, "deletionGracePeriodSeconds", grace);
    let generation = object::generation(object);
    if generation > 0 {
        object::set_meta(object, "generation", generation + 1);
    }
}

fn check_preconditions(
    resource: &Resource,
    old: &Value,
    options: &Options,
) -> Result<(), ApiError> {
    let (uid, version) = (object::uid(old), object::resource_version(old));
    if resource.is("", "namespaces") || resource.is(crate::crd::GROUP, crate::crd::PLURAL) {
        // Kinds that delete in their own way refuse in their own way.
        let what = match (&options.uid, &options.resource_version) {
            (Some(wanted), _) if wanted != uid => {
                format!("UID in precondition: {wanted}, UID in object meta: {uid}")
            }
            (_, Some(wanted)) if wanted != version => format!(
                "ResourceVersion in precondition: {wanted}, ResourceVersion in object meta: \
                 {version}"
            ),
            _ => return Ok(()),
        };
        let why = format!("Precondition failed: {what}");
        return Err(ApiError::conflict(resource, object::name(old), &why));
    }
    // The real server names the kind here, not the resource.
    let refuse = |why: String| {
        let mut error = ApiError::conflict(resource, object::name(old), &why);
        error.message = format!(
            "Operation cannot be fulfilled on {} \"{}\": {why}",
            resource.qualified_kind(),
            object::name(old)
        );
        error.details = status::details(object::name(old), &resource.group, &resource.kind);
        Err(error)
    };
    match (&options.uid, &options.resource_version) {
        (Some(wanted), _) if wanted != uid => refuse(format!(
            "the UID in the precondition ({wanted}) does not match the UID in record ({uid}). The \
             object might have been deleted and then recreated"
        )),
        (_, Some(wanted)) if wanted != version => refuse(format!(
            "the ResourceVersion in the precondition ({wanted}) does not match the \
             ResourceVersion in record ({version}). The object might have been modified"
        )),
        _ => Ok(()),
    }
}

/// Only a pod that runs somewhere has somebody to wait for.
fn pod_grace(pod: &Value, asked: Option<i64>) -> i64 {
    let scheduled = pod
        .pointer("/spec/nodeName")
        .and_then(Value::as_str)
        .is_some_and(|n| !n.is_empty());
    let ended = matches!(
        pod.pointer("/status/phase").and_then(Value::as_str),
        Some("Succeeded" | "Failed")
    );
    if !scheduled || ended {
        return 0;
    }
    asked
        .or_else(|| {
            pod.pointer("/spec/terminationGracePeriodSeconds")
                .and_then(Value::as_i64)
        })
        .unwrap_or(30)
        .max(0)
}

/// The propagation policy as the finalizer that carries it.
pub(crate) fn set_propagation(object: &mut Value, policy: Option<&str>) {
    let Some(policy) = policy else { return };
    let mut finalizers: Vec<String> = object::finalizers(object)
        .into_iter()
        .filter(|f| !matches!(*f, "orphan" | "foregroundDeletion"))
        .map(str::to_owned)
        .collect();
    match policy {
        "Orphan" => finalizers.push("orphan".into()),
        "Foreground" => finalizers.push("foregroundDeletion".into()),
        _ => {}
    }
    // Where the same ones stay, so does their order.
    let before: Vec<&str> = object::finalizers(object);
    if finalizers.len() != before.len() || before.iter().any(|f| !finalizers.iter().any(|n| n == f))
    {
        object::set_finalizers(object, &finalizers);
    }
}
