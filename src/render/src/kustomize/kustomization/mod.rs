//! What a kustomization file says, read into types.
//!
//! Every field of kustomize 5.8 is known here; those that would need a network, a process or a
//! plugin are refused by name as soon as they are read.

mod parts;
mod reader;

use std::collections::BTreeMap;

pub(super) use self::parts::{
    FieldOptions, GeneratorOptions, Image, KvSources, Label, Patch, Replacement, ReplacementTarget,
    Replica, Selector, SortOptions, Source, Variable, field_spec, gvk, image, patch, replacement,
    replica, selector,
};
pub(super) use self::reader::{At, Fields, Reader};
use super::problem::{Fault, Place};
use crate::ledger::Problems;
use crate::yaml::{Data, Node};

/// `buildMetadata`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct BuildMetadata {
    /// Whether anything is named at all: then origins are recorded while building.
    pub(super) recorded: bool,
    pub(super) origins: bool,
    pub(super) transformers: bool,
    pub(super) managed_by: bool,
}

/// `configMapGenerator[]` and `secretGenerator[]`.
#[derive(Debug, Clone)]
pub(super) struct Generator {
    pub(super) place: Place,
    pub(super) name: String,
    pub(super) namespace: String,
    pub(super) behavior: String,
    pub(super) sources: KvSources,
    pub(super) options: Option<GeneratorOptions>,
    /// Of Secrets only.
    pub(super) secret_type: Option<String>,
}

/// `openapi`.
#[derive(Debug, Clone, Default)]
pub(super) struct OpenApi {
    pub(super) place: Place,
    pub(super) path: Option<String>,
    pub(super) version: Option<String>,
}

/// A kustomization file.
#[derive(Debug, Default)]
pub(super) struct Kustomization {
    pub(super) file: String,
    pub(super) component: bool,
    pub(super) resources: Vec<At<String>>,
    pub(super) components: Vec<At<String>>,
    pub(super) crds: Vec<At<String>>,
    pub(super) configurations: Vec<At<String>>,
    pub(super) generators: Vec<At<String>>,
    pub(super) transformers: Vec<At<String>>,
    pub(super) validators: Vec<At<String>>,
    pub(super) name_prefix: String,
    pub(super) name_suffix: String,
    pub(super) namespace: String,
    pub(super) common_labels: BTreeMap<String, String>,
    pub(super) labels: Vec<Label>,
    pub(super) common_annotations: BTreeMap<String, String>,
    pub(super) strategic_patches: Vec<At<String>>,
    pub(super) json_patches: Vec<Patch>,
    pub(super) patches: Vec<Patch>,
    pub(super) images: Vec<Image>,
    pub(super) replicas: Vec<Replica>,
    pub(super) replacements: Vec<Replacement>,
    pub(super) variables: Vec<Variable>,
    pub(super) config_maps: Vec<Generator>,
    pub(super) secrets: Vec<Generator>,
    pub(super) generator_options: Option<GeneratorOptions>,
    pub(super) open_api: Option<OpenApi>,
    pub(super) sort: Option<SortOptions>,
    pub(super) metadata: BuildMetadata,
}

/// Reads a kustomization file. What can be read is, whatever else is wrong.
pub(super) fn read(file: &str, node: &Node, problems: &mut Problems) -> Kustomization {
    let mut reader = Reader::new(file, problems);
    let reader = &mut reader;
    let mut fields = reader.fields(node, "");
    let fields = &mut fields;

    let kind = fields.string("kind", reader);
    let api_version = fields.string("apiVersion", reader);
    let component = check_type(file, &kind, &api_version, reader);
    let is_empty = fields.is_exhausted();
    fields.nested("metadata", reader, |fields, reader| {
        fields.string("name", reader);
        fields.string("namespace", reader);
        fields.string_map("labels", reader);
        fields.string_map("annotations", reader);
    });
    refuse_helm(fields, reader);

    let mut resources = fields.strings("resources", reader);
    resources.extend(fields.strings("bases", reader));
    let mut images = fields.list("images", reader, parts::image);
    images.extend(fields.list("imageTags", reader, parts::image));

    let kustomization = Kustomization {
        file: file.to_owned(),
        component,
        resources,
        components: fields.strings("components", reader),
        crds: fields.strings("crds", reader),
        configurations: fields.strings("configurations", reader),
        generators: fields.strings("generators", reader),
        transformers: fields.strings("transformers", reader),
        validators: fields.strings("validators", reader),
        name_prefix: fields.string("namePrefix", reader),
        name_suffix: fields.string("nameSuffix", reader),
        namespace: fields.string("namespace", reader),
        common_labels: fields.string_map("commonLabels", reader),
        labels: fields.list("labels", reader, parts::label),
        common_annotations: fields.string_map("commonAnnotations", reader),
        strategic_patches: fields.strings("patchesStrategicMerge", reader),
        json_patches: fields.list("patchesJson6902", reader, parts::patch),
        patches: fields.list("patches", reader, parts::patch),
        images,
        replicas: fields.list("replicas", reader, parts::replica),
        replacements: fields.list("replacements", reader, parts::replacement),
        variables: fields.list("vars", reader, parts::variable),
        config_maps: fields.list("configMapGenerator", reader, |fields, reader| {
            generator(fields, reader, false)
        }),
        secrets: fields.list("secretGenerator", reader, |fields, reader| {
            generator(fields, reader, true)
        }),
        generator_options: fields.nested("generatorOptions", reader, parts::generator_options),
        open_api: fields.nested("openapi", reader, |fields, reader| OpenApi {
            place: fields.place().clone(),
            path: fields.optional("path", reader),
            version: fields.optional("version", reader),
        }),
        sort: fields.nested("sortOptions", reader, parts::sort_options),
        metadata: build_metadata(fields, reader),
    };
    fields.finish(reader);
    if is_empty {
        reader.note(&Place::new(file, 0, ""), Fault::Empty);
    }
    kustomization
}

