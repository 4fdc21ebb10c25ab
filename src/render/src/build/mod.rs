//! From a folder of a [`Tree`] to Kubernetes objects: the behaviour of a path without a
//! kustomization file.
//!
//! What is matched is what Flux does for such a path (it generates a kustomization that lists
//! the files, then runs kustomize), found by reading `fluxcd/pkg/kustomize` and kustomize 5.8 and
//! by running the latter:
//! - every `.yaml` and `.yml` file below the path, folder by folder in the order of names;
//!   `.json` files only directly in the path, as `reconcile.md` §9 k has it; other files are no
//!   business of ours;
//! - objects keep the order of files and documents; a `List`, or any kind that ends in `List` and
//!   has `items`, is replaced by its items, which come after the file's other objects;
//! - objects with the annotation `config.kubernetes.io/local-config` (but not "false") are left
//!   out;
//! - the same object twice is an error.
//!
//! A path with a kustomization file is built by it ([`crate::kustomize`]); where only folders
//! below the path have one, they stand among the other files like resources of a kustomization.

mod files;
mod object;
mod patched;
mod problem;

use std::collections::{BTreeMap, VecDeque};

use serde_json::Value;

use self::files::Selection;
pub(crate) use self::files::{folder, is_json};
use self::object::Checked;
pub(crate) use self::object::{check_identity, check_object};
pub use self::patched::{OuterPatch, build_patched};
pub use self::problem::{ObjectFault, Origin, Problem};
use crate::kustomize::{self, Options};
use crate::ledger::Problems;
use crate::yaml::{Data, Node, json_nodes, yaml_nodes};
use crate::{Limits, Tree};

/// A Kubernetes object and where it came from.
///
/// Its value is a JSON object with `apiVersion`, `kind` and `metadata.name`, all of them strings
/// that aren't empty.
#[derive(Debug, Clone, PartialEq)]
pub struct Object {
    /// The object.
    pub value: Value,
    /// Where it was written.
    pub origin: Origin,
}

/// Builds the objects of the folder `path` of a tree. `""`, `"."` and `"./"` are the root, and
/// a leading `./` and a trailing slash don't matter.
///
/// All problems of a build are reported together, in the order of the files.
///
/// ```
/// use stageset_render::{Limits, Tree, build};
/// let tree = Tree::from_files([(
///     "app/web.yaml",
///     "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n---\n\
///      apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: b\n",
/// )])?;
/// let objects = build(&tree, "./app", &Limits::default()).unwrap();
/// assert_eq!(objects.len(), 2);
/// assert_eq!(objects[1].origin.to_string(), "app/web.yaml, document 2, line 6");
///
/// let problems = build(&tree, "missing", &Limits::default()).unwrap_err();
/// assert_eq!(
///     problems[0].to_string(),
///     "the path \"missing\" is not in the artifact: \
///      correct the path, or let the source put a folder there",
/// );
/// # Ok::<(), stageset_render::TreeError>(())
/// ```
pub fn build(tree: &Tree, path: &str, limits: &Limits) -> Result<Vec<Object>, Vec<Problem>> {
    let folder = files::folder(tree, path).map_err(|problem| vec![*problem])?;
    let options = Options {
        limits: *limits,
        ..Options::default()
    };
    let files = match files::select(tree, path, &folder)? {
        Selection::Kustomization => return kustomize::build(tree, path, &options),
        Selection::Mixed(resources) => return kustomize::build_listed(tree, &resources, &options),
        Selection::Manifests(files) => files,
    };
    let mut build = Build {
        objects: Vec::new(),
        problems: Problems::new(*limits),
        seen: BTreeMap::new(),
    };
    for (file, bytes) in files {
        if !build.problems.bytes(bytes.len()) {
            break;
        }
        let limits = build.problems.file_limits();
        let nodes = if files::is_json(file) {
            json_nodes(bytes, &limits)
        } else {
            yaml_nodes(bytes, &limits)
        };
        match nodes {
            Ok(documents) => build.file(file, bytes.len(), documents),
            Err(errors) => build.problems.unreadable(file, errors),
        }
        if build.problems.is_exceeded() {
            break;
        }
    }
    if build.problems.is_empty() {
        Ok(build.objects)
    } else {
        Err(build.problems.take())
    }
}

struct Build {
    objects: Vec<Object>,
    problems: Problems,
    /// Where in `objects` each one is.
    seen: BTreeMap<object::Id, usize>,
}

impl Build {
    fn file(&mut self, file: &str, bytes: usize, documents: Vec<(usize, Node)>) {
        if !self.problems.read(&documents, bytes) {
            return;
        }
        let mut queue: VecDeque<(usize, Node)> = documents.into();
        while let Some((document, node)) = queue.pop_front() {
            let origin = Origin {
                file: file.to_owned(),
                document,
                line: node.line,
            };
            if is_empty(&node) {
                continue;
            }
            match take_items(node) {
                Ok(items) => queue.extend(items.into_iter().map(|item| (document, item))),
                Err(node) => self.object(*node, origin),
            }
            if !self.problems.objects(self.objects.len()) {
                return;
            }
        }
    }

    fn object(&mut self, node: Node, origin: Origin) {
        match object::check(&node, &origin) {
            Err(problems) => self.problems.extend(problems),
            Ok(Checked::LocalConfig) => {}
            Ok(Checked::Object(id)) => {
                if let Some(first) = self.seen.get(&id) {
                    let first = self.objects[*first].origin.clone();
                    let object = id.to_string();
                    self.problems.push(Problem::Duplicate {
                        object,
                        first,
                        second: origin,
                    });
                } else {
                    self.seen.insert(id, self.objects.len());
                    self.objects.push(Object {
                        value: node.into_value(),
                        origin,
                    });
                }
            }
        }
    }
}

/// Nothing at all, which templates leave behind: kustomize passes over it.
pub(crate) fn is_empty(node: &Node) -> bool {
    match &node.data {
        Data::Null | Data::Blank => true,
        Data::Sequence(items) => items.is_empty(),
        Data::Mapping(entries) => entries.is_empty(),
        _ => false,
    }
}

/// The items of a list kind; the node itself if it is none.
pub(crate) fn take_items(node: Node) -> Result<Vec<Node>, Box<Node>> {
    let is_list = node
        .get("kind")
        .and_then(Node::text)
        .is_some_and(|kind| kind.ends_with("List"));
    let listed = is_list
        && node
            .get("items")
            .is_some_and(|i| matches!(i.data, Data::Sequence(_) | Data::Null | Data::Blank));
    if !listed {
        return Err(Box::new(node));
    }
    let Data::Mapping(entries) = node.data else {
        return Ok(Vec::new());
    };
    let items = entries
        .into_iter()
        .find(|(key, _)| key == "items")
        .map(|(_, items)| items.data);
    match items {
        Some(Data::Sequence(items)) => Ok(items),
        _ => Ok(Vec::new()),
    }
}
