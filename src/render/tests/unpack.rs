//! What a good archive gives, in every format that writers use.

use proptest::prelude::*;
use stageset_render::{Digest, DigestError, Limits, Tree, TreeError, pack};

use crate::archive::{self, file, gzip, paths, pax, pax_records, tar, typed};

#[test]
fn files_and_folders_of_a_common_archive() {
    let tree = archive::unpack(&[
        typed("./", b'5'),
        typed("./app/", b'5'),
        file("./app/b.yaml", "b"),
        file("./app/a.yaml", "a"),
        file("readme with spaces & ünïcode.md", "hello"),
        file("empty", ""),
        file("block", [b'x'; 512]),
    ])
    .unwrap();
    let expected = [
        "app/a.yaml",
        "app/b.yaml",
        "block",
        "empty",
        "readme with spaces & ünïcode.md",
    ];
    assert_eq!(paths(&tree), expected);
    assert_eq!(tree.get("app/a.yaml"), Some(&b"a"[..]));
    assert_eq!(tree.get("block").unwrap().len(), 512);
    assert!(tree.has_folder("app") && tree.has_folder("") && !tree.has_folder("ap"));
}

/// K28 of `decisions.md`: whatever they are, they are skipped.
#[test]
fn dotfiles_and_dot_folders_are_skipped() {
    let large = vec![b'x'; 17 * 1024 * 1024];
    let tree = archive::unpack(&[
        file(".gitignore", "x"),
        file(".git/objects/pack", large),
        typed(".github/link", b'2').link("../../etc/passwd"),
        file("app/.hidden/deep/file.yaml", "x"),
        file("app/..data", "x"),
        file("app/kept.yaml", "y"),
        file("app/not.hidden.yaml", "z"),
    ])
    .unwrap();
    assert_eq!(paths(&tree), ["app/kept.yaml", "app/not.hidden.yaml"]);
}

#[test]
fn old_and_gnu_and_pax_names() {
    let long = format!("deep/{}/file.yaml", "x".repeat(300));
    let tree = archive::unpack(&[
        file("v7", "1").magic(b""),
        typed("old-file", 0).contents("2").magic(b""),
        typed("old-folder/", 0).magic(b""),
        file("short", "3").prefix("some/prefix"),
        file("gnu", "4").magic(b"ustar  \0").prefix("not-a-prefix"),
        typed("././@LongLink", b'L')
            .contents(format!("{long}\0"))
            .magic(b"ustar  \0"),
        file("deep/xxx-cut-short", "5").magic(b"ustar  \0"),
        pax(&[
            ("mtime", "1.5"),
            ("path", "päx/ö.yaml"),
            ("SCHILY.xattr.user.x", "y"),
        ]),
        file("ignored", "6"),
        typed("pax_global_header", b'g').contents(pax_records(&[("comment", "0123abcd")])),
        file("after-global", "7"),
        typed("contiguous", b'7').contents("8"),
    ])
    .unwrap();
    let found: Vec<_> = tree
        .iter()
        .map(|(path, bytes)| (path, String::from_utf8_lossy(bytes)))
        .collect();
    let expected = [
        ("after-global", "7"),
        ("contiguous", "8"),
        (long.as_str(), "5"),
        ("gnu", "4"),
        ("old-file", "2"),
        ("päx/ö.yaml", "6"),
        ("some/prefix/short", "3"),
        ("v7", "1"),
    ];
    assert_eq!(found, expected.map(|(path, text)| (path, text.into())));
}

#[test]
fn sizes_in_every_spelling() {
    let mut base256 = [0_u8; 12];
    base256[0] = 0x80;
    base256[11] = 3;
    let tree = archive::unpack(&[
        file("spaces", "abc").size(b"         3 \0"),
        file("base256", "abc").size(base256),
        pax(&[("size", "3")]),
        file("pax", "abc").size(b"00000000000\0"),
    ])
    .unwrap();
    assert!(tree.iter().all(|(_, bytes)| bytes == b"abc"), "{tree:?}");
}

