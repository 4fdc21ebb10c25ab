//! The two servers behind one door: the real one over TLS, the simulated one in process.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use stageset_e2e::client::{self, Api, Call};
use stageset_sim::{Reply, Request, Server, User};

use crate::operation::{Answer, Operation, UID, VERSION};

/// How far the simulator's clock moves with each request.
const STEP: SignedDuration = SignedDuration::from_millis(20);

/// A server under test, with what it last said about each object.
pub(crate) struct Backend {
    server: Target,
    seen: BTreeMap<String, Identity>,
}

enum Target {
    Real(Box<Api>),
    Simulated { server: Box<Server>, at: Timestamp },
}

#[derive(Clone, Debug, Default)]
struct Identity {
    version: String,
    uid: String,
}

impl Backend {
    pub(crate) fn real(api: Api) -> Self {
        Self {
            server: Target::Real(Box::new(api)),
            seen: BTreeMap::new(),
        }
    }

    /// A simulator without the cluster's own controllers: an API server and nothing else.
    pub(crate) fn simulated(seed: u64) -> Result<Self> {
        let at = "2026-01-01T00:00:00Z".parse()?;
        let mut server = Box::new(Server::new(at, seed));
        server.set_controllers(false);
        Ok(Self {
            server: Target::Simulated { server, at },
            seen: BTreeMap::new(),
        })
    }

    /// Lets time pass where somebody has to say so.
    pub(crate) fn pass(&mut self, duration: SignedDuration) -> Result<()> {
        if let Target::Simulated { server, at } = &mut self.server {
            *at = at.checked_add(duration)?;
            server.advance(*at);
        }
        Ok(())
    }

    /// Sends one request, its placeholders filled with what this server said before.
    pub(crate) async fn send(&mut self, operation: &Operation) -> Result<Answer> {
        let identity = self.seen.get(&operation.path).cloned().unwrap_or_default();
        let body = if operation.body.is_null() {
            Vec::new()
        } else {
            operation
                .body
                .to_string()
                .replace(VERSION, &identity.version)
                .replace(UID, &identity.uid)
                .into_bytes()
        };
        self.pass(STEP)?;
        let (code, bytes) = match &mut self.server {
            Target::Real(api) => {
                let mut call = Call::new(
                    operation.method,
                    operation.uri(),
                    operation.content_type,
                    body,
                );
                call.impersonate.clone_from(&operation.impersonate);
                api.send(&call).await?
            }
            Target::Simulated { server, at } => {
                let request = Request {
                    method: Method::from_bytes(operation.method.as_bytes())?,
                    uri: operation.uri().parse().context("the path")?,
                    headers: headers(operation)?,
                    body: body.into(),
                    user: User::new("e2e:admin", &["system:masters"]),
                };
                match server.handle(&request, *at) {
                    Reply::Response(response) => (response.status.as_u16(), response.body),
                    Reply::Watch { .. } => bail!("the generator makes no watches"),
                }
            }
        };
        let body = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
        let answer = Answer { code, body };
        self.remember(operation, &answer);
        Ok(answer)
    }

    fn remember(&mut self, operation: &Operation, answer: &Answer) {
        let meta = &answer.body["metadata"];
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
            _ => operation.path.clone(),
        };
        let identity = Identity {
            version: version.to_owned(),
            uid: uid.to_owned(),
        };
        self.seen.insert(path, identity);
    }
}

/// The headers that the real server gets from the client.
fn headers(operation: &Operation) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    let mut set = |name: &'static str, value: &str| -> Result<()> {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value)?);
        Ok(())
    };
    set("user-agent", client::USER_AGENT)?;
    set("accept", "application/json")?;
    set("content-type", operation.content_type)?;
    if let Some(user) = &operation.impersonate {
        set("impersonate-user", user)?;
    }
    Ok(headers)
}
