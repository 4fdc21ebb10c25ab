//! Random operations on few names, so that they collide.

use serde_json::{Value, json};
use stageset_e2e::answers::normal::GENERATE;

use crate::collections;
use crate::kinds::Kind;
use crate::malformed;
use crate::operation::{APPLY, JSON, JSON_PATCH, MERGE, Operation, UID, VERSION};
use crate::patches;
use crate::random::Random;

/// The managers that fight for the fields.
const MANAGERS: [&str; 4] = ["one", "two", "three", "four"];

/// The names that everything has.
pub(crate) const NAMES: [&str; 2] = ["a", "b"];

/// A query that has nothing stored.
pub(crate) const DRY_RUN: &str = "dryRun=All";

/// What kinds of requests are made, in parts of a hundred.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mix {
    kinds: &'static [Kind],
    /// Upper bounds, one for each verb below.
    bounds: [usize; 12],
}

impl Mix {
    /// Everything.
    pub(crate) fn objects(kinds: &'static [Kind]) -> Self {
        Self {
            kinds,
            bounds: [26, 34, 41, 47, 57, 67, 76, 80, 84, 92, 97, 98],
        }
    }

    /// Creations most of all, of which many succeed.
    pub(crate) fn creations(kinds: &'static [Kind]) -> Self {
        Self {
            kinds,
            bounds: [16, 20, 24, 26, 34, 80, 92, 95, 96, 97, 98, 99],
        }
    }

    /// Writes, which webhooks are asked about.
    pub(crate) fn writes(kinds: &'static [Kind]) -> Self {
        Self {
            kinds,
            bounds: [20, 28, 34, 40, 52, 74, 85, 87, 92, 93, 97, 100],
        }
    }

    pub(crate) fn kinds(&self) -> &'static [Kind] {
        self.kinds
    }

    /// Server-side apply, with just enough beside it to make it hard.
    pub(crate) fn apply(kinds: &'static [Kind]) -> Self {
        Self {
            kinds,
            bounds: [68, 73, 77, 80, 85, 87, 90, 91, 92, 93, 100, 100],
        }
    }
}

/// Makes operations, one after the other.
#[derive(Debug)]
pub(crate) struct Generator {
    random: Random,
    namespace: String,
    mix: Mix,
}

impl Generator {
    pub(crate) fn new(seed: u64, namespace: &str, mix: Mix) -> Self {
        Self {
            random: Random::new(seed),
            namespace: namespace.to_owned(),
            mix,
        }
    }

    /// The next operation.
    pub(crate) fn next(&mut self) -> Operation {
        let random = &mut self.random;
        let kind = &self.mix.kinds[random.below(self.mix.kinds.len())];
        let name = self.name(kind);
        let collection = kind.collection(&self.namespace);
        let path = format!("{collection}/{name}");
        let random = &mut self.random;
        let roll = random.below(100);
        let verb = |verb, method, path: &str| Operation::new(verb, kind.name, method, path);
        let place = self.mix.bounds.iter().position(|bound| roll < *bound);
        match place.unwrap_or(12) {
            0 => apply(verb("apply", "PATCH", &path), kind, &name, random),
            1 => patches::merge(verb("merge", "PATCH", &path), MERGE, kind, &name, random),
            2 if kind.custom => {
                patches::merge(verb("merge", "PATCH", &path), MERGE, kind, &name, random)
            }
            2 => patches::strategic(verb("strategic", "PATCH", &path), kind, &name, random),
            3 => {
                let query = write_query(random, &["hand", "one"]);
                verb("json-patch", "PATCH", &path)
                    .body(JSON_PATCH, patches::json_patch(kind, random))
                    .query(&query)
            }
            4 => update(verb("update", "PUT", &path), kind, &name, random),
            5 => create(verb("create", "POST", &collection), kind, &name, random),
            6 => delete(verb("delete", "DELETE", &path), random),
            7 => {
                let accept = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
                let get = verb("get", "GET", &path);
                match random.below(4) {
                    0 => get.header("accept", accept),
                    1 => get.query(&[format!("resourceVersion={VERSION}")]),
                    _ => get,
                }
            }
            8 => status(kind, &path, &name, random),
            9 => collections::list(verb("list", "GET", &collection), kind, &name, random),
            10 => status(kind, &path, &name, random),
            11 => {
                let operation = verb("delete-collection", "DELETE", &collection);
                collections::delete_collection(operation, kind, &name, random)
            }
            _ => malformed::operation(kind, &collection, &name, random),
        }
    }

