//! What the simulated cluster did by itself, done on the real one: by the administrator in place of
//! the controllers, which don't run there, or by waiting for what the real API server does itself.

use anyhow::{Context as _, Result};
use http::Method;
use serde_json::{Map, Value, json};
use stageset_e2e::answers::Answer;
use stageset_sim::OwnChange;

use crate::server::Real;
use crate::settle::Slow;

const JSON: &str = "application/json";
const MERGE: &str = "application/merge-patch+json";
/// Where namespaces are.
const NAMESPACES: &str = "/api/v1/namespaces/";
/// By which a definition outlives its objects.
pub(crate) const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";
/// What a controller writes of an object's metadata.
const METADATA: [&str; 4] = ["labels", "annotations", "finalizers", "ownerReferences"];

/// How a change came to be on the real server.
#[derive(Debug)]
pub(crate) enum Relived {
    /// The server comes with it: whatever it says of it there.
    Came,
    /// It was written, or happened: the object there.
    Is(Answer),
    /// It is gone there, too.
    Gone,
}

impl Real {
    /// Lets a change happen here.
    pub(crate) async fn relive(&mut self, change: &OwnChange) -> Result<Relived> {
        let relived = match (&change.before, &change.after) {
            (None, Some(after)) => self.appear(change, after).await,
            (Some(before), Some(after)) => self.become_as(change, before, after).await,
            (_, None) => self.go(change).await.map(|()| Relived::Gone),
        };
        let relived = relived.with_context(|| format!("letting {} change", change.path))?;
        if let Relived::Is(answer) = &relived
            && let Some(after) = &change.after
        {
            self.mapping.learn(after, &answer.body);
        }
        if let Some(Slow::Rights(plural)) = Slow::of(&change.path)
            && !matches!(relived, Relived::Came)
        {
            self.wait_for_rights(&plural).await?;
        }
        Ok(relived)
    }

    async fn appear(&mut self, change: &OwnChange, after: &Value) -> Result<Relived> {
        if let Some(found) = self.get(&change.path).await? {
            self.mapping.learn(after, &found);
            return Ok(Relived::Came);
        }
        let mut object = after.clone();
        if let Some(metadata) = object["metadata"].as_object_mut() {
            for given in [
                "uid",
                "resourceVersion",
                "creationTimestamp",
                "generation",
                "managedFields",
            ] {
                metadata.remove(given);
            }
        }
        self.mapping.replace(&mut object);
        let (collection, _) = change.path.rsplit_once('/').unwrap_or_default();
        let uri = format!("{collection}?fieldManager={}", writer(None, after));
        let created = self.must(Method::POST, &uri, JSON, &object).await?;
        Ok(Relived::Is(Answer {
            code: 200,
            body: created,
        }))
    }

    async fn become_as(
        &mut self,
        change: &OwnChange,
        before: &Value,
        after: &Value,
    ) -> Result<Relived> {
        if let Some(Slow::Definition(name)) = Slow::of(&change.path) {
            // The real server's own business, too.
            if !is_going(after) {
                let body = self.wait_for_definition(&name).await?;
                return Ok(Relived::Is(Answer { code: 200, body }));
            }
            // Only where it ends can be waited for: it may be gone before anybody looks at what is between.
            if finalizers(after).contains(&CLEANUP) {
                return Ok(Relived::Came);
            }
            let body = self.wait_for_cleanup(&change.path).await?;
            return Ok(Relived::Is(Answer { code: 200, body }));
        }
        let current = self.get(&change.path).await?.context("it isn't there")?;
        let body = if is_going(after) && !is_going(before) {
            let foreground = finalizers(after).contains(&"foregroundDeletion");
            let policy = if foreground {
                "Foreground"
            } else {
                "Background"
            };
            let options = json!({ "propagationPolicy": policy, "gracePeriodSeconds": 0 });
            self.must(Method::DELETE, &change.path, JSON, &options)
                .await?;
            self.get(&change.path).await?.context("it went at once")?
        } else {
            let (part, object) = self.written(change, before, after, current);
            let uri = format!(
                "{}{part}?fieldManager={}",
                change.path,
                writer(Some(before), after)
            );
            self.must(Method::PUT, &uri, JSON, &object).await?
        };
        Ok(Relived::Is(Answer { code: 200, body }))
    }

