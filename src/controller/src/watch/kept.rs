//! What a watch keeps of an object: enough to tell news from repetitions, in as little room as can be.
//! Of ten thousand StageSets there are forty thousand of these.

use crate::queue::Key;

/// What is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    /// `metadata.resourceVersion`.
    pub(super) version: Text<10>,
    /// The fingerprint of what is ours ([`stageset_core::judge::live::entry_of_metadata`]).
    pub(super) entry: Option<Text<16>>,
    /// The StageSet that its labels name.
    pub(super) owner: Option<Owner>,
}

/// A text that nearly always is a number, written with this base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Text<const BASE: u32> {
    Number(u64),
    Other(Box<str>),
}

impl<const BASE: u32> Text<BASE> {
    pub(super) fn of(text: &str) -> Self {
        match u64::from_str_radix(text, BASE) {
            // Written otherwise, with zeros in front, say, it wouldn't come back as it was.
            Ok(number) if written::<BASE>(number) == text => Self::Number(number),
            _ => Self::Other(text.into()),
        }
    }

    pub(super) fn text(&self) -> String {
        match self {
            Self::Number(number) => written::<BASE>(*number),
            Self::Other(text) => text.to_string(),
        }
    }
}

fn written<const BASE: u32>(number: u64) -> String {
    if BASE == 16 {
        format!("{number:016x}")
    } else {
        number.to_string()
    }
}

/// A StageSet: nearly always one of the namespace that is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Owner {
    Here(Box<str>),
    Elsewhere(Key),
}

impl Owner {
    pub(super) fn of(watched: Option<&str>, namespace: &str, name: &str) -> Self {
        if watched == Some(namespace) {
            Self::Here(name.into())
        } else {
            Self::Elsewhere(Key::new(namespace, name))
        }
    }

    pub(super) fn key(&self, watched: Option<&str>) -> Key {
        match self {
            Self::Here(name) => Key::new(watched.unwrap_or_default(), &**name),
            Self::Elsewhere(key) => key.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_comes_back_as_it_was() {
        for text in [
            "",
            "0",
            "7",
            "007",
            "+7",
            "-7",
            "18446744073709551616",
            "abc",
            "0a",
        ] {
            assert_eq!(Text::<10>::of(text).text(), text);
            assert_eq!(Text::<16>::of(text).text(), text);
        }
        for text in [
            "0123456789abcdef",
            "ffffffffffffffff",
            "0123456789ABCDEF",
            "123",
        ] {
            assert_eq!(Text::<16>::of(text).text(), text);
        }
        assert_eq!(Text::<10>::of("123456"), Text::Number(123_456));
        assert_eq!(Text::<16>::of("00000000000000ff"), Text::Number(255));
    }

    #[test]
    fn an_owner_is_who_it_was() {
        for (watched, namespace) in [
            (Some("shop"), "shop"),
            (Some("shop"), "other"),
            (None, "shop"),
        ] {
            let owner = Owner::of(watched, namespace, "web");
            assert_eq!(owner.key(watched), Key::new(namespace, "web"));
        }
    }
}
