//! What an action does to the world, as the tenant.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::Value;
use stageset_core::failure::{Failure, FailureClass};
use stageset_core::identity::Identity;
use stageset_core::object::{Desired, Reference};
use stageset_core::plan::Deed;
use stageset_core::spec::{Body, Http, PatchFormat, SecretKey, Selected};
use stageset_render::Limits;
use stageset_render::yaml;
use tracing::Instrument as _;

use super::Perform;
use crate::hooks::HookCall;
use crate::requests::{Requests, Target, clean};
use crate::spans;

/// Carries out one deed, as the identity it names.
pub(super) async fn deed(
    perform: Perform<'_>,
    identity: &Identity,
    deed: &Deed,
) -> Result<(), Failure> {
    let ports = perform.ports;
    let share = &perform.key.namespace;
    let requests = Requests::towards(ports, share, identity)?;
    match deed {
        Deed::Patch {
            of,
            objects,
            format,
            body,
        } => {
            patch(
                &requests,
                of,
                objects,
                *format,
                body,
                &ports.settings.limits,
            )
            .await
        }
        Deed::Http {
            request,
            key,
            timeout,
        } => {
            let mut call = with_secrets(&requests, share, request).await?;
            call.idempotency_key.clone_from(key);
            call.timeout = *timeout;
            let span = spans::hook(&call);
            let sent = ports.hooks.send(call).instrument(span.clone()).await;
            if sent.is_err() {
                spans::failed(&span);
            }
            sent
        }
        Deed::Delete {
            object,
            uid,
            cascade,
        } => requests
            .delete_with(&Target::object(object), uid, None, cascade.as_str())
            .await
            .map(drop)
            .or_else(|failure| another(failure, object)),
        Deed::Apply { objects } => {
            for object in objects {
                let target = Target::object(&object.reference);
                requests
                    .apply(&target, &object.stamped())
                    .await
                    .map_err(|failure| about(failure, object))?;
            }
            Ok(())
        }
        Deed::CreateJobs { jobs } => {
            for job in jobs {
                let collection = Target::collection_of(&job.reference);
                match requests.create(&collection, &job.stamped()).await {
                    Ok(_) => {}
                    // It stands there already: whether it is ours is looked at next.
                    Err(failure) if failure.class == FailureClass::Conflict => {}
                    Err(failure) => return Err(about(failure, job)),
                }
            }
            Ok(())
        }
        Deed::DeleteJobs { jobs } => {
            for (job, uid) in jobs {
                requests
                    .delete(&Target::object(job), uid, None)
                    .await
                    .map(drop)
                    .or_else(|failure| another(failure, job))?;
            }
            Ok(())
        }
    }
}

/// The object with the recorded uid is gone; what stands there now is nothing of ours to delete.
fn another(failure: Failure, object: &Reference) -> Result<(), Failure> {
    if failure.class == FailureClass::Conflict {
        return Ok(());
    }
    let message = format!("{}: {failure}", object.key);
    Err(Failure::new(failure.class, message))
}

fn about(failure: Failure, object: &Desired) -> Failure {
    let message = format!("{} ({}): {failure}", object.reference.key, object.origin);
    Failure::new(failure.class, message)
}

/// Patches one object, or every one that the selector picks; none is success.
async fn patch(
    requests: &Requests<'_>,
    of: &Reference,
    objects: &Selected,
    format: PatchFormat,
    body: &str,
    limits: &Limits,
) -> Result<(), Failure> {
    let body = parsed(body, format, limits)?;
    let targets = match objects {
        Selected::Named(_) => vec![Target::object(of)],
        Selected::Labelled(labels) => {
            let collection = Target::collection_of(of);
            let found = requests.list(&collection, labels).await?;
            let names = found
                .iter()
                .filter_map(|object| object.pointer("/metadata/name")?.as_str());
            names.map(|name| collection.clone().named(name)).collect()
        }
    };
    let strategic = stageset_schema::kind(&of.key.group, &of.version, &of.key.kind).is_some();
    for target in targets {
        let patched = match format {
            PatchFormat::Json => requests.json_patch(&target, &body).await,
            PatchFormat::Merge if strategic => requests.strategic_patch(&target, &body).await,
            PatchFormat::Merge => requests.merge_patch(&target, &body).await,
        };
        if let Err(failure) = patched {
            // One that went away since it was listed is one less.
            let gone =
                matches!(objects, Selected::Labelled(_)) && target.is_missing_itself(&failure);
            if !gone {
                return Err(Failure::new(
                    failure.class.clone(),
                    format!("{}: {failure}", of.key.kind),
                ));
            }
        }
    }
    Ok(())
}

