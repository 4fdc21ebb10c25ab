//! The two servers behind one door: the real one over TLS, the simulated one in process.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use stageset_e2e::answers::Answer;
use stageset_e2e::client::{self, Api, Call};
use stageset_sim::{Reply, Request, Server, User, WebhookHandler};

use crate::operation::{CONTINUE, Operation, TOKEN, UID, UID_OF, VERSION};

/// A server under test, with what it last said about each object.
pub(crate) struct Backend {
    server: Target,
    seen: BTreeMap<String, Identity>,
    /// The last token of each account, by the path it was asked at.
    tokens: BTreeMap<String, String>,
    /// The continue token of the last page of each collection.
    pages: BTreeMap<String, String>,
}

enum Target {
    /// The administrator, and whoever bears a token.
    Real { admin: Box<Api>, bearer: Box<Api> },
    /// The simulator, and how far its clock is before ours.
    Simulated {
        server: Box<Server>,
        ahead: SignedDuration,
    },
}

#[derive(Clone, Debug, Default)]
struct Identity {
    version: String,
    uid: String,
}

impl Backend {
    pub(crate) fn real(admin: Api, bearer: Api) -> Self {
        Self {
            server: Target::Real {
                admin: Box::new(admin),
                bearer: Box::new(bearer),
            },
            tokens: BTreeMap::new(),
            seen: BTreeMap::new(),
            pages: BTreeMap::new(),
        }
    }

    /// A simulator without the cluster's own controllers: an API server and nothing else.
    pub(crate) fn simulated(seed: u64) -> Result<Self> {
        let mut server = Box::new(Server::new(Timestamp::now(), seed));
        server.set_controllers(false);
        server.install_component_roles();
        Ok(Self {
            server: Target::Simulated {
                server,
                ahead: SignedDuration::ZERO,
            },
            tokens: BTreeMap::new(),
            seen: BTreeMap::new(),
            pages: BTreeMap::new(),
        })
    }

    /// Lets the simulator do what a cluster's controllers do.
    pub(crate) fn run_controllers(&mut self) {
        if let Target::Simulated { server, .. } = &mut self.server {
            server.set_controllers(true);
        }
    }

    /// Lets a handler answer the webhooks that name an URL; a real server calls the URL itself.
    pub(crate) fn serve_webhook(&mut self, url: String, handler: impl WebhookHandler + 'static) {
        if let Target::Simulated { server, .. } = &mut self.server {
            server.serve_webhook(url, handler);
        }
    }

    /// Lets whole seconds pass where somebody has to say so.
    pub(crate) fn pass(&mut self, seconds: i64) -> Result<()> {
        if let Target::Simulated { server, ahead } = &mut self.server {
            *ahead += SignedDuration::from_secs(seconds);
            server.advance(Timestamp::now().checked_add(*ahead)?);
        }
        Ok(())
    }

    /// The operation with its placeholders filled with what this server said before: the URI and
    /// the body.
    fn filled(&self, operation: &Operation) -> (String, String) {
        let path = operation.path.trim_end_matches("/status");
        let named = operation.body["metadata"]["name"].as_str();
        let identity = self
            .seen
            .get(path)
            .or_else(|| {
                self.seen
                    .get(&format!("{path}/{}", named.unwrap_or_default()))
            })
            .cloned()
            .unwrap_or_default();
        let page = self.pages.get(&operation.path);
        let fill = |text: &str| {
            text.replace(VERSION, &identity.version)
                .replace(UID, &identity.uid)
                .replace(CONTINUE, page.map_or("", String::as_str))
        };
        (
            fill(&operation.uri()),
            self.with_uids(&fill(&operation.text())),
        )
    }

    /// The text with the uids of other objects in it.
    fn with_uids(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once(UID_OF) {
            let (path, after) = after.split_once('}').unwrap_or((after, ""));
            out.push_str(before);
            out.push_str(self.seen.get(path).map_or("", |known| &known.uid));
            rest = after;
        }
        out + rest
    }

    /// The headers with the tokens that this server gave.
    fn headers(&self, operation: &Operation) -> Vec<(&'static str, String)> {
        let fill = |text: &str| {
            let Some((head, rest)) = text.split_once(TOKEN) else {
                return text.to_owned();
            };
            let path = rest.trim_end_matches('}');
            let token = self.tokens.get(path).map_or("", String::as_str);
            format!("{head}{token}")
        };
        let headers = operation.headers.iter();
        headers.map(|(name, value)| (*name, fill(value))).collect()
    }

