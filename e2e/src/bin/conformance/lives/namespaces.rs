//! Ends of namespaces: with objects in them that finalizers hold, with finalizers of their own, and
//! what is said of them and to whoever still wants something there.
//!
//! The real controller looks at a namespace five seconds after it changed, and eight after it found
//! something held, so that both sides come to rest only where it shows.

use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use super::order;
use crate::kinds::{Kind, core, custom, rights};
use crate::operation::{APPLY, JSON, MERGE, Operation};
use crate::pair::Pair;
use crate::random::Random;
use crate::report::Report;

const KINDS: [Kind; 5] = [
    core::CONFIG_MAP,
    core::SECRET,
    core::SERVICE_ACCOUNT,
    rights::ROLE,
    custom::WIDGET,
];

/// How long the real controller may take: several looks.
const PATIENCE: Duration = Duration::from_secs(45);

/// Ends one namespace after the other until there were about so many operations.
pub(crate) async fn run(
    pair: &mut Pair,
    seed: u64,
    number: usize,
    operations: usize,
    report: &mut Report,
) -> Result<()> {
    let mut random = Random::new(seed);
    let mut left = operations;
    for life in 0.. {
        // The same name now and then: what was there before is gone for good.
        let name = format!("lives-{number}-{}", life / 2);
        let mut life = Life {
            pair: &mut *pair,
            report: &mut *report,
            random: &mut random,
            name,
            objects: Vec::new(),
            steps: 0,
        };
        life.run().await?;
        left = left.saturating_sub(life.steps);
        if left == 0 {
            break;
        }
    }
    Ok(())
}

/// One namespace from its creation to its end.
struct Life<'a> {
    pair: &'a mut Pair,
    report: &'a mut Report,
    random: &'a mut Random,
    name: String,
    /// The paths of what was created, and which finalizers hold it.
    objects: Vec<(Kind, String, Vec<&'static str>)>,
    steps: usize,
}

