//! The problems of a build, and what it has spent of its bounds.

use std::cell::Cell;

use crate::kustomize::{Fault, Place};
use crate::yaml::{Data, Node, YamlError, YamlFault};
use crate::{Limits, Problem};

/// How many problems are kept; more help nobody.
pub(crate) const KEPT: usize = 1000;

/// How many bytes all kept problems may have when printed: they repeat names that a tenant chose.
const KEPT_BYTES: usize = 4 * 1024 * 1024;

/// What a mapping takes in memory, in nodes.
pub(crate) const MAPPING: usize = 8;

/// The problems, collected, and the bounds. Everything that a tenant's input can make large is
/// counted here before it is done.
#[derive(Debug)]
pub(crate) struct Problems {
    list: Vec<Problem>,
    /// Bytes of those that are kept.
    list_bytes: usize,
    /// How many there were, kept or not.
    count: usize,
    limits: Limits,
    bytes: Cell<usize>,
    nodes: Cell<usize>,
    steps: usize,
    kustomizations: usize,
    exceeded: bool,
}

/// There is no room for what would be written. The bound itself is said by [`Problems`].
#[derive(Debug)]
pub(crate) struct Full;

impl Problems {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            list: Vec::new(),
            list_bytes: 0,
            count: 0,
            limits,
            bytes: Cell::new(0),
            nodes: Cell::new(0),
            steps: 0,
            kustomizations: 0,
            exceeded: false,
        }
    }

    /// Notes a problem. Once a bound was exceeded, that is the last one.
    pub(crate) fn push(&mut self, problem: Problem) {
        if !self.within() {
            return;
        }
        self.count += 1;
        if self.list.len() < KEPT && self.list_bytes < KEPT_BYTES {
            self.list_bytes += problem.to_string().len();
            self.list.push(problem);
        }
    }

    pub(crate) fn extend(&mut self, problems: impl IntoIterator<Item = Problem>) {
        for problem in problems {
            self.push(problem);
        }
    }

    /// Notes what is wrong with a file. One that was too large for what was left is the last.
    pub(crate) fn unreadable(&mut self, file: &str, errors: Vec<YamlError>) {
        let too_large = |error: &YamlError| matches!(error.fault, YamlFault::TooManyNodes { limit } if limit < self.limits.nodes);
        let last = errors.iter().any(too_large);
        self.extend(errors.into_iter().map(|error| Problem::Yaml {
            file: file.to_owned(),
            error,
        }));
        self.exceeded |= last;
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// All problems, and how many more there were.
    pub(crate) fn take(&mut self) -> Vec<Problem> {
        let more = self.count - self.list.len();
        if more > 0 {
            let fault = Fault::Other(format!("and {more} more problems"));
            self.list.push(Place::default().problem(fault));
        }
        self.count = 0;
        self.list_bytes = 0;
        std::mem::take(&mut self.list)
    }

    /// The bounds of one more file: its nodes are few enough that even nothing but mappings stay within
    /// the budget until they are counted.
    pub(crate) fn file_limits(&self) -> Limits {
        let left = self.limits.build_nodes.saturating_sub(self.nodes.get());
        Limits {
            nodes: self.limits.nodes.min(left / 2 + 1),
            ..self.limits
        }
    }

    /// Whether a bound was exceeded: then nothing more is read or done.
    pub(crate) fn is_exceeded(&self) -> bool {
        self.exceeded
    }

    /// Counts what is about to be written in one place, where a value goes to many.
    pub(crate) fn spend(&self, bytes: usize, nodes: usize) -> Result<(), Full> {
        add_to(&self.bytes, bytes);
        add_to(&self.nodes, nodes);
        if self.bytes.get() > self.limits.build_bytes || self.nodes.get() > self.limits.build_nodes
        {
            return Err(Full);
        }
        Ok(())
    }

    /// Whether everything counted is within bounds; says so if not.
    pub(crate) fn within(&mut self) -> bool {
        self.check(
            self.nodes.get(),
            self.limits.build_nodes,
            "nodes read and written",
        ) && self.check(
            self.bytes.get(),
            self.limits.build_bytes,
            "bytes read and written",
        )
    }

    /// Counts bytes read or written; tells whether there is room for them.
    pub(crate) fn bytes(&mut self, count: usize) -> bool {
        add_to(&self.bytes, count);
        self.within()
    }

    /// Counts nodes read or written, and their bytes.
    pub(crate) fn nodes(&mut self, node: &Node, times: usize) -> bool {
        let (nodes, bytes) = weight(node);
        add_to(&self.nodes, nodes.saturating_mul(times));
        self.bytes(bytes.saturating_mul(times))
    }

    /// Counts what a file of so many bytes was read as: its nodes, and the bytes that its aliases
    /// added.
    pub(crate) fn read(&mut self, documents: &[(usize, Node)], bytes: usize) -> bool {
        let found = documents
            .iter()
            .map(|(_, node)| weight(node))
            .fold((0, 0), add);
        add_to(&self.nodes, found.0);
        self.bytes(found.1.saturating_sub(bytes))
    }

    /// Counts work.
    pub(crate) fn steps(&mut self, count: usize) -> bool {
        self.steps = self.steps.saturating_add(count);
        self.check(self.steps, self.limits.build_steps, "steps")
    }

    /// Counts one pass over everything that is there.
    pub(crate) fn pass(&mut self) -> bool {
        self.steps(self.nodes.get())
    }

    /// Counts a kustomization.
    pub(crate) fn kustomization(&mut self) -> bool {
        self.kustomizations += 1;
        self.check(
            self.kustomizations,
            self.limits.kustomizations,
            "kustomizations",
        )
    }

    /// Checks the number of objects.
    pub(crate) fn objects(&mut self, count: usize) -> bool {
        let limit = self.limits.objects;
        if count > limit && !self.exceeded {
            self.exceeded = true;
            self.count += 1;
            self.list.push(Problem::TooManyObjects { limit });
        }
        !self.exceeded
    }

    fn check(&mut self, count: usize, limit: usize, what: &'static str) -> bool {
        if count > limit && !self.exceeded {
            self.exceeded = true;
            let fault = Fault::Limit { what, limit };
            // The bound is said, whatever else there was.
            self.count += 1;
            self.list.push(Place::default().problem(fault));
        }
        !self.exceeded
    }
}

