//! Every bound of [`Limits`]: its default stands in the documentation, and what exceeds it stops
//! with a sentence that names it.

use stageset_render::{
    Digest, Limits, Tree, Variables, build, expand, pack, substitute, unpack, yaml,
};

/// One bound: how it is set to what is exceeded, and what is said then.
struct Bound {
    field: &'static str,
    default: u64,
    limits: Limits,
    exceed: fn(&Limits) -> String,
    says: &'static str,
}

fn archive() -> Vec<u8> {
    let long = format!("{}/a.yaml", "d".repeat(120));
    let files = [
        ("a.yaml".to_owned(), "x".repeat(3000)),
        (long, String::new()),
    ];
    pack(&Tree::from_files(files).unwrap()).0
}

fn unpacked(limits: &Limits) -> String {
    let artifact = archive();
    match unpack(&artifact, &Digest::of(&artifact), limits) {
        Ok(tree) => format!("{} files", tree.len()),
        Err(error) => error.to_string(),
    }
}

const SMALL: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: b, c: d}\n---\n\
                     apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n";

fn read(limits: &Limits) -> String {
    match yaml::documents(SMALL.as_bytes(), limits) {
        Ok(documents) => format!("{} documents", documents.len()),
        Err(errors) => errors[0].to_string(),
    }
}

fn aliases(limits: &Limits) -> String {
    match yaml::documents(b"a: &a [1, 2, 3]\nb: *a\nc: *a\n", limits) {
        Ok(documents) => format!("{} documents", documents.len()),
        Err(errors) => errors[0].to_string(),
    }
}

fn wide(limits: &Limits) -> String {
    match yaml::documents(b"a: [1, 2, 3, 4, 5]\nb:\n- [1, 2, 3, 4, 5]\n", limits) {
        Ok(documents) => format!("{} documents", documents.len()),
        Err(errors) => errors[0].to_string(),
    }
}

fn aliased_text(limits: &Limits) -> String {
    match yaml::documents(b"a: &a abc\nb: *a\n", limits) {
        Ok(documents) => format!("{} documents", documents.len()),
        Err(errors) => errors[0].to_string(),
    }
}

fn substituted(limits: &Limits) -> String {
    let text = "apiVersion: v1\nkind: W\nmetadata: {name: a}\nx: ${A}\n";
    let tree = Tree::from_files([("a.yaml", text)]).unwrap();
    let mut objects = build(&tree, "", &Limits::default()).unwrap();
    let mut variables = Variables::default();
    variables.set("A", "[1, 2, 3]").unwrap();
    match substitute(&mut objects, &variables, limits) {
        Ok(()) => objects[0].value["x"].to_string(),
        Err(problems) => problems[0].to_string(),
    }
}

fn built(limits: &Limits) -> String {
    let files = [
        (
            "kustomization.yaml",
            "resources: [all.yaml]\nnamePrefix: p-\n",
        ),
        ("all.yaml", SMALL),
    ];
    match build(&Tree::from_files(files).unwrap(), "", limits) {
        Ok(objects) => format!("{} objects", objects.len()),
        Err(problems) => problems[0].to_string(),
    }
}

fn expanded(limits: &Limits) -> String {
    let mut variables = Variables::default();
    variables.set("A", "aaaaaaaaaaaaaaaaaaaaaaaa").unwrap();
    match expand("${A} ${A##*a*a*a*b} ${A}", &variables, limits) {
        Ok(text) => text,
        Err(fault) => fault.to_string(),
    }
}

/// A number as docs/rendering.md writes it: `10 000`, `64 MiB`, `4096 bytes`.
fn number(text: &str) -> u64 {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let unit = if text.contains("MiB") { 1 << 20 } else { 1 };
    digits.parse::<u64>().unwrap() * unit
}

#[test]
fn every_bound_has_a_default_and_a_sentence() {
    let defaults = Limits::default();
    // A new bound doesn't compile before it stands here and below.
    let Limits {
        artifact_bytes: _,
        entry_bytes: _,
        stream_bytes: _,
        extracted_bytes: _,
        header_bytes: _,
        path_bytes: _,
        files: _,
        names_bytes: _,
        manifest_bytes: _,
        documents: _,
        depth: _,
        nodes: _,
        alias_nodes: _,
        alias_bytes: _,
        held_marks: _,
        objects: _,
        kustomizations: _,
        build_bytes: _,
        substitution_bytes: _,
        substitution_nodes: _,
        substitution_steps: _,
        build_nodes: _,
        build_steps: _,
    } = defaults;
    macro_rules! bounds {
        ($($field:ident = $value:expr, $exceed:expr, $says:expr;)*) => {
            vec![$(Bound {
                field: stringify!($field),
                default: u64::try_from(defaults.$field).unwrap(),
                limits: Limits { $field: $value, ..defaults },
                exceed: $exceed,
                says: $says,
            }),*]
        };
    }
    let bounds = bounds! {
        artifact_bytes = 10, unpacked, "10";
        entry_bytes = 1000, unpacked, "1000";
        stream_bytes = 2000, unpacked, "2000";
        extracted_bytes = 2000, unpacked, "2000";
        header_bytes = 20, unpacked, "20";
        path_bytes = 100, unpacked, "100";
        files = 1, unpacked, "1 files";
        names_bytes = 100, unpacked, "100";
        manifest_bytes = 30, read, "30";
        documents = 1, read, "1";
        depth = 1, read, "1";
        nodes = 5, read, "5";
        alias_nodes = 5, aliases, "5";
        alias_bytes = 2, aliased_text, "2 bytes";
        held_marks = 5, wide, "5 signs";
        objects = 1, built, "1";
        kustomizations = 0, built, "0 kustomizations";
        build_bytes = 50, built, "50 bytes";
        substitution_bytes = 30, expanded, "30";
        substitution_nodes = 2, substituted, "2 values";
        substitution_steps = 20, expanded, "20";
        build_nodes = 58, built, "nodes read and written";
        build_steps = 3, built, "3 steps";
    };
    let documentation = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/rendering.md");
    let documentation = std::fs::read_to_string(documentation).unwrap();
    for bound in bounds {
        let Bound { field, default, .. } = bound;
        let row = documentation
            .lines()
            .find(|line| line.contains(&format!("`{field}`")));
        let row = row.unwrap_or_else(|| panic!("docs/rendering.md has no row for {field}"));
        let written = row.trim_end_matches([' ', '|']).rsplit('|').next().unwrap();
        assert_eq!(number(written), default, "{field}: {row}");
        let within = (bound.exceed)(&defaults);
        assert!(!within.contains("limit"), "{field} by default: {within}");
        let said = (bound.exceed)(&bound.limits);
        assert!(
            said.contains("limit") && said.contains(bound.says),
            "{field}: {said}"
        );
    }
}
