//! The fields of a kustomization.

use serde_json::{Map, Value, json};

use super::{Forest, Known, edits, objects, patches, plugins};

/// Adds some fields, and the files that they name in `folder`.
pub(super) fn add(forest: &mut Forest, folder: &str, to: &mut Map<String, Value>) {
    let mut set = |forest: &mut Forest, percent: usize, key: &str, make: Make| {
        if forest.random.percent(percent * forest.density / 100) {
            let value = make(forest, folder);
            to.insert(key.to_owned(), value);
        }
    };
    set(forest, 25, "namespace", |forest, _| {
        json!(objects::namespace(forest))
    });
    set(forest, 30, "namePrefix", |forest, _| {
        json!(forest.random.pick(&["a-", "b-", "dev-"]))
    });
    set(forest, 20, "nameSuffix", |forest, _| {
        json!(forest.random.pick(&["-x", "-v1"]))
    });
    set(
        forest,
        15,
        "commonLabels",
        |forest, _| json!({"team": objects::name(forest), "app": "mine"}),
    );
    set(forest, 20, "labels", labels);
    set(
        forest,
        15,
        "commonAnnotations",
        |_, _| json!({"by": "me", "note": "all"}),
    );
    set(forest, 20, "images", images);
    set(forest, 15, "replicas", replicas);
    set(forest, 35, "configMapGenerator", config_maps);
    set(forest, 20, "secretGenerator", secrets);
    set(forest, 15, "generatorOptions", |forest, _| options(forest));
    set(forest, 35, "patches", patches::patches);
    set(forest, 10, "patchesStrategicMerge", patches::strategic);
    set(forest, 8, "patchesJson6902", patches::json6902);
    set(forest, 20, "replacements", edits::replacements);
    set(forest, 10, "vars", edits::variables);
    set(forest, 8, "configurations", edits::configurations);
    set(forest, 8, "transformers", plugins::transformers);
    set(forest, 6, "generators", plugins::generators);
    set(forest, 8, "sortOptions", |forest, _| {
        match forest.random.below(3) {
            0 => json!({"order": "legacy"}),
            1 => json!({"order": "fifo"}),
            _ => json!({"order": "legacy", "legacySortOptions": {
            "orderFirst": ["ConfigMap", "Deployment"], "orderLast": ["Service"]}}),
        }
    });
    set(forest, 6, "buildMetadata", |forest, _| {
        let options = [
            "originAnnotations",
            "transformerAnnotations",
            "managedByLabel",
        ];
        json!(forest.random.few(&options))
    });
    set(forest, 4, "crds", edits::crds);
    set(forest, 4, "openapi", edits::open_api);
    set(forest, 5, "validators", plugins::validators);
    set(forest, 3, "imageTags", images);
    set(
        forest,
        3,
        "metadata",
        |_, _| json!({"name": "k", "annotations": {"a": "b"}}),
    );
}

type Make = fn(&mut Forest, &str) -> Value;

fn labels(forest: &mut Forest, _: &str) -> Value {
    let mut label = json!({"pairs": {"env": "prod", "app": "labelled"}});
    if forest.random.percent(40) {
        label["includeSelectors"] = json!(true);
    }
    if forest.random.percent(30) {
        label["includeTemplates"] = json!(true);
    }
    if forest.random.percent(20) {
        label["fields"] = json!([{"path": "spec/labels", "create": forest.random.percent(60),
            "kind": "Widget"}]);
    }
    if forest.random.percent(20) {
        return json!([label, {"pairs": {"second": "true"}}]);
    }
    json!([label])
}

fn images(forest: &mut Forest, _: &str) -> Value {
    let mut image = json!({"name": forest.random.pick(&[
        "nginx", "app", "registry.example.com:5000/app", "example.com/app", "busybox"])});
    if forest.random.percent(50) {
        image["newName"] = json!("mirror.example.com/new");
    }
    if forest.random.percent(50) {
        image["newTag"] = json!("2.0");
    }
    if forest.random.percent(20) {
        image["digest"] = json!("sha256:abcdef");
    }
    if forest.random.percent(10) {
        image["tagSuffix"] = json!("-alpine");
    }
    json!([image])
}

