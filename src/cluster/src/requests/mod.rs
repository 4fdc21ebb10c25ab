//! The few requests that are ever made to an API server.
//!
//! - [`target`] what a request addresses, checked before it becomes a URL;
//! - [`classify`] the one function that says what a failure means, `immutable` what a refusal of a
//!   field that can't be changed looks like;
//! - [`way`] to which API server, [`exchange`] how one is sent and answered;
//! - [`table`] every request that is ever made, with its plane;
//! - [`message`] cleans what servers say before people read it.
//!
//! Nothing here retries: a failure is a fact, and the core decides when to ask again.

mod classify;
mod exchange;
mod immutable;
mod message;
pub mod table;
mod target;
mod way;

use std::sync::Arc;

use http::StatusCode;
use serde_json::{Value, json};
use stageset_api::names::FIELD_MANAGER;
use stageset_core::failure::{Failure, FailureClass};
use stageset_core::identity::Identity;
use stageset_core::identity::Target::{Local, Remote};

pub use classify::classify;
pub(crate) use classify::unsent;
pub use message::clean;
pub use target::{BadTarget, Target};

use self::exchange::{read, transient};
use self::way::Way;
use crate::connection::{Connection, RequestIdentity};
use crate::fairness::Budget;
use crate::ports::Ports;
use crate::remote::RemoteCluster;

/// Objects in one page of a list.
const PAGE: usize = 500;

/// Everything that can be asked of an API server. A new variant belongs into the identity table of
/// this module's tests, which doesn't compile without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// Read one object.
    Get,
    /// Read all objects of a kind in a namespace, page by page.
    List,
    /// What a group version serves.
    Discover,
    /// Which versions a group has.
    DiscoverGroup,
    /// Ask about one's own rights: a question that is created and answered, never stored.
    Review,
    /// Create an object.
    Create,
    /// Replace an object that is still at its `resourceVersion`.
    Update,
    /// Merge into an object or its status.
    MergePatch,
    /// Merge into an object by the strategy of its kind.
    StrategicPatch,
    /// Change an object by a JSON patch (RFC 6902).
    JsonPatch,
    /// What a forced server-side apply would do.
    DryRunApply,
    /// Forced server-side apply.
    Apply,
    /// Delete an object in the background, with preconditions.
    Delete,
}

/// The answer to a delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deleted {
    /// The server accepted it; finalizers may hold the object for a while.
    Accepted,
    /// There was no such object.
    Absent,
}

/// Requests to one API server as one identity, accounted to one tenant.
#[derive(Debug, Clone)]
pub struct Requests<'a> {
    way: Way<'a>,
    /// Whose share of the budget is used: the StageSet's namespace.
    share: &'a str,
    identity: RequestIdentity,
}

impl<'a> Requests<'a> {
    /// Requests for the controller's own records, and reads that it makes for everybody.
    pub fn as_controller(connection: &'a Connection, budget: &'a Budget, share: &'a str) -> Self {
        Self {
            way: Way::Local { connection, budget },
            share,
            identity: RequestIdentity::Controller,
        }
    }

    /// Requests to a tenant's world in the controller's own cluster. An identity that is meant for
    /// another one is refused by the connection.
    pub fn as_tenant(
        connection: &'a Connection,
        budget: &'a Budget,
        share: &'a str,
        identity: &Identity,
    ) -> Self {
        Self {
            way: Way::Local { connection, budget },
            share,
            identity: RequestIdentity::As(identity.clone()),
        }
    }

    /// Requests to a tenant's world, wherever it is.
    ///
    /// # Errors
    /// A failure when a remote cluster isn't connected to; never a way to another one.
    pub fn towards(ports: &'a Ports, share: &'a str, identity: &Identity) -> Result<Self, Failure> {
        let way = match identity.target() {
            Local => Way::Local {
                connection: &ports.connection,
                budget: &ports.budget,
            },
            Remote(remote) => Way::Remote(ports.remotes.reach(remote)?),
        };
        Ok(Self {
            way,
            share,
            identity: RequestIdentity::As(identity.clone()),
        })
    }

    /// Discovery of a remote cluster, as whoever its kubeconfig is.
    pub fn discovering(remote: Arc<RemoteCluster>, share: &'a str) -> Self {
        Self {
            identity: RequestIdentity::Discovery(Arc::clone(remote.remote())),
            way: Way::Remote(remote),
            share,
        }
    }

