//! From an artifact's bytes to a [`Tree`], in memory and within bounds.
//!
//! A small reader of our own rather than a general tar library: what is wanted is refusing
//! everything but plain files and folders, each with its own error, and general libraries are
//! made to do the opposite (they resolve links, expand sparse files, forgive bad headers).
//!
//! What is read: v7, ustar, GNU (long names) and PAX archives in one gzip stream. Dotfiles and
//! dot-folders are skipped, whatever they are; everything else that `attacks.md` A15 lists is an
//! error.

mod error;
mod header;
mod inflate;
mod name;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use error::UnpackError;

use self::header::{BLOCK, Header, Pax};
use self::inflate::Inflate;
use self::name::Name;
use crate::tree::file_as_folder;
use crate::{Digest, Limits, Tree};

/// Unpacks a `.tar.gz` artifact after checking its digest.
///
/// ```
/// use stageset_render::{Limits, Tree, pack, unpack};
/// let tree = Tree::from_files([("app.yaml", "kind: ConfigMap")])?;
/// let (bytes, digest) = pack(&tree);
/// assert_eq!(unpack(&bytes, &digest, &Limits::default())?, tree);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn unpack(bytes: &[u8], digest: &Digest, limits: &Limits) -> Result<Tree, UnpackError> {
    let size = bytes.len() as u64;
    if size > limits.artifact_bytes {
        return Err(UnpackError::ArtifactTooLarge {
            found: size,
            limit: limits.artifact_bytes,
        });
    }
    let found = Digest::of(bytes);
    if found != *digest {
        return Err(UnpackError::WrongDigest {
            expected: *digest,
            found,
        });
    }
    let mut reader = Reader {
        stream: Inflate::new(bytes, limits.stream_bytes)?,
        limits,
        extracted: 0,
        names: 0,
        files: BTreeMap::new(),
    };
    while reader.entry()? {}
    reader.stream.finish()?;
    let files: BTreeMap<String, Arc<[u8]>> = reader
        .files
        .into_iter()
        .map(|(path, file)| (path, file.bytes))
        .collect();
    if let Some((file, below)) = file_as_folder(&files) {
        return Err(UnpackError::FileAsFolder { file, below });
    }
    Ok(Tree::from_checked(files))
}

struct File {
    /// As the archive spells its name, where that isn't its path.
    raw: Option<String>,
    bytes: Arc<[u8]>,
}

struct Reader<'a> {
    stream: Inflate<'a>,
    limits: &'a Limits,
    /// Bytes of all files kept so far.
    extracted: u64,
    /// Bytes of all names kept so far.
    names: usize,
    files: BTreeMap<String, File>,
}

/// Headers that describe the entry after them.
#[derive(Default)]
struct Extension {
    pax: Option<Pax>,
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
}

impl Extension {
    fn is_empty(&self) -> bool {
        self.pax.is_none() && self.name.is_none() && self.link.is_none()
    }
}

