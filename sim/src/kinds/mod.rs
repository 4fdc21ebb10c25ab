//! Which resources the server serves: the built-in ones from a table, custom ones from CRDs.

mod table;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::Value;

use crate::{
    crd::CustomVersion,
    object::join_api_version,
    status::{self, ApiError},
};

/// Where a resource comes from.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    BuiltIn,
    Custom(Arc<CustomVersion>),
}

/// One resource in one version.
#[derive(Clone, Debug)]
pub(crate) struct Resource {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) plural: String,
    pub(crate) singular: String,
    pub(crate) kind: String,
    pub(crate) namespaced: bool,
    pub(crate) short_names: Vec<String>,
    pub(crate) categories: Vec<String>,
    /// Verbs as discovery lists them.
    pub(crate) verbs: Vec<String>,
    /// Answers verbs on stored objects (reviews aren't stored).
    pub(crate) stored: bool,
    /// Has a `status` subresource, so that the main resource ignores `status`.
    pub(crate) status: bool,
    /// Other subresources, known to discovery; those without a handler answer 501.
    pub(crate) subresources: Vec<String>,
    /// `metadata.generation` counts changes of everything outside metadata and status.
    pub(crate) generation: bool,
    /// Where the objects live: kinds served in several groups share one table.
    pub(crate) store: StoreKey,
    pub(crate) origin: Origin,
}

/// Group and plural of the table that holds a resource's objects.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StoreKey {
    pub(crate) group: String,
    pub(crate) plural: String,
}

impl StoreKey {
    pub(crate) fn new(group: &str, plural: &str) -> Self {
        Self {
            group: group.into(),
            plural: plural.into(),
        }
    }

    pub(crate) fn is(&self, group: &str, plural: &str) -> bool {
        self.group == group && self.plural == plural
    }
}

impl Resource {
    pub(crate) fn api_version(&self) -> String {
        join_api_version(&self.group, &self.version)
    }

    /// `deployments.apps`, `configmaps`.
    pub(crate) fn qualified(&self) -> String {
        if self.group.is_empty() {
            self.plural.clone()
        } else {
            format!("{}.{}", self.plural, self.group)
        }
    }

    /// `Deployment.apps`, `ConfigMap`.
    pub(crate) fn qualified_kind(&self) -> String {
        if self.group.is_empty() {
            self.kind.clone()
        } else {
            format!("{}.{}", self.kind, self.group)
        }
    }

    /// Where the real server stores an object, as some of its messages show it; dry runs, which
    /// store nothing, know nothing of the folder of all.
    pub(crate) fn storage_key(&self, key: &str, dry_run: bool) -> String {
        let folder = match (self.group.as_str(), self.plural.as_str()) {
            ("", "services") => "services/specs".to_owned(),
            ("", "endpoints") => "services/endpoints".to_owned(),
            ("", "nodes") => "minions".to_owned(),
            ("networking.k8s.io", "ingresses") => "ingress".to_owned(),
            (group, plural) if self.custom().is_some() => format!("{group}/{plural}"),
            (_, plural) => plural.to_owned(),
        };
        let root = if dry_run { "" } else { "/registry" };
        format!("{root}/{folder}/{key}")
    }

    /// `details` of a `Status` about one object.
    pub(crate) fn details(&self, name: &str) -> Value {
        status::details(name, &self.group, &self.plural)
    }

    pub(crate) fn list_kind(&self) -> String {
        match &self.origin {
            Origin::Custom(custom) => custom.list_kind.clone(),
            Origin::BuiltIn => format!("{}List", self.kind),
        }
    }

    pub(crate) fn is(&self, group: &str, plural: &str) -> bool {
        self.group == group && self.plural == plural
    }

    pub(crate) fn custom(&self) -> Option<&Arc<CustomVersion>> {
        match &self.origin {
            Origin::Custom(custom) => Some(custom),
            Origin::BuiltIn => None,
        }
    }
}

/// All served resources.
#[derive(Clone, Debug, Default)]
pub(crate) struct Registry {
    by_path: BTreeMap<(String, String, String), Arc<Resource>>,
    /// The group versions that OpenAPI tells of by each definition: all that it ever served.
    documented: BTreeMap<String, BTreeSet<(String, String)>>,
}

impl Registry {
    pub(crate) fn built_in() -> Self {
        let mut registry = Self::default();
        for resource in table::built_in() {
            registry.insert(resource);
        }
        registry
    }

    pub(crate) fn insert(&mut self, resource: Resource) {
        let key = (
            resource.group.clone(),
            resource.version.clone(),
            resource.plural.clone(),
        );
        self.by_path.insert(key, Arc::new(resource));
    }

    /// Has OpenAPI tell of a version of a definition, for as long as that is there.
    pub(crate) fn document(&mut self, group: &str, version: &str, definition: &str) {
        let documents = self.documented.entry(definition.to_owned()).or_default();
        documents.insert((group.to_owned(), version.to_owned()));
    }

    /// The definition is gone.
    pub(crate) fn forget_documents(&mut self, definition: &str) {
        self.documented.remove(definition);
    }

    /// Group and version of what OpenAPI tells of beside what is served.
    pub(crate) fn documents(&self) -> impl Iterator<Item = &(String, String)> {
        self.documented.values().flatten()
    }

    /// Takes away all versions of a custom resource.
    pub(crate) fn remove_custom(&mut self, group: &str, plural: &str) {
        self.by_path
            .retain(|_, r| r.custom().is_none() || !r.is(group, plural));
    }

    pub(crate) fn get(&self, group: &str, version: &str, plural: &str) -> Option<Arc<Resource>> {
        self.by_path
            .get(&(group.to_owned(), version.to_owned(), plural.to_owned()))
            .cloned()
    }

    /// The resource of a kind in one version.
    pub(crate) fn by_kind(&self, group: &str, version: &str, kind: &str) -> Option<Arc<Resource>> {
        self.by_path
            .values()
            .find(|r| r.group == group && r.version == version && r.kind == kind)
            .cloned()
    }

    /// Any served version of a resource.
    pub(crate) fn any_version(&self, group: &str, plural: &str) -> Option<Arc<Resource>> {
        self.by_path.values().find(|r| r.is(group, plural)).cloned()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.by_path.values()
    }

    pub(crate) fn serves(&self, group: &str, version: &str) -> bool {
        self.by_path
            .keys()
            .any(|(g, v, _)| g == group && v == version)
    }

    pub(crate) fn require(
        &self,
        group: &str,
        version: &str,
        plural: &str,
    ) -> Result<Arc<Resource>, ApiError> {
        if let Some(resource) = self.get(group, version, plural) {
            return Ok(resource);
        }
        if table::is_unserved(group, version, plural) {
            let what = format!("resource {plural} of {}", join_api_version(group, version));
            return Err(ApiError::not_modelled(what));
        }
        Err(Self::unknown(group))
    }

    /// What is said of something that isn't there: in a group of Kubernetes' own with a `Status`,
    /// elsewhere in plain words.
    pub(crate) fn unknown(group: &str) -> ApiError {
        if stageset_schema::groups().iter().any(|g| g.name == group) {
            ApiError::no_such_resource()
        } else {
            ApiError::plain_not_found()
        }
    }
}
