//! The layer between the production adapter and the simulated API server: every request is a
//! boundary, at which events happen, and every answer is held against the properties.

use std::task::{Context, Poll};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use kube::client::Body;
use serde_json::{Value, json};
use stageset_sim::Door;
use tower::{BoxError, Service as _};

use super::passage::Passage;
use super::sight::Asked;
use super::stage::Faults;
use super::told;
use super::watches::watched;
use crate::event::{Event, Failing};
use crate::log::{Entry, What};
use crate::saboteurs::Saboteur;
use crate::setup::NEIGHBOUR;

pub(super) type Answer = Response<UnsyncBoxBody<Bytes, BoxError>>;

/// What a request gets when nobody answers.
#[derive(Debug, thiserror::Error)]
#[error("injected: {0}")]
struct NoAnswer(&'static str);

/// One process's way to an API server.
#[derive(Clone)]
pub(super) struct FaultyDoor {
    pub(super) inner: Door,
    pub(super) passage: Passage,
    /// Whether it leads to the remote cluster.
    pub(super) abroad: bool,
    /// The way to the local one, for a saboteur that falls back to that.
    pub(super) home: Option<Door>,
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
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            let saboteur = door.passage.stage().saboteur;
            match saboteur {
                None => door.pass(parts, body).await,
                Some(saboteur) => door.sabotaged(saboteur, parts, body).await,
            }
        })
    }
}

