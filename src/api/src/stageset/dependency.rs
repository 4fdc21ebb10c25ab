//! What has to be usable before a release starts.

use serde::{Deserialize, Serialize};

/// A StageSet that must be usable first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Dependency {
    /// Name of the StageSet.
    pub name: String,
    /// Its namespace. Defaults to the StageSet's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Lowest deployed version of the dependency that will do, as semver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_version: Option<String>,
}