    /// Cluster-scoped objects have names of this namespace's own.
    fn name(&mut self, kind: &Kind) -> String {
        let name = self.random.pick(&NAMES);
        if kind.namespaced {
            name.to_owned()
        } else {
            format!("{}-{name}", self.namespace)
        }
    }
}

/// Field manager and dry run, as writes have them.
pub(crate) fn write_query(random: &mut Random, managers: &[&str]) -> Vec<String> {
    let mut query = Vec::new();
    // Without one the client's name is the manager.
    if random.percent(80) {
        query.push(format!("fieldManager={}", random.pick(managers)));
    }
    if random.percent(8) {
        query.push(DRY_RUN.to_owned());
    }
    if random.percent(8) {
        let how = random.pick(&["Strict", "Ignore", "Warn"]);
        query.push(format!("fieldValidation={how}"));
    }
    query
}

fn apply(operation: Operation, kind: &Kind, name: &str, random: &mut Random) -> Operation {
    let mut query = vec![format!("fieldManager={}", random.pick(&MANAGERS))];
    if random.percent(40) {
        query.push("force=true".to_owned());
    }
    if random.percent(10) {
        query.push(DRY_RUN.to_owned());
    }
    let mut object = kind.object(name, random);
    if random.percent(3) {
        object["metadata"]["resourceVersion"] = json!(random.pick(&[VERSION, "1"]));
    }
    operation.body(APPLY, object).query(&query)
}

fn update(operation: Operation, kind: &Kind, name: &str, random: &mut Random) -> Operation {
    let mut object = kind.object(name, random);
    match random.below(5) {
        0 => {}
        1 => object["metadata"]["resourceVersion"] = json!("1"),
        _ => object["metadata"]["resourceVersion"] = json!(VERSION),
    }
    match random.below(12) {
        0 => object["metadata"]["uid"] = json!(UID),
        1 => object["metadata"]["uid"] = json!("00000000-0000-0000-0000-000000000000"),
        2 => object["metadata"]["managedFields"] = json!([{}]),
        3 => object["metadata"]["creationTimestamp"] = json!("2020-01-01T00:00:00Z"),
        _ => {}
    }
    let query = write_query(random, &["put", "one"]);
    operation.body(JSON, object).query(&query)
}

fn create(operation: Operation, kind: &Kind, name: &str, random: &mut Random) -> Operation {
    let mut object = kind.object(name, random);
    let mut query = write_query(random, &["post", "two"]);
    // Never stored: the name would be another one on each server for ever.
    if random.percent(12) {
        object["metadata"]["name"] = Value::Null;
        object["metadata"]["generateName"] = json!(GENERATE);
        query.retain(|parameter| parameter != DRY_RUN);
        query.push(DRY_RUN.to_owned());
    }
    if random.percent(3) {
        object["metadata"]["resourceVersion"] = json!("1");
    }
    if random.percent(3) {
        object["status"] = json!({ "phase": "Odd" });
    }
    operation.body(JSON, object).query(&query)
}

fn status(kind: &Kind, path: &str, name: &str, random: &mut Random) -> Operation {
    let Some(status) = kind.status else {
        return Operation::new("get", kind.name, "GET", path);
    };
    let path = format!("{path}/status");
    let mut object = kind.object(name, random);
    object["status"] = status(random);
    let operation = |verb, method| Operation::new(verb, kind.name, method, path.clone());
    let managers = ["hand", "one"];
    match random.below(5) {
        0 | 1 => {
            let mut query = vec![format!("fieldManager={}", random.pick(&MANAGERS))];
            if random.percent(60) {
                query.push("force=true".to_owned());
            }
            operation("apply-status", "PATCH")
                .body(APPLY, object)
                .query(&query)
        }
        2 => {
            object["metadata"]["resourceVersion"] = json!(random.pick(&[VERSION, VERSION, "1"]));
            let query = write_query(random, &managers);
            operation("update-status", "PUT")
                .body(JSON, object)
                .query(&query)
        }
        3 => {
            let patch =
                json!({ "status": object["status"], "metadata": { "labels": { "a": "9" } } });
            let query = write_query(random, &managers);
            operation("merge-status", "PATCH")
                .body(MERGE, patch)
                .query(&query)
        }
        _ => operation("get-status", "GET"),
    }
}

