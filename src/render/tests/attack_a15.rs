//! A15 of `attacks.md`: each line of it, and what it says to the person who must act.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use stageset_render::{Digest, Limits, UnpackError, unpack};

use crate::archive::{file, gzip, pax, pax_records, refused, refused_bytes, tar, typed};

#[test]
fn attack_a15_parent_folders() {
    for name in ["../etc/passwd", "a/../../b", "a/..", "..", "./..//x"] {
        let message = format!(
            "entry {name:?} leaves its folder with '..': pack the archive without such paths"
        );
        refused(&[file(name, "x")], &message);
        // A dot-folder doesn't hide it, nor does another type, nor a longer header.
        refused(&[typed(name, b'5')], &message);
        refused(&[pax(&[("path", name)]), file("innocent", "x")], &message);
        refused(
            &[typed("L", b'L').contents(name), file("innocent", "x")],
            &message,
        );
    }
    let message =
        "entry \".git/../x\" leaves its folder with '..': pack the archive without such paths";
    refused(&[file(".git/../x", "x")], message);
    let message =
        "entry \"a/../b\" leaves its folder with '..': pack the archive without such paths";
    refused(&[file("../b", "x").prefix("a")], message);
}

#[test]
fn attack_a15_absolute_paths() {
    let message = "entry \"/etc/passwd\" is an absolute path: pack the archive with relative paths";
    refused(&[file("/etc/passwd", "x")], message);
    refused(&[file("passwd", "x").prefix("/etc")], message);
    refused(&[pax(&[("path", "/etc/passwd")]), file("a", "x")], message);
}

#[test]
fn attack_a15_symbolic_links() {
    let message = "entry \"a.yaml\" is a symbolic link to \"/etc/passwd\": links are not \
                   supported; put the file itself there, or exclude the link at the source";
    refused(&[typed("a.yaml", b'2').link("/etc/passwd")], message);
    refused(
        &[
            pax(&[("linkpath", "/etc/passwd")]),
            typed("a.yaml", b'2').link("b"),
        ],
        message,
    );
    let long = typed("K", b'K').contents("/etc/passwd\0");
    refused(&[long, typed("a.yaml", b'2').link("b")], message);
}

#[test]
fn attack_a15_hard_links() {
    let message = "entry \"b\" is a hard link to \"a\": links are not supported; \
                   pack the archive with hard links dereferenced";
    refused(&[file("a", "x"), typed("b", b'1').link("a")], message);
}

#[test]
fn attack_a15_devices() {
    for (flag, kind) in [
        (b'3', "character device"),
        (b'4', "block device"),
        (b'6', "named pipe"),
    ] {
        let message = format!(
            "entry \"dev/null\" is a {kind}: only files and folders are supported; leave it out"
        );
        refused(&[typed("dev/null", flag)], &message);
    }
    let message = "entry \"v\" is of the unsupported archive type 'V': leave it out";
    refused(&[typed("v", b'V')], message);
}

#[test]
fn attack_a15_duplicates() {
    let message = "the archive holds entry \"a/x\" twice: which one is meant can't be told";
    refused(
        &[file("a/x", "1"), file("a/y", "1"), file("a/x", "1")],
        message,
    );
}

#[test]
fn attack_a15_names_that_mean_one_path() {
    for other in ["./a/x", "a//x", "a/./x", ".//a/x"] {
        let message = format!(
            "entries \"a/x\" and {other:?} are both the path \"a/x\": \
             which one is meant can't be told; leave one out"
        );
        refused(&[file("a/x", "1"), file(other, "2")], &message);
    }
    let message = "entry \"a\" is a file, but \"a/x\" lies below it: leave one out";
    refused(&[file("a/x", "1"), file("a", "2")], message);
    refused(&[file("a", "1"), file("a/x", "2")], message);
}

#[test]
fn attack_a15_sparse_files() {
    let message = "entry \"s\" is a sparse file: not supported; pack the archive without --sparse";
    refused(
        &[typed("s", b'S').contents("x").magic(b"ustar  \0")],
        message,
    );
    refused(
        &[
            pax(&[("GNU.sparse.major", "1"), ("GNU.sparse.name", "t")]),
            file("s", "x"),
        ],
        message,
    );
    refused(
        &[pax(&[("GNU.sparse.map", "0,1")]), file("s", "x")],
        message,
    );
}

