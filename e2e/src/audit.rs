//! The API server's audit log: who did what as whom.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

/// One answered request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Who sent it.
    pub user: String,
    /// As whom it was to be carried out, when that was somebody else.
    pub impersonated: Option<String>,
    /// get, list, watch, create, update, patch, delete, deletecollection; impersonate for the
    /// request to act as somebody else that was refused.
    pub verb: String,
    /// API group of the object; empty for the core group.
    pub group: String,
    /// Plural resource name; empty for a path that names no resource, such as discovery.
    pub resource: String,
    /// Subresource; empty when none.
    pub subresource: String,
    /// Namespace; empty for cluster-scoped objects.
    pub namespace: String,
    /// Object name; empty for collections.
    pub name: String,
    /// HTTP status.
    pub code: u16,
    /// Whether the server was asked to change nothing.
    pub dry_run: bool,
    /// Path and query.
    pub uri: String,
    /// When it arrived, RFC 3339 with microseconds; sorts as text.
    pub time: String,
}

impl Event {
    /// Whether it is a verb that changes something (dry runs included).
    pub fn is_write(&self) -> bool {
        matches!(
            self.verb.as_str(),
            "create" | "update" | "patch" | "delete" | "deletecollection"
        )
    }

    /// Whether it changed something: a write that was accepted and no dry run.
    pub fn changed(&self) -> bool {
        self.is_write() && !self.dry_run && (200..300).contains(&self.code)
    }
}

/// Reads all events of an audit log, in the order in which the requests arrived.
///
/// Each request appears once: a watch by the end of its answer or, while it runs, by its start.
///
/// # Errors
/// When the file can't be read, or a whole line isn't an audit event.
pub fn read(file: &Path) -> Result<Vec<Event>> {
    let reader = BufReader::new(File::open(file).with_context(|| file.display().to_string())?);
    let mut events = Vec::new();
    for line in reader.split(b'\n') {
        let line = line?;
        // The last line may still be in the making.
        let Ok(raw) = serde_json::from_slice::<Raw>(&line) else {
            continue;
        };
        // A watch that ended is already there by its start; everything else has one stage.
        if raw.verb == "watch" && raw.stage == "ResponseComplete" && raw.response_code() < 300 {
            continue;
        }
        events.push(raw.into_event());
    }
    events.sort_by(|a, b| a.time.cmp(&b.time));
    Ok(events)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    stage: String,
    #[serde(rename = "requestURI")]
    request_uri: String,
    verb: String,
    user: RawUser,
    impersonated_user: Option<RawUser>,
    #[serde(default)]
    object_ref: RawObject,
    response_status: Option<RawStatus>,
    request_received_timestamp: String,
}

#[derive(Deserialize)]
struct RawUser {
    #[serde(default)]
    username: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct RawObject {
    api_group: String,
    resource: String,
    subresource: String,
    namespace: String,
    name: String,
}

#[derive(Deserialize)]
struct RawStatus {
    #[serde(default)]
    code: u16,
}

impl Raw {
    fn response_code(&self) -> u16 {
        self.response_status
            .as_ref()
            .map_or(0, |status| status.code)
    }

    fn into_event(self) -> Event {
        let code = self.response_code();
        let query = self
            .request_uri
            .split_once('?')
            .map_or("", |(_, query)| query);
        let dry_run = query.split('&').any(|pair| pair == "dryRun=All");
        Event {
            user: self.user.username,
            impersonated: self.impersonated_user.map(|user| user.username),
            verb: self.verb,
            group: self.object_ref.api_group,
            resource: self.object_ref.resource,
            subresource: self.object_ref.subresource,
            namespace: self.object_ref.namespace,
            name: self.object_ref.name,
            code,
            dry_run,
            uri: self.request_uri,
            time: self.request_received_timestamp,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(lines: &str) -> Vec<Event> {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let file = std::env::temp_dir().join(format!(
            "stageset-audit-{}-{}.log",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        ));
        std::fs::write(&file, lines).unwrap();
        let events = read(&file).unwrap();
        std::fs::remove_file(file).unwrap();
        events
    }

    #[test]
    fn an_impersonated_dry_run_is_read_whole() {
        let events = parse(
            r#"{"kind":"Event","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/a/configmaps/c?dryRun=All&fieldManager=m","verb":"patch","user":{"username":"system:serviceaccount:s:c","groups":["g"]},"impersonatedUser":{"username":"system:serviceaccount:a:t"},"objectRef":{"resource":"configmaps","namespace":"a","name":"c","apiVersion":"v1"},"responseStatus":{"metadata":{},"code":200},"requestReceivedTimestamp":"2026-01-01T00:00:00.000001Z","stageTimestamp":"2026-01-01T00:00:00.1Z"}
"#,
        );
        let event = &events[0];
        assert_eq!(
            event.impersonated.as_deref(),
            Some("system:serviceaccount:a:t")
        );
        assert!(event.dry_run && event.is_write() && !event.changed());
        assert_eq!(
            (event.group.as_str(), event.resource.as_str()),
            ("", "configmaps")
        );
    }

    #[test]
    fn a_watch_counts_once_and_a_cut_line_not_at_all() {
        let watch = |stage: &str| {
            format!(
                r#"{{"stage":"{stage}","requestURI":"/api/v1/pods?watch=1","verb":"watch","user":{{"username":"u"}},"objectRef":{{"resource":"pods"}},"responseStatus":{{"code":200}},"requestReceivedTimestamp":"2026-01-01T00:00:00.000001Z"}}"#
            )
        };
        let text = format!(
            "{}\n{}\n{{\"stage\":\"Resp",
            watch("ResponseStarted"),
            watch("ResponseComplete")
        );
        assert_eq!(parse(&text).len(), 1);
    }
}
