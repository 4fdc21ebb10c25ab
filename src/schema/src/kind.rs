//! Kinds as the API server serves them: what discovery says.

use crate::schema::SchemaRef;
use crate::table;

/// An API group and its versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its name; empty for the core group.
    pub name: &'static str,
    /// Its versions, the preferred one first.
    pub versions: Vec<&'static str>,
}

/// One kind in one version, with the resource that serves it.
#[derive(Debug, Clone, PartialEq)]
pub struct Kind {
    /// API group; empty for the core group.
    pub group: &'static str,
    /// API version.
    pub version: &'static str,
    /// Kind, as in manifests.
    pub kind: &'static str,
    /// Resource name, as in addresses.
    pub plural: &'static str,
    /// Singular name.
    pub singular: &'static str,
    /// Short names, such as `deploy`.
    pub short_names: Vec<&'static str>,
    /// Categories, such as `all`.
    pub categories: Vec<&'static str>,
    /// Whether objects live in namespaces.
    pub namespaced: bool,
    /// Verbs that the resource answers to, in discovery's order.
    pub verbs: Vec<&'static str>,
    /// Subresources, ordered by name.
    pub subresources: Vec<Subresource>,
    /// The place of its structure in the table.
    pub(crate) definition: Option<usize>,
}

/// A part of a resource with an address of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Subresource {
    /// Its name, such as `status`.
    pub name: &'static str,
    /// Group of the kind that it takes and answers with.
    pub group: &'static str,
    /// Version of that kind.
    pub version: &'static str,
    /// That kind, such as `Scale`.
    pub kind: &'static str,
    /// Verbs that it answers to.
    pub verbs: Vec<&'static str>,
    /// The place of that kind's structure in the table.
    pub(crate) definition: Option<usize>,
}

impl Subresource {
    /// The structure of that kind; none for streams such as `pods/exec`.
    pub fn schema(&self) -> Option<SchemaRef> {
        self.definition.map(table::definition_at)
    }
}

impl Kind {
    /// The structure of the kind's objects.
    pub fn schema(&self) -> SchemaRef {
        self.definition
            .map_or(SchemaRef::anything(), table::definition_at)
    }

    /// The subresource of this name.
    pub fn subresource(&self, name: &str) -> Option<&Subresource> {
        self.subresources
            .iter()
            .find(|subresource| subresource.name == name)
    }

    /// `apps/v1`, or `v1` in the core group.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_owned()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }
}