/// The patch as JSON; it is written in YAML, of which JSON is a part.
fn parsed(body: &str, format: PatchFormat, limits: &Limits) -> Result<Value, Failure> {
    let terminal = |said: String| Failure::new(FailureClass::Terminal, clean(&said));
    let mut documents = yaml::documents(body.as_bytes(), limits).map_err(|errors| {
        let said: Vec<String> = errors.iter().map(ToString::to_string).collect();
        terminal(format!("the patch isn't YAML: {}", said.join("; ")))
    })?;
    let (Some(document), true) = (documents.pop(), documents.is_empty()) else {
        return Err(terminal("the patch has to be one YAML document".to_owned()));
    };
    let fits = match format {
        PatchFormat::Merge => document.value.is_object(),
        PatchFormat::Json => document.value.is_array(),
    };
    if fits {
        Ok(document.value)
    } else {
        let wanted = match format {
            PatchFormat::Merge => "a map of fields (type merge)",
            PatchFormat::Json => "a list of operations (type json6902)",
        };
        Err(terminal(format!("the patch has to be {wanted}")))
    }
}

/// The request with what the spec takes from Secrets, read as the tenant (A03). A Secret that can't
/// be read ends the action before anything is sent anywhere.
async fn with_secrets(
    requests: &Requests<'_>,
    namespace: &str,
    request: &Http,
) -> Result<HookCall, Failure> {
    let mut read: BTreeMap<&str, Value> = BTreeMap::new();
    let wanted = request.headers.iter().chain(match &request.body {
        Some(Body::Secret(key)) => Some(key),
        Some(Body::Text(_)) | None => None,
    });
    for SecretKey { name, .. } in wanted {
        if read.contains_key(name.as_str()) {
            continue;
        }
        let target = Target::collection("v1", "secrets", Some(namespace)).named(name);
        let secret = requests.get(&target).await?.ok_or_else(|| {
            let message =
                format!("Secret {namespace}/{name} doesn't exist: create it, or name another");
            let class = FailureClass::Missing {
                resource: "secrets".to_owned(),
                name: name.clone(),
            };
            Failure::new(class, message)
        })?;
        read.insert(name, secret);
    }
    let mut headers = Vec::with_capacity(request.headers.len());
    for key in &request.headers {
        let mut value = value(&read, namespace, key)?;
        // Files end with a line break; no header does.
        while matches!(value.last(), Some(b'\n' | b'\r')) {
            value.pop();
        }
        headers.push((key.key.clone(), value));
    }
    let body = match &request.body {
        Some(Body::Text(text)) => Some(Bytes::from(text.clone())),
        Some(Body::Secret(key)) => Some(Bytes::from(value(&read, namespace, key)?)),
        None => None,
    };
    Ok(HookCall {
        url: request.url.clone(),
        method: request.method,
        headers,
        idempotency_key: String::new(),
        body,
        holds_secrets: request.holds_secrets(),
        expected: request.expected.clone(),
        timeout: std::time::Duration::ZERO,
    })
}

fn value(
    read: &BTreeMap<&str, Value>,
    namespace: &str,
    key: &SecretKey,
) -> Result<Vec<u8>, Failure> {
    let stands = read.get(key.name.as_str()).and_then(|secret| {
        let encoded = secret.get("data")?.get(&key.key)?.as_str()?;
        STANDARD.decode(encoded).ok()
    });
    stands.ok_or_else(|| {
        let message = format!(
            "Secret {namespace}/{} has no key {:?}: add it, or name another",
            key.name, key.key
        );
        Failure::new(FailureClass::Terminal, clean(&message))
    })
}
