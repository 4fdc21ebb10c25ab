//! The parts of a kustomization that have fields of their own, and that built-in transformers
//! share with it.

use std::collections::BTreeMap;

use super::reader::{At, Fields, Reader};
use crate::kustomize::config::FieldSpec;
use crate::kustomize::id::OwnedGvk;
use crate::kustomize::problem::{Fault, Place};

/// `labels[]`.
#[derive(Debug, Clone, Default)]
pub(in crate::kustomize) struct Label {
    pub(in crate::kustomize) place: Place,
    pub(in crate::kustomize) pairs: BTreeMap<String, String>,
    pub(in crate::kustomize) include_selectors: bool,
    pub(in crate::kustomize) include_templates: bool,
    pub(in crate::kustomize) include_volume_claim_templates: bool,
    pub(in crate::kustomize) fields: Vec<FieldSpec>,
}

pub(super) fn label(fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> Label {
    Label {
        place: fields.place().clone(),
        pairs: fields.string_map("pairs", reader),
        include_selectors: fields.bool("includeSelectors", reader),
        include_templates: fields.bool("includeTemplates", reader),
        include_volume_claim_templates: fields.bool("includeVolumeClaimTemplates", reader),
        fields: fields.list("fields", reader, field_spec),
    }
}

/// A field that a transformer changes, and in which kinds.
pub(in crate::kustomize) fn field_spec(
    fields: &mut Fields<'_>,
    reader: &mut Reader<'_>,
) -> FieldSpec {
    let gvk = gvk(fields, reader);
    let path = fields.string("path", reader);
    let create = fields.bool("create", reader);
    FieldSpec::new(gvk, &path, create)
}

pub(in crate::kustomize) fn gvk(fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> OwnedGvk {
    OwnedGvk {
        group: fields.string("group", reader),
        version: fields.string("version", reader),
        kind: fields.string("kind", reader),
    }
}

/// Which objects: `patches[].target`, `replacements[].targets[].select`, and others.
#[derive(Debug, Clone, Default)]
pub(in crate::kustomize) struct Selector {
    pub(in crate::kustomize) gvk: OwnedGvk,
    pub(in crate::kustomize) name: String,
    pub(in crate::kustomize) namespace: String,
    pub(in crate::kustomize) annotations: String,
    pub(in crate::kustomize) labels: String,
}

pub(in crate::kustomize) fn selector(fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> Selector {
    Selector {
        gvk: gvk(fields, reader),
        name: fields.string("name", reader),
        namespace: fields.string("namespace", reader),
        annotations: fields.string("annotationSelector", reader),
        labels: fields.string("labelSelector", reader),
    }
}

/// `patches[]` and `patchesJson6902[]`.
#[derive(Debug, Clone, Default)]
pub(in crate::kustomize) struct Patch {
    pub(in crate::kustomize) place: Place,
    /// Where the text of an inline patch begins.
    pub(in crate::kustomize) text_line: usize,
    pub(in crate::kustomize) path: String,
    pub(in crate::kustomize) text: String,
    pub(in crate::kustomize) target: Option<Selector>,
    pub(in crate::kustomize) allow_name_change: bool,
    pub(in crate::kustomize) allow_kind_change: bool,
}

pub(in crate::kustomize) fn patch(fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> Patch {
    let place = fields.place().clone();
    let path = fields.string("path", reader);
    let patch_field = fields.path("patch");
    let inline = fields.take("patch");
    let text = inline
        .and_then(|node| reader.string(node, &patch_field))
        .unwrap_or_default();
    let target = fields.nested("target", reader, selector);
    let options = fields.nested("options", reader, |fields, reader| {
        (
            fields.bool("allowNameChange", reader),
            fields.bool("allowKindChange", reader),
        )
    });
    let (allow_name_change, allow_kind_change) = options.unwrap_or_default();
    Patch {
        text_line: inline.map_or(place.line, |node| node.line),
        place,
        path,
        text,
        target,
        allow_name_change,
        allow_kind_change,
    }
}

/// `images[]`.
#[derive(Debug, Clone, Default)]
pub(in crate::kustomize) struct Image {
    pub(in crate::kustomize) place: Place,
    pub(in crate::kustomize) name: String,
    pub(in crate::kustomize) new_name: String,
    pub(in crate::kustomize) new_tag: String,
    pub(in crate::kustomize) tag_suffix: String,
    pub(in crate::kustomize) digest: String,
}

pub(in crate::kustomize) fn image(fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> Image {
    Image {
        place: fields.place().clone(),
        name: fields.string("name", reader),
        new_name: fields.string("newName", reader),
        new_tag: fields.string("newTag", reader),
        tag_suffix: fields.string("tagSuffix", reader),
        digest: fields.string("digest", reader),
    }
}

/// `replicas[]`.
#[derive(Debug, Clone, Default)]
pub(in crate::kustomize) struct Replica {
    pub(in crate::kustomize) place: Place,
    pub(in crate::kustomize) name: String,
    pub(in crate::kustomize) count: i64,
}

pub(in crate::kustomize) fn replica(fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> Replica {
    Replica {
        place: fields.place().clone(),
        name: fields.string("name", reader),
        count: fields.integer("count", reader).unwrap_or_default(),
    }
}

/// How a value is cut out of, or put into, a longer text.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::kustomize) struct FieldOptions {
    pub(in crate::kustomize) delimiter: String,
    pub(in crate::kustomize) index: i64,
    pub(in crate::kustomize) create: bool,
}

fn field_options(fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> FieldOptions {
    let options = FieldOptions {
        delimiter: fields.string("delimiter", reader),
        index: fields.integer("index", reader).unwrap_or_default(),
        create: fields.bool("create", reader),
    };
    // Kustomize knows the field, and does nothing with it.
    fields.string("encoding", reader);
    options
}

/// `replacements[].source`.
#[derive(Debug, Clone, Default)]
pub(in crate::kustomize) struct Source {
    pub(in crate::kustomize) place: Place,
    pub(in crate::kustomize) gvk: OwnedGvk,
    pub(in crate::kustomize) name: String,
    pub(in crate::kustomize) namespace: String,
    pub(in crate::kustomize) field_path: String,
    pub(in crate::kustomize) options: FieldOptions,
}

fn source(fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> Source {
    Source {
        place: fields.place().clone(),
        gvk: gvk(fields, reader),
        name: fields.string("name", reader),
        namespace: fields.string("namespace", reader),
        field_path: fields.string("fieldPath", reader),
        options: fields
            .nested("options", reader, field_options)
            .unwrap_or_default(),
    }
}

/// `replacements[].targets[]`.
#[derive(Debug, Clone, Default)]
pub(in crate::kustomize) struct ReplacementTarget {
    pub(in crate::kustomize) place: Place,
    pub(in crate::kustomize) select: Option<Selector>,
    pub(in crate::kustomize) reject: Vec<Selector>,
    pub(in crate::kustomize) field_paths: Vec<At<String>>,
    pub(in crate::kustomize) options: FieldOptions,
}

fn replacement_target(fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> ReplacementTarget {
    ReplacementTarget {
        place: fields.place().clone(),
        select: fields.nested("select", reader, selector),
        reject: fields.list("reject", reader, selector),
        field_paths: fields.strings("fieldPaths", reader),
        options: fields
            .nested("options", reader, field_options)
            .unwrap_or_default(),
    }
}

/// `replacements[]`.
#[derive(Debug, Clone, Default)]
pub(in crate::kustomize) struct Replacement {
    pub(in crate::kustomize) place: Place,
    pub(in crate::kustomize) path: String,
    pub(in crate::kustomize) source: Option<Source>,
    pub(in crate::kustomize) source_value: Option<String>,
    pub(in crate::kustomize) targets: Vec<ReplacementTarget>,
}

pub(in crate::kustomize) fn replacement(
    fields: &mut Fields<'_>,
    reader: &mut Reader<'_>,
) -> Replacement {
    Replacement {
        place: fields.place().clone(),
        path: fields.string("path", reader),
        source: fields.nested("source", reader, source),
        source_value: fields.optional("sourceValue", reader),
        targets: fields.list("targets", reader, replacement_target),
    }
}

/// `vars[]`.
#[derive(Debug, Clone, Default)]
pub(in crate::kustomize) struct Variable {
    pub(in crate::kustomize) place: Place,
    pub(in crate::kustomize) name: String,
    pub(in crate::kustomize) gvk: OwnedGvk,
    pub(in crate::kustomize) object: String,
    pub(in crate::kustomize) namespace: String,
    pub(in crate::kustomize) field_path: String,
}

pub(in crate::kustomize) fn variable(fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> Variable {
    let mut variable = Variable {
        place: fields.place().clone(),
        name: fields.string("name", reader),
        ..Variable::default()
    };
    fields.nested("objref", reader, |fields, reader| {
        variable.gvk = gvk(fields, reader);
        let api_version = fields.string("apiVersion", reader);
        match api_version.split('/').collect::<Vec<_>>().as_slice() {
            [group, version] => {
                (*group).clone_into(&mut variable.gvk.group);
                (*version).clone_into(&mut variable.gvk.version);
            }
            [version] if !version.is_empty() => (*version).clone_into(&mut variable.gvk.version),
            _ => {}
        }
        variable.object = fields.string("name", reader);
        variable.namespace = fields.string("namespace", reader);
    });
    fields.nested("fieldref", reader, |fields, reader| {
        variable.field_path = fields.string("fieldPath", reader);
    });
    if variable.field_path.is_empty() {
        "metadata.name".clone_into(&mut variable.field_path);
    }
    variable
}

/// Where the keys and values of a generated object come from.
#[derive(Debug, Clone, Default)]
pub(in crate::kustomize) struct KvSources {
    pub(in crate::kustomize) literals: Vec<At<String>>,
    pub(in crate::kustomize) files: Vec<At<String>>,
    pub(in crate::kustomize) envs: Vec<At<String>>,
}

pub(super) fn kv_sources(fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> KvSources {
    let mut sources = KvSources {
        literals: fields.strings("literals", reader),
        files: fields.strings("files", reader),
        envs: fields.strings("envs", reader),
    };
    let place = Place {
        field: fields.path("env"),
        ..fields.place().clone()
    };
    let single = fields.string("env", reader);
    if !single.is_empty() {
        sources.envs.push(At {
            value: single,
            place,
        });
    }
    sources
}

/// `generatorOptions` and `options` of a generator.
#[derive(Debug, Clone, Default)]
pub(in crate::kustomize) struct GeneratorOptions {
    pub(in crate::kustomize) labels: BTreeMap<String, String>,
    pub(in crate::kustomize) annotations: BTreeMap<String, String>,
    pub(in crate::kustomize) disable_name_suffix_hash: bool,
    pub(in crate::kustomize) immutable: bool,
}

pub(in crate::kustomize) fn generator_options(
    fields: &mut Fields<'_>,
    reader: &mut Reader<'_>,
) -> GeneratorOptions {
    GeneratorOptions {
        labels: fields.string_map("labels", reader),
        annotations: fields.string_map("annotations", reader),
        disable_name_suffix_hash: fields.bool("disableNameSuffixHash", reader),
        immutable: fields.bool("immutable", reader),
    }
}

/// `sortOptions`.
#[derive(Debug, Clone)]
pub(in crate::kustomize) enum SortOptions {
    /// The order of the files.
    Fifo,
    /// By kind, then by name. Kinds that come first, and kinds that come last.
    Legacy(Option<(Vec<String>, Vec<String>)>),
}

pub(in crate::kustomize) fn sort_options(
    fields: &mut Fields<'_>,
    reader: &mut Reader<'_>,
) -> SortOptions {
    let place = Place {
        field: fields.path("order"),
        ..fields.place().clone()
    };
    let order = fields.string("order", reader);
    let names = |list: Vec<At<String>>| list.into_iter().map(|at| at.value).collect();
    let legacy = fields.nested("legacySortOptions", reader, |fields, reader| {
        (
            names(fields.strings("orderFirst", reader)),
            names(fields.strings("orderLast", reader)),
        )
    });
    match (order.as_str(), legacy) {
        ("fifo", None) => SortOptions::Fifo,
        ("fifo", Some(_)) => {
            let first = "order: fifo";
            let second = "legacySortOptions";
            reader.note(&place, Fault::Both { first, second });
            SortOptions::Fifo
        }
        ("legacy", kinds) => SortOptions::Legacy(kinds),
        (other, _) => {
            reader.note(
                &place,
                Fault::Unexpected {
                    found: format!("{other:?}"),
                    expected: "legacy or fifo".to_owned(),
                },
            );
            SortOptions::Fifo
        }
    }
}
