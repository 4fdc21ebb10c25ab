//! What an identity may do: asked as that very identity, of the API server that judges it.

use serde_json::json;
use stageset_core::failure::{Failure, FailureClass};
use stageset_core::identity::Identity;
use stageset_core::observation::{AccessState, RulesState};
use stageset_core::rights::{Right, Rules};

use super::{Found, Gather};
use crate::requests::Target;

const API_VERSION: &str = "authorization.k8s.io/v1";

/// As the tenant: everything that it may do in a namespace.
pub(super) async fn rules(gather: Gather<'_>, identity: &Identity, namespace: &str) -> Found {
    let review = json!({
        "apiVersion": API_VERSION, "kind": "SelfSubjectRulesReview",
        "spec": { "namespace": namespace },
    });
    let target = Target::collection(API_VERSION, "selfsubjectrulesreviews", None);
    let answer = match gather.as_tenant(identity) {
        Ok(requests) => requests.review(&target, &review).await,
        Err(failure) => Err(failure),
    };
    let state = answer.map_or_else(RulesState::Unreadable, |answer| {
        RulesState::Known(gather.ports.rules.one_of(Rules::read(&answer)))
    });
    Found::Rules(identity.clone(), namespace.to_owned(), state)
}

/// As the tenant: one thing.
pub(super) async fn access(gather: Gather<'_>, identity: &Identity, right: &Right) -> Found {
    let mut attributes = json!({
        "verb": right.verb.as_str(), "group": right.group, "resource": right.resource,
    });
    if let Some(namespace) = &right.namespace {
        attributes["namespace"] = namespace.as_str().into();
    }
    if !right.name.is_empty() {
        attributes["name"] = right.name.as_str().into();
    }
    let review = json!({
        "apiVersion": API_VERSION, "kind": "SelfSubjectAccessReview",
        "spec": { "resourceAttributes": attributes },
    });
    let target = Target::collection(API_VERSION, "selfsubjectaccessreviews", None);
    let answer = match gather.as_tenant(identity) {
        Ok(requests) => requests.review(&target, &review).await,
        Err(failure) => Err(failure),
    };
    let state = match answer {
        Err(failure) => AccessState::Unreadable(failure),
        Ok(answer) => match answer["status"]["allowed"].as_bool() {
            Some(allowed) => AccessState::Answered(allowed),
            None => AccessState::Unreadable(Failure::new(
                FailureClass::Transient { retry_after: None },
                "the API server's answer to an access review says neither yes nor no",
            )),
        },
    };
    Found::Access(identity.clone(), right.clone(), state)
}
