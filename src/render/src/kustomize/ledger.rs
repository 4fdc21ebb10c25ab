//! The problems of a build, and what it has spent of its bounds.

use super::problem::{Fault, Place};
use crate::yaml::{Data, Node};
use crate::{Limits, Problem};

/// How many problems are kept; more help nobody.
const KEPT: usize = 1000;

/// What a mapping takes in memory, in nodes.
const MAPPING: usize = 8;

/// The problems, collected, and the bounds. Everything that a tenant's input can make large is
/// counted here before it is done.
#[derive(Debug)]
pub(super) struct Problems {
    list: Vec<Problem>,
    /// How many there were, kept or not.
    count: usize,
    limits: Limits,
    bytes: usize,
    nodes: usize,
    steps: usize,
    kustomizations: usize,
    exceeded: bool,
}

impl Problems {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            list: Vec::new(),
            count: 0,
            limits,
            bytes: 0,
            nodes: 0,
            steps: 0,
            kustomizations: 0,
            exceeded: false,
        }
    }

    pub(super) fn push(&mut self, problem: Problem) {
        self.count += 1;
        if self.list.len() < KEPT {
            self.list.push(problem);
        }
    }

    pub(super) fn extend(&mut self, problems: impl IntoIterator<Item = Problem>) {
        for problem in problems {
            self.push(problem);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// All problems, and how many more there were.
    pub(super) fn take(&mut self) -> Vec<Problem> {
        let more = self.count - self.list.len();
        if more > 0 {
            let fault = Fault::Other(format!("and {more} more problems"));
            self.list.push(Place::default().problem(fault));
        }
        self.count = 0;
        std::mem::take(&mut self.list)
    }

    /// The bounds of one more file: its nodes are few enough that even nothing but mappings stay within
    /// the budget until they are counted.
    pub(super) fn file_limits(&self) -> Limits {
        let left = self.limits.build_nodes.saturating_sub(self.nodes);
        Limits {
            nodes: self.limits.nodes.min(left / 2 + 1),
            ..self.limits
        }
    }

    /// Whether a bound was exceeded: then nothing more is read or done.
    pub(super) fn is_exceeded(&self) -> bool {
        self.exceeded
    }

    /// Counts bytes read or written; tells whether there is room for them.
    pub(super) fn bytes(&mut self, count: usize) -> bool {
        self.bytes = self.bytes.saturating_add(count);
        self.check(
            self.bytes,
            self.limits.build_bytes,
            "bytes read and written",
        )
    }

    /// Counts nodes read or written, and their bytes.
    pub(super) fn nodes(&mut self, node: &Node, times: usize) -> bool {
        let (nodes, bytes) = weight(node);
        self.nodes = self.nodes.saturating_add(nodes.saturating_mul(times));
        self.check(
            self.nodes,
            self.limits.build_nodes,
            "nodes read and written",
        ) && self.bytes(bytes.saturating_mul(times))
    }

    /// Counts nodes that were read; their bytes were counted with the file.
    pub(super) fn read_nodes(&mut self, node: &Node) -> bool {
        self.nodes = self.nodes.saturating_add(weight(node).0);
        self.check(
            self.nodes,
            self.limits.build_nodes,
            "nodes read and written",
        )
    }

    /// Counts work.
    pub(super) fn steps(&mut self, count: usize) -> bool {
        self.steps = self.steps.saturating_add(count);
        self.check(self.steps, self.limits.build_steps, "steps")
    }

    /// Counts one pass over everything that is there.
    pub(super) fn pass(&mut self) -> bool {
        self.steps(self.nodes)
    }

    /// Counts a kustomization.
    pub(super) fn kustomization(&mut self) -> bool {
        self.kustomizations += 1;
        self.check(
            self.kustomizations,
            self.limits.kustomizations,
            "kustomizations",
        )
    }

    /// Checks the number of objects.
    pub(super) fn objects(&mut self, count: usize) -> bool {
        let limit = self.limits.objects;
        if count > limit && !self.exceeded {
            self.exceeded = true;
            self.push(Problem::TooManyObjects { limit });
        }
        !self.exceeded
    }

    fn check(&mut self, count: usize, limit: usize, what: &'static str) -> bool {
        if count > limit && !self.exceeded {
            self.exceeded = true;
            let fault = Fault::Limit { what, limit };
            // The bound is said, whatever else there was.
            self.list.truncate(KEPT - 1);
            self.push(Place::default().problem(fault));
        }
        !self.exceeded
    }
}

/// Nodes and bytes of a node with all below it.
fn weight(node: &Node) -> (usize, usize) {
    match &node.data {
        Data::String(text) | Data::Timestamp(text) => (1, text.len()),
        Data::Sequence(items) => items.iter().map(weight).fold((1, 0), add),
        Data::Mapping(entries) => entries
            .iter()
            .map(|(key, value)| {
                let (nodes, bytes) = weight(value);
                (nodes, bytes + key.len())
            })
            .fold((MAPPING, 0), add),
        _ => (1, 0),
    }
}

fn add(one: (usize, usize), other: (usize, usize)) -> (usize, usize) {
    (one.0 + other.0, one.1 + other.1)
}
