//! The table in memory, and how to look things up in it.

use std::collections::BTreeMap;
use std::sync::{LazyLock, OnceLock};

use crate::kind::{Group, Kind};
use crate::parse::{self, Block};
use crate::schema::{Node, SchemaRef};

static TABLE: LazyLock<parse::Table> =
    LazyLock::new(|| readable(parse::table(include_str!("../table/kubernetes.txt"))));

static KINDS: LazyLock<Kinds> = LazyLock::new(|| {
    let all = readable(parse::kinds(&TABLE));
    let by_kind = all
        .iter()
        .enumerate()
        .map(|(at, k)| ((k.group, k.version, k.kind), at));
    let by_resource = all
        .iter()
        .enumerate()
        .map(|(at, k)| ((k.group, k.version, k.plural), at));
    Kinds {
        by_kind: by_kind.collect(),
        by_resource: by_resource.collect(),
        all,
    }
});

struct Kinds {
    /// Ordered by group, version and plural.
    all: Vec<Kind>,
    by_kind: BTreeMap<(&'static str, &'static str, &'static str), usize>,
    by_resource: BTreeMap<(&'static str, &'static str, &'static str), usize>,
}

#[expect(
    clippy::expect_used,
    reason = "the table is part of the crate, and a test reads all of it"
)]
fn readable<T>(part: Result<T, String>) -> T {
    part.expect("the checked-in table is readable")
}

/// Named schemas, ordered by name; each is read when it is first asked for, and most never are.
#[derive(Debug, Default)]
pub(crate) struct Definitions(Vec<(Block, OnceLock<Box<Node>>)>);

impl Definitions {
    pub(crate) fn new(mut blocks: Vec<Block>) -> Self {
        blocks.sort_by_key(Block::name);
        Self(
            blocks
                .into_iter()
                .map(|block| (block, OnceLock::new()))
                .collect(),
        )
    }

    /// The place of a definition.
    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.0
            .binary_search_by(|(block, _)| block.name().cmp(name))
            .ok()
    }

    fn at(&'static self, place: usize) -> SchemaRef {
        let (block, node) = &self.0[place];
        let read = || Box::new(readable(parse::definition(block, self)));
        let node = node.get_or_init(read);
        SchemaRef::named(block.name(), node)
    }
}

/// The version of the API server that the table comes from, such as `v1.37.2`.
pub fn server_version() -> &'static str {
    TABLE.server
}

/// The groups, in the order in which the server offers them; the core group is the first.
pub fn groups() -> &'static [Group] {
    &TABLE.groups
}

/// Every kind in every version, ordered by group, version and plural.
pub fn kinds() -> impl Iterator<Item = &'static Kind> {
    KINDS.all.iter()
}

/// A kind by its name in manifests; the core group is `""`.
pub fn kind(group: &str, version: &str, kind: &str) -> Option<&'static Kind> {
    KINDS
        .by_kind
        .get(&(group, version, kind))
        .map(|at| &KINDS.all[*at])
}

/// A kind by its name in addresses; the core group is `""`.
pub fn resource(group: &str, version: &str, plural: &str) -> Option<&'static Kind> {
    KINDS
        .by_resource
        .get(&(group, version, plural))
        .map(|at| &KINDS.all[*at])
}

/// A definition by its name, such as `io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta`, which
/// custom resources share with the built-in kinds.
pub fn definition(name: &str) -> Option<SchemaRef> {
    TABLE.definitions.position(name).map(definition_at)
}

/// Every definition, ordered by name.
pub fn definitions() -> impl Iterator<Item = SchemaRef> {
    (0..TABLE.definitions.0.len()).map(definition_at)
}

/// The definition that a reference in the table stands for.
pub(crate) fn definition_at(place: usize) -> SchemaRef {
    TABLE.definitions.at(place)
}
