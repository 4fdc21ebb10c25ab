//! `generators`, `transformers` and `validators`: the built-in ones, each configured by an object
//! of its own, inline or in a file.

use super::accumulate::{Accumulated, Build, Context};
use super::finish;
use super::kustomization::{self, At, Fields, Kustomization, Patch, Reader};
use super::ledger::Problems;
use super::problem::{Fault, Place};
use super::read::{self, Input};
use super::replace::Path;
use super::resource::Resource;
use super::resources::Resources;
use super::select::Selection;
use super::transform::{Action, ImageRule, Subjects, Transformer, ValueTarget};
use crate::yaml::Node;

/// Whether an entry is a text of YAML rather than a path.
pub(super) fn is_inline(entry: &str) -> bool {
    entry.contains('\n') || entry.contains(": ") || entry.trim_start().starts_with(['{', '['])
}

/// The objects that configure generators or transformers: inline ones first, then those of files.
fn configurations(
    build: &mut Build<'_>,
    folder: &str,
    kustomization: &Kustomization,
    entries: &[At<String>],
    context: &Context,
) -> Vec<Resource> {
    let mut all = Accumulated::new();
    let mut paths = Vec::new();
    for entry in entries {
        if !is_inline(&entry.value) {
            paths.push(entry.clone());
            continue;
        }
        let input = Input::inline(&kustomization.file, entry.place.line, &entry.value);
        let objects = input.objects(&mut build.problems);
        for mut object in objects.unwrap_or_default() {
            build.meet(&mut object);
            let file = kustomization.file.rsplit('/').next().unwrap_or_default();
            finish::mark_file(&mut object, context, file);
            all.resources.append(object, &mut build.problems);
        }
    }
    build.resources(folder, &paths, &mut all, context);
    all.resources.into_list()
}

/// Where an object's problems stand.
fn place(resource: &Resource) -> Place {
    Place::new(&resource.origin.file, resource.origin.line, "")
}

/// The kind of a built-in plugin, or why it isn't one.
fn built_in(resource: &Resource) -> Result<&str, Fault> {
    if resource.api_version() == "builtin" {
        return Ok(resource.kind());
    }
    let kind = resource.kind().to_owned();
    for annotation in ["config.kubernetes.io/function", "config.k8s.io/function"] {
        if let Some(spec) = resource.meta_entry("annotations", annotation) {
            let runner = if spec.contains("starlark") {
                "Starlark interpreter"
            } else if spec.contains("exec") {
                "process"
            } else {
                "container"
            };
            return Err(Fault::Function { kind, runner });
        }
    }
    let api_version = resource.api_version().to_owned();
    Err(Fault::Plugin { kind, api_version })
}

/// Runs the generators of `generators`.
pub(super) fn generate(
    build: &mut Build<'_>,
    folder: &str,
    kustomization: &Kustomization,
    all: &mut Accumulated,
    context: &Context,
) {
    let entries = &kustomization.generators;
    for resource in configurations(build, folder, kustomization, entries, context) {
        let secret = match built_in(&resource) {
            Ok("ConfigMapGenerator") => false,
            Ok("SecretGenerator") => true,
            Ok("IAMPolicyGenerator") => {
                if let Some(mut account) = iam_policy(&resource, &mut build.problems) {
                    if let Some(origin) = configured(&resource) {
                        finish::mark_origin(&mut account, &origin);
                    }
                    all.resources.absorb(account, &mut build.problems);
                }
                continue;
            }
            Ok("HelmChartInflationGenerator") => {
                build.problems.push(place(&resource).problem(Fault::Helm));
                continue;
            }
            Ok(kind) => {
                let what = format!("the generator {kind}");
                build
                    .problems
                    .push(place(&resource).problem(Fault::Unsupported { what }));
                continue;
            }
            Err(fault) => {
                build.problems.push(place(&resource).problem(fault));
                continue;
            }
        };
        let file = &resource.origin.file;
        let generator =
            kustomization::generator_file(file, &resource.node, secret, &mut build.problems);
        let Some(mut object) = build.generated(folder, &generator, None) else {
            continue;
        };
        if let Some(origin) = configured(&resource) {
            finish::mark_origin(&mut object, &origin);
        }
        all.resources.absorb(object, &mut build.problems);
    }
}

