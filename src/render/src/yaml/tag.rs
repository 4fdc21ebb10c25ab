//! What a scalar is by its tag, its quotes, and its text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use saphyr_parser::{ScalarStyle, Tag};

use super::YamlFault;
use super::node::{Data, Numeral};
use super::scalar::{self, Dialect, Scalar};
use super::timestamp;

/// The name after `!!`, or nothing for the bare `!`; `None` for any other tag.
pub(super) fn core_tag(tag: &Tag) -> Option<&str> {
    if tag.is_yaml_core_schema() {
        Some(&tag.suffix)
    } else if let Some(name) = tag
        .suffix
        .strip_prefix("tag:yaml.org,2002:")
        .filter(|_| tag.handle.is_empty())
    {
        Some(name)
    } else {
        let bare = matches!(
            (tag.handle.as_str(), tag.suffix.as_str()),
            ("" | "!", "") | ("", "!")
        );
        bare.then_some("")
    }
}

pub(super) fn scalar_data(
    text: &str,
    style: ScalarStyle,
    tag: Option<&Tag>,
    dialect: Dialect,
) -> Result<Data, YamlFault> {
    let owned = || Data::String(text.to_owned());
    let not_finite = || YamlFault::NotFinite {
        text: text.to_owned(),
    };
    let Some(tag) = tag.filter(|tag| core_tag(tag) != Some("")) else {
        return if style == ScalarStyle::Plain {
            resolved(text, dialect).ok_or_else(not_finite)
        } else {
            Ok(owned())
        };
    };
    let mismatch = |name: &str| YamlFault::TagMismatch {
        tag: format!("!!{name}"),
        found: "another scalar",
    };
    let value = match core_tag(tag) {
        Some("str") => Some(owned()),
        Some("int") => match scalar::resolve(text, dialect) {
            Scalar::Int(number) => Some(Data::Number(Numeral::new(number, text))),
            _ => None,
        },
        Some("float") => match scalar::resolve(text, dialect) {
            Scalar::Int(number) => Some(Data::Number(Numeral::new(number, text))),
            Scalar::Float(float) => {
                scalar::number(float).map(|number| Data::Number(Numeral::new(number, text)))
            }
            Scalar::NotFinite => return Err(not_finite()),
            _ => None,
        },
        Some("bool") => match scalar::resolve(text, dialect) {
            Scalar::Bool(value) => Some(Data::Bool(value)),
            _ => None,
        },
        Some("null") => (scalar::resolve(text, dialect) == Scalar::Null).then_some(Data::Null),
        Some("timestamp") => timestamp::full(text).map(|_| Data::Timestamp(text.to_owned())),
        Some("binary") => STANDARD
            .decode(text.split_whitespace().collect::<String>())
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .map(Data::String),
        Some("map" | "seq") => None,
        // Kustomize drops all others, but what they stand at is a text.
        _ => Some(owned()),
    };
    value.ok_or_else(|| mismatch(core_tag(tag).unwrap_or_default()))
}

/// A plain scalar's data; `None` for infinities and NaN.
pub(super) fn resolved(text: &str, dialect: Dialect) -> Option<Data> {
    let number = |number| Data::Number(Numeral::new(number, text));
    match scalar::resolve(text, dialect) {
        Scalar::Null if text.is_empty() => Some(Data::Blank),
        Scalar::Null => Some(Data::Null),
        Scalar::Bool(value) => Some(Data::Bool(value)),
        Scalar::Int(int) => Some(number(int)),
        Scalar::Float(float) => scalar::number(float).map(number),
        Scalar::NotFinite => None,
        Scalar::Time => Some(Data::Timestamp(text.to_owned())),
        Scalar::Text => Some(Data::String(text.to_owned())),
    }
}