impl FaultyDoor {
    /// A request on its way to the server and back.
    pub(super) async fn pass(mut self, parts: Parts, body: Bytes) -> Result<Answer, BoxError> {
        let asked = Asked::of(&parts.uri);
        let (began, faults) = self.passage.begin().await;
        let mut entry = self.entry(&parts, &asked, &body, faults.number);
        entry.began = began;
        match &faults.fault {
            Some(Event::CrashBefore) => return self.passage.die().await,
            Some(Event::Fail(failing)) => return self.fail(*failing, entry, &faults).await,
            _ if self.abroad && self.passage.stage().world.is_silent() => {
                return self.fail(Failing::Timeout, entry, &faults).await;
            }
            Some(Event::Stale) => {
                let earlier = self.passage.stage().earlier(&parts, &asked);
                if let Some((code, said)) = earlier {
                    entry.code = code.as_u16();
                    {
                        let mut stage = self.passage.stage();
                        stage.complete(&mut entry, &asked, None, None, b"", &said);
                        stage.hold_against(entry);
                    }
                    self.passage.finish(faults.late, &faults.meanwhile).await;
                    let mut answer = Response::new(full(said));
                    *answer.status_mut() = code;
                    return Ok(answer);
                }
            }
            _ => {}
        }
        let refusal = self.passage.stage().admission(&parts.method, &asked);
        if let Some(refusal) = refusal {
            entry.code = refusal.status().as_u16();
            self.passage.stage().hold_against(entry);
            return Ok(refusal);
        }
        if asked.watch
            && self
                .passage
                .stage()
                .has_expired(self.passage.process, &parts.uri)
        {
            return Ok(status(410, "too old resource version"));
        }
        let before = asked
            .key()
            .and_then(|key| self.passage.stage().world.get(&key));
        let stood = self.passage.stage().record_before(&asked);
        let request = Request::from_parts(parts.clone(), Full::new(body.clone()));
        let answer = self.inner.call(request).await?;
        if asked.watch {
            let (head, body) = answer.into_parts();
            let body = body.map_err(|never| match never {}).boxed_unsync();
            let body = if head.status.is_success() {
                watched(body, self.passage.clone(), parts.uri.path().to_owned())
            } else {
                body
            };
            return Ok(Response::from_parts(head, body));
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
        {
            let mut stage = self.passage.stage();
            stage.complete(
                &mut entry,
                &asked,
                before.as_ref(),
                stood.as_ref(),
                &body,
                &said,
            );
            if parts.method == Method::GET {
                stage.remember(&parts, &asked, head.status, &said);
            }
            let written = match &entry.what {
                What::Apply(key, before, Some(after)) if entry.effect => {
                    // New content is rolled out; what is put right beside it isn't.
                    let before = before.as_ref().map(|before| &before.content);
                    Some((key.clone(), before != Some(&after.content)))
                }
                What::Act(_) if entry.effect => {
                    stage.world.script_jobs();
                    None
                }
                _ => None,
            };
            stage.hold_against(entry);
            if let Some((key, rolled_out)) = written {
                if rolled_out {
                    stage.world.script(&key);
                }
                stage.fight(&key);
            }
        }
        self.passage.finish(faults.late, &faults.meanwhile).await;
        if crashes {
            return self.passage.die().await;
        }
        if lost {
            return Err(Box::new(NoAnswer("the answer was lost")));
        }
        Ok(Response::from_parts(head, full(said)))
    }

    async fn fail(
        &self,
        failing: Failing,
        mut entry: Entry,
        faults: &Faults,
    ) -> Result<Answer, BoxError> {
        entry.delivered = matches!(failing, Failing::Code(_));
        let answer = failed(failing);
        entry.code = answer.as_ref().map_or(0, |answer| answer.status().as_u16());
        self.passage.stage().hold_against(entry);
        self.passage.finish(faults.late, &faults.meanwhile).await;
        answer
    }

    fn entry(&self, parts: &Parts, asked: &Asked, body: &Bytes, number: u64) -> Entry {
        let stage = self.passage.stage();
        Entry {
            process: self.passage.process,
            life: self.passage.life,
            abroad: self.abroad,
            ..told::entry(&stage.world, parts, asked, body, number)
        }
    }

    /// The same request by a controller with a deliberate bug in its driver.
    async fn sabotaged(
        self,
        saboteur: Saboteur,
        mut parts: Parts,
        mut body: Bytes,
    ) -> Result<Answer, BoxError> {
        let asked = Asked::of(&parts.uri);
        match saboteur {
            Saboteur::ActOnLostLease if asked.plural == "leases" => {
                let answer = self.clone().pass(parts.clone(), body.clone()).await;
                let process = self.passage.process;
                let mut stage = self.passage.stage();
                return stage.believe_in_the_lease(process, &parts.method, &body, answer);
            }
            Saboteur::FallBackToLocal if self.abroad => {
                let answer = self.clone().pass(parts.clone(), body.clone()).await;
                let failed = answer
                    .as_ref()
                    .map_or(true, |answer| answer.status().is_server_error());
                let Some(home) = self.home.clone().filter(|_| failed) else {
                    return answer;
                };
                let local = Self {
                    inner: home,
                    abroad: false,
                    home: None,
                    ..self
                };
                return local.pass(parts, body).await;
            }
            Saboteur::ShareTheCache => {
                let reads = parts.method == Method::GET || asked.dry_run;
                let place = format!("{} {} {body:?}", parts.method, parts.uri);
                if reads && asked.key().is_some() {
                    if let Some((code, said)) = self.passage.stage().cached(&place) {
                        let mut answer = Response::new(full(said));
                        *answer.status_mut() = code;
                        return Ok(answer);
                    }
                    let answer = self.clone().pass(parts, body).await?;
                    let (head, said) = answer.into_parts();
                    let said = said.collect().await?.to_bytes();
                    if head.status.is_success() {
                        let kept = (head.status, said.clone());
                        self.passage.stage().cache(place, kept);
                    }
                    return Ok(Response::from_parts(head, full(said)));
                }
                if asked.key().is_some() {
                    // What it wrote itself it does look at anew.
                    let path = parts.uri.path().to_owned();
                    self.passage.stage().uncache(&path);
                }
            }
            Saboteur::ActAsNeighbour if asked.namespace.as_deref() == Some(NEIGHBOUR) => {
                if let Some(user) = parts.headers.get_mut("impersonate-user") {
                    let deployer = "system:serviceaccount:payments:deployer";
                    *user = http::HeaderValue::from_static(deployer);
                }
            }
            Saboteur::DropTheHeader if parts.method == Method::DELETE => {
                parts.headers.remove("impersonate-user");
            }
            Saboteur::RetryAsController if asked.key().is_some() => {
                let answer = self.clone().pass(parts.clone(), body.clone()).await?;
                let impersonated = parts.headers.remove("impersonate-user").is_some();
                if !impersonated || answer.status() != StatusCode::FORBIDDEN {
                    return Ok(answer);
                }
            }
            Saboteur::ForgetPreconditions if parts.method == Method::DELETE => {
                body = Bytes::from_static(b"{}");
            }
            Saboteur::IgnoreVersions
                if parts.method == Method::PATCH
                    && matches!(asked.plural.as_str(), "stagesets" | "stageinventories") =>
            {
                let mut sent: Value = serde_json::from_slice(&body).unwrap_or_default();
                if let Some(metadata) = sent["metadata"].as_object_mut() {
                    metadata.remove("resourceVersion");
                }
                body = sent.to_string().into();
            }
            _ => {}
        }
        self.pass(parts, body).await
    }
}

pub(super) fn full(bytes: Bytes) -> UnsyncBoxBody<Bytes, BoxError> {
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
