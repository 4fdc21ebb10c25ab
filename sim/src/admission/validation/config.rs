//! Validation of `ConfigMaps` and Secrets.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};

use super::text;
use crate::{admission::names, status::Cause};

/// How much data one object may hold.
const SIZE: usize = 1024 * 1024;

fn map<'a>(object: &'a Value, field: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    object
        .get(field)
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
}

fn keys(object: &Value, field: &str, causes: &mut Vec<Cause>) {
    for (key, _) in map(object, field) {
        for problem in names::config_key(key) {
            let at = format!("{field}[{key}]");
            causes.push(Cause::invalid(at, &Value::from(key.as_str()), &problem));
        }
    }
}

fn decoded(value: &Value) -> Vec<u8> {
    STANDARD
        .decode(value.as_str().unwrap_or_default())
        .unwrap_or_default()
}

pub(super) fn config_map(new: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    keys(new, "data", &mut causes);
    keys(new, "binaryData", &mut causes);
    for (key, _) in map(new, "data") {
        if map(new, "binaryData").any(|(other, _)| other == key) {
            let what = "duplicate of key present in binaryData";
            let at = format!("data[{key}]");
            causes.push(Cause::invalid(at, &Value::from(key.as_str()), what));
        }
    }
    let plain: usize = map(new, "data")
        .map(|(_, v)| v.as_str().unwrap_or_default().len())
        .sum();
    let binary: usize = map(new, "binaryData").map(|(_, v)| decoded(v).len()).sum();
    if plain + binary > SIZE {
        causes.push(Cause::too_long("", SIZE));
    }
    causes
}

pub(super) fn secret(new: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    keys(new, "data", &mut causes);
    let size: usize = map(new, "data").map(|(_, v)| decoded(v).len()).sum();
    if size > SIZE {
        causes.push(Cause::too_long("data", SIZE));
    }
    let empty = Map::new();
    let data = new.get("data").and_then(Value::as_object).unwrap_or(&empty);
    let mut need = |keys: &[&str]| {
        for key in keys {
            if !data.contains_key(*key) {
                causes.push(Cause::required(format!("data[{key}]"), ""));
            }
        }
    };
    match text(new, "type") {
        "kubernetes.io/service-account-token" => {
            let key = "kubernetes.io/service-account.name";
            let named = crate::object::annotation(new, key).is_some_and(|v| !v.is_empty());
            if !named {
                causes.push(Cause::required(format!("metadata.annotations[{key}]"), ""));
            }
        }
        "kubernetes.io/tls" => need(&["tls.crt", "tls.key"]),
        "kubernetes.io/basic-auth"
            if !data.contains_key("username") && !data.contains_key("password") =>
        {
            need(&["username", "password"]);
        }
        "kubernetes.io/ssh-auth" => {
            let key = data.get("ssh-privatekey").map(decoded);
            if key.is_none_or(|key| key.is_empty()) {
                causes.push(Cause::required("data[ssh-privatekey]", ""));
            }
        }
        "kubernetes.io/dockerconfigjson" => docker(".dockerconfigjson", data, &mut causes),
        "kubernetes.io/dockercfg" => docker(".dockercfg", data, &mut causes),
        _ => {}
    }
    causes
}

fn docker(key: &str, data: &Map<String, Value>, causes: &mut Vec<Cause>) {
    let at = format!("data[{key}]");
    let Some(value) = data.get(key) else {
        causes.push(Cause::required(at, ""));
        return;
    };
    let content = decoded(value);
    let what = match serde_json::from_slice::<Value>(&content) {
        Ok(Value::Object(_) | Value::Null) => return,
        Ok(other) => {
            let found = match other {
                Value::Array(_) => "array",
                Value::String(_) => "string",
                Value::Bool(_) => "bool",
                _ => "number",
            };
            format!(
                "json: cannot unmarshal {found} into Go value of type map[string]interface {{}}"
            )
        }
        Err(_) if content.is_empty() => "unexpected end of JSON input".into(),
        Err(_) => {
            let first = char::from(content[0]);
            format!("invalid character '{first}' looking for beginning of value")
        }
    };
    let hidden = Value::from("<secret contents redacted>");
    causes.push(Cause::invalid(at, &hidden, &what));
}
