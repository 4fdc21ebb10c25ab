//! A history as a file: JSON, a head line and then one line a step.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value, json};

use super::{Answered, Ended, Exchange, History, OwnChange, Step, Told, What};
use crate::request::User;

/// The version of the format.
pub const VERSION: u64 = 2;

/// Why a history can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {said}")]
pub struct FileError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub said: String,
}

impl History {
    /// The history as a text: the same history gives the same bytes.
    pub fn write(&self) -> String {
        let mut out = json!({ "history": VERSION, "of": self.of }).to_string();
        out.push('\n');
        for step in &self.steps {
            out += &line_of(step).to_string();
            out.push('\n');
        }
        out
    }

    /// Reads what [`History::write`] wrote.
    ///
    /// # Errors
    /// With the line that can't be read. A file of another version is refused.
    pub fn read(text: &str) -> Result<Self, FileError> {
        let mut lines = text.lines().enumerate();
        let wrong = |at: usize, said: String| FileError { line: at + 1, said };
        let (_, first) = lines.next().unwrap_or((0, ""));
        let head: Value = serde_json::from_str(first).map_err(|e| wrong(0, e.to_string()))?;
        if head["history"] != VERSION {
            let said = format!(
                "found version {}, this program reads version {VERSION}",
                head["history"]
            );
            return Err(wrong(0, said));
        }
        let steps = lines.map(|(at, line)| {
            let value: Value =
                serde_json::from_str(line).map_err(|error| wrong(at, error.to_string()))?;
            step_of(value).map_err(|said| wrong(at, said))
        });
        Ok(Self {
            of: head["of"].as_str().unwrap_or_default().to_owned(),
            steps: steps.collect::<Result<_, _>>()?,
        })
    }
}

fn line_of(step: &Step) -> Value {
    let mut line = json!({ "cluster": step.cluster, "at": step.at.to_string() });
    match &step.what {
        What::Request(exchange) => {
            line["user"] = user_to_value(&exchange.user);
            line["method"] = exchange.method.as_str().into();
            line["uri"] = exchange.uri.to_string().into();
            let headers = exchange.headers.iter();
            line["headers"] = headers
                .map(|(name, value)| json!([name.as_str(), bytes_to_value(value.as_bytes())]))
                .collect();
            line["body"] = bytes_to_value(&exchange.body);
            match &exchange.answer {
                Answered::Whole(code, body) => {
                    line["code"] = (*code).into();
                    line["answer"] = bytes_to_value(body);
                }
                Answered::Watch(number) => line["watch"] = (*number).into(),
            }
        }
        What::Told(told) => {
            line["watch"] = told.watch.into();
            line["event"] = bytes_to_value(&told.event);
        }
        What::Ended(ended) => {
            line["watch"] = ended.watch.into();
            line["untaken"] = ended.untaken.into();
        }
        What::Change(change) => {
            line["change"] = change.path.clone().into();
            line["status"] = change.status.into();
            line["before"] = change.before.clone().unwrap_or_default();
            line["after"] = change.after.clone().unwrap_or_default();
        }
    }
    line
}

fn step_of(mut line: Value) -> Result<Step, String> {
    let mut take = |field: &str| line.get_mut(field).map(Value::take);
    let text = |value: Option<Value>, field: &str| match value {
        Some(Value::String(text)) => Ok(text),
        _ => Err(format!("no text `{field}`")),
    };
    let cluster = text(take("cluster"), "cluster")?;
    let at = text(take("at"), "at")?;
    let at = at.parse().map_err(|error| format!("`at`: {error}"))?;
    let object = |value: Option<Value>| value.filter(Value::is_object);
    let what = if let Some(path) = take("change") {
        What::Change(OwnChange {
            path: text(Some(path), "change")?,
            status: take("status") == Some(Value::Bool(true)),
            before: object(take("before")),
            after: object(take("after")),
        })
    } else if let Some(event) = take("event") {
        What::Told(Told {
            watch: number(take("watch"), "watch")?,
            event: bytes_of(Some(event), "event")?,
        })
    } else if let Some(untaken) = take("untaken") {
        What::Ended(Ended {
            watch: number(take("watch"), "watch")?,
            untaken: number(Some(untaken), "untaken")?,
        })
    } else {
        let method = text(take("method"), "method")?;
        let uri = text(take("uri"), "uri")?;
        let answer = if let Some(watch) = take("watch") {
            Answered::Watch(number(Some(watch), "watch")?)
        } else {
            let code = number(take("code"), "code")?;
            let code = u16::try_from(code).map_err(|error| format!("`code`: {error}"))?;
            Answered::Whole(code, bytes_of(take("answer"), "answer")?)
        };
        What::Request(Exchange {
            user: user_of(&take("user").unwrap_or_default())?,
            method: method
                .parse()
                .map_err(|error| format!("`method`: {error}"))?,
            uri: uri.parse().map_err(|error| format!("`uri`: {error}"))?,
            headers: headers_of(&take("headers").unwrap_or_default())?,
            body: bytes_of(take("body"), "body")?,
            answer,
        })
    };
    Ok(Step { cluster, at, what })
}

