//! Garbage: random graphs of owners and dependents, deleted in every way, and held by finalizers
//! that go later.
//!
//! What a server does here must not be a matter of luck. Whoever owns whom, it is a forest: two
//! objects are related in one way at most (or the order in which the collector gets to them would
//! show). Nobody gets an owner that already waits for its dependents (the collector wouldn't look).
//! And before anything goes the collector has seen all that is there.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};
use stageset_e2e::answers::Answer;

use super::order;
use crate::kinds::{Kind, core, custom, plain, rights};
use crate::operation::{JSON, MERGE, Operation, uid_of};
use crate::pair::Pair;
use crate::random::Random;
use crate::report::Report;

const NETWORK_POLICY: Kind = plain(
    "NetworkPolicy",
    "networking.k8s.io/v1",
    "networkpolicies",
    |object, _| object["spec"] = json!({"podSelector": {}}),
);

/// None has a controller that writes its status on one side alone.
const KINDS: [Kind; 6] = [
    core::CONFIG_MAP,
    core::SECRET,
    NETWORK_POLICY,
    custom::WIDGET,
    rights::CLUSTER_ROLE,
    custom::GADGET,
];

/// The label of all that a round makes.
const LABEL: &str = "lives";

/// How long the real collector may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// Sets a round up and makes so many operations.
pub(crate) async fn run(
    pair: &mut Pair,
    seed: u64,
    number: usize,
    operations: usize,
    report: &mut Report,
) -> Result<()> {
    let namespace = format!("lives-{number}");
    super::namespace(pair, &namespace).await?;
    let mut graph = Graph::new(seed, &namespace);
    for _ in 0..operations {
        let operation = graph.next();
        if operation.method != "POST" {
            graph.observed(pair).await?;
        }
        pair.step(&operation, report, order).await?;
        let lists = pair.rest(&graph.lists(), PATIENCE, report, order).await?;
        graph.learn(&lists);
    }
    Ok(())
}

/// An object that was created once, by its path.
struct Node {
    kind: Kind,
    path: String,
    /// Whom it ever referred to.
    owners: BTreeSet<String>,
    /// Whoever is related to it, however far, has the same.
    family: usize,
}

struct Graph {
    random: Random,
    namespace: String,
    nodes: Vec<Node>,
    /// What is there.
    present: BTreeSet<String>,
    /// What waits for its dependents.
    waiting: BTreeSet<String>,
    barriers: usize,
}

impl Graph {
    fn new(seed: u64, namespace: &str) -> Self {
        Self {
            random: Random::new(seed),
            namespace: namespace.to_owned(),
            nodes: Vec::new(),
            present: BTreeSet::new(),
            waiting: BTreeSet::new(),
            barriers: 0,
        }
    }

    fn next(&mut self) -> Operation {
        let few = self.present.len() < 5;
        if few
            || self
                .random
                .percent(if self.present.len() < 14 { 55 } else { 10 })
        {
            return self.create();
        }
        let at = self.random.below(self.nodes.len());
        // Mostly something that is there.
        let at = (0..self.nodes.len())
            .map(|more| (at + more) % self.nodes.len())
            .find(|at| self.present.contains(&self.nodes[*at].path))
            .filter(|_| !self.random.percent(5))
            .unwrap_or(at);
        let (kind, path) = (self.nodes[at].kind, self.nodes[at].path.clone());
        match self.random.below(10) {
            0..=4 => self.delete(kind, path),
            5..=7 => {
                let finalizers = [json!(null), json!(["example.com/x"])];
                let left = finalizers[self.random.below(2)].clone();
                Operation::new("merge", kind.name, "PATCH", path)
                    .body(MERGE, json!({"metadata": {"finalizers": left}}))
            }
            _ => {
                let references = self.references(at, &kind);
                Operation::new("merge", kind.name, "PATCH", path)
                    .body(MERGE, json!({"metadata": {"ownerReferences": references}}))
            }
        }
    }

    fn create(&mut self) -> Operation {
        let random = &mut self.random;
        let kind = random.pick(&KINDS);
        let count = self.nodes.len();
        // Sometimes what was there before is made anew.
        let again = if random.percent(15) && count > 0 {
            Some(random.below(count))
        } else {
            None
        };
        let (kind, path) = if let Some(at) = again {
            (self.nodes[at].kind, self.nodes[at].path.clone())
        } else {
            let name = format!("{}-{count}", self.namespace);
            let path = format!("{}/{name}", kind.collection(&self.namespace));
            (kind, path)
        };
        let name = path.rsplit('/').next().unwrap_or_default().to_owned();
        let at = again.unwrap_or(count);
        let mut object = json!({
            "apiVersion": kind.api_version, "kind": kind.name,
            "metadata": {"name": name, "labels": {LABEL: self.namespace}},
        });
        if kind.name == "NetworkPolicy" {
            (kind.fill)(&mut object, &mut self.random);
        }
        if again.is_none() {
            self.nodes.push(Node {
                kind,
                path,
                owners: BTreeSet::new(),
                family: count,
            });
        }
        if self.random.percent(70) {
            object["metadata"]["ownerReferences"] = self.references(at, &kind);
        }
        let finalizers: &[&[&str]] = &[
            &["example.com/x"],
            &["example.com/x", "example.com/y"],
            &["example.com/x"],
            &["orphan"],
            &["foregroundDeletion", "example.com/x"],
        ];
        if self.random.percent(35) {
            object["metadata"]["finalizers"] = json!(self.random.pick(finalizers));
        }
        let collection = kind.collection(&self.namespace);
        Operation::new("create", kind.name, "POST", collection).body(JSON, object)
    }

