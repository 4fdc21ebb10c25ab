//! A cluster to hold on to: one server behind a lock, driven by tokio's clock.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use http::{HeaderMap, Method};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::{sync::Notify, time::Instant};

use crate::{
    audit::AuditRecord,
    clock::Job,
    door::Door,
    kinds::Resource,
    object,
    request::{Reply, Request, Response, User},
    server::Server,
};

pub(crate) struct Shared {
    server: Mutex<Server>,
    start: Timestamp,
    started: Instant,
    /// Told whenever the agenda may have a new first entry.
    changed: Notify,
    driven: Mutex<bool>,
}

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Server> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> Timestamp {
        let elapsed =
            SignedDuration::try_from(self.started.elapsed()).unwrap_or(SignedDuration::MAX);
        self.start.checked_add(elapsed).unwrap_or(Timestamp::MAX)
    }

    pub(crate) fn changed(&self) {
        self.changed.notify_one();
    }
}

/// What went wrong in a typed helper: the server's `Status`.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{verb} {what}: {message} (HTTP {code})")]
pub struct HelperError {
    /// What was tried.
    pub verb: &'static str,
    /// On what.
    pub what: String,
    /// HTTP status code.
    pub code: u16,
    /// The server's message.
    pub message: String,
}

/// A simulated cluster. Clones share it.
///
/// It lives on the clock of the tokio runtime in which it is made: under a paused clock a day of
/// cluster time costs nothing but its events. Once a [`Door`] is used within a runtime, a task of
/// that runtime lets due things happen; without one, [`SimulatedCluster::settle`] does.
#[derive(Clone)]
pub struct SimulatedCluster {
    shared: Arc<Shared>,
}

impl std::fmt::Debug for SimulatedCluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SimulatedCluster")
            .field("now", &self.now())
            .finish_non_exhaustive()
    }
}

impl SimulatedCluster {
    /// A fresh cluster whose wall clock now shows `start`; the seed decides uids and generated
    /// names.
    pub fn new(start: Timestamp, seed: u64) -> Self {
        Self::of(Server::new(start, seed))
    }

    /// Another cluster that stands as this one does ([`Server::fork`]), on the clock of the runtime in
    /// which it is made.
    #[must_use]
    pub fn fork(&self, seed: u64) -> Self {
        Self::of(self.shared.lock().fork(seed))
    }

    fn of(server: Server) -> Self {
        let start = server.now();
        Self {
            shared: Arc::new(Shared {
                server: Mutex::new(server),
                start,
                started: Instant::now(),
                changed: Notify::new(),
                driven: Mutex::new(false),
            }),
        }
    }

    /// A way in for one authenticated user; `kube::Client::new(door, "default")` works on it.
    pub fn door(&self, user: User) -> Door {
        Door::new(self.clone(), user)
    }

    /// The cluster's wall clock.
    pub fn now(&self) -> Timestamp {
        self.shared.now()
    }

    /// The server itself, with everything due done.
    pub fn with_server<T>(&self, act: impl FnOnce(&mut Server) -> T) -> T {
        let now = self.now();
        let mut server = self.shared.lock();
        server.advance(now);
        let out = act(&mut server);
        drop(server);
        self.shared.changed();
        out
    }

    /// Handles one request now.
    pub fn handle(&self, request: &Request) -> Reply {
        let now = self.now();
        let reply = self.shared.lock().handle(request, now);
        self.shared.changed();
        reply
    }

    /// Lets everything due by now happen.
    pub fn settle(&self) {
        self.with_server(|_| ());
    }

