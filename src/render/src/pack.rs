//! From a [`Tree`] to an artifact: the counterpart of [`crate::unpack`], for the command line,
//! tests and simulated sources.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::{Digest, Tree};

/// Packs a tree as `.tar.gz`, the same bytes for the same tree: ordered by path, no times, no
/// owners, mode 0644. Paths that don't fit a header get a PAX record.
#[expect(clippy::missing_panics_doc, reason = "writing to a Vec can't fail")]
pub fn pack(tree: &Tree) -> (Vec<u8>, Digest) {
    let mut tar = Vec::new();
    for (path, bytes) in tree.iter() {
        if path.len() > 100 {
            let record = pax_record("path", path);
            append(&mut tar, "pax-header", b'x', record.as_bytes());
            append(&mut tar, "long-name", b'0', bytes);
        } else {
            append(&mut tar, path, b'0', bytes);
        }
    }
    tar.extend([0; 1024]);
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let packed = encoder.write_all(&tar).and_then(|()| encoder.finish());
    #[expect(clippy::expect_used, reason = "writing to a Vec can't fail")]
    let bytes = packed.expect("a Vec takes every write");
    let digest = Digest::of(&bytes);
    (bytes, digest)
}

/// `LENGTH KEY=VALUE\n`, where LENGTH counts its own digits too.
fn pax_record(key: &str, value: &str) -> String {
    let rest = key.len() + value.len() + 3;
    let mut length = rest;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    format!("{length} {key}={value}\n")
}

fn append(tar: &mut Vec<u8>, name: &str, flag: u8, bytes: &[u8]) {
    let mut header = [0_u8; 512];
    let mut put = |at: usize, text: &[u8]| header[at..at + text.len()].copy_from_slice(text);
    put(0, name.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{:011o}\0", bytes.len()).as_bytes());
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, &[flag]);
    put(257, b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    tar.extend(header);
    tar.extend(bytes);
    tar.resize(tar.len().next_multiple_of(512), 0);
}
