//! That the corpus speaks of everything: at least five cases for each field, each interaction that
//! matters, and each reason to refuse.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use stageset_render::{Limits, yaml};
use stageset_render_proof::case::Case;
use stageset_render_proof::corpus::all;

const LEAST: usize = 5;

/// A case, read: its kustomizations, and all its files as one text.
struct Read {
    kustomizations: Vec<Value>,
    text: String,
}

impl Read {
    fn new(case: &Case) -> Self {
        let mut read = Self {
            kustomizations: Vec::new(),
            text: String::new(),
        };
        for (path, bytes) in &case.files {
            read.text.push_str(&String::from_utf8_lossy(bytes));
            let name = path.rsplit('/').next().unwrap();
            if matches!(
                name,
                "kustomization.yaml" | "kustomization.yml" | "Kustomization"
            ) {
                let documents = yaml::documents(bytes, &Limits::default()).unwrap_or_default();
                let values = documents.into_iter().map(|document| document.value);
                read.kustomizations.extend(values);
            }
        }
        read
    }

    fn has(&self, field: &str) -> bool {
        self.kustomizations.iter().any(|k| !k[field].is_null())
    }

    /// Whether an element of a list has a field.
    fn within(&self, list: &str, field: &str) -> bool {
        self.kustomizations.iter().any(|kustomization| {
            let items = kustomization[list].as_array();
            items.is_some_and(|items| {
                items
                    .iter()
                    .any(|item| !item.pointer(field).unwrap_or(&Value::Null).is_null())
            })
        })
    }

    fn generators(&self, field: &str) -> bool {
        self.within("configMapGenerator", field) || self.within("secretGenerator", field)
    }

    fn says(&self, text: &str) -> bool {
        self.text.contains(text)
    }
}

const FIELDS: [&str; 27] = [
    "resources",
    "bases",
    "components",
    "namespace",
    "namePrefix",
    "nameSuffix",
    "commonLabels",
    "labels",
    "commonAnnotations",
    "images",
    "replicas",
    "patches",
    "patchesStrategicMerge",
    "patchesJson6902",
    "configMapGenerator",
    "secretGenerator",
    "generatorOptions",
    "vars",
    "replacements",
    "configurations",
    "crds",
    "openapi",
    "transformers",
    "generators",
    "validators",
    "sortOptions",
    "buildMetadata",
];

/// What else is asked for, and how it is seen in a case.
const FEATURES: &[(&str, fn(&Read) -> bool)] = &[
    ("labels with selectors", |case| {
        case.within("labels", "/includeSelectors")
    }),
    ("new image names", |case| case.within("images", "/newName")),
    ("image tags", |case| case.within("images", "/newTag")),
    ("image digests", |case| case.within("images", "/digest")),
    ("inline patches", |case| case.within("patches", "/patch")),
    ("patches in files", |case| case.within("patches", "/path")),
    ("JSON patches", |case| {
        case.says("op: ") || case.says("\"op\"")
    }),
    ("targets", |case| case.within("patches", "/target")),
    ("label selectors", |case| case.says("labelSelector")),
    ("annotation selectors and labels of targets", |case| {
        case.within("patches", "/target/annotationSelector")
            || case.within("patches", "/target/labelSelector")
    }),
    ("allowNameChange", |case| {
        case.within("patches", "/options/allowNameChange")
    }),
    ("allowKindChange", |case| {
        case.within("patches", "/options/allowKindChange")
    }),
    ("literals", |case| case.generators("/literals")),
    ("files of generators", |case| case.generators("/files")),
    ("envs", |case| {
        case.generators("/envs") || case.generators("/env")
    }),
    ("behavior", |case| case.generators("/behavior")),
    ("options of generators", |case| case.generators("/options")),
    ("immutable", |case| case.says("immutable")),
    ("indexed or keyed replacements", |case| {
        case.has("replacements") && (case.says(".[") || case.says(".0") || case.says(".1."))
    }),
    ("options of replacements", |case| {
        case.has("replacements") && case.says("delimiter")
    }),
    ("fields made by replacements", |case| {
        case.has("replacements") && case.says("create: true")
    }),
    ("local configuration", |case| {
        case.says("config.kubernetes.io/local-config")
    }),
    ("needs-hash", |case| {
        case.says("kustomize.config.k8s.io/needs-hash")
    }),
    ("$patch", |case| case.says("$patch")),
    ("$setElementOrder", |case| case.says("$setElementOrder")),
    ("$retainKeys", |case| case.says("$retainKeys")),
    ("$deleteFromPrimitiveList", |case| {
        case.says("$deleteFromPrimitiveList")
    }),
    ("webhooks and bindings", |case| {
        case.says("WebhookConfiguration") || case.says("RoleBinding")
    }),
    (
        "generators x hash x references x namespace x prefix",
        |case| {
            (case.has("configMapGenerator") || case.has("secretGenerator"))
                && (case.has("namespace") || case.has("namePrefix"))
                && (case.says("configMapRef") || case.says("secretName"))
        },
    ),
    ("components x patches", |case| {
        case.has("components") && case.has("patches")
    }),
    (
        "replacements across components, layers, generators, prefixes",
        |case| {
            case.has("replacements")
                && [
                    "components",
                    "configMapGenerator",
                    "namePrefix",
                    "nameSuffix",
                    "namespace",
                    "patches",
                ]
                .iter()
                .filter(|field| case.has(field))
                .count()
                    >= 1
        },
    ),
];

/// What is refused: folder or beginning of the names of the cases.
const REFUSED: [&str; 6] = [
    "remote-",
    "helm-",
    "container-",
    "outside-",
    "unknown-",
    "cycle-",
];

#[test]
fn everything_has_its_cases() {
    let entries = all().unwrap();
    assert!(entries.len() >= 300, "{} cases", entries.len());
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut known: BTreeSet<String> = BTreeSet::new();
    for entry in &entries {
        let read = Read::new(&entry.case);
        for field in FIELDS {
            *counts.entry(field.to_owned()).or_default() += usize::from(read.has(field));
        }
        for (name, is) in FEATURES {
            *counts.entry((*name).to_owned()).or_default() += usize::from(is(&read));
        }
        for prefix in REFUSED {
            let name = entry.name.strip_prefix("refused/");
            let counted = name.is_some_and(|name| {
                // Programs of all sorts count as one reason.
                name.starts_with(prefix)
                    || (prefix == "container-"
                        && (name.starts_with("exec-") || name.starts_with("starlark-")))
            });
            *counts.entry(format!("refused: {prefix}")).or_default() += usize::from(counted);
        }
        known.insert(entry.name.clone());
    }
    println!("{} cases: {counts:#?}", entries.len());
    let few: Vec<_> = counts.iter().filter(|(_, count)| **count < LEAST).collect();
    assert!(few.is_empty(), "fewer than {LEAST} cases: {few:?}");
}
