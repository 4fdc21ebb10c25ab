//! Kubernetes objects as the core sees them: a reference, some metadata, a digest. The body is
//! carried along unread.

use std::fmt;
use std::sync::{Arc, OnceLock};

use serde::{Serialize, Serializer};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::manifest::Manifest;
use crate::names::StageName;
use crate::waves::Wave;

/// Group, version and kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct GroupVersionKind {
    /// API group; empty for the core group.
    pub group: String,
    /// API version, e.g. `v1`.
    pub version: String,
    /// Kind, e.g. `Deployment`.
    pub kind: String,
}

impl GroupVersionKind {
    /// From the `apiVersion` and `kind` of a manifest.
    pub fn from_manifest(api_version: &str, kind: &str) -> Self {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        Self {
            group: group.into(),
            version: version.into(),
            kind: kind.into(),
        }
    }

    /// Equality that is quick to say no: kinds differ in their names (in the length of them, mostly) before
    /// they differ in anything else. It is asked of every object of a release at every step.
    pub fn is_same(&self, other: &Self) -> bool {
        self.kind == other.kind && self.group == other.group && self.version == other.version
    }

    /// `group/version`, or `version` for the core group.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }
}

impl fmt::Display for GroupVersionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.api_version(), self.kind)
    }
}

/// What makes two manifests the same object: everything but the version.
///
/// Ordered by name first: keys are looked up by the thousand, most of one release differ in nothing
/// but the name, and the first differing field ends a comparison.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// Name.
    pub name: String,
    /// Kind.
    pub kind: String,
    /// Namespace; `None` for cluster-scoped objects.
    pub namespace: Option<String>,
    /// API group; empty for the core group.
    pub group: String,
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kind)?;
        if !self.group.is_empty() {
            f.write_str(".")?;
            f.write_str(&self.group)?;
        }
        f.write_str(" ")?;
        if let Some(namespace) = &self.namespace {
            f.write_str(namespace)?;
            f.write_str("/")?;
        }
        f.write_str(&self.name)
    }
}

impl Serialize for ObjectKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// An object at a version, with what a request for it needs to know.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Reference {
    /// Which object.
    pub key: ObjectKey,
    /// API version, e.g. `v1`.
    pub version: String,
    /// The resource's name in URLs, e.g. `deployments`; from discovery of the target (A11).
    pub plural: String,
}

impl Reference {
    /// Group, version and kind.
    pub fn gvk(&self) -> GroupVersionKind {
        GroupVersionKind {
            group: self.key.group.clone(),
            version: self.version.clone(),
            kind: self.key.kind.clone(),
        }
    }
}

/// An object as rendering left it: nothing stamped, no namespace defaulted.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered {
    /// Group, version and kind as the manifest has them.
    pub gvk: GroupVersionKind,
    /// Namespace as the manifest has it.
    pub namespace: Option<String>,
    /// Name.
    pub name: String,
    /// File, document and line, for messages.
    pub origin: String,
    /// sha256 over the body, hex.
    pub digest: String,
    /// The manifest.
    pub body: Manifest,
    /// What its annotations ask for.
    wishes: Wishes,
    /// What [`Rendered::placed`] last computed.
    placed: Kept<Arc<Desired>>,
    /// What [`Rendered::renamed`] last computed.
    renamed: Kept<Arc<Rendered>>,
    /// For a CustomResourceDefinition: the kind it defines and whether that is namespaced. Lets a
    /// release hold a definition and its objects without the definition being installed yet.
    pub defines: Option<Box<DefinedKind>>,
}

/// The kind that a CustomResourceDefinition of the release defines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefinedKind {
    /// Group.
    pub group: String,
    /// Kind.
    pub kind: String,
    /// Resource name in URLs.
    pub plural: String,
    /// Scope `Namespaced`.
    pub namespaced: bool,
}