    /// Lets things happen when they are due, by tokio's clock, for as long as the future is
    /// polled. A door used in a runtime starts this by itself.
    pub async fn run(self) {
        drive(Arc::downgrade(&self.shared)).await;
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Starts the driver if this is a runtime and none runs yet.
    pub(crate) fn ensure_driven(&self) {
        let mut driven = self
            .shared
            .driven
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if !*driven && let Ok(runtime) = tokio::runtime::Handle::try_current() {
            *driven = true;
            runtime.spawn(drive(Arc::downgrade(&self.shared)));
        }
    }

    /// The audit trail so far.
    pub fn audit(&self) -> Vec<AuditRecord> {
        self.shared.lock().audit().to_vec()
    }

    /// Calls this with every audit record. It must not call back into the cluster.
    pub fn observe(&self, observer: impl FnMut(&AuditRecord) + Send + 'static) {
        self.shared.lock().observe(observer);
    }

    /// Creates an object as the administrator, or replaces what is there; a `status` in it is
    /// written as well. Waits for nothing: a CRD is established a moment later.
    pub fn apply_yaml_value(&self, value: &Value) -> Result<Value, HelperError> {
        let (path, namespaced_path) = self.paths(value)?;
        let what = what(value);
        let mut sent = value.clone();
        object::remove_meta(&mut sent, "resourceVersion");
        object::remove_meta(&mut sent, "uid");
        let body = sent.to_string();
        let created = self.ask(Method::POST, &path, &body);
        let written = if created.status == 409 {
            let current = self.ask(Method::GET, &namespaced_path, "");
            let version = current.value().unwrap_or_default();
            object::set_meta(
                &mut sent,
                "resourceVersion",
                object::resource_version(&version),
            );
            self.ask(Method::PUT, &namespaced_path, &sent.to_string())
        } else {
            created
        };
        let written = expect("apply", &what, &written)?;
        match value.get("status").filter(|s| s.is_object()) {
            Some(status) => {
                let body = json!({ "status": status });
                let path = format!("{namespaced_path}/status");
                let answer = self.send(
                    Method::PATCH,
                    &path,
                    &body.to_string(),
                    "application/merge-patch+json",
                );
                // Kinds without the subresource took the status with the object.
                if answer.status == 404 {
                    Ok(written)
                } else {
                    expect("patch status of", &what, &answer)
                }
            }
            None => Ok(written),
        }
    }

    /// Applies every document of a YAML text, as [`SimulatedCluster::apply_yaml_value`] does, and
    /// lets a definition be established before what comes after it. Fails with the first error.
    pub fn load_yaml(&self, text: &str) -> Result<(), HelperError> {
        let documents = crate::yaml::documents(text).map_err(|message| HelperError {
            verb: "read",
            what: "YAML".into(),
            code: 400,
            message,
        })?;
        for document in documents.iter().filter(|d| !d.is_null()) {
            self.apply_yaml_value(document)?;
            if document.get("kind").and_then(Value::as_str) == Some("CustomResourceDefinition") {
                let name = object::name(document).to_owned();
                self.with_server(|server| {
                    crate::crd::lifecycle::establish(server, &name);
                    server.agenda.done(&Job::EstablishCrd(name));
                });
            }
        }
        Ok(())
    }

    /// An object as the administrator sees it, if it is there. No request is made for it.
    pub fn get(&self, api_version: &str, kind: &str, namespace: &str, name: &str) -> Option<Value> {
        self.find(api_version, kind, namespace, name, |resource, object| {
            crate::verbs::present(resource, object).into_owned()
        })
    }

    /// Looks at an object as it is stored, without a copy of it. The look must not call back into the
    /// cluster.
    pub fn look<T>(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        name: &str,
        look: impl FnOnce(&Value) -> T,
    ) -> Option<T> {
        self.find(api_version, kind, namespace, name, |_, object| look(object))
    }

    fn find<T>(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        name: &str,
        look: impl FnOnce(&Resource, &Value) -> T,
    ) -> Option<T> {
        let (group, version) = object::split_api_version(api_version);
        let now = self.now();
        let mut server = self.shared.lock();
        server.advance(now);
        let resource = server.registry.by_kind(group, version, kind)?;
        let namespace = if resource.namespaced { namespace } else { "" };
        let object = server.find(&resource.store, namespace, name)?;
        Some(look(&resource, object))
    }

    /// Looks at all objects of a kind in a namespace (everywhere if it is empty) as they are stored,
    /// without copies of them. The look must not call back into the cluster.
    pub fn look_at_all<T>(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        mut look: impl FnMut(&Value) -> T,
    ) -> Vec<T> {
        self.each(api_version, kind, namespace, |_, object| look(object))
    }

    /// All objects of a kind in a namespace, or everywhere if it is empty.
    pub fn list(&self, api_version: &str, kind: &str, namespace: &str) -> Vec<Value> {
        self.each(api_version, kind, namespace, |resource, object| {
            crate::verbs::present(resource, object).into_owned()
        })
    }

    fn each<T>(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        mut look: impl FnMut(&Resource, &Value) -> T,
    ) -> Vec<T> {
        let (group, version) = object::split_api_version(api_version);
        self.with_server(|server| {
            let Some(resource) = server.registry.by_kind(group, version, kind) else {
                return Vec::new();
            };
            let all = server.store.list(&resource.store, namespace);
            all.map(|(_, object)| look(&resource, object)).collect()
        })
    }

    /// Deletes an object as the administrator, in the background.
    pub fn delete(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> Result<(), HelperError> {
        let path = self.path_of(api_version, kind, namespace, name)?;
        let answer = self.ask(Method::DELETE, &path, "");
        expect("delete", &format!("{kind} {namespace}/{name}"), &answer).map(drop)
    }

    /// Merges a value into an object's status as the administrator.
    pub fn patch_status(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        name: &str,
        status: &Value,
    ) -> Result<Value, HelperError> {
        let path = self.path_of(api_version, kind, namespace, name)?;
        let body = json!({ "status": status }).to_string();
        let answer = self.send(
            Method::PATCH,
            &format!("{path}/status"),
            &body,
            "application/merge-patch+json",
        );
        expect(
            "patch status of",
            &format!("{kind} {namespace}/{name}"),
            &answer,
        )
    }

    /// Merges a value into an object as the administrator.
    pub fn patch(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        name: &str,
        patch: &Value,
    ) -> Result<Value, HelperError> {
        let path = self.path_of(api_version, kind, namespace, name)?;
        let answer = self.send(
            Method::PATCH,
            &path,
            &patch.to_string(),
            "application/merge-patch+json",
        );
        expect("patch", &format!("{kind} {namespace}/{name}"), &answer)
    }

    fn ask(&self, method: Method, path: &str, body: &str) -> Response {
        self.send(method, path, body, "application/json")
    }

    fn send(&self, method: Method, path: &str, body: &str, content_type: &'static str) -> Response {
        let mut headers = HeaderMap::new();
        headers.insert(
            http::header::CONTENT_TYPE,
            http::HeaderValue::from_static(content_type),
        );
        headers.insert(
            http::header::USER_AGENT,
            http::HeaderValue::from_static("admin/1"),
        );
        let uri = path.parse().unwrap_or_else(|_| http::Uri::from_static("/"));
        let body = bytes::Bytes::from(body.to_owned());
        let request = Request {
            method,
            uri,
            headers,
            body,
            user: User::admin(),
        };
        match self.handle(&request) {
            Reply::Response(response) => response,
            Reply::Watch { subscription, .. } => {
                self.shared.lock().end_watch(subscription);
                Response::json(500, &json!({ "message": "a watch has no single answer" }))
            }
        }
    }

    fn resource(&self, api_version: &str, kind: &str) -> Result<Arc<Resource>, HelperError> {
        let (group, version) = object::split_api_version(api_version);
        self.with_server(|server| server.registry.by_kind(group, version, kind))
            .ok_or_else(|| HelperError {
                verb: "find",
                what: format!("{kind} ({api_version})"),
                code: 404,
                message: "the cluster serves no such kind; is its CRD applied and established?"
                    .into(),
            })
    }

    fn path_of(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> Result<String, HelperError> {
        let resource = self.resource(api_version, kind)?;
        Ok(format!("{}/{name}", collection(&resource, namespace)))
    }

    fn paths(&self, value: &Value) -> Result<(String, String), HelperError> {
        let text = |field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default();
        let resource = self.resource(text("apiVersion"), text("kind"))?;
        let namespace = object::namespace(value);
        let namespace = if namespace.is_empty() {
            "default"
        } else {
            namespace
        };
        let collection = collection(&resource, namespace);
        let named = format!("{collection}/{}", object::name(value));
        Ok((collection, named))
    }
}

/// The path of a collection.
pub(crate) fn collection(resource: &Resource, namespace: &str) -> String {
    let root = if resource.group.is_empty() {
        format!("/api/{}", resource.version)
    } else {
        format!("/apis/{}/{}", resource.group, resource.version)
    };
    if resource.namespaced {
        format!("{root}/namespaces/{namespace}/{}", resource.plural)
    } else {
        format!("{root}/{}", resource.plural)
    }
}

fn what(value: &Value) -> String {
    let kind = value
        .get("kind")
        .and_then(Value::as_str)
        .unwrap_or("object");
    format!(
        "{kind} {}/{}",
        object::namespace(value),
        object::name(value)
    )
}

fn expect(verb: &'static str, what: &str, answer: &Response) -> Result<Value, HelperError> {
    let value = answer.value().unwrap_or_default();
    if answer.status.is_success() {
        return Ok(value);
    }
    let message = value["message"].as_str().map_or_else(
        || String::from_utf8_lossy(&answer.body).into_owned(),
        str::to_owned,
    );
    Err(HelperError {
        verb,
        what: what.to_owned(),
        code: answer.status.as_u16(),
        message,
    })
}

/// Sleeps until something is due, lets it happen, and again; ends with the cluster.
async fn drive(shared: Weak<Shared>) {
    loop {
        let Some(strong) = shared.upgrade() else {
            return;
        };
        let now = strong.now();
        let due = {
            let mut server = strong.lock();
            server.advance(now);
            server.next_due()
        };
        let wait = due.map(|due| {
            let left = due.duration_since(now);
            std::time::Duration::try_from(left).unwrap_or_default()
        });
        // The longest sleep bounds how long a forgotten cluster keeps its task.
        let wait = wait.unwrap_or(std::time::Duration::from_secs(3600));
        let changed = strong.changed.notified();
        tokio::select! {
            biased;
            () = changed => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}
