//! What the pure crates may depend on, and what they may name.
//!
//! "What it cannot name it cannot do": no async runtime, no HTTP stack, no Kubernetes client, no
//! random source may stand in the dependency trees of `stageset-core`, `stageset-render` and
//! `stageset-schema`, and their own code names no file system, clock, process or socket.

use std::path::Path;
use std::process::Command;

const PURE: [&str; 3] = ["stageset-core", "stageset-render", "stageset-schema"];

/// Crates by name; a trailing `*` stands for any ending.
const FORBIDDEN: &[&str] = &[
    // async runtimes
    "tokio*",
    "async-std",
    "async-io",
    "async-executor",
    "smol*",
    "futures-executor",
    "mio*",
    "socket2",
    "polling",
    "glommio",
    "monoio",
    // HTTP
    "hyper*",
    "reqwest*",
    "ureq*",
    "h2",
    "h3",
    "http",
    "http-body*",
    "axum*",
    "tower*",
    "tonic*",
    "actix*",
    "isahc",
    "curl*",
    "surf",
    "warp",
    "rustls*",
    "native-tls",
    "openssl*",
    "quinn*",
    // Kubernetes clients
    "kube-client",
    "kube-runtime",
    // random sources
    "rand",
    "rand_core",
    "rand_chacha",
    "getrandom",
    "fastrand",
    "ahash",
    "oorandom",
];

/// `kube-core` is bare types, but names the types of `http`.
const TOLERATED: [(&str, &str); 1] = [("kube-core", "http")];

fn is_forbidden(name: &str) -> bool {
    FORBIDDEN
        .iter()
        .any(|pattern| match pattern.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => name == *pattern,
        })
}

/// Paths from a root to forbidden crates, in lines of `cargo tree --prefix depth`, each of which
/// is a depth and a crate's name.
fn offending_paths(tree: &str) -> Vec<String> {
    let (mut path, mut found) = (Vec::new(), Vec::new());
    for line in tree.lines().filter(|line| !line.is_empty()) {
        let digits = line
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(line.len());
        let (depth, name) = line.split_at(digits);
        let name = name.split_whitespace().next().unwrap();
        path.truncate(depth.parse().unwrap());
        let parent = path.last().copied().unwrap_or_default();
        path.push(name);
        if is_forbidden(name) && !TOLERATED.contains(&(parent, name)) {
            found.push(path.join(" -> "));
        }
    }
    found
}

#[test]
fn pure_crates_depend_on_nothing_that_acts() {
    for package in PURE {
        let output = Command::new(env!("CARGO"))
            .args([
                "tree",
                "--package",
                package,
                "--edges",
                "normal",
                "--target",
                "all",
            ])
            .args(["--prefix", "depth", "--format", "{p}"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "cargo tree {package}: {errors}");
        let tree = String::from_utf8_lossy(&output.stdout);
        assert!(
            tree.contains("serde_json"),
            "{package} has no tree worth checking:\n{tree}"
        );
        let offending = offending_paths(&tree);
        assert!(
            offending.is_empty(),
            "{package} must stay pure, but depends on\n  {}\n\
             leave the dependency out, or its feature off",
            offending.join("\n  ")
        );
    }
}

#[test]
fn the_check_sees_what_it_looks_for() {
    let tree = "0stageset-core v0.1.0 (/x)\n1kube-core v5.0.0\n2http v1.5.0\n2tower-service v0.3\n\
                1serde v1.0.0 (*)\n1a v1.0.0\n2tokio-util v0.7.0\n3http v1.5.0\n";
    let expected = [
        "stageset-core -> kube-core -> tower-service",
        "stageset-core -> a -> tokio-util",
        "stageset-core -> a -> tokio-util -> http",
    ];
    assert_eq!(offending_paths(tree), expected);
    assert!(is_forbidden("getrandom") && !is_forbidden("httparse") && !is_forbidden("randomize"));
}

/// Names of the standard library that reach outside.
const OUTSIDE: [&str; 9] = [
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "std::thread",
    "SystemTime",
    "Instant::now",
    "HashMap",
    "HashSet",
];

#[test]
fn pure_crates_name_nothing_that_acts() {
    let mut files = 0;
    for room in ["core", "render", "schema"] {
        let source = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("..")
            .join(room)
            .join("src");
        let mut folders = vec![source];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                files += 1;
                let text = std::fs::read_to_string(&path).unwrap();
                for (number, line) in text.lines().enumerate() {
                    let code = line.split("//").next().unwrap_or_default();
                    let named = OUTSIDE.iter().find(|name| code.contains(**name));
                    assert!(
                        named.is_none(),
                        "{}:{}: {named:?}",
                        path.display(),
                        number + 1
                    );
                }
            }
        }
    }
    assert!(files > 20, "{files} files");
}
