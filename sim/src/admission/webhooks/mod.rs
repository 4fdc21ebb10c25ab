//! Admission webhooks: whom a configuration asks about which request, what the answers do, and
//! what happens when nobody answers.
//!
//! | Idea | File |
//! |---|---|
//! | which webhooks a request falls under | `matching` |
//! | what they are asked | `review` |
//! | who answers; what a client makes of what is no answer | `calling`, `client` |
//! | what a refusal becomes | `refusal` |
//!
//! What answers is a handler in this process, registered for a Service or an URL with
//! [`crate::Server::serve_webhook`]. Where none is, calling fails, and the failure policy decides.

mod calling;
mod client;
mod matching;
mod refusal;
mod review;

use std::collections::BTreeSet;

use serde_json::{Value, json};

pub use self::calling::{WebhookFailure, WebhookHandler};
use self::{
    calling::call,
    matching::{Hook, concerns, hooks},
};
use crate::{
    crd::shape,
    kinds::Resource,
    patch::json as json_patch,
    server::Server,
    status::ApiError,
    verbs::{Call, create},
};

const MUTATING: &str = "mutatingwebhookconfigurations";
const VALIDATING: &str = "validatingwebhookconfigurations";

/// What is about to happen to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Create,
    Update,
    Delete,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
        }
    }
}

/// A request as webhooks see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) call: &'a Call,
    pub(crate) resource: &'a Resource,
    pub(crate) operation: Operation,
    pub(crate) old: Option<&'a Value>,
    pub(crate) dry_run: bool,
    /// The options of a deletion; those of other requests are in their query.
    pub(crate) options: Option<&'a Value>,
}

/// Whether anybody wants to change objects of this kind at all.
pub(crate) fn may_mutate(server: &Server, resource: &Resource) -> bool {
    !hooks(server, resource, MUTATING).is_empty()
}

/// Lets mutating webhooks change an object (of a deletion: refuse it). Says whether one did.
///
/// Fields that are owned as of now are so to the nanosecond, until the first patch of the object,
/// which therefore changes it whatever it does. Those of custom resources are text from the start.
pub(crate) fn mutate(
    server: &mut Server,
    asked: Asked<'_>,
    stamped: bool,
    new: &mut Value,
) -> Result<bool, ApiError> {
    let hooks = hooks(server, asked.resource, MUTATING);
    let mut again = Again {
        stamped: stamped
            && asked.resource.custom().is_none()
            && new.pointer("/metadata/managedFields").is_some(),
        ..Again::default()
    };
    for hook in &hooks {
        ask_one(server, hook, asked, new, &mut again)?;
    }
    if again.changed {
        for hook in &hooks {
            if again.due.contains(&hook.id) {
                ask_one(server, hook, asked, new, &mut again)?;
            }
        }
    }
    Ok(again.changed)
}

/// Who is asked a second time: whoever wants to be, once another one changed the object after him.
#[derive(Debug, Default)]
struct Again {
    asked: BTreeSet<String>,
    due: BTreeSet<String>,
    stamped: bool,
    changed: bool,
}

fn ask_one(
    server: &mut Server,
    hook: &Hook,
    asked: Asked<'_>,
    new: &mut Value,
    again: &mut Again,
) -> Result<(), ApiError> {
    let subject = (asked.operation != Operation::Delete).then_some(&*new);
    if !concerns(server, &hook.hook, asked, subject) {
        return Ok(());
    }
    if let Some(patch) = call(server, hook, asked, subject, true)? {
        let (before, patched) = patched(hook, asked, subject, &patch)?;
        if std::mem::take(&mut again.stamped) || patched != before {
            again.changed = true;
            again.due.append(&mut again.asked);
        }
        *new = patched;
    }
    if text(&hook.hook, "reinvocationPolicy") == "IfNeeded" {
        again.asked.insert(hook.id.clone());
    }
    Ok(())
}

/// The object without and with a webhook's patch applied. What goes wrong here is no failed call: no policy
/// forgives it.
fn patched(
    hook: &Hook,
    asked: Asked<'_>,
    subject: Option<&Value>,
    patch: &Value,
) -> Result<(Value, Value), ApiError> {
    let Some(object) = subject else {
        return Err(internal(&format!(
            "admission webhook {:?} attempted to modify the object, which is not supported for \
             this operation",
            text(&hook.hook, "name")
        )));
    };
    let shown = crate::verbs::present(asked.resource, object);
    let patched = json_patch::apply(&shown, patch).and_then(|patched| read(asked, patched));
    let patched = patched.map_err(|why| internal(&why))?;
    let before = read(asked, shown.into_owned()).map_err(|why| internal(&why))?;
    Ok((before, patched))
}

/// An object as it is read from its text.
fn read(asked: Asked<'_>, mut object: Value) -> Result<Value, String> {
    if let Some(custom) = asked.resource.custom() {
        // What its schema doesn't know goes where it is stored.
        shape::default(&mut object, &custom.schema);
        return Ok(object);
    }
    create::read(asked.call, &mut object)?;
    Ok(review::shown(asked.resource, &object))
}

/// Lets validating webhooks refuse what was found valid. All are asked; of their refusals the first
/// one counts.
pub(crate) fn validate(
    server: &mut Server,
    asked: Asked<'_>,
    new: Option<&Value>,
) -> Result<(), ApiError> {
    let mut refused = Ok(());
    for hook in hooks(server, asked.resource, VALIDATING) {
        if concerns(server, &hook.hook, asked, new) {
            let answer = call(server, &hook, asked, new, false);
            refused = refused.and(answer.map(drop));
        }
    }
    refused
}

fn internal(why: &str) -> ApiError {
    let mut error = ApiError::internal(format!("Internal error occurred: {why}"));
    error.reason = "InternalError".into();
    error.details = json!({ "causes": [{ "message": why }] });
    error
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}