fn number(value: Option<Value>, field: &str) -> Result<u64, String> {
    let number = value.and_then(|value| value.as_u64());
    number.ok_or_else(|| format!("no number `{field}`"))
}

fn user_to_value(user: &User) -> Value {
    json!({ "name": user.name, "groups": user.groups, "uid": user.uid, "extra": user.extra })
}

fn user_of(value: &Value) -> Result<User, String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let texts =
        |value: &Value| -> Option<Vec<String>> { value.as_array()?.iter().map(text).collect() };
    let read = || {
        let extra = value["extra"].as_object()?.iter();
        Some(User {
            name: text(&value["name"])?,
            groups: texts(&value["groups"])?,
            uid: text(&value["uid"])?,
            extra: extra
                .map(|(key, value)| Some((key.clone(), texts(value)?)))
                .collect::<Option<_>>()?,
        })
    };
    read().ok_or_else(|| "no `user` with name, groups, uid and extra".to_owned())
}

fn headers_of(value: &Value) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for pair in value.as_array().ok_or("no `headers`")? {
        let name = pair[0].as_str().ok_or("a header without a name")?;
        let name: HeaderName = name.parse().map_err(|error| format!("{name}: {error}"))?;
        let value = bytes_of(pair.get(1).cloned(), "header")?;
        let value = HeaderValue::from_bytes(&value).map_err(|error| format!("{name}: {error}"))?;
        headers.append(name, value);
    }
    Ok(headers)
}

/// A text where bytes are one, and base64 where they aren't.
fn bytes_to_value(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => json!({ "base64": STANDARD.encode(bytes) }),
    }
}

fn bytes_of(value: Option<Value>, field: &str) -> Result<Bytes, String> {
    match value {
        Some(Value::String(text)) => Ok(text.into()),
        Some(Value::Object(map)) => bytes_of_base64(&map)
            .map(Bytes::from)
            .ok_or_else(|| format!("`{field}` is neither a text nor base64")),
        _ => Err(format!("no `{field}`")),
    }
}

fn bytes_of_base64(map: &Map<String, Value>) -> Option<Vec<u8>> {
    STANDARD.decode(map.get("base64")?.as_str()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history() -> History {
        let mut headers = HeaderMap::new();
        headers.append("impersonate-user", HeaderValue::from_static("a"));
        headers.append("impersonate-group", HeaderValue::from_static("b"));
        headers.append("impersonate-group", HeaderValue::from_static("c"));
        let step = |what| Step {
            cluster: "home".to_owned(),
            at: "2026-01-01T00:00:00.25Z".parse().unwrap_or_default(),
            what,
        };
        let exchange = |body: &'static [u8], answer| Exchange {
            user: User::admin(),
            method: http::Method::PATCH,
            uri: http::Uri::from_static("/api/v1/namespaces/a/configmaps/b?force=true"),
            headers: headers.clone(),
            body: Bytes::from_static(body),
            answer,
        };
        let change = |before, after| {
            What::Change(OwnChange {
                path: "/api/v1/namespaces/a".to_owned(),
                status: true,
                before,
                after,
            })
        };
        History {
            of: "a test".to_owned(),
            steps: vec![
                step(change(None, Some(json!({ "kind": "Namespace" })))),
                step(What::Request(exchange(
                    b"{\"a\":\"b\nc\"}",
                    Answered::Whole(200, Bytes::from_static(b"{}")),
                ))),
                step(What::Request(exchange(b"\xff\x00", Answered::Watch(3)))),
                step(What::Told(Told {
                    watch: 3,
                    event: Bytes::from_static(b"{\"type\":\"ADDED\"}\n"),
                })),
                step(What::Ended(Ended {
                    watch: 3,
                    untaken: 2,
                })),
                step(change(Some(json!({ "kind": "Namespace" })), None)),
            ],
        }
    }

    #[test]
    fn what_was_written_is_read_again() {
        let text = history().write();
        assert_eq!(text.lines().count(), 7);
        assert_eq!(History::read(&text), Ok(history()));
    }

    #[test]
    fn another_version_and_a_wrong_line_are_refused_with_their_line() {
        let text = history().write();
        let other = text.replace("\"history\":2", "\"history\":1");
        let error = History::read(&other).err().map(|error| error.to_string());
        let said = "line 1: found version 1, this program reads version 2";
        assert_eq!(error.as_deref(), Some(said));
        let cut = text.replace("\"method\"", "\"verb\"");
        let error = History::read(&cut).err().map(|error| error.to_string());
        assert_eq!(error.as_deref(), Some("line 3: no text `method`"));
        assert_eq!(History::read("").err().map(|error| error.line), Some(1));
    }
}
