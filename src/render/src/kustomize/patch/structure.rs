//! How lists are merged: the strategies and keys of the built-in kinds.

use stageset_schema::{ListType, SchemaRef, kind};

use crate::yaml::Node;

/// A place in a kind's structure.
#[derive(Debug, Clone, Copy)]
pub(super) struct Structure(SchemaRef);

/// How a list is merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strategy {
    /// The patch's list takes its place.
    Replace,
    /// Scalars, each once.
    Set,
    /// Mappings, told apart by these keys.
    Keys(&'static [&'static str]),
}

impl Structure {
    /// The structure of an object; none of kinds that aren't built in.
    pub(super) fn of(object: &Node) -> Option<Self> {
        let text = |field: &str| object.get(field).and_then(Node::text);
        let (api_version, name) = (text("apiVersion")?, text("kind")?);
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        kind(group, version, name).map(|kind| Self(kind.schema()))
    }

    pub(super) fn field(self, name: &str) -> Option<Self> {
        self.0.child(name).map(Self)
    }

    pub(super) fn items(self) -> Option<Self> {
        self.0.items().map(Self)
    }

    pub(super) fn strategy(self) -> Strategy {
        if !self.0.patch_strategy().merge {
            return Strategy::Replace;
        }
        match (self.0.list_type(), self.0.merge_key()) {
            (Some(ListType::Map(keys)), _) => Strategy::Keys(keys),
            (_, Some(key)) => Strategy::Keys(one(key)),
            _ => Strategy::Set,
        }
    }
}

/// The merge keys that stand alone.
fn one(key: &'static str) -> &'static [&'static str] {
    const KEYS: [&[&str]; 12] = [
        &["name"],
        &["mountPath"],
        &["devicePath"],
        &["ip"],
        &["containerPort"],
        &["port"],
        &["type"],
        &["uid"],
        &["key"],
        &["topologyKey"],
        &["resourceName"],
        &["driver"],
    ];
    KEYS.into_iter()
        .find(|keys| keys[0] == key)
        .unwrap_or(&["name"])
}