impl Rendered {
    /// Takes a manifest apart. `None` if apiVersion, kind or name is missing; rendering reports that
    /// with file and line before it comes here.
    pub fn new(body: Value, origin: String) -> Option<Self> {
        let text = |pointer: &str| {
            body.pointer(pointer)
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        let gvk = GroupVersionKind::from_manifest(&text("/apiVersion")?, &text("/kind")?);
        let defines = (gvk.group == "apiextensions.k8s.io"
            && gvk.kind == "CustomResourceDefinition")
            .then(|| {
                Some(Box::new(DefinedKind {
                    group: text("/spec/group")?,
                    kind: text("/spec/names/kind")?,
                    plural: text("/spec/names/plural")?,
                    namespaced: text("/spec/scope")? == "Namespaced",
                }))
            })
            .flatten();
        let json = body.to_string();
        Some(Self {
            namespace: text("/metadata/namespace"),
            name: text("/metadata/name")?,
            digest: sha256_hex(json.as_bytes()),
            gvk,
            origin,
            defines,
            wishes: Wishes::of(&body),
            body: Manifest::new(body, json),
            placed: Kept::default(),
            renamed: Kept::default(),
        })
    }

    /// The same manifest under another name, kept like [`Rendered::placed`]: a running Job has the name
    /// of its run in every decision. `None` if that leaves nothing that [`Rendered::new`] takes.
    pub fn renamed(&self, name: &str) -> Option<Arc<Self>> {
        let make = || {
            let mut body = self.body.value();
            *body.pointer_mut("/metadata/name")? = name.into();
            Self::new(body, self.origin.clone()).map(Arc::new)
        };
        match self.renamed.0.get() {
            Some(kept) if kept.name == name => Some(Arc::clone(kept)),
            Some(_) => make(),
            None => {
                let made = make()?;
                Some(Arc::clone(self.renamed.0.get_or_init(|| made)))
            }
        }
    }

    /// The object as the given stage applies it, at the scope that the target gives its kind.
    ///
    /// A decision places every object of a release anew, with the same answer as long as nothing
    /// changed; so the answer is kept with the manifest, and computed again when it doesn't fit.
    pub fn placed(
        &self,
        plural: &str,
        namespaced: bool,
        owner: &Owner,
        stage: &StageName,
    ) -> Arc<Desired> {
        let make = || {
            let namespace = namespaced.then(|| {
                self.namespace
                    .clone()
                    .unwrap_or_else(|| owner.namespace.clone())
            });
            Arc::new(Desired::new(self, plural, namespace, owner, stage))
        };
        let kept = self.placed.0.get_or_init(make);
        let fits = kept.reference.plural == plural
            && kept.reference.key.namespace.is_some() == namespaced
            && kept.stage == *stage
            && kept.owner == *owner;
        if fits { Arc::clone(kept) } else { make() }
    }
}

impl Rendered {
    /// Drops what decisions made of it, which is as large as the manifest: nobody will ask for it soon.
    pub fn rest(&mut self) {
        self.placed = Kept::default();
        self.renamed = Kept::default();
    }
}

/// What the annotations of a manifest ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wishes {
    force: bool,
    keep_existing: bool,
}

impl Wishes {
    fn of(body: &Value) -> Self {
        let annotation = |key| body.get("metadata")?.get("annotations")?.get(key)?.as_str();
        Self {
            // Any text but those that plainly mean the opposite.
            force: annotation(annotations::FORCE).is_some_and(|value| {
                let no = ["", "false", "disabled"];
                !no.iter().any(|no| value.eq_ignore_ascii_case(no))
            }),
            keep_existing: annotation(annotations::KEEP_EXISTING)
                .is_some_and(|value| value.eq_ignore_ascii_case("true")),
        }
    }
}

/// Derived from the manifest, so it takes no part in comparing manifests.
#[derive(Debug, Clone)]
struct Kept<T>(OnceLock<T>);

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(OnceLock::new())
    }
}

impl<T> PartialEq for Kept<T> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// Whose an object is, as its labels say.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Owner {
    /// Namespace of the StageSet.
    pub namespace: String,
    /// Name of the StageSet.
    pub name: String,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// An object to be applied: rendered, its namespace decided, and the labels that it will carry.
#[derive(Debug, Clone, PartialEq)]
pub struct Desired {
    /// Which object, at which version, under which resource name.
    pub reference: Reference,
    /// The StageSet that owns it.
    pub owner: Owner,
    /// The stage that applies it.
    pub stage: StageName,
    /// Equal digests for the same object mean equal requests: namespace and owner are part of the
    /// key, the content and the stage's label are part of this.
    pub digest: String,
    /// File, document and line, for messages.
    pub origin: String,
    /// The wave that it is applied in.
    pub wave: Wave,
    /// `stages.metio.wtf/force`: recreated when a field of it can't be changed.
    pub force: bool,
    /// `stages.metio.wtf/keep-existing`: left alone once it exists.
    pub keep_existing: bool,
    /// An action's, in no inventory: whoever looks for a stage's objects by their labels passes it over.
    pub transient: bool,
    /// The manifest as rendered; [`Desired::stamped`] is what is sent.
    pub body: Manifest,
}

