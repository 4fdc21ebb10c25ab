//! The checked-in table against the dump that it should come from.

use std::path::Path;

use crate::write;

/// `STAGESET_OPENAPI_DIR` names a dump as `generate/main.rs` describes it; without one there is
/// nothing to compare, and only the generator's own refusal is checked.
#[test]
fn the_table_is_what_the_generator_makes_of_the_server() {
    let Some(directory) = std::env::var_os("STAGESET_OPENAPI_DIR") else {
        assert!(
            write::table(Path::new("no-such-dump"))
                .unwrap_err()
                .contains("version.json")
        );
        return;
    };
    let generated = write::table(Path::new(&directory)).unwrap();
    let checked_in = include_str!("../table/kubernetes.txt");
    let differs = generated
        .lines()
        .zip(checked_in.lines())
        .position(|(a, b)| a != b);
    if generated != checked_in {
        let line = differs.map_or("the end".to_owned(), |line| format!("line {}", line + 1));
        panic!("table/kubernetes.txt differs from {line} on: run `just schema`");
    }
}
