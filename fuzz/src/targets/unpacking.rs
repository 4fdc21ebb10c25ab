//! Archives: the input is the tar stream, or the gzip stream around it (A15).

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use stageset_render::{Digest, Limits, pack, unpack};

use super::{Target, sight};

pub(super) const TARGET: Target = Target {
    name: "unpacking",
    words: &[
        "ustar\0",
        "ustar  \0",
        "0000644\0",
        "00000000010\0",
        "77777777777\0",
        "\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}",
        "././@LongLink",
        "20 path=../../etc/x\n",
        "13 size=1024\n",
        "30 path=a/b/c/d/e/f/g/h/i/j\n",
        "22 GNU.sparse.major=1\n",
        "../",
        "/etc/passwd",
        "a//b",
        "a/./b",
        ".git/x",
        "kustomization.yaml",
    ],
    run,
};

fn run(input: &[u8]) -> Result<Vec<u64>, String> {
    let limits = Limits {
        stream_bytes: 4 * 1024 * 1024,
        extracted_bytes: 1024 * 1024,
        entry_bytes: 512 * 1024,
        ..Limits::default()
    };
    let mut sights = Vec::new();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let packed = encoder.write_all(input).and_then(|()| encoder.finish());
    let packed = packed.map_err(|error| error.to_string())?;
    for artifact in [input, &packed] {
        match unpack(artifact, &Digest::of(artifact), &limits) {
            Err(error) => sights.push(sight(&error.to_string())),
            Ok(tree) => {
                let mut size = 0;
                for (path, bytes) in tree.iter() {
                    size += bytes.len() as u64;
                    let bad = |part: &str| matches!(part, "" | "." | "..");
                    if path.split('/').any(bad) || path.starts_with('/') {
                        return Err(format!("the path {path:?}"));
                    }
                }
                if size > limits.extracted_bytes {
                    return Err(format!("{size} bytes"));
                }
                let (again, digest) = pack(&tree);
                let same = unpack(&again, &digest, &Limits::default())
                    .is_ok_and(|unpacked| unpacked == tree);
                if !same {
                    return Err("packed and unpacked it is something else".to_owned());
                }
                sights.push(1 + tree.len().min(20) as u64);
            }
        }
    }
    let wrong = unpack(input, &Digest::of(b"another"), &limits);
    if input != b"another" && wrong.is_ok() {
        return Err("a wrong digest is taken".to_owned());
    }
    Ok(sights)
}
