//! `scenario.yaml`, read strictly: whatever isn't known is a mistake with its line.

use std::time::Duration;

use serde_json::Value;
use stageset_api::duration::GoDuration;
use stageset_render::Limits;
use stageset_render::yaml::{self, Data, Node};

use super::{ObjectName, Publication};

/// A mistake and its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mistake {
    /// Line, from 1.
    pub(super) line: usize,
    /// What is wrong.
    pub(super) message: String,
}

impl Mistake {
    fn new(line: usize, message: impl Into<String>) -> Self {
        Self {
            line,
            message: message.into(),
        }
    }
}

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
pub(super) fn parse(text: &[u8]) -> Result<Settings, Mistake> {
    let documents = yaml::nodes(text, &Limits::default()).map_err(|errors| {
        let first = errors.into_iter().next();
        first.map_or_else(
            || Mistake::new(1, "it can't be read"),
            |error| Mistake::new(error.line, error.fault.to_string()),
        )
    })?;
    if let Some(second) = documents.get(1) {
        return Err(Mistake::new(
            second.line,
            "a second document; a scenario is one",
        ));
    }
    let Some(root) = documents.first() else {
        return Ok(Settings::default());
    };
    let mut fields = Fields::of(root, "a scenario", &["until", "steps"])?;
    let until = fields
        .take("until")
        .map(|value| duration(value, "until", true))
        .transpose()?;
    let mut steps: Vec<StepSetting> = Vec::new();
    if let Some(value) = fields.take("steps") {
        let Data::Sequence(items) = &value.data else {
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
            if let Some(until) = until.filter(|until| step.at >= *until) {
                let message = format!("this step would never happen: until is {until:?}");
                return Err(Mistake::new(step.line, message));
            }
            steps.push(step);
        }
    }
    Ok(Settings { until, steps })
}

const VERBS: [&str; 4] = ["publish", "apply", "delete", "patch"];

fn step(item: &Node) -> Result<StepSetting, Mistake> {
    let mut fields = Fields::of(
        item,
        "a step",
        &["at", "publish", "apply", "delete", "patch"],
    )?;
    let at = fields.need("at")?;
    let at = duration(at, "at", false)?;
    let mut verbs = VERBS
        .iter()
        .filter_map(|verb| fields.take(verb).map(|value| (*verb, value)));
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
            let merge = fields.need("merge")?;
            if !matches!(merge.data, Data::Mapping(_)) {
                return Err(wrong(
                    merge,
                    "merge",
                    "a map, as kubectl patch --type=merge takes",
                ));
            }
            ActionSetting::Patch(object, merge.clone().into_value())
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
            .map(|value| text(value, "namespace"))
            .transpose()?,
        name: fields.need_text("name")?,
    })
}

/// The fields of a map, all of them known.
struct Fields<'a> {
    line: usize,
    what: &'static str,
    left: Vec<&'a (String, Node)>,
}

impl<'a> Fields<'a> {
    fn of(node: &'a Node, what: &'static str, known: &[&str]) -> Result<Self, Mistake> {
        let known_words = known.join(", ");
        let Data::Mapping(map) = &node.data else {
            let message = format!("{what} is a map of {known_words}, found {}", node.kind());
            return Err(Mistake::new(node.line, message));
        };
        if let Some((key, value)) = map.iter().find(|(key, _)| !known.contains(&key.as_str())) {
            let message = format!("unknown field {key:?}; {what} has {known_words}");
            return Err(Mistake::new(value.line, message));
        }
        Ok(Self {
            line: node.line,
            what,
            left: map.iter().collect(),
        })
    }

    fn take(&mut self, name: &str) -> Option<&'a Node> {
        let at = self.left.iter().position(|(key, _)| key == name)?;
        Some(&self.left.remove(at).1)
    }

    fn need(&mut self, name: &str) -> Result<&'a Node, Mistake> {
        self.take(name).ok_or_else(|| {
            Mistake::new(self.line, format!("{} needs the field {name:?}", self.what))
        })
    }

    fn need_text(&mut self, name: &str) -> Result<String, Mistake> {
        text(self.need(name)?, name)
    }
}

fn wrong(value: &Node, field: &str, wanted: &str) -> Mistake {
    Mistake::new(
        value.line,
        format!("{field} must be {wanted}, found {}", value.kind()),
    )
}

fn text(value: &Node, field: &str) -> Result<String, Mistake> {
    match &value.data {
        Data::String(text) if !text.is_empty() => Ok(text.clone()),
        _ => Err(wrong(value, field, "a text that isn't empty")),
    }
}

fn duration(value: &Node, field: &str, positive: bool) -> Result<Duration, Mistake> {
    let text = match &value.data {
        Data::String(text) => text.clone(),
        Data::Number(number) if number.as_u64() == Some(0) => "0".to_owned(),
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
            b"until: 10m\n\
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
        assert_eq!(parse(b"").unwrap(), Settings::default());
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
            (
                "until: 5s\nsteps:\n- at: 5s\n  apply: x\n",
                3,
                "never happen",
            ),
            ("- a\n", 1, "found a list"),
        ] {
            let mistake = parse(text.as_bytes()).unwrap_err();
            assert_eq!(mistake.line, line, "{text:?}: {}", mistake.message);
            assert!(
                mistake.message.contains(word),
                "{text:?}: {}",
                mistake.message
            );
        }
    }
}