impl Reader<'_> {
    /// Reads one entry with the headers that extend it; false at the end marker.
    fn entry(&mut self) -> Result<bool, UnpackError> {
        let mut extension = Extension::default();
        loop {
            let offset = self.stream.offset;
            let bad = |what| UnpackError::BadHeader { offset, what };
            let mut block = [0_u8; BLOCK];
            match self.stream.fill(&mut block)? {
                0 if extension.is_empty() => return Err(UnpackError::NoEnd),
                BLOCK => {}
                _ => {
                    return Err(UnpackError::Truncated {
                        entry: self.stream.entry.take(),
                    });
                }
            }
            if block == [0; BLOCK] {
                if !extension.is_empty() {
                    return Err(bad("an extended header has no entry after it"));
                }
                return match self.stream.fill(&mut block)? {
                    BLOCK if block == [0; BLOCK] => Ok(false),
                    BLOCK => Err(bad("a single zero block stands between entries")),
                    _ => Err(UnpackError::NoEnd),
                };
            }
            let header = Header::parse(&block).map_err(bad)?;
            let twice = || bad("two extended headers of one type precede one entry");
            match header.flag {
                b'x' => {
                    let pax = Pax::parse(&self.extended(&header)?).map_err(bad)?;
                    if extension.pax.replace(pax).is_some() {
                        return Err(twice());
                    }
                }
                b'g' => {
                    // `git archive` writes the commit here; what would rename or resize every
                    // entry after it has no honest use.
                    if !Pax::parse(&self.extended(&header)?)
                        .map_err(bad)?
                        .is_empty()
                    {
                        return Err(bad("a global extended header sets a path or size"));
                    }
                }
                b'L' => {
                    if extension.name.replace(self.long_text(&header)?).is_some() {
                        return Err(twice());
                    }
                }
                b'K' => {
                    if extension.link.replace(self.long_text(&header)?).is_some() {
                        return Err(twice());
                    }
                }
                _ => {
                    self.contents(header, extension, offset)?;
                    return Ok(true);
                }
            }
        }
    }

    /// The contents of an extended header.
    fn extended(&mut self, header: &Header) -> Result<Vec<u8>, UnpackError> {
        if header.size > self.limits.header_bytes {
            return Err(UnpackError::HeaderTooLarge {
                entry: String::from_utf8_lossy(&header.name).into_owned(),
                found: header.size,
                limit: self.limits.header_bytes,
            });
        }
        self.read(header.size)
    }

    /// The contents of GNU's long name and long link headers, which end with a NUL.
    fn long_text(&mut self, header: &Header) -> Result<Vec<u8>, UnpackError> {
        let mut text = self.extended(header)?;
        while text.last() == Some(&0) {
            text.pop();
        }
        Ok(text)
    }

    /// Reads `size` bytes and the padding after them. The caller has bounded `size`.
    fn read(&mut self, size: u64) -> Result<Vec<u8>, UnpackError> {
        let length = usize::try_from(size).unwrap_or(usize::MAX);
        let mut bytes = vec![0; length];
        self.stream.fill_all(&mut bytes)?;
        self.stream.skip(padding(size))?;
        Ok(bytes)
    }

    /// Judges a header that stands for an entry, and keeps the entry's contents if it is a file.
    fn contents(
        &mut self,
        header: Header,
        extension: Extension,
        offset: u64,
    ) -> Result<(), UnpackError> {
        let pax = extension.pax.unwrap_or_default();
        let size = pax.size.unwrap_or(header.size);
        let raw = pax.path.or(extension.name).unwrap_or(header.name);
        let name = Name::parse(raw, self.limits.path_bytes)?;
        self.stream.entry = Some(name.raw.clone());
        let has_contents = !matches!(header.flag, b'1'..=b'6');
        if size > 0 && !has_contents {
            let what = "a folder, link or device has contents";
            return Err(UnpackError::BadHeader { offset, what });
        }
        if name.hidden {
            return self.stream.skip(size.saturating_add(padding(size)));
        }
        let entry = name.raw.clone();
        let link = pax.link.or(extension.link).unwrap_or(header.link);
        let target = String::from_utf8_lossy(&link).into_owned();
        match header.flag {
            _ if pax.sparse => Err(UnpackError::Sparse { entry }),
            b'0' | 0 | b'7' if name.folder && size == 0 => Ok(()),
            b'0' | 0 | b'7' => self.keep(name, size),
            b'5' => Ok(()),
            b'1' => Err(UnpackError::HardLink { entry, target }),
            b'2' => Err(UnpackError::SymbolicLink { entry, target }),
            b'3' => Err(UnpackError::Device {
                entry,
                kind: "character device",
            }),
            b'4' => Err(UnpackError::Device {
                entry,
                kind: "block device",
            }),
            b'6' => Err(UnpackError::Device {
                entry,
                kind: "named pipe",
            }),
            b'S' => Err(UnpackError::Sparse { entry }),
            flag => Err(UnpackError::UnsupportedType {
                entry,
                flag: char::from(flag),
            }),
        }
    }

    fn keep(&mut self, name: Name, size: u64) -> Result<(), UnpackError> {
        let entry = name.raw;
        if name.folder || name.path.is_empty() {
            let what = "is a file, but has the name of a folder";
            return Err(UnpackError::BadName { entry, what });
        }
        if let Some(first) = self.files.get(&name.path) {
            let first = first.raw.as_ref().unwrap_or(&name.path);
            return Err(if *first == entry {
                UnpackError::Duplicate { entry }
            } else {
                UnpackError::SamePath {
                    first: first.clone(),
                    second: entry,
                    path: name.path,
                }
            });
        }
        let limit = self.limits.files;
        if self.files.len() >= limit {
            return Err(UnpackError::TooManyFiles { entry, limit });
        }
        let raw = (entry != name.path).then(|| entry.clone());
        self.names += name.path.len() + raw.as_ref().map_or(0, String::len);
        let limit = self.limits.names_bytes;
        if self.names > limit {
            return Err(UnpackError::NamesTooLong { entry, limit });
        }
        let limit = self.limits.entry_bytes;
        if size > limit {
            return Err(UnpackError::EntryTooLarge {
                entry,
                found: size,
                limit,
            });
        }
        let limit = self.limits.extracted_bytes;
        self.extracted = self.extracted.saturating_add(size);
        if self.extracted > limit {
            return Err(UnpackError::ExtractedTooLarge { entry, limit });
        }
        let bytes = Arc::from(self.read(size)?);
        self.files.insert(name.path, File { raw, bytes });
        Ok(())
    }
}

/// Zero bytes between contents of this size and the next header.
fn padding(size: u64) -> u64 {
    (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64
}
