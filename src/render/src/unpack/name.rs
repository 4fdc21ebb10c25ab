//! What an entry's name means: a path, a thing to skip, or an attack.

use super::UnpackError;

/// A name that may be used.
pub(super) struct Name {
    /// As the archive spells it.
    pub(super) raw: String,
    /// Without empty and `.` segments. Empty for the archive's root.
    pub(super) path: String,
    /// It ends with a slash, as names of folders do.
    pub(super) folder: bool,
    /// A dotfile, or something below a dot-folder: skipped (K28 of `decisions.md`).
    pub(super) hidden: bool,
}

impl Name {
    pub(super) fn parse(bytes: Vec<u8>, limit: usize) -> Result<Self, UnpackError> {
        if bytes.len() > limit {
            let start = String::from_utf8_lossy(&bytes).chars().take(100).collect();
            return Err(UnpackError::PathTooLong {
                start,
                found: bytes.len(),
                limit,
            });
        }
        let raw = String::from_utf8(bytes).map_err(|error| UnpackError::BadName {
            entry: String::from_utf8_lossy(error.as_bytes()).into_owned(),
            what: "has a name that is not UTF-8",
        })?;
        if raw.is_empty() {
            return Err(UnpackError::BadName {
                entry: raw,
                what: "has an empty name",
            });
        }
        if raw.contains(char::is_control) {
            let what = "has control characters in its name";
            return Err(UnpackError::BadName { entry: raw, what });
        }
        if raw.starts_with('/') {
            return Err(UnpackError::AbsolutePath { entry: raw });
        }
        let mut path = String::with_capacity(raw.len());
        let mut hidden = false;
        for segment in raw.split('/') {
            match segment {
                "" | "." => continue,
                ".." => return Err(UnpackError::ParentPath { entry: raw }),
                _ => hidden |= segment.starts_with('.'),
            }
            if !path.is_empty() {
                path.push('/');
            }
            path.push_str(segment);
        }
        Ok(Self {
            folder: raw.ends_with('/'),
            path,
            hidden,
            raw,
        })
    }
}
