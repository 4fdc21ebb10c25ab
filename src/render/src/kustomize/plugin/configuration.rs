//! The object that configures a transformer, read field by field.

use super::super::kustomization::{self, At, Fields, Patch, Reader};
use super::super::problem::{Fault, Place};
use super::super::replace::Path;
use super::super::select::Selection;
use super::super::transform::{Action, ImageRule, Subjects, ValueTarget};

pub(super) fn value_targets(fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> Vec<ValueTarget> {
    let list = fields.list("targets", reader, |fields, reader| {
        let place = fields.place().clone();
        let select = fields
            .nested("selector", reader, kustomization::selector)
            .map(|selector| Selection::new(&selector))
            .transpose();
        let path = fields.string("fieldPath", reader);
        let position = fields.integer("filePathPosition", reader).unwrap_or(0);
        let mut note = |fault| reader.note(&place, fault);
        if path.is_empty() {
            note(Fault::Missing { what: "fieldPath" });
        }
        let position = usize::try_from(position).unwrap_or_else(|_| {
            note(Fault::Unexpected {
                found: format!("the filePathPosition {position}"),
                expected: "a position that isn't negative".to_owned(),
            });
            0
        });
        match select {
            Ok(select) => Some(ValueTarget {
                select,
                path: Path::slashed(&path),
                position,
            }),
            Err(fault) => {
                note(fault);
                None
            }
        }
    });
    list.into_iter().flatten().collect()
}

/// A configuration of a transformer, read.
pub(super) enum Parsed {
    Actions(Vec<Action>),
    Patch(Box<Patch>),
    JsonPatch(Box<Patch>),
    Strategic(Vec<At<String>>),
    Replacements(Vec<kustomization::Replacement>),
    Value {
        value: String,
        targets: Vec<ValueTarget>,
        /// A file that lists more targets.
        file: Option<At<String>>,
    },
    Unknown,
}

impl Parsed {
    pub(super) fn read(kind: &str, fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> Self {
        let specs = |fields: &mut Fields<'_>, reader: &mut Reader<'_>| {
            fields.list("fieldSpecs", reader, kustomization::field_spec)
        };
        let actions = match kind {
            "AnnotationsTransformer" | "LabelTransformer" => {
                let name = if kind == "LabelTransformer" {
                    "labels"
                } else {
                    "annotations"
                };
                let entries = fields.string_map(name, reader);
                vec![Action::Entries(entries, specs(fields, reader))]
            }
            "PrefixTransformer" | "SuffixTransformer" | "PrefixSuffixTransformer" => {
                let (prefix, suffix) = (
                    fields.string("prefix", reader),
                    fields.string("suffix", reader),
                );
                let specs = specs(fields, reader);
                if specs.is_empty() {
                    let place = fields.place().clone();
                    reader.note(&place, Fault::Missing { what: "fieldSpecs" });
                }
                let mut actions = Vec::new();
                if kind != "SuffixTransformer" {
                    actions.push(Action::Prefix(prefix, specs.clone()));
                }
                if kind != "PrefixTransformer" {
                    actions.push(Action::Suffix(suffix, specs));
                }
                actions
            }
            "NamespaceTransformer" => vec![namespace(fields, reader)],
            "ImageTagTransformer" => {
                let image = fields
                    .nested("imageTag", reader, kustomization::image)
                    .unwrap_or_default();
                let rule = Box::new(ImageRule::new(image));
                vec![Action::Image(rule, specs(fields, reader))]
            }
            "ReplicaCountTransformer" => {
                let replica = fields
                    .nested("replica", reader, kustomization::replica)
                    .unwrap_or_default();
                vec![Action::Replica(replica, specs(fields, reader))]
            }
            "HashTransformer" => vec![Action::Hash],
            "PatchTransformer" => {
                return Self::Patch(Box::new(kustomization::patch(fields, reader)));
            }
            "PatchJson6902Transformer" => {
                let operations = fields.string("jsonOp", reader);
                let mut patch = kustomization::patch(fields, reader);
                patch.text = operations;
                return Self::JsonPatch(Box::new(patch));
            }
            "PatchStrategicMergeTransformer" => {
                let mut entries = fields.strings("paths", reader);
                let place = Place {
                    field: "patches".to_owned(),
                    ..fields.place().clone()
                };
                let value = fields.string("patches", reader);
                if !value.is_empty() {
                    entries.push(At { value, place });
                }
                return Self::Strategic(entries);
            }
            "ReplacementTransformer" => {
                let list = fields.list("replacements", reader, kustomization::replacement);
                return Self::Replacements(list);
            }
            "ValueAddTransformer" => {
                let place = Place {
                    field: "targetFilePath".to_owned(),
                    ..fields.place().clone()
                };
                return Self::Value {
                    value: fields.string("value", reader).trim().to_owned(),
                    targets: value_targets(fields, reader),
                    file: fields
                        .optional("targetFilePath", reader)
                        .filter(|path| !path.is_empty())
                        .map(|value| At { value, place }),
                };
            }
            _ => return Self::Unknown,
        };
        Self::Actions(actions)
    }
}

fn namespace(fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> Action {
    let namespace = fields.nested("metadata", reader, |fields, reader| {
        let namespace = fields.string("namespace", reader);
        fields.ignore_rest();
        namespace
    });
    let place = Place {
        field: "setRoleBindingSubjects".to_owned(),
        ..fields.place().clone()
    };
    let subjects = match fields.string("setRoleBindingSubjects", reader).as_str() {
        "" | "defaultOnly" => Subjects::Default,
        "allServiceAccounts" => Subjects::ServiceAccounts,
        "none" => Subjects::None,
        other => {
            reader.note(
                &place,
                Fault::Unexpected {
                    found: format!("{other:?}"),
                    expected: "defaultOnly, allServiceAccounts or none".to_owned(),
                },
            );
            Subjects::None
        }
    };
    Action::Namespace {
        namespace: namespace.unwrap_or_default(),
        fields: fields.list("fieldSpecs", reader, kustomization::field_spec),
        subjects,
        unset_only: fields.bool("unsetOnly", reader),
    }
}
