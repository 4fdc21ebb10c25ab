//! Short names for what is long on the wire.

use stageset_core::object::ObjectKey;

/// The user that the controller's own requests come from.
pub(crate) const CONTROLLER: &str = "system:serviceaccount:stageset-system:stageset-controller";

/// `payments:deployer` for a ServiceAccount, `controller` for the controller's own.
pub(crate) fn user(user: &str) -> String {
    if user == CONTROLLER {
        return "controller".to_owned();
    }
    user.strip_prefix("system:serviceaccount:")
        .unwrap_or(user)
        .to_owned()
}

/// `Deployment payments/web`: groups of Kubernetes itself are left out, those of others stay.
pub(crate) fn object(key: &ObjectKey) -> String {
    let kind = if key.group.is_empty() || !key.group.contains('.') || key.group.ends_with(".k8s.io")
    {
        key.kind.clone()
    } else {
        format!("{}.{}", key.kind, key.group)
    };
    match &key.namespace {
        Some(namespace) => format!("{kind} {namespace}/{}", key.name),
        None => format!("{kind} {}", key.name),
    }
}

/// A condition's message without the address of its runbook.
pub(crate) fn without_runbook(message: &str) -> &str {
    message
        .rsplit_once(" (runbook: ")
        .map_or(message, |(text, _)| text)
}

/// Problems of a spec, which a condition strings together, one a line.
pub(crate) fn by_line(message: &str) -> String {
    message.replace("; spec.", ";\nspec.")
}
