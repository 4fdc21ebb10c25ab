//! From the CRD's actions to types that cannot be wrong.
//!
//! What the numbered rules speak of (names, one verb, scopes, anchors, targets of patches, durations)
//! is reported by them; here is reported what only shows when the values are made: expressions that
//! don't compile, URLs that aren't called, references and keys that name nothing.

use std::time::Duration;

use stageset_api::choice::Choice;
use stageset_api::duration::{DurationText, GoDuration};
use stageset_api::stageset as api;

use super::super::convert::{normal_path, source};
use super::super::problems::{Problems, SCHEMA, set, show};
use super::super::rules::objects::{is_key, is_name};
use super::super::rules::sources::{is_api_version, is_kind};
use super::{
    Action, ActionPhase, ActionScope, Actions, Anchor, Body, Cascade, Delete, Http, Manifests,
    Method, ObjectTarget, Patch, PatchFormat, SecretKey, Selected, Until, Verb,
};
use crate::judge::cel::Expression;
use crate::names::{Namespace, ServiceAccountName};

/// Bound of a wait for an expression that sets none.
const UNTIL: Duration = Duration::from_secs(300);

/// Longest name of an action: it is recorded in the status.
const NAME_MAX: usize = 253;

/// The actions of a stage; `None` after a problem.
pub(in crate::spec) fn actions(
    namespace: &str,
    at: &str,
    found: Option<&api::StageActions>,
    problems: &mut Problems,
) -> Option<Actions> {
    let Some(found) = found else {
        return Some(Actions::default());
    };
    let mut list = |phase: ActionPhase, actions: &[api::Action]| -> Option<Vec<Action>> {
        // Every action is converted, so that each one's problems are found.
        let converted: Vec<Option<Action>> = actions
            .iter()
            .enumerate()
            .map(|(index, found)| {
                let at = format!("{at}.actions.{phase}[{index}]");
                Make {
                    namespace,
                    at: &at,
                    problems,
                }
                .action(found)
            })
            .collect();
        converted.into_iter().collect()
    };
    let pre = list(ActionPhase::Pre, &found.pre);
    let post = list(ActionPhase::Post, &found.post);
    let on_failure = list(ActionPhase::OnFailure, &found.on_failure);
    Some(Actions {
        pre: pre?,
        post: post?,
        on_failure: on_failure?,
    })
}

struct Make<'a> {
    namespace: &'a str,
    at: &'a str,
    problems: &'a mut Problems,
}