#[test]
fn attack_a15_huge_headers() {
    let two_mib = "x".repeat(2 * 1024 * 1024);
    let records = pax_records(&[("comment", &two_mib)]);
    let message = format!(
        "the extended header \"h\" has {} bytes, more than the limit of 1048576: \
         pack the archive without extended attributes",
        records.len()
    );
    refused(
        &[typed("h", b'x').contents(&records), file("a", "x")],
        &message,
    );
    refused(
        &[typed("h", b'g').contents(&records), file("a", "x")],
        &message,
    );
    let message = message.replace(&records.len().to_string(), &two_mib.len().to_string());
    refused(
        &[typed("h", b'L').contents(&two_mib), file("a", "x")],
        &message,
    );
    refused(
        &[typed("h", b'K').contents(&two_mib), file("a", "x")],
        &message,
    );
    // A size that only the header claims is refused before anything is set aside for it.
    let claimed = typed("h", b'x').size(b"77777777777\0");
    let message = "the extended header \"h\" has 8589934591 bytes, more than the limit of \
                   1048576: pack the archive without extended attributes";
    refused(&[claimed], message);
    let path = "p/".repeat(3000);
    let message = format!(
        "an entry's path has 6000 bytes, more than the limit of 4096; it begins {:?}: \
         rename it at the source",
        &path[..100]
    );
    refused(&[pax(&[("path", &path)]), file("a", "x")], &message);
}

#[test]
fn attack_a15_gzip_bombs() {
    // 600 MiB of a file that is skipped: the stream's own limit counts it.
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let size = format!("{:011o}\0", 600 * 1024 * 1024);
    encoder
        .write_all(&typed(".bomb", b'0').size(size).bytes())
        .unwrap();
    let mebibyte = vec![0; 1024 * 1024];
    for _ in 0..600 {
        encoder.write_all(&mebibyte).unwrap();
    }
    let bytes = encoder.finish().unwrap();
    assert!(bytes.len() < 4 * 1024 * 1024);
    let message = "the artifact inflates to more than the limit of 536870912 bytes in or after \
                   entry \".bomb\": leave files out at the source";
    refused_bytes(&bytes, message);
}

#[test]
fn attack_a15_large_files() {
    let large = vec![0; 16 * 1024 * 1024 + 1];
    let message = "entry \"large\" has 16777217 bytes, more than the limit of 16777216: \
                   leave it out at the source";
    refused(&[file("large", &large)], message);
    let most = vec![0; 16 * 1024 * 1024];
    let names = ["a", "b", "c", "d"];
    let mut entries: Vec<_> = names.iter().map(|name| file(name, &most)).collect();
    assert_eq!(crate::archive::unpack(&entries).unwrap().len(), 4);
    entries.push(file("e", "x"));
    let message = "with entry \"e\" the files have more than the limit of 67108864 bytes \
                   together: leave files out at the source";
    refused(&entries, message);
}

#[test]
fn attack_a15_large_artifacts() {
    let limits = Limits {
        artifact_bytes: 100,
        ..Limits::default()
    };
    let error = unpack(&[0; 101], &Digest::of(&[0; 101]), &limits).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the artifact has 101 bytes, more than the limit of 100: leave files out at the source"
    );
}

#[test]
fn attack_a15_truncated_streams() {
    let contents: Vec<u8> = (0..40_000_u32).map(|n| (n % 251) as u8).collect();
    let tar = tar(&[file("a", "x"), file("b", &contents), file("c", "y")]);
    let whole = gzip(&tar);
    // Compressed bytes cut off anywhere.
    for length in [1, 10, 30, whole.len() / 2, whole.len() - 9, whole.len() - 1] {
        let error = crate::archive::unpack_bytes(&whole[..length]).unwrap_err();
        let short = matches!(error, UnpackError::Truncated { .. } | UnpackError::NotGzip);
        assert!(short, "{length}: {error}");
    }
    // The archive cut off within a good gzip stream.
    refused_bytes(
        &gzip(&tar[..2048]),
        "the archive ends too early in or after entry \"b\": let the source produce it again",
    );
    refused_bytes(
        &gzip(&tar[..1024 + 100]),
        "the archive ends too early in or after entry \"a\": let the source produce it again",
    );
    let message =
        "the archive has no end marker: it was cut short; let the source produce it again";
    for missing in [1024, 512] {
        let error = refused_bytes(&gzip(&tar[..tar.len() - missing]), message);
        assert!(matches!(error, UnpackError::NoEnd));
    }
    refused_bytes(&gzip(b""), message);
}

#[test]
fn attack_a15_wrong_digests() {
    let bytes = gzip(&tar(&[file("a", "x")]));
    let other = Digest::of(b"other");
    let error = unpack(&bytes, &other, &Limits::default()).unwrap_err();
    let message = format!(
        "the artifact's digest is {}, but the source announced {other}: it was altered or cut \
         short on its way, or replaced meanwhile; let the source produce it again",
        Digest::of(&bytes)
    );
    assert_eq!(error.to_string(), message);
    // The digest comes first: nothing is parsed of bytes that nobody announced.
    let error = unpack(b"not gzip", &other, &Limits::default()).unwrap_err();
    assert!(matches!(error, UnpackError::WrongDigest { .. }));
}

