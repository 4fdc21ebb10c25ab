//! Patches: strategic merge and JSON 6902.

mod json;
mod lists;
mod strategic;
mod structure;

use super::id::{Gvk, Id};
use super::kustomization::{Patch, Selector};
use super::near;
use super::open_api::Schemas;
use super::problem::{Fault, Place};
use super::resource::Resource;
use super::resources::Resources;
use super::select::Selection;
use super::transform::{Action, Transformer};
use super::walk::Refusal;
use crate::ledger::Problems;
use crate::yaml::{Data, Node};
use json::Operation;
use strategic::Outcome;

/// A strategic merge patch.
#[derive(Debug)]
pub(super) struct StrategicPatch {
    place: Place,
    /// The patch, as an object with an origin of its own.
    patch: Resource,
    target: Option<Selection>,
    allow_name_change: bool,
    allow_kind_change: bool,
    /// Whether its labels and annotations become texts, whatever they are written as.
    as_texts: bool,
    schemas: Schemas,
}

/// A JSON 6902 patch.
#[derive(Debug)]
pub(super) struct JsonPatch {
    place: Place,
    operations: Vec<Operation>,
    target: Selection,
    /// Whether the objects' names are remembered, as under `patches`.
    remembers: bool,
}

/// What a patch's text turned out to be.
pub(super) enum Text {
    /// Documents that are objects.
    Objects(Vec<Resource>),
    /// One list of operations, with the line on which it begins.
    Operations(Node),
    /// Nothing but comments.
    Nothing,
}

impl StrategicPatch {
    /// A patch that goes to the object that it names.
    pub(super) fn by_name(place: Place, patch: Resource, schemas: Schemas) -> Self {
        Self {
            place,
            patch,
            target: None,
            allow_name_change: false,
            allow_kind_change: false,
            as_texts: true,
            schemas,
        }
    }

    pub(super) fn apply(&self, resources: &mut Resources, problems: &mut Problems) {
        let place = &self.place;
        let Some(target) = &self.target else {
            let wanted = self.patch.id();
            let found = resources.matching(&wanted);
            match found.as_slice() {
                [at] => {
                    if !problems.nodes(&self.patch.node, 1) || !problems.steps(resources.len()) {
                        return;
                    }
                    let resource = &mut resources.list_mut()[*at];
                    if let Err(fault) = self.apply_to(resource) {
                        problems.push(place.problem(fault));
                    }
                    drop_empty(resources);
                }
                [] => problems.push(place.problem(no_match(&wanted, resources))),
                found => {
                    let found = found
                        .iter()
                        .map(|at| resources.list()[*at].id().to_string())
                        .collect();
                    let wanted = wanted.to_string();
                    problems.push(place.problem(Fault::SeveralMatches { wanted, found }));
                }
            }
            return;
        };
        for resource in resources.list_mut() {
            if target.selects(resource)
                && problems.nodes(&self.patch.node, 1)
                && let Err(fault) = self.apply_to(resource)
            {
                problems.push(place.problem(fault));
            }
        }
        drop_empty(resources);
        resources.check_unique(problems);
    }

    fn apply_to(&self, resource: &mut Resource) -> Result<(), Fault> {
        let kind = resource.kind().to_owned();
        let (name, namespace) = (resource.name().to_owned(), resource.namespace().to_owned());
        if self.allow_name_change || self.allow_kind_change {
            resource.remember();
        }
        let mut patch = self.patch.node.clone();
        if self.target.is_some() {
            let line = patch.line;
            patch.insert(
                "apiVersion",
                Node::string(line, resource.api_version().to_owned()),
            );
        }
        if self.as_texts {
            marks_as_texts(&mut patch);
        }
        let structure = structure::Structure::of(&resource.node, &self.schemas);
        let outcome = strategic::merge(&mut resource.node, patch, structure);
        match outcome {
            Err(strategic::Stop { path, refusal }) => {
                let Refusal(message) = refusal;
                return Err(Fault::Mismatch {
                    object: resource.id().to_string(),
                    field: path.join("."),
                    message,
                });
            }
            Ok(Outcome::Remove) => {
                resource.node.data = Data::Null;
                return Ok(());
            }
            Ok(Outcome::Keep) => {}
        }
        resource.follow_ties();
        if !self.allow_kind_change {
            resource.set_kind(&kind);
        }
        if !self.allow_name_change {
            resource.set_name(&name);
        }
        resource.set_namespace(&namespace);
        Ok(())
    }
}

