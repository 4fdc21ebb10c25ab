//! Archives made byte by byte, so that they can be wrong in every way.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use stageset_render::{Digest, Limits, Tree, UnpackError};

/// One entry: its header's fields and its contents.
#[derive(Clone)]
pub(crate) struct Entry {
    name: Vec<u8>,
    flag: u8,
    link: Vec<u8>,
    contents: Vec<u8>,
    size: Option<Vec<u8>>,
    magic: &'static [u8],
    prefix: Vec<u8>,
}

pub(crate) fn file(name: &str, contents: impl AsRef<[u8]>) -> Entry {
    typed(name, b'0').contents(contents)
}

pub(crate) fn typed(name: impl AsRef<[u8]>, flag: u8) -> Entry {
    Entry {
        name: name.as_ref().to_vec(),
        flag,
        link: Vec::new(),
        contents: Vec::new(),
        size: None,
        magic: b"ustar\x0000",
        prefix: Vec::new(),
    }
}

/// A PAX header with these records, for the entry after it.
pub(crate) fn pax(records: &[(&str, &str)]) -> Entry {
    typed("PaxHeaders/entry", b'x').contents(pax_records(records))
}

pub(crate) fn pax_records(records: &[(&str, &str)]) -> String {
    let record = |(key, value): &(&str, &str)| {
        let rest = format!(" {key}={value}\n");
        let length = (1..rest.len() + 20).find(|n| n.to_string().len() + rest.len() == *n);
        format!("{}{rest}", length.unwrap())
    };
    records.iter().map(record).collect()
}

impl Entry {
    pub(crate) fn contents(mut self, contents: impl AsRef<[u8]>) -> Self {
        self.contents = contents.as_ref().to_vec();
        self
    }

    pub(crate) fn link(mut self, target: &str) -> Self {
        self.link = target.into();
        self
    }

    /// The bytes of the size field, whatever the contents are.
    pub(crate) fn size(mut self, field: impl AsRef<[u8]>) -> Self {
        self.size = Some(field.as_ref().to_vec());
        self
    }

    pub(crate) fn magic(mut self, magic: &'static [u8]) -> Self {
        self.magic = magic;
        self
    }

    pub(crate) fn prefix(mut self, prefix: &str) -> Self {
        self.prefix = prefix.into();
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut header = vec![0; 512];
        let mut put = |at: usize, text: &[u8]| header[at..at + text.len()].copy_from_slice(text);
        put(0, &self.name);
        put(100, b"0000644\0");
        let size = format!("{:011o}\0", self.contents.len()).into_bytes();
        put(124, self.size.as_ref().unwrap_or(&size));
        put(148, b"        ");
        put(156, &[self.flag]);
        put(157, &self.link);
        put(257, self.magic);
        put(345, &self.prefix);
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        header.extend(&self.contents);
        header.resize(header.len().next_multiple_of(512), 0);
        header
    }
}

/// The entries and the end marker.
pub(crate) fn tar(entries: &[Entry]) -> Vec<u8> {
    let mut bytes: Vec<u8> = entries.iter().flat_map(Entry::bytes).collect();
    bytes.extend([0; 1024]);
    bytes
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn unpack_bytes(bytes: &[u8]) -> Result<Tree, UnpackError> {
    stageset_render::unpack(bytes, &Digest::of(bytes), &Limits::default())
}

pub(crate) fn unpack(entries: &[Entry]) -> Result<Tree, UnpackError> {
    unpack_bytes(&gzip(&tar(entries)))
}

/// Unpacks what must be refused, and checks the message that a person gets.
#[track_caller]
pub(crate) fn refused(entries: &[Entry], message: &str) -> UnpackError {
    refused_bytes(&gzip(&tar(entries)), message)
}

#[track_caller]
pub(crate) fn refused_bytes(bytes: &[u8], message: &str) -> UnpackError {
    let error = unpack_bytes(bytes).expect_err("this archive must be refused");
    assert_eq!(error.to_string(), message);
    error
}

pub(crate) fn paths(tree: &Tree) -> Vec<&str> {
    tree.iter().map(|(path, _)| path).collect()
}
