//! A text as it is kept while nobody looks at it.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;

/// A text in a third to a half of its room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Packed(Box<[u8]>);

impl Packed {
    /// Packs it; `None` if it would take more room, or can't be had back.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).ok()?;
        let packed = Self(encoder.finish().ok()?.into_boxed_slice());
        let fits = packed.0.len() < text.len() && packed.text().as_deref() == Some(text);
        fits.then_some(packed)
    }

    /// The text.
    pub(crate) fn text(&self) -> Option<String> {
        let mut text = String::new();
        DeflateDecoder::new(&*self.0)
            .read_to_string(&mut text)
            .ok()?;
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_what_comes_out() {
        let text = "kind: ConfigMap \u{1F600}\n".repeat(20);
        let packed = Packed::of(&text).unwrap();
        assert_eq!(packed.text(), Some(text.clone()));
        assert!(packed.0.len() < text.len() / 3);
    }

    #[test]
    fn what_would_take_more_room_is_left_alone() {
        assert_eq!(Packed::of(""), None);
        assert_eq!(Packed::of("a"), None);
    }
}
