//! CEL rules of custom resources.
//!
//! Not evaluated yet: a write that a rule would judge is refused with 501 and the rule's text,
//! unless one of the few forms read here decides it.

use serde_json::Value;

use super::schema::Schema;
use crate::status::{ApiError, Cause};

/// Judges all rules of a schema.
pub(crate) fn check(
    schema: &Schema,
    old: Option<&Value>,
    new: &Value,
    path: &str,
    causes: &mut Vec<Cause>,
) -> Result<(), ApiError> {
    let _ = (old, new, path, causes);
    for rule in &schema.rules {
        return Err(ApiError::not_modelled(format!(
            "the CEL rule {:?}",
            rule.rule
        )));
    }
    Ok(())
}
