//! Reading files of the tree: objects, settings, patches. What is read is counted.

use std::collections::VecDeque;

use super::kustomization::At;
use super::load::Root;
use super::patch::Text;
use super::problem::{Fault, Place};
use super::resource::Resource;
use crate::build::{check_identity, is_empty, is_json, take_items};
use crate::ledger::Problems;
use crate::yaml::{Data, Dialect, Node, YamlError, dialect_nodes, json_nodes};
use crate::{Limits, Origin};

/// A text and where it comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Input<'a> {
    pub(super) file: &'a str,
    /// The line before the text's first, for texts inside of files.
    pub(super) offset: usize,
    pub(super) bytes: &'a [u8],
}

impl<'a> Input<'a> {
    pub(super) fn file(file: &'a str, bytes: &'a [u8]) -> Self {
        Self {
            file,
            offset: 0,
            bytes,
        }
    }

    /// A text that stands in a kustomization.
    pub(super) fn inline(file: &'a str, line: usize, text: &'a str) -> Self {
        // A block's line is that of its first line of text, not that of its sign.
        let offset = line.saturating_sub(1);
        Self {
            file,
            offset,
            bytes: text.as_bytes(),
        }
    }

    fn note(&self, mut errors: Vec<YamlError>, problems: &mut Problems) {
        for error in &mut errors {
            error.line += self.offset;
        }
        problems.unreadable(self.file, errors);
    }

    /// Every document; none if anything is wrong with one, or there is no room for it.
    fn documents(&self, dialect: Dialect, problems: &mut Problems) -> Option<Vec<(usize, Node)>> {
        let limits = problems.file_limits();
        match self.parse(&limits, dialect) {
            Ok(documents) => problems
                .read(&documents, self.bytes.len())
                .then_some(documents),
            Err(errors) => {
                self.note(errors, problems);
                None
            }
        }
    }

    fn parse(
        &self,
        limits: &Limits,
        dialect: Dialect,
    ) -> Result<Vec<(usize, Node)>, Vec<YamlError>> {
        if is_json(self.file)
            && self.offset == 0
            && let Ok(documents) = json_nodes(self.bytes, limits)
        {
            return Ok(documents);
        }
        dialect_nodes(self.bytes, limits, dialect)
    }

    /// A file of settings: its first document, or nothing.
    pub(super) fn settings(&self, problems: &mut Problems) -> Option<Node> {
        let documents = self.documents(Dialect::Settings, problems)?;
        documents.into_iter().next().map(|(_, node)| node)
    }

    /// The objects of a text; none if anything is wrong with it.
    pub(super) fn objects(&self, problems: &mut Problems) -> Option<Vec<Resource>> {
        let documents = self.documents(Dialect::Objects, problems)?;
        self.resources(documents, problems)
    }

    fn resources(
        &self,
        documents: Vec<(usize, Node)>,
        problems: &mut Problems,
    ) -> Option<Vec<Resource>> {
        let before = problems.len();
        let mut resources = Vec::with_capacity(documents.len());
        for (document, node) in without_lists(documents) {
            let origin = Origin {
                file: self.file.to_owned(),
                document,
                line: node.line + self.offset,
            };
            match check_identity(&node, &origin) {
                Ok(()) => resources.push(Resource::new(node, origin)),
                Err(faults) => problems.extend(faults),
            }
        }
        (problems.len() == before).then_some(resources)
    }

    /// A patch: objects, or operations.
    pub(super) fn patch(&self, problems: &mut Problems) -> Option<Text> {
        let documents = self.documents(Dialect::Objects, problems)?;
        let Some((_, first)) = documents.first() else {
            return Some(Text::Nothing);
        };
        match first.data {
            Data::Sequence(_) => self.operations(problems).map(Text::Operations),
            _ => self.partial_objects(documents, problems).map(Text::Objects),
        }
    }

    /// A list of JSON 6902 operations.
    pub(super) fn operations(&self, problems: &mut Problems) -> Option<Node> {
        let node = self.settings(problems)?;
        if matches!(node.data, Data::Sequence(_)) {
            return Some(node);
        }
        problems.push(Place::new(self.file, node.line + self.offset, "").problem(
            Fault::Unexpected {
                found: node.kind().to_owned(),
                expected: "a list of JSON 6902 operations".to_owned(),
            },
        ));
        None
    }

    /// Patches have no need for an `apiVersion`.
    fn partial_objects(
        &self,
        documents: Vec<(usize, Node)>,
        problems: &mut Problems,
    ) -> Option<Vec<Resource>> {
        let before = problems.len();
        let mut objects = Vec::new();
        for (document, node) in without_lists(documents) {
            let line = node.line + self.offset;
            let has = |node: Option<&Node>| {
                node.and_then(Node::text)
                    .is_some_and(|text| !text.is_empty())
            };
            let named = has(node.get("metadata").and_then(|meta| meta.get("name")));
            if has(node.get("kind")) && named {
                let file = self.file.to_owned();
                objects.push(Resource::new(
                    node,
                    Origin {
                        file,
                        document,
                        line,
                    },
                ));
            } else {
                problems.push(
                    Place::new(self.file, line, "").problem(Fault::Unexpected {
                        found: format!("{} without kind or metadata.name", node.kind()),
                        expected: "a patch: an object with kind and metadata.name, or a list of \
                               JSON 6902 operations"
                            .to_owned(),
                    }),
                );
            }
        }
        (problems.len() == before).then_some(objects)
    }
}

/// What documents hold, each with the number of its document: items in the place of lists, and after
/// all that stands alone.
fn without_lists(documents: Vec<(usize, Node)>) -> impl Iterator<Item = (usize, Node)> {
    let mut queue: VecDeque<(usize, Node)> = documents.into();
    std::iter::from_fn(move || {
        loop {
            let (document, node) = queue.pop_front()?;
            if is_empty(&node) {
                continue;
            }
            match take_items(node) {
                Ok(items) => queue.extend(items.into_iter().map(|item| (document, item))),
                Err(node) => return Some((document, *node)),
            }
        }
    })
}

/// Reads a file that a kustomization names.
pub(super) fn bytes<'t>(
    root: Root<'t>,
    path: &At<String>,
    problems: &mut Problems,
) -> Option<(String, &'t [u8])> {
    let file = root.noted_file(path, problems)?;
    let bytes = root.tree.get(&file)?;
    problems.bytes(bytes.len()).then_some((file, bytes))
}
