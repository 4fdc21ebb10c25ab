//! What may differ between the two although neither is wrong: each with its reason, and each counted.

use serde_json::Value;
use stageset_e2e::answers::Answer;

/// Why a difference isn't one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Excluded {
    /// A definition is on its way in or out.
    DefinitionUnderWay,
}

impl Excluded {
    /// The reason.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::DefinitionUnderWay => {
                "asked about a definition, or the kind it defines, between its creation or deletion and \
                 the end of that: the real server gets there when it likes"
            }
        }
    }
}

/// Puts the entries of managed fields in an order of names. Servers keep them in the order of the
/// seconds in which they were written, and what takes minutes in the run takes one second here.
pub(crate) fn order_managed_fields(answer: &mut Answer) {
    order(&mut answer.body);
}

fn order(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::Array(entries)) = fields.get_mut("managedFields") {
                let text = |entry: &Value, field: &str| entry[field].as_str().map(str::to_owned);
                entries.sort_by_key(|entry| {
                    ["operation", "manager", "apiVersion", "subresource"]
                        .map(|field| text(entry, field))
                });
            }
            fields.values_mut().for_each(order);
        }
        Value::Array(items) => items.iter_mut().for_each(order),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_managed_fields_are_ordered() {
        let mut answer = Answer {
            code: 200,
            body: json!({ "items": [{ "managedFields": [{ "manager": "b" }, { "manager": "a" }] }],
                          "finalizers": ["b", "a"] }),
        };
        order_managed_fields(&mut answer);
        let wanted = json!({ "items": [{ "managedFields": [{ "manager": "a" }, { "manager": "b" }] }],
                             "finalizers": ["b", "a"] });
        assert_eq!(answer.body, wanted);
    }
}
