//! The digest that ties an artifact's bytes to what a source announced.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// A sha256 digest, written `sha256:` and 64 lower-case hexadecimal digits.
///
/// ```
/// use stageset_render::Digest;
/// let digest: Digest =
///     "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855".parse()?;
/// assert_eq!(digest, Digest::of(b""));
/// # Ok::<(), stageset_render::DigestError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

/// Why a text is no digest that this crate can check.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DigestError {
    /// Another algorithm than sha256.
    #[error(
        "digest algorithm {algorithm:?} is not supported by this version: \
         let the source announce a sha256 digest"
    )]
    Algorithm {
        /// The name before the colon.
        algorithm: String,
    },
    /// Not of the form `sha256:<64 hexadecimal digits>`.
    #[error("{found:?} is not a digest: expected sha256: and 64 lower-case hexadecimal digits")]
    Malformed {
        /// The text as given, cut to 100 characters.
        found: String,
    },
}

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = || DigestError::Malformed {
            found: text.chars().take(100).collect(),
        };
        let (algorithm, hex) = text.split_once(':').ok_or_else(malformed)?;
        if algorithm != "sha256" {
            let plain = |c: char| c.is_ascii_alphanumeric() || "+._-".contains(c);
            if algorithm.is_empty() || algorithm.len() > 32 || !algorithm.chars().all(plain) {
                return Err(malformed());
            }
            return Err(DigestError::Algorithm {
                algorithm: algorithm.to_owned(),
            });
        }
        let digits = hex.as_bytes();
        if digits.len() != 64 {
            return Err(malformed());
        }
        let mut bytes = [0_u8; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let high = nibble(pair[0]).ok_or_else(malformed)?;
            let low = nibble(pair[1]).ok_or_else(malformed)?;
            *byte = high << 4 | low;
        }
        Ok(Self(bytes))
    }
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