    /// One object; `None` if there is no such object.
    ///
    /// # Errors
    /// See [`classify`]; so for all methods.
    pub async fn get(&self, target: &Target) -> Result<Option<Value>, Failure> {
        match self.send(Verb::Get, target, "", None).await {
            Ok((_, object)) => Ok(Some(object)),
            Err(failure) if target.is_missing_itself(&failure) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// All objects of a kind in a namespace that a label selector picks (empty = all).
    pub async fn list(&self, target: &Target, labels: &str) -> Result<Vec<Value>, Failure> {
        let mut items = Vec::new();
        let mut next = String::new();
        loop {
            let mut query = format!("limit={PAGE}");
            for (key, value) in [("labelSelector", labels), ("continue", next.as_str())] {
                if !value.is_empty() {
                    query = format!("{query}&{key}={}", target::encoded(value));
                }
            }
            let (_, mut page) = self.send(Verb::List, target, &query, None).await?;
            match page.get_mut("items").map(Value::take) {
                Some(Value::Array(page)) => items.extend(page),
                Some(Value::Null) | None => {}
                Some(_) => return Err(transient("the API server's list has no items")),
            }
            match page.pointer("/metadata/continue").and_then(Value::as_str) {
                Some(token) if !token.is_empty() => token.clone_into(&mut next),
                _ => return Ok(items),
            }
        }
    }

    /// The resources of a group version (an `APIResourceList`); `None` if it isn't served.
    pub async fn discover(&self, group: &str, version: &str) -> Result<Option<Value>, Failure> {
        let target = Target::group_version(group, version);
        match self.send(Verb::Discover, &target, "", None).await {
            Ok((_, list)) => Ok(Some(list)),
            Err(failure) if failure.class == FailureClass::UnknownKind => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// The versions of a group (an `APIGroup`); `None` if it isn't served.
    pub async fn discover_group(&self, group: &str) -> Result<Option<Value>, Failure> {
        let target = Target::group(group);
        match self.send(Verb::DiscoverGroup, &target, "", None).await {
            Ok((_, group)) => Ok(Some(group)),
            Err(failure) if failure.class == FailureClass::UnknownKind => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Asks about one's own rights.
    pub async fn review(&self, reviews: &Target, review: &Value) -> Result<Value, Failure> {
        Ok(self.send(Verb::Review, reviews, "", Some(review)).await?.1)
    }

    /// Creates an object in a collection.
    pub async fn create(&self, collection: &Target, object: &Value) -> Result<Value, Failure> {
        let query = format!("fieldManager={FIELD_MANAGER}");
        Ok(self
            .send(Verb::Create, collection, &query, Some(object))
            .await?
            .1)
    }

    /// Creates an object of which nobody asks what became of it.
    pub async fn leave(&self, collection: &Target, object: &Value) -> Result<(), Failure> {
        let query = format!("fieldManager={FIELD_MANAGER}");
        let sent = self.send_for_bytes(Verb::Create, collection, &query, Some(object));
        sent.await.map(drop)
    }

    /// Replaces an object; its `metadata.resourceVersion` is the precondition.
    pub async fn update(&self, target: &Target, object: &Value) -> Result<Value, Failure> {
        let query = format!("fieldManager={FIELD_MANAGER}");
        Ok(self
            .send(Verb::Update, target, &query, Some(object))
            .await?
            .1)
    }

    /// Merges into an object; a `metadata.resourceVersion` in the patch is the precondition.
    pub async fn merge_patch(&self, target: &Target, patch: &Value) -> Result<Value, Failure> {
        let query = format!("fieldManager={FIELD_MANAGER}");
        Ok(self
            .send(Verb::MergePatch, target, &query, Some(patch))
            .await?
            .1)
    }

    /// Merges into an object by the strategy of its kind; only built-in kinds have one.
    pub async fn strategic_patch(&self, target: &Target, patch: &Value) -> Result<Value, Failure> {
        let query = format!("fieldManager={FIELD_MANAGER}");
        Ok(self
            .send(Verb::StrategicPatch, target, &query, Some(patch))
            .await?
            .1)
    }

    /// Changes an object by a JSON patch.
    pub async fn json_patch(&self, target: &Target, patch: &Value) -> Result<Value, Failure> {
        let query = format!("fieldManager={FIELD_MANAGER}");
        Ok(self
            .send(Verb::JsonPatch, target, &query, Some(patch))
            .await?
            .1)
    }

    /// What a forced server-side apply would make of an object that exists; `None` if it would create
    /// it, and then the answer isn't even read.
    pub async fn dry_run_apply(
        &self,
        target: &Target,
        body: &Value,
    ) -> Result<Option<Value>, Failure> {
        let query = format!("dryRun=All&fieldManager={FIELD_MANAGER}&force=true");
        let sent = self.send_for_bytes(Verb::DryRunApply, target, &query, Some(body));
        match sent.await? {
            (StatusCode::CREATED, _) => Ok(None),
            (_, bytes) => read(&bytes).map(Some),
        }
    }

    /// Server-side apply, forced. A `metadata.uid` in the body is the precondition.
    pub async fn apply(&self, target: &Target, body: &Value) -> Result<Value, Failure> {
        let query = format!("fieldManager={FIELD_MANAGER}&force=true");
        Ok(self.send(Verb::Apply, target, &query, Some(body)).await?.1)
    }

    /// Deletes an object in the background if it still is the one with this uid, and, where given,
    /// at this `resourceVersion`.
    pub async fn delete(
        &self,
        target: &Target,
        uid: &str,
        resource_version: Option<&str>,
    ) -> Result<Deleted, Failure> {
        self.delete_with(target, uid, resource_version, "Background")
            .await
    }

    /// The same with another propagation policy.
    pub async fn delete_with(
        &self,
        target: &Target,
        uid: &str,
        resource_version: Option<&str>,
        propagation: &str,
    ) -> Result<Deleted, Failure> {
        let mut preconditions = json!({ "uid": uid });
        if let Some(version) = resource_version {
            preconditions["resourceVersion"] = version.into();
        }
        let options = json!({
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": propagation,
            "preconditions": preconditions,
        });
        match self.send(Verb::Delete, target, "", Some(&options)).await {
            Ok(_) => Ok(Deleted::Accepted),
            Err(failure) if target.is_missing_itself(&failure) => Ok(Deleted::Absent),
            Err(failure) => Err(failure),
        }
    }
}

#[cfg(test)]
mod tests;
