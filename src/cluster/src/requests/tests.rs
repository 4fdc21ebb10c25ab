//! Every request × every identity.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, Response};
use kube::client::Body;
use stageset_core::identity::Tenancy;
use stageset_core::names::{Namespace, ServiceAccountName};
use tower::service_fn;

use super::*;
use crate::connection::IMPERSONATE_USER;

type Seen = Arc<Mutex<Vec<(String, Option<String>)>>>;

/// A server that answers everything alike and remembers who asked for what.
fn server(
    status: u16,
    headers: &'static [(&'static str, &'static str)],
    body: Value,
) -> (Connection, Seen) {
    let seen = Seen::default();
    let recorder = Arc::clone(&seen);
    let connection = Connection::from_service(service_fn(move |request: Request<Body>| {
        let user = request
            .headers()
            .get(IMPERSONATE_USER)
            .map(|value| value.to_str().unwrap().to_owned());
        let others = request
            .headers()
            .keys()
            .filter(|name| name.as_str().starts_with("impersonate-") && **name != IMPERSONATE_USER)
            .count();
        assert_eq!(others, 0, "groups follow from the user's name");
        recorder
            .lock()
            .unwrap()
            .push((format!("{} {}", request.method(), request.uri()), user));
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        let response = response
            .body(Body::from(body.to_string().into_bytes()))
            .unwrap();
        async move { Ok::<_, std::convert::Infallible>(response) }
    }));
    (connection, seen)
}

fn identity(tenancy: Tenancy, account: Option<&str>) -> Identity {
    let account = account.map(|account| ServiceAccountName::new(account).unwrap());
    Identity::resolve(
        tenancy,
        &Namespace::new("shop").unwrap(),
        account.as_ref(),
        &Local,
    )
    .unwrap()
}

fn object() -> Target {
    Target::collection("apps/v1", "deployments", Some("shop")).named("web")
}

const VERBS: [Verb; 13] = [
    Verb::Review,
    Verb::Get,
    Verb::List,
    Verb::Discover,
    Verb::DiscoverGroup,
    Verb::Create,
    Verb::Update,
    Verb::MergePatch,
    Verb::StrategicPatch,
    Verb::JsonPatch,
    Verb::DryRunApply,
    Verb::Apply,
    Verb::Delete,
];

async fn ask(requests: &Requests<'_>, verb: Verb, target: &Target) -> Result<(), Failure> {
    let body = json!({});
    // No wildcard: a new request doesn't compile until it is in the table.
    match verb {
        Verb::Get => requests.get(target).await.map(drop),
        Verb::List => requests.list(target, "a=b").await.map(drop),
        Verb::Discover => requests.discover("apps", "v1").await.map(drop),
        Verb::DiscoverGroup => requests.discover_group("apps").await.map(drop),
        Verb::Review => requests.review(target, &body).await.map(drop),
        Verb::Create => requests.create(target, &body).await.map(drop),
        Verb::Update => requests.update(target, &body).await.map(drop),
        Verb::MergePatch => requests.merge_patch(target, &body).await.map(drop),
        Verb::StrategicPatch => requests.strategic_patch(target, &body).await.map(drop),
        Verb::JsonPatch => requests.json_patch(target, &body).await.map(drop),
        Verb::DryRunApply => requests.dry_run_apply(target, &body).await.map(drop),
        Verb::Apply => requests.apply(target, &body).await.map(drop),
        Verb::Delete => requests.delete(target, "uid", Some("1")).await.map(drop),
    }
}

#[tokio::test]
async fn attack_a01_a06_every_request_carries_the_identity_it_was_made_for() {
    let budget = Budget::default();
    let cases = [
        (None, None),
        (Some(identity(Tenancy::Single, None)), None),
        (
            Some(identity(Tenancy::Multi, Some("deployer"))),
            Some("system:serviceaccount:shop:deployer"),
        ),
        // Mixed mode: an account bounds the release on a single-tenant controller too (S16).
        (
            Some(identity(Tenancy::Single, Some("deployer"))),
            Some("system:serviceaccount:shop:deployer"),
        ),
    ];
    for (tenant, user) in cases {
        for verb in VERBS {
            for status in [200, 401, 403, 404, 409, 422, 500] {
                let (connection, seen) = server(status, &[], json!({}));
                let requests = match &tenant {
                    None => Requests::as_controller(&connection, &budget, "shop"),
                    Some(tenant) => Requests::as_tenant(&connection, &budget, "shop", tenant),
                };
                let _ = ask(&requests, verb, &object()).await;
                let seen = seen.lock().unwrap();
                // Exactly one: no failure is retried, under this identity or another (I4, A06).
                assert_eq!(seen.len(), 1, "{verb:?} after {status}");
                assert_eq!(seen[0].1.as_deref(), user, "{verb:?} as {tenant:?}");
            }
        }
    }
}

