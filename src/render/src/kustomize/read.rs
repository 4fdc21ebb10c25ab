//! Reading files of the tree: objects, settings, patches. What is read is counted.

use std::collections::VecDeque;

use super::kustomization::At;
use super::load::Root;
use super::patch::Text;
use super::problem::{Fault, Place, Problems};
use super::resource::Resource;
use crate::build::{check_identity, is_empty, is_json, take_items};
use crate::yaml::{Data, Dialect, Node, YamlError, dialect_nodes, json_nodes};
use crate::{Limits, Origin, Problem};

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
        // A block begins on the line after that of its sign.
        let offset = if text.trim_end().contains('\n') {
            line
        } else {
            line.saturating_sub(1)
        };
        Self {
            file,
            offset,
            bytes: text.as_bytes(),
        }
    }

    fn note(&self, errors: Vec<YamlError>, problems: &mut Problems) {
        problems.extend(errors.into_iter().map(|mut error| {
            error.line += self.offset;
            Problem::Yaml {
                file: self.file.to_owned(),
                error,
            }
        }));
    }

    /// Every document.
    fn documents(
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
    pub(super) fn settings(&self, limits: &Limits, problems: &mut Problems) -> Option<Node> {
        match self.documents(limits, Dialect::Settings) {
            Ok(documents) => documents.into_iter().next().map(|(_, node)| node),
            Err(errors) => {
                self.note(errors, problems);
                None
            }
        }
    }

    /// The objects of a text; none if anything is wrong with it.
    pub(super) fn objects(
        &self,
        limits: &Limits,
        problems: &mut Problems,
    ) -> Option<Vec<Resource>> {
        match self.documents(limits, Dialect::Objects) {
            Ok(documents) => self.resources(documents, problems),
            Err(errors) => {
                self.note(errors, problems);
                None
            }
        }
    }

    fn resources(
        &self,
        documents: Vec<(usize, Node)>,
        problems: &mut Problems,
    ) -> Option<Vec<Resource>> {
        let before = problems.len();
        let mut queue: VecDeque<(usize, Node)> = documents.into();
        let mut resources = Vec::with_capacity(queue.len());
        while let Some((document, node)) = queue.pop_front() {
            if is_empty(&node) {
                continue;
            }
            let node = match take_items(node) {
                Ok(items) => {
                    queue.extend(items.into_iter().map(|item| (document, item)));
                    continue;
                }
                Err(node) => *node,
            };
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
    pub(super) fn patch(&self, limits: &Limits, problems: &mut Problems) -> Option<Text> {
        let documents = match self.documents(limits, Dialect::Objects) {
            Ok(documents) => documents,
            Err(errors) => {
                self.note(errors, problems);
                return None;
            }
        };
        let Some((_, first)) = documents.first() else {
            return Some(Text::Nothing);
        };
        match first.data {
            Data::Sequence(_) => self.operations(limits, problems).map(Text::Operations),
            _ => self.partial_objects(documents, problems).map(Text::Objects),
        }
    }

    /// A list of JSON 6902 operations.
    pub(super) fn operations(&self, limits: &Limits, problems: &mut Problems) -> Option<Node> {
        let node = self.settings(limits, problems)?;
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
        let mut queue: VecDeque<(usize, Node)> = documents.into();
        let mut objects = Vec::new();
        while let Some((document, node)) = queue.pop_front() {
            if is_empty(&node) {
                continue;
            }
            let node = match take_items(node) {
                Ok(items) => {
                    queue.extend(items.into_iter().map(|item| (document, item)));
                    continue;
                }
                Err(node) => *node,
            };
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

/// What was read so far, against the bounds.
#[derive(Debug, Default)]
pub(super) struct Spent {
    bytes: usize,
    folders: usize,
    exceeded: bool,
}

impl Spent {
    /// Counts bytes that a build takes in.
    pub(super) fn bytes(&mut self, count: usize, limits: &Limits, problems: &mut Problems) -> bool {
        self.bytes = self.bytes.saturating_add(count);
        self.check(self.bytes, limits.build_bytes, "bytes read", problems)
    }

    /// Counts a folder with a kustomization.
    pub(super) fn folder(&mut self, limits: &Limits, problems: &mut Problems) -> bool {
        self.folders += 1;
        self.check(
            self.folders,
            limits.kustomizations,
            "kustomizations",
            problems,
        )
    }

    pub(super) fn objects(
        &mut self,
        count: usize,
        limits: &Limits,
        problems: &mut Problems,
    ) -> bool {
        if count <= limits.objects {
            return !self.exceeded;
        }
        if !self.exceeded {
            self.exceeded = true;
            problems.push(Problem::TooManyObjects {
                limit: limits.objects,
            });
        }
        false
    }

    /// Whether a bound was exceeded: then nothing more is read.
    pub(super) fn is_exceeded(&self) -> bool {
        self.exceeded
    }

    fn check(
        &mut self,
        count: usize,
        limit: usize,
        what: &'static str,
        problems: &mut Problems,
    ) -> bool {
        if count <= limit {
            return !self.exceeded;
        }
        if !self.exceeded {
            self.exceeded = true;
            problems.push(Place::default().problem(Fault::Limit { what, limit }));
        }
        false
    }
}

/// Reads a file that a kustomization names.
pub(super) fn bytes<'t>(
    root: Root<'t>,
    path: &At<String>,
    spent: &mut Spent,
    problems: &mut Problems,
) -> Option<(String, &'t [u8])> {
    let file = root.noted_file(path, problems)?;
    let bytes = root.tree.get(&file)?;
    spent
        .bytes(bytes.len(), &root.options.limits, problems)
        .then_some((file, bytes))
}