impl Life<'_> {
    async fn run(&mut self) -> Result<()> {
        let path = format!("/api/v1/namespaces/{}", self.name);
        let mut object = json!({"metadata": {"name": self.name}});
        let held = self.random.percent(30);
        if held {
            object["metadata"]["finalizers"] = json!(["example.com/n"]);
        }
        let create = Operation::new("create", "Namespace", "POST", "/api/v1/namespaces");
        self.step(create.body(JSON, object)).await?;
        self.rest().await?;
        for _ in 0..2 + self.random.below(6) {
            self.create().await?;
        }
        let delete = Operation::new("delete", "Namespace", "DELETE", path.clone());
        let delete = if self.random.below(3) == 0 {
            delete
        } else {
            let policy = self.random.pick(&["Background", "Foreground", "Orphan"]);
            delete.body(JSON, json!({"propagationPolicy": policy}))
        };
        self.step(delete).await?;
        self.create().await?;
        self.rest().await?;
        for _ in 0..=self.random.below(3) {
            for _ in 0..=self.random.below(4) {
                self.meddle(&path).await?;
            }
            self.rest().await?;
        }
        while let Some((kind, at, _)) = self.objects.pop() {
            self.free(kind.name, at, &[]).await?;
        }
        self.rest().await?;
        if held {
            self.free("Namespace", path, &[]).await?;
            self.rest().await?;
        }
        Ok(())
    }

    /// Creates an object, which is refused once the namespace ends.
    async fn create(&mut self) -> Result<()> {
        let kind = self.random.pick(&KINDS);
        let name = format!("n{}", self.steps);
        let mut object = json!({
            "apiVersion": kind.api_version, "kind": kind.name, "metadata": {"name": name},
        });
        let mut finalizers = Vec::new();
        if self.random.percent(45) {
            let all: &[&[&str]] = &[
                &["example.com/x"],
                &["example.com/y"],
                &["example.com/x", "example.com/y"],
                &["foregroundDeletion", "example.com/x"],
            ];
            finalizers = self.random.pick(all).to_vec();
            object["metadata"]["finalizers"] = json!(finalizers);
        }
        let collection = kind.collection(&self.name);
        let path = format!("{collection}/{name}");
        let create = if self.random.percent(20) {
            Operation::new("apply", kind.name, "PATCH", path.clone())
                .query(&["fieldManager=a".to_owned()])
                .body(APPLY, object)
        } else {
            Operation::new("create", kind.name, "POST", collection).body(JSON, object)
        };
        self.step(create).await?;
        finalizers.retain(|finalizer| finalizer.starts_with("example"));
        self.objects.push((kind, path, finalizers));
        Ok(())
    }

    /// What somebody does who doesn't care that the namespace ends.
    async fn meddle(&mut self, namespace: &str) -> Result<()> {
        let at = self.random.below(self.objects.len());
        let (kind, path, finalizers) = self.objects[at].clone();
        match self.random.below(8) {
            0 => self.create().await,
            1 => {
                let delete = Operation::new("delete", "Namespace", "DELETE", namespace);
                self.step(delete).await
            }
            2 => {
                let label = json!({"metadata": {"labels": {"a": self.random.pick(&["1", "2"])}}});
                let merge = Operation::new("merge", "Namespace", "PATCH", namespace);
                self.step(merge.body(MERGE, label)).await
            }
            3 => {
                let label = json!({"metadata": {"labels": {"a": self.random.pick(&["1", "2"])}}});
                let merge = Operation::new("merge", kind.name, "PATCH", path);
                self.step(merge.body(MERGE, label)).await
            }
            4 => {
                let delete = Operation::new("delete", kind.name, "DELETE", path);
                self.step(delete).await
            }
            _ => {
                let left = &finalizers[finalizers.len().min(1)..];
                self.objects[at].2 = left.to_vec();
                self.free(kind.name, path, left).await
            }
        }
    }

    /// Leaves an object no other finalizers.
    async fn free(&mut self, kind: &'static str, path: String, left: &[&str]) -> Result<()> {
        let left = if left.is_empty() {
            Value::Null
        } else {
            json!(left)
        };
        let merge = Operation::new("merge", kind, "PATCH", path)
            .body(MERGE, json!({"metadata": {"finalizers": left}}));
        self.step(merge).await
    }

    /// What the namespace says of its content, and in how many versions it came to that, is compared
    /// at rest alone.
    async fn step(&mut self, operation: Operation) -> Result<()> {
        self.steps += 1;
        let forget = |body: &mut Value| {
            order(body);
            if operation.kind == "Namespace" {
                for (part, field) in [("status", "conditions"), ("metadata", "resourceVersion")] {
                    if let Some(part) = body.get_mut(part).and_then(Value::as_object_mut) {
                        part.remove(field);
                    }
                }
            }
        };
        self.pair.step(&operation, self.report, forget).await
    }

    /// Compares the namespace and all that is in it, once that stays as it is.
    async fn rest(&mut self) -> Result<()> {
        let path = format!("/api/v1/namespaces/{}", self.name);
        let mut reads = vec![Operation::new("get", "Namespace", "GET", path)];
        reads.extend(
            KINDS
                .iter()
                .map(|kind| Operation::new("list", kind.name, "GET", kind.collection(&self.name))),
        );
        let forget = |body: &mut Value| {
            order(body);
            authorities(body);
        };
        self.pair
            .rest(&reads, PATIENCE, self.report, forget)
            .await?;
        Ok(())
    }
}

/// Each server has an authority of its own.
fn authorities(body: &mut Value) {
    let items = body.get_mut("items").and_then(Value::as_array_mut);
    for item in items.into_iter().flatten() {
        if let Some(authority) = item.pointer_mut("/data/ca.crt") {
            *authority = json!("AUTHORITY");
        }
    }
}
