//! Custom resources: their definitions' life, their schemas, and what schemas do to objects.

pub(crate) mod cel;
pub(crate) mod conversion;
pub(crate) mod definition;
pub(crate) mod lifecycle;
pub(crate) mod names;
pub(crate) mod schema;
pub(crate) mod shape;
pub(crate) mod structural;
mod values;

use std::sync::Arc;

use crate::managed::types::Type;

pub(crate) const GROUP: &str = "apiextensions.k8s.io";
pub(crate) const PLURAL: &str = "customresourcedefinitions";

/// One served version of a custom resource.
#[derive(Clone, Debug)]
pub(crate) struct CustomVersion {
    pub(crate) list_kind: String,
    pub(crate) schema: schema::Schema,
    /// The schema as merging sees it.
    pub(crate) merge_type: Type,
    /// What objects may be stored in; nothing where all were and will be stored as this one is.
    pub(crate) versions: Option<Arc<conversion::Versions>>,
}