impl Make<'_> {
    fn problem(&mut self, rule: &'static str, field: &str, message: String) {
        let at = format!("{}{field}", self.at);
        self.problems.add(rule, at, message);
    }

    fn action(&mut self, found: &api::Action) -> Option<Action> {
        if found.name.len() > NAME_MAX || found.name.chars().any(char::is_control) {
            let message = format!(
                "{} can't name an action: at most {NAME_MAX} bytes, and no control characters",
                show(&found.name)
            );
            self.problem(SCHEMA, ".name", message);
        }
        let verb = self.verb(found);
        let scope = match found.scope {
            Some(Choice::Known(api::Scope::Lifetime)) => {
                ActionScope::Lifetime(match &found.completion_anchor {
                    Some(anchor) => Some(self.anchor(anchor)?),
                    None => None,
                })
            }
            // Without versions V8 refuses the scope.
            _ => ActionScope::Revision,
        };
        Some(Action {
            name: found.name.clone(),
            scope,
            timeout: positive(found.timeout.as_ref()),
            retries: u32::try_from(found.retries.unwrap_or(0)).unwrap_or(0),
            verb: verb?,
        })
    }

    /// `None` also when there isn't exactly one verb, which V3 reports.
    fn verb(&mut self, found: &api::Action) -> Option<Verb> {
        let mut verbs = Vec::new();
        if let Some(patch) = &found.patch {
            verbs.push(self.patch(patch).map(Verb::Patch));
        }
        if let Some(http) = &found.http {
            verbs.push(self.http(http).map(Verb::Http));
        }
        if let Some(wait) = &found.wait {
            verbs.push(self.wait(wait));
        }
        if let Some(job) = &found.job {
            let manifests = self.manifests(".job", &job.source_ref, job.path.as_deref());
            verbs.push(manifests.map(Verb::Job));
        }
        if let Some(delete) = &found.delete {
            verbs.push(self.delete(delete).map(Verb::Delete));
        }
        if let Some(apply) = &found.apply {
            let manifests = self.manifests(".apply", &apply.source_ref, apply.path.as_deref());
            let wait = apply.wait.unwrap_or(false);
            verbs.push(manifests.map(|manifests| Verb::Apply { manifests, wait }));
        }
        let mut verbs = verbs.into_iter();
        match (verbs.next(), verbs.next()) {
            (Some(verb), None) => verb,
            _ => None,
        }
    }

    fn patch(&mut self, patch: &api::PatchAction) -> Option<Patch> {
        let target = &patch.target;
        let at = ".patch.target";
        let (api_version, kind) = self.kind(at, target.api_version.as_ref(), &target.kind)?;
        let namespace = self.namespace(at, target.namespace.as_ref())?;
        if patch.patch.trim().is_empty() {
            let message = "the patch is empty: write what is to change".to_owned();
            self.problem(SCHEMA, ".patch.patch", message);
            return None;
        }
        let objects = match (set(target.name.as_ref()), &target.selector) {
            (Some(name), None) => Selected::Named(self.name(at, name)?),
            (None, Some(selector)) => Selected::Labelled(query(selector)),
            // G3 reports it.
            _ => return None,
        };
        let format = match patch.type_ {
            Some(Choice::Known(api::PatchType::Json6902)) => PatchFormat::Json,
            _ => PatchFormat::Merge,
        };
        Some(Patch {
            api_version,
            kind,
            namespace,
            objects,
            format,
            body: patch.patch.clone(),
        })
    }

    fn http(&mut self, http: &api::HttpAction) -> Option<Http> {
        let fault = url_fault(&http.url);
        if let Some(fault) = fault {
            // Not shown: it may hold a password.
            self.problem(SCHEMA, ".http.url", fault.to_owned());
        }
        let body = match (&http.body_from, &http.body) {
            (Some(from), _) => {
                let secret = self.secret(".http.bodyFrom", from)?;
                if !is_key(&secret.key) {
                    let message = format!(
                        "{} is no key of a Secret: letters, digits, '-', '_' and '.', at most 253",
                        show(&secret.key)
                    );
                    self.problem(SCHEMA, ".http.bodyFrom.key", message);
                    return None;
                }
                Some(Body::Secret(secret))
            }
            (None, Some(text)) => Some(Body::Text(text.clone())),
            (None, None) => None,
        };
        let mut headers = Vec::with_capacity(http.headers_from.len());
        for (index, from) in http.headers_from.iter().enumerate() {
            let at = format!(".http.headersFrom[{index}]");
            let secret = self.secret(&at, from)?;
            if !is_header(&secret.key) {
                let message = format!(
                    "{} can't be the name of a header: the key names the header, in letters, \
                     digits and '-'",
                    show(&secret.key)
                );
                self.problem(SCHEMA, &format!("{at}.key"), message);
                return None;
            }
            headers.push(secret);
        }
        let method = match http.method {
            Some(Choice::Known(api::HttpMethod::Get)) => Method::Get,
            Some(Choice::Known(api::HttpMethod::Put)) => Method::Put,
            Some(Choice::Known(api::HttpMethod::Patch)) => Method::Patch,
            Some(Choice::Known(api::HttpMethod::Delete)) => Method::Delete,
            Some(Choice::Known(api::HttpMethod::Head)) => Method::Head,
            Some(Choice::Known(api::HttpMethod::Post) | Choice::Unknown(_)) | None => Method::Post,
        };
        let statuses = http.expected_status.iter();
        Some(Http {
            url: http.url.clone(),
            method,
            body,
            headers,
            expected: statuses
                .filter_map(|status| u16::try_from(*status).ok())
                .collect(),
        })
    }

    /// G4 reports what has neither a duration nor target and expression, or both.
    fn wait(&mut self, wait: &api::WaitAction) -> Option<Verb> {
        if let Some(duration) = &wait.duration {
            return positive(Some(duration)).map(Verb::Pause);
        }
        let (Some(target), Some(expr)) = (&wait.target, &wait.expr) else {
            return None;
        };
        let target = self.target(".wait.target", target);
        let expression = match Expression::compile(expr) {
            Ok(expression) => expression,
            Err(error) => {
                let message = format!("{}: {error}", show(expr));
                self.problem("G4", ".wait.expr", message);
                return None;
            }
        };
        Some(Verb::Until(Until {
            target: target?,
            expression,
            timeout: positive(wait.timeout.as_ref()).unwrap_or(UNTIL),
        }))
    }

    fn delete(&mut self, delete: &api::DeleteAction) -> Option<Delete> {
        Some(Delete {
            target: self.target(".delete.target", &delete.target)?,
            cascade: match delete.cascade {
                Some(Choice::Known(api::CascadePolicy::Foreground)) => Cascade::Foreground,
                Some(Choice::Known(api::CascadePolicy::Orphan)) => Cascade::Orphan,
                _ => Cascade::Background,
            },
        })
    }

    fn manifests(
        &mut self,
        verb: &str,
        found: &api::SourceReference,
        path: Option<&str>,
    ) -> Option<Manifests> {
        let at = format!("{}{verb}", self.at);
        let source = source(
            self.namespace,
            &format!("{at}.sourceRef"),
            found,
            self.problems,
        );
        match normal_path(path.unwrap_or_default()) {
            Ok(path) => Some(Manifests {
                source: source?,
                path,
            }),
            Err(fault) => {
                self.problem(SCHEMA, &format!("{verb}.path"), fault);
                None
            }
        }
    }

    fn target(&mut self, at: &str, found: &api::ObjectReference) -> Option<ObjectTarget> {
        let (api_version, kind) = self.kind(at, found.api_version.as_ref(), &found.kind)?;
        Some(ObjectTarget {
            api_version,
            kind,
            namespace: self.namespace(at, found.namespace.as_ref())?,
            name: self.name(at, &found.name)?,
        })
    }

    fn anchor(&mut self, found: &api::CompletionAnchor) -> Option<Anchor> {
        let at = ".completionAnchor";
        if found.api_version.is_empty() || found.kind.is_empty() || found.name.is_empty() {
            // V10 reports it.
            return None;
        }
        let (api_version, kind) = self.kind(at, Some(&found.api_version), &found.kind)?;
        Some(Anchor {
            api_version,
            kind,
            name: self.name(at, &found.name)?,
        })
    }

    fn kind(
        &mut self,
        at: &str,
        api_version: Option<&String>,
        kind: &str,
    ) -> Option<(String, String)> {
        let api_version = set(api_version).unwrap_or("v1");
        if !is_api_version(api_version) {
            let message = format!(
                "{} is no apiVersion, which is version or group/version",
                show(api_version)
            );
            self.problem(SCHEMA, &format!("{at}.apiVersion"), message);
            return None;
        }
        if !is_kind(kind) {
            let message = format!("{} is no kind, which is a CamelCase word", show(kind));
            self.problem(SCHEMA, &format!("{at}.kind"), message);
            return None;
        }
        Some((api_version.to_owned(), kind.to_owned()))
    }

    fn namespace(&mut self, at: &str, found: Option<&String>) -> Option<String> {
        let namespace = set(found).unwrap_or(self.namespace);
        if Namespace::new(namespace).is_err() {
            let message = format!("{} is no namespace", show(namespace));
            self.problem(SCHEMA, &format!("{at}.namespace"), message);
            return None;
        }
        Some(namespace.to_owned())
    }

    /// What Kubernetes asks of every name; kinds are stricter each in their own way.
    fn name(&mut self, at: &str, name: &str) -> Option<String> {
        if !is_name(name) {
            let message = format!("{} names no object", show(name));
            self.problem(SCHEMA, &format!("{at}.name"), message);
            return None;
        }
        Some(name.to_owned())
    }

    fn secret(&mut self, at: &str, found: &api::SecretKeyReference) -> Option<SecretKey> {
        if ServiceAccountName::new(found.name.as_str()).is_err() {
            let message = format!("{} names no Secret", show(&found.name));
            self.problem(SCHEMA, &format!("{at}.name"), message);
            return None;
        }
        let Some(key) = set(found.key.as_ref()) else {
            let message = "name the key of the Secret whose value is meant".to_owned();
            self.problem(SCHEMA, &format!("{at}.key"), message);
            return None;
        };
        Some(SecretKey {
            name: found.name.clone(),
            key: key.to_owned(),
        })
    }
}

