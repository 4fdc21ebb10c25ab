//! An object as it is kept between two looks at it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use stageset_api::field::text_field;
use stageset_core::manifest::Manifest;

use crate::packed::Packed;

const UID: &str = "/metadata/uid";
const VERSION: &str = "/metadata/resourceVersion";

/// An object, its uid and its version at hand. Clones share it.
#[derive(Clone)]
pub struct Stored(Arc<Parts>);

struct Parts {
    uid: Option<Box<str>>,
    version: Option<Box<str>>,
    body: Mutex<Body>,
}

enum Body {
    Tree(Arc<Value>),
    Text(Manifest),
    Packed(Packed),
}

impl Stored {
    /// Keeps an object that is looked at now and then as text: a tree takes five times as much.
    pub fn packed(object: Value) -> Self {
        let (uid, version) = (text(&object, UID), text(&object, VERSION));
        Self::with(uid, version, Body::Text(Manifest::of(object)))
    }

    /// The object; read anew each time if it is kept as text.
    pub fn value(&self) -> Arc<Value> {
        match &*self.body() {
            Body::Tree(object) => Arc::clone(object),
            Body::Text(text) => Arc::new(text.value()),
            Body::Packed(packed) => {
                // It was read when it was packed.
                let text = packed.text().unwrap_or_default();
                Arc::new(serde_json::from_str(&text).unwrap_or_default())
            }
        }
    }

    /// Makes it small, for all who share it: nobody is expected to look at it for a while.
    pub fn put_away(&self) {
        let mut body = self.body();
        let text = match &*body {
            Body::Tree(object) => Manifest::of((**object).clone()),
            Body::Text(text) => text.clone(),
            Body::Packed(_) => return,
        };
        if let Some(packed) = text.text().and_then(Packed::of) {
            *body = Body::Packed(packed);
        }
    }

    fn body(&self) -> std::sync::MutexGuard<'_, Body> {
        self.0.body.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with(uid: Option<Box<str>>, version: Option<Box<str>>, body: Body) -> Self {
        let body = Mutex::new(body);
        Self(Arc::new(Parts { uid, version, body }))
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
        Self::with(uid, version, Body::Tree(object))
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

/// Whether one `resourceVersion` is later than another of the same server: as numbers (KEP-5504). Of two
/// that can't be compared, the newest word counts.
pub fn is_newer(one: &str, other: &str) -> bool {
    match (one.parse::<u64>(), other.parse::<u64>()) {
        (Ok(one), Ok(other)) => one > other,
        _ => one != other,
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
        let away = Stored::packed(object.clone());
        let shared = away.clone();
        away.put_away();
        assert!(
            matches!(*shared.body(), Body::Text(_)),
            "too short to be worth it"
        );
        let mut long = object.clone();
        long["spec"] = json!({ "text": "over and over ".repeat(20) });
        for stored in [Stored::packed(long.clone()), long.clone().into()] {
            let shared = stored.clone();
            stored.put_away();
            assert!(matches!(*shared.body(), Body::Packed(_)));
            assert_eq!(*shared.value(), long);
            assert_eq!((shared.uid(), shared.version()), (Some("u"), Some("7")));
        }
        for kept in [away, Stored::packed(object.clone()), object.clone().into()] {
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
