//! Files in memory: what an artifact holds once it is unpacked.

use std::collections::BTreeMap;
use std::sync::Arc;

use thiserror::Error;

/// Files by path, in memory. Cloning is cheap: clones share the files.
///
/// Paths are relative, use `/`, and have neither empty, `.` nor `..` segments. Folders exist only
/// as prefixes of file paths.
///
/// ```
/// use stageset_render::Tree;
/// let tree = Tree::from_files([("apps/web.yaml", "kind: Service")])?;
/// assert_eq!(tree.get("apps/web.yaml"), Some(&b"kind: Service"[..]));
/// assert!(tree.has_folder("apps"));
/// # Ok::<(), stageset_render::TreeError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    files: Arc<BTreeMap<String, Arc<[u8]>>>,
}

/// Why files can't stand together in one [`Tree`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TreeError {
    /// An absolute path, an empty one, or one with an empty, `.` or `..` segment or a control
    /// character.
    #[error(
        "{path:?} is not a plain relative path: use segments joined by '/', without '.', '..' \
         or control characters"
    )]
    Path {
        /// The path as given.
        path: String,
    },
    /// Two files under one path.
    #[error("two files are named {path:?}")]
    Duplicate {
        /// The path of both.
        path: String,
    },
    /// A file stands where another file's path needs a folder.
    #[error("{file:?} is a file, so {below:?} can't lie below it")]
    FileAsFolder {
        /// The file.
        file: String,
        /// The path below it.
        below: String,
    },
}

impl Tree {
    /// A tree of these files, for tests, for the command line and for everything else that
    /// doesn't come out of an archive.
    pub fn from_files<P, B>(files: impl IntoIterator<Item = (P, B)>) -> Result<Self, TreeError>
    where
        P: Into<String>,
        B: AsRef<[u8]>,
    {
        let mut map = BTreeMap::new();
        for (path, bytes) in files {
            let path = path.into();
            if !is_plain(&path) {
                return Err(TreeError::Path { path });
            }
            if map
                .insert(path.clone(), Arc::from(bytes.as_ref()))
                .is_some()
            {
                return Err(TreeError::Duplicate { path });
            }
        }
        if let Some((file, below)) = file_as_folder(&map) {
            return Err(TreeError::FileAsFolder { file, below });
        }
        Ok(Self::from_checked(map))
    }

    /// A tree of files whose paths are known to be plain.
    pub(crate) fn from_checked(files: BTreeMap<String, Arc<[u8]>>) -> Self {
        Self {
            files: Arc::new(files),
        }
    }

    /// This tree with one file more, or another one in its place. The path is known to be plain.
    pub(crate) fn with(&self, path: String, bytes: &[u8]) -> Self {
        let mut files = BTreeMap::clone(&self.files);
        files.insert(path, Arc::from(bytes));
        Self::from_checked(files)
    }

    /// The bytes of the file at `path`.
    pub fn get(&self, path: &str) -> Option<&[u8]> {
        self.files.get(path).map(AsRef::as_ref)
    }

    /// Whether any file lies below the folder `path`. The empty path is the root, which every
    /// tree has.
    pub fn has_folder(&self, path: &str) -> bool {
        path.is_empty() || self.below(path).next().is_some()
    }

    /// All files, ordered by path.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files
            .iter()
            .map(|(path, bytes)| (path.as_str(), bytes.as_ref()))
    }

    /// The files below the folder `path` (all of them for the empty path), ordered by path.
    pub fn below(&self, path: &str) -> impl Iterator<Item = (&str, &[u8])> {
        let prefix = if path.is_empty() {
            String::new()
        } else {
            format!("{path}/")
        };
        self.files
            .range(prefix.clone()..)
            .take_while(move |(path, _)| path.starts_with(&prefix))
            .map(|(path, bytes)| (path.as_str(), bytes.as_ref()))
    }

    /// How many files the tree holds.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether the tree holds no file.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}

/// Whether this is a path as [`Tree`] keeps them.
fn is_plain(path: &str) -> bool {
    !path.contains(char::is_control)
        && path
            .split('/')
            .all(|segment| !matches!(segment, "" | "." | ".."))
}

/// The first file that another file's path needs as a folder.
pub(crate) fn file_as_folder<V>(files: &BTreeMap<String, V>) -> Option<(String, String)> {
    files.keys().find_map(|below| {
        below
            .match_indices('/')
            .map(|(at, _)| &below[..at])
            .find(|folder| files.contains_key(*folder))
            .map(|folder| (folder.to_owned(), below.clone()))
    })
}