/// The service account that an `IAMPolicyGenerator` stands for.
fn iam_policy(resource: &Resource, problems: &mut Problems) -> Option<Resource> {
    let before = problems.len();
    let mut reader = Reader::lenient(&resource.origin.file, problems);
    let mut fields = reader.fields(&resource.node, "");
    let place = fields.place().clone();
    let cloud = fields.string("cloud", &mut reader);
    if cloud != "gke" {
        reader.note(
            &place,
            Fault::Unexpected {
                found: format!("the cloud {cloud:?}"),
                expected: "gke".to_owned(),
            },
        );
    }
    let service = fields.nested("kubernetesService", &mut reader, |fields, reader| {
        (
            fields.string("name", reader),
            fields.string("namespace", reader),
        )
    });
    let account = fields.nested("serviceAccount", &mut reader, |fields, reader| {
        (
            fields.string("name", reader),
            fields.string("projectId", reader),
        )
    });
    let (name, namespace) = service.unwrap_or_default();
    let (account, project) = account.unwrap_or_default();
    if name.is_empty() {
        let what = "kubernetesService.name";
        reader.note(&place, Fault::Missing { what });
    }
    if problems.len() > before {
        return None;
    }
    let line = resource.node.line;
    let text = |text: &str| Node::string(line, text);
    let mut node = Node::mapping(line);
    node.insert("apiVersion", text("v1"));
    node.insert("kind", text("ServiceAccount"));
    let mut made = Resource::new(node, resource.origin.clone());
    made.set_name(&name);
    made.set_namespace(&namespace);
    let key = "iam.gke.io/gcp-service-account".to_owned();
    let value = format!("{account}@{project}.iam.gserviceaccount.com");
    made.set_meta_map("annotations", vec![(key, value)]);
    Some(made)
}

/// How `buildMetadata` names what an object configures.
fn configured(resource: &Resource) -> Option<String> {
    use std::fmt::Write as _;
    let origin = resource.meta_entry("annotations", finish::ORIGIN)?;
    let file = origin.strip_prefix("path: ")?.trim_end();
    let mut text = format!("configuredIn: {file}\nconfiguredBy:\n");
    for (name, value) in [
        ("apiVersion", resource.api_version()),
        ("kind", resource.kind()),
        ("name", resource.name()),
        ("namespace", resource.namespace()),
    ] {
        if !value.is_empty() {
            // Writing into a text can't fail.
            let _ = writeln!(text, "  {name}: {value}");
        }
    }
    Some(text)
}

/// The transformers of `transformers` or `validators`.
pub(super) fn transformers(
    build: &mut Build<'_>,
    folder: &str,
    kustomization: &Kustomization,
    entries: &[At<String>],
    context: &Context,
) -> Vec<Transformer> {
    let mut list = Vec::new();
    for resource in configurations(build, folder, kustomization, entries, context) {
        match built_in(&resource) {
            Err(fault) => build.problems.push(place(&resource).problem(fault)),
            Ok(kind) => {
                let configured = configured(&resource);
                let actions = actions(build, folder, kind, &resource);
                list.extend(actions.into_iter().map(|action| Transformer {
                    place: place(&resource),
                    kind: "",
                    configured: configured.clone(),
                    action,
                }));
            }
        }
    }
    list
}

