//! `ConfigMaps` and Secrets that variables come from: always as the tenant (S30, A03).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use stageset_core::failure::{Failure, FailureClass};
use stageset_core::identity::Identity;
use stageset_core::observation::{Values, VariableState};
use stageset_core::spec::{VariableKind, VariableSource, is_variable_name};

use super::{Found, Gather, text};
use crate::requests::Target;

/// As the tenant, in the StageSet's own namespace.
pub(super) async fn read(
    gather: Gather<'_>,
    identity: &Identity,
    source: &VariableSource,
) -> Found {
    let state = match object(gather, identity, source).await {
        Ok(None) => VariableState::Absent,
        Ok(Some(object)) => match values(source.kind, &object) {
            Ok(values) => VariableState::Found {
                values,
                version: format!(
                    "{} {}",
                    text(&object, "/metadata/uid").unwrap_or_default(),
                    text(&object, "/metadata/resourceVersion").unwrap_or_default()
                ),
            },
            Err(message) => VariableState::Unusable(Failure::new(FailureClass::Rejected, message)),
        },
        Err(failure) => VariableState::Unusable(failure),
    };
    Found::Variables(identity.clone(), source.clone(), state)
}

async fn object(
    gather: Gather<'_>,
    identity: &Identity,
    source: &VariableSource,
) -> Result<Option<Value>, Failure> {
    let namespace = &gather.key.namespace;
    let target =
        Target::collection("v1", source.kind.plural(), Some(namespace)).named(source.name.as_str());
    gather.as_tenant(identity)?.get(&target).await
}

/// The data as variables, or which key can't be one. A message never holds a value.
fn values(kind: VariableKind, object: &Value) -> Result<Values, String> {
    let empty = Map::new();
    let data = object["data"].as_object().unwrap_or(&empty);
    let mut values = Values::default();
    for (name, value) in data {
        let said = |what: &str| format!("its key {name:?} {what}");
        if !is_variable_name(name) {
            return Err(said(
                "can't be the name of a variable: use letters, digits and '_', and don't begin \
                 with a digit",
            ));
        }
        let plain = value.as_str().ok_or_else(|| said("isn't a text"))?;
        let value = match kind {
            VariableKind::ConfigMap => plain.to_owned(),
            VariableKind::Secret => STANDARD
                .decode(plain)
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok())
                .ok_or_else(|| said("isn't UTF-8, so it can't be substituted in a text"))?,
        };
        values.set(name, value);
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn data_become_variables_and_what_cannot_is_named_without_its_value() {
        let secret = json!({"data": {"a": STANDARD.encode("x=y\n")}});
        let found = values(VariableKind::Secret, &secret).unwrap();
        assert_eq!(found.iter().collect::<Vec<_>>(), [("a", "x=y\n")]);
        assert!(
            values(VariableKind::ConfigMap, &json!({}))
                .unwrap()
                .is_empty()
        );
        for (kind, data) in [
            (VariableKind::ConfigMap, json!({"not-a-name": "canary"})),
            (
                VariableKind::Secret,
                json!({"1a": STANDARD.encode("canary")}),
            ),
            (
                VariableKind::Secret,
                json!({"a": STANDARD.encode([0xff, 0xfe])}),
            ),
            (VariableKind::Secret, json!({"a": "canary!"})),
            (VariableKind::ConfigMap, json!({"a": 5})),
        ] {
            let said = values(kind, &json!({ "data": data })).unwrap_err();
            assert!(
                said.starts_with("its key \"") && !said.contains("canary"),
                "{said}"
            );
        }
    }
}