fn positive(text: Option<&DurationText>) -> Option<Duration> {
    text.and_then(|text| text.parse().ok())
        .and_then(GoDuration::positive)
}

/// What is wrong with a URL, as far as its form goes; addresses are checked where they are dialled.
fn url_fault(url: &str) -> Option<&'static str> {
    let lower = url.to_ascii_lowercase();
    let rest = lower
        .strip_prefix("http://")
        .or_else(|| lower.strip_prefix("https://"));
    let Some(rest) = rest else {
        return Some("it has to be an absolute URL that begins with http:// or https://");
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Some(
            "it holds a user name or a password: put them into a Secret and name it in headersFrom",
        );
    }
    if authority.is_empty() || authority.starts_with(':') {
        return Some("it names no host");
    }
    if url.len() > 2048 || url.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Some("it is longer than 2048 bytes, or holds spaces or control characters");
    }
    None
}

/// An HTTP header's name (RFC 9110), and none that says how a message is framed or where it goes.
fn is_header(name: &str) -> bool {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    let framing = [
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "upgrade",
        "te",
        "trailer",
        "keep-alive",
        "proxy-connection",
        "expect",
    ];
    !name.is_empty()
        && name.len() <= 253
        && name.bytes().all(token)
        && !framing.contains(&name.to_ascii_lowercase().as_str())
}

/// A selector as the API's query has it. Its parts passed the rule of label keys and values.
fn query(selector: &api::LabelSelector) -> String {
    let labels = selector
        .match_labels
        .iter()
        .map(|(key, value)| format!("{key}={value}"));
    let requirements = selector.match_expressions.iter().map(|requirement| {
        let (key, values) = (&requirement.key, requirement.values.join(","));
        match requirement.operator {
            Choice::Known(api::SelectorOperator::In) => format!("{key} in ({values})"),
            Choice::Known(api::SelectorOperator::NotIn) => format!("{key} notin ({values})"),
            Choice::Known(api::SelectorOperator::DoesNotExist) => format!("!{key}"),
            // An unknown operator is reported by G3.
            Choice::Known(api::SelectorOperator::Exists) | Choice::Unknown(_) => key.clone(),
        }
    });
    labels.chain(requirements).collect::<Vec<_>>().join(",")
}
