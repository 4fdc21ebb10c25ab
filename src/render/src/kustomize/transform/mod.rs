//! The transformers: each changes objects in one way. A kustomization's fields and the files
//! under `transformers` become the same ones.

mod images;
mod labels;
mod names;
mod namespace;
mod replicas;
mod values;

use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) use self::images::ImageRule;
pub(super) use self::namespace::Subjects;
pub(super) use self::values::ValueTarget;
use super::config::{Config, FieldSpec, LABELS, merge_fields};
use super::kustomization::{Kustomization, Label, Replica};
use super::patch::{JsonPatch, StrategicPatch};
use super::problem::{Fault, Place};
use super::replace::ReplacementRule;
use super::resources::Resources;
use crate::ledger::Problems;

/// One transformer, ready to run.
#[derive(Debug)]
pub(super) struct Transformer {
    pub(super) place: Place,
    /// Its kind as `buildMetadata` names it.
    pub(super) kind: &'static str,
    /// How `buildMetadata` names the object that configures it, if one does.
    pub(super) configured: Option<String>,
    pub(super) action: Action,
}

/// What a transformer does.
#[derive(Debug)]
pub(super) enum Action {
    Strategic(Vec<StrategicPatch>),
    Json(Box<JsonPatch>),
    Namespace {
        namespace: String,
        fields: Vec<FieldSpec>,
        subjects: Subjects,
        unset_only: bool,
    },
    Prefix(String, Vec<FieldSpec>),
    Suffix(String, Vec<FieldSpec>),
    /// Labels or annotations.
    Entries(BTreeMap<String, String>, Vec<FieldSpec>),
    Replica(Replica, Vec<FieldSpec>),
    Image(Box<ImageRule>, Vec<FieldSpec>),
    Replacements(Vec<ReplacementRule>),
    /// One value, put into several fields.
    Value(String, Vec<ValueTarget>),
    Hash,
}

impl Transformer {
    /// Whether the build's bounds have room for going over everything and keeping what it replaces. What it
    /// writes is counted where it is written.
    pub(super) fn fits(&self, resources: &Resources, problems: &mut Problems) -> bool {
        // Those that rename keep the names that they replace.
        let names: usize = match &self.action {
            Action::Entries(..) | Action::Image(..) | Action::Replica(..) => 0,
            _ => resources
                .list()
                .iter()
                .map(|resource| resource.name().len() + resource.namespace().len())
                .sum(),
        };
        problems.pass() && problems.bytes(names)
    }

    /// Runs it over all objects. Problems with several objects are all reported.
    pub(super) fn run(&self, resources: &mut Resources, problems: &mut Problems) {
        let place = &self.place;
        match &self.action {
            Action::Strategic(patches) => {
                for patch in patches {
                    patch.apply(resources, problems);
                }
            }
            Action::Json(patch) => patch.apply(resources, problems),
            Action::Namespace {
                namespace,
                fields,
                subjects,
                unset_only,
            } => namespace::set(
                resources,
                &namespace::Rule {
                    namespace,
                    fields,
                    subjects: *subjects,
                    unset_only: *unset_only,
                },
                place,
                problems,
            ),
            Action::Prefix(prefix, fields) => {
                names::add(
                    resources,
                    &names::Affix::Prefix(prefix),
                    fields,
                    place,
                    problems,
                );
            }
            Action::Suffix(suffix, fields) => {
                names::add(
                    resources,
                    &names::Affix::Suffix(suffix),
                    fields,
                    place,
                    problems,
                );
            }
            Action::Entries(entries, fields) => {
                labels::set(resources, entries, fields, place, problems);
            }
            Action::Replica(replica, fields) => {
                replicas::set(resources, replica, fields, place, problems);
            }
            Action::Image(rule, fields) => images::set(resources, rule, fields, place, problems),
            Action::Replacements(rules) => {
                for rule in rules {
                    rule.apply(resources, problems);
                }
            }
            Action::Value(value, targets) => {
                values::set(resources, value, targets, place, problems);
            }
            Action::Hash => super::generate::add_hashes(resources, problems),
        }
    }
}

