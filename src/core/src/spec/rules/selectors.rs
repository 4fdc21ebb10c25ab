//! Label selectors (V28, G3).

use stageset_api::choice::{Choice, allowed};
use stageset_api::stageset::{LabelSelector, LabelSelectorRequirement, SelectorOperator};

use super::super::problems::show;
use crate::names::ServiceAccountName;

/// What is wrong with a selector; one that selects everything is wrong too.
pub(super) fn faults(selector: &LabelSelector) -> Vec<String> {
    let mut faults = Vec::new();
    if selector.match_labels.is_empty() && selector.match_expressions.is_empty() {
        faults.push("the selector is empty and would match everything".to_owned());
    }
    for (key, value) in &selector.match_labels {
        if !is_key(key) {
            faults.push(format!("the selector's {} is no label key", show(key)));
        }
        if !is_value(value) {
            faults.push(format!("the selector's {} is no label value", show(value)));
        }
    }
    for requirement in &selector.match_expressions {
        faults.extend(requirement_fault(requirement));
    }
    faults
}

fn requirement_fault(requirement: &LabelSelectorRequirement) -> Option<String> {
    let key = show(&requirement.key);
    if !is_key(&requirement.key) {
        return Some(format!("the selector's {key} is no label key"));
    }
    if let Some(value) = requirement.values.iter().find(|value| !is_value(value)) {
        return Some(format!("the selector's {} is no label value", show(value)));
    }
    let empty = requirement.values.is_empty();
    match &requirement.operator {
        Choice::Unknown(found) => Some(format!(
            "the selector's operator {} is none of {}",
            show(found),
            allowed::<SelectorOperator>()
        )),
        Choice::Known(operator @ (SelectorOperator::In | SelectorOperator::NotIn)) if empty => {
            Some(format!("the selector's {operator} on {key} needs values"))
        }
        Choice::Known(operator @ (SelectorOperator::Exists | SelectorOperator::DoesNotExist))
            if !empty =>
        {
            Some(format!(
                "the selector's {operator} on {key} takes no values"
            ))
        }
        Choice::Known(_) => None,
    }
}

/// A name of letters, digits and `-_.` between letters or digits, at most 63 long.
fn is_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    text.len() <= 63
        && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
        && bytes
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(b))
}

fn is_key(text: &str) -> bool {
    match text.split_once('/') {
        // A prefix is a DNS-1123 subdomain, as an account's name is.
        Some((prefix, name)) => ServiceAccountName::new(prefix).is_ok() && is_name(name),
        None => is_name(text),
    }
}

fn is_value(text: &str) -> bool {
    text.is_empty() || is_name(text)
}
