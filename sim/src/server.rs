//! The state machine: a request goes in, a reply comes out, and time passes only when somebody
//! says so. Everything is synchronous and deterministic.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::Timestamp;
use serde_json::Value;

use crate::{
    admission::{typed::Decoded, webhooks::WebhookHandler},
    audit::AuditRecord,
    clock::{Agenda, Ids, Job, Timing},
    history::{OwnChange, Recorder},
    impersonation,
    interceptor::{Interceptor, Verdict},
    kinds::{Registry, Resource, StoreKey},
    object,
    rbac::{self, Attributes, Policy},
    request::{Reply, Request, Response, SubscriptionId, User},
    routing::RequestInfo,
    status::ApiError,
    store::{Change, Store, object_key},
    verbs::{self, Call},
    watch::Subscription,
};

type Observer = Box<dyn FnMut(&AuditRecord) + Send>;

/// The simulated API server.
pub struct Server {
    pub(crate) store: Store,
    pub(crate) registry: Registry,
    pub(crate) agenda: Agenda,
    pub(crate) ids: Ids,
    pub(crate) now: Timestamp,
    pub(crate) timing: Timing,
    pub(crate) subscriptions: BTreeMap<SubscriptionId, Subscription>,
    pub(crate) subscribed: u64,
    /// When the present spec of each workload was written, by uid.
    pub(crate) spec_times: BTreeMap<String, Timestamp>,
    pub(crate) controllers: bool,
    pub(crate) impersonations: impersonation::Memory,
    pub(crate) webhooks: BTreeMap<String, Box<dyn WebhookHandler>>,
    /// Objects (by uid) that aren't read as they are stored: the next write writes, even if it
    /// changes nothing. Some lack what they are always read with, others have fields that are left
    /// out because they are empty, which are listed.
    pub(crate) unsettled: BTreeMap<String, Vec<String>>,
    /// Objects (by uid) that waited for their dependents at some time, as the garbage collector
    /// remembers it.
    pub(crate) waited: BTreeSet<String>,
    pub(crate) recorder: Option<Recorder>,
    policy: Option<Arc<Policy>>,
    audit: Vec<AuditRecord>,
    observer: Option<Observer>,
    interceptor: Option<Box<dyn Interceptor>>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("now", &self.now)
            .field("revision", &self.store.revision())
            .finish_non_exhaustive()
    }
}

impl Server {
    /// A fresh cluster at a time: the four namespaces, the built-in roles, nothing else. The seed
    /// decides uids and generated names.
    pub fn new(at: Timestamp, seed: u64) -> Self {
        let mut server = Self {
            store: Store::new(),
            registry: Registry::built_in(),
            agenda: Agenda::default(),
            ids: Ids::new(seed),
            now: at,
            timing: Timing::default(),
            subscriptions: BTreeMap::new(),
            subscribed: 0,
            spec_times: BTreeMap::new(),
            controllers: true,
            impersonations: impersonation::Memory::default(),
            webhooks: BTreeMap::new(),
            unsettled: BTreeMap::new(),
            waited: BTreeSet::new(),
            recorder: None,
            policy: None,
            audit: Vec::new(),
            observer: None,
            interceptor: None,
        };
        server.bootstrap();
        server
    }

    /// Another cluster that stands as this one does, with other uids and generated names from here on.
    /// Nobody is connected to it, and it has no webhook handlers, no interceptor, no
    /// recorder and no audit trail yet.
    #[must_use]
    pub fn fork(&self, seed: u64) -> Self {
        Self {
            store: self.store.clone(),
            registry: self.registry.clone(),
            agenda: self.agenda.unwatched(),
            ids: self.ids.fork(seed),
            now: self.now,
            timing: self.timing,
            subscriptions: BTreeMap::new(),
            subscribed: 0,
            spec_times: self.spec_times.clone(),
            controllers: self.controllers,
            impersonations: impersonation::Memory::default(),
            webhooks: BTreeMap::new(),
            unsettled: self.unsettled.clone(),
            waited: self.waited.clone(),
            recorder: None,
            policy: self.policy.clone(),
            audit: Vec::new(),
            observer: None,
            interceptor: None,
        }
    }

    /// Handles one request at a time. What was due by then happens first.
    pub fn handle(&mut self, request: &Request, at: Timestamp) -> Reply {
        self.advance(at);
        if let Some(mut interceptor) = self.interceptor.take() {
            let reply = match interceptor.before(request) {
                Verdict::Pass => {
                    let reply = self.serve(request);
                    interceptor.after(request, reply)
                }
                Verdict::Answer(response) => Reply::Response(response),
            };
            self.interceptor = Some(interceptor);
            return reply;
        }
        self.serve(request)
    }

