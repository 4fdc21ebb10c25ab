//! `replacements`: a value of one object, copied into fields of others.

mod path;
mod structured;

use super::id::Id;
use super::kustomization::{At, FieldOptions, Replacement, ReplacementTarget, Source};
use super::near;
use super::problem::{Fault, Place};
use super::resource::Resource;
use super::resources::Resources;
use super::select::Selection;
use super::walk::Refusal;
use crate::ledger::{Problems, weight};
use crate::yaml::{Data, Node};
pub(super) use path::{Found, Path, each, set_text};
pub(super) use path::{indexed_path, lookup};

/// One replacement, ready to run.
#[derive(Debug)]
pub(super) struct ReplacementRule {
    place: Place,
    source: From,
    targets: Vec<Target>,
}

#[derive(Debug)]
enum From {
    Value(String),
    Field(Box<Source>, Path),
}

#[derive(Debug)]
struct Target {
    place: Place,
    select: Selection,
    reject: Vec<Selection>,
    paths: Vec<(Place, Path)>,
    options: FieldOptions,
}

impl ReplacementRule {
    pub(super) fn new(replacement: &Replacement, problems: &mut Problems) -> Option<Self> {
        let before = problems.len();
        let place = &replacement.place;
        let source = match (&replacement.source, &replacement.source_value) {
            (Some(_), Some(_)) => {
                problems.push(place.problem(Fault::Both {
                    first: "source",
                    second: "sourceValue",
                }));
                None
            }
            (None, None) => {
                problems.push(place.problem(Fault::Missing { what: "the source" }));
                None
            }
            (None, Some(value)) => Some(From::Value(value.clone())),
            (Some(source), None) => {
                let text = if source.field_path.is_empty() {
                    "metadata.name"
                } else {
                    &source.field_path
                };
                Some(From::Field(Box::new(source.clone()), Path::parse(text)))
            }
        };
        if replacement.targets.is_empty() {
            problems.push(place.problem(Fault::Missing { what: "a target" }));
        }
        let targets: Vec<Target> = replacement
            .targets
            .iter()
            .filter_map(|target| Target::new(target, problems))
            .collect();
        let source = source.filter(|_| problems.len() == before)?;
        Some(Self {
            place: place.clone(),
            source,
            targets,
        })
    }

    pub(super) fn apply(&self, resources: &mut Resources, problems: &mut Problems) {
        let (mut value, origin) = match &self.source {
            From::Value(value) => (Node::string(self.place.line, value.as_str()), None),
            From::Field(source, path) => match read(source, path, resources) {
                // Without a delimiter the field itself is the value, also after it was changed.
                Ok((value, at)) if source.options.delimiter.is_empty() => (value, Some((at, path))),
                Ok((value, _)) => (value, None),
                Err(fault) => {
                    problems.push(source.place.problem(fault));
                    return;
                }
            },
        };
        for target in &self.targets {
            for (at, resource) in resources.list_mut().iter_mut().enumerate() {
                if !target.selects(resource) {
                    continue;
                }
                for path in &target.paths {
                    if !problems.within() || !problems.steps(structured::cost(resource)) {
                        return;
                    }
                    let own = origin.filter(|(own, _)| *own == at).map(|(_, field)| field);
                    if let Some(field) = own
                        && target.make(resource, path, &value)
                    {
                        follow(&mut value, resource, field);
                    }
                    target.write(resource, path, &value, own, problems);
                    resource.follow_ties();
                    if let Some(field) = own {
                        follow(&mut value, resource, field);
                    }
                }
            }
        }
    }
}

/// Takes the value anew from the object that it came from, since that was changed.
fn follow(value: &mut Node, resource: &Resource, field: &Path) {
    if let Ok(Some(changed)) = lookup(&resource.node, field) {
        *value = changed.clone();
    }
}

/// The value that is copied.
fn read(source: &Source, path: &Path, resources: &Resources) -> Result<(Node, usize), Fault> {
    let wanted = Id {
        gvk: source.gvk.borrow(),
        name: &source.name,
        namespace: &source.namespace,
        cluster_scoped: false,
    };
    let plain = |namespace: &str| {
        if namespace.is_empty() {
            "default"
        } else {
            namespace
        }
        .to_owned()
    };
    let is_meant = |id: &Id<'_>| {
        (wanted.name.is_empty() || wanted.name == id.name)
            && (wanted.namespace.is_empty() || plain(wanted.namespace) == plain(id.namespace))
            && id.gvk.is_selected(wanted.gvk)
    };
    let found: Vec<(usize, &Resource)> = resources
        .list()
        .iter()
        .enumerate()
        .filter(|(_, resource)| resource.ids().any(|id| is_meant(&id)))
        .collect();
    let (at, resource) = match found.as_slice() {
        [one] => *one,
        [] => {
            return Err(Fault::NoMatch {
                wanted: format!("the source {wanted}"),
                near: near::objects(&wanted, resources.list()),
            });
        }
        several => {
            return Err(Fault::SeveralMatches {
                wanted: format!("the source {wanted}"),
                found: several.iter().map(|(_, r)| r.id().to_string()).collect(),
            });
        }
    };
    let mismatch = |message: String| Fault::Mismatch {
        object: resource.id().to_string(),
        field: path.text().to_owned(),
        message,
    };
    let node = lookup(&resource.node, path)
        .map_err(|Refusal(message)| mismatch(message))?
        .filter(|node| match &node.data {
            Data::Null | Data::Blank => false,
            Data::Sequence(items) => !items.is_empty(),
            Data::Mapping(entries) => !entries.is_empty(),
            _ => true,
        })
        .ok_or_else(|| mismatch("the source has no such field, or it is empty".to_owned()))?;
    let options = &source.options;
    if options.delimiter.is_empty() {
        return Ok((node.clone(), at));
    }
    let Some(text) = node.scalar() else {
        return Err(mismatch(format!(
            "the delimiter is for texts, but this is {}",
            node.kind()
        )));
    };
    let part = usize::try_from(options.index)
        .ok()
        .and_then(|at| text.split(options.delimiter.as_str()).nth(at));
    match part {
        Some(part) => Ok((Node::string(node.line, part), at)),
        None => Err(mismatch(format!(
            "there is no part {} between {:?}",
            options.index, options.delimiter
        ))),
    }
}

