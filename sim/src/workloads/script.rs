//! The script on a workload: when it becomes ready, or that it doesn't.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::{
    kinds::Resource,
    object,
    server::Server,
    status::{ApiError, Cause},
};

/// The annotation that holds the script.
pub const ANNOTATION: &str = "sim.stages.metio.wtf/workload";

/// What a workload will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Script {
    ReadyAfter(SignedDuration),
    Never,
    FailAfter(SignedDuration),
}

impl Script {
    /// When it comes to an end, counted from the last change of the spec.
    pub(crate) fn delay(self) -> Option<SignedDuration> {
        match self {
            Self::ReadyAfter(delay) | Self::FailAfter(delay) => Some(delay),
            Self::Never => None,
        }
    }
}

/// How far a workload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Progressing,
    Ready,
    Failed,
}

fn duration(text: &str) -> Option<SignedDuration> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let number: i64 = number.parse().ok()?;
    match unit {
        "ms" => Some(SignedDuration::from_millis(number)),
        "s" => Some(SignedDuration::from_secs(number)),
        "m" => Some(SignedDuration::from_secs(number.checked_mul(60)?)),
        "h" => Some(SignedDuration::from_secs(number.checked_mul(3600)?)),
        _ => None,
    }
}

/// Reads an object's script; the error is the wrong text.
pub(crate) fn read(object: &Value) -> Result<Script, String> {
    let Some(text) = object::annotation(object, ANNOTATION) else {
        return Ok(Script::ReadyAfter(SignedDuration::from_secs(1)));
    };
    let script = if text == "never" {
        Some(Script::Never)
    } else if let Some(delay) = text.strip_prefix("ready-after=") {
        duration(delay).map(Script::ReadyAfter)
    } else if let Some(delay) = text.strip_prefix("fail-after=") {
        duration(delay).map(Script::FailAfter)
    } else {
        None
    };
    script.ok_or_else(|| text.to_owned())
}

/// Refuses an object with a script that can't be read.
pub(crate) fn check(resource: &Resource, object: &Value) -> Result<(), ApiError> {
    let Err(text) = read(object) else {
        return Ok(());
    };
    let cause = Cause::invalid(
        format!("metadata.annotations[{ANNOTATION}]"),
        &Value::from(text),
        "must be ready-after=<duration>, never or fail-after=<duration>, with durations like 500ms, 5s, 2m, 1h",
    );
    Err(ApiError::invalid(
        &resource.kind,
        &resource.group,
        object::name(object),
        &[cause],
    ))
}

/// How far an object is now: the delay counts from the time that its present spec was written.
pub(crate) fn state(server: &Server, object: &Value) -> State {
    let since = written(server, object);
    let over = |delay: SignedDuration| since.checked_add(delay).is_ok_and(|end| server.now >= end);
    match read(object) {
        Ok(Script::ReadyAfter(delay)) if over(delay) => State::Ready,
        Ok(Script::FailAfter(delay)) if over(delay) => State::Failed,
        _ => State::Progressing,
    }
}

/// When the object's present spec came to be.
fn written(server: &Server, object: &Value) -> Timestamp {
    server
        .spec_times
        .get(object::uid(object))
        .copied()
        .unwrap_or(server.now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn scripts_are_read_strictly() {
        let with = |text: &str| json!({ "metadata": { "annotations": { ANNOTATION: text } } });
        assert_eq!(
            read(&with("ready-after=5s")),
            Ok(Script::ReadyAfter(SignedDuration::from_secs(5)))
        );
        assert_eq!(
            read(&with("fail-after=2m")),
            Ok(Script::FailAfter(SignedDuration::from_secs(120)))
        );
        assert_eq!(read(&with("never")), Ok(Script::Never));
        for wrong in [
            "",
            "ready",
            "ready-after=5",
            "ready-after=",
            "never ",
            "fail-after=-1s",
        ] {
            assert_eq!(read(&with(wrong)), Err(wrong.to_owned()), "{wrong:?}");
        }
    }
}
