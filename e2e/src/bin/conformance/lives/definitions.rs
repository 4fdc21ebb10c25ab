//! Lives of definitions: created with all kinds of schemas, changed while there are objects, in
//! conflict with each other, deleted with their objects, created anew; and what discovery says.
//!
//! A server needs a moment to serve what was just defined. Which state of a definition it serves
//! shows in what it accepts as `probe`, so that both sides are asked that, dry, before anything else.

use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use super::order;
use super::schemas::{self, VERSIONS};
use crate::operation::{JSON, MERGE, Operation};
use crate::pair::Pair;
use crate::random::Random;
use crate::report::Report;

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
const PLURALS: [&str; 2] = ["alphas", "betas"];
const KINDS: [&str; 2] = ["Alpha", "Beta"];
const DEFINITION: &str = "CustomResourceDefinition";

/// How long the real server may take: it looks every five seconds whether the last object is gone.
const PATIENCE: Duration = Duration::from_secs(30);

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
    let mut lives = Lives {
        random: Random::new(seed),
        group: format!("lives-{number}.example.com"),
        namespace,
        states: 0,
        probes: PLURALS.map(|_| String::new()),
        going: [false; 2],
    };
    lives.rest(pair, report).await?;
    for _ in 0..operations {
        let operation = lives.next();
        pair.step(&operation, report, unowned).await?;
        lives.rest(pair, report).await?;
    }
    // Nothing is left behind that would keep other rounds' servers busy.
    for operation in lives.end() {
        pair.both(&operation).await?;
    }
    Ok(())
}

struct Lives {
    random: Random,
    group: String,
    namespace: String,
    /// How many states of definitions there were.
    states: usize,
    /// What tells the last one of each.
    probes: [String; 2],
    /// Which of them are going.
    going: [bool; 2],
}

impl Lives {
    fn next(&mut self) -> Operation {
        let at = self.random.below(PLURALS.len());
        let plural = PLURALS[at];
        let path = format!("{DEFINITIONS}/{plural}.{}", self.group);
        // While it goes nobody changes how its objects are stored: the real server deletes them again and
        // again, which writes them then. It does so for a minute, and they are let go before.
        let going = self.going[at];
        if going && self.random.percent(25) {
            return self.free(at);
        }
        match self.random.below(20) {
            4..=7 if going => self.free(at),
            0..=3 => {
                let probe = self.probe(at);
                let definition = schemas::definition(&self.group, plural, &probe, &mut self.random);
                Operation::new("create", DEFINITION, "POST", DEFINITIONS).body(JSON, definition)
            }
            4..=6 => {
                let probe = self.probe(at);
                let versions = schemas::versions(&probe, &mut self.random);
                Operation::new("merge", DEFINITION, "PATCH", path)
                    .body(MERGE, json!({"spec": {"versions": versions}}))
            }
            7 => {
                let names = json!({"shortNames": self.random.some(&["al", "be", "x"])});
                Operation::new("merge", DEFINITION, "PATCH", path)
                    .body(MERGE, json!({"spec": {"names": names}}))
            }
            8 => Operation::new("delete", DEFINITION, "DELETE", path),
            _ => self.object(at),
        }
    }

    /// The name of a new state.
    fn probe(&mut self, at: usize) -> String {
        self.states += 1;
        self.probes[at] = format!("p{}", self.states);
        self.probes[at].clone()
    }

    /// Something with an object of a kind.
    fn object(&mut self, at: usize) -> Operation {
        let version = self.random.pick(&VERSIONS);
        let name = self.random.pick(&["o1", "o2", "o3"]);
        let collection = self.collection(at, version);
        let path = format!("{collection}/{name}");
        let kind = KINDS[at];
        match self.random.below(10) {
            0..=3 => {
                let mut object = json!({
                    "apiVersion": format!("{}/{version}", self.group), "kind": kind,
                    "metadata": {"name": name}, "spec": schemas::spec(&mut self.random),
                });
                if self.random.percent(30) {
                    object["metadata"]["finalizers"] = json!(["example.com/x"]);
                }
                Operation::new("create", kind, "POST", collection).body(JSON, object)
            }
            4..=6 => {
                let spec = schemas::spec(&mut self.random);
                Operation::new("merge", kind, "PATCH", path).body(MERGE, json!({"spec": spec}))
            }
            7 => Operation::new("delete", kind, "DELETE", path),
            _ => self.free(at),
        }
    }

    /// Takes its finalizers from an object.
    fn free(&mut self, at: usize) -> Operation {
        let version = self.random.pick(&VERSIONS);
        let name = self.random.pick(&["o1", "o2", "o3"]);
        let path = format!("{}/{name}", self.collection(at, version));
        Operation::new("merge", KINDS[at], "PATCH", path)
            .body(MERGE, json!({"metadata": {"finalizers": null}}))
    }

