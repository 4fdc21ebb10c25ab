//! What a trace shows of a pass: the pass, its downloads and builds, what is asked and written for
//! each stage, actions, and every request with the identity that it is made as.
//!
//! Spans name objects and fields, as log lines do, and never hold a value, a query or a header: http
//! actions show their method and host only (I9). No trace context is sent along with any request,
//! since tenants' servers and their receivers are no part of the operator's system.
//!
//! Where nobody listens to [`TARGET`], a span costs one comparison.

use std::collections::BTreeMap;

use http::{Method, StatusCode, Uri};
use stageset_core::names::StageName;
use stageset_core::observation::Attempt;
use stageset_core::plan::{Need, TenantOperation};
use tracing::field::Empty;
use tracing::{Span, info_span};

use crate::connection::RequestIdentity;
use crate::hooks::HookCall;
use crate::session::{End, StageSetKey};

/// The target of all spans, by which they are switched on or off.
pub const TARGET: &str = "stageset::spans";

/// A whole pass.
pub(crate) fn pass(key: &StageSetKey) -> Span {
    info_span!(
        target: TARGET,
        "StageSet.Reconcile",
        stageset.namespace = key.namespace,
        stageset.name = key.name,
        stageset.turns = Empty,
        stageset.next = Empty,
    )
}

/// How a pass ended.
pub(crate) fn passed(span: &Span, turns: usize, next: &End) {
    let next = match next {
        End::Hold { .. } => "hold",
        End::Rest { .. } => "rest",
        End::Gone => "gone",
    };
    span.record("stageset.turns", turns);
    span.record("stageset.next", next);
}

/// The download of an artifact, for all stages that build from it.
pub(crate) fn fetch(revision: &str) -> Span {
    info_span!(target: TARGET, "stage.fetch", stageset.revision = revision)
}

/// A build of a folder of an artifact.
pub(crate) fn build(path: &str, revision: &str) -> Span {
    info_span!(
        target: TARGET,
        "stage.build",
        stageset.path = path,
        stageset.revision = revision,
    )
}

/// Dry runs of a decision, or writes of a step: one span for each stage that has some.
#[derive(Default)]
pub(crate) struct Stages(BTreeMap<StageName, Span>);

impl Stages {
    /// The span that a need belongs to.
    pub(crate) fn of_need(&mut self, need: &Need) -> Span {
        match need {
            Need::DryRun { object, .. } => self.one(
                &object.stage,
                |stage| info_span!(target: TARGET, "stage.dryRun", stageset.stage = stage),
            ),
            _ => Span::none(),
        }
    }

    /// The span that an operation belongs to.
    pub(crate) fn of_operation(&mut self, operation: &TenantOperation) -> Span {
        let stage = match operation {
            TenantOperation::Apply { object, .. } | TenantOperation::TakeOver { object, .. } => {
                &object.stage
            }
            TenantOperation::Delete { stage, .. } => stage,
            TenantOperation::Act { attempt, .. } => return action(attempt),
        };
        self.one(
            stage,
            |stage| info_span!(target: TARGET, "stage.apply", stageset.stage = stage),
        )
    }

    fn one(&mut self, stage: &StageName, new: impl FnOnce(&str) -> Span) -> Span {
        if let Some(span) = self.0.get(stage) {
            return span.clone();
        }
        let span = new(stage.as_str());
        self.0.insert(stage.clone(), span.clone());
        span
    }
}

/// One attempt at an action.
fn action(attempt: &Attempt) -> Span {
    info_span!(
        target: TARGET,
        "stage.action",
        stageset.stage = attempt.stage.as_str(),
        stageset.action = attempt.action,
        stageset.phase = %attempt.phase,
        stageset.attempt = attempt.number,
    )
}

/// A request to an API server, its answer's body included.
pub(crate) fn request(method: &Method, uri: &Uri, identity: &RequestIdentity) -> Span {
    info_span!(
        target: TARGET,
        "kubernetes.request",
        otel.kind = "client",
        otel.status_code = Empty,
        http.request.method = %method,
        http.response.status_code = Empty,
        url.path = uri.path(),
        // The words of a query that change what a request does.
        kubernetes.dry_run = uri.query().is_some_and(|query| query.contains("dryRun=All")),
        // As whom.
        enduser.id = %As(identity),
    )
}

/// How a request was answered; `None` = not at all.
pub(crate) fn answered(span: &Span, status: Option<StatusCode>) {
    if let Some(status) = status {
        span.record("http.response.status_code", status.as_u16());
    }
    if status.is_none_or(|status| status.is_server_error()) {
        span.record("otel.status_code", "ERROR");
    }
}

/// The request of an http action. Neither path nor query: either may hold what opens a door.
pub(crate) fn hook(call: &HookCall) -> Span {
    let host = || {
        let uri = call.url.parse::<Uri>().ok()?;
        uri.host().map(str::to_owned)
    };
    info_span!(
        target: TARGET,
        "http.request",
        otel.kind = "client",
        otel.status_code = Empty,
        http.request.method = call.method.as_str(),
        server.address = host().unwrap_or_default(),
    )
}

/// A span's work failed.
pub(crate) fn failed(span: &Span) {
    span.record("otel.status_code", "ERROR");
}

/// As whom, in words.
struct As<'a>(&'a RequestIdentity);

impl std::fmt::Display for As<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            RequestIdentity::Controller => f.write_str("the controller"),
            RequestIdentity::As(identity) => identity.fmt(f),
            RequestIdentity::Discovery(remote) => {
                write!(f, "kubeconfig {}", remote.kubeconfig.name)
            }
        }
    }
}
