//! An object as it is kept between two looks at it.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;
use stageset_api::field::text_field;
use stageset_core::manifest::Manifest;

const UID: &str = "/metadata/uid";
const VERSION: &str = "/metadata/resourceVersion";

/// An object, its uid and its version at hand. Clones share it.
#[derive(Clone)]
pub struct Stored(Arc<Parts>);

struct Parts {
    uid: Option<Box<str>>,
    version: Option<Box<str>>,
    body: Body,
}

enum Body {
    Tree(Arc<Value>),
    Text(Manifest),
}

impl Stored {
    /// Keeps an object that is looked at now and then as text: a tree takes five times as much.
    pub fn packed(object: Value) -> Self {
        let (uid, version) = (text(&object, UID), text(&object, VERSION));
        let body = Body::Text(Manifest::of(object));
        Self(Arc::new(Parts { uid, version, body }))
    }

    /// The object; read anew each time if it is kept as text.
    pub fn value(&self) -> Arc<Value> {
        match &self.0.body {
            Body::Tree(object) => Arc::clone(object),
            Body::Text(text) => Arc::new(text.value()),
        }
    }

    /// `metadata.uid`.
    pub fn uid(&self) -> Option<&str> {
        self.0.uid.as_deref()
    }

    /// `metadata.resourceVersion`.
    pub fn version(&self) -> Option<&str> {
        self.0.version.as_deref()
    }

    /// Whether both show one state of one object.
    pub fn is_same_state(&self, other: &Self) -> bool {
        self.version().is_some() && (self.version(), self.uid()) == (other.version(), other.uid())
    }
}

impl From<Value> for Stored {
    fn from(object: Value) -> Self {
        Arc::new(object).into()
    }
}

impl From<Arc<Value>> for Stored {
    fn from(object: Arc<Value>) -> Self {
        let (uid, version) = (text(&object, UID), text(&object, VERSION));
        let body = Body::Tree(object);
        Self(Arc::new(Parts { uid, version, body }))
    }
}

fn text(object: &Value, path: &str) -> Option<Box<str>> {
    text_field(object, path).map(Into::into)
}

impl PartialEq for Stored {
    fn eq(&self, other: &Self) -> bool {
        self.value() == other.value()
    }
}

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn however_it_is_kept_it_is_the_same() {
        let object = json!({
            "metadata": { "name": "a", "uid": "u", "resourceVersion": "7", "generation": 3 },
            "spec": { "text": "\u{1F600} \"quoted\"\n", "float": 0.1, "none": null },
        });
        for kept in [Stored::packed(object.clone()), object.clone().into()] {
            assert_eq!(*kept.value(), object);
            assert_eq!((kept.uid(), kept.version()), (Some("u"), Some("7")));
        }
        assert!(Stored::packed(object.clone()).is_same_state(&object.into()));
    }

    #[test]
    fn what_has_no_version_is_never_known_to_be_the_same() {
        let bare = Stored::from(json!({ "metadata": { "uid": "u" } }));
        assert!(!bare.is_same_state(&bare.clone()));
    }
}
