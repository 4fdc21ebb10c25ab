//! The table in memory, and how to look things up in it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::kind::{Group, Kind};
use crate::parse;
use crate::schema::{Node, SchemaRef};

static DEFINITIONS: LazyLock<parse::Table> = LazyLock::new(|| {
    #[expect(
        clippy::expect_used,
        reason = "the table is part of the crate, and tested"
    )]
    parse::table(include_str!("../table/kubernetes.txt")).expect("the checked-in table is readable")
});

static KINDS: LazyLock<Kinds> = LazyLock::new(|| {
    let all = parse::kinds(&DEFINITIONS);
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

/// A named schema.
#[derive(Debug)]
pub(crate) struct Definition {
    pub(crate) name: &'static str,
    pub(crate) node: Node,
}

/// The version of the API server that the table comes from, such as `v1.37.2`.
pub fn server_version() -> &'static str {
    DEFINITIONS.server
}

/// The groups, in the order in which the server offers them; the core group is the first.
pub fn groups() -> &'static [Group] {
    &DEFINITIONS.groups
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
    let all = &DEFINITIONS.definitions;
    let at = all
        .binary_search_by(|definition| definition.name.cmp(name))
        .ok()?;
    Some(SchemaRef::named(all[at].name, &all[at].node))
}

/// Every definition, ordered by name.
pub fn definitions() -> impl Iterator<Item = SchemaRef> {
    DEFINITIONS
        .definitions
        .iter()
        .map(|definition| SchemaRef::named(definition.name, &definition.node))
}

/// The definition that a reference in the table stands for.
pub(crate) fn definition_at(index: usize) -> &'static Definition {
    &DEFINITIONS.definitions[index]
}
