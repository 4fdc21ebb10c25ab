//! For doubters: the same folder built by the user's own kustomize, compared object by object.

use std::fmt::Write as _;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, ExitCode};

use serde_json::Value;
use stageset_render::{Limits, yaml};

use super::{BuildError, objects, within};
use crate::error::CommandError;
use crate::timeline::print_out;

const PROGRAM: &str = "kustomize";

/// Compares, and says what differs; ends with 1 if anything does.
pub(super) fn command(directory: &Path, path: &str) -> Result<ExitCode, CommandError> {
    let theirs = theirs(&within(directory, path))?;
    let (ours, failed) = match objects(directory, path) {
        Ok(objects) => (
            objects.into_iter().map(|object| object.value).collect(),
            None,
        ),
        Err(error @ CommandError::Build(_)) => (Vec::new(), Some(error.to_string())),
        Err(error) => return Err(error),
    };
    let mut text = String::new();
    let same = match (failed, theirs) {
        (Some(ours), Err(theirs)) => {
            let _ = writeln!(
                text,
                "both refuse it\nours:      {ours}\nkustomize: {theirs}"
            );
            true
        }
        (Some(ours), Ok(theirs)) => {
            let _ = writeln!(
                text,
                "kustomize builds {} object(s), ours fails:\n{ours}",
                theirs.len()
            );
            false
        }
        (None, Err(theirs)) => {
            let _ = writeln!(
                text,
                "ours builds {} object(s), kustomize fails:\n{theirs}",
                ours.len()
            );
            false
        }
        (None, Ok(theirs)) => compare(&ours, &theirs, &mut text),
    };
    print_out(&text)?;
    Ok(if same {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}

/// Says which objects differ. Values of Secrets are not printed, and neither is anything else of an
/// object but its name and the fields that differ.
fn compare(ours: &[Value], theirs: &[Value], text: &mut String) -> bool {
    let names = |objects: &[Value]| objects.iter().map(name).collect::<Vec<_>>();
    let (mine, other) = (names(ours), names(theirs));
    if mine != other {
        let _ = writeln!(
            text,
            "the objects differ, or their order\nours:      {}\nkustomize: {}",
            mine.join(", "),
            other.join(", ")
        );
        return false;
    }
    let mut same = true;
    for (ours, theirs) in ours.iter().zip(theirs) {
        let mut fields = Vec::new();
        differing(ours, theirs, String::new(), &mut fields);
        if !fields.is_empty() {
            same = false;
            let _ = writeln!(text, "{} differs in {}", name(ours), fields.join(", "));
        }
    }
    if same {
        let _ = writeln!(text, "the same {} object(s), in the same order", ours.len());
    }
    same
}

fn differing(ours: &Value, theirs: &Value, at: String, fields: &mut Vec<String>) {
    match (ours, theirs) {
        (Value::Object(mine), Value::Object(other)) => {
            for key in mine
                .keys()
                .chain(other.keys().filter(|key| !mine.contains_key(*key)))
            {
                let at = if at.is_empty() {
                    key.clone()
                } else {
                    format!("{at}.{key}")
                };
                match (mine.get(key), other.get(key)) {
                    (Some(mine), Some(other)) => differing(mine, other, at, fields),
                    _ => fields.push(at),
                }
            }
        }
        (Value::Array(mine), Value::Array(other)) if mine.len() == other.len() => {
            for (index, (mine, other)) in mine.iter().zip(other).enumerate() {
                differing(mine, other, format!("{at}[{index}]"), fields);
            }
        }
        (ours, theirs) if ours == theirs => {}
        _ => fields.push(at),
    }
}

/// Kind and name of an object.
pub(super) fn name(object: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let name = text(&object["metadata"]["name"]);
    match object["metadata"]["namespace"].as_str() {
        Some(namespace) => format!("{} {namespace}/{name}", text(&object["kind"])),
        None => format!("{} {name}", text(&object["kind"])),
    }
}

/// What kustomize builds, or its words when it doesn't. With the two settings that Flux has: files
/// may stand anywhere in the artifact, and objects keep their order.
fn theirs(folder: &Path) -> Result<Result<Vec<Value>, String>, BuildError> {
    let failed = |said: String| BuildError::Kustomize {
        program: PROGRAM.to_owned(),
        said,
    };
    let output = Command::new(PROGRAM)
        .arg("build")
        .args(["--load-restrictor", "LoadRestrictionsNone"])
        .args(["--reorder", "none"])
        .arg(folder)
        .output()
        .map_err(|error| match error.kind() {
            ErrorKind::NotFound => BuildError::NoKustomize,
            _ => failed(error.to_string()),
        })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Ok(Err(said.trim().to_owned()));
    }
    let documents = yaml::documents(&output.stdout, &Limits::default()).map_err(|errors| {
        failed(
            errors
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("; "),
        )
    })?;
    Ok(Ok(documents
        .into_iter()
        .map(|document| document.value)
        .collect()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn differences_are_named_by_field_without_values() {
        let ours = [
            json!({"kind": "Secret", "metadata": {"name": "s"}, "data": {"p": "canary", "l": [1, 2]}}),
        ];
        let theirs = [
            json!({"kind": "Secret", "metadata": {"name": "s"}, "data": {"p": "other", "l": [1, 3]}, "x": 1}),
        ];
        let mut text = String::new();
        assert!(!compare(&ours, &theirs, &mut text));
        assert_eq!(text, "Secret s differs in data.l[1], data.p, x\n");
        text.clear();
        assert!(compare(&ours, &ours, &mut text));
        assert_eq!(text, "the same 1 object(s), in the same order\n");
        text.clear();
        assert!(!compare(&ours, &[], &mut text));
        assert!(text.starts_with("the objects differ"));
    }
}