    /// Sends one request; the simulated server gets it at that time.
    pub(crate) async fn send(&mut self, operation: &Operation, at: Timestamp) -> Result<Answer> {
        let (uri, body) = self.filled(operation);
        let headers = self.headers(operation);
        let (code, bytes) = match &mut self.server {
            // A server that breaks off in the middle of a request has answered as well.
            Target::Real { admin, bearer } => {
                let api = if operation.bears_token() {
                    bearer
                } else {
                    admin
                };
                match api.send(&call(operation, headers, uri, body)).await {
                    Ok(answer) => answer,
                    Err(error) => (0, format!("no answer: {error:?}").into()),
                }
            }
            Target::Simulated { server, ahead } => {
                let at = at.checked_add(*ahead)?;
                match server.handle(&request(operation, &headers, &uri, body)?, at) {
                    Reply::Response(response) => (response.status.as_u16(), response.body),
                    Reply::Watch { .. } => bail!("a watch among single answers: {uri}"),
                }
            }
        };
        let body = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
        let answer = Answer { code, body };
        self.remember(operation, &answer);
        Ok(answer)
    }

    /// Starts a watch, and reads its events up to and with the one that is the last; the simulator
    /// gives all that it has.
    pub(crate) async fn watch(
        &mut self,
        operation: &Operation,
        is_last: impl FnMut(&Value) -> bool,
    ) -> Result<Answer> {
        let (uri, body) = self.filled(operation);
        let headers = self.headers(operation);
        let (code, events) = match &mut self.server {
            Target::Real { admin, .. } => {
                let call = call(operation, headers, uri, body);
                admin.watch(&call, is_last).await?
            }
            Target::Simulated { server, ahead } => {
                let at = Timestamp::now().checked_add(*ahead)?;
                match server.handle(&request(operation, &headers, &uri, body)?, at) {
                    Reply::Response(response) => {
                        let body = response.value().into_iter().collect();
                        (response.status.as_u16(), body)
                    }
                    Reply::Watch { subscription, .. } => {
                        let lines = server.drain_watch(subscription);
                        server.end_watch(subscription);
                        let mut is_last = is_last;
                        let mut events: Vec<Value> = Vec::new();
                        for line in lines {
                            let event = serde_json::from_slice(&line)?;
                            let last = is_last(&event);
                            events.push(event);
                            if last {
                                break;
                            }
                        }
                        (200, events)
                    }
                }
            }
        };
        let body = Value::Array(events);
        Ok(Answer { code, body })
    }

    fn remember(&mut self, operation: &Operation, answer: &Answer) {
        let meta = &answer.body["metadata"];
        if let Some(token) = answer.body["status"]["token"].as_str()
            && !operation.query.contains("dryRun")
        {
            self.tokens.insert(operation.path.clone(), token.to_owned());
        }
        if let Some(page) = meta["continue"].as_str().filter(|page| !page.is_empty()) {
            self.pages.insert(operation.path.clone(), page.to_owned());
        }
        let (Some(version), Some(uid)) = (meta["resourceVersion"].as_str(), meta["uid"].as_str())
        else {
            return;
        };
        if answer.code >= 300 || operation.query.contains("dryRun") {
            return;
        }
        let path = match operation.verb {
            "create" => format!(
                "{}/{}",
                operation.path,
                meta["name"].as_str().unwrap_or_default()
            ),
            _ => operation.path.trim_end_matches("/status").to_owned(),
        };
        let identity = Identity {
            version: version.to_owned(),
            uid: uid.to_owned(),
        };
        self.seen.insert(path, identity);
    }
}

fn call(
    operation: &Operation,
    headers: Vec<(&'static str, String)>,
    uri: String,
    body: String,
) -> Call {
    let mut call = Call::new(
        operation.method,
        uri,
        operation.content_type,
        body.into_bytes(),
    );
    call.headers = headers;
    call
}

fn request(
    operation: &Operation,
    headers: &[(&'static str, String)],
    uri: &str,
    body: String,
) -> Result<Request> {
    Ok(Request {
        method: Method::from_bytes(operation.method.as_bytes())?,
        uri: uri.parse().context("the path")?,
        headers: header_map(operation, headers)?,
        body: body.into(),
        user: User::new("e2e:admin", &["system:masters"]),
    })
}

/// The headers that the real server gets from the client.
fn header_map(operation: &Operation, more: &[(&'static str, String)]) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    headers.insert("user-agent", HeaderValue::from_static(client::USER_AGENT));
    headers.insert(
        "content-type",
        HeaderValue::from_static(operation.content_type),
    );
    headers.insert("accept", HeaderValue::from_static("application/json"));
    for (name, value) in more {
        let value = HeaderValue::from_str(value)?;
        if *name == "accept" {
            headers.insert(HeaderName::from_static(name), value);
        } else {
            headers.append(HeaderName::from_static(name), value);
        }
    }
    Ok(headers)
}
