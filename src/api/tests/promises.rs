//! The tables of `docs/tenancy.md` and `docs/attacks.md`: every number has its row, every row its
//! tests, and every test that is named exists and carries the number.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// All files below a folder with this ending, without what builds leave behind.
fn files(folder: &Path, ending: &str, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                files(&path, ending, into);
            }
        } else if name.ends_with(ending) {
            into.push(path);
        }
    }
}

/// Names of functions under `#[test]` and its kin, and of the scenarios of e2e.
fn tests() -> BTreeSet<String> {
    let mut sources = Vec::new();
    for room in ["src", "e2e", "sim", "trials", "fuzz"] {
        files(&root().join(room), ".rs", &mut sources);
    }
    let mut found = BTreeSet::new();
    for path in sources {
        let text = std::fs::read_to_string(&path).unwrap();
        let mut marked = false;
        for line in text.lines().map(str::trim) {
            if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
                marked = true;
            } else if let Some((_, name)) = line.split_once("fn ") {
                let name = name.split(['(', '<']).next().unwrap_or_default();
                if marked {
                    found.insert(name.to_owned());
                }
                marked = false;
            }
        }
        // Properties are functions of proptest's macro, marked alike; scenarios are a table of names.
        if path.ends_with("e2e/tests/scenarios/mod.rs") || path.ends_with("e2e/tests/main.rs") {
            found.extend(text.split('"').skip(1).step_by(2).map(str::to_owned));
        }
    }
    // The checks of the node's scenario are named in its script.
    let node = std::fs::read_to_string(root().join("e2e/node/scenario")).unwrap();
    found.extend(
        node.split_whitespace()
            .map(|word| word.trim_matches(['"', '\'', ':']))
            .filter(|word| word.starts_with('s') && word.contains('_'))
            .map(str::to_owned),
    );
    found
}

/// The rows below a heading whose numbers begin with this letter: number and the cells after it.
fn rows(page: &str, heading: &str, letter: char) -> Vec<(u32, Vec<String>)> {
    let text = std::fs::read_to_string(root().join(page)).unwrap();
    let mut rows = Vec::new();
    let below = text
        .lines()
        .skip_while(|line| *line != heading)
        .skip(1)
        .take_while(|line| !line.starts_with('#'));
    for line in below.filter(|line| line.starts_with("| ")) {
        let mut cells = line.trim_matches('|').split('|').map(str::trim);
        let number = cells
            .next()
            .and_then(|cell| cell.strip_prefix(letter))
            .and_then(|number| number.parse().ok());
        if let Some(number) = number {
            rows.push((number, cells.map(str::to_owned).collect()));
        }
    }
    rows
}

fn named(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// Whether a test's name carries the number: `s07`, `attack_a07`, also behind others.
fn carries(test: &str, letter: char, number: u32) -> bool {
    let wanted = format!("{}{number:02}", letter.to_ascii_lowercase());
    test.split('_').any(|part| part == wanted)
}

#[test]
fn every_promise_to_the_user_has_its_tests_on_the_simulator_and_on_a_real_server() {
    let tests = tests();
    let rows = rows("docs/tenancy.md", "## The user's list", 'S');
    let numbers: Vec<u32> = rows.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (1..=33).collect::<Vec<_>>());
    for (number, cells) in rows {
        let [_, simulated, real] = cells.as_slice() else {
            panic!("S{number}: {cells:?}")
        };
        for cell in [simulated, real] {
            let names = named(cell);
            assert!(!names.is_empty(), "S{number} names no test in {cell:?}");
            for name in names {
                assert!(tests.contains(name), "S{number}: there is no test {name}");
                assert!(
                    carries(name, 'S', number),
                    "S{number}: {name} lacks its number"
                );
            }
        }
    }
}

#[test]
fn every_attack_has_its_tests() {
    let tests = tests();
    let rows = rows("docs/attacks.md", "## Tests", 'A');
    let numbers: Vec<u32> = rows.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (1..=30).collect::<Vec<_>>());
    for (number, cells) in rows {
        let names = named(&cells[1]);
        for name in &names {
            assert!(tests.contains(*name), "A{number}: there is no test {name}");
        }
        assert!(
            names.iter().any(|name| carries(name, 'A', number)),
            "A{number}: no test carries its number: {names:?}"
        );
    }
}

/// The table of guards: each is code that stands where its row says, and its tests exist. That they fail
/// without it was tried by hand.
#[test]
fn every_guard_of_an_attack_stands_and_has_its_tests() {
    let tests = tests();
    let rows = rows("docs/attacks.md", "## Guards", 'A');
    assert!(rows.len() > 40, "{}", rows.len());
    for (number, cells) in rows {
        let [_, guard, failed] = cells.as_slice() else {
            panic!("A{number}: {cells:?}")
        };
        let named_there = named(guard);
        let [file, names @ ..] = named_there.as_slice() else {
            panic!("A{number}: no file in {guard:?}")
        };
        let text = std::fs::read_to_string(root().join("src").join(file))
            .unwrap_or_else(|error| panic!("A{number}: src/{file}: {error}"));
        assert!(!names.is_empty(), "A{number}: no function in {guard:?}");
        for name in names {
            let stands = ["fn ", "const ", "static ", "struct ", "enum "]
                .iter()
                .any(|keyword| {
                    text.match_indices(&format!("{keyword}{name}"))
                        .any(|(at, found)| {
                            let next = text[at + found.len()..].chars().next();
                            !next.is_some_and(|c| c.is_alphanumeric() || c == '_')
                        })
                });
            assert!(stands, "A{number}: src/{file} has no {name}");
        }
        let failed = named(failed);
        assert!(!failed.is_empty(), "A{number}: {guard:?} has no test");
        for name in failed {
            assert!(tests.contains(name), "A{number}: there is no test {name}");
        }
    }
}

/// A20: what the operator is made of has no way to start a program.
#[test]
fn attack_a20_no_room_of_the_operator_can_start_a_program() {
    let mut sources = Vec::new();
    for room in ["api", "core", "schema", "render", "cluster", "controller"] {
        let folder = root().join("src").join(room);
        files(&folder.join("src"), ".rs", &mut sources);
        let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        let (dependencies, _) = manifest
            .split_once("[dev-dependencies]")
            .unwrap_or((&manifest, ""));
        let process = dependencies
            .lines()
            .find(|line| line.starts_with("tokio") && line.contains("\"process\""));
        assert_eq!(process, None, "{room}");
    }
    assert!(sources.len() > 100, "{}", sources.len());
    for path in sources {
        let text = std::fs::read_to_string(&path).unwrap();
        for word in [
            "process::Command",
            "process::{",
            "tokio::process",
            "std::os::unix::process",
        ] {
            assert!(!text.contains(word), "{}: {word}", path.display());
        }
    }
}