    fn serve(&mut self, request: &Request) -> Reply {
        let info = RequestInfo::parse(&request.method, request.uri.path(), request.uri.query());
        let mut record = AuditRecord {
            at: self.now,
            user: request.user.name.clone(),
            impersonated: request.header("impersonate-user").map(str::to_owned),
            verb: info.verb.clone(),
            group: info.group.clone(),
            version: info.version.clone(),
            resource: info.resource.clone(),
            subresource: info.subresource.clone(),
            namespace: info.namespace.clone(),
            name: info.name.clone(),
            path: info.path.clone(),
            dry_run: info.query.get("dryRun").is_some(),
            code: 200,
            reason: String::new(),
            message: String::new(),
            field_manager: info
                .query
                .get("fieldManager")
                .unwrap_or_default()
                .to_owned(),
            apply: verbs::is_apply(request),
        };
        // What changes while it is away was asked for.
        let recorder = self.recorder.take();
        let reply = match self.dispatch(request, info) {
            Ok(reply) => reply,
            Err(error) => Reply::Response(error_response(&error)),
        };
        if let Some(recorder) = &recorder {
            recorder.exchange(self.now, request, &reply);
        }
        self.recorder = recorder;
        if let Reply::Response(response) = &reply {
            record.code = response.status.as_u16();
            if !response.status.is_success()
                && let Some(status) = response.value()
            {
                let text = |field: &str| status[field].as_str().unwrap_or_default().to_owned();
                record.reason = text("reason");
                record.message = text("message");
            }
        }
        if let Some(observer) = &mut self.observer {
            observer(&record);
        }
        self.audit.push(record);
        reply
    }

    fn dispatch(&mut self, request: &Request, info: RequestInfo) -> Result<Reply, ApiError> {
        let bearer = crate::tokens::bearer(self, request)?;
        let caller = bearer.as_ref().unwrap_or(&request.user);
        let attributes = Attributes::of_request(&info);
        let user = impersonation::effective_user(self, request, caller, &attributes)?;
        self.authorize(&user, &attributes)?;
        if !info.is_resource {
            return crate::discovery::serve(self, request, &info).map(Reply::Response);
        }
        let resource = self
            .registry
            .require(&info.group, &info.version, &info.resource)?;
        let call = Call::new(request, info, user, resource)?;
        verbs::serve(self, &call)
    }

    /// Fails with the real server's message unless RBAC allows it.
    pub(crate) fn authorize(
        &mut self,
        user: &User,
        attributes: &Attributes,
    ) -> Result<(), ApiError> {
        match self.policy().decide(user, attributes) {
            rbac::Decision::Allowed(_) => Ok(()),
            rbac::Decision::Refused(reason) => Err(rbac::forbidden(user, attributes, &reason)),
        }
    }

    /// The authorization rules as they stand.
    pub(crate) fn policy(&mut self) -> Arc<Policy> {
        if let Some(policy) = &self.policy {
            return Arc::clone(policy);
        }
        let policy = Arc::new(Policy::read(&self.store));
        self.policy = Some(Arc::clone(&policy));
        policy
    }

    /// Runs everything that is due by a time; the clock never goes backwards.
    pub fn advance(&mut self, to: Timestamp) {
        while let Some((at, job)) = self.agenda.pop_due(to) {
            self.now = self.now.max(at);
            self.run(job);
        }
        self.now = self.now.max(to);
    }

