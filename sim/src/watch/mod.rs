//! Watches: events from a revision on, filtered by selector, as newline-delimited JSON. Events wait
//! in the server until the client's stream takes them, and wake it in the order of the writes.

use std::{
    collections::VecDeque,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::{
    clock::Job,
    kinds::StoreKey,
    managed::skeleton,
    object,
    request::{Reply, SubscriptionId},
    routing::Query,
    server::Server,
    status::{ApiError, Cause},
    store::{Change, ChangeType},
    verbs::{
        Call, Form,
        list::{Selection, invalid_options, scope},
    },
};

/// A running watch.
#[derive(Debug)]
pub(crate) struct Subscription {
    call: Call,
    selection: Selection,
    bookmarks: bool,
    queue: VecDeque<Bytes>,
    closed: bool,
    waker: Option<Waker>,
}

impl Subscription {
    fn push(&mut self, line: Bytes) {
        self.queue.push_back(line);
        self.wake();
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn in_scope(&self, object: &Value) -> bool {
        let scope = scope(&self.call);
        scope.is_empty() || object::namespace(object) == scope
    }

    /// What this watch is told of a change: coming to match is an addition, ceasing to match a
    /// deletion.
    fn see(&mut self, change: &Change) {
        if !self.in_scope(&change.object) {
            return;
        }
        let matches = change.kind != ChangeType::Deleted && self.selection.matches(&change.object);
        let matched = change
            .previous
            .as_ref()
            .is_some_and(|previous| self.selection.matches(previous));
        let kind = match (matched, matches) {
            (false, true) => "ADDED",
            (true, true) => "MODIFIED",
            (true, false) => "DELETED",
            (false, false) => return,
        };
        let line = if change.kind == ChangeType::Modified && kind == "DELETED" {
            // The client knows the old state; only the revision is that of the change.
            let mut old = change
                .previous
                .as_ref()
                .map(|p| p.as_ref().clone())
                .unwrap_or_default();
            object::set_meta(&mut old, "resourceVersion", change.revision.to_string());
            line(kind, &self.call.show(&old))
        } else {
            line(kind, &self.call.show(&change.object))
        };
        self.push(line);
    }

    fn bookmark(&mut self, revision: u64, initial_end: bool) {
        let resource = &self.call.resource;
        let mut object = match self.call.form {
            Form::Full => {
                let custom = resource.custom().is_some();
                let mut empty = skeleton::empty(&resource.api_version(), &resource.kind, custom);
                if matches!(
                    resource.kind.as_str(),
                    "Deployment" | "StatefulSet" | "ReplicaSet"
                ) && !custom
                {
                    // A number in the server's own form, a pointer to one in the client's.
                    object::child(&mut empty, "spec").insert("replicas".into(), json!(0));
                }
                empty
            }
            Form::Metadata => json!({
                "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
            }),
        };
        let mut meta = json!({ "resourceVersion": revision.to_string() });
        if initial_end {
            object::members(&mut meta).insert(
                "annotations".into(),
                json!({ "k8s.io/initial-events-end": "true" }),
            );
        }
        object::members(&mut object).insert("metadata".into(), meta);
        self.push(line("BOOKMARK", &object));
    }
}

/// An event as it is sent. Its kind is a word that needs no escape.
fn line(kind: &str, object: &Value) -> Bytes {
    let mut line = format!("{{\"type\":\"{kind}\",\"object\":").into_bytes();
    crate::body::write(object, &mut line);
    line.extend_from_slice(b"}\n");
    Bytes::from(line)
}

/// Options of a watch that contradict each other.
fn check_options(query: &Query) -> Result<(), ApiError> {
    let mut causes = Vec::new();
    let field = "resourceVersionMatch";
    let how = query.get(field);
    let initial = query.get("sendInitialEvents");
    if initial.is_some() && how != Some("NotOlderThan") {
        let what = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
        causes.push(Cause::forbidden(field, what));
    }
    if let Some(how) = how {
        if initial.is_none() {
            let what = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is \
                        provided";
            causes.push(Cause::forbidden(field, what));
        }
        if how != "NotOlderThan" {
            let known = ["NotOlderThan".to_owned()];
            causes.push(Cause::unsupported(field, &json!(how), &known));
        }
        if query.get("continue").is_some() {
            let what = "resourceVersionMatch is forbidden when continue is provided";
            causes.push(Cause::forbidden(field, what));
        }
    }
    invalid_options(&causes)
}

/// Starts a watch.
pub(crate) fn serve(server: &mut Server, call: &Call) -> Result<Reply, ApiError> {
    let query = &call.info.query;
    let selection = Selection::read(&call.resource, query, check_options)?;
    let asked = query.get("resourceVersion");
    let initial = query
        .get("sendInitialEvents")
        .map(|v| v != "false" && v != "0");
    let bookmarks = query.flag("allowWatchBookmarks");
    let life = match query.get("timeoutSeconds") {
        None => None,
        Some(text) => Some(text.parse::<i64>().map_err(|_| {
            ApiError::bad_request(format!(
                "strconv.ParseInt: parsing {text:?}: invalid syntax"
            ))
        })?),
    };
    let mut subscription = Subscription {
        call: call.clone(),
        selection,
        bookmarks,
        queue: VecDeque::new(),
        closed: false,
        waker: None,
    };
    let from = match asked {
        None | Some("0") => None,
        Some(revision) => {
            // A revision that is yet to come is waited for.
            let number: u64 = revision.parse().map_err(|_| {
                ApiError::internal(format!(
                    "resourceVersion: Invalid value: {revision:?}: strconv.ParseUint: parsing \
                     {revision:?}: invalid syntax"
                ))
            })?;
            Some(number)
        }
    };
    let table = &call.resource.store;
    match (from, initial) {
        // Without a revision, or from any: what there is comes first.
        (None, None | Some(true)) | (Some(_), Some(true)) => {
            let all: Vec<Arc<Value>> = server
                .store
                .list(table, scope(call))
                .map(|(_, v)| Arc::clone(v))
                .collect();
            for object in &all {
                if subscription.selection.matches(object) {
                    subscription.push(line("ADDED", &call.show(object)));
                }
            }
            if initial == Some(true) {
                subscription.bookmark(server.store.revision(), true);
            }
        }
        (None, Some(false)) => {}
        (Some(revision), _) => {
            if let Some(changes) = server.store.since(table, revision) {
                for change in &changes {
                    subscription.see(change);
                }
            } else {
                let error = ApiError::expired(format!(
                    "too old resource version: {revision} ({})",
                    server.store.revision()
                ));
                subscription.push(line("ERROR", &error.status()));
                subscription.closed = true;
            }
        }
    }
    server.subscribed += 1;
    let id = SubscriptionId(server.subscribed);
    let later = |span: SignedDuration| server.now.checked_add(span).unwrap_or(server.now);
    let life = life
        .filter(|seconds| *seconds > 0)
        .map_or(server.timing.watch, SignedDuration::from_secs);
    let (end, next) = (later(life), later(server.timing.bookmarks));
    server.agenda.add(end, Job::CloseWatch(id));
    if bookmarks && !server.timing.bookmarks.is_zero() {
        server.agenda.add(next, Job::Bookmark(id));
    }
    server.subscriptions.insert(id, subscription);
    let content_type = "application/json;stream=watch".to_owned();
    Ok(Reply::Watch {
        content_type,
        subscription: id,
    })
}

impl Server {
    pub(crate) fn publish(&mut self, table: &StoreKey, change: &Change) {
        for subscription in self.subscriptions.values_mut() {
            if subscription.call.resource.store == *table {
                subscription.see(change);
            }
        }
    }

    /// The next line of a watch: pending until there is one, `None` after the end.
    pub fn poll_watch(
        &mut self,
        id: SubscriptionId,
        context: &mut Context<'_>,
    ) -> Poll<Option<Bytes>> {
        let Some(subscription) = self.subscriptions.get_mut(&id) else {
            return Poll::Ready(None);
        };
        if let Some(line) = subscription.queue.pop_front() {
            if let Some(recorder) = &self.recorder {
                recorder.told(self.now, id, &line);
            }
            return Poll::Ready(Some(line));
        }
        if subscription.closed {
            self.end_watch(id);
            return Poll::Ready(None);
        }
        subscription.waker = Some(context.waker().clone());
        Poll::Pending
    }

    /// All lines of a watch that wait now, without waiting for more.
    pub fn drain_watch(&mut self, id: SubscriptionId) -> Vec<Bytes> {
        let subscription = self.subscriptions.get_mut(&id);
        let lines: Vec<Bytes> = subscription
            .map(|s| s.queue.drain(..).collect())
            .unwrap_or_default();
        if let Some(recorder) = &self.recorder {
            for line in &lines {
                recorder.told(self.now, id, line);
            }
        }
        lines
    }

    /// Ends a watch from the client's side.
    pub fn end_watch(&mut self, id: SubscriptionId) {
        if let Some(ended) = self.subscriptions.remove(&id)
            && let Some(recorder) = &self.recorder
        {
            recorder.ended(self.now, id, ended.queue.len());
        }
        self.agenda.forget_watch(id);
    }

    /// How many watches are open.
    pub fn open_watches(&self) -> usize {
        self.subscriptions.values().filter(|s| !s.closed).count()
    }

    pub(crate) fn close_watch(&mut self, id: SubscriptionId) {
        if let Some(subscription) = self.subscriptions.get_mut(&id) {
            if subscription.bookmarks {
                subscription.bookmark(self.store.revision(), false);
            }
            subscription.closed = true;
            subscription.wake();
        }
    }

    /// Ends every watch of a kind, as the removal of its CRD does.
    pub(crate) fn close_watches(&mut self, group: &str, plural: &str) {
        for subscription in self.subscriptions.values_mut() {
            if subscription.call.resource.is(group, plural) {
                subscription.closed = true;
                subscription.wake();
            }
        }
    }

    pub(crate) fn send_bookmark(&mut self, id: SubscriptionId) {
        let revision = self.store.revision();
        let Some(subscription) = self.subscriptions.get_mut(&id).filter(|s| !s.closed) else {
            return;
        };
        subscription.bookmark(revision, false);
        let at = self
            .now
            .checked_add(self.timing.bookmarks)
            .unwrap_or(self.now);
        self.agenda.add(at, Job::Bookmark(id));
    }
}
