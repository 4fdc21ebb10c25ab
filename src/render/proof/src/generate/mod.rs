//! Kustomization trees made from a seed, with few names, so that things meet: generators, hashes,
//! references, namespaces, prefixes, patches and replacements that speak of the same objects.
//!
//! - [`objects`]: manifests that refer to each other;
//! - [`fields`]: the fields of a kustomization;
//! - [`patches`], [`edits`]: what changes objects by content;
//! - [`text`]: values as YAML;
//! - [`expressions`]: texts to substitute in;
//! - [`yaml`]: manifests of which only the YAML is odd.

mod edits;
pub mod expressions;
mod fields;
mod objects;
mod patches;
mod plugins;
mod text;
pub mod yaml;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::random::Random;

/// A generated build.
#[derive(Debug, Clone)]
pub struct Generated {
    /// The files.
    pub files: BTreeMap<String, Vec<u8>>,
    /// The folder to build.
    pub path: String,
}

/// What a tree knows of itself while it grows.
struct Forest {
    random: Random,
    files: BTreeMap<String, Vec<u8>>,
    /// Objects that may be spoken of, as they are written.
    known: Vec<Known>,
    /// How many of the fields are used, in percent of their usual share: few fields that build show
    /// more than many that don't.
    density: usize,
}

/// An object that may be spoken of.
#[derive(Debug, Clone)]
struct Known {
    kind: String,
    name: String,
    namespace: Option<String>,
    /// Whether a generator of a layer below makes it.
    generated: bool,
}

/// The tree of a seed.
pub fn tree(seed: u64) -> Generated {
    let mut forest = Forest {
        random: Random::new(seed),
        files: BTreeMap::new(),
        known: Vec::new(),
        density: 100,
    };
    forest.density = forest.random.pick(&[30, 50, 70, 100]);
    let depth = forest.random.pick(&[1, 1, 2, 2, 2, 3]);
    let path = forest.layer(depth, "k");
    Generated {
        files: forest.files,
        path,
    }
}

impl Forest {
    fn write(&mut self, path: String, text: impl Into<Vec<u8>>) {
        self.files.insert(path, text.into());
    }

    fn write_value(&mut self, path: String, value: &Value) {
        let text = text::yaml(value, &mut self.random);
        self.write(path, text);
    }

    /// Writes a kustomization and everything below it; answers with its folder.
    fn layer(&mut self, depth: usize, folder: &str) -> String {
        let mut kustomization = Map::new();
        let mut resources: Vec<Value> = Vec::new();
        if depth > 1 {
            let bases = self.random.pick(&[1, 1, 1, 2]);
            for base in 0..bases {
                let below = format!("{folder}/base{base}");
                self.layer(depth - 1, &below);
                resources.push(json!(format!("base{base}")));
            }
            if self.random.percent(10) {
                kustomization.insert("bases".into(), Value::Array(std::mem::take(&mut resources)));
            }
        }
        let manifests = if depth > 1 {
            self.random.pick(&[0, 0, 1, 2])
        } else {
            self.random.pick(&[1, 2, 3, 4, 6])
        };
        if manifests > 0 {
            let one_file = self.random.percent(50);
            let mut documents = Vec::new();
            for index in 0..manifests {
                let object = self.manifest();
                if one_file {
                    documents.push(text::yaml(&object, &mut self.random));
                } else {
                    let name = format!("r{index}.yaml");
                    self.write_value(format!("{folder}/{name}"), &object);
                    resources.push(json!(name));
                }
            }
            if one_file {
                self.write(format!("{folder}/all.yaml"), documents.join("---\n"));
                let at = self.random.below(resources.len() + 1);
                resources.insert(at, json!("all.yaml"));
            }
        }
        if !resources.is_empty() {
            kustomization.insert("resources".into(), Value::Array(resources));
        }
        if self.random.percent(25) {
            let component = self.component(folder);
            kustomization.insert("components".into(), json!([component]));
        }
        fields::add(self, folder, &mut kustomization);
        if self.random.percent(70) {
            kustomization.insert(
                "apiVersion".into(),
                json!("kustomize.config.k8s.io/v1beta1"),
            );
            kustomization.insert("kind".into(), json!("Kustomization"));
        }
        let name = self.random.pick(&[
            "kustomization.yaml",
            "kustomization.yaml",
            "kustomization.yml",
            "Kustomization",
        ]);
        self.write_value(format!("{folder}/{name}"), &Value::Object(kustomization));
        folder.to_owned()
    }

    /// A manifest, now and then with an annotation that means something to kustomize.
    fn manifest(&mut self) -> Value {
        let mut object = objects::object(self);
        if self.random.percent(6) {
            let (key, value) = self.random.pick(&[
                ("config.kubernetes.io/local-config", "true"),
                ("config.kubernetes.io/local-config", "false"),
                ("kustomize.config.k8s.io/needs-hash", "true"),
                ("kustomize.config.k8s.io/needs-hash", "true"),
                ("kustomize.config.k8s.io/behavior", "merge"),
            ]);
            let metadata = &mut object["metadata"];
            if metadata["annotations"].is_null() {
                metadata["annotations"] = json!({});
            }
            metadata["annotations"][key] = json!(value);
        }
        object
    }

    fn component(&mut self, folder: &str) -> String {
        let below = format!("{folder}/component");
        let mut component = Map::new();
        component.insert(
            "apiVersion".into(),
            json!("kustomize.config.k8s.io/v1alpha1"),
        );
        component.insert("kind".into(), json!("Component"));
        if self.random.percent(50) {
            let object = objects::object(self);
            self.write_value(format!("{below}/extra.yaml"), &object);
            component.insert("resources".into(), json!(["extra.yaml"]));
        }
        fields::add(self, &below, &mut component);
        self.write_value(
            format!("{below}/kustomization.yaml"),
            &Value::Object(component),
        );
        "component".to_owned()
    }

    /// An object that exists, mostly.
    fn target(&mut self) -> Known {
        if self.known.is_empty() || self.random.percent(2) {
            return Known {
                kind: objects::kind(self).to_owned(),
                name: objects::name(self).to_owned(),
                namespace: None,
                generated: false,
            };
        }
        let at = self.random.below(self.known.len());
        self.known[at].clone()
    }
}
