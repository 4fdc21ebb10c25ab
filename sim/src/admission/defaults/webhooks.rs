//! Defaults of webhook configurations.

use serde_json::{Map, Value, json};

use super::{each, under};

/// What the decoder lays under each webhook.
pub(super) fn configuration(new: &mut Value, mutating: bool) {
    each(new.get_mut("webhooks"), |hook| {
        webhook(hook);
        if mutating {
            under(hook, json!({ "reinvocationPolicy": "Never" }));
        }
    });
}

fn webhook(hook: &mut Map<String, Value>) {
    under(
        hook,
        json!({
            "failurePolicy": "Fail", "matchPolicy": "Equivalent", "timeoutSeconds": 10,
            "namespaceSelector": {}, "objectSelector": {}, "clientConfig": {},
        }),
    );
    each(hook.get_mut("rules"), |rule| {
        under(rule, json!({ "scope": "*" }));
    });
    if let Some(service) = hook["clientConfig"].get_mut("service")
        && let Some(service) = service.as_object_mut()
    {
        under(service, json!({ "port": 443 }));
    }
}
