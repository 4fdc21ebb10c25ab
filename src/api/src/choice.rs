//! Closed sets of words, and fields that hold one of them or something else.
//!
//! The schema lets only the words through, but a bypassed admission or a file on disk may hold
//! anything. [`Choice`] keeps the odd text, so that the rule about the field can name it.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A closed set of words.
pub trait Words: Copy + Eq + fmt::Debug + 'static {
    /// Every member, in the order of the API contract.
    const ALL: &'static [Self];

    /// The word on the wire.
    fn as_str(self) -> &'static str;

    /// The member a word stands for.
    fn from_word(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|w| w.as_str() == text)
    }
}

/// The words of `W`, separated by `, `, for messages.
pub fn allowed<W: Words>() -> String {
    let words: Vec<&str> = W::ALL.iter().map(|w| w.as_str()).collect();
    words.join(", ")
}

/// A field that should hold one of the words of `W`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice<W> {
    /// One of the words.
    Known(W),
    /// Any other text.
    Unknown(String),
}

impl<W: Words> Choice<W> {
    /// The word, if it is one.
    pub fn known(&self) -> Option<W> {
        match self {
            Self::Known(word) => Some(*word),
            Self::Unknown(_) => None,
        }
    }

    /// The text as written.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Known(word) => word.as_str(),
            Self::Unknown(text) => text,
        }
    }
}

impl<W: Words> From<W> for Choice<W> {
    fn from(word: W) -> Self {
        Self::Known(word)
    }
}

impl<W: Words> Serialize for Choice<W> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de, W: Words> Deserialize<'de> for Choice<W> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(W::from_word(&text).map_or(Self::Unknown(text), Self::Known))
    }
}

#[cfg(feature = "crd")]
impl<W: Words + schemars::JsonSchema> schemars::JsonSchema for Choice<W> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        W::schema_name()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        W::json_schema(generator)
    }
}

/// Declares a closed set of words as an enum.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $crate::choice::Words for $name {
            const ALL: &'static [Self] = &[$(Self::$variant),+];

            fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str($crate::choice::Words::as_str(*self))
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str($crate::choice::Words::as_str(*self))
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                <Self as $crate::choice::Words>::from_word(&text).ok_or_else(|| {
                    serde::de::Error::custom(format_args!(
                        "{text:?} is none of {}", $crate::choice::allowed::<Self>()
                    ))
                })
            }
        }

        #[cfg(feature = "crd")]
        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "enum": [$($word),+] })
            }
        }
    };
}
pub(crate) use words;