fn delete(operation: Operation, random: &mut Random) -> Operation {
    let other = "00000000-0000-0000-0000-000000000000";
    let mut options = json!({ "apiVersion": "v1", "kind": "DeleteOptions" });
    match random.below(10) {
        0 => options["preconditions"] = json!({ "uid": UID }),
        1 => options["preconditions"] = json!({ "uid": other }),
        2 => options["preconditions"] = json!({ "resourceVersion": VERSION }),
        3 => options["preconditions"] = json!({"resourceVersion": "1"}),
        4 => options["preconditions"] = json!({"uid": UID, "resourceVersion": VERSION}),
        _ => {}
    }
    match random.below(12) {
        0 => options["propagationPolicy"] = json!("Orphan"),
        1 => options["propagationPolicy"] = json!("Foreground"),
        2 | 3 => options["propagationPolicy"] = json!("Background"),
        4 => options["gracePeriodSeconds"] = json!(random.pick(&[0, 5])),
        5 => options["dryRun"] = json!(["All"]),
        _ => {}
    }
    if options.as_object().is_some_and(|o| o.len() == 2) {
        return match random.below(6) {
            0 => operation.query(&[DRY_RUN.to_owned()]),
            1 => operation.query(&["propagationPolicy=Foreground".to_owned()]),
            _ => operation,
        };
    }
    operation.body(JSON, options)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::rights::CLUSTER_ROLE;
    use crate::kinds::{APPLIED, KINDS};

    #[test]
    fn the_same_seed_makes_the_same_operations() {
        let list = |seed| {
            let mut generator = Generator::new(seed, "n", Mix::objects(KINDS));
            (0..200)
                .map(|_| format!("{:?}", generator.next()))
                .collect::<Vec<_>>()
        };
        assert_eq!(list(1), list(1));
        assert_ne!(list(1), list(2));
    }

    /// Go walks a patch in no order, so that a server takes a finalizer away before or after it adds
    /// it.
    #[test]
    fn no_patch_adds_the_finalizer_that_it_takes_away() {
        let mut generator = Generator::new(1, "n", Mix::objects(&[CLUSTER_ROLE]));
        let taking: Vec<Operation> = (0..20_000)
            .map(|_| generator.next())
            .filter(|o| o.text().contains("$deleteFromPrimitiveList/finalizers"))
            .collect();
        assert!(!taking.is_empty());
        for operation in taking {
            let added = operation.body["metadata"]["finalizers"].as_array();
            assert!(added.is_none_or(|added| !added.contains(&json!("example.com/x"))));
        }
    }

    /// The real server is shared with other rounds.
    #[test]
    fn odd_names_in_no_namespace_are_a_rounds_own() {
        let odd = |namespace: &str| {
            let mut generator = Generator::new(1, namespace, Mix::objects(&[CLUSTER_ROLE]));
            (0..20_000)
                .map(|_| generator.next())
                .filter(|o| o.verb == "malformed" && o.method == "POST")
                .filter_map(|o| Some(o.body["metadata"]["name"].as_str()?.to_owned()))
                // Neither fits a path.
                .filter(|name| name != "." && name != "a/b")
                .collect::<std::collections::BTreeSet<_>>()
        };
        assert!(odd("n").iter().any(|name| name.ends_with(" b")));
        assert!(odd("n").is_disjoint(&odd("m")));
    }

    #[test]
    fn every_verb_meets_every_kind() {
        let mut generator = Generator::new(1, "n", Mix::objects(KINDS));
        let seen: std::collections::BTreeSet<_> = (0..20_000)
            .map(|_| generator.next())
            .map(|operation| (operation.verb, operation.kind))
            .collect();
        let kinds: std::collections::BTreeSet<_> = KINDS.iter().map(|kind| kind.name).collect();
        for verb in [
            "apply",
            "merge",
            "json-patch",
            "update",
            "create",
            "delete",
            "get",
            "list",
            "delete-collection",
            "malformed",
        ] {
            for kind in &kinds {
                assert!(seen.contains(&(verb, kind)), "{verb} {kind}");
            }
        }
    }

    #[test]
    fn apply_alone_has_enough_managers() {
        let mut generator = Generator::new(1, "n", Mix::apply(APPLIED));
        let all: Vec<Operation> = (0..500).map(|_| generator.next()).collect();
        let applies = all.iter().filter(|o| o.verb.starts_with("apply"));
        assert!(applies.count() > 300);
        for manager in MANAGERS {
            assert!(all.iter().any(|o| o.query.contains(manager)));
        }
    }
}