    /// When something is due next, if anything is.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.agenda.next_due()
    }

    /// The server's present time.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    fn run(&mut self, job: Job) {
        match job {
            Job::CollectGarbage => crate::garbage::collect(self),
            Job::Namespace(name) => crate::namespaces::step(self, &name),
            Job::EstablishCrd(name) => crate::crd::lifecycle::establish(self, &name),
            Job::FinalizeCrd(name) => crate::crd::lifecycle::finalize(self, &name),
            Job::CountQuota(namespace) => crate::admission::quota::recount(self, &namespace),
            Job::AggregateRoles => rbac::aggregation::aggregate(self),
            Job::Workload { table, key, uid } => crate::workloads::run(self, &table, &key, &uid),
            Job::RemovePod { key, uid } => crate::workloads::pods::remove(self, &key, &uid),
            Job::CloseWatch(id) => self.close_watch(id),
            Job::Bookmark(id) => self.send_bookmark(id),
        }
    }

    /// Stores an object and tells everybody who listens.
    pub(crate) fn commit(&mut self, table: &StoreKey, value: Value) -> Arc<Value> {
        self.unsettled.remove(object::uid(&value));
        let change = self.store.put(table, value);
        let object = Arc::clone(&change.object);
        self.committed(table, &change);
        object
    }

    /// Deletes an object from the store and tells everybody who listens.
    pub(crate) fn erase(&mut self, table: &StoreKey, key: &str) -> Option<Arc<Value>> {
        let change = self.store.delete(table, key)?;
        let object = Arc::clone(&change.object);
        self.committed(table, &change);
        Some(object)
    }

    fn committed(&mut self, table: &StoreKey, change: &Change) {
        if table.group == "rbac.authorization.k8s.io" {
            self.policy = None;
        }
        if let Some(recorder) = &self.recorder {
            recorder.change(self.now, OwnChange::of(&self.registry, table, change));
        }
        self.publish(table, change);
        crate::reactions::after(self, table, change);
    }

    /// An object of a table.
    pub(crate) fn find(
        &self,
        table: &StoreKey,
        namespace: &str,
        name: &str,
    ) -> Option<&Arc<Value>> {
        self.store.get(table, &object_key(namespace, name))
    }

    /// Lets one of the server's own controllers change an object: through its field manager, with
    /// no audit record. Nothing is written when nothing changes.
    pub(crate) fn control(
        &mut self,
        resource: &Resource,
        key: &str,
        manager: &str,
        subresource: &str,
        change: impl FnOnce(&mut Value),
    ) -> Option<Arc<Value>> {
        let old = Arc::clone(self.store.get(&resource.store, key)?);
        let read = verbs::present(resource, &old);
        let mut new = read.as_ref().clone();
        change(&mut new);
        if new == *read {
            return Some(Arc::clone(&old));
        }
        verbs::own(self, resource, manager, subresource, &old, &mut new, false);
        if resource.generation
            && subresource.is_empty()
            && verbs::spec_changed(resource, &old, &new, &Decoded::default())
        {
            object::set_meta(&mut new, "generation", object::generation(&old) + 1);
        }
        crate::crd::conversion::store(resource, &mut new);
        if verbs::update::is_finalized(resource, &new) {
            return self.erase(&resource.store, key);
        }
        Some(self.commit(&resource.store, new))
    }

    /// The audit trail since the start (or since [`Server::take_audit`]).
    pub fn audit(&self) -> &[AuditRecord] {
        &self.audit
    }

    /// Takes the audit trail, leaving it empty.
    pub fn take_audit(&mut self) -> Vec<AuditRecord> {
        std::mem::take(&mut self.audit)
    }

    /// Calls this with every audit record.
    pub fn observe(&mut self, observer: impl FnMut(&AuditRecord) + Send + 'static) {
        self.observer = Some(Box::new(observer));
    }

    /// Puts an interceptor at the boundary, replacing any other.
    pub fn intercept(&mut self, interceptor: Box<dyn Interceptor>) {
        self.interceptor = Some(interceptor);
    }

    /// Lets a handler answer the admission webhooks that name an endpoint: an URL, or a Service as
    /// `NAMESPACE/NAME/PATH` (the path without its first slash; empty if there is none).
    pub fn serve_webhook(
        &mut self,
        endpoint: impl Into<String>,
        handler: impl WebhookHandler + 'static,
    ) {
        self.webhooks.insert(endpoint.into(), Box::new(handler));
    }

    /// Takes a handler away: calls fail from now on.
    pub fn stop_webhook(&mut self, endpoint: &str) {
        self.webhooks.remove(endpoint);
    }

    /// Sets how long the server's own controllers take.
    pub fn set_timing(&mut self, timing: Timing) {
        self.timing = timing;
    }

    /// Turns the controllers that aren't part of an API server on or off: without them nobody
    /// writes the status of workloads, collects garbage, or fills and empties namespaces.
    pub fn set_controllers(&mut self, run: bool) {
        self.controllers = run;
    }

    /// How many changes of each kind are remembered for watches and continued lists.
    pub fn set_history(&mut self, changes: usize) {
        self.store.set_history(changes);
    }

    /// Forgets all history: watches and continued lists from before get `410 Expired`.
    pub fn compact(&mut self) {
        self.store.compact();
    }

    /// The revision of the last write.
    pub fn revision(&self) -> u64 {
        self.store.revision()
    }
}

/// The HTTP form of an error.
pub(crate) fn error_response(error: &ApiError) -> Response {
    if error.plain {
        let body = bytes::Bytes::from(error.message.clone());
        return Response::bytes(error.code, "text/plain; charset=utf-8", body);
    }
    let mut response = Response::json(error.code, &error.status());
    if let Some(seconds) = error.retry_after {
        response
            .headers
            .insert(http::header::RETRY_AFTER, http::HeaderValue::from(seconds));
    }
    response
}