    /// The object as a controller would send it, and to which part of the endpoint.
    fn written(
        &self,
        change: &OwnChange,
        before: &Value,
        after: &Value,
        current: Value,
    ) -> (&'static str, Value) {
        let mut wanted = after.clone();
        self.mapping.replace(&mut wanted);
        let mut object = current;
        for field in METADATA {
            object["metadata"][field] = wanted["metadata"][field].take();
        }
        let mut fields = wanted.as_object().cloned().unwrap_or_else(Map::new);
        fields.remove("metadata");
        let namespace = is_namespace(&change.path);
        if let Some(object) = object.as_object_mut() {
            object.extend(fields);
        }
        let changed = |field: &str| before.get(field) != after.get(field);
        let part = if namespace && changed("spec") {
            "/finalize"
        } else if change.status && changed("status") {
            "/status"
        } else {
            ""
        };
        (part, object)
    }

    async fn go(&mut self, change: &OwnChange) -> Result<()> {
        let path = &change.path;
        let before = change.before.as_ref().context("nothing was there")?;
        if matches!(Slow::of(path), Some(Slow::Definition(_))) {
            return self.wait_until_gone(path).await;
        }
        let Some(current) = self.get(path).await? else {
            return Ok(());
        };
        if self.definition_is_going(path).await? {
            return self.wait_until_gone(path).await;
        }
        if is_namespace(path) {
            let mut object = current;
            object["spec"]["finalizers"] = json!([]);
            let uri = format!("{path}/finalize?fieldManager={}", writer(None, before));
            self.must(Method::PUT, &uri, JSON, &object).await?;
        } else if is_going(&current) {
            let free = json!({ "metadata": { "finalizers": null } });
            self.must(Method::PATCH, path, MERGE, &free).await?;
        } else {
            let options = json!({ "propagationPolicy": "Background", "gracePeriodSeconds": 0 });
            self.must(Method::DELETE, path, JSON, &options).await?;
        }
        match self.get(path).await? {
            None => Ok(()),
            Some(left) => anyhow::bail!("it stays: {left}"),
        }
    }

    /// Whether the definition of what is at a path is being deleted: its objects go with it.
    async fn definition_is_going(&self, path: &str) -> Result<bool> {
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let (group, plural) = match parts.as_slice() {
            ["apis", group, _, "namespaces", _, plural, _] | ["apis", group, _, plural, _] => {
                (*group, *plural)
            }
            _ => return Ok(false),
        };
        if !group.contains('.') || group.ends_with(".k8s.io") {
            return Ok(false);
        }
        let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
        let definition = self.get(&format!("{definitions}/{plural}.{group}")).await?;
        Ok(definition.is_some_and(|definition| is_going(&definition)))
    }
}

fn is_namespace(path: &str) -> bool {
    path.strip_prefix(NAMESPACES)
        .is_some_and(|rest| !rest.contains('/'))
}

fn is_going(object: &Value) -> bool {
    object["metadata"]["deletionTimestamp"].is_string()
}

pub(crate) fn finalizers(object: &Value) -> Vec<&str> {
    let list = object["metadata"]["finalizers"].as_array();
    list.into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

/// Whose fields a change touched: the manager of the first entry that wasn't there before.
fn writer<'a>(before: Option<&Value>, after: &'a Value) -> &'a str {
    let entries = |object: &'a Value| object["metadata"]["managedFields"].as_array();
    let old = before.and_then(|before| before["metadata"]["managedFields"].as_array());
    let mut entries = entries(after).into_iter().flatten();
    let new = entries.find(|entry| old.is_none_or(|old| !old.contains(entry)));
    let manager = new.and_then(|entry| entry["manager"].as_str());
    manager.unwrap_or("kube-controller-manager")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_writer_is_whose_entry_is_new() {
        let object = |entries: Value| json!({ "metadata": { "managedFields": entries } });
        let (a, b) = (
            json!({ "manager": "a", "time": "1" }),
            json!({ "manager": "b", "time": "1" }),
        );
        let before = object(json!([a, b]));
        let after = object(json!([a, { "manager": "b", "time": "2" }]));
        assert_eq!(writer(Some(&before), &after), "b");
        assert_eq!(writer(None, &after), "a");
        assert_eq!(writer(Some(&before), &before), "kube-controller-manager");
    }
}