#[test]
fn padding_after_the_end_marker_is_fine() {
    let mut bytes = tar(&[file("a", "x")]);
    bytes.resize(10_240, 0);
    assert_eq!(paths(&archive::unpack_bytes(&gzip(&bytes)).unwrap()), ["a"]);
    assert!(archive::unpack(&[]).unwrap().is_empty());
}

#[test]
fn packing_is_deterministic_and_reversible() {
    let long = "l".repeat(255);
    let files = [
        ("b.yaml", "2"),
        ("a/x.yaml", "1"),
        (long.as_str(), "3"),
        ("ü", "4"),
    ];
    let tree = Tree::from_files(files).unwrap();
    let mut reversed = files;
    reversed.reverse();
    let (bytes, digest) = pack(&tree);
    assert_eq!(
        pack(&Tree::from_files(reversed).unwrap()),
        (bytes.clone(), digest)
    );
    assert_eq!(digest, Digest::of(&bytes));
    assert_eq!(
        stageset_render::unpack(&bytes, &digest, &Limits::default()).unwrap(),
        tree
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever a tree holds that has no dotfiles comes back.
    #[test]
    fn every_tree_survives_packing(
        files in prop::collection::btree_map(
            "[a-zA-Z0-9_ äß-]{1,60}(/[a-z][a-z.]{0,60}){0,3}",
            prop::collection::vec(any::<u8>(), 0..1200),
            0..8,
        ),
    ) {
        if let Ok(tree) = Tree::from_files(files) {
            let (bytes, digest) = pack(&tree);
            let again = stageset_render::unpack(&bytes, &digest, &Limits::default()).unwrap();
            prop_assert_eq!(again, tree);
        }
    }

    /// Nothing that a tenant uploads makes the reader panic.
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..2048)) {
        let _ = archive::unpack_bytes(&bytes);
        let _ = archive::unpack_bytes(&gzip(&bytes));
    }

    /// One changed byte anywhere in a plain archive: refused, or a tree within bounds.
    #[test]
    fn no_changed_byte_panics(at in 0_usize..3072, byte in any::<u8>()) {
        let mut bytes = tar(&[
            pax(&[("path", "long/name.yaml")]),
            file("a.yaml", "x"),
            file("b.yaml", "y"),
        ]);
        bytes[at] = byte;
        if let Ok(tree) = archive::unpack_bytes(&gzip(&bytes)) {
            prop_assert!(tree.len() <= 3);
        }
    }
}

#[test]
fn digests_are_read_strictly() {
    let hex = "a".repeat(64);
    let text = format!("sha256:{hex}");
    assert_eq!(text.parse::<Digest>().unwrap().to_string(), text);
    let error = format!("sha512:{hex}{hex}").parse::<Digest>().unwrap_err();
    assert_eq!(
        error.to_string(),
        "digest algorithm \"sha512\" is not supported by this version: \
         let the source announce a sha256 digest"
    );
    let upper = "A".repeat(64);
    let malformed = [
        String::new(),
        hex.clone(),
        format!(":{hex}"),
        format!("sha256:{}", &hex[1..]),
        format!("sha256:{hex}a"),
        format!("sha256:{upper}"),
        format!("sha256: {}", &hex[1..]),
        format!("SHA 256:{hex}"),
        format!("sha256:{}", "ä".repeat(32)),
    ];
    for text in malformed {
        let error = text.parse::<Digest>().unwrap_err();
        assert!(
            matches!(error, DigestError::Malformed { .. }),
            "{text}: {error}"
        );
    }
}

#[test]
fn trees_take_plain_paths_only() {
    let one = |path: &str| Tree::from_files([(path, "")]).unwrap_err();
    for path in ["", "/a", "a//b", "a/", "./a", "a/..", "a\nb"] {
        assert!(matches!(one(path), TreeError::Path { .. }), "{path:?}");
    }
    let error = Tree::from_files([("a", "1"), ("a", "2")]).unwrap_err();
    assert_eq!(error.to_string(), "two files are named \"a\"");
    let error = Tree::from_files([("a", "1"), ("a/b", "2")]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "\"a\" is a file, so \"a/b\" can't lie below it"
    );
}
