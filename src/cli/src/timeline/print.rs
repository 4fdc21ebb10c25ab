//! The timeline as text: one line an event, in columns, messages wrapped below their line.

use std::fmt::Write as _;
use std::time::Duration;

use super::record::{Cure, Outcome, Record, Requests, Verb, What};
use super::style::{Paint, Style};
use super::words;
use crate::simulation::Report;

/// Messages are wrapped so that lines end here.
const WIDTH: usize = 116;
/// Width of the column of verbs.
const VERB: usize = 9;

/// A line before it is laid out.
struct Line {
    time: String,
    stage_set: String,
    stage: String,
    verb: (&'static str, Style),
    text: String,
    identity: String,
    /// Wrapped below.
    below: Vec<String>,
}

/// The whole report as text.
pub(super) fn text(report: &Report, paint: Paint) -> String {
    let lines: Vec<Line> = report.records.iter().map(line).collect();
    let width = |column: fn(&Line) -> &str, title: &str| {
        lines
            .iter()
            .map(|line| column(line).chars().count())
            .chain([title.len()])
            .max()
            .unwrap_or(0)
    };
    let time = width(|line| &line.time, "TIME");
    let stage_set = width(|line| &line.stage_set, "STAGESET");
    let stage = width(|line| &line.stage, "STAGE");
    // Only lines that have an identity decide where its column begins.
    let text = lines
        .iter()
        .filter(|line| !line.identity.is_empty())
        .map(|line| line.text.chars().count())
        .chain([4])
        .max()
        .unwrap_or(0);
    let indent = time + 2 + stage_set + 2 + stage + 2 + VERB + 1;
    let mut out = String::new();
    let title = format!(
        "{:>time$}  {:stage_set$}  {:stage$}  {:what$}  AS",
        "TIME",
        "STAGESET",
        "STAGE",
        "WHAT",
        what = VERB + 1 + text
    );
    push(&mut out, &paint.apply(Style::Faint, &title));
    for line in &lines {
        let verb = paint.apply(line.verb.1, &format!("{:VERB$}", line.verb.0));
        let head = format!(
            "{:>time$}  {:stage_set$}  {:stage$}  {verb} ",
            line.time, line.stage_set, line.stage
        );
        if line.identity.is_empty() {
            let mut wrapped = wrap(&line.text, WIDTH - indent.min(76)).into_iter();
            push(
                &mut out,
                &format!("{head}{}", wrapped.next().unwrap_or_default()),
            );
            for rest in wrapped {
                push(&mut out, &format!("{:indent$}{rest}", ""));
            }
        } else {
            push(
                &mut out,
                &format!("{head}{:text$}  {}", line.text, line.identity),
            );
        }
        for message in &line.below {
            // A rule stays in one line, so that it can be copied.
            let width = if message.starts_with("- {") {
                usize::MAX
            } else {
                WIDTH - indent.min(76)
            };
            for part in wrap(message, width) {
                push(&mut out, &format!("{:indent$}{part}", ""));
            }
        }
    }
    out.push('\n');
    summary(&mut out, report, paint);
    out
}

fn push(out: &mut String, line: &str) {
    out.push_str(line.trim_end());
    out.push('\n');
}

fn summary(out: &mut String, report: &Report, paint: Paint) {
    let width = report
        .outcomes
        .iter()
        .map(|o| o.stage_set.chars().count())
        .max()
        .unwrap_or(0);
    for outcome in &report.outcomes {
        let style = if outcome.good {
            Style::Good
        } else {
            Style::Bad
        };
        let state = paint.apply(style, outcome.state);
        let line = format!(
            "{:width$}  {state} {}",
            outcome.stage_set,
            outcome_words(outcome)
        );
        push(out, &line);
    }
    let users: Vec<String> = report
        .requests
        .keys()
        .map(|user| words::user(user))
        .collect();
    let width = users
        .iter()
        .map(|user| user.chars().count())
        .max()
        .unwrap_or(0);
    for (index, (user, requests)) in users.iter().zip(report.requests.values()).enumerate() {
        let title = if index == 0 { "requests" } else { "" };
        let line = format!("{title:8}  {user:width$}  {}", requests_words(requests));
        push(out, &paint.apply(Style::Faint, &line));
    }
    let line = format!("ended after {} of virtual time", time(report.ended));
    push(out, &paint.apply(Style::Faint, &line));
}

fn outcome_words(outcome: &Outcome) -> String {
    let mut text = match outcome.ready_after {
        Some(after) if outcome.good => format!("after {}", time(after)),
        _ if outcome.reason.is_empty() => String::new(),
        _ => format!("({})", outcome.reason),
    };
    if outcome.writes.is_empty() {
        text.push_str(", nothing written");
    }
    for (user, count) in &outcome.writes {
        let writes = if *count == 1 { "write" } else { "writes" };
        let _ = write!(text, ", {count} {writes} as {}", words::user(user));
    }
    text
}

fn requests_words(requests: &Requests) -> String {
    let count = |n: usize, one: &str, many: &str| match n {
        0 => None,
        1 => Some(format!("1 {one}")),
        n => Some(format!("{n} {many}")),
    };
    let parts: Vec<String> = [
        count(requests.reads, "read", "reads"),
        count(requests.watches, "watch", "watches"),
        count(requests.dry_runs, "dry run", "dry runs"),
        count(requests.writes, "write", "writes"),
        count(requests.refused, "refused", "refused"),
    ]
    .into_iter()
    .flatten()
    .collect();
    parts.join(", ")
}

fn line(record: &Record) -> Line {
    let mut line = Line {
        time: time(record.at),
        stage_set: record.stage_set.clone().unwrap_or_default(),
        stage: record.stage.clone().unwrap_or_default(),
        verb: ("", Style::Plain),
        text: String::new(),
        identity: String::new(),
        below: Vec::new(),
    };
    match &record.what {
        What::World { text } => {
            line.verb = ("step", Style::World);
            line.text.clone_from(text);
        }
        What::Pinned { revisions } => {
            line.verb = ("begins", Style::Plain);
            let pins: Vec<String> = revisions
                .iter()
                .map(|(source, revision)| format!("{source} at {revision}"))
                .collect();
            line.text = format!("with {}", pins.join(", "));
        }
        What::Wrote {
            verb,
            object,
            identity,
            why,
        } => {
            line.verb = match verb {
                Verb::Create => ("created", Style::Create),
                Verb::Change => ("changed", Style::Change),
                Verb::Correct => ("corrected", Style::Change),
                Verb::TakeOver => ("took over", Style::Change),
                Verb::Delete => ("deleted", Style::Delete),
            };
            line.text = words::object(object);
            line.identity = words::user(identity);
            line.below.extend(why.clone());
        }
        What::Acted {
            deed,
            action,
            identity,
        } => {
            line.verb = ("acted", Style::Change);
            line.text.clone_from(deed);
            line.identity = words::user(identity);
            line.below.push(action.clone());
        }
        What::Refused {
            verb,
            object,
            identity,
            message,
            cure,
        } => {
            line.verb = ("refused", Style::Bad);
            line.text = format!("{verb} {}", words::object(object));
            line.identity = words::user(identity);
            // The condition that follows has the API server's own words.
            match cure {
                Some(cure) => line.below.extend(cure_words(cure)),
                None => line.below.push(message.clone()),
            }
        }
        What::Failed { attempt, message } => {
            line.verb = ("failed", Style::Bad);
            line.text.clone_from(attempt);
            line.below.push(message.clone());
        }
        What::Waits { text } => {
            line.verb = ("waits", Style::Faint);
            line.text.clone_from(text);
        }
        What::StageReady => line.verb = ("ready", Style::Good),
        What::Condition {
            status,
            reason,
            message,
            stalled,
        } => {
            line.verb = match status.as_str() {
                "True" => ("Ready", Style::Good),
                _ if reason == "StageProgressing" => ("Ready", Style::Faint),
                _ => ("Ready", Style::Bad),
            };
            line.text = format!("{status}, {reason}");
            if *stalled {
                line.text.push_str(", Stalled");
            }
            if !message.is_empty() {
                line.text.push_str(": ");
                line.text.push_str(&words::by_line(message));
            }
        }
        What::Gone => {
            line.verb = ("gone", Style::Good);
            line.text.push_str("finalizer removed");
        }
    }
    line
}

fn cure_words(cure: &Cure) -> [String; 2] {
    let place = match &cure.namespace {
        Some(namespace) => format!("a Role of namespace {namespace}"),
        None => "a ClusterRole".to_owned(),
    };
    [
        format!("{place} with this rule would allow it:"),
        format!(
            "- {{apiGroups: [{}], resources: [{}], verbs: [{}]}}",
            if cure.api_group.is_empty() {
                "\"\""
            } else {
                &cure.api_group
            },
            cure.resource,
            cure.verbs.join(", ")
        ),
    ]
}

/// A span of virtual time as people write it: `0s`, `0.25s`, `1m30s`, `2h`.
pub(super) fn time(span: Duration) -> String {
    let (seconds, millis) = (span.as_secs(), span.subsec_millis());
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let mut text = String::new();
    if hours > 0 {
        let _ = write!(text, "{hours}h");
    }
    if minutes > 0 {
        let _ = write!(text, "{minutes}m");
    }
    if millis > 0 {
        let fraction = format!("{millis:03}");
        let _ = write!(text, "{rest}.{}s", fraction.trim_end_matches('0'));
    } else if rest > 0 || text.is_empty() {
        let _ = write!(text, "{rest}s");
    }
    text
}

/// Breaks a text at spaces; line breaks of its own are kept.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let indent = paragraph.len() - paragraph.trim_start().len();
        let mut current = " ".repeat(indent);
        let mut empty = true;
        for word in paragraph.split_whitespace() {
            if !empty && current.chars().count() + 1 + word.chars().count() > width {
                lines.push(std::mem::replace(&mut current, " ".repeat(indent)));
                empty = true;
            }
            if !empty {
                current.push(' ');
            }
            current.push_str(word);
            empty = false;
        }
        lines.push(current);
    }
    if lines.is_empty() {
        lines.push(String::new());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn virtual_time_reads_well() {
        for (millis, text) in [
            (0, "0s"),
            (250, "0.25s"),
            (12_000, "12s"),
            (60_000, "1m"),
            (90_005, "1m30.005s"),
            (3_600_000, "1h"),
            (3_725_000, "1h2m5s"),
        ] {
            assert_eq!(time(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn text_is_wrapped_at_spaces_only() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("averylongword x", 5), ["averylongword", "x"]);
        assert_eq!(wrap("a\nb", 5), ["a", "b"]);
        assert_eq!(wrap("", 5), [""]);
    }
}