impl Desired {
    /// Decides the namespace, and with it which object this is.
    pub fn new(
        rendered: &Rendered,
        plural: &str,
        namespace: Option<String>,
        owner: &Owner,
        stage: &StageName,
    ) -> Self {
        let key = ObjectKey {
            group: rendered.gvk.group.clone(),
            kind: rendered.gvk.kind.clone(),
            namespace,
            name: rendered.name.clone(),
        };
        Self {
            wave: Wave::of(&key),
            reference: Reference {
                key,
                version: rendered.gvk.version.clone(),
                plural: plural.into(),
            },
            owner: owner.clone(),
            stage: stage.clone(),
            digest: desired_digest(rendered, stage),
            force: rendered.wishes.force,
            keep_existing: rendered.wishes.keep_existing,
            transient: false,
            origin: rendered.origin.clone(),
            body: rendered.body.clone(),
        }
    }

    /// The same as an object of an action.
    #[must_use]
    pub fn as_transient(&self) -> Self {
        Self {
            digest: format!("{}/{}", self.digest, labels::TRANSIENT),
            transient: true,
            ..self.clone()
        }
    }

    /// The body that is sent: the manifest with ownership labels and namespace, without what only
    /// the server may set.
    pub fn stamped(&self) -> Value {
        let mut body = self.body.value();
        if let Some(object) = body.as_object_mut() {
            object.remove("status");
            let metadata = object
                .entry("metadata")
                .or_insert_with(|| Value::Object(serde_json::Map::new()));
            if let Some(metadata) = metadata.as_object_mut() {
                for server_owned in [
                    "managedFields",
                    "uid",
                    "resourceVersion",
                    "generation",
                    "creationTimestamp",
                    "selfLink",
                ] {
                    metadata.remove(server_owned);
                }
                match &self.reference.key.namespace {
                    Some(namespace) => {
                        metadata.insert("namespace".into(), namespace.clone().into());
                    }
                    None => {
                        metadata.remove("namespace");
                    }
                }
                let labels = metadata
                    .entry("labels")
                    .or_insert_with(|| Value::Object(serde_json::Map::new()));
                if !labels.is_object() {
                    *labels = Value::Object(serde_json::Map::new());
                }
                if let Some(labels) = labels.as_object_mut() {
                    labels.insert(labels::OWNER_NAME.into(), self.owner.name.clone().into());
                    labels.insert(
                        labels::OWNER_NAMESPACE.into(),
                        self.owner.namespace.clone().into(),
                    );
                    labels.insert(labels::STAGE.into(), self.stage.as_str().into());
                    // Nothing that a stage delivers hides behind it, whatever its manifest says.
                    if self.transient {
                        labels.insert(labels::TRANSIENT.into(), "true".into());
                    } else {
                        labels.remove(labels::TRANSIENT);
                    }
                }
            }
        }
        body
    }
}

fn desired_digest(rendered: &Rendered, stage: &StageName) -> String {
    let content = rendered.digest.get(..32).unwrap_or(&rendered.digest);
    let mut digest = String::with_capacity(content.len() + 1 + stage.as_str().len());
    digest.push_str(content);
    digest.push('/');
    digest.push_str(stage.as_str());
    digest
}

/// The labels that every applied object carries.
pub mod labels {
    /// Name of the owning StageSet.
    pub const OWNER_NAME: &str = "stages.metio.wtf/name";
    /// Namespace of the owning StageSet.
    pub const OWNER_NAMESPACE: &str = "stages.metio.wtf/namespace";
    /// The stage that applied the object.
    pub const STAGE: &str = "stages.metio.wtf/stage";
    /// `true` on objects of actions, which are in no inventory: a lost one that is recorded anew from
    /// labels must not take them in, or they would be pruned.
    pub const TRANSIENT: &str = "stages.metio.wtf/transient";
}

/// The annotations of a manifest that shape how it is applied.
pub mod annotations {
    /// Recreate the object when a field of it can't be changed.
    pub const FORCE: &str = "stages.metio.wtf/force";
    /// Create the object if it is absent, leave it alone otherwise.
    pub const KEEP_EXISTING: &str = "stages.metio.wtf/keep-existing";
}

/// sha256 of some bytes, in lower-case hex.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Bytes in lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    let text = digits.map(|digit| DIGITS[usize::from(digit)]).collect();
    // Digits are UTF-8, always.
    String::from_utf8(text).unwrap_or_default()
}