/// Whether this is a component. Kinds and versions that kustomize doesn't know are refused.
fn check_type(file: &str, kind: &str, api_version: &str, reader: &mut Reader<'_>) -> bool {
    let component = kind == "Component";
    let mut wrong = |field: &str, found: &str, expected: &str| {
        reader.note(
            &Place::new(file, 0, field),
            Fault::Unexpected {
                found: format!("{found:?}"),
                expected: expected.to_owned(),
            },
        );
    };
    if !matches!(kind, "" | "Kustomization" | "Component") {
        wrong("kind", kind, "Kustomization or Component");
    }
    let expected = if component {
        "kustomize.config.k8s.io/v1alpha1"
    } else {
        "kustomize.config.k8s.io/v1beta1"
    };
    if !api_version.is_empty() && api_version != expected {
        wrong("apiVersion", api_version, expected);
    }
    component
}

fn refuse_helm(fields: &mut Fields<'_>, reader: &mut Reader<'_>) {
    for name in ["helmCharts", "helmChartInflationGenerator"] {
        let asks = fields.take(name).filter(|node| !node.is_null());
        if let Some(node) = asks {
            let path = fields.path(name);
            if !reader.items(node, &path).is_empty() {
                let place = Place {
                    line: node.line,
                    field: path,
                    ..fields.place().clone()
                };
                reader.note(&place, Fault::Helm);
            }
        }
    }
    // Settings for charts that can't be there do nothing.
    fields.take("helmGlobals");
}

fn generator(fields: &mut Fields<'_>, reader: &mut Reader<'_>, secret: bool) -> Generator {
    Generator {
        place: fields.place().clone(),
        name: fields.string("name", reader),
        namespace: fields.string("namespace", reader),
        behavior: fields.string("behavior", reader),
        sources: parts::kv_sources(fields, reader),
        options: fields.nested("options", reader, parts::generator_options),
        secret_type: secret.then(|| fields.string("type", reader)),
    }
}

/// The same out of a generator's own file, where the name stands in its metadata.
pub(super) fn generator_file(
    file: &str,
    node: &Node,
    secret: bool,
    problems: &mut Problems,
) -> Generator {
    let mut reader = Reader::lenient(file, problems);
    let mut fields = reader.fields(node, "");
    let (mut name, mut namespace) = (String::new(), String::new());
    fields.nested("metadata", &mut reader, |fields, reader| {
        name = fields.string("name", reader);
        namespace = fields.string("namespace", reader);
        fields.ignore_rest();
    });
    let mut generator = generator(&mut fields, &mut reader, secret);
    fields.ignore_rest();
    if generator.name.is_empty() {
        generator.name = name;
    }
    if generator.namespace.is_empty() {
        generator.namespace = namespace;
    }
    generator
}

/// The replacements of a file: one, or a list of them.
pub(super) fn replacements_file(
    file: &str,
    node: &Node,
    problems: &mut Problems,
) -> Vec<Replacement> {
    let mut reader = Reader::lenient(file, problems);
    let items: &[Node] = match &node.data {
        Data::Sequence(items) => items,
        _ => std::slice::from_ref(node),
    };
    items
        .iter()
        .enumerate()
        .map(|(at, item)| {
            let path = if items.len() > 1 {
                format!("[{at}]")
            } else {
                String::new()
            };
            let mut fields = reader.fields(item, &path);
            let replacement = replacement(&mut fields, &mut reader);
            fields.ignore_rest();
            replacement
        })
        .collect()
}

fn build_metadata(fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> BuildMetadata {
    let mut metadata = BuildMetadata::default();
    for option in fields.strings("buildMetadata", reader) {
        metadata.recorded = true;
        match option.value.as_str() {
            "originAnnotations" => metadata.origins = true,
            "transformerAnnotations" => metadata.transformers = true,
            "managedByLabel" => metadata.managed_by = true,
            _ => reader.note(
                &option.place,
                Fault::Unexpected {
                    found: format!("{:?}", option.value),
                    expected: "originAnnotations, transformerAnnotations or managedByLabel"
                        .to_owned(),
                },
            ),
        }
    }
    metadata
}