fn add_to(counter: &Cell<usize>, count: usize) {
    counter.set(counter.get().saturating_add(count));
}

/// Nodes, as they are counted, and bytes of a node with all below it.
pub(crate) fn weight(node: &Node) -> (usize, usize) {
    fn nodes(node: &Node) -> usize {
        match &node.data {
            Data::Sequence(items) => 1 + items.iter().map(nodes).sum::<usize>(),
            Data::Mapping(entries) => {
                MAPPING + entries.iter().map(|(_, value)| nodes(value)).sum::<usize>()
            }
            _ => 1,
        }
    }
    (nodes(node), node.bytes())
}

fn add(one: (usize, usize), other: (usize, usize)) -> (usize, usize) {
    (one.0 + other.0, one.1 + other.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: String) -> Problem {
        Place::default().problem(Fault::Other(text))
    }

    #[test]
    fn so_many_problems_are_kept_and_the_others_counted() {
        let mut problems = Problems::new(Limits::default());
        problems.extend((0..KEPT + 7).map(|index| problem(index.to_string())));
        assert_eq!(problems.len(), KEPT + 7);
        let kept = problems.take();
        assert_eq!(kept.len(), KEPT + 1);
        let last = kept.last().map(ToString::to_string).unwrap_or_default();
        assert!(last.contains("and 7 more problems"), "{last}");
    }

    #[test]
    fn so_many_bytes_of_problems_are_kept_and_the_others_counted() {
        let mut problems = Problems::new(Limits::default());
        let long = "x".repeat(KEPT_BYTES / 4);
        problems.extend((0..10).map(|_| problem(long.clone())));
        let kept = problems.take();
        assert_eq!(kept.len(), 4 + 1);
        let last = kept.last().map(ToString::to_string).unwrap_or_default();
        assert!(last.contains("and 6 more problems"), "{last}");
    }

    #[test]
    fn nothing_is_written_that_there_is_no_room_for() {
        let limits = Limits {
            build_bytes: 100,
            build_nodes: 10,
            ..Limits::default()
        };
        for (bytes, nodes) in [(100, 0), (0, 10)] {
            let mut problems = Problems::new(limits);
            assert!(problems.spend(bytes, nodes).is_ok());
            assert!(problems.within());
            assert!(problems.spend(1, 1).is_err());
            assert!(!problems.within(), "the bound is said");
            assert_eq!(problems.take().len(), 1);
        }
    }
}
