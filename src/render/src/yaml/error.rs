//! What can be wrong with a YAML or JSON text.

use thiserror::Error;

/// A problem in a text, with the place.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("document {document}, line {line}: {fault}")]
pub struct YamlError {
    /// The document, counted from 1, empty ones included.
    pub document: usize,
    /// The line in the file, counted from 1.
    pub line: usize,
    /// What is wrong there.
    pub fault: YamlFault,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum YamlFault {
    /// Not UTF-8.
    #[error("the text is not UTF-8: save the file as UTF-8")]
    NotUtf8,
    /// A control character that YAML doesn't allow.
    #[error(
        "control character U+{code:04X} is not allowed: write it as an escape in double quotes"
    )]
    ControlCharacter {
        /// Its code point.
        code: u32,
    },
    /// The parser's own words.
    #[error("{message} (column {column})")]
    Syntax {
        /// What the parser found.
        message: String,
        /// The column, counted from 1.
        column: usize,
    },
    /// One key twice in one mapping.
    #[error("key {key:?} stands here and on line {first} of the same mapping: remove one")]
    DuplicateKey {
        /// The key.
        key: String,
        /// The line of its first value.
        first: usize,
    },
    /// A key that isn't a string.
    #[error("the key {key} is {kind}, but keys must be strings: put it in quotes")]
    KeyNotString {
        /// The key as written, cut to 100 characters, or what stands in its place.
        key: String,
        /// What it is.
        kind: &'static str,
    },
    /// `.inf`, `.nan`.
    #[error("{text} can't be written in JSON: put it in quotes if it is meant as text")]
    NotFinite {
        /// The number as written.
        text: String,
    },
    /// A block scalar where none can stand.
    #[error("a text that begins with '|', '>' or ':' can't stand in brackets: put it in quotes")]
    BlockInFlow,
    /// A tag that its value contradicts. The value itself isn't repeated: it may be a secret.
    #[error("{found} stands here, which is not a value of {tag}")]
    TagMismatch {
        /// The tag.
        tag: String,
        /// What the value is.
        found: &'static str,
    },
    /// `<<` with something else than mappings, or twice.
    #[error("a merge key (<<) takes a mapping or a list of mappings, once for each mapping")]
    BadMerge,
    /// An alias without its anchor, or within it.
    #[error(
        "an alias names an anchor that isn't complete here: define it earlier, \
             in the same document, and not around the alias"
    )]
    BadAlias,
    /// More than [`crate::Limits::manifest_bytes`].
    #[error("the file has {found} bytes, more than the limit of {limit}: split it")]
    TooLarge {
        /// Its size in bytes.
        found: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// More than [`crate::Limits::documents`].
    #[error("the file has more than the limit of {limit} documents: split it")]
    TooManyDocuments {
        /// The limit.
        limit: usize,
    },
    /// More than [`crate::Limits::depth`].
    #[error("values are nested deeper than the limit of {limit}")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
    /// More than [`crate::Limits::nodes`].
    #[error("the document has more than the limit of {limit} values: split it")]
    TooManyNodes {
        /// The limit.
        limit: usize,
    },
    /// More than [`crate::Limits::alias_nodes`].
    #[error("aliases and merge keys add more than the limit of {limit} values: write them out")]
    TooManyAliases {
        /// The limit.
        limit: usize,
    },
    /// More than [`crate::Limits::held_marks`].
    #[error(
        "a list or mapping in brackets that could be a key has more than the limit of {limit} signs \
         and spaces: write it without the outermost brackets, or split it"
    )]
    TooWide {
        /// The limit.
        limit: usize,
    },
    /// More than [`crate::Limits::alias_bytes`].
    #[error(
        "anchors and aliases repeat texts of more than the limit of {limit} bytes: write the text \
         once, into an object of its own"
    )]
    TooManyAliasBytes {
        /// The limit.
        limit: usize,
    },
}