impl Target {
    fn new(target: &ReplacementTarget, problems: &mut Problems) -> Option<Self> {
        let place = &target.place;
        let Some(select) = &target.select else {
            problems.push(place.problem(Fault::Missing {
                what: "select, which says for which objects,",
            }));
            return None;
        };
        let mut selection = |selector| {
            Selection::new(selector)
                .map_err(|fault| problems.push(place.problem(fault)))
                .ok()
        };
        let select = selection(select);
        let reject = target.reject.iter().filter_map(selection).collect();
        let default = [At {
            value: "metadata.name".to_owned(),
            place: place.clone(),
        }];
        let paths: &[At<String>] = if target.field_paths.is_empty() {
            &default
        } else {
            &target.field_paths
        };
        let paths = paths
            .iter()
            .map(|path| (path.place.clone(), Path::parse(&path.value)))
            .collect();
        Some(Self {
            place: place.clone(),
            select: select?,
            reject,
            paths,
            options: target.options.clone(),
        })
    }

    fn selects(&self, resource: &Resource) -> bool {
        let rejected = |reject: &Selection| {
            (reject.asks_for_marks() && reject.marks_match(resource))
                || (!reject.is_nameless() && resource.ids().any(|id| reject.selects_id(&id)))
        };
        self.select.marks_match(resource)
            && !self.reject.iter().any(rejected)
            && resource.ids().any(|id| self.select.selects_id(&id))
    }

    /// Makes the field that a list or mapping is copied into, empty: where that lies within what is
    /// copied, the copy has it. Tells whether it may have made anything; what is wrong with the path
    /// is said when the value is written.
    fn make(&self, resource: &mut Resource, (_, path): &(Place, Path), value: &Node) -> bool {
        if !self.options.create || value.scalar().is_some() {
            return false;
        }
        path::each(
            &mut resource.node,
            path.parts(),
            Some(value),
            &mut |_, _| Ok(()),
        )
        .is_ok()
    }

    fn write(
        &self,
        resource: &mut Resource,
        (place, path): &(Place, Path),
        value: &Node,
        own: Option<&Path>,
        problems: &mut Problems,
    ) {
        // The field that the value comes from may be one of several that the path means: then those
        // after it get what has become of it.
        let source = own.and_then(|field| lookup(&resource.node, field).ok().flatten());
        let source = source.map(std::ptr::from_ref);
        let mut current = value.clone();
        let room = &*problems;
        let limits = room.file_limits();
        let set = &mut |node: &mut Node, found: Found| {
            let (nodes, bytes) = weight(&current);
            room.spend(bytes, nodes)?;
            self.set(node, found, &current)?;
            if source.is_some_and(|source| std::ptr::eq(source, node)) {
                current.clone_from(node);
            }
            Ok(())
        };
        if structured::set(&mut resource.node, path, &self.options, value, &limits, set) {
            return;
        }
        let make = self.options.create.then_some(value);
        let message = match path::each(&mut resource.node, path.parts(), make, set) {
            Ok(0) => "there is no such field; the option create: true makes it".to_owned(),
            Ok(_) => return,
            Err(Refusal(message)) => message,
        };
        let place = if place.field.is_empty() {
            &self.place
        } else {
            place
        };
        problems.push(place.problem(Fault::Mismatch {
            object: resource.id().to_string(),
            field: path.text().to_owned(),
            message,
        }));
    }

    /// Puts the value into one field.
    fn set(&self, node: &mut Node, found: Found, value: &Node) -> Result<(), Refusal> {
        let options = &self.options;
        let mut value = value.clone();
        if !options.delimiter.is_empty() {
            let Some(text) = node.scalar() else {
                return Err(Refusal::expected(
                    node,
                    "a text, since there is a delimiter",
                ));
            };
            let Some(new) = value.scalar() else {
                return Err(Refusal::expected(
                    &value,
                    "a text as the source, since there is a delimiter",
                ));
            };
            let mut parts: Vec<&str> = text.split(options.delimiter.as_str()).collect();
            match usize::try_from(options.index) {
                Err(_) => parts.insert(0, &new),
                Ok(at) if at >= parts.len() => parts.push(&new),
                Ok(at) => parts[at] = &new,
            }
            let joined = parts.join(&options.delimiter);
            value = Node::string(value.line, joined);
        }
        let is_scalar = node.scalar().is_some();
        match value.scalar() {
            Some(text) if is_scalar => {
                let text = text.into_owned();
                path::set_text(node, &text, found)
            }
            None if is_scalar && found == Found::There => Err(Refusal(format!(
                "the source is {}, but a scalar stands here",
                value.kind()
            ))),
            _ => {
                node.data = value.data;
                Ok(())
            }
        }
    }
}
