//! `scenario.yaml`, read strictly: whatever isn't known is a mistake with its line.

use std::time::Duration;

use serde_json::Value;
use stageset_api::duration::GoDuration;

use super::located::{Located, Mistake, Node, read};
use super::{ObjectName, Publication};

/// The file as written; paths are not yet looked at.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Settings {
    /// `until`.
    pub(super) until: Option<Duration>,
    /// `steps`, in the order of the file.
    pub(super) steps: Vec<StepSetting>,
}

/// One entry of `steps`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct StepSetting {
    /// Line where the step begins.
    pub(super) line: usize,
    /// Time from the start.
    pub(super) at: Duration,
    /// What happens.
    pub(super) what: ActionSetting,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum ActionSetting {
    /// `publish: {source, revision}`.
    Publish(Publication),
    /// `apply: FILE`, relative to the folder.
    Apply(String),
    /// `delete: {apiVersion, kind, namespace, name}`.
    Delete(ObjectName),
    /// `patch: {apiVersion, kind, namespace, name, merge}`.
    Patch(ObjectName, Value),
}

/// Reads the text of a `scenario.yaml`.
pub(super) fn parse(text: &str) -> Result<Settings, Mistake> {
    let Some(root) = read(text)? else {
        return Ok(Settings::default());
    };
    let mut fields = Fields::of(&root, "a scenario", &["until", "steps"])?;
    let until = fields
        .take("until")
        .map(|(_, value)| duration(value, "until", true))
        .transpose()?;
    let mut steps: Vec<StepSetting> = Vec::new();
    if let Some((_, value)) = fields.take("steps") {
        let Node::List(items) = &value.node else {
            return Err(wrong(value, "steps", "a list"));
        };
        for item in items {
            let step = step(item)?;
            if let Some(before) = steps.last().filter(|before| before.at > step.at) {
                return Err(Mistake::new(
                    step.line,
                    format!(
                        "this step is earlier than the one of line {} before it; \
                         write steps in the order in which they happen",
                        before.line
                    ),
                ));
            }
            steps.push(step);
        }
    }
    Ok(Settings { until, steps })
}

const VERBS: [&str; 4] = ["publish", "apply", "delete", "patch"];

fn step(item: &Located) -> Result<StepSetting, Mistake> {
    let mut fields = Fields::of(
        item,
        "a step",
        &["at", "publish", "apply", "delete", "patch"],
    )?;
    let (_, at) = fields.need("at")?;
    let at = duration(at, "at", false)?;
    let mut verbs = VERBS
        .iter()
        .filter_map(|verb| fields.take(verb).map(|(_, v)| (*verb, v)));
    let only = format!("a step does exactly one of {}", VERBS.join(", "));
    let Some((verb, value)) = verbs.next() else {
        return Err(Mistake::new(item.line, only));
    };
    if let Some((_, second)) = verbs.next() {
        return Err(Mistake::new(second.line, only));
    }
    let what = match verb {
        "publish" => {
            let mut fields = Fields::of(value, "publish", &["source", "revision"])?;
            ActionSetting::Publish(Publication {
                source: fields.need_text("source")?,
                revision: fields.need_text("revision")?,
            })
        }
        "apply" => ActionSetting::Apply(text(value, "apply")?),
        "delete" => {
            let known = ["apiVersion", "kind", "namespace", "name"];
            ActionSetting::Delete(object(&mut Fields::of(value, "delete", &known)?)?)
        }
        _ => {
            let known = ["apiVersion", "kind", "namespace", "name", "merge"];
            let mut fields = Fields::of(value, "patch", &known)?;
            let object = object(&mut fields)?;
            let (_, merge) = fields.need("merge")?;
            if !matches!(merge.node, Node::Map(_)) {
                return Err(wrong(
                    merge,
                    "merge",
                    "a map, as kubectl patch --type=merge takes",
                ));
            }
            ActionSetting::Patch(object, merge.to_value())
        }
    };
    Ok(StepSetting {
        line: item.line,
        at,
        what,
    })
}

fn object(fields: &mut Fields<'_>) -> Result<ObjectName, Mistake> {
    Ok(ObjectName {
        api_version: fields.need_text("apiVersion")?,
        kind: fields.need_text("kind")?,
        namespace: fields
            .take("namespace")
            .map(|(_, v)| text(v, "namespace"))
            .transpose()?,
        name: fields.need_text("name")?,
    })
}

/// The fields of a map, all of them known.
struct Fields<'a> {
    line: usize,
    what: &'static str,
    fields: Vec<(&'a str, usize, &'a Located)>,
}

impl<'a> Fields<'a> {
    fn of(located: &'a Located, what: &'static str, known: &[&str]) -> Result<Self, Mistake> {
        let Node::Map(map) = &located.node else {
            return Err(Mistake::new(
                located.line,
                format!(
                    "{what} is a map of {}, found {}",
                    known.join(", "),
                    located.kind()
                ),
            ));
        };
        for (key, line, _) in map {
            if !known.contains(&key.as_str()) {
                return Err(Mistake::new(
                    *line,
                    format!("unknown field {key:?}; {what} has {}", known.join(", ")),
                ));
            }
        }
        let fields = map
            .iter()
            .map(|(key, line, value)| (key.as_str(), *line, value))
            .collect();
        Ok(Self {
            line: located.line,
            what,
            fields,
        })
    }