/// What one configuration has done.
fn actions(build: &mut Build<'_>, folder: &str, kind: &str, resource: &Resource) -> Vec<Action> {
    let file = resource.origin.file.as_str();
    let before = build.problems.len();
    let mut parsed = {
        let mut reader = Reader::lenient(file, &mut build.problems);
        let mut fields = reader.fields(&resource.node, "");
        let parsed = Parsed::read(kind, &mut fields, &mut reader);
        fields.ignore_rest();
        parsed
    };
    if build.problems.len() > before {
        return Vec::new();
    }
    match parsed {
        Parsed::Actions(actions) => actions,
        Parsed::Patch(patch) => build
            .patch(folder, file, &patch)
            .map(|transformer| transformer.action)
            .into_iter()
            .collect(),
        Parsed::JsonPatch(patch) => build
            .json_patch(folder, file, &patch)
            .map(|transformer| transformer.action)
            .into_iter()
            .collect(),
        Parsed::Strategic(ref mut entries) => {
            let mut patches = Vec::new();
            for entry in entries {
                patches.extend(build.strategic(folder, file, entry));
            }
            vec![Action::Strategic(patches)]
        }
        Parsed::Replacements(replacements) => {
            let mut rules = Vec::new();
            for replacement in &replacements {
                rules.extend(build.replacements(folder, replacement));
            }
            vec![Action::Replacements(rules)]
        }
        Parsed::Value {
            value,
            mut targets,
            file: listed,
        } => {
            if let Some(listed) = listed {
                targets.extend(value_targets_file(build, folder, &listed));
            }
            let value = if value.is_empty() {
                folder.rsplit('/').next().unwrap_or_default().to_owned()
            } else {
                value
            };
            let what = match (targets.is_empty(), value.is_empty()) {
                (true, _) => "a target",
                (_, true) => "the value",
                _ => return vec![Action::Value(value, targets)],
            };
            let problem = place(resource).problem(Fault::Missing { what });
            build.problems.push(problem);
            Vec::new()
        }
        Parsed::Unknown => {
            let what = format!("the transformer {kind}");
            build
                .problems
                .push(place(resource).problem(Fault::Unsupported { what }));
            Vec::new()
        }
    }
}

/// The targets that a file lists.
fn value_targets_file(build: &mut Build<'_>, folder: &str, path: &At<String>) -> Vec<ValueTarget> {
    let root = build.root(folder);
    let Some((file, bytes)) = read::bytes(root, path, &mut build.problems) else {
        return Vec::new();
    };
    let Some(node) = Input::file(&file, bytes).settings(&mut build.problems) else {
        return Vec::new();
    };
    let mut reader = Reader::lenient(&file, &mut build.problems);
    let mut fields = reader.fields(&node, "");
    value_targets(&mut fields, &mut reader)
}

fn value_targets(fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> Vec<ValueTarget> {
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

/// A configuration, read.
enum Parsed {
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
    fn read(kind: &str, fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> Self {
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

/// Runs a validator, which may look at objects, and not change them.
pub(super) fn validate(
    validator: &Transformer,
    resources: &mut Resources,
    problems: &mut Problems,
) {
    let before: Vec<Resource> = resources.list().to_vec();
    validator.run(resources, problems);
    // A mark of what was validated is no change.
    let unmarked = |resource: &Resource| {
        let mut resource = resource.clone();
        let mut labels = resource.meta_map("labels");
        if labels.iter().any(|(key, _)| key == "validated-by") {
            labels.retain(|(key, _)| key != "validated-by");
            resource.set_meta_map("labels", labels);
        }
        resource.node.into_value()
    };
    // Nor may the names change that are remembered.
    let changed = before.iter().zip(resources.list()).find(|(before, after)| {
        before.node.clone().into_value() != unmarked(after)
            || before.previous != after.previous
            || before.prefixes != after.prefixes
            || before.suffixes != after.suffixes
    });
    let object = match changed {
        Some((before, _)) => before.id().to_string(),
        None if before.len() != resources.len() => "the number of objects".to_owned(),
        None => return,
    };
    let fault = Fault::ValidatorChanged { object };
    problems.push(validator.place.problem(fault));
}
