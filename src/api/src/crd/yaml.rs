//! A definition as YAML, in an order that doesn't depend on how it was built.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use serde_json::Value;

/// First line of every generated file.
const HEADER: &str = "# Generated from the types in src/api; `cargo run -p stageset-api --features crd \
    --bin generate-crds` writes it anew.\n";

/// A value whose objects are written in the order of their keys, whatever order a feature of the
/// JSON library keeps them in.
struct Sorted<'a>(&'a Value);

impl Serialize for Sorted<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(fields) => {
                let sorted: BTreeMap<&str, Sorted<'_>> = fields
                    .iter()
                    .map(|(key, value)| (key.as_str(), Sorted(value)))
                    .collect();
                sorted.serialize(serializer)
            }
            Value::Array(items) => serializer.collect_seq(items.iter().map(Sorted)),
            other => other.serialize(serializer),
        }
    }
}

/// The text of a generated file.
///
/// # Errors
/// If the YAML library refuses the value.
pub fn to_yaml(definition: &Value) -> Result<String, serde_saphyr::ser::Error> {
    let body = serde_saphyr::to_string(&Sorted(definition))?;
    Ok(format!("{HEADER}{body}"))
}