    fn collection(&self, at: usize, version: &str) -> String {
        let root = format!("/apis/{}/{version}", self.group);
        match at {
            0 => format!("{root}/namespaces/{}/{}", self.namespace, PLURALS[0]),
            _ => format!("{root}/{}", PLURALS[at]),
        }
    }

    /// Compares the definitions, their objects, and what discovery says of the group, once all of it
    /// stays as it is.
    async fn rest(&mut self, pair: &mut Pair, report: &mut Report) -> Result<()> {
        let group = self.group.clone();
        let get = |kind: &'static str, path: String| Operation::new("get", kind, "GET", path);
        let mut reads = Vec::new();
        for (at, plural) in PLURALS.iter().enumerate() {
            let path = format!("{DEFINITIONS}/{plural}.{group}");
            reads.push(get(DEFINITION, path));
            for version in VERSIONS {
                let collection = self.collection(at, version);
                let probe = json!({
                    "apiVersion": format!("{group}/{version}"), "kind": KINDS[at],
                    "metadata": {"name": "probe"}, "probe": self.probes[at],
                });
                reads.push(
                    Operation::new("probe", "Object", "POST", collection.clone())
                        .query(&["dryRun=All".to_owned()])
                        .body(JSON, probe),
                );
                reads.push(Operation::new("list", "Object", "GET", collection));
            }
        }
        reads.push(get("discovery", format!("/apis/{group}")));
        for version in VERSIONS {
            reads.push(get("discovery", format!("/apis/{group}/{version}")));
        }
        reads.push(get("discovery", "/apis".to_owned()));
        reads.push(get("aggregated", "/apis".to_owned()).header("accept", AGGREGATED));
        reads.push(get("openapi", "/openapi/v3".to_owned()));
        let forget = |body: &mut Value| {
            unowned(body);
            only(body, &group);
        };
        let ends = pair.rest(&reads, PATIENCE, report, forget).await?;
        let definitions = reads
            .iter()
            .zip(ends)
            .filter(|(read, _)| read.kind == DEFINITION);
        for (going, (_, end)) in self.going.iter_mut().zip(definitions) {
            *going = end.body["metadata"]["deletionTimestamp"].is_string();
        }
        Ok(())
    }

    /// Takes everything away.
    fn end(&self) -> Vec<Operation> {
        let mut out = Vec::new();
        for (at, plural) in PLURALS.iter().enumerate() {
            for (version, name) in VERSIONS
                .iter()
                .flat_map(|v| ["o1", "o2", "o3"].map(|n| (v, n)))
            {
                let path = format!("{}/{name}", self.collection(at, version));
                out.push(
                    Operation::new("merge", "Object", "PATCH", path)
                        .body(MERGE, json!({"metadata": {"finalizers": null}})),
                );
            }
            let path = format!("{DEFINITIONS}/{plural}.{}", self.group);
            out.push(Operation::new("delete", "Object", "DELETE", path));
        }
        out
    }
}

/// Who owns the fields of a custom object isn't compared: where the object doesn't fit the schema of a
/// version through which it was once written the real server gives up, and leaves that as it was.
fn unowned(body: &mut Value) {
    order(body);
    let forget = |object: &mut Value| {
        let custom = object["apiVersion"]
            .as_str()
            .is_some_and(|v| v.contains("lives-"));
        let metadata = object.get_mut("metadata");
        if let Some(metadata) = metadata.and_then(Value::as_object_mut)
            && custom
        {
            metadata.remove("managedFields");
        }
    };
    forget(body);
    let items = body.get_mut("items").and_then(Value::as_array_mut);
    for item in items.into_iter().flatten() {
        forget(item);
    }
}

/// Of what a server says of all groups only that of one, without what tells nobody anything: the
/// hashes of storage versions and of documents.
fn only(body: &mut Value, group: &str) {
    for list in ["groups", "items"] {
        // Lists of objects have a revision, these have none.
        let listed = body["metadata"]["resourceVersion"].is_null();
        if let Some(items) = body.get_mut(list).and_then(Value::as_array_mut)
            && listed
        {
            items.retain(|item| item["name"] == group || item["metadata"]["name"] == group);
        }
    }
    if let Some(paths) = body.get_mut("paths").and_then(Value::as_object_mut) {
        paths.retain(|path, _| path.contains(group));
        for path in paths.values_mut() {
            let url = path["serverRelativeURL"].as_str().unwrap_or_default();
            let url = url.split_once('?').map_or(url, |(before, _)| before);
            *path = json!(url);
        }
    }
    if let Some(resources) = body.get_mut("resources").and_then(Value::as_array_mut) {
        for resource in resources.iter_mut().filter_map(Value::as_object_mut) {
            resource.remove("storageVersionHash");
        }
        resources.sort_by_key(|resource| resource["name"].to_string());
    }
}
