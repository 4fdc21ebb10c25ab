//! One real API server that lives through what a simulated one did.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use http::{Method, Request};
use http_body_util::BodyExt as _;
use hyper::body::{Bytes, Incoming};
use serde_json::Value;
use stageset_e2e::answers::Answer;
use stageset_e2e::answers::compare::Comparison;
use stageset_e2e::client::Api;
use stageset_e2e::{ControlPlane, Options};
use stageset_sim::{Exchange, User};

use crate::mapping::Mapping;
use crate::settle::{Place, Probe};

/// How long the real server may take to answer, or to do what it does by itself.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// How often it is asked whether it has.
const POLL: Duration = Duration::from_millis(5);

/// Everybody is in this group; the certificate needn't say so.
const EVERYBODY: &str = "system:authenticated";

/// A control plane of its own, and what of the simulated one is what there.
pub(crate) struct Real {
    pub(crate) mapping: Mapping,
    pub(crate) comparison: Comparison,
    /// How often it was waited for the authorizer, and what its probes allow to whom since.
    pub(crate) barriers: u64,
    pub(crate) probes: BTreeMap<Place, Probe>,
    admin: Api,
    /// A client for each user that the history knows.
    clients: BTreeMap<User, Api>,
    plane: ControlPlane,
}

impl Real {
    pub(crate) fn start() -> Result<Self> {
        let plane = ControlPlane::start(Options::API_ONLY)?;
        Ok(Self {
            mapping: Mapping::default(),
            comparison: Comparison::default(),
            barriers: 0,
            probes: BTreeMap::new(),
            admin: Api::new(&plane)?,
            clients: BTreeMap::new(),
            plane,
        })
    }

    /// Sends a recorded request as who sent it.
    pub(crate) async fn answer(&mut self, exchange: &Exchange) -> Result<Answer> {
        let request = self.request(exchange)?;
        send(self.client(&exchange.user)?, request).await
    }

    /// Begins a recorded watch as who began it; what the server says if it refuses.
    pub(crate) async fn watch(&mut self, exchange: &Exchange) -> Result<Result<Incoming, Answer>> {
        let request = self.request(exchange)?;
        let what = request.uri().to_string();
        let opened = self.client(&exchange.user)?.open(request);
        let opened = tokio::time::timeout(PATIENCE, opened)
            .await
            .with_context(|| format!("{what} doesn't begin"))?
            .with_context(|| format!("no answer to {what}"))?;
        let code = opened.status().as_u16();
        if code == 200 {
            return Ok(Ok(opened.into_body()));
        }
        let body = opened.into_body().collect().await?.to_bytes();
        Ok(Err(Answer {
            code,
            body: value(&body),
        }))
    }

    fn client(&mut self, user: &User) -> Result<&Api> {
        if !self.clients.contains_key(user) {
            let client = client(&self.plane, user)?;
            self.clients.insert(user.clone(), client);
        }
        Ok(&self.clients[user])
    }

    fn request(&self, exchange: &Exchange) -> Result<Request<Bytes>> {
        let mut request = Request::builder()
            .method(exchange.method.clone())
            .uri(self.mapping.uri(&exchange.uri));
        for (name, value) in &exchange.headers {
            // The connection's own.
            if name != http::header::CONTENT_LENGTH && name != http::header::HOST {
                request = request.header(name, value);
            }
        }
        Ok(request.body(self.mapping.body(&exchange.body))?)
    }

    /// Sends something as the administrator.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        content_type: &str,
        body: &Value,
    ) -> Result<Answer> {
        let body = if body.is_null() {
            Bytes::new()
        } else {
            body.to_string().into()
        };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("accept", "application/json")
            .header("content-type", content_type)
            .header("user-agent", "replay/1")
            .body(body)?;
        send(&self.admin, request).await
    }

    /// Sends something that has to succeed.
    pub(crate) async fn must(
        &self,
        method: Method,
        path: &str,
        content_type: &str,
        body: &Value,
    ) -> Result<Value> {
        let what = format!("{method} {path}");
        let answer = self.ask(method, path, content_type, body).await?;
        ensure!(
            (200..300).contains(&answer.code),
            "{what}: {} {}",
            answer.code,
            answer.body
        );
        Ok(answer.body)
    }

    /// An object, if it is there.
    pub(crate) async fn get(&self, path: &str) -> Result<Option<Value>> {
        let answer = self
            .ask(Method::GET, path, "application/json", &Value::Null)
            .await?;
        match answer.code {
            200 => Ok(Some(answer.body)),
            404 => Ok(None),
            code => bail!("GET {path}: {code} {}", answer.body),
        }
    }

    /// Asks until the answer is as wanted.
    pub(crate) async fn settle(
        &self,
        method: Method,
        path: &str,
        body: &Value,
        wanted: impl Fn(&Answer) -> bool,
    ) -> Result<Answer> {
        let waited = async {
            loop {
                let answer = self
                    .ask(method.clone(), path, "application/json", body)
                    .await?;
                if wanted(&answer) {
                    return anyhow::Ok(answer);
                }
                tokio::time::sleep(POLL).await;
            }
        };
        tokio::time::timeout(PATIENCE, waited)
            .await
            .with_context(|| format!("the real server doesn't settle: {method} {path} {body}"))?
    }
}

async fn send(api: &Api, request: Request<Bytes>) -> Result<Answer> {
    let what = format!("{} {}", request.method(), request.uri());
    let sent = tokio::time::timeout(PATIENCE, api.forward(request));
    let (code, bytes) = sent
        .await
        .with_context(|| format!("no end of the answer to {what}"))?
        .with_context(|| format!("no answer to {what}"))?;
    Ok(Answer {
        code,
        body: value(&bytes),
    })
}

/// A body as JSON, or as the text that it is.
pub(crate) fn value(body: &[u8]) -> Value {
    serde_json::from_slice(body)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(body).into_owned()))
}

/// Whoever the door of the simulated server took somebody for, a certificate says here.
fn client(plane: &ControlPlane, user: &User) -> Result<Api> {
    let groups: Vec<&str> = user.groups.iter().map(String::as_str).collect();
    let groups: Vec<&str> = groups.into_iter().filter(|g| *g != EVERYBODY).collect();
    ensure!(
        groups.len() < 2 && user.uid.is_empty() && user.extra.is_empty(),
        "a certificate can't say that somebody is {user:?}"
    );
    let pair = plane.certificate(&user.name, groups.first().copied())?;
    Api::with_certificate(plane, &pair)
}
