//! `configurations` and `crds`: files that name more fields.

use super::{BackReference, Config, Conflict, FieldSpec};
use crate::kustomize::id::OwnedGvk;
use crate::kustomize::kustomization::{Fields, Reader, field_spec, gvk};
use crate::yaml::{Data, Node};

/// Reads a `configurations` file.
pub(in crate::kustomize) fn from_file(node: &Node, reader: &mut Reader<'_>) -> Config {
    let mut fields = reader.fields(node, "");
    let mut list =
        |name: &'static str, reader: &mut Reader<'_>| fields.list(name, reader, field_spec);
    let mut config = Config {
        name_prefix: list("namePrefix", reader),
        name_suffix: list("nameSuffix", reader),
        namespace: list("namespace", reader),
        common_labels: list("commonLabels", reader),
        labels: list("labels", reader),
        template_labels: list("templateLabels", reader),
        volume_claim_template_labels: list("volumeClaimTemplateLabels", reader),
        common_annotations: list("commonAnnotations", reader),
        variables: list("varReference", reader),
        images: list("images", reader),
        replicas: list("replicas", reader),
        name_references: Vec::new(),
    };
    config.name_references = fields.list("nameReference", reader, back_reference);
    fields.finish(reader);
    config.sort();
    config
}

fn back_reference(fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> BackReference {
    BackReference {
        gvk: gvk(fields, reader),
        referrers: fields.list("fieldSpecs", reader, field_spec),
    }
}

/// Reads a `crds` file: definitions by name, with extensions that say what refers to what.
pub(in crate::kustomize) fn from_crds(node: &Node) -> Result<Config, Conflict> {
    let mut config = Config::default();
    let Data::Mapping(definitions) = &node.data else {
        return Ok(config);
    };
    for (name, definition) in definitions {
        let Some(properties) = properties(definition) else {
            continue;
        };
        let has = |field: &str| properties.iter().any(|(name, _)| name == field);
        if !(has("kind") && has("apiVersion") && has("metadata")) {
            continue;
        }
        let kind = name.rsplit('.').next().unwrap_or(name);
        let mut definition = Crds {
            definitions: node,
            kind,
            config: Config::default(),
            path: Vec::new(),
            visited: Vec::new(),
        };
        definition.visit(name)?;
        config.merge(&definition.config)?;
    }
    Ok(config)
}

fn properties(definition: &Node) -> Option<&[(String, Node)]> {
    // Go matches names whatever their case.
    let get = |node: &'_ Node, name: &str| -> Option<usize> {
        let Data::Mapping(entries) = &node.data else {
            return None;
        };
        entries
            .iter()
            .position(|(key, _)| key.eq_ignore_ascii_case(name))
    };
    let Data::Mapping(entries) = &definition.data else {
        return None;
    };
    let schema = &entries[get(definition, "Schema")?].1;
    match &schema.get("properties")?.data {
        Data::Mapping(entries) => Some(entries),
        _ => None,
    }
}

struct Crds<'a> {
    definitions: &'a Node,
    kind: &'a str,
    config: Config,
    path: Vec<&'a str>,
    /// Types on the way, since types may contain themselves.
    visited: Vec<&'a str>,
}

impl<'a> Crds<'a> {
    fn visit(&mut self, type_name: &'a str) -> Result<(), Conflict> {
        if self.visited.contains(&type_name) || self.visited.len() > 32 {
            return Ok(());
        }
        let Some(properties) = self.definitions.get(type_name).and_then(properties) else {
            return Ok(());
        };
        self.visited.push(type_name);
        for (name, property) in properties {
            self.path.push(name);
            self.property(property)?;
            self.path.pop();
        }
        self.visited.pop();
        Ok(())
    }

    fn property(&mut self, property: &'a Node) -> Result<(), Conflict> {
        let extension = |name: &str| property.get(name).and_then(Node::text);
        let spec = |more: Option<&str>| {
            let mut path = self.path.join("/");
            if let Some(more) = more {
                path.push('/');
                path.push_str(more);
            }
            let gvk = OwnedGvk {
                kind: self.kind.to_owned(),
                ..OwnedGvk::default()
            };
            FieldSpec::new(gvk, &path, false)
        };
        if extension("x-kubernetes-annotation").is_some() {
            super::merge_fields(&mut self.config.common_annotations, &[spec(None)])?;
        }
        if extension("x-kubernetes-label-selector").is_some() {
            super::merge_fields(&mut self.config.common_labels, &[spec(None)])?;
        }
        if extension("x-kubernetes-identity").is_some() {
            super::merge_fields(&mut self.config.name_prefix, &[spec(None)])?;
        }
        let version = extension("x-kubernetes-object-ref-api-version");
        let kind = extension("x-kubernetes-object-ref-kind");
        if let (Some(version), Some(kind)) = (version, kind) {
            let key = extension("x-kubernetes-object-ref-name-key").unwrap_or("name");
            let reference = Config {
                name_references: vec![BackReference {
                    gvk: OwnedGvk {
                        group: String::new(),
                        version: version.to_owned(),
                        kind: kind.to_owned(),
                    },
                    referrers: vec![spec(Some(key))],
                }],
                ..Config::default()
            };
            self.config.merge(&reference)?;
        }
        match extension("$ref") {
            Some(reference) => self.visit(reference),
            None => Ok(()),
        }
    }
}