fn replicas(forest: &mut Forest, _: &str) -> Value {
    let scalable = [
        "Deployment",
        "StatefulSet",
        "ReplicaSet",
        "ReplicationController",
    ];
    let names: Vec<String> = forest
        .known
        .iter()
        .filter(|known| scalable.contains(&known.kind.as_str()))
        .map(|known| known.name.clone())
        .collect();
    if names.is_empty() {
        return json!([]);
    }
    let name = &names[forest.random.below(names.len())];
    json!([{"name": name, "count": forest.random.below(9)}])
}

fn options(forest: &mut Forest) -> Value {
    let mut options = Map::new();
    if forest.random.percent(40) {
        options.insert(
            "disableNameSuffixHash".into(),
            json!(forest.random.percent(70)),
        );
    }
    if forest.random.percent(40) {
        options.insert("labels".into(), json!({"gen": "yes"}));
    }
    if forest.random.percent(40) {
        options.insert("annotations".into(), json!({"gen": "1"}));
    }
    if forest.random.percent(30) {
        options.insert("immutable".into(), json!(true));
    }
    Value::Object(options)
}

pub(super) fn generated(forest: &mut Forest, folder: &str, kind: &str, name: &str) -> Value {
    let mut generator = json!({"name": name});
    match forest.random.below(5) {
        0 => {
            forest.write(format!("{folder}/app.properties"), "a=1\nb=2\n");
            generator["files"] = json!(["app.properties", "renamed=app.properties"]);
        }
        1 => {
            forest.write(
                format!("{folder}/x.env"),
                "# comment\nA=1\nB=\"two words\"\n\nC=\n",
            );
            generator["envs"] = json!(["x.env"]);
        }
        2 => {
            forest.write(format!("{folder}/b.bin"), vec![0xff, 0xfe, 0x00, 0x01]);
            generator["files"] = json!(["b.bin"]);
            generator["literals"] = json!(["k=v"]);
        }
        _ => {
            let literals = [
                "k=v",
                "n=5",
                "t=true",
                "multi=a b",
                "quoted=\"x\"",
                "eq=a=b",
            ];
            generator["literals"] = json!(forest.random.few(&literals));
        }
    }
    let below = forest
        .known
        .iter()
        .find(|known| known.kind == kind && known.name == name)
        .cloned();
    let sure = below.as_ref().is_some_and(|below| below.generated) && forest.random.percent(90);
    if sure || forest.random.percent(3) {
        generator["behavior"] = json!(forest.random.pick(&["merge", "merge", "replace"]));
    } else if forest.random.percent(10) {
        generator["behavior"] = json!("create");
    }
    let namespace = match &below {
        Some(below) => below.namespace.clone(),
        None => forest
            .random
            .percent(15)
            .then(|| objects::namespace(forest).to_owned()),
    };
    if let Some(namespace) = &namespace {
        generator["namespace"] = json!(namespace);
    }
    if below.is_none() {
        forest.known.push(Known {
            kind: kind.to_owned(),
            name: name.to_owned(),
            namespace,
            generated: true,
        });
    }
    if forest.random.percent(25) {
        generator["options"] = options(forest);
    }
    generator
}

fn config_maps(forest: &mut Forest, folder: &str) -> Value {
    let name = forest
        .random
        .pick(&["settings", "settings", "settings", "web"]);
    let first = generated(forest, folder, "ConfigMap", name);
    if forest.random.percent(20) {
        let second = generated(forest, folder, "ConfigMap", "second");
        return json!([first, second]);
    }
    json!([first])
}

fn secrets(forest: &mut Forest, folder: &str) -> Value {
    let name = forest.random.pick(&["creds", "creds", "web"]);
    let mut secret = generated(forest, folder, "Secret", name);
    if forest.random.percent(30) {
        secret["type"] = json!("kubernetes.io/tls");
    }
    json!([secret])
}
