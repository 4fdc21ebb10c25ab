//! The layer between the production adapter and the simulated API server: every request is a
//! boundary, at which events happen, and every answer is held against the properties.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use kube::client::Body;
use serde_json::{Value, json};
use stageset_sim::Door;
use tower::{BoxError, Service as _};

use super::sight::{Asked, entries, sight, texts};
use super::stage::Stage;
use crate::event::{Event, Failing};
use crate::log::{Entry, What, Who};
use crate::scene::Scene as _;

type Answer = Response<UnsyncBoxBody<Bytes, BoxError>>;

/// What a request gets when nobody answers.
#[derive(Debug, thiserror::Error)]
#[error("injected: {0}")]
struct NoAnswer(&'static str);

/// One process's way to the API server.
#[derive(Clone)]
pub(super) struct FaultyDoor {
    pub(super) inner: Door,
    pub(super) stage: Arc<Mutex<Stage>>,
    pub(super) process: usize,
    pub(super) life: u32,
}

impl tower::Service<Request<Body>> for FaultyDoor {
    type Response = Answer;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Answer, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let door = self.clone();
        Box::pin(door.pass(request))
    }
}

impl FaultyDoor {
    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn pass(mut self, request: Request<Body>) -> Result<Answer, BoxError> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let asked = Asked::of(&parts.uri);
        loop {
            let pause = self.stage().pause(self.process);
            if pause.is_zero() {
                break;
            }
            tokio::time::sleep(pause).await;
        }
        let faults = self.stage().boundary_events();
        if self.is_dead() {
            return std::future::pending().await;
        }
        let mut entry = self.entry(&parts, &asked, &body, faults.number);
        match &faults.fault {
            Some(Event::CrashBefore) => return self.die().await,
            Some(Event::Fail(failing)) => {
                entry.delivered = matches!(failing, Failing::Code(_));
                let answer = failed(*failing);
                entry.code = answer.as_ref().map_or(0, |answer| answer.status().as_u16());
                self.stage().hold_against(entry);
                self.finish(faults.late, &faults.meanwhile).await;
                return answer;
            }
            _ => {}
        }
        let refusal = self.stage().admission(&parts.method, &asked);
        if let Some(refusal) = refusal {
            entry.code = refusal.status().as_u16();
            self.stage().hold_against(entry);
            return Ok(refusal);
        }
        let before = asked.key().and_then(|key| self.stage().world.get(&key));
        let stood = self.stage().record_before(&asked);
        let request = Request::from_parts(parts.clone(), Full::new(body.clone()));
        let answer = self.inner.call(request).await?;
        if asked.watch {
            let (parts, body) = answer.into_parts();
            let body = body.map_err(|never| match never {}).boxed_unsync();
            return Ok(Response::from_parts(parts, body));
        }
        let (head, said) = answer.into_parts();
        let said = said
            .collect()
            .await
            .map_err(|never| match never {})?
            .to_bytes();
        let lost = matches!(faults.fault, Some(Event::Lose));
        let crashes = matches!(faults.fault, Some(Event::CrashAfter));
        entry.code = head.status.as_u16();
        entry.delivered = !lost && !crashes;
        let sent: Value = serde_json::from_slice(&body).unwrap_or_default();
        let told: Value = serde_json::from_slice(&said).unwrap_or_default();
        {
            let mut stage = self.stage();
            stage.complete(
                &mut entry,
                &asked,
                before.as_ref(),
                stood.as_ref(),
                &sent,
                &told,
            );
            let applied = match &entry.what {
                What::Apply(key, ..) if entry.effect => Some(key.clone()),
                _ => None,
            };
            stage.hold_against(entry);
            if let Some(key) = applied {
                stage.fight(&key);
            }
        }
        self.finish(faults.late, &faults.meanwhile).await;
        if crashes {
            return self.die().await;
        }
        if lost {
            return Err(Box::new(NoAnswer("the answer was lost")));
        }
        Ok(Response::from_parts(head, full(said)))
    }

    async fn finish(&self, late: u64, meanwhile: &[Event]) {
        if late > 0 {
            tokio::time::sleep(Duration::from_secs(late)).await;
            let mut stage = self.stage();
            for event in meanwhile {
                stage.happen(event);
            }
        }
    }

    fn is_dead(&self) -> bool {
        self.stage().lives.get(self.process) != Some(&self.life)
    }

    /// The process dies with this request under way: nothing of it is ever heard.
    async fn die<T>(&self) -> T {
        self.stage().kill(self.process);
        std::future::pending().await
    }

    fn entry(
        &self,
        parts: &http::request::Parts,
        asked: &Asked,
        body: &Bytes,
        number: u64,
    ) -> Entry {
        let user = parts
            .headers
            .get("impersonate-user")
            .and_then(|user| user.to_str().ok());
        let stage = self.stage();
        Entry {
            number,
            at: stage.world.now(),
            process: self.process,
            life: self.life,
            who: user.map_or(Who::Controller, |user| Who::User(user.to_owned())),
            what: what(parts, asked, body, user.is_some()),
            code: 0,
            delivered: true,
            effect: false,
            versions: None,
        }
    }
}