#[tokio::test]
async fn clients_for_others_carry_it_too() {
    let tenant = RequestIdentity::As(identity(Tenancy::Multi, Some("deployer")));
    let (connection, seen) = server(200, &[], json!({}));
    let request = || Request::get("/version").body(Vec::new()).unwrap();
    connection
        .client(tenant.clone())
        .request_text(request())
        .await
        .unwrap();
    let watch = connection.watch_client(tenant).unwrap();
    watch.list(request()).await.unwrap();
    connection
        .client(RequestIdentity::Controller)
        .request_text(request())
        .await
        .unwrap();
    let users: Vec<_> = seen
        .lock()
        .unwrap()
        .iter()
        .map(|(_, user)| user.clone())
        .collect();
    let deployer = Some("system:serviceaccount:shop:deployer".to_owned());
    assert_eq!(users, [deployer.clone(), deployer, None]);
}

#[tokio::test]
async fn applies_are_forced_and_dry_runs_are_dry() {
    let budget = Budget::default();
    let (connection, seen) = server(201, &[], json!({}));
    let requests = Requests::as_controller(&connection, &budget, "shop");
    let would_be = requests.dry_run_apply(&object(), &json!({})).await;
    assert_eq!(would_be.unwrap(), None, "201: it would be created");
    requests.apply(&object(), &json!({})).await.unwrap();
    let lines: Vec<_> = seen
        .lock()
        .unwrap()
        .iter()
        .map(|(line, _)| line.clone())
        .collect();
    let path = "/apis/apps/v1/namespaces/shop/deployments/web";
    assert_eq!(
        lines,
        [
            format!("PATCH {path}?dryRun=All&fieldManager=stageset-controller&force=true"),
            format!("PATCH {path}?fieldManager=stageset-controller&force=true"),
        ]
    );
}

#[tokio::test]
async fn a_target_that_moves_the_path_is_not_sent() {
    let budget = Budget::default();
    let (connection, seen) = server(200, &[], json!({}));
    let requests = Requests::as_controller(&connection, &budget, "shop");
    let target = Target::collection("v1", "pods", Some("shop")).named("../../nodes");
    let failure = requests.get(&target).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Rejected);
    assert!(seen.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers_is_given_up() {
    let connection = Connection::from_service(service_fn(|_: Request<Body>| {
        std::future::pending::<Result<Response<Body>, std::convert::Infallible>>()
    }));
    let budget = Budget::default();
    let failure = Requests::as_controller(&connection, &budget, "shop")
        .get(&object())
        .await
        .unwrap_err();
    assert_eq!(failure.class, FailureClass::Transient { retry_after: None });
    assert_eq!(budget.width().0, 0, "its permit came back");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_overloaded_is_left_alone_as_long_as_it_says() {
    let budget = Budget::new(8);
    let (connection, _) = server(429, &[("retry-after", "7")], Value::Null);
    let requests = Requests::as_controller(&connection, &budget, "shop");
    let failure = requests.get(&object()).await.unwrap_err();
    let retry_after = Some(Duration::from_secs(7));
    assert_eq!(failure.class, FailureClass::Transient { retry_after });
    assert_eq!(budget.width(), (0, 4));
    let asked = tokio::time::Instant::now();
    drop(budget.acquire("other").await);
    assert_eq!(asked.elapsed(), Duration::from_secs(7));
}

#[tokio::test]
async fn absence_of_the_object_itself_is_an_answer() {
    let budget = Budget::default();
    let body = json!({ "details": { "kind": "deployments", "group": "apps", "name": "web" } });
    let (connection, _) = server(404, &[], body);
    let requests = Requests::as_controller(&connection, &budget, "shop");
    assert_eq!(requests.get(&object()).await, Ok(None));
    assert_eq!(
        requests.delete(&object(), "u", None).await,
        Ok(Deleted::Absent)
    );
    let other = Target::collection("apps/v1", "deployments", Some("shop")).named("other");
    let failure = requests.get(&other).await.unwrap_err();
    assert!(
        matches!(failure.class, FailureClass::Missing { .. }),
        "{failure:?}"
    );
}

/// A delete that meets another object of the name deletes nothing: it says which one it means.
#[tokio::test]
async fn attack_a13_a_delete_names_the_object_that_was_seen() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let recorder = Arc::clone(&seen);
    let connection = Connection::from_service(service_fn(move |request: Request<Body>| {
        let recorder = Arc::clone(&recorder);
        async move {
            let bytes = request.into_body().collect_bytes().await?;
            recorder.lock().unwrap().push(bytes);
            Ok::<_, kube::Error>(Response::new(Body::from(b"{}".to_vec())))
        }
    }));
    let budget = Budget::default();
    let requests = Requests::as_controller(&connection, &budget, "shop");
    for version in [None, Some("7")] {
        let deleted = requests.delete(&object(), "uid-1", version).await;
        assert_eq!(deleted.unwrap(), Deleted::Accepted);
    }
    let bodies = seen.lock().unwrap().clone();
    let preconditions: Vec<Value> = bodies
        .iter()
        .map(|bytes| serde_json::from_slice::<Value>(bytes).unwrap()["preconditions"].clone())
        .collect();
    let expected = [
        json!({ "uid": "uid-1" }),
        json!({ "uid": "uid-1", "resourceVersion": "7" }),
    ];
    assert_eq!(preconditions, expected);
}