#[test]
fn attack_a15_trailing_bytes() {
    let end = |of: &str| {
        format!(
            "bytes follow the end of the {of}: an artifact is one archive in one gzip stream; \
             let the source produce it again"
        )
    };
    let archive = tar(&[file("a", "x")]);
    let mut longer = archive.clone();
    longer.extend(file("hidden", "y").bytes());
    refused_bytes(&gzip(&longer), &end("archive"));
    let mut longer = archive.clone();
    longer.resize(longer.len() + 20_000, 0);
    longer.push(1);
    refused_bytes(&gzip(&longer), &end("archive"));
    let mut bytes = gzip(&archive);
    bytes.push(0);
    refused_bytes(&bytes, &end("gzip stream"));
    // A second member is legal gzip, but no artifact.
    refused_bytes(
        &[gzip(&archive), gzip(&archive)].concat(),
        &end("gzip stream"),
    );
}

#[test]
fn attack_a15_corrupt_streams() {
    let mut bytes = gzip(&tar(&[file("a", "x")]));
    let checksum = bytes.len() - 6;
    bytes[checksum] ^= 1;
    refused_bytes(
        &bytes,
        "the artifact's gzip data is corrupt: let the source produce it again",
    );
    let message = "the artifact is not gzip-compressed: expected a .tar.gz archive";
    refused_bytes(b"PK\x03\x04", message);
    refused_bytes(b"", message);
    refused_bytes(&tar(&[file("a", "x")]), message);
}

#[test]
fn attack_a15_malformed_headers() {
    let bad = |offset: usize, what: &str| {
        format!(
            "the archive header at byte {offset} is malformed ({what}): \
             pack the archive with a common tar writer"
        )
    };
    let mut archive = tar(&[file("a", "x"), file("b", "y")]);
    archive[1024] ^= 1;
    refused_bytes(&gzip(&archive), &bad(1024, "its checksum is wrong"));
    for size in [
        &b"0000000000x\0"[..],
        b"00000001 001",
        b"-0000000001\0",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    ] {
        refused(
            &[file("a", "x").size(size)],
            &bad(0, "its size is not a number"),
        );
    }
    let folder = typed("a/", b'5').contents("x");
    refused(&[folder], &bad(0, "a folder, link or device has contents"));
    let hidden = typed(".a", b'2').contents("x");
    refused(&[hidden], &bad(0, "a folder, link or device has contents"));
    for records in [
        "5 a=b",
        "99 path=x\n",
        "0 path=x\n",
        "x",
        "9 noequal\n",
        "+9 a=bcd\n",
    ] {
        let entries = [typed("x", b'x').contents(records), file("a", "x")];
        refused(
            &entries,
            &bad(0, "a record of its extended header is malformed"),
        );
    }
    let entries = [pax(&[("size", "1e3")]), file("a", "x")];
    refused(
        &entries,
        &bad(0, "the size in its extended header is not a number"),
    );
    let global = typed("g", b'g').contents(pax_records(&[("path", "x")]));
    refused(
        &[global],
        &bad(0, "a global extended header sets a path or size"),
    );
    let message = bad(1024, "two extended headers of one type precede one entry");
    refused(
        &[pax(&[("path", "x")]), pax(&[("path", "y")]), file("a", "x")],
        &message,
    );
    let message = bad(1024, "an extended header has no entry after it");
    refused(&[pax(&[("path", "x")])], &message);
    let mut archive = file("a", "x").bytes();
    archive.extend([0; 512]);
    archive.extend(tar(&[file("b", "y")]));
    let message = bad(1024, "a single zero block stands between entries");
    refused_bytes(&gzip(&archive), &message);
}

#[test]
fn attack_a15_names_that_are_none() {
    let message = "entry \"a\u{fffd}\" has a name that is not UTF-8: rename it at the source";
    refused(&[typed(b"a\xff", b'0')], message);
    let message = "entry \"a\\nlevel=error\" has control characters in its name: \
                   rename it at the source";
    refused(&[file("a\nlevel=error", "x")], message);
    let message = "entry \"a\\0b\" has control characters in its name: rename it at the source";
    refused(&[pax(&[("path", "a\0b")]), file("x", "x")], message);
    refused(
        &[file("", "x")],
        "entry \"\" has an empty name: rename it at the source",
    );
    let message = "entry \"a/\" is a file, but has the name of a folder: rename it at the source";
    refused(&[file("a/", "x")], message);
    let message = "entry \".\" is a file, but has the name of a folder: rename it at the source";
    refused(&[file(".", "x")], message);
}

/// Issue 7: a 64 MiB artifact of one-byte files ends in time; here enough of them to see a quadratic step.
#[test]
fn attack_a15_many_small_files() {
    let entries: Vec<_> = (0..20_000_u32)
        .map(|n| file(&format!("f/{n}"), "x"))
        .collect();
    assert_eq!(crate::archive::unpack(&entries).unwrap().len(), 20_000);
}
