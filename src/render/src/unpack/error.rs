//! What can be wrong with an artifact.

use thiserror::Error;

use crate::Digest;

/// Why an artifact was refused. Nothing of it is used then.
///
/// Every variant says which entry it is about, as far as there is one, and what to do. Names of
/// entries stand quoted and escaped, since a tenant chose them.
#[derive(Debug, Error)]
pub enum UnpackError {
    /// More compressed bytes than [`crate::Limits::artifact_bytes`].
    #[error(
        "the artifact has {found} bytes, more than the limit of {limit}: \
         leave files out at the source"
    )]
    ArtifactTooLarge {
        /// Its size in bytes.
        found: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The bytes aren't those that the source announced.
    #[error(
        "the artifact's digest is {found}, but the source announced {expected}: it was altered \
         or cut short on its way, or replaced meanwhile; let the source produce it again"
    )]
    WrongDigest {
        /// The digest that the source announced.
        expected: Digest,
        /// The digest of the bytes.
        found: Digest,
    },
    /// The bytes don't begin like gzip.
    #[error("the artifact is not gzip-compressed: expected a .tar.gz archive")]
    NotGzip,
    /// The compressed data contradicts itself or its checksum.
    #[error("the artifact's gzip data is corrupt{}: let the source produce it again", near(.entry.as_deref()))]
    CorruptGzip {
        /// The entry that was being read, if any.
        entry: Option<String>,
        /// What the decoder found.
        #[source]
        source: std::io::Error,
    },
    /// The archive stops in the middle of something.
    #[error("the archive ends too early{}: let the source produce it again", near(.entry.as_deref()))]
    Truncated {
        /// The entry that was being read, if any.
        entry: Option<String>,
    },
    /// The archive stops without the two zero blocks that end one.
    #[error("the archive has no end marker: it was cut short; let the source produce it again")]
    NoEnd,
    /// Bytes follow the end of the archive, or of the gzip stream.
    #[error(
        "bytes follow the end of the {of}: an artifact is one archive in one gzip stream; \
         let the source produce it again"
    )]
    TrailingBytes {
        /// What had ended: `"archive"` or `"gzip stream"`.
        of: &'static str,
    },
    /// More inflated bytes than [`crate::Limits::stream_bytes`].
    #[error(
        "the artifact inflates to more than the limit of {limit} bytes{}: \
         leave files out at the source",
        near(.entry.as_deref())
    )]
    StreamTooLarge {
        /// The entry that was being read, if any.
        entry: Option<String>,
        /// The limit in bytes.
        limit: u64,
    },
    /// One file larger than [`crate::Limits::entry_bytes`].
    #[error(
        "entry {entry:?} has {found} bytes, more than the limit of {limit}: \
         leave it out at the source"
    )]
    EntryTooLarge {
        /// The entry.
        entry: String,
        /// Its size in bytes.
        found: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// All files together larger than [`crate::Limits::extracted_bytes`].
    #[error(
        "with entry {entry:?} the files have more than the limit of {limit} bytes together: \
         leave files out at the source"
    )]
    ExtractedTooLarge {
        /// The entry that exceeds the limit.
        entry: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// More files than [`crate::Limits::files`].
    #[error(
        "with entry {entry:?} the archive has more than the limit of {limit} files: \
         leave files out at the source"
    )]
    TooManyFiles {
        /// The entry that exceeds the limit.
        entry: String,
        /// The limit.
        limit: usize,
    },
    /// All names together longer than [`crate::Limits::names_bytes`].
    #[error(
        "with entry {entry:?} the names of all files have more than the limit of {limit} bytes: \
         leave files out at the source, or give folders shorter names"
    )]
    NamesTooLong {
        /// The entry that exceeds the limit.
        entry: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// An extended header larger than [`crate::Limits::header_bytes`].
    #[error(
        "the extended header {entry:?} has {found} bytes, more than the limit of {limit}: \
         pack the archive without extended attributes"
    )]
    HeaderTooLarge {
        /// The name in the extended header's own header.
        entry: String,
        /// Its size in bytes.
        found: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// A header that isn't well-formed.
    #[error(
        "the archive header at byte {offset} is malformed ({what}): \
         pack the archive with a common tar writer"
    )]
    BadHeader {
        /// Where the header begins in the inflated stream.
        offset: u64,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A name that can't be a path.
    #[error("entry {entry:?} {what}: rename it at the source")]
    BadName {
        /// The entry.
        entry: String,
        /// What is wrong with its name.
        what: &'static str,
    },
    /// A path longer than [`crate::Limits::path_bytes`].
    #[error(
        "an entry's path has {found} bytes, more than the limit of {limit}; \
         it begins {start:?}: rename it at the source"
    )]
    PathTooLong {
        /// The first 100 characters.
        start: String,
        /// Its length in bytes.
        found: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// A name that begins with `/`.
    #[error("entry {entry:?} is an absolute path: pack the archive with relative paths")]
    AbsolutePath {
        /// The entry.
        entry: String,
    },
    /// A name with a `..` segment.
    #[error("entry {entry:?} leaves its folder with '..': pack the archive without such paths")]
    ParentPath {
        /// The entry.
        entry: String,
    },
    /// A symbolic link.
    #[error(
        "entry {entry:?} is a symbolic link to {target:?}: links are not supported; \
         put the file itself there, or exclude the link at the source"
    )]
    SymbolicLink {
        /// The entry.
        entry: String,
        /// Where it points.
        target: String,
    },
    /// A hard link.
    #[error(
        "entry {entry:?} is a hard link to {target:?}: links are not supported; \
         pack the archive with hard links dereferenced"
    )]
    HardLink {
        /// The entry.
        entry: String,
        /// Where it points.
        target: String,
    },
    /// A character device, block device or named pipe.
    #[error("entry {entry:?} is a {kind}: only files and folders are supported; leave it out")]
    Device {
        /// The entry.
        entry: String,
        /// What it is.
        kind: &'static str,
    },
    /// A sparse file in any of the ways that tar writes one.
    #[error("entry {entry:?} is a sparse file: not supported; pack the archive without --sparse")]
    Sparse {
        /// The entry.
        entry: String,
    },
    /// A kind of entry that this reader doesn't know.
    #[error("entry {entry:?} is of the unsupported archive type {flag:?}: leave it out")]
    UnsupportedType {
        /// The entry.
        entry: String,
        /// Its type flag.
        flag: char,
    },
    /// Two files of one name.
    #[error("the archive holds entry {entry:?} twice: which one is meant can't be told")]
    Duplicate {
        /// The entry.
        entry: String,
    },
    /// Two files whose different names mean one path.
    #[error(
        "entries {first:?} and {second:?} are both the path {path:?}: \
         which one is meant can't be told; leave one out"
    )]
    SamePath {
        /// The name that came first.
        first: String,
        /// The name that came later.
        second: String,
        /// The path that both mean.
        path: String,
    },
    /// A file where another entry needs a folder.
    #[error("entry {file:?} is a file, but {below:?} lies below it: leave one out")]
    FileAsFolder {
        /// The file.
        file: String,
        /// The entry below it.
        below: String,
    },
}

/// " in or after entry …" for messages about a place in the stream.
fn near(entry: Option<&str>) -> String {
    entry.map_or_else(String::new, |name| format!(" in or after entry {name:?}"))
}