/// What a request asks for, before its answer is known.
fn what(parts: &http::request::Parts, asked: &Asked, body: &Bytes, impersonates: bool) -> What {
    let own = !impersonates && asked.is_own_business(&parts.method);
    if own {
        return own_business(&parts.method, asked, body);
    }
    let Some(key) = asked.key() else {
        let path = format!("{} {}", parts.method, parts.uri.path());
        // A tenant's own lists and watches are its own business.
        return if impersonates && asked.tenant_kind().is_some() {
            What::Kind(asked.plural.clone())
        } else {
            What::Other(path)
        };
    };
    match parts.method {
        Method::PATCH if asked.dry_run => What::DryRun(key, None),
        Method::PATCH | Method::POST | Method::PUT => What::Apply(key, None, None),
        Method::DELETE => {
            let options: Value = serde_json::from_slice(body).unwrap_or_default();
            let uid = options["preconditions"]["uid"].as_str().map(str::to_owned);
            What::Delete(key, None, uid)
        }
        _ => What::Get(key, None),
    }
}

fn own_business(method: &Method, asked: &Asked, body: &Bytes) -> What {
    let writes = method != Method::GET;
    match asked.plural.as_str() {
        "serviceaccounts" => match &asked.name {
            Some(name) => What::Account(name.clone(), None),
            None => What::Kind("serviceaccounts".into()),
        },
        "namespaces" => What::Namespace,
        "stageinventories" if writes => What::Inventory(String::new(), Vec::new(), Vec::new()),
        "stageinventories" => What::Inventories,
        "stagesets" if writes && asked.subresource.as_deref() == Some("status") => {
            What::Status(String::new())
        }
        "stagesets" if writes => {
            let sent: Value = serde_json::from_slice(body).unwrap_or_default();
            let puts = sent["metadata"]["finalizers"]
                .as_array()
                .is_some_and(|list| !list.is_empty());
            What::Finalizer(puts)
        }
        "events" => {
            let sent: Value = serde_json::from_slice(body).unwrap_or_default();
            let text = |field: &str| sent[field].as_str().unwrap_or_default().to_owned();
            What::Announce(text("reason"), text("note"))
        }
        other => What::Kind(other.to_owned()),
    }
}

impl Stage {
    /// Fills in what the answer shows.
    fn complete(
        &mut self,
        entry: &mut Entry,
        asked: &Asked,
        before: Option<&Value>,
        stood: Option<&Value>,
        sent: &Value,
        told: &Value,
    ) {
        let version = |object: &Value| -> Option<u64> {
            object["metadata"]["resourceVersion"].as_str()?.parse().ok()
        };
        let succeeded = (200..300).contains(&entry.code);
        match &mut entry.what {
            What::DryRun(_, shown) | What::Get(_, shown) => *shown = before.map(sight),
            What::Apply(key, was, is) => {
                let after = self.world.get(key);
                entry.effect = after.as_ref().and_then(version) != before.and_then(version);
                *was = before.map(sight);
                *is = after.as_ref().map(sight);
            }
            What::Delete(key, was, _) => {
                let after = self.world.get(key);
                let marked = |object: &Value| !object["metadata"]["deletionTimestamp"].is_null();
                entry.effect = before.is_some_and(|before| !marked(before))
                    && after.as_ref().is_none_or(marked)
                    && succeeded;
                *was = before.map(sight);
            }
            What::Account(_, uid) => {
                *uid = told["metadata"]["uid"].as_str().map(str::to_owned);
            }
            What::Status(text) => *text = texts(sent),
            What::Inventory(stage, was, is) => {
                let object = stood.unwrap_or(told);
                *stage = object["metadata"]["labels"]["stages.metio.wtf/stage"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned();
                *was = stood.map(entries).unwrap_or_default();
                *is = self.record_before(asked).map_or_else(
                    || if succeeded { entries(told) } else { Vec::new() },
                    |now| entries(&now),
                );
            }
            _ => {}
        }
        let record = matches!(
            entry.what,
            What::Status(_) | What::Inventory(..) | What::Finalizer(_)
        );
        if record {
            entry.effect = succeeded;
            if let (Some(stood), true) = (stood.and_then(version), succeeded) {
                let based = version(sent).or_else(|| {
                    sent["preconditions"]["resourceVersion"]
                        .as_str()?
                        .parse()
                        .ok()
                });
                entry.versions = Some((based, stood));
            }
        }
    }
}

fn full(bytes: Bytes) -> UnsyncBoxBody<Bytes, BoxError> {
    Full::new(bytes)
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// A `Status`, as the API server words it.
pub(super) fn status(code: u16, message: &str) -> Answer {
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
        "message": message, "reason": match code {
            401 => "Unauthorized",
            403 => "Forbidden",
            409 => "Conflict",
            410 => "Expired",
            422 => "Invalid",
            429 => "TooManyRequests",
            _ => "InternalError",
        },
    });
    let mut answer = Response::new(full(body.to_string().into()));
    *answer.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if code == 429 {
        let seven = http::HeaderValue::from_static("7");
        answer
            .headers_mut()
            .insert(http::header::RETRY_AFTER, seven);
    }
    answer
}

fn failed(failing: Failing) -> Result<Answer, BoxError> {
    match failing {
        Failing::Code(code) => Ok(status(code, &format!("injected: {code}"))),
        Failing::Timeout => Err(Box::new(NoAnswer("timeout"))),
        Failing::Reset => Err(Box::new(NoAnswer("connection reset"))),
    }
}
