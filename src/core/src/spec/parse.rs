//! The steps from JSON to a valid spec.

use serde_json::Value;
use stageset_api::stageset::StageSetSpec;

use super::problems::{Problems, SCHEMA};
use super::{Problem, Spec, convert, rules, unsupported};

/// Parses the spec of the StageSet with this namespace and name.
///
/// The names are raw text, since a bypassed admission may hold bad ones. Nothing outside the
/// arguments counts: no cluster, no clock, no flags (whether a foreign `sourceRef` is allowed is
/// checked where the flag is known).
///
/// Two rules are judged by shape alone, because the fields they speak of are refused as
/// unsupported for now: the CEL expressions of ready checks aren't compiled (V29), and a time zone
/// must look like an IANA name, but need not exist (V30).
///
/// # Errors
/// Everything that is wrong: shape, V1 to V31, G1 to G10, unsupported fields, in this order (K26).
/// Beyond [`MOST_FAULTS`](stageset_api::read::MOST_FAULTS) faults of shape only those are listed.
pub fn parse(namespace: &str, name: &str, spec: &Value) -> Result<Spec, Vec<Problem>> {
    let mut problems = Problems::default();
    let (read, faults) = StageSetSpec::read(spec);
    for fault in faults {
        problems.add(SCHEMA, fault.path.below("spec"), fault.message);
    }
    let Some(read) = read else {
        let message = "too many values of the wrong shape; the first of them are listed here";
        problems.add(SCHEMA, "spec", message);
        return Err(problems.into_sorted());
    };
    rules::check(namespace, name, &read, &mut problems);
    unsupported::check(&read, &mut problems);
    let converted = convert::spec(namespace, &read, &mut problems);
    match converted {
        Some(spec) if problems.is_empty() => Ok(spec),
        _ => Err(problems.into_sorted()),
    }
}