/// The transformers that a kustomization's fields stand for, in kustomize's order. Patches come
/// prepared, since they are read from files.
pub(super) struct Prepared {
    pub(super) strategic: Vec<StrategicPatch>,
    pub(super) patches: Vec<Transformer>,
    pub(super) json: Vec<Transformer>,
    pub(super) replacements: Vec<ReplacementRule>,
}

pub(super) fn transformers(
    kustomization: &Kustomization,
    config: &Arc<Config>,
    prepared: Prepared,
    problems: &mut Problems,
) -> Vec<Transformer> {
    let mut list = Vec::new();
    let at = |field: &str| Place::new(&kustomization.file, 0, field);
    let mut push = |place: Place, kind: &'static str, action: Action| {
        list.push(Transformer {
            place,
            kind,
            configured: None,
            action,
        });
    };
    if !kustomization.strategic_patches.is_empty() {
        push(
            at("patchesStrategicMerge"),
            "PatchStrategicMergeTransformer",
            Action::Strategic(prepared.strategic),
        );
    }
    for patch in prepared.patches {
        push(patch.place, patch.kind, patch.action);
    }
    if !kustomization.namespace.is_empty() {
        push(
            at("namespace"),
            "NamespaceTransformer",
            Action::Namespace {
                namespace: kustomization.namespace.clone(),
                fields: config.namespace.clone(),
                subjects: Subjects::Default,
                unset_only: false,
            },
        );
    }
    if !kustomization.name_prefix.is_empty() {
        push(
            at("namePrefix"),
            "PrefixTransformer",
            Action::Prefix(
                kustomization.name_prefix.clone(),
                config.name_prefix.clone(),
            ),
        );
    }
    if !kustomization.name_suffix.is_empty() {
        push(
            at("nameSuffix"),
            "SuffixTransformer",
            Action::Suffix(
                kustomization.name_suffix.clone(),
                config.name_suffix.clone(),
            ),
        );
    }
    for label in &kustomization.labels {
        match label_fields(label, config) {
            Ok(fields) => push(
                label.place.clone(),
                "LabelTransformer",
                Action::Entries(label.pairs.clone(), fields),
            ),
            Err(fault) => problems.push(label.place.problem(fault)),
        }
    }
    if !(kustomization.labels.is_empty() && kustomization.common_labels.is_empty()) {
        push(
            at("commonLabels"),
            "LabelTransformer",
            Action::Entries(
                kustomization.common_labels.clone(),
                config.common_labels.clone(),
            ),
        );
    }
    if !kustomization.common_annotations.is_empty() {
        push(
            at("commonAnnotations"),
            "AnnotationsTransformer",
            Action::Entries(
                kustomization.common_annotations.clone(),
                config.common_annotations.clone(),
            ),
        );
    }
    for patch in prepared.json {
        push(patch.place, patch.kind, patch.action);
    }
    for replica in &kustomization.replicas {
        push(
            replica.place.clone(),
            "ReplicaCountTransformer",
            Action::Replica(replica.clone(), config.replicas.clone()),
        );
    }
    for image in &kustomization.images {
        push(
            image.place.clone(),
            "ImageTagTransformer",
            Action::Image(
                Box::new(ImageRule::new(image.clone())),
                config.images.clone(),
            ),
        );
    }
    if !kustomization.replacements.is_empty() {
        push(
            at("replacements"),
            "ReplacementTransformer",
            Action::Replacements(prepared.replacements),
        );
    }
    list
}

/// Where the labels of one `labels` entry go.
fn label_fields(label: &Label, config: &Config) -> Result<Vec<FieldSpec>, Fault> {
    let conflict = |conflict: super::config::Conflict| {
        Fault::Other(format!(
            "two entries for the field {:?} disagree on \"create\"",
            conflict.path
        ))
    };
    let mut fields = label.fields.clone();
    let mut add = |more: &[FieldSpec]| merge_fields(&mut fields, more).map_err(conflict);
    add(&config.labels)?;
    if label.include_selectors {
        add(&config.common_labels)?;
    } else {
        if label.include_templates {
            add(&config.template_labels)?;
        }
        if label.include_volume_claim_templates {
            add(&config.volume_claim_template_labels)?;
        }
        add(std::slice::from_ref(&*LABELS))?;
    }
    Ok(fields)
}
