//! What every object must have before anything else looks at it.

use std::fmt;

use super::problem::ObjectFault;
use super::{Origin, Problem};
use crate::yaml::{Data, Node};

/// Kustomize leaves objects with this annotation out, unless it says "false".
const LOCAL_CONFIG: &str = "config.kubernetes.io/local-config";

/// What tells objects of one build apart. The version doesn't: two versions of one kind and name
/// are one object in the cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id {
    group: String,
    kind: String,
    namespace: String,
    name: String,
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            group,
            kind,
            namespace,
            name,
        } = self;
        f.write_str(kind)?;
        if !group.is_empty() {
            write!(f, ".{group}")?;
        }
        if namespace.is_empty() {
            write!(f, " {name}")
        } else {
            write!(f, " {namespace}/{name}")
        }
    }
}

/// The same, as it stands in an object.
#[derive(Default)]
struct Identity<'n> {
    group: &'n str,
    kind: &'n str,
    namespace: &'n str,
    name: &'n str,
}

impl From<Identity<'_>> for Id {
    fn from(identity: Identity<'_>) -> Self {
        Self {
            group: identity.group.to_owned(),
            kind: identity.kind.to_owned(),
            namespace: identity.namespace.to_owned(),
            name: identity.name.to_owned(),
        }
    }
}

pub(super) enum Checked {
    /// An object to deliver.
    Object(Id),
    /// An object that only tools are to see.
    LocalConfig,
}

/// Checks what an object needs while it is built: its identity.
pub(crate) fn check_identity(node: &Node, origin: &Origin) -> Result<(), Vec<Problem>> {
    let mut faults = Vec::new();
    identify(node, &mut faults);
    faults.retain(
        |fault| !matches!(fault, ObjectFault::BadField { field, .. } if field.contains('[')),
    );
    report(faults, origin)
}

/// Checks an object that is done: its identity and metadata.
pub(crate) fn check_object(node: &Node, origin: &Origin) -> Result<(), Vec<Problem>> {
    let mut faults = Vec::new();
    identify(node, &mut faults);
    report(faults, origin)
}

fn report(faults: Vec<ObjectFault>, origin: &Origin) -> Result<(), Vec<Problem>> {
    if faults.is_empty() {
        return Ok(());
    }
    let problem = |fault| Problem::Object {
        origin: origin.clone(),
        fault,
    };
    Err(faults.into_iter().map(problem).collect())
}

/// Checks an object's identity and metadata, and reports all that is wrong with it.
pub(super) fn check(node: &Node, origin: &Origin) -> Result<Checked, Vec<Problem>> {
    let mut faults = Vec::new();
    let id = identify(node, &mut faults);
    if faults.is_empty() {
        let local = node
            .get("metadata")
            .and_then(|metadata| metadata.get("annotations"))
            .and_then(|annotations| annotations.get(LOCAL_CONFIG))
            .and_then(Node::text)
            .is_some_and(|value| value != "false");
        return Ok(if local {
            Checked::LocalConfig
        } else {
            Checked::Object(id.into())
        });
    }
    let problem = |fault| Problem::Object {
        origin: origin.clone(),
        fault,
    };
    Err(faults.into_iter().map(problem).collect())
}

fn identify<'n>(node: &'n Node, faults: &mut Vec<ObjectFault>) -> Identity<'n> {
    let mut id = Identity::default();
    if !matches!(node.data, Data::Mapping(_)) {
        faults.push(ObjectFault::NotMapping { found: node.kind() });
        return id;
    }
    let metadata = node.get("metadata");
    let mut check = Check { node, faults };
    if let Some(version) = check.required(node.get("apiVersion"), "apiVersion") {
        id.group = version.split_once('/').map_or("", |(group, _)| group);
    }
    if let Some(kind) = check.required(node.get("kind"), "kind") {
        id.kind = kind;
    }
    match metadata {
        None => check.missing("metadata.name"),
        Some(Node {
            data: Data::Mapping(_),
            ..
        }) => {}
        Some(other) => check.bad(other, "metadata".into(), "a mapping with a name"),
    }
    let Some(metadata) = metadata.filter(|m| matches!(m.data, Data::Mapping(_))) else {
        return id;
    };
    if metadata
        .get("generateName")
        .is_some_and(|node| !node.is_null())
    {
        let what = check.what();
        check.faults.push(ObjectFault::GenerateName { what });
    } else if let Some(name) = check.required(metadata.get("name"), "metadata.name") {
        id.name = name;
    }
    match metadata.get("namespace") {
        None
        | Some(Node {
            data: Data::Null | Data::Blank,
            ..
        }) => {}
        Some(node) => match node.text() {
            Some(text) => id.namespace = text,
            None => check.bad(node, "metadata.namespace".into(), "a string"),
        },
    }
    check.string_map(metadata, "labels");
    check.string_map(metadata, "annotations");
    id
}

/// "ConfigMap web", or as much of it as there is.
fn describe(node: &Node) -> String {
    let kind = node
        .get("kind")
        .and_then(Node::text)
        .filter(|kind| !kind.is_empty());
    let name = node
        .get("metadata")
        .and_then(|metadata| metadata.get("name"))
        .and_then(Node::text);
    match (kind, name.filter(|name| !name.is_empty())) {
        (Some(kind), Some(name)) => format!("{kind} {name:?}"),
        (Some(kind), None) => format!("the {kind}"),
        (None, Some(name)) => format!("the object {name:?}"),
        (None, None) => "the object".to_owned(),
    }
}

struct Check<'a> {
    node: &'a Node,
    faults: &'a mut Vec<ObjectFault>,
}

impl Check<'_> {
    /// The object, for a message.
    fn what(&self) -> String {
        describe(self.node)
    }

    /// A string that must be there and not be empty.
    fn required<'n>(&mut self, node: Option<&'n Node>, field: &'static str) -> Option<&'n str> {
        match node {
            None
            | Some(Node {
                data: Data::Null | Data::Blank,
                ..
            }) => self.missing(field),
            Some(node) => match node.text() {
                Some("") => self.missing(field),
                Some(text) => return Some(text),
                None => self.bad(node, field.to_owned(), "a string; put it in quotes"),
            },
        }
        None
    }

    fn string_map(&mut self, metadata: &Node, name: &str) {
        let field = || format!("metadata.{name}");
        match metadata.get(name).map(|node| (node, &node.data)) {
            None | Some((_, Data::Null | Data::Blank)) => {}
            Some((_, Data::Mapping(entries))) => {
                for (key, value) in entries {
                    if value.text().is_none() {
                        let field = format!("{}[{key:?}]", field());
                        self.bad(value, field, "a string; put it in quotes");
                    }
                }
            }
            Some((node, _)) => self.bad(node, field(), "a mapping from strings to strings"),
        }
    }

    fn missing(&mut self, field: &'static str) {
        let what = self.what();
        self.faults.push(ObjectFault::Missing { what, field });
    }

    fn bad(&mut self, node: &Node, field: String, expected: &'static str) {
        self.faults.push(ObjectFault::BadField {
            what: self.what(),
            field,
            found: node.kind().to_owned(),
            line: node.line,
            expected,
        });
    }
}