    fn delete(&mut self, kind: Kind, path: String) -> Operation {
        let delete = Operation::new("delete", kind.name, "DELETE", path);
        let policy = self
            .random
            .pick(&["Background", "Foreground", "Foreground", "Orphan"]);
        match self.random.below(6) {
            0 => delete,
            1 => delete.query(&[format!("propagationPolicy={policy}")]),
            2 => {
                let orphan = self.random.percent(50);
                delete.body(JSON, json!({"orphanDependents": orphan}))
            }
            _ => delete.body(JSON, json!({"propagationPolicy": policy})),
        }
    }

    /// Up to three owners for an object: those that are there, those that are gone, and wrong ones.
    fn references(&mut self, at: usize, kind: &Kind) -> Value {
        let mut references: Vec<Value> = Vec::new();
        let count = self.random.pick(&[0, 1, 1, 1, 2, 3]);
        for _ in 0..count {
            if let Some(reference) = self.reference(at, kind, &references) {
                references.push(reference);
            }
        }
        if references.is_empty() {
            return Value::Null;
        }
        references.into()
    }

    fn reference(&mut self, at: usize, kind: &Kind, others: &[Value]) -> Option<Value> {
        let other = self.random.below(self.nodes.len());
        let (child, owner) = (&self.nodes[at], &self.nodes[other]);
        let related = owner.family == child.family && !child.owners.contains(&owner.path);
        // A cluster-scoped object that names an owner in a namespace keeps the collector busy for good.
        let misplaced = !kind.namespaced && owner.kind.namespaced && !self.random.percent(10);
        // One that is there already would go with the other.
        let uid = uid_of(&owner.path);
        let twice = others.iter().any(|reference| reference["uid"] == uid);
        if related || misplaced || twice || self.waiting.contains(&owner.path) {
            return None;
        }
        let mut reference = json!({
            "apiVersion": owner.kind.api_version,
            "kind": owner.kind.name,
            "name": owner.path.rsplit('/').next(),
            "uid": uid,
        });
        // The collector looks at whom an object refers to by uid: at another name for it, it doesn't.
        let again = child.owners.contains(&owner.path);
        if again && !self.present.contains(&owner.path) {
            return None;
        }
        let (path, family, joined) = (owner.path.clone(), child.family, owner.family);
        self.nodes[at].owners.insert(path);
        for node in &mut self.nodes {
            if node.family == joined {
                node.family = family;
            }
        }
        match self.random.below(3) {
            0 => {}
            1 => reference["blockOwnerDeletion"] = json!(false),
            _ => reference["blockOwnerDeletion"] = json!(true),
        }
        match self.random.below(24) {
            2..=4 if again => {}
            0 | 1 => {
                // Of nobody else: the collector remembers whom it didn't find.
                let number = 100_000 + self.random.below(900_000);
                let uid = format!("00000000-0000-4000-8000-{number:06}{:06}", self.nodes.len());
                reference["uid"] = json!(uid);
            }
            2 => reference["name"] = json!("somebody-else"),
            3 => {
                reference["apiVersion"] = json!("v1");
                reference["kind"] = json!("ServiceAccount");
            }
            4 => reference["kind"] = json!("Nothing"),
            _ => {}
        }
        Some(reference)
    }

    /// Waits until the collector has seen what there is: one object of each kind whose owner never
    /// was goes when it comes to that.
    async fn observed(&mut self, pair: &mut Pair) -> Result<()> {
        self.barriers += 1;
        let name = format!("{}-barrier-{}", self.namespace, self.barriers);
        let mut paths = Vec::new();
        for kind in KINDS {
            let mut object = json!({"metadata": {"name": name, "ownerReferences": [{
                "apiVersion": "v1", "kind": "Namespace", "name": "nobody",
                "uid": format!("{}-{name}", kind.plural),
            }]}});
            object["apiVersion"] = json!(kind.api_version);
            object["kind"] = json!(kind.name);
            if kind.name == "NetworkPolicy" {
                (kind.fill)(&mut object, &mut self.random);
            }
            let collection = kind.collection(&self.namespace);
            pair.set_up(&collection, object).await?;
            paths.push((kind, format!("{collection}/{name}")));
        }
        for (kind, path) in paths {
            let get = Operation::new("get", kind.name, "GET", path);
            pair.settle(&get, |answer| answer.code == 404).await?;
        }
        Ok(())
    }

    fn lists(&self) -> Vec<Operation> {
        let selector = format!("labelSelector={LABEL}={}", self.namespace);
        KINDS
            .iter()
            .map(|kind| {
                Operation::new("list", kind.name, "GET", kind.collection(&self.namespace))
                    .query(std::slice::from_ref(&selector))
            })
            .collect()
    }

    /// What is there, and what waits.
    fn learn(&mut self, lists: &[Answer]) {
        let mut there: BTreeMap<String, &Value> = BTreeMap::new();
        for (kind, list) in KINDS.iter().zip(lists) {
            for item in list.body["items"].as_array().into_iter().flatten() {
                let name = item["metadata"]["name"].as_str().unwrap_or_default();
                let path = format!("{}/{name}", kind.collection(&self.namespace));
                there.insert(path, item);
            }
        }
        self.waiting = there
            .iter()
            .filter(|(_, item)| {
                let finalizers = item["metadata"]["finalizers"].as_array();
                let mut finalizers = finalizers.into_iter().flatten();
                finalizers.any(|finalizer| finalizer == "foregroundDeletion")
            })
            .map(|(path, _)| path.clone())
            .collect();
        self.present = there.into_keys().collect();
    }
}