    fn take(&mut self, name: &str) -> Option<(usize, &'a Located)> {
        let at = self.fields.iter().position(|(key, ..)| *key == name)?;
        let (_, line, value) = self.fields.remove(at);
        Some((line, value))
    }

    fn need(&mut self, name: &str) -> Result<(usize, &'a Located), Mistake> {
        self.take(name).ok_or_else(|| {
            Mistake::new(self.line, format!("{} needs the field {name:?}", self.what))
        })
    }

    fn need_text(&mut self, name: &str) -> Result<String, Mistake> {
        let (_, value) = self.need(name)?;
        text(value, name)
    }
}

fn wrong(value: &Located, field: &str, wanted: &str) -> Mistake {
    Mistake::new(
        value.line,
        format!("{field} must be {wanted}, found {}", value.kind()),
    )
}

fn text(value: &Located, field: &str) -> Result<String, Mistake> {
    match &value.node {
        Node::Scalar(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
        _ => Err(wrong(value, field, "a text that isn't empty")),
    }
}

fn duration(value: &Located, field: &str, positive: bool) -> Result<Duration, Mistake> {
    let text = match &value.node {
        Node::Scalar(Value::String(text)) => text.clone(),
        Node::Scalar(Value::Number(number)) if number.as_u64() == Some(0) => "0".to_owned(),
        _ => return Err(wrong(value, field, "a duration such as 30s or 1h30m")),
    };
    let parsed: GoDuration = text
        .parse()
        .map_err(|error| Mistake::new(value.line, format!("{field}: {error}")))?;
    match u64::try_from(parsed.as_nanos()) {
        Ok(nanos) if nanos > 0 || !positive => Ok(Duration::from_nanos(nanos)),
        _ => Err(Mistake::new(
            value.line,
            format!("{field}: {text} must be longer than nothing"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_scenario_is_read() {
        let settings = parse(
            "until: 10m\n\
             steps:\n\
             - at: 0s\n  publish: {source: shop, revision: v1}\n\
             - at: 30s\n  apply: steps/grant.yaml\n\
             - at: 1m\n  patch: {apiVersion: apps/v1, kind: Deployment, namespace: a, name: b, merge: {spec: {replicas: 2}}}\n\
             - at: 1m\n  delete: {apiVersion: v1, kind: Namespace, name: a}\n",
        )
        .unwrap();
        assert_eq!(settings.until, Some(Duration::from_secs(600)));
        let lines: Vec<_> = settings
            .steps
            .iter()
            .map(|s| (s.line, s.at.as_secs()))
            .collect();
        assert_eq!(lines, [(3, 0), (5, 30), (7, 60), (9, 60)]);
        let ActionSetting::Patch(object, merge) = &settings.steps[2].what else {
            panic!()
        };
        assert_eq!(object.to_string(), "Deployment a/b");
        assert_eq!(merge, &serde_json::json!({"spec": {"replicas": 2}}));
        assert_eq!(parse("").unwrap(), Settings::default());
    }

    #[test]
    fn what_is_not_known_is_a_mistake_in_its_line() {
        for (text, line, word) in [
            ("untill: 10m\n", 1, "unknown field \"untill\""),
            ("until: soon\n", 1, "not a duration"),
            ("until: 0s\n", 1, "longer than nothing"),
            ("until: -5s\n", 1, "longer than nothing"),
            ("until: 10\n", 1, "duration"),
            ("until: 1m\nsteps: {}\n", 2, "a list"),
            ("steps:\n- apply: x\n", 2, "\"at\""),
            ("steps:\n- at: 5s\n", 2, "exactly one of"),
            (
                "steps:\n- at: 5s\n  apply: x\n  fail: y\n",
                4,
                "unknown field \"fail\"",
            ),
            (
                "steps:\n- at: 5s\n  apply: x\n  publish: {source: a, revision: b}\n",
                3,
                "exactly one of",
            ),
            (
                "steps:\n- at: 5s\n  publish: {source: a}\n",
                3,
                "\"revision\"",
            ),
            (
                "steps:\n- at: 5s\n  publish: {source: a, revision: 7}\n",
                3,
                "revision must be a text",
            ),
            (
                "steps:\n- at: 9s\n  apply: x\n- at: 5s\n  apply: y\n",
                4,
                "earlier",
            ),
            (
                "steps:\n- at: 5s\n  delete: {kind: X, name: y}\n",
                3,
                "apiVersion",
            ),
            (
                "steps:\n- at: 5s\n  patch: {apiVersion: v1, kind: X, name: y, merge: 3}\n",
                3,
                "a map",
            ),
            ("- a\n", 1, "found a list"),
        ] {
            let mistake = parse(text).unwrap_err();
            assert_eq!(mistake.line, line, "{text:?}: {}", mistake.message);
            assert!(
                mistake.message.contains(word),
                "{text:?}: {}",
                mistake.message
            );
        }
    }
}