impl JsonPatch {
    pub(super) fn new(
        place: Place,
        operations: &Node,
        target: &Selector,
        remembers: bool,
    ) -> Result<Self, Fault> {
        Ok(Self {
            place,
            operations: json::operations(operations)?,
            target: Selection::new(target)?,
            remembers,
        })
    }

    pub(super) fn apply(&self, resources: &mut Resources, problems: &mut Problems) {
        for resource in resources.list_mut() {
            if !self.target.selects(resource) {
                continue;
            }
            if self.remembers {
                resource.remember();
            }
            if resource.has_history() {
                // Kustomize keeps the history in annotations, so that patches find some.
                resource
                    .node
                    .get_or_insert_mapping("metadata")
                    .get_or_insert_mapping("annotations");
            }
            // Kustomize writes and reads the object for it.
            resource.untie();
            let applied = json::apply(&mut resource.node, &self.operations, problems);
            if let Err((operation, message)) = applied {
                problems.push(self.place.problem(Fault::Operation {
                    operation,
                    object: resource.id().to_string(),
                    message,
                }));
            }
        }
        drop_empty(resources);
    }
}

/// Whether kustomize knows a kind without looking further.
pub(super) fn is_built_in(gvk: Gvk<'_>) -> bool {
    gvk.is_cluster_scoped() || structure::is_built_in(gvk)
}

/// The transformer that one `patches` entry stands for, if it says anything.
pub(super) fn transformer(
    patch: &Patch,
    text: Text,
    schemas: &Schemas,
    problems: &mut Problems,
) -> Option<Transformer> {
    let place = &patch.place;
    let mut note = |fault: Fault| problems.push(place.problem(fault));
    let target = match patch.target.as_ref().map(Selection::new).transpose() {
        Ok(target) => target,
        Err(fault) => {
            note(fault);
            return None;
        }
    };
    let action = match text {
        Text::Nothing => return None,
        Text::Operations(node) => {
            let Some(target) = &patch.target else {
                note(Fault::Missing {
                    what: "the target of a JSON 6902 patch",
                });
                return None;
            };
            match JsonPatch::new(place.clone(), &node, target, true) {
                Ok(patch) => Action::Json(Box::new(patch)),
                Err(fault) => {
                    note(fault);
                    return None;
                }
            }
        }
        Text::Objects(objects) => {
            if target.is_some() && objects.len() > 1 {
                note(Fault::Other(
                    "a target is for one patch, but there are several documents: \
                     give each an entry of its own, or leave the target out"
                        .to_owned(),
                ));
                return None;
            }
            let patches = objects
                .into_iter()
                .map(|mut object| StrategicPatch {
                    place: Place {
                        file: object.origin.file.clone(),
                        line: object.origin.line,
                        field: String::new(),
                    },
                    patch: {
                        object.cluster_scoped = schemas.is_cluster_scoped(object.gvk());
                        object
                    },
                    target: target.clone(),
                    allow_name_change: patch.allow_name_change,
                    allow_kind_change: patch.allow_kind_change,
                    as_texts: target.is_some(),
                    schemas: schemas.clone(),
                })
                .collect();
            Action::Strategic(patches)
        }
    };
    Some(Transformer {
        place: place.clone(),
        kind: "PatchTransformer",
        configured: None,
        action,
    })
}

/// Makes texts of a patch's labels and annotations. Nulls stay, and take labels away; one for all
/// of them says nothing, as in kustomize.
fn marks_as_texts(patch: &mut Node) {
    let Some(meta) = patch.get_mut("metadata") else {
        return;
    };
    for field in ["labels", "annotations"] {
        if meta.get(field).is_some_and(Node::is_null) {
            meta.remove(field);
        }
        if let Some(Data::Mapping(entries)) = meta.get_mut(field).map(|node| &mut node.data) {
            for (_, value) in entries.iter_mut().filter(|(_, value)| !value.is_null()) {
                if let Some(text) = value.scalar() {
                    value.data = Data::String(text.into_owned());
                }
            }
        }
    }
}

fn no_match(wanted: &Id<'_>, resources: &Resources) -> Fault {
    Fault::NoMatch {
        wanted: format!(
            "{wanted} ({})",
            match (wanted.gvk.group, wanted.gvk.version) {
                ("", version) => version.to_owned(),
                (group, version) => format!("{group}/{version}"),
            }
        ),
        near: near::objects(wanted, resources.list()),
    }
}

/// Drops the objects of which a patch left nothing.
fn drop_empty(resources: &mut Resources) {
    resources
        .list_mut()
        .retain(|resource| match &resource.node.data {
            Data::Mapping(entries) => !entries.is_empty(),
            _ => false,
        });
}
